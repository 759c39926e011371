//! The checks as a library with its own mimalloc.

/// Prints each failure. Returns how many checks have passed, or 0.
#[no_mangle]
pub extern "C" fn run_checks() -> usize {
    checks::run()
}

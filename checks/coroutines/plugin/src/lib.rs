//! The checks as a library, with a mimalloc of its own.

/// Prints each failure. Returns how many checks have passed, or 0.
#[no_mangle]
pub extern "C" fn run_checks() -> usize {
    checks::run()
}

//! How a build of mimalloc differs from the usual one.

/// Upstream's assertions are on (`MI_DEBUG`).
pub const DEBUG: bool = cfg!(any(
    feature = "debug",
    feature = "debug_full",
    all(feature = "debug_in_debug", debug_assertions)
));

/// v2 does not free what was leaked into a heap, because it has guard pages.
pub const KEEPS_LEAKED: bool = cfg!(mi_v2) && (DEBUG || cfg!(feature = "guarded"));

/// Whether to skip tests that leak much: assertions of v2 end the process when a heap with full pages is destroyed
/// (`mi_page_set_in_full`).
#[must_use]
pub fn leaks_end_the_process() -> bool {
    let end = cfg!(mi_v2) && DEBUG;
    if end {
        println!("not run: an assertion of v2 ends the process");
    }
    end
}

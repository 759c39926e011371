//! What the C was built for, as far as a test's expectations depend on it.

/// Assertions are on (`MI_DEBUG`).
pub const DEBUG: bool = cfg!(any(
    feature = "debug",
    feature = "debug_full",
    all(feature = "debug_in_debug", debug_assertions)
));

/// Mitigations are on (`MI_SECURE`).
pub const SECURE: bool = cfg!(any(feature = "secure", feature = "secure_full"));

/// Errors and warnings are printed unless an option says otherwise (`MI_SHOW_ERRORS`).
#[allow(dead_code)]
pub const SHOWS_ERRORS: bool = DEBUG || SECURE;

/// Blocks have a padding, which records the requested size.
pub const PADDING: bool = DEBUG || SECURE;

/// Some blocks may have a guard page behind them, and then start behind the address that a visit reports.
pub const GUARDED: bool = DEBUG || cfg!(feature = "guarded");

/// A heap may be deleted or destroyed while pages of it are full. A debug build of v2 stops the program.
pub const HEAPS_MAY_END_WITH_FULL_PAGES: bool = !(DEBUG && cfg!(mi_v2));

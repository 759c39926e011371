//! C's `errno`.

use cty::c_int;

extern "C" {
    #[cfg_attr(
        any(target_os = "linux", target_os = "emscripten", target_os = "dragonfly"),
        link_name = "__errno_location"
    )]
    #[cfg_attr(
        any(target_vendor = "apple", target_os = "freebsd"),
        link_name = "__error"
    )]
    #[cfg_attr(
        any(target_os = "android", target_os = "netbsd", target_os = "openbsd"),
        link_name = "__errno"
    )]
    #[cfg_attr(windows, link_name = "_errno")]
    fn errno_location() -> *mut c_int;
}

pub fn set(value: c_int) {
    unsafe { *errno_location() = value }
}

pub fn get() -> c_int {
    unsafe { *errno_location() }
}

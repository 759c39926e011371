//! Memory that a test takes from the operating system by itself.

use core::ffi::c_void;
use std::ptr::null_mut;

/// Maps `size` zero bytes at a multiple of `align`; they only cost memory where they are touched.
pub fn map(size: usize, align: usize, access: i32) -> *mut c_void {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    let p = unsafe { libc::mmap(null_mut(), size + align, access, flags, -1, 0) };
    assert_ne!(p, libc::MAP_FAILED);
    ((p as usize + align - 1) / align * align) as *mut c_void
}

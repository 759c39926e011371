//! The POSIX group: what v2 has in another form than v3.
//!
//! v2.5.2 defines these two only in builds that override `malloc`, so a binding would not link in others. These are
//! their bodies.

use core::ffi::c_void;

/// The same as [`mi_usable_size`](crate::mi_usable_size), under macOS's name.
///
/// (v3 also answers 0 for an address outside mimalloc's memory; v2 does not check that.) v2's
/// library has this function only if it overrides `malloc`; this one is written in Rust.
///
/// Header: `mimalloc.h`.
///
/// # Safety
///
/// `p` is NULL or a live block of this allocator.
#[inline]
pub unsafe fn mi_malloc_size(p: *const c_void) -> usize {
    // SAFETY: `p` is NULL or a live block of this allocator.
    unsafe { crate::mi_usable_size(p) }
}

/// The same as [`mi_malloc_size`], under glibc's name.
///
/// Header: `mimalloc.h`.
///
/// # Safety
///
/// As for [`mi_malloc_size`].
#[inline]
pub unsafe fn mi_malloc_usable_size(p: *const c_void) -> usize {
    // SAFETY: `p` is NULL or a live block of this allocator.
    unsafe { crate::mi_usable_size(p) }
}

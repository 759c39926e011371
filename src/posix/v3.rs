//! The POSIX group: what v3 has in another form than v2.

use core::ffi::c_void;

extern "C" {
    /// As [`mi_usable_size`](crate::mi_usable_size), but 0 for an address outside mimalloc's memory
    /// (v2 does not check that).
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `p` is NULL, a live block of this allocator, or does not point into mimalloc's memory.
    pub fn mi_malloc_size(p: *const c_void) -> usize;

    /// The same as [`mi_malloc_size`], under glibc's name.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// As for [`mi_malloc_size`].
    pub fn mi_malloc_usable_size(p: *const c_void) -> usize;
}

//! Which heap a pointer belongs to, and visits of blocks: what only v3 has, and what it has in another form than v2.

use core::ffi::c_void;

use super::mi_block_visit_fun;
use crate::heap::mi_heap_t;

extern "C" {
    /// Returns the heap whose memory `p` points into, or NULL if there is none.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `p` may be any address, but no other thread frees the memory it points to meanwhile: a
    /// live block is safe, and so is what was never mimalloc's.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_heap_of(p: *const c_void) -> *mut mi_heap_t;

    /// Returns whether `p` points into memory of the heap `heap` (NULL: the main heap), be it a live
    /// block or not.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// As for [`mi_heap_of`]. `heap` is only compared.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_heap_contains(heap: *const mi_heap_t, p: *const c_void) -> bool;

    /// Returns whether `p` points into memory of any heap, be it a live block or not.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call, with any address.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_any_heap_contains(p: *const c_void) -> bool;

    /// The same as [`mi_any_heap_contains`]. (On v2 it asks about the thread's default heap only.)
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call, with any address.
    #[deprecated(note = "use `mi_any_heap_contains`")]
    pub fn mi_check_owned(p: *const c_void) -> bool;

    /// The same as [`mi_any_heap_contains`].
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call, with any address.
    #[deprecated(note = "use `mi_any_heap_contains`")]
    pub fn mi_is_in_heap_region(p: *const c_void) -> bool;
}

/// An area of a heap: a piece of memory divided into blocks of one size. See
/// [`mi_heap_visit_blocks`].
///
/// Header: `mimalloc.h`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct mi_heap_area_t {
    /// Where the first block starts.
    pub blocks: *mut c_void,
    /// Bytes set aside for the area's blocks.
    pub reserved: usize,
    /// Bytes of these that are blocks already.
    pub committed: usize,
    /// How many blocks are in use.
    pub used: usize,
    /// Bytes of a block that a program can use.
    pub block_size: usize,
    /// Bytes from one block to the next, with padding.
    pub full_block_size: usize,
    /// Internal.
    pub reserved1: *mut c_void,
}

extern "C" {
    /// Visits every area of the heap `heap` (NULL: the main heap), whichever thread owns it, and
    /// with `visit_blocks` also each live block. `arg` is handed to `visitor`.
    ///
    /// Returns true if it came to the end, and false if `visitor` ended it (or is NULL).
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `heap` is NULL or a live heap, and meanwhile nobody allocates from it or frees blocks of it;
    /// only the end of a thread is allowed. `visitor` may be called with `arg`. In a visitor of the main
    /// heap [`abandon_pages`](crate::abandon_pages) and [`purge_free_blocks`](crate::purge_free_blocks)
    /// deadlock, and so do functions of `mi-malloc`'s module `purge`.
    ///
    /// A thread that has used the heap cannot end before the visit does: a visitor that waits for its end
    /// deadlocks. So does one that deletes or destroys another heap that such a thread has used, if the
    /// thread is ending. (It has locked its list of heaps then, `mi_thread_theaps_done`.)
    pub fn mi_heap_visit_blocks(
        heap: *mut mi_heap_t,
        visit_blocks: bool,
        visitor: mi_block_visit_fun,
        arg: *mut c_void,
    ) -> bool;

    /// As [`mi_heap_visit_blocks`], but only areas that no thread owns, as those of an ended
    /// thread.
    ///
    /// Full areas, in which no block is free, are left out if they lie in an arena.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// As for [`mi_heap_visit_blocks`].
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_heap_visit_abandoned_blocks(
        heap: *mut mi_heap_t,
        visit_blocks: bool,
        visitor: mi_block_visit_fun,
        arg: *mut c_void,
    ) -> bool;
}

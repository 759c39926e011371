//! Questions about the heaps that both lines answer alike; visiting blocks and looking up the owner
//! of a pointer differ, and stand in `v2.rs` and `v3.rs`.

use core::ffi::c_void;

use crate::types::mi_heap_t;

extern "C" {
    /// Tells whether a dynamic mimalloc has redirected `malloc` and its family (Windows only).
    ///
    /// In a static build, as this crate makes it, the answer is always false.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call.
    pub fn mi_is_redirected() -> bool;

    /// Tells whether the page of the block `p` is so empty that a program would do well to allocate
    /// the block anew, and free `p`, so that the page can go.
    ///
    /// True if at most `perc_threshold` percent of the page's blocks are in use (from 100 on:
    /// always), the page is of the heap `heap` (NULL: of any heap), has some free block, is filled
    /// to its end and is not the page that its thread allocates from at present. False for NULL; on
    /// v3 also for a pointer outside mimalloc's memory.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// No other thread allocates from, or frees into, the page of `p` meanwhile. On v2 `p` is NULL
    /// or a live block. `heap` is NULL or a live heap.
    pub fn mi_unsafe_heap_page_is_under_utilized(
        heap: *mut mi_heap_t,
        p: *mut c_void,
        perc_threshold: usize,
    ) -> bool;
}

//! Analysis: questions about heaps and pointers. Visiting blocks and looking up the owner of a pointer differ between
//! the major versions, and are in the modules `v3` and `v2`.

#[cfg(any(mi_v2, docsrs))]
pub(crate) mod v2;
#[cfg(mi_v3)]
mod v3;

#[cfg(mi_v2)]
pub use self::v2::*;
#[cfg(mi_v3)]
pub use self::v3::*;

use core::ffi::c_void;

use crate::heap::mi_heap_t;

/// Visits an area or a block of a heap; see [`mi_heap_visit_blocks`](crate::mi_heap_visit_blocks).
///
/// Each area comes first, with `block` NULL and `block_size` the area's usable block size. If
/// blocks were asked for, one call follows for each live block of the area: `block` is where it
/// starts and `block_size` how many bytes of it a program can use. The pointer that a program holds
/// may lie a little behind `block`, if the block was over-allocated for its alignment, a guard page
/// or the profiler. `area` is valid during the call only; `arg` is the argument given to the visit.
///
/// The callback returns true to go on and false to end the visit. It must neither allocate from the
/// visited heap nor free blocks of it.
///
/// Header: `mimalloc.h`.
pub type mi_block_visit_fun = Option<
    unsafe extern "C" fn(
        heap: *const mi_heap_t,
        area: *const crate::mi_heap_area_t,
        block: *mut c_void,
        block_size: usize,
        arg: *mut c_void,
    ) -> bool,
>;

extern "C" {
    /// Returns whether a dynamic mimalloc has redirected `malloc` and its family (Windows only).
    ///
    /// In a static build, as this crate makes it, the answer is always false.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call.
    pub fn mi_is_redirected() -> bool;

    /// Returns whether the page of the block `p` is so empty that a program would do well to allocate
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

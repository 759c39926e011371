//! Which heap a pointer belongs to, and visits of blocks: what only v2 has, and what it has in another form than v3.

use core::ffi::c_void;
use cty::c_int;

use super::mi_block_visit_fun;
use crate::heap::mi_heap_t;
use crate::subproc::v2::mi_subproc_id_t;

extern "C" {
    /// Returns whether the block `p` is of the heap `heap`. False if one of them is NULL.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `heap` is a live heap, or NULL (but not in a debug build). `p` is NULL or a live block of
    /// this allocator: other addresses are not checked.
    #[cfg_attr(docsrs, doc(cfg(feature = "v2")))]
    pub fn mi_heap_contains_block(heap: *mut mi_heap_t, p: *const c_void) -> bool;

    /// Returns whether `p` points into a block of the heap `heap`, in use or not. False if `p` is not
    /// aligned to the size of a pointer.
    ///
    /// It walks through all pages of the heap, which takes time.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `heap` is one of the calling thread's heaps, or NULL (but not in a debug build). `p` may be
    /// any address.
    #[cfg_attr(docsrs, doc(cfg(feature = "v2")))]
    pub fn mi_heap_check_owned(heap: *mut mi_heap_t, p: *const c_void) -> bool;

    /// As [`mi_heap_check_owned`], for the thread's default heap. (On v3 it asks about all heaps.)
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call, with any address.
    pub fn mi_check_owned(p: *const c_void) -> bool;

    /// Returns whether `p` points into memory that mimalloc has from the operating system, be it part
    /// of a block or not.
    ///
    /// On 64-bit it misses memory outside arenas from 48 TiB on, which mimalloc does not ask for
    /// but may be given.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call, with any address.
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
    /// The tag of the heap that the area is of; see [`mi_heap_new_ex`](crate::heap::v2::mi_heap_new_ex).
    pub heap_tag: c_int,
}

extern "C" {
    /// Visits every area of the heap `heap`, and with `visit_blocks` also each live block. `arg` is
    /// handed to `visitor`.
    ///
    /// Returns true if it came to the end (a NULL `heap` has no areas), and false if `visitor`
    /// ended it.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `heap` is NULL or one of the calling thread's heaps. `visitor` is not NULL (v3 checks that,
    /// v2 does not) and may be called with `arg`.
    pub fn mi_heap_visit_blocks(
        heap: *const mi_heap_t,
        visit_blocks: bool,
        visitor: mi_block_visit_fun,
        arg: *mut c_void,
    ) -> bool;

    /// Visits every area with the tag `heap_tag` (negative: any tag) that ended threads of the
    /// subprocess `subproc_id` have left behind, and with `visit_blocks` also each live block.
    /// `arg` is handed to `visitor`, whose `heap` argument is NULL. Experimental.
    ///
    /// Returns true if it came to the end, and false if `visitor` ended it, or if the option
    /// `visit_abandoned` is off (the error callback receives `EFAULT`). That option must be on from
    /// the start of the process.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `subproc_id` is NULL (the main subprocess) or a live subprocess. `visitor` is not NULL and
    /// may be called with `arg`.
    #[cfg_attr(docsrs, doc(cfg(feature = "v2")))]
    pub fn mi_abandoned_visit_blocks(
        subproc_id: mi_subproc_id_t,
        heap_tag: c_int,
        visit_blocks: bool,
        visitor: mi_block_visit_fun,
        arg: *mut c_void,
    ) -> bool;
}

//! What v2 has in another form than v3, and what only v2 has.
//!
//! In a program these items are at the crate's root, if it is built with the feature `v2`.

pub(crate) mod options;
pub(crate) mod stats;

pub use self::options::*;
pub use self::stats::*;

use core::ffi::c_void;
use cty::c_int;

use crate::types::{mi_block_visit_fun, mi_heap_t};

/// The version whose header this is: 10000 times the major number, plus 100 times the minor number,
/// plus the patch number. [`mi_version`](crate::mi_version) tells which one is linked.
///
/// Header: `mimalloc.h`.
pub const MI_MALLOC_VERSION: c_int = 20502;

// Freeing and measuring blocks.

extern "C" {
    /// Frees `p` if it points into mimalloc's memory, and does nothing otherwise.
    ///
    /// (On v3 the function tells which of the two it did.)
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `p` is a live block of this allocator and not used afterwards, or it does not point into
    /// mimalloc's memory: within that memory the address is not checked.
    pub fn mi_cfree(p: *mut c_void);
}

// v2.5.2 defines these two only in builds that override malloc, so a binding would not link in
// others. These are their bodies.

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
    crate::mi_usable_size(p)
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
    crate::mi_usable_size(p)
}

// Heaps of a thread.

extern "C" {
    /// Makes `heap` the thread's default, from which [`mi_malloc`](crate::mi_malloc) and all other
    /// functions without a heap argument allocate in this thread, and gives the previous default.
    ///
    /// NULL changes nothing and gives NULL (debug builds stop the program). Before the thread's
    /// first allocation the previous default is a stand-in that cannot be set again; call
    /// [`mi_heap_get_default`] first.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `heap` is NULL or one of the calling thread's heaps.
    #[cfg_attr(docsrs, doc(cfg(feature = "v2")))]
    pub fn mi_heap_set_default(heap: *mut mi_heap_t) -> *mut mi_heap_t;

    /// Gives the thread's default heap: the backing heap, unless the thread has set another by
    /// [`mi_heap_set_default`].
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call.
    #[cfg_attr(docsrs, doc(cfg(feature = "v2")))]
    pub fn mi_heap_get_default() -> *mut mi_heap_t;

    /// Gives the thread's backing heap: the one it starts with, which lives until the thread ends
    /// and takes the blocks of its deleted heaps.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call.
    #[cfg_attr(docsrs, doc(cfg(feature = "v2")))]
    pub fn mi_heap_get_backing() -> *mut mi_heap_t;

    /// Makes a heap with the tag `heap_tag`, bound to the arena `arena_id` (0: to none).
    /// Experimental.
    ///
    /// The tag, from 0 to 255, keeps kinds of blocks apart: memory that an ended thread leaves
    /// behind is taken over by heaps of its tag only. With `allow_destroy`
    /// [`mi_heap_destroy`](crate::mi_heap_destroy) frees all of it (read its safety section about
    /// memory that was taken over); without, that function only deletes it.
    ///
    /// [`mi_heap_new`](crate::mi_heap_new) is `mi_heap_new_ex(0, true, 0)`. Returns NULL if memory
    /// has run out.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call.
    #[cfg_attr(docsrs, doc(cfg(feature = "v2")))]
    pub fn mi_heap_new_ex(
        heap_tag: c_int,
        allow_destroy: bool,
        arena_id: mi_arena_id_t,
    ) -> *mut mi_heap_t;

    /// Sets how many objects of `heap` get a guard page behind them: one in `sample_rate`
    /// allocations, none with 0, all with 1.
    ///
    /// `seed` fixes where the count starts; 0 means at random. Objects must also be within the
    /// bounds of [`mi_heap_guarded_set_size_bound`]. Without the feature `guarded` it does nothing.
    /// Experimental.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `heap` is one of the calling thread's heaps.
    #[cfg_attr(docsrs, doc(cfg(feature = "v2")))]
    pub fn mi_heap_guarded_set_sample_rate(heap: *mut mi_heap_t, sample_rate: usize, seed: usize);

    /// Sets the sizes, in bytes, of the objects of `heap` that may get a guard page: from `min` up
    /// to and including `max`. A `max` below `min` counts as `min`. Without the feature `guarded`
    /// it does nothing. Experimental.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `heap` is one of the calling thread's heaps.
    #[cfg_attr(docsrs, doc(cfg(feature = "v2")))]
    pub fn mi_heap_guarded_set_size_bound(heap: *mut mi_heap_t, min: usize, max: usize);
}

// Which heap a pointer belongs to.

extern "C" {
    /// Tells whether the block `p` is of the heap `heap`. False if one of them is NULL.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `heap` is a live heap, or NULL (but not in a debug build). `p` is NULL or a live block of
    /// this allocator: other addresses are not checked.
    #[cfg_attr(docsrs, doc(cfg(feature = "v2")))]
    pub fn mi_heap_contains_block(heap: *mut mi_heap_t, p: *const c_void) -> bool;

    /// Tells whether `p` points into a block of the heap `heap`, in use or not. False if `p` is not
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

    /// Tells whether `p` points into memory that mimalloc has from the operating system, be it part
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

// Visiting blocks.

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
    /// The tag of the heap that the area is of; see [`mi_heap_new_ex`].
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
    /// `visit_abandoned` is off (the error callback hears `EFAULT`). That option must be on from
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

// Arenas and subprocesses.

/// Names an arena; 0 is none. (A pointer on v3.)
///
/// Header: `mimalloc.h`.
pub type mi_arena_id_t = c_int;

/// The [`mi_arena_id_t`] of no arena: 0 here, NULL on v3.
///
/// For code that serves both major versions. This crate's own; the header has no name for it.
pub const MI_ARENA_ID_NONE: mi_arena_id_t = 0;

/// Names a subprocess; NULL is the main one. (A struct around a pointer on v3.)
///
/// Header: `mimalloc.h`.
pub type mi_subproc_id_t = *mut c_void;

extern "C" {
    /// Ends the subprocess `subproc`.
    ///
    /// NULL, which is the main one, is left alone, and so is a subprocess whose ended threads have
    /// left memory outside arenas in which blocks still live.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `subproc` is NULL or a live subprocess. All its threads have ended, none of their blocks is
    /// live, and the id is not used afterwards.
    #[cfg_attr(docsrs, doc(cfg(feature = "v2")))]
    pub fn mi_subproc_delete(subproc: mi_subproc_id_t);

    /// Frees what the calling thread keeps without need, as
    /// [`mi_collect(true)`](crate::mi_collect), and then gives up full segments (32 MiB each, 4 MiB
    /// on 32-bit) until the thread owns no more than about `target_thread_owned` bytes, so that
    /// other threads can use what comes free there.
    ///
    /// A target below one segment stands for the option `target_segments_per_thread`; a target of
    /// one segment gives up nothing.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call.
    #[deprecated(note = "use `mi_collect`")]
    pub fn mi_collect_reduce(target_thread_owned: usize);
}

// v3's names, which v2's header offers as macros.

/// On v2 the heaps of a thread are what v3 calls its thread-local heaps.
///
/// Header: `mimalloc.h`.
pub type mi_theap_t = mi_heap_t;

/// (v3's name for the `mi_heap` function of this ending; a macro in the header.)
#[doc(inline)]
pub use self::{
    mi_heap_get_default as mi_theap_get_default, mi_heap_set_default as mi_theap_set_default,
};
/// (v3's name for the `mi_heap` function of this ending; a macro in the header.)
#[doc(inline)]
pub use crate::heap::{
    mi_heap_calloc as mi_theap_calloc, mi_heap_collect as mi_theap_collect,
    mi_heap_malloc as mi_theap_malloc, mi_heap_malloc_aligned as mi_theap_malloc_aligned,
    mi_heap_malloc_small as mi_theap_malloc_small, mi_heap_realloc as mi_theap_realloc,
    mi_heap_zalloc as mi_theap_zalloc,
};

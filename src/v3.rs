//! What only v3 has, or has differently.

pub(crate) mod options;
pub(crate) mod stats;

pub use self::options::*;
pub use self::stats::*;

use core::ffi::c_void;
use cty::c_int;

use crate::types::{mi_block_visit_fun, mi_heap_t, mi_output_fun};

/// The version whose header this is: 10000 times the major number, plus 100 times the minor number,
/// plus the patch number. [`mi_version`](crate::mi_version) tells which one is linked.
///
/// Header: `mimalloc.h`.
pub const MI_MALLOC_VERSION: c_int = 30600;

// Freeing and measuring blocks.

#[cfg(line = "v3")]
extern "C" {
    /// Frees `p` if it is a block of mimalloc, and tells whether it was.
    ///
    /// False, with nothing done, for NULL and for an address outside mimalloc's memory. (On v2 the
    /// function returns nothing.)
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `p` is a live block of this allocator and not used afterwards, or it does not point into
    /// mimalloc's memory: within that memory the address is not checked.
    pub fn mi_cfree(p: *mut c_void) -> bool;

    /// As [`mi_free_small`](crate::mi_free_small), for a `p` that is not NULL.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// As for [`mi_free_small`](crate::mi_free_small); and `p` is not NULL.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_free_small_nonnull(p: *mut c_void);

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

    /// Gives the id of the thread that owns the page of the block `p`, and thus serves its
    /// neighbours; for language runtimes.
    ///
    /// The id is mimalloc's own: a number unique among the living threads, not the operating
    /// system's. 0 means that no thread owns the page at present, or that `p` is NULL. Unless the
    /// owner is the calling thread, the answer may be out of date when it arrives.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `p` is NULL or a live block of this allocator.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_thread_id_of(p: *const c_void) -> usize;
}

// Heaps, and which heap a pointer belongs to.

#[cfg(line = "v3")]
extern "C" {
    /// Gives the main heap of the calling thread's subprocess, from which
    /// [`mi_malloc`](crate::mi_malloc) allocates unless the thread has set another default. It is
    /// never NULL and always there.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_heap_main() -> *mut mi_heap_t;

    /// Gives the heap whose memory `p` points into, or NULL if there is none.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `p` may be any address, but no other thread gives up the memory it points to meanwhile: a
    /// live block is safe, and so is what was never mimalloc's.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_heap_of(p: *const c_void) -> *mut mi_heap_t;

    /// Tells whether `p` points into memory of the heap `heap` (NULL: the main heap), be it a live
    /// block or not.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// As for [`mi_heap_of`]. `heap` is only compared.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_heap_contains(heap: *const mi_heap_t, p: *const c_void) -> bool;

    /// Tells whether `p` points into memory of any heap, be it a live block or not.
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

    /// Makes the heap `heap` (NULL: the main heap) prefer memory at the NUMA node `numa_node`,
    /// whichever node its threads run at.
    ///
    /// A number beyond the last node wraps around; a negative one takes the preference away.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `heap` is NULL or a live heap. No other thread uses it meanwhile.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_heap_set_numa_affinity(heap: *mut mi_heap_t, numa_node: c_int);

    /// Makes debug builds leave the first `preserve` bytes (at most 1 MiB) of each block of the
    /// heap `heap` (NULL: the main heap) alone when they fill new and freed blocks with a pattern.
    /// Release builds fill nothing.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `heap` is NULL or a live heap.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_heap_set_debug_fill_preserve(heap: *mut mi_heap_t, preserve: usize);
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
    /// Internal.
    pub reserved1: *mut c_void,
}

#[cfg(line = "v3")]
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
    /// only the end of a thread is allowed. `visitor` may be called with `arg`.
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

// Arenas.

/// Names an arena; NULL is none. (An `int` on v2.)
///
/// Header: `mimalloc.h`.
pub type mi_arena_id_t = *mut c_void;

/// The [`mi_arena_id_t`] of no arena: NULL here, 0 on v2.
///
/// For code that serves both major versions. This crate's own; the header has no name for it.
pub const MI_ARENA_ID_NONE: mi_arena_id_t = core::ptr::null_mut();

/// Commits or decommits memory of an arena made by [`mi_manage_memory`]: `size` bytes at `start`.
///
/// With `commit` true it makes the memory usable and returns whether it could; if `is_zero` is not
/// NULL, it stores there whether all the bytes are zero. With `commit` false it may let the memory
/// go, and returns true if the memory must be committed again before its next use; `is_zero` is
/// NULL then. `user_arg` is the argument given with the callback. Any thread may call it, from
/// within an allocation, so it must not allocate through mimalloc.
///
/// Header: `mimalloc.h`.
#[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
pub type mi_commit_fun_t = Option<
    unsafe extern "C" fn(
        commit: bool,
        start: *mut c_void,
        size: usize,
        is_zero: *mut bool,
        user_arg: *mut c_void,
    ) -> bool,
>;

#[cfg(line = "v3")]
extern "C" {
    /// As [`mi_manage_os_memory_ex`](crate::mi_manage_os_memory_ex), for memory that `commit_fun`
    /// commits and decommits instead of the operating system. Experimental.
    ///
    /// `commit_fun` gets `commit_fun_arg`. With `commit_fun` NULL the operating system does it.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// As for [`mi_manage_os_memory`](crate::mi_manage_os_memory); `arena_id` is NULL or may be
    /// written to; and `commit_fun` may be called with `commit_fun_arg` until the process ends.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_manage_memory(
        start: *mut c_void,
        size: usize,
        is_committed: bool,
        is_pinned: bool,
        is_zero: bool,
        numa_node: c_int,
        exclusive: bool,
        commit_fun: mi_commit_fun_t,
        commit_fun_arg: *mut c_void,
        arena_id: *mut mi_arena_id_t,
    ) -> bool;

    /// Gives freed memory of all arenas of the main subprocess back to the operating system now,
    /// without waiting for its purge delay.
    ///
    /// It does nothing if the option `purge_delay` is 0 (there is nothing to wait for) or negative
    /// (memory is never given back), or while another thread purges.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_arenas_purge();

    /// Gives the alignment, in bytes, at which arenas start: 256 MiB in a usual 64-bit build (32
    /// MiB on 32-bit).
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_arena_min_alignment() -> usize;

    /// Gives the size, in bytes, of the smallest arena: 32 MiB in a usual 64-bit build (8 MiB on
    /// 32-bit).
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_arena_min_size() -> usize;

    /// Gives the size, in bytes, up to which memory comes from an arena; beyond it mimalloc asks
    /// the operating system each time.
    ///
    /// The option `arena_max_object_size` sets it, up to a limit of the build (a little below
    /// [`mi_arena_min_alignment`] in a usual build).
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_arena_max_object_size() -> usize;

    /// Tells whether `p` points into the arena `arena_id`. False if `arena_id` is NULL.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `arena_id` is NULL or an arena's id; `p` may be any address.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_arena_contains(arena_id: mi_arena_id_t, p: *const c_void) -> bool;
}

// Subprocesses.

/// Names a subprocess, passed by value; with a NULL inside it is none. (A plain pointer on v2.)
///
/// Header: `mimalloc.h`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct mi_subproc_id_t {
    /// What mimalloc knows the subprocess by.
    pub _mi_subproc_id: *mut c_void,
}

/// Visits the heap `heap`, with the argument given to [`mi_subproc_visit_heaps`]; returns true to
/// go on and false to end the visit. It must neither make nor end a heap of the visited subprocess.
///
/// Header: `mimalloc.h`.
#[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
pub type mi_heap_visit_fun =
    Option<unsafe extern "C" fn(heap: *mut mi_heap_t, arg: *mut c_void) -> bool>;

#[cfg(line = "v3")]
extern "C" {
    /// Gives the id of the calling thread's subprocess.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_subproc_current() -> mi_subproc_id_t;

    /// Ends the subprocess `subproc` and frees everything in it: all heaps, blocks and arenas. Its
    /// statistics are added to those of the main subprocess.
    ///
    /// The main subprocess and the NULL id are left alone.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `subproc` is the NULL id or a live subprocess. All its threads have ended, and nothing of it
    /// is used afterwards.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_subproc_destroy(subproc: mi_subproc_id_t);

    /// Visits each heap of the subprocess `subproc`. `arg` is handed to `visitor`.
    ///
    /// Returns true if it came to the end, and false if `visitor` ended it or `subproc` is the NULL
    /// id.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `subproc` is the NULL id or a live subprocess. `visitor` is not NULL and may be called with
    /// `arg`.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_subproc_visit_heaps(
        subproc: mi_subproc_id_t,
        visitor: mi_heap_visit_fun,
        arg: *mut c_void,
    ) -> bool;
}

// Output.

#[cfg(line = "v3")]
extern "C" {
    /// Writes the version, all options with their values and how mimalloc was built to `out`, which
    /// is called with `arg`. NULL means the registered output, as for
    /// [`mi_options_print`](crate::mi_options_print).
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `out` is NULL or may be called with `arg`. No other thread sets options meanwhile.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_options_print_out(out: mi_output_fun, arg: *mut c_void);

    /// Prints elapsed and processor time, page faults and peak memory of the process to where
    /// [`mi_register_output`](crate::mi_register_output) points. The numbers are those of
    /// [`mi_process_info`](crate::mi_process_info), which says what the peak includes on Linux.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_process_info_print();

    /// As [`mi_process_info_print`], to `out`, which is called with `arg`. NULL means the
    /// registered output.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `out` is NULL or may be called with `arg`.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_process_info_print_out(out: mi_output_fun, arg: *mut c_void);
}

// Declared in the header and defined nowhere in v3.6.0, so a binding would not link. These are
// what v2 does, in v3's terms.

/// Frees what the calling thread keeps without need, as [`mi_collect(true)`](crate::mi_collect).
///
/// v2 then also gives up full segments until the thread owns no more than `target_thread_owned`
/// bytes, so that other threads can use what comes free there. v3 gives up full pages by itself
/// (all but a few of each size), so there is no target to work towards, and the argument is not
/// read. v3's header declares this function, but its library lacks it; this one is written in Rust.
///
/// Header: `mimalloc.h`.
///
/// # Safety
///
/// Always safe to call.
#[inline]
#[deprecated(note = "use `mi_collect`")]
pub unsafe fn mi_collect_reduce(target_thread_owned: usize) {
    let _ = target_thread_owned;
    crate::mi_collect(true);
}

/// Adds the calling thread's statistics to those of its heap, where every thread can see them, and
/// starts the thread's own again from zero.
///
/// This is about the thread's default heap; for another one use
/// [`mi_theap_stats_merge_to_heap`](crate::mi_theap_stats_merge_to_heap). (On v2 the sums of the
/// whole process take them.) v3's header declares this function, but its library lacks it; this one
/// is written in Rust.
///
/// Header: `mimalloc.h`.
///
/// # Safety
///
/// Always safe to call.
#[inline]
#[deprecated(note = "use `mi_theap_stats_merge_to_heap`")]
pub unsafe fn mi_stats_merge() {
    crate::mi_theap_stats_merge_to_heap(crate::mi_theap_get_default());
}

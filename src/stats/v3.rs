//! The statistics of v3: their layout, and functions for single heaps, subprocesses and threads.

use super::{mi_stat_count_t, mi_stat_counter_t};
use crate::extended::mi_output_fun;
use crate::heap::mi_heap_t;
use crate::{mi_subproc_id_t, mi_theap_t};
use core::ffi::c_void;
use core::mem::{size_of, transmute};
use cty::{c_char, c_int};

/// The version of the layout of [`mi_stats_t`].
///
/// Header: `mimalloc-stats.h`.
pub const MI_STAT_VERSION: usize = 6;

/// The number of the last size class ("bin"), which takes the largest blocks.
///
/// Bins count from 0, so there are `MI_BIN_HUGE + 1` of them.
///
/// Header: `mimalloc-stats.h`.
pub const MI_BIN_HUGE: usize = 73;

/// What the pages in a chunk of an arena are like: one of the `MI_CBIN_…` constants.
///
/// Arenas are divided into slices (64 KiB on 64-bit, 32 KiB on 32-bit), and a chunk is a row of 512
/// slices (256 on 32-bit).
///
/// Header: `mimalloc-stats.h`.
#[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
pub type mi_chunkbin_t = c_int;

/// Pages of one slice.
///
/// Header: `mimalloc-stats.h`.
#[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
pub const MI_CBIN_SMALL: mi_chunkbin_t = 0;

/// Pages of any other number of slices up to a whole chunk.
///
/// Header: `mimalloc-stats.h`.
#[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
pub const MI_CBIN_OTHER: mi_chunkbin_t = 1;

/// Pages of eight slices.
///
/// Header: `mimalloc-stats.h`.
#[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
pub const MI_CBIN_MEDIUM: mi_chunkbin_t = 2;

/// Pages of as many slices as a machine word has bits.
///
/// Header: `mimalloc-stats.h`.
#[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
pub const MI_CBIN_LARGE: mi_chunkbin_t = 3;

/// Pages that are larger than a chunk.
///
/// Header: `mimalloc-stats.h`.
#[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
pub const MI_CBIN_HUGE: mi_chunkbin_t = 4;

/// No pages at all: the chunk is free.
///
/// Header: `mimalloc-stats.h`.
#[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
pub const MI_CBIN_NONE: mi_chunkbin_t = 5;

/// The number of kinds; not a kind itself.
///
/// Header: `mimalloc-stats.h`.
#[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
pub const MI_CBIN_COUNT: mi_chunkbin_t = 6;

/// The statistics of v3. Make one with [`mi_stats_t::new`].
///
/// A "page" is mimalloc's own: a piece of an arena for blocks of one size class. Only builds with
/// statistics (`MI_STATS`, 1 in release builds, 2 in debug builds) count what belongs to single
/// blocks.
///
/// Header: `mimalloc-stats.h`.
// Upstream puts the field after `version` at a multiple of 8 (`mi_decl_align`), which aligns the whole
// struct to 8. Rust's i64 has alignment 4 on i686 Linux, hence `align(8)`; the offsets agree by
// themselves, because `size` and `version` take 8 or 16 bytes.
#[repr(C, align(8))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(deprecated)]
pub struct mi_stats_t {
    /// Size of this struct in bytes; mimalloc compares it with its own.
    pub size: usize,
    /// [`MI_STAT_VERSION`]; mimalloc compares it with its own.
    pub version: usize,

    /// Pages.
    pub pages: mi_stat_count_t,
    /// Bytes of address space from the system.
    pub reserved: mi_stat_count_t,
    /// Bytes committed. Where the system overcommits memory, arenas count when first used.
    pub committed: mi_stat_count_t,
    /// Bytes reset: the system may take them, but they stay committed.
    pub reset: mi_stat_counter_t,
    /// Bytes purged, whether decommitted or reset.
    pub purged: mi_stat_counter_t,
    /// Bytes of pages that were made into blocks, used or not. v3 never counts them down.
    pub page_committed: mi_stat_count_t,
    /// Pages without an owning thread.
    pub pages_abandoned: mi_stat_count_t,
    /// Threads that use mimalloc.
    pub threads: mi_stat_count_t,
    /// Bytes in allocated blocks, each counted with its whole usable size.
    pub allocated: mi_stat_count_t,
    /// Blocks allocated.
    pub malloc_count: mi_stat_counter_t,
    /// Blocks freed.
    pub free_count: mi_stat_counter_t,
    /// Bytes in freed blocks, each counted with its whole usable size.
    pub freed: mi_stat_counter_t,
    /// Bytes requested. Exact with `MI_STATS=2`; with 1 whole blocks are counted.
    pub malloc_requested: mi_stat_counter_t,

    /// Calls that reserve memory of the system.
    pub mmap_calls: mi_stat_counter_t,
    /// Calls that commit memory.
    pub commit_calls: mi_stat_counter_t,
    /// Calls that reset memory.
    pub reset_calls: mi_stat_counter_t,
    /// Purges of a range.
    pub purge_calls: mi_stat_counter_t,
    /// Arenas made.
    pub arena_count: mi_stat_counter_t,
    /// Blocks with a guard page behind them.
    pub malloc_guarded_count: mi_stat_counter_t,

    /// Not counted on v3.
    pub arena_rollback_count: mi_stat_counter_t,
    /// Rounds of purging an arena.
    pub arena_purges: mi_stat_counter_t,
    /// Times that a page was given more blocks.
    pub pages_extended: mi_stat_counter_t,
    /// Times that an empty page was kept for a while instead of being freed.
    pub pages_retire: mi_stat_counter_t,
    /// Pages that were looked at to find one with a free block.
    pub page_searches: mi_stat_counter_t,
    /// Searches for a page with a free block.
    pub page_searches_count: mi_stat_counter_t,
    /// Not counted on v3.
    pub segments: mi_stat_count_t,
    /// Not counted on v3.
    pub segments_abandoned: mi_stat_count_t,
    /// Not counted on v3.
    pub segments_cache: mi_stat_count_t,
    /// Not counted on v3.
    pub _segments_reserved: mi_stat_count_t,
    /// Heaps.
    pub heaps: mi_stat_count_t,
    /// Thread-local heaps, one for each thread and heap that it uses.
    pub theaps: mi_stat_count_t,
    /// Pages outside arenas without an owning thread; none is best.
    pub pages_os_abandoned: mi_stat_count_t,
    /// Pages outside arenas; none is best.
    pub pages_os_allocated: mi_stat_count_t,
    /// Ownerless pages that a thread took over in order to allocate.
    pub pages_reclaim_on_alloc: mi_stat_counter_t,
    /// Ownerless pages that a thread took over when it freed a block in them.
    pub pages_reclaim_on_free: mi_stat_counter_t,
    /// Ownerless full pages that could be found again after a block in them was freed.
    pub pages_reabandon_full: mi_stat_counter_t,
    /// Times that a thread had to wait for another one that was looking at an ownerless page.
    pub pages_unabandon_busy_wait: mi_stat_counter_t,
    /// Times that giving up a page had to be tried again, because another thread freed a block in it.
    pub pages_unown_cas_retry: mi_stat_counter_t,
    /// Times that deleting a heap, or ending a thread, had to wait for the other.
    pub heaps_delete_wait: mi_stat_counter_t,
    /// Times that a page's allocations and frees were added to the statistics.
    pub pages_stat_updates: mi_stat_counter_t,
    /// Allocations and frees that were added so.
    pub pages_stat_update_count: mi_stat_counter_t,
    /// Allocations that the profiler sampled.
    pub profile_samples: mi_stat_counter_t,
    /// Bytes in allocated blocks, without those of the last bin.
    #[deprecated(note = "use `allocated`")]
    pub malloc_normal: mi_stat_count_t,
    /// Bytes in allocated blocks of the last bin.
    #[deprecated(note = "use `allocated` and `malloc_bins`")]
    pub malloc_huge: mi_stat_count_t,
    /// Blocks allocated, without those of the last bin.
    #[deprecated(note = "use `malloc_count` and `malloc_bins`")]
    pub malloc_normal_count: mi_stat_counter_t,
    /// Blocks of the last bin allocated.
    #[deprecated(note = "use `malloc_bins`")]
    pub malloc_huge_count: mi_stat_counter_t,

    /// Room for later versions.
    pub _stat_reserved: [mi_stat_count_t; 4],
    /// Room for later versions.
    pub _stat_counter_reserved: [mi_stat_counter_t; 4],

    /// Blocks, for each bin.
    pub malloc_bins: [mi_stat_count_t; MI_BIN_HUGE + 1],
    /// Pages, for each bin.
    pub page_bins: [mi_stat_count_t; MI_BIN_HUGE + 1],
    /// Chunks of arenas, for each kind of page.
    pub chunk_bins: [mi_stat_count_t; MI_CBIN_COUNT as usize],
}

impl mi_stats_t {
    /// Statistics that are all zero, with `size` and `version` set: what the header's macro
    /// `mi_stats_t_decl` declares.
    pub const fn new() -> Self {
        // SAFETY: nothing but integers, for which all-zero bytes are valid. (`core::mem::zeroed` is
        // const only from Rust 1.75.)
        let mut stats: Self = unsafe { transmute([0u8; size_of::<Self>()]) };
        stats.size = size_of::<Self>();
        stats.version = MI_STAT_VERSION;
        stats
    }
}

impl Default for mi_stats_t {
    fn default() -> Self {
        Self::new()
    }
}

/// Sets `size` and `version` of `*stats` and leaves the rest alone.
///
/// Header: `mimalloc-stats.h`.
///
/// # Safety
///
/// `stats` may be written to; it need not be initialised.
#[inline]
#[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
pub unsafe fn mi_stats_header_init(stats: *mut mi_stats_t) {
    // SAFETY: `stats` may be written to, and an integer needs no drop of what was there.
    unsafe {
        (*stats).size = size_of::<mi_stats_t>();
        (*stats).version = MI_STAT_VERSION;
    }
}

/// Sets `*stats` to zero and then `size` and `version`, as [`mi_stats_t::new`] does.
///
/// Header: `mimalloc-stats.h`.
///
/// # Safety
///
/// `stats` may be written to; it need not be initialised.
#[inline]
#[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
pub unsafe fn mi_stats_init(stats: *mut mi_stats_t) {
    // SAFETY: `stats` may be written to, and all-zero bytes are valid for integers.
    unsafe {
        stats.write_bytes(0, 1);
        mi_stats_header_init(stats);
    }
}

extern "C" {
    /// Copies the statistics of `heap` into `*stats`; NULL is the main heap of the calling thread's
    /// subprocess.
    ///
    /// First adds what the calling thread has counted for this heap. See
    /// [`mi_stats_get`](crate::mi_stats_get) for what other threads have counted and for the result.
    ///
    /// Header: `mimalloc-stats.h`.
    ///
    /// # Safety
    ///
    /// `heap` is NULL or a live heap. `stats` is NULL or points to an initialised `mi_stats_t`.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_heap_stats_get(heap: *mut mi_heap_t, stats: *mut mi_stats_t) -> bool;

    /// As [`mi_stats_get_json`](crate::mi_stats_get_json), with the statistics of
    /// [`mi_heap_stats_get`].
    ///
    /// Header: `mimalloc-stats.h`.
    ///
    /// # Safety
    ///
    /// `heap` is NULL or a live heap. `buf` is NULL or has room for `buf_size` bytes.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_heap_stats_get_json(
        heap: *mut mi_heap_t,
        buf_size: usize,
        buf: *mut c_char,
    ) -> *mut c_char;

    /// As [`mi_stats_print_out`](crate::mi_stats_print_out), with the statistics of
    /// [`mi_heap_stats_get`].
    ///
    /// Header: `mimalloc-stats.h`.
    ///
    /// # Safety
    ///
    /// `heap` is NULL or a live heap. `out` may be called with `arg`.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_heap_stats_print_out(heap: *mut mi_heap_t, out: mi_output_fun, arg: *mut c_void);

    /// Copies the statistics of a subprocess and of all its heaps into `*stats`.
    ///
    /// See [`mi_stats_get`](crate::mi_stats_get). Also returns false if `subproc_id` is the null id.
    ///
    /// Header: `mimalloc-stats.h`.
    ///
    /// # Safety
    ///
    /// `subproc_id` is null or a live subprocess. `stats` is NULL or points to an initialised
    /// `mi_stats_t`.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_subproc_stats_get(subproc_id: mi_subproc_id_t, stats: *mut mi_stats_t) -> bool;

    /// As [`mi_stats_get_json`](crate::mi_stats_get_json), with the statistics of
    /// [`mi_subproc_stats_get`]. Also returns NULL if `subproc_id` is the null id.
    ///
    /// Header: `mimalloc-stats.h`.
    ///
    /// # Safety
    ///
    /// `subproc_id` is null or a live subprocess. `buf` is NULL or has room for `buf_size` bytes.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_subproc_stats_get_json(
        subproc_id: mi_subproc_id_t,
        buf_size: usize,
        buf: *mut c_char,
    ) -> *mut c_char;

    /// As [`mi_stats_print_out`](crate::mi_stats_print_out), with the statistics of
    /// [`mi_subproc_stats_get`]. Prints nothing if `subproc_id` is the null id.
    ///
    /// Header: `mimalloc-stats.h`.
    ///
    /// # Safety
    ///
    /// `subproc_id` is null or a live subprocess. `out` may be called with `arg`.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_subproc_stats_print_out(
        subproc_id: mi_subproc_id_t,
        out: mi_output_fun,
        arg: *mut c_void,
    );

    /// Prints the statistics of each heap of a subprocess, then those of mimalloc's own data there,
    /// then those of the subprocess without its heaps.
    ///
    /// With `out` NULL (`None`) they go to the default output. Prints nothing if `subproc_id` is the
    /// null id.
    ///
    /// Header: `mimalloc-stats.h`.
    ///
    /// # Safety
    ///
    /// `subproc_id` is null or a live subprocess. `out` may be called with `arg`; it neither creates,
    /// deletes nor visits heaps, because the list of heaps is locked meanwhile.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_subproc_heap_stats_print_out(
        subproc_id: mi_subproc_id_t,
        out: mi_output_fun,
        arg: *mut c_void,
    );

    /// Adds the statistics of `heap` to those of its subprocess and sets them to zero; NULL is the main
    /// heap of the calling thread's subprocess.
    ///
    /// What threads have counted and not yet added to the heap stays with the threads.
    ///
    /// Header: `mimalloc-stats.h`.
    ///
    /// # Safety
    ///
    /// `heap` is NULL or a live heap. Counts that another thread adds to it meanwhile can be lost.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_heap_stats_merge_to_subproc(heap: *mut mi_heap_t);

    /// Copies the statistics of a subprocess without those of its heaps into `*stats`.
    ///
    /// These are what belongs to no heap (memory of the system, arenas, threads), and what was
    /// [merged](mi_heap_stats_merge_to_subproc) from heaps. Returns false as [`mi_subproc_stats_get`]
    /// does.
    ///
    /// Header: `mimalloc-stats.h`.
    ///
    /// # Safety
    ///
    /// `subproc_id` is null or a live subprocess. `stats` is NULL or points to an initialised
    /// `mi_stats_t`.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_subproc_stats_get_exclusive(
        subproc_id: mi_subproc_id_t,
        stats: *mut mi_stats_t,
    ) -> bool;

    /// Writes `*stats` as JSON; `buf_size`, `buf` and the result are those of
    /// [`mi_stats_get_json`](crate::mi_stats_get_json).
    ///
    /// Also returns NULL if `stats` is NULL or its `size` and `version` are not those of this major version. The
    /// process information in the text is that of the moment of this call.
    ///
    /// Header: `mimalloc-stats.h`.
    ///
    /// # Safety
    ///
    /// `stats` is NULL or points to an initialised `mi_stats_t`. `buf` is NULL or has room for
    /// `buf_size` bytes.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_stats_as_json(
        stats: *mut mi_stats_t,
        buf_size: usize,
        buf: *mut c_char,
    ) -> *mut c_char;

    /// The size in bytes of the blocks in a bin.
    ///
    /// Meaningless for [`MI_BIN_HUGE`], whose blocks have any size, and 0 for a `bin` beyond it.
    ///
    /// Header: `mimalloc-stats.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_stats_get_bin_size(bin: usize) -> usize;

    /// Copies what `theap` has counted and not yet added to its heap into `*stats`.
    ///
    /// Returns as [`mi_stats_get`](crate::mi_stats_get).
    ///
    /// Header: `mimalloc-stats.h`.
    ///
    /// # Safety
    ///
    /// `theap` is a live thread-local heap of the calling thread, and not NULL. `stats` is NULL or
    /// points to an initialised `mi_stats_t`.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_theap_stats_get(theap: *mut mi_theap_t, stats: *mut mi_stats_t) -> bool;

    /// Adds what `theap` has counted to the statistics of its heap and starts again from zero. NULL is
    /// allowed and does nothing.
    ///
    /// Header: `mimalloc-stats.h`.
    ///
    /// # Safety
    ///
    /// `theap` is NULL or a live thread-local heap of the calling thread.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_theap_stats_merge_to_heap(theap: *mut mi_theap_t);
}

// Declared in the header and defined nowhere in v3.6.0, so a binding would not link. This is what v2 does,
// in v3's terms.

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
    // SAFETY: the default theap is the calling thread's, and lives as long as the thread.
    unsafe { crate::mi_theap_stats_merge_to_heap(crate::mi_theap_get_default()) };
}

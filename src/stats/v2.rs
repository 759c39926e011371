//! The statistics of v2: their layout, and how a thread adds what it has counted.

use super::{mi_stat_count_t, mi_stat_counter_t};
use core::mem::{size_of, transmute};

/// The version of the layout of [`mi_stats_t`].
///
/// Header: `mimalloc-stats.h`.
pub const MI_STAT_VERSION: usize = 4;

/// The number of the last size class ("bin"), which takes the largest blocks.
///
/// Bins count from 0, so there are `MI_BIN_HUGE + 1` of them.
///
/// Header: `mimalloc-stats.h`.
pub const MI_BIN_HUGE: usize = 73;

/// The statistics of v2. Make one with [`mi_stats_t::new`].
///
/// A "page" is mimalloc's own: a piece of a segment for blocks of one size class. "Debug builds only"
/// below means builds with statistics (`MI_STAT`, 2 in debug builds, 0 in release builds); in others
/// such a field stays 0.
///
/// Header: `mimalloc-stats.h`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct mi_stats_t {
    /// Size of this struct in bytes; mimalloc compares it with its own.
    pub size: usize,
    /// [`MI_STAT_VERSION`]; mimalloc compares it with its own.
    pub version: usize,

    /// Pages.
    pub pages: mi_stat_count_t,
    /// Bytes of address space from the system.
    pub reserved: mi_stat_count_t,
    /// Bytes committed.
    pub committed: mi_stat_count_t,
    /// Bytes reset: the system may take them, but they stay committed.
    pub reset: mi_stat_counter_t,
    /// Bytes purged, whether decommitted or reset.
    pub purged: mi_stat_counter_t,
    /// Bytes of pages that were made into blocks, used or not, and of segments' own data.
    pub page_committed: mi_stat_count_t,
    /// Pages without an owning thread.
    pub pages_abandoned: mi_stat_count_t,
    /// Threads that use mimalloc, without the first one.
    pub threads: mi_stat_count_t,
    /// Bytes in allocated blocks of up to 64 KiB (32 KiB on 32-bit). Debug builds only.
    pub malloc_normal: mi_stat_count_t,
    /// Bytes in allocated blocks that are larger than those. Release builds never count them down, so
    /// there only `total` means something.
    pub malloc_huge: mi_stat_count_t,
    /// Bytes requested for blocks of [`malloc_normal`](Self::malloc_normal); never counted down. Debug
    /// builds only.
    pub malloc_requested: mi_stat_count_t,

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
    /// Blocks of [`malloc_normal`](Self::malloc_normal) allocated. Debug builds only.
    pub malloc_normal_count: mi_stat_counter_t,
    /// Blocks of [`malloc_huge`](Self::malloc_huge) allocated.
    pub malloc_huge_count: mi_stat_counter_t,
    /// Blocks with a guard page behind them.
    pub malloc_guarded_count: mi_stat_counter_t,

    /// Times that a claim of memory in an arena had to be undone. Debug builds only.
    pub arena_rollback_count: mi_stat_counter_t,
    /// Rounds of purging an arena.
    pub arena_purges: mi_stat_counter_t,
    /// Times that a page was given more blocks. Debug builds only.
    pub pages_extended: mi_stat_counter_t,
    /// Times that an empty page was kept for a while instead of being freed. Debug builds only.
    pub pages_retire: mi_stat_counter_t,
    /// Pages that were looked at to find one with a free block. Debug builds only.
    pub page_searches: mi_stat_counter_t,
    /// Searches for a page with a free block. Debug builds only.
    pub page_searches_count: mi_stat_counter_t,
    /// Segments.
    pub segments: mi_stat_count_t,
    /// Segments without an owning thread.
    pub segments_abandoned: mi_stat_count_t,
    /// Not counted.
    pub segments_cache: mi_stat_count_t,
    /// Not counted.
    pub _segments_reserved: mi_stat_count_t,
    /// Not counted on v2.
    pub pages_reclaim_on_alloc: mi_stat_counter_t,
    /// Not counted on v2.
    pub pages_reclaim_on_free: mi_stat_counter_t,
    /// Not counted on v2.
    pub pages_reabandon_full: mi_stat_counter_t,
    /// Not counted on v2.
    pub pages_unabandon_busy_wait: mi_stat_counter_t,

    /// Room for later versions.
    pub _stat_reserved: [mi_stat_count_t; 4],
    /// Room for later versions.
    pub _stat_counter_reserved: [mi_stat_counter_t; 4],

    /// Blocks of [`malloc_normal`](Self::malloc_normal), for each bin. Debug builds only.
    pub malloc_bins: [mi_stat_count_t; MI_BIN_HUGE + 1],
    /// Pages, for each bin.
    pub page_bins: [mi_stat_count_t; MI_BIN_HUGE + 1],
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

extern "C" {
    /// Adds what the calling thread has counted to the statistics of the process, and starts again
    /// from zero in the thread.
    ///
    /// Call it before [`mi_stats_get`](crate::mi_stats_get). A thread that ends does the same by
    /// itself.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call.
    pub fn mi_stats_merge();
}

//! The run-time options of v3, in the order of upstream's enumeration.
//!
//! Defaults: `mi_options` in upstream's `src/util/options.c`, which is not always what the comments
//! in the header say.

use super::mi_option_t;
use crate::extended::mi_output_fun;
use core::ffi::c_void;

/// Print error and warning messages: 0 or 1.
///
/// Default: 0; 1 in builds with `debug` or `secure`. Environment: `MIMALLOC_SHOW_ERRORS`.
///
/// Header: `mimalloc.h`.
pub const mi_option_show_errors: mi_option_t = 0;

/// Print the statistics of the main subprocess when the process ends: 0 or 1.
///
/// Default: 0. Environment: `MIMALLOC_SHOW_STATS`.
///
/// Header: `mimalloc.h`.
pub const mi_option_show_stats: mi_option_t = 1;

/// Print messages about what mimalloc does: 0 none, 1 some, 2 more.
///
/// From 1 on it also prints the options at process start, all errors and warnings without limit, and
/// the statistics at the end.
///
/// Default: 0. Environment: `MIMALLOC_VERBOSE`.
///
/// Header: `mimalloc.h`.
pub const mi_option_verbose: mi_option_t = 2;

/// Has no effect on v3; it keeps the place of an option of v2.
///
/// Header: `mimalloc.h`.
#[deprecated(note = "has no effect on v3")]
#[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
pub const mi_option_deprecated_eager_commit: mi_option_t = 3;

/// Commit a new arena as a whole: 0 never, 1 always, 2 only where the system overcommits memory
/// (Linux) or [`mi_option_allow_large_os_pages`] is on.
///
/// Default: 2. Environment: `MIMALLOC_ARENA_EAGER_COMMIT`, older `MIMALLOC_EAGER_REGION_COMMIT`.
///
/// Header: `mimalloc.h`.
pub const mi_option_arena_eager_commit: mi_option_t = 4;

/// What a purge does with unused memory: 1 decommits it, 0 resets it.
///
/// Decommitted memory leaves the process at once. Reset memory stays committed; the system takes it
/// when it needs it.
///
/// Default: 1. Environment: `MIMALLOC_PURGE_DECOMMITS`, older `MIMALLOC_RESET_DECOMMITS`.
///
/// Header: `mimalloc.h`.
pub const mi_option_purge_decommits: mi_option_t = 5;

/// Ask the system for large pages (mostly 2 MiB): 0 or 1.
///
/// The user often needs a permission for them; without it mimalloc falls back to normal pages. A
/// build with `guarded` switches this off at process start if [`mi_option_guarded_sample_rate`] is
/// above 0. On Windows it must be on at process start.
///
/// Default: 0. Environment: `MIMALLOC_ALLOW_LARGE_OS_PAGES`, older `MIMALLOC_LARGE_OS_PAGES`.
///
/// Header: `mimalloc.h`.
pub const mi_option_allow_large_os_pages: mi_option_t = 6;

/// How many huge pages of 1 GiB to reserve: 0 to 131072. Read at process start, which waits up to
/// half a second per page.
///
/// Default: 0. Environment: `MIMALLOC_RESERVE_HUGE_OS_PAGES`.
///
/// Header: `mimalloc.h`.
pub const mi_option_reserve_huge_os_pages: mi_option_t = 7;

/// The NUMA node on which the huge pages are reserved; -1 spreads them evenly over all nodes. Read at
/// process start.
///
/// Default: -1. Environment: `MIMALLOC_RESERVE_HUGE_OS_PAGES_AT`.
///
/// Header: `mimalloc.h`.
pub const mi_option_reserve_huge_os_pages_at: mi_option_t = 8;

/// Memory in KiB to reserve and commit as an arena; 0 is none. Read at process start.
///
/// Default: 0. Environment: `MIMALLOC_RESERVE_OS_MEMORY`, a size.
///
/// Header: `mimalloc.h`.
pub const mi_option_reserve_os_memory: mi_option_t = 9;

/// Has no effect.
///
/// Header: `mimalloc.h`.
#[deprecated(note = "has no effect")]
pub const mi_option_deprecated_segment_cache: mi_option_t = 10;

/// Has no effect on v3.
///
/// Header: `mimalloc.h`.
#[deprecated(note = "has no effect on v3")]
pub const mi_option_deprecated_page_reset: mi_option_t = 11;

/// Has no effect on v3; it keeps the place of an option of v2.
///
/// Header: `mimalloc.h`.
#[deprecated(note = "has no effect on v3")]
#[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
pub const mi_option_deprecated_abandoned_page_purge: mi_option_t = 12;

/// Has no effect.
///
/// Header: `mimalloc.h`.
#[deprecated(note = "has no effect")]
pub const mi_option_deprecated_segment_reset: mi_option_t = 13;

/// Has no effect on v3; it keeps the place of an option of v2.
///
/// Header: `mimalloc.h`.
#[deprecated(note = "has no effect on v3")]
#[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
pub const mi_option_deprecated_eager_commit_delay: mi_option_t = 14;

/// How long unused memory waits before it goes back to the system, in milliseconds; 0 returns it
/// at once, a negative value never.
///
/// Arenas hold nearly all memory, and they wait this value times [`mi_option_arena_purge_mult`]. What was freed after the
/// last purge of its arena waits for the next purge, so memory is purged when it has been unused for at least one delay,
/// mostly less than two. (By upstream alone: for up to one.) It waits longer where much purged memory is soon in use
/// again; see [the guide](crate::guide::memory).
///
/// Default: 50; upstream's is 1000. Environment: `MIMALLOC_PURGE_DELAY`, older `MIMALLOC_RESET_DELAY`.
///
/// Header: `mimalloc.h`.
pub const mi_option_purge_delay: mi_option_t = 15;

/// How many NUMA nodes to count with; 0 or less asks the system. Read once, when a node is first
/// needed.
///
/// Default: 0. Environment: `MIMALLOC_USE_NUMA_NODES`.
///
/// Header: `mimalloc.h`.
pub const mi_option_use_numa_nodes: mi_option_t = 16;

/// Take memory from existing arenas only, and neither from the system nor for new arenas: 0 or 1.
///
/// With 1, reserve arenas first ([`mi_reserve_os_memory`](crate::mi_reserve_os_memory)), or every
/// allocation fails.
///
/// Default: 0. Environment: `MIMALLOC_DISALLOW_OS_ALLOC`, older `MIMALLOC_LIMIT_OS_ALLOC`.
///
/// Header: `mimalloc.h`.
pub const mi_option_disallow_os_alloc: mi_option_t = 17;

/// The tag under which macOS tools show mimalloc's memory: 100 to 255; any other value counts as 254.
/// Without effect elsewhere.
///
/// Default: 100. Environment: `MIMALLOC_OS_TAG`.
///
/// Header: `mimalloc.h`.
pub const mi_option_os_tag: mi_option_t = 18;

/// How many error messages to print at most (v3 prints one more); a negative value is no limit. Read
/// at process start.
///
/// Default: 32. Environment: `MIMALLOC_MAX_ERRORS`.
///
/// Header: `mimalloc.h`.
pub const mi_option_max_errors: mi_option_t = 19;

/// How many warnings to print at most; a negative value is no limit. Read at process start.
///
/// Default: 32. Environment: `MIMALLOC_MAX_WARNINGS`.
///
/// Header: `mimalloc.h`.
pub const mi_option_max_warnings: mi_option_t = 20;

/// Has no effect on v3; it keeps the place of an option of v2.
///
/// Header: `mimalloc.h`.
#[deprecated(note = "has no effect on v3")]
#[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
pub const mi_option_deprecated_max_segment_reclaim: mi_option_t = 21;

/// What happens to the memory when the process ends: 0 leaves what is in use to the system, 1 unmaps
/// all of it, 2 or more skips mimalloc's own end of process.
///
/// 1 is for libraries that are unloaded again. It is dangerous if anything still uses or frees a
/// block after that. With 2 call [`mi_process_done`](crate::mi_process_done) yourself.
///
/// Default: 0. Environment: `MIMALLOC_DESTROY_ON_EXIT`.
///
/// Header: `mimalloc.h`.
pub const mi_option_destroy_on_exit: mi_option_t = 22;

/// Size in KiB of the first arenas; 0 makes none, and then memory comes straight from the system.
///
/// Later arenas are larger: the size doubles after every eight. Each is between 32 MiB and 16 GiB on
/// 64-bit. Only address space is reserved, so the value does not show in the memory in use.
///
/// Default: 1048576 (1 GiB) on 64-bit, 131072 (128 MiB) on 32-bit.
/// Environment: `MIMALLOC_ARENA_RESERVE`, a size.
///
/// Header: `mimalloc.h`.
pub const mi_option_arena_reserve: mi_option_t = 23;

/// Factor on [`mi_option_purge_delay`] for arenas; 0 purges at once, a negative value never.
///
/// Default: 1; upstream's is 4. Environment: `MIMALLOC_ARENA_PURGE_MULT`.
///
/// Header: `mimalloc.h`.
pub const mi_option_arena_purge_mult: mi_option_t = 24;

/// Has no effect on v3; it keeps the place of an option of v2.
///
/// Header: `mimalloc.h`.
#[deprecated(note = "has no effect on v3")]
#[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
pub const mi_option_deprecated_purge_extend_delay: mi_option_t = 25;

/// Do not use arenas but take memory straight from the system: 0 or 1. A heap that is bound to an
/// arena then gets no new memory at all.
///
/// Default: 0. Environment: `MIMALLOC_DISALLOW_ARENA_ALLOC`.
///
/// Header: `mimalloc.h`.
pub const mi_option_disallow_arena_alloc: mi_option_t = 26;

/// How long to try again when Windows is out of memory, in milliseconds: 0 (not at all) to 2000; 1
/// counts as 100. Without effect elsewhere.
///
/// Default: 400. Environment: `MIMALLOC_RETRY_ON_OOM`.
///
/// Header: `mimalloc.h`.
pub const mi_option_retry_on_oom: mi_option_t = 27;

/// Has no effect on v3; it keeps the place of an option of v2.
///
/// Header: `mimalloc.h`.
#[deprecated(note = "has no effect on v3")]
#[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
pub const mi_option_deprecated_visit_abandoned: mi_option_t = 28;

/// Smallest request in bytes that can get a guard page (builds with `guarded`). Read when a thread
/// first uses a heap.
///
/// Default: 0. Environment: `MIMALLOC_GUARDED_MIN`, a plain number.
///
/// Header: `mimalloc.h`.
pub const mi_option_guarded_min: mi_option_t = 29;

/// Largest request in bytes that can get a guard page (builds with `guarded`). Read when a thread
/// first uses a heap.
///
/// Default: 1073741824 (1 GiB). Environment: `MIMALLOC_GUARDED_MAX`, a plain number.
///
/// Header: `mimalloc.h`.
pub const mi_option_guarded_max: mi_option_t = 30;

/// Let a guarded block end exactly at its guard page, even if the block is then not aligned: 0 or 1
/// (builds with `guarded`).
///
/// This catches an overflow of a single byte, but breaks programs that rely on alignment.
///
/// Default: 0. Environment: `MIMALLOC_UNSAFE_GUARDED_PRECISE`.
///
/// Header: `mimalloc.h`.
#[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
pub const mi_option_unsafe_guarded_precise: mi_option_t = 31;

/// Put a guard page behind one block per so many requested bytes; 0 is never (builds with `guarded`).
/// Read when a thread first uses a heap.
///
/// v2 counts allocations here, not bytes.
///
/// Default: 0. Environment: `MIMALLOC_GUARDED_SAMPLE_RATE`, a plain number.
///
/// Header: `mimalloc.h`.
pub const mi_option_guarded_sample_rate: mi_option_t = 32;

/// Where the sampling of guarded blocks starts, so that a run can be repeated; 0 is a random start
/// (builds with `guarded`). Read when a thread first uses a heap.
///
/// Default: 0. Environment: `MIMALLOC_GUARDED_SAMPLE_SEED`.
///
/// Header: `mimalloc.h`.
pub const mi_option_guarded_sample_seed: mi_option_t = 33;

/// After how many slow-path allocations a thread collects its heap: 1 to 1000000.
///
/// Default: 10000. Environment: `MIMALLOC_GENERIC_COLLECT`.
///
/// Header: `mimalloc.h`.
pub const mi_option_generic_collect: mi_option_t = 34;

/// Whether a thread that frees a block takes over the block's page if that has no owner: -1 never, 0
/// only if the page came from this thread, 1 also from other threads. Read when a heap is created, so
/// for the main heap at process start.
///
/// Default: 1. Environment: `MIMALLOC_PAGE_RECLAIM_ON_FREE`, older
/// `MIMALLOC_ABANDONED_RECLAIM_ON_FREE`.
///
/// Header: `mimalloc.h`.
#[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
pub const mi_option_page_reclaim_on_free: mi_option_t = 35;

/// How many full pages per size class of small blocks a thread keeps before it gives up their
/// ownership: -1 (it gives up none, of no size) to 32. Read when a thread first uses a heap.
///
/// For heaps that a thread first uses when it already counts as one of a pool
/// ([`mi_thread_set_in_threadpool`](crate::mi_thread_set_in_threadpool)) it is a quarter of this.
///
/// Default: 2. Environment: `MIMALLOC_PAGE_FULL_RETAIN`.
///
/// Header: `mimalloc.h`.
#[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
pub const mi_option_page_full_retain: mi_option_t = 36;

/// How many pages to look at for the best one to allocate from; more search, less memory.
///
/// Default: 4. Environment: `MIMALLOC_PAGE_MAX_CANDIDATES`.
///
/// Header: `mimalloc.h`.
#[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
pub const mi_option_page_max_candidates: mi_option_t = 37;

/// How many bits an address can have at most; 0 asks the system. Read at process start.
///
/// The usable range is 43 to 47 on x86-64, 43 to 48 on other 64-bit systems; on 32-bit it is always
/// 32.
///
/// Default: 0. Environment: `MIMALLOC_MAX_VABITS`.
///
/// Header: `mimalloc.h`.
#[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
pub const mi_option_max_vabits: mi_option_t = 38;

/// Commit the whole page map, so that looking up a foreign pointer is never a memory fault: 0 or 1.
/// Read at process start.
///
/// Default: 0. Environment: `MIMALLOC_PAGEMAP_COMMIT`.
///
/// Header: `mimalloc.h`.
#[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
pub const mi_option_pagemap_commit: mi_option_t = 39;

/// Commit the memory of a larger page step by step as it fills: 0 no, 1 yes, 2 yes unless the system
/// overcommits memory (Linux).
///
/// Default: 0. Environment: `MIMALLOC_PAGE_COMMIT_ON_DEMAND`.
///
/// Header: `mimalloc.h`.
#[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
pub const mi_option_page_commit_on_demand: mi_option_t = 40;

/// With more than so many pages in the size class, a thread does not take its own former pages back
/// when it frees; a negative value is no limit.
///
/// Default: -1. Environment: `MIMALLOC_PAGE_MAX_RECLAIM`.
///
/// Header: `mimalloc.h`.
#[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
pub const mi_option_page_max_reclaim: mi_option_t = 41;

/// With more than so many pages in the size class, a thread does not take pages of other threads over
/// when it frees; a negative value is no limit.
///
/// For threads of a pool ([`mi_thread_set_in_threadpool`](crate::mi_thread_set_in_threadpool)) it is
/// the limit for their own former pages.
///
/// Default: 32. Environment: `MIMALLOC_PAGE_CROSS_THREAD_MAX_RECLAIM`.
///
/// Header: `mimalloc.h`.
#[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
pub const mi_option_page_cross_thread_max_reclaim: mi_option_t = 42;

/// Transparent huge pages behind mimalloc's memory (Linux). Read at process start, again for each
/// arena, and with 3 while a program grows.
///
/// * 0: none. A setting of these mappings only: the rest of the process and its children keep theirs.
///   Upstream's own build switches huge pages off for the process, and children inherit that.
/// * 1: mimalloc asks for them behind whole arenas. A program takes some MiB more than it uses.
/// * 2: as 1, and purges only in units that keep them whole, mostly 2 MiB. Less memory goes back to
///   the system (upstream issue #1282).
/// * 3: not upstream's. As 1, but none behind the first 64 MiB of the first arena, where a program's
///   first blocks are, except behind blocks of 8 MiB and more; and also behind blocks too large for an
///   arena. Once 16 MiB of that part are resident, where it is empty it has them too, from then on.
///   64-bit only. Builds that leave this out treat it as 1.
///
/// A system that is set to `never` has none whatever the value.
///
/// Default: 3 on 64-bit Linux, otherwise upstream's 2; 0 on Android and in builds with `no_thp`.
/// `MIMALLOC_SYS_DEFINES=MI_MALLOC_SYS_UPSTREAM_THP=1` leaves out all that differs from upstream, as builds of other
/// sources than the pinned ones do.
/// Environment: `MIMALLOC_ALLOW_THP`.
///
/// Header: `mimalloc.h`.
pub const mi_option_allow_thp: mi_option_t = 43;

/// Smallest range in KiB that a purge returns to the system.
///
/// 0 chooses: a large page (mostly 2 MiB) if the system has transparent huge pages and
/// [`mi_option_allow_thp`] is 2, otherwise one arena slice (64 KiB on 64-bit, 32 KiB on 32-bit).
///
/// Default: 0. Environment: `MIMALLOC_ARENA_PURGE_MIN_SIZE`, older `MIMALLOC_MINIMAL_PURGE_SIZE`, a
/// size.
///
/// Header: `mimalloc.h`.
#[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
pub const mi_option_arena_purge_min_size: mi_option_t = 44;

/// Largest block in KiB that comes from an arena; larger ones come straight from the system.
///
/// The layout of the arenas sets a limit that is often lower;
/// [`mi_arena_max_object_size`](crate::mi_arena_max_object_size) returns the size in force. On 64-bit Linux blocks of the main
/// heap above 128 MiB come from the system too, unless the program has reserved an arena
/// ([memory](crate::guide::memory#large-blocks)).
///
/// Default: 2097152 (2 GiB) on 64-bit, 262144 (256 MiB) on 32-bit.
/// Environment: `MIMALLOC_ARENA_MAX_OBJECT_SIZE`, a size.
///
/// Header: `mimalloc.h`.
#[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
pub const mi_option_arena_max_object_size: mi_option_t = 45;

/// Bind a new arena to the NUMA node of the thread that makes it: 0 or 1. Experimental.
///
/// Default: 0. Environment: `MIMALLOC_ARENA_IS_NUMA_LOCAL`.
///
/// Header: `mimalloc.h`.
#[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
pub const mi_option_arena_is_numa_local: mi_option_t = 46;

/// Add a thread's statistics to those of the heap whenever the thread collects: 0 or 1.
///
/// Default: 1. Environment: `MIMALLOC_STATS_MERGE_ON_COLLECT`.
///
/// Header: `mimalloc.h`.
#[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
pub const mi_option_stats_merge_on_collect: mi_option_t = 47;

/// The built-in profiler writes a snapshot each time so many bytes have been allocated; 0 is never.
/// Read at process start, and only if `MIMALLOC_PROFILE` is set.
///
/// Default: 1073741824 (1 GiB). Environment: `MIMALLOC_PROFILE_ALLOC_INTERVAL`, a size, kept in
/// bytes.
///
/// Header: `mimalloc.h`.
#[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
pub const mi_option_profile_alloc_interval: mi_option_t = 48;

/// The built-in profiler writes a snapshot each time the sampled memory in use has grown by so many
/// bytes; 0 is never. Read at process start, and only if `MIMALLOC_PROFILE` is set.
///
/// Default: 0. Environment: `MIMALLOC_PROFILE_INUSE_INTERVAL`, a size, kept in bytes.
///
/// Header: `mimalloc.h`.
#[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
pub const mi_option_profile_inuse_interval: mi_option_t = 49;

/// The built-in profiler writes a snapshot every so many seconds: 0 (never) to 86400. Read at process
/// start, and only if `MIMALLOC_PROFILE` is set.
///
/// Default: 0. Environment: `MIMALLOC_PROFILE_TIME_INTERVAL`.
///
/// Header: `mimalloc.h`.
#[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
pub const mi_option_profile_time_interval: mi_option_t = 50;

/// How many bytes the built-in profiler lets pass between two samples, on average. Read at process
/// start, and only if `MIMALLOC_PROFILE` is set.
///
/// Default: 524288 (512 KiB). Environment: `MIMALLOC_PROFILE_SAMPLE_RATE`, a size, kept in bytes.
///
/// Header: `mimalloc.h`.
#[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
pub const mi_option_profile_sample_rate: mi_option_t = 51;

/// Add a thread's statistics to those of the heap once the thread has allocated and freed so many
/// bytes since the last time; 0 is never.
///
/// A smaller value makes statistics that other threads read more exact, and allocation slower. What
/// a thread sees of itself does not depend on it, except for peaks. A block of at least so many bytes is counted
/// at once, without adding the rest, except in builds with mitigations or assertions.
///
/// Default: 67108864 (64 MiB) as this crate builds mimalloc; upstream's own is 524288 (512 KiB). Environment: `MIMALLOC_STATS_MERGE_THRESHOLD`, a size, kept in bytes.
///
/// Header: `mimalloc.h`.
#[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
pub const mi_option_stats_merge_threshold: mi_option_t = 52;

/// A free range of an arena of at least so many KiB is purged at once, without
/// [`mi_option_purge_delay`], unless it was freed twice within a fifth of a second, or much purged memory is soon in use
/// again. So is one of half that size, if no other was freed within a fifth of a second before.
///
/// Default: 32768 (32 MiB) on 64-bit, 4096 (4 MiB) on 32-bit.
/// Environment: `MIMALLOC_ARENA_PURGE_IMMEDIATE_SIZE`, a size.
///
/// Header: `mimalloc.h`.
#[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
pub const mi_option_arena_purge_immediate_size: mi_option_t = 53;

/// The number of options; not an option itself.
///
/// Header: `mimalloc.h`.
pub const _mi_option_last: mi_option_t = 54;

/// Older name of [`mi_option_allow_large_os_pages`].
///
/// Header: `mimalloc.h`.
#[deprecated(note = "legacy name of `mi_option_allow_large_os_pages`")]
pub const mi_option_large_os_pages: mi_option_t = mi_option_allow_large_os_pages;

/// Older name of [`mi_option_arena_eager_commit`].
///
/// Header: `mimalloc.h`.
#[deprecated(note = "legacy name of `mi_option_arena_eager_commit`")]
pub const mi_option_eager_region_commit: mi_option_t = mi_option_arena_eager_commit;

/// Older name of [`mi_option_purge_decommits`].
///
/// Header: `mimalloc.h`.
#[deprecated(note = "legacy name of `mi_option_purge_decommits`")]
pub const mi_option_reset_decommits: mi_option_t = mi_option_purge_decommits;

/// Older name of [`mi_option_purge_delay`].
///
/// Header: `mimalloc.h`.
#[deprecated(note = "legacy name of `mi_option_purge_delay`")]
pub const mi_option_reset_delay: mi_option_t = mi_option_purge_delay;

/// Older name of [`mi_option_disallow_os_alloc`].
///
/// Header: `mimalloc.h`.
#[deprecated(note = "legacy name of `mi_option_disallow_os_alloc`")]
pub const mi_option_limit_os_alloc: mi_option_t = mi_option_disallow_os_alloc;

/// Older name of [`mi_option_arena_purge_min_size`].
///
/// Header: `mimalloc.h`.
#[deprecated(note = "legacy name of `mi_option_arena_purge_min_size`")]
#[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
pub const mi_option_minimal_purge_size: mi_option_t = mi_option_arena_purge_min_size;

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
}

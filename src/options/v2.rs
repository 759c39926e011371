//! The run-time options of v2, in the order of upstream's enumeration.
//!
//! Defaults: `options` in upstream's `src/options.c`, which is not always what the comments in the
//! header say.

use super::mi_option_t;

/// Print error and warning messages: 0 or 1.
///
/// Default: 0; 1 in builds with `debug` or `secure`. Environment: `MIMALLOC_SHOW_ERRORS`.
///
/// Header: `mimalloc.h`.
pub const mi_option_show_errors: mi_option_t = 0;

/// Print the statistics when the process ends: 0 or 1.
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

/// Commit a new segment (32 MiB on 64-bit, 4 MiB on 32-bit) as a whole, instead of page by page: 0 or
/// 1. [`mi_option_eager_commit_delay`] excepts a thread's first segments.
///
/// Default: 1. Environment: `MIMALLOC_EAGER_COMMIT`.
///
/// Header: `mimalloc.h`.
#[cfg_attr(docsrs, doc(cfg(feature = "v2")))]
pub const mi_option_eager_commit: mi_option_t = 3;

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

/// Reset the memory of each page that becomes free, at once: 0 or 1.
///
/// The header calls it deprecated, but v2 still obeys it; v3 does not.
///
/// Default: 0. Environment: `MIMALLOC_DEPRECATED_PAGE_RESET`.
///
/// Header: `mimalloc.h`.
#[deprecated(note = "use `mi_option_purge_delay`; v3 ignores this one")]
pub const mi_option_deprecated_page_reset: mi_option_t = 11;

/// Purge a thread's unused memory as soon as the thread ends: 0 or 1. With 0 only memory outside
/// arenas is, and the rest waits [`mi_option_purge_delay`].
///
/// Default: 0. Environment: `MIMALLOC_ABANDONED_PAGE_PURGE`, older
/// `MIMALLOC_ABANDONED_PAGE_RESET`.
///
/// Header: `mimalloc.h`.
#[cfg_attr(docsrs, doc(cfg(feature = "v2")))]
pub const mi_option_abandoned_page_purge: mi_option_t = 12;

/// Has no effect.
///
/// Header: `mimalloc.h`.
#[deprecated(note = "has no effect")]
pub const mi_option_deprecated_segment_reset: mi_option_t = 13;

/// How many of a thread's first segments are committed page by page all the same, so that threads
/// that need little stay small. The only thread of a process is excepted.
///
/// Default: 1; 0 on NetBSD. Environment: `MIMALLOC_EAGER_COMMIT_DELAY`.
///
/// Header: `mimalloc.h`.
#[cfg_attr(docsrs, doc(cfg(feature = "v2")))]
pub const mi_option_eager_commit_delay: mi_option_t = 14;

/// How long unused memory waits before it goes back to the system, in milliseconds; 0 returns it
/// at once, a negative value never.
///
/// Free pages inside a segment wait this long, free segments of an arena wait this value times
/// [`mi_option_arena_purge_mult`]. A segment looks at the value when it is made.
///
/// Default: 10. Environment: `MIMALLOC_PURGE_DELAY`, older `MIMALLOC_RESET_DELAY`.
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

/// Do not take memory straight from the system but from arenas only: 0 or 1.
///
/// v2 still reserves new arenas; set [`mi_option_arena_reserve`] to 0 to stop that too. Then reserve
/// arenas first ([`mi_reserve_os_memory`](crate::mi_reserve_os_memory)), or every allocation fails.
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

/// How many error messages to print at most; a negative value is no limit. Read at process start.
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

/// How many of the segments that ended threads left behind a thread looks at when it needs one, in
/// percent: 0 (none) to 100. It looks at no more than 1024.
///
/// Default: 10. Environment: `MIMALLOC_MAX_SEGMENT_RECLAIM`.
///
/// Header: `mimalloc.h`.
#[cfg_attr(docsrs, doc(cfg(feature = "v2")))]
pub const mi_option_max_segment_reclaim: mi_option_t = 21;

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
/// Later arenas are larger: the size doubles after every eight. Only address space is reserved, so
/// the value does not show in the memory in use.
///
/// Default: 1048576 (1 GiB) on 64-bit, 131072 (128 MiB) on 32-bit.
/// Environment: `MIMALLOC_ARENA_RESERVE`, a size.
///
/// Header: `mimalloc.h`.
pub const mi_option_arena_reserve: mi_option_t = 23;

/// Factor on [`mi_option_purge_delay`] for arenas; 0 purges at once, a negative value never.
///
/// Default: 10. Environment: `MIMALLOC_ARENA_PURGE_MULT`.
///
/// Header: `mimalloc.h`.
pub const mi_option_arena_purge_mult: mi_option_t = 24;

/// By how much a further free puts off the purge of a segment, in milliseconds.
///
/// Default: 1. Environment: `MIMALLOC_PURGE_EXTEND_DELAY`, older
/// `MIMALLOC_DECOMMIT_EXTEND_DELAY`.
///
/// Header: `mimalloc.h`.
#[cfg_attr(docsrs, doc(cfg(feature = "v2")))]
pub const mi_option_purge_extend_delay: mi_option_t = 25;

/// A thread that frees a block in a segment of an ended thread takes the segment over: 0 or 1.
///
/// Default: 0, though the header says 1. Environment: `MIMALLOC_ABANDONED_RECLAIM_ON_FREE`.
///
/// Header: `mimalloc.h`.
#[cfg_attr(docsrs, doc(cfg(feature = "v2")))]
pub const mi_option_abandoned_reclaim_on_free: mi_option_t = 26;

/// Do not use arenas but take memory straight from the system: 0 or 1. A heap that is bound to an
/// arena then gets no new memory at all.
///
/// Default: 0. Environment: `MIMALLOC_DISALLOW_ARENA_ALLOC`.
///
/// Header: `mimalloc.h`.
pub const mi_option_disallow_arena_alloc: mi_option_t = 27;

/// How long to try again when Windows is out of memory, in milliseconds: 0 (not at all) to 2000; 1
/// counts as 100. Without effect elsewhere.
///
/// Default: 400. Environment: `MIMALLOC_RETRY_ON_OOM`.
///
/// Header: `mimalloc.h`.
pub const mi_option_retry_on_oom: mi_option_t = 28;

/// Make [`mi_abandoned_visit_blocks`](crate::analysis::v2::mi_abandoned_visit_blocks) possible, which costs locks: 0
/// or 1. It must be on from the start.
///
/// Default: 0. Environment: `MIMALLOC_VISIT_ABANDONED`.
///
/// Header: `mimalloc.h`.
#[cfg_attr(docsrs, doc(cfg(feature = "v2")))]
pub const mi_option_visit_abandoned: mi_option_t = 29;

/// Smallest request in bytes that can get a guard page (builds with `guarded`). Read when a heap is
/// created.
///
/// Default: 0. Environment: `MIMALLOC_GUARDED_MIN`, a plain number.
///
/// Header: `mimalloc.h`.
pub const mi_option_guarded_min: mi_option_t = 30;

/// Largest request in bytes that can get a guard page (builds with `guarded`). Read when a heap is
/// created.
///
/// Default: 1073741824 (1 GiB). Environment: `MIMALLOC_GUARDED_MAX`, a plain number.
///
/// Header: `mimalloc.h`.
pub const mi_option_guarded_max: mi_option_t = 31;

/// Let a guarded block end exactly at its guard page, even if the block is then not aligned: 0 or 1
/// (builds with `guarded`).
///
/// This catches an overflow of a single byte, but breaks programs that rely on alignment.
///
/// Default: 0. Environment: `MIMALLOC_GUARDED_PRECISE`.
///
/// Header: `mimalloc.h`.
#[cfg_attr(docsrs, doc(cfg(feature = "v2")))]
pub const mi_option_guarded_precise: mi_option_t = 32;

/// Put a guard page behind one of so many allocations; 0 is never (builds with `guarded`). Read when
/// a heap is created.
///
/// v3 counts bytes here, not allocations.
///
/// Default: 0; 4000 in builds with `guarded` and without `debug`.
/// Environment: `MIMALLOC_GUARDED_SAMPLE_RATE`.
///
/// Header: `mimalloc.h`.
pub const mi_option_guarded_sample_rate: mi_option_t = 33;

/// Where the sampling of guarded blocks starts, so that a run can be repeated; 0 is a random start
/// (builds with `guarded`). Read when a heap is created.
///
/// Default: 0. Environment: `MIMALLOC_GUARDED_SAMPLE_SEED`.
///
/// Header: `mimalloc.h`.
pub const mi_option_guarded_sample_seed: mi_option_t = 34;

/// How many segments a thread tries not to exceed: 0 (no limit) to 1024. It gives segments up before
/// it makes a new one beyond that. Experimental.
///
/// Default: 0. Environment: `MIMALLOC_TARGET_SEGMENTS_PER_THREAD`.
///
/// Header: `mimalloc.h`.
#[cfg_attr(docsrs, doc(cfg(feature = "v2")))]
pub const mi_option_target_segments_per_thread: mi_option_t = 35;

/// After how many slow-path allocations a thread collects its heap: 1 to 1000000.
///
/// Default: 10000. Environment: `MIMALLOC_GENERIC_COLLECT`.
///
/// Header: `mimalloc.h`.
pub const mi_option_generic_collect: mi_option_t = 36;

/// Transparent huge pages behind mimalloc's memory (Linux): 1 allows them, 0 does not. Read at process
/// start, and again for each mapping.
///
/// 0 is a setting of these mappings only: the rest of the process and its children keep theirs.
/// Upstream's own build switches huge pages off for the process, and children inherit that
/// (`MIMALLOC_SYS_DEFINES=MI_MALLOC_SYS_UPSTREAM_THP=1` restores it).
///
/// Default: 1; 0 on Android and in builds with `no_thp`. Environment: `MIMALLOC_ALLOW_THP`.
///
/// Header: `mimalloc.h`.
pub const mi_option_allow_thp: mi_option_t = 37;

/// The number of options; not an option itself.
///
/// Header: `mimalloc.h`.
pub const _mi_option_last: mi_option_t = 38;

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

/// Older name of [`mi_option_abandoned_page_purge`].
///
/// Header: `mimalloc.h`.
#[deprecated(note = "legacy name of `mi_option_abandoned_page_purge`")]
#[cfg_attr(docsrs, doc(cfg(feature = "v2")))]
pub const mi_option_abandoned_page_reset: mi_option_t = mi_option_abandoned_page_purge;

/// Older name of [`mi_option_disallow_os_alloc`].
///
/// Header: `mimalloc.h`.
#[deprecated(note = "legacy name of `mi_option_disallow_os_alloc`")]
pub const mi_option_limit_os_alloc: mi_option_t = mi_option_disallow_os_alloc;

//! The options of the major version that was built, as the bindings describe them.
#![allow(deprecated)]

use super::mode;
use mi_malloc_sys::*;

/// How the environment gives a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Number,
    /// A size that is kept in KiB.
    Kib,
    /// A size that is kept in bytes.
    #[allow(dead_code)] // v2 has none
    Bytes,
}
use Kind::*;

#[derive(Clone, Copy)]
pub struct Entry {
    pub option: mi_option_t,
    pub name: &'static str,
    pub default: i64,
    pub kind: Kind,
    /// An older name in the environment.
    pub older: Option<&'static str>,
    /// The number to try in the environment: one that a process survives.
    pub number: i64,
}

const fn entry(option: mi_option_t, name: &'static str, default: i64) -> Entry {
    let number = 70 + option as i64;
    Entry {
        option,
        name,
        default,
        kind: Number,
        older: None,
        number,
    }
}

impl Entry {
    const fn size(self, kind: Kind) -> Entry {
        Entry { kind, ..self }
    }

    const fn older(self, name: &'static str) -> Entry {
        Entry {
            older: Some(name),
            ..self
        }
    }

    const fn number(self, number: i64) -> Entry {
        Entry { number, ..self }
    }
}

const WIDE: bool = cfg!(target_pointer_width = "64");
const ERRORS: i64 = mode::SHOWS_ERRORS as i64;
const NO_THP: bool = cfg!(any(feature = "no_thp", target_os = "android"));
/// Where `src/huge_pages.h` is compiled and has its own default.
#[cfg(mi_v3)]
const LARGE_THP: bool = cfg!(all(
    mi_program_options,
    target_os = "linux",
    target_pointer_width = "64"
));
const ARENA: i64 = if WIDE { 1 << 20 } else { 128 << 10 };

#[cfg(mi_v3)]
pub const OPTIONS: [Entry; _mi_option_last as usize] = [
    entry(mi_option_show_errors, "show_errors", ERRORS),
    entry(mi_option_show_stats, "show_stats", 0),
    entry(mi_option_verbose, "verbose", 0),
    entry(
        mi_option_deprecated_eager_commit,
        "deprecated_eager_commit",
        1,
    ),
    entry(mi_option_arena_eager_commit, "arena_eager_commit", 2).older("eager_region_commit"),
    entry(mi_option_purge_decommits, "purge_decommits", 1).older("reset_decommits"),
    entry(mi_option_allow_large_os_pages, "allow_large_os_pages", 0)
        .older("large_os_pages")
        .number(1),
    entry(mi_option_reserve_huge_os_pages, "reserve_huge_os_pages", 0).number(1),
    entry(
        mi_option_reserve_huge_os_pages_at,
        "reserve_huge_os_pages_at",
        -1,
    ),
    entry(mi_option_reserve_os_memory, "reserve_os_memory", 0).size(Kib),
    entry(
        mi_option_deprecated_segment_cache,
        "deprecated_segment_cache",
        0,
    ),
    entry(mi_option_deprecated_page_reset, "deprecated_page_reset", 0),
    entry(
        mi_option_deprecated_abandoned_page_purge,
        "deprecated_abandoned_page_purge",
        0,
    ),
    entry(
        mi_option_deprecated_segment_reset,
        "deprecated_segment_reset",
        0,
    ),
    entry(
        mi_option_deprecated_eager_commit_delay,
        "deprecated_eager_commit_delay",
        1,
    ),
    entry(mi_option_purge_delay, "purge_delay", 50).older("reset_delay"),
    entry(mi_option_use_numa_nodes, "use_numa_nodes", 0),
    entry(mi_option_disallow_os_alloc, "disallow_os_alloc", 0)
        .older("limit_os_alloc")
        .number(0),
    entry(mi_option_os_tag, "os_tag", 100),
    entry(mi_option_max_errors, "max_errors", 32),
    entry(mi_option_max_warnings, "max_warnings", 32),
    entry(
        mi_option_deprecated_max_segment_reclaim,
        "deprecated_max_segment_reclaim",
        10,
    ),
    entry(mi_option_destroy_on_exit, "destroy_on_exit", 0).number(2),
    entry(mi_option_arena_reserve, "arena_reserve", ARENA).size(Kib),
    entry(mi_option_arena_purge_mult, "arena_purge_mult", 1),
    entry(
        mi_option_deprecated_purge_extend_delay,
        "deprecated_purge_extend_delay",
        1,
    )
    .older("decommit_extend_delay"),
    entry(mi_option_disallow_arena_alloc, "disallow_arena_alloc", 0),
    entry(mi_option_retry_on_oom, "retry_on_oom", 400),
    entry(
        mi_option_deprecated_visit_abandoned,
        "deprecated_visit_abandoned",
        1,
    ),
    entry(mi_option_guarded_min, "guarded_min", 0),
    entry(mi_option_guarded_max, "guarded_max", 1 << 30),
    entry(
        mi_option_unsafe_guarded_precise,
        "unsafe_guarded_precise",
        0,
    ),
    entry(mi_option_guarded_sample_rate, "guarded_sample_rate", 0),
    entry(mi_option_guarded_sample_seed, "guarded_sample_seed", 0),
    entry(mi_option_generic_collect, "generic_collect", 10_000),
    entry(mi_option_page_reclaim_on_free, "page_reclaim_on_free", 1)
        .older("abandoned_reclaim_on_free"),
    entry(mi_option_page_full_retain, "page_full_retain", 2),
    entry(mi_option_page_max_candidates, "page_max_candidates", 4),
    entry(mi_option_max_vabits, "max_vabits", 0).number(47),
    entry(mi_option_pagemap_commit, "pagemap_commit", 0).number(0),
    entry(mi_option_page_commit_on_demand, "page_commit_on_demand", 0).number(2),
    entry(mi_option_page_max_reclaim, "page_max_reclaim", -1),
    entry(
        mi_option_page_cross_thread_max_reclaim,
        "page_cross_thread_max_reclaim",
        32,
    ),
    entry(
        mi_option_allow_thp,
        "allow_thp",
        match (NO_THP, LARGE_THP) {
            (true, _) => 0,
            (_, true) => 3,
            _ => 2,
        },
    )
    .number(1),
    entry(mi_option_arena_purge_min_size, "arena_purge_min_size", 0)
        .size(Kib)
        .older("minimal_purge_size"),
    entry(
        mi_option_arena_max_object_size,
        "arena_max_object_size",
        if WIDE { 2 << 20 } else { 256 << 10 },
    )
    .size(Kib),
    entry(mi_option_arena_is_numa_local, "arena_is_numa_local", 0),
    entry(
        mi_option_stats_merge_on_collect,
        "stats_merge_on_collect",
        1,
    ),
    entry(
        mi_option_profile_alloc_interval,
        "profile_alloc_interval",
        1 << 30,
    )
    .size(Bytes),
    entry(
        mi_option_profile_inuse_interval,
        "profile_inuse_interval",
        0,
    )
    .size(Bytes),
    entry(mi_option_profile_time_interval, "profile_time_interval", 0),
    entry(
        mi_option_profile_sample_rate,
        "profile_sample_rate",
        512 << 10,
    )
    .size(Bytes),
    entry(
        mi_option_stats_merge_threshold,
        "stats_merge_threshold",
        64 << 20,
    )
    .size(Bytes),
    entry(
        mi_option_arena_purge_immediate_size,
        "arena_purge_immediate_size",
        if WIDE { 32 << 10 } else { 4 << 10 },
    )
    .size(Kib),
];

#[cfg(mi_v2)]
const GUARDED_RATE: i64 = if cfg!(feature = "guarded") && !mode::DEBUG {
    4000
} else {
    0
};

/// Which excludes large pages.
#[cfg(mi_v2)]
const LARGE_PAGES: i64 = if GUARDED_RATE > 0 { 0 } else { 1 };

#[cfg(mi_v2)]
pub const OPTIONS: [Entry; _mi_option_last as usize] = [
    entry(mi_option_show_errors, "show_errors", ERRORS),
    entry(mi_option_show_stats, "show_stats", 0),
    entry(mi_option_verbose, "verbose", 0),
    entry(mi_option_eager_commit, "eager_commit", 1),
    entry(mi_option_arena_eager_commit, "arena_eager_commit", 2).older("eager_region_commit"),
    entry(mi_option_purge_decommits, "purge_decommits", 1).older("reset_decommits"),
    entry(mi_option_allow_large_os_pages, "allow_large_os_pages", 0)
        .older("large_os_pages")
        .number(LARGE_PAGES),
    entry(mi_option_reserve_huge_os_pages, "reserve_huge_os_pages", 0).number(1),
    entry(
        mi_option_reserve_huge_os_pages_at,
        "reserve_huge_os_pages_at",
        -1,
    ),
    entry(mi_option_reserve_os_memory, "reserve_os_memory", 0).size(Kib),
    entry(
        mi_option_deprecated_segment_cache,
        "deprecated_segment_cache",
        0,
    ),
    entry(mi_option_deprecated_page_reset, "deprecated_page_reset", 0),
    entry(mi_option_abandoned_page_purge, "abandoned_page_purge", 0).older("abandoned_page_reset"),
    entry(
        mi_option_deprecated_segment_reset,
        "deprecated_segment_reset",
        0,
    ),
    entry(
        mi_option_eager_commit_delay,
        "eager_commit_delay",
        if cfg!(target_os = "netbsd") { 0 } else { 1 },
    ),
    entry(mi_option_purge_delay, "purge_delay", 10).older("reset_delay"),
    entry(mi_option_use_numa_nodes, "use_numa_nodes", 0),
    entry(mi_option_disallow_os_alloc, "disallow_os_alloc", 0)
        .older("limit_os_alloc")
        .number(0),
    entry(mi_option_os_tag, "os_tag", 100),
    entry(mi_option_max_errors, "max_errors", 32),
    entry(mi_option_max_warnings, "max_warnings", 32),
    entry(mi_option_max_segment_reclaim, "max_segment_reclaim", 10),
    entry(mi_option_destroy_on_exit, "destroy_on_exit", 0).number(2),
    entry(mi_option_arena_reserve, "arena_reserve", ARENA).size(Kib),
    entry(mi_option_arena_purge_mult, "arena_purge_mult", 10),
    entry(mi_option_purge_extend_delay, "purge_extend_delay", 1).older("decommit_extend_delay"),
    entry(
        mi_option_abandoned_reclaim_on_free,
        "abandoned_reclaim_on_free",
        0,
    ),
    entry(mi_option_disallow_arena_alloc, "disallow_arena_alloc", 0),
    entry(mi_option_retry_on_oom, "retry_on_oom", 400),
    entry(mi_option_visit_abandoned, "visit_abandoned", 0),
    entry(mi_option_guarded_min, "guarded_min", 0),
    entry(mi_option_guarded_max, "guarded_max", 1 << 30),
    entry(mi_option_guarded_precise, "guarded_precise", 0),
    entry(
        mi_option_guarded_sample_rate,
        "guarded_sample_rate",
        GUARDED_RATE,
    ),
    entry(mi_option_guarded_sample_seed, "guarded_sample_seed", 0),
    entry(
        mi_option_target_segments_per_thread,
        "target_segments_per_thread",
        0,
    ),
    entry(mi_option_generic_collect, "generic_collect", 10_000),
    entry(mi_option_allow_thp, "allow_thp", if NO_THP { 0 } else { 1 }).number(2),
];

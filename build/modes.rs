//! Modes of the library: checks, statistics, mitigations, the `malloc` family, exit, `fork`.

use super::config::{self, Config, Define, Major};
use super::fast_path;
use super::instrumentation;
use super::plan::Plan;
use super::platform;

/// Assertions, or release-grade C. Cargo's profile does not matter: an allocator without
/// optimisation is ten times slower, and a user who wants upstream's checks has features for them.
pub fn checks(config: &Config, plan: &mut Plan) {
    let features = &config.features;
    let level = if features.debug_full {
        3
    } else if features.debug || (features.debug_in_debug && config.debug_assertions) {
        2
    } else {
        0
    };
    if level == 0 {
        // Without these the header falls back to MI_DEBUG=2 (include/mimalloc/types.h).
        plan.define("NDEBUG", 1);
        plan.define("MI_BUILD_RELEASE", 1);
        plan.define("MI_CMAKE_BUILD_TYPE", "release");
    } else {
        plan.opt_level = config.opt_level.clone();
        plan.define("MI_DEBUG", level);
        plan.define("MI_CMAKE_BUILD_TYPE", "debug");
    }
    if config.major == Major::V3 {
        // Upstream's debug builds count and sample finely. MI_DEBUG with coarse guard sampling
        // aborts on an assertion in alloc-aligned.c: sampling then moves between check and use.
        let fine = level > 0;
        plan.define("MI_STATS", if fine { 2 } else { 1 });
        plan.define("MI_PROFILE", if fine { 2 } else { 1 });
        plan.define(
            "MI_GUARDED",
            if fine { 2 } else { i32::from(features.guarded) },
        );
    } else if features.guarded {
        plan.define("MI_GUARDED", 1); // v2's header sets it by itself with MI_DEBUG
    }
}

/// How far v3's statistics of other threads may lag behind: by 64 MiB instead of upstream's 512 KiB.
/// A thread that allocates blocks of some KiB reaches 512 KiB after a few dozen of them, and adds up hundreds
/// of counters each time (`vec-large` in `bench/`). A thread's own statistics, and those of threads that
/// have collected or ended, do not depend on it.
pub fn statistics(config: &Config, plan: &mut Plan) {
    if config.major == Major::V3 {
        plan.define("MI_DEFAULT_STATS_MERGE_THRESHOLD", 64 << 20);
    }
}

/// v3 stores the metadata of small pages out of line, with those of all other pages. Upstream's default is the start of
/// each small page, at multiples of 64 KiB, which makes freeing a block a few instructions shorter. But a program uses
/// many pages, and those starts map to few sets of the cache (`slots` in `bench/`). Besides, a free with a wrong size then
/// corrupts memory (upstream's issue 1423), and valgrind takes the metadata of a page for the red zone of its first
/// block.
pub fn small_pages(config: &Config, plan: &mut Plan) {
    if config.major == Major::V3 {
        plan.define("MI_OPT_FREE_SMALL", 0);
    }
}

/// A process that mimalloc aborts for corrupted memory prints the reason, as with other hardened allocators: without
/// `MI_SHOW_ERRORS` the abort has no message, and a double free, which is ignored, is never reported
/// (`mi_error_default` in options.c). Failed requests, and warnings, are printed as well.
pub fn mitigations(config: &Config, plan: &mut Plan) {
    if config.features.secure_full {
        plan.define("MI_SECURE", 5);
    } else if config.features.secure {
        plan.define("MI_SECURE", 4);
    } else {
        return;
    }
    plan.define("MI_SHOW_ERRORS", 1);
}

/// The `malloc` family of the whole program.
pub fn override_malloc(config: &Config, plan: &mut Plan) {
    if !config.features.override_malloc {
        return;
    }
    if config.target.os == "windows" {
        plan.no_effect(
            "override",
            "on Windows a statically linked library cannot replace malloc",
        );
        return;
    }
    if instrumentation::replaces_malloc(config) {
        plan.no_effect("override", "the sanitizer itself replaces malloc");
        return;
    }
    plan.define("MI_MALLOC_OVERRIDE", 1);
    // Otherwise the compiler may turn mimalloc's own malloc into a call of itself.
    plan.flag("-fno-builtin-malloc");
    if platform::apple(&config.target) {
        plan.define("MI_OSX_ZONE", 1);
        plan.define("MI_OSX_INTERPOSE", 1);
    }
}

pub fn exit(config: &Config, plan: &mut Plan) {
    if config.features.skip_collect_on_exit {
        plan.define("MI_SKIP_COLLECT_ON_EXIT", 1);
    }
}

/// How v3's `mi_free` finds the page of a pointer: by masking the address, or in a map of all pages.
pub fn page_map(config: &Config, plan: &mut Plan) {
    let asked = config.features.free_use_pagemap;
    let wasi = config.target.os == "wasi"; // no large aligned regions there (upstream)
    match config.major {
        Major::V3 => {
            if asked || wasi {
                plan.define("MI_FREE_USE_PAGEMAP", 1);
            }
            if asked && wasi {
                plan.no_effect("free_use_pagemap", "it is always on there");
            }
        }
        Major::V2 => {
            if asked {
                plan.no_effect("free_use_pagemap", "v2 has segments instead of a page map");
            }
        }
    }
}

/// Each block above 64 KiB gets a page of its own where `src/singleton_pages.h` retains such pages. Elsewhere upstream
/// allocates most of those up to 512 KiB from pages of 4 MiB, one for each size class.
pub fn singleton_pages(config: &Config, plan: &mut Plan) {
    plan.retained_pages =
        config.major == Major::V3 && plan.wraps_upstream && allow_retained_pages(&plan.defines);
    if plan.retained_pages && plan.value("MI_ENABLE_LARGE_PAGES").is_none() {
        plan.define("MI_ENABLE_LARGE_PAGES", 0);
    }
}

/// The conditions of `src/singleton_pages.h`: nothing else may use the bytes of free blocks.
pub fn allow_retained_pages(defines: &[Define]) -> bool {
    let without = [
        "MI_SECURE",
        "MI_PADDING",
        "MI_ENCODE_FREELIST",
        "MI_GUARDED",
        "MI_TRACK_VALGRIND",
        "MI_TRACK_ASAN",
        "MI_TRACK_ETW",
        "MI_TSAN",
        "MI_QSBR",
        "MI_MALLOC_SYS_NO_REUSE",
        "MI_ENABLE_LARGE_PAGES",
    ];
    let is_fine = |name| config::value(defines, name) == Some("2");
    !fast_path::has_assertions(defines)
        && !without.iter().any(|name| config::is_on(defines, name))
        && !is_fine("MI_STATS")
        && !is_fine("MI_PROFILE")
}

/// Whether mimalloc's locks are held across a `fork`: where there is one, with releases whose locks are known. The
/// definitions that disable it are read by `src/fork.c`.
pub fn fork(config: &Config, plan: &mut Plan) {
    let release = config.release();
    let has_fork = config.target.unix && config.target.os != "emscripten";
    plan.fork = has_fork && release.is_pinned && release.version.has_known_locks();
}

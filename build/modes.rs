//! What kind of mimalloc is built: checks, mitigations, the override, how it ends.

use super::config::{Config, Line};
use super::plan::Plan;
use super::platform;
use super::tools;

/// Assertions, or release-grade C. Cargo's profile does not matter: an allocator without
/// optimisation costs ten times, and a user who wants upstream's checks has features for them.
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
    if config.line == Line::V3 {
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
/// A thread that takes blocks of some KiB is there after a few dozen of them, and adds up hundreds
/// of figures each time (`vec-large` in `bench/`). A thread's own figures, and those of threads that
/// have collected or ended, do not depend on it.
pub fn statistics(config: &Config, plan: &mut Plan) {
    if config.line == Line::V3 {
        plan.define("MI_DEFAULT_STATS_MERGE_THRESHOLD", 64 << 20);
    }
}

/// Where v3 keeps what it knows of a page of small blocks: with that of all other pages. Upstream's
/// default is the start of each such page, at multiples of 64 KiB, which makes freeing a block a few
/// instructions shorter. But a program uses many pages, and those starts share a few lines of the cache
/// (`slots` in `bench/`). Besides, then a free with a wrong size goes wrong (upstream's issue 1423), and
/// valgrind takes the description of a page for the red zone of its first block.
pub fn small_pages(config: &Config, plan: &mut Plan) {
    if config.line == Line::V3 {
        plan.define("MI_OPT_FREE_SMALL", 0);
    }
}

/// A process that mimalloc ends for damaged memory says why, as with other hardened allocators: without
/// `MI_SHOW_ERRORS` the abort has no message, and a double free, which is ignored, is never heard of
/// (`mi_error_default` in options.c). Requests that fail, and warnings, are printed as well.
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
    if tools::replaces_malloc(config) {
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

/// How v3's `mi_free` finds the page of a pointer: by its address, or by a map of all pages.
pub fn page_map(config: &Config, plan: &mut Plan) {
    let asked = config.features.free_use_pagemap;
    let wasi = config.target.os == "wasi"; // no large aligned regions there (upstream)
    match config.line {
        Line::V3 => {
            if asked || wasi {
                plan.define("MI_FREE_USE_PAGEMAP", 1);
            }
            if asked && wasi {
                plan.no_effect("free_use_pagemap", "it is always on there");
            }
        }
        Line::V2 => {
            if asked {
                plan.no_effect("free_use_pagemap", "v2 has segments instead of a page map");
            }
        }
    }
}

/// Refuses a smaller alignment of all blocks than `MiMalloc` relies on: Rust's layouts of up to 16 bytes need no
/// aligned entry point because of it (`MAX_ALIGN` in `src/global.rs`).
pub fn alignment(plan: &Plan) -> Result<(), String> {
    let name = "MI_MAX_ALIGN_SIZE";
    match plan.value(name).map(str::parse::<u32>) {
        Some(Ok(size)) if size < 16 => Err(format!(
            "{} is {}, and `MiMalloc` needs blocks that are aligned to 16 bytes.\n\
             Remove it from MIMALLOC_SYS_DEFINES.",
            name, size
        )),
        _ => Ok(()),
    }
}

/// Whether a block must be asked for with its exact size, and not with the next count of words:
/// there may be a guard page, a padding that is checked, or a tool's red zone right behind it. By
/// definition rather than by feature, because `MIMALLOC_SYS_DEFINES` and `CFLAGS` can switch these on as well.
pub fn exact_size(plan: &Plan) -> bool {
    // Upstream's header takes a missing level from these two, and adds what checks a block's end unless
    // that is switched off.
    let release = ["MI_DEBUG", "NDEBUG", "MI_BUILD_RELEASE"];
    let debug = plan.is_on("MI_DEBUG")
        || release
            .iter()
            .all(|name| !plan.is_on(name) && !plan.is_off(name));
    let unchecked = plan.is_off("MI_PADDING") && plan.is_off("MI_GUARDED");
    let others = [
        "MI_SECURE",
        "MI_GUARDED",
        "MI_PADDING",
        "MI_TRACK_VALGRIND",
        "MI_TRACK_ASAN",
        "MI_TRACK_ETW",
    ];
    debug && !unchecked || others.iter().any(|name| plan.is_on(name))
}

/// Whether mimalloc's locks are held across a `fork`: where there is one. The definitions that switch it
/// off are for `src/fork.c` to read.
pub fn fork(config: &Config, plan: &mut Plan) {
    plan.fork = config.target.unix && config.target.os != "emscripten";
}

/// Whether `MiMalloc` gets entry points of its own: on v3, whose insides they know, and where they
/// need not care for what is behind a block. Builds with mitigations have others. `src/secure.c` itself says which
/// mitigations its fast paths know; for the rest its functions are upstream's.
pub fn entries(config: &Config, plan: &mut Plan) {
    plan.entries = config.line == Line::V3 && !plan.exact_size;
    plan.secure_entries = config.line == Line::V3 && plan.is_on("MI_SECURE");
    if plan.entries && plan.bitcode {
        plan.define("MI_MALLOC_SYS_LTO", 1);
    }
}

/// Tells `src/global/inlined.c` what `inlined.rs` takes for the size of a small page.
pub const LARGE_SLICES: &str = "MI_MALLOC_SYS_LARGE_SLICES";

/// Whether the usual case of a small block is Rust code, which its callers take in: where that reaches a
/// thread-local variable as the C does (in bitcode it has no name that lasts), and where it gains. Rust code
/// that is not optimised, or is to be small, had better call; and a sanitizer is to see what happens.
pub fn inlined(config: &Config, plan: &mut Plan) {
    let target = &config.target;
    let glibc = target.os == "linux" && target.env == "gnu";
    let known_libc = glibc || platform::is_static_musl(target);
    let reached = plan
        .flags
        .iter()
        .any(|flag| flag.text == platform::INITIAL_EXEC);
    let optimised = ["2", "3"].contains(&config.opt_level.as_str()) && !config.debug_assertions;
    plan.inlined = (plan.entries || config.line == Line::V2 && !plan.exact_size)
        && ["x86_64", "aarch64"].contains(&target.arch.as_str())
        && known_libc
        && reached
        && optimised
        && !plan.bitcode
        && config.sanitizers.is_empty();
    // The one other size of upstream's slices, and so of small pages, that a definition may ask for without
    // losing this.
    if plan.entries && plan.inlined && plan.value("MI_ARENA_SLICE_SHIFT") == Some("17") {
        plan.define(LARGE_SLICES, 1);
    }
}

//! Which code allocates and frees for `MiMalloc`: upstream's functions, C entry points of this crate (`src/global.c`,
//! `src/secure.c`), or for small blocks Rust code that is inlined into its callers (`src/global/inlined.rs`,
//! `inlined_v2.rs`); and the reason if it is not the last.

use super::config::{Config, Major};
use super::plan::Plan;
use super::platform;

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

/// Whether a block must be requested with its exact size, and not rounded up to words.
pub fn exact_size(plan: &Plan) -> bool {
    checks_ends(plan).is_some()
}

/// What uses the bytes right behind a block, if anything does: a guard page, a padding that is checked, or a tool's red
/// zone. By definition rather than by feature, because `MIMALLOC_SYS_DEFINES` and `CFLAGS` can enable these as well.
fn checks_ends(plan: &Plan) -> Option<&'static str> {
    let others = [
        "MI_SECURE",
        "MI_GUARDED",
        "MI_PADDING",
        "MI_TRACK_VALGRIND",
        "MI_TRACK_ASAN",
        "MI_TRACK_ETW",
    ];
    // Without a level upstream's header derives one from the other two, and with it checks the ends of blocks unless that
    // is disabled.
    let release = ["MI_DEBUG", "NDEBUG", "MI_BUILD_RELEASE"];
    let debug = plan.is_on("MI_DEBUG")
        || release
            .iter()
            .all(|name| !plan.is_on(name) && !plan.is_off(name));
    let unchecked = plan.is_off("MI_PADDING") && plan.is_off("MI_GUARDED");
    let other = others.iter().find(|name| plan.is_on(name)).copied();
    other.or(Some("MI_DEBUG").filter(|_| debug && !unchecked))
}

/// Whether `MiMalloc` has C entry points of its own: on v3, with releases that they were checked with, and where nothing
/// uses the bytes behind a block. Builds with mitigations have other ones. `src/secure.c` itself determines which
/// mitigations its fast paths support; with any others its functions call upstream's.
pub fn entries(config: &Config, plan: &mut Plan) {
    let release = config.release();
    let has_some =
        config.major == Major::V3 && release.is_pinned && release.version.has_custom_entry_points();
    plan.entries = has_some && !plan.exact_size;
    plan.secure_entries = has_some && plan.is_on("MI_SECURE");
    if plan.entries && plan.bitcode {
        plan.define("MI_MALLOC_SYS_LTO", 1);
    }
}

/// The definition that selects in `src/global/inlined.c` the size of a small page that `inlined.rs` assumes.
pub const LARGE_SLICES: &str = "MI_MALLOC_SYS_LARGE_SLICES";

/// Whether the fast path for small blocks is Rust code.
pub fn inlined(config: &Config, plan: &mut Plan) {
    match why_not_inlined(config, plan) {
        Some(reason) => plan.leave_out_inlined(&reason),
        None => plan.inlined = true,
    }
    // The one other size of upstream's slices, and so of small pages, that a definition may select without losing the
    // fast path.
    if plan.entries && plan.inlined && plan.value("MI_ARENA_SLICE_SHIFT") == Some("17") {
        plan.define(LARGE_SLICES, 1);
    }
}

/// Rust code is used where it can access a thread-local variable as the C does (in bitcode the variable has no stable
/// name), and where it is faster. Rust code that is not optimised, or optimised for size, is better off with a call; and
/// a sanitizer must see each block.
fn why_not_inlined(config: &Config, plan: &Plan) -> Option<String> {
    let target = &config.target;
    let release = config.release();
    let glibc = target.os == "linux" && target.env == "gnu";
    let initial_exec = plan
        .flags
        .iter()
        .any(|flag| flag.text == platform::INITIAL_EXEC);
    let text = |text: &str| Some(text.to_string());
    if let Some(definition) = checks_ends(plan) {
        return Some(needs_exact_size(definition));
    }
    if !release.is_pinned {
        return text("the sources are not the pinned release");
    }
    if !release.version.has_inlined() {
        return Some(format!("not checked with mimalloc {}", release.version));
    }
    if !["x86_64", "aarch64"].contains(&target.arch.as_str()) {
        return text("only for x86_64 and aarch64");
    }
    if !glibc && !platform::is_static_musl(target) {
        return text("only for Linux with glibc or static musl");
    }
    if !initial_exec {
        return text("thread-local variables are not of the model initial-exec");
    }
    if !["2", "3"].contains(&config.opt_level.as_str()) {
        return Some(format!("opt-level {}", config.opt_level));
    }
    if config.debug_assertions {
        return text("debug assertions");
    }
    if plan.bitcode {
        return text("MIMALLOC_SYS_LTO inlines the C");
    }
    if !config.sanitizers.is_empty() {
        return Some(sanitized(&config.sanitizers.join(",")));
    }
    None
}

pub fn sanitized(names: &str) -> String {
    format!("-fsanitize={} must see each block", names)
}

fn needs_exact_size(definition: &str) -> String {
    format!("{} uses the bytes behind a block", definition)
}

/// Revises these decisions for the definitions that the C compiler finally receives.
pub fn adapt(plan: &mut Plan) {
    let checks = checks_ends(plan);
    plan.exact_size = checks.is_some();
    if let Some(definition) = checks {
        plan.entries = false;
        plan.leave_out_inlined(&needs_exact_size(definition));
    }
    plan.secure_entries &= plan.is_on("MI_SECURE");
}

/// Why the C compiler does not confirm what the Rust code assumes: the first error of its output on a file.
pub fn failed_assertion(file: &str, output: &str) -> String {
    let mut lines = output
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty());
    let first = lines.clone().next();
    let error = lines.find_map(|line| Some(line.split_once("error: ")?.1));
    format!(
        "{}: {}",
        file,
        error.or(first).unwrap_or("the compiler refuses it")
    )
}

/// The code that `MiMalloc` uses, as metadata, and in words for the build's output.
pub fn describe(plan: &Plan) -> (&'static str, String) {
    let (name, words) = if plan.inlined {
        return ("rust", "Rust code, inlined into callers".to_string());
    } else if plan.entries || plan.secure_entries {
        ("c", "C entry points")
    } else {
        ("upstream", "upstream's functions")
    };
    let reason = plan.why_not_inlined.as_deref().unwrap_or("");
    (name, format!("{} ({})", words, reason))
}

//! Which code allocates and frees for `MiMalloc`: upstream's functions, C entry points of this crate (`src/global.c`,
//! `src/secure.c`), or for small blocks Rust code that is inlined into its callers (`src/global/inlined.rs`,
//! `inlined_v2.rs`); and the reason if it is not the last.
//!
//! It is decided in three steps, each of which only takes something from the one before: [`decide`] by the plan;
//! [`FastPath::with_definitions`] and `arguments.rs` by the compiler's final arguments; `compile.rs` by its answers.

use super::config::{is_off, is_on, Config, Define, Major};
use super::plan::Plan;
use super::platform;

/// The code that `src/global.rs` compiles: the condition `mi_fast_path`, and what else it has to know of that code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// Upstream's functions.
    Upstream {
        /// The C checks the bytes behind a block, or reports them to a tool, and must know where the block ends. A size
        /// must not be rounded up to words.
        exact_size: bool,
    },
    /// v3: the C entry points of `src/global.c`.
    C,
    /// v3: the C entry points of `src/secure.c`, for builds with mitigations.
    Secure,
    /// Rust code for small blocks, if the C compiler confirms `src/global/inlined.c`, or on v2 `inlined_v2.c`. On v3 all
    /// other blocks have the entry points of `C`, and on v2 upstream's functions.
    Rust {
        /// v3: slices, and so small pages, are of 128 KiB, and not of 64.
        large_slices: bool,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FastPath {
    pub code: Code,
    /// Why it is not Rust code: of several reasons the first.
    pub why_not_rust: Option<String>,
}

impl Default for FastPath {
    fn default() -> FastPath {
        FastPath {
            code: Code::Upstream { exact_size: false },
            why_not_rust: None,
        }
    }
}

impl Code {
    /// All values of the condition.
    pub const NAMES: [&'static str; 4] = ["upstream", "c", "secure", "rust"];

    /// Its value.
    pub fn name(self) -> &'static str {
        match self {
            Code::Upstream { .. } => "upstream",
            Code::C => "c",
            Code::Secure => "secure",
            Code::Rust { .. } => "rust",
        }
    }

    /// The C files with the entry points; the first includes the others.
    pub fn c_files(self, major: Major) -> &'static [&'static str] {
        match (self, major) {
            (Code::C, _) | (Code::Rust { .. }, Major::V3) => {
                &["src/global.c", "src/large.c", "src/bins.h"]
            }
            (Code::Secure, _) => &["src/secure.c", "src/bins.h"],
            (Code::Rust { .. }, Major::V2) | (Code::Upstream { .. }, _) => &[],
        }
    }
}

impl FastPath {
    /// The same without Rust code: C functions serve small blocks too.
    pub fn without_rust(self, major: Major, reason: String) -> FastPath {
        FastPath {
            code: match (self.code, major) {
                (Code::Rust { .. }, Major::V3) => Code::C,
                (Code::Rust { .. }, Major::V2) => Code::Upstream { exact_size: false },
                (other, _) => other,
            },
            why_not_rust: self.why_not_rust.or(Some(reason)),
        }
    }

    /// What is left of it with the definitions that the C compiler finally receives. They never add anything: the plan
    /// knows all that the package's own features and variables define.
    pub fn with_definitions(self, defines: &[Define]) -> FastPath {
        let checks = checks_ends(defines);
        let code = match self.code {
            Code::C if checks.is_none() => Code::C,
            Code::Rust { .. } if checks.is_none() => Code::Rust {
                large_slices: is_on(defines, LARGE_SLICES),
            },
            Code::Secure if is_on(defines, "MI_SECURE") => Code::Secure,
            _ => Code::Upstream {
                exact_size: checks.is_some(),
            },
        };
        FastPath {
            code,
            why_not_rust: self.why_not_rust.or_else(|| checks.map(needs_exact_size)),
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

/// What uses the bytes right behind a block, if anything does: a guard page, a padding that is checked, or a tool's red
/// zone. By definition rather than by feature, because `MIMALLOC_SYS_DEFINES` and `CFLAGS` can enable these as well.
fn checks_ends(defines: &[Define]) -> Option<&'static str> {
    let others = [
        "MI_SECURE",
        "MI_GUARDED",
        "MI_PADDING",
        "MI_TRACK_VALGRIND",
        "MI_TRACK_ASAN",
        "MI_TRACK_ETW",
    ];
    let unchecked = is_off(defines, "MI_PADDING") && is_off(defines, "MI_GUARDED");
    let other = others.iter().find(|name| is_on(defines, name)).copied();
    other.or(Some("MI_DEBUG").filter(|_| has_assertions(defines) && !unchecked))
}

/// Whether upstream's assertions are on. Without a level its header derives one from the other two definitions, and with it
/// checks the ends of blocks unless that is disabled.
pub fn has_assertions(defines: &[Define]) -> bool {
    let release = ["MI_DEBUG", "NDEBUG", "MI_BUILD_RELEASE"];
    is_on(defines, "MI_DEBUG")
        || release
            .iter()
            .all(|name| !is_on(defines, name) && !is_off(defines, name))
}

/// Chooses the code by a plan whose definitions are complete.
///
/// `MiMalloc` has C entry points of its own on v3, with releases that they were checked with, and where nothing uses the
/// bytes behind a block. Builds with mitigations have other ones. `src/secure.c` itself determines which mitigations its
/// fast paths support; with any others its functions call upstream's.
pub fn decide(config: &Config, plan: &Plan) -> FastPath {
    let release = config.release();
    let has_entry_points =
        config.major == Major::V3 && release.is_pinned && release.version.has_custom_entry_points();
    let exact_size = checks_ends(&plan.defines).is_some();
    let why_not_rust = why_not_rust(config, plan);
    let code = if why_not_rust.is_none() {
        // The one other size of upstream's slices that a definition may select without losing the fast path.
        Code::Rust {
            large_slices: has_entry_points && plan.value("MI_ARENA_SLICE_SHIFT") == Some("17"),
        }
    } else if has_entry_points && !exact_size {
        Code::C
    } else if has_entry_points && plan.is_on("MI_SECURE") {
        Code::Secure
    } else {
        Code::Upstream { exact_size }
    };
    FastPath { code, why_not_rust }
}

/// The definition that selects in `src/global/inlined.c` the size of a small page that `inlined.rs` assumes.
pub const LARGE_SLICES: &str = "MI_MALLOC_SYS_LARGE_SLICES";

/// What the C files have to know of the choice.
pub fn definitions(plan: &mut Plan) {
    match plan.fast_path.code {
        Code::C if plan.bitcode => plan.define("MI_MALLOC_SYS_LTO", 1),
        Code::Rust { large_slices: true } => plan.define(LARGE_SLICES, 1),
        _ => {}
    }
}

/// Rust code is used where it can access a thread-local variable as the C does (in bitcode the variable has no stable
/// name, and v2 on Windows uses emulated ones), and where it is faster. Rust code that is not optimised, or optimised for
/// size, is better off with a call; and a sanitizer must see each block.
fn why_not_rust(config: &Config, plan: &Plan) -> Option<String> {
    let target = &config.target;
    let release = config.release();
    let glibc = target.os == "linux" && target.env == "gnu";
    let mingw = platform::is_mingw(target) && config.major == Major::V3;
    let initial_exec = plan
        .flags
        .iter()
        .any(|flag| flag.text == platform::INITIAL_EXEC);
    let text = |text: &str| Some(text.to_string());
    if let Some(definition) = checks_ends(&plan.defines) {
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
    if !glibc && !platform::is_static_musl(target) && !mingw {
        return text(
            "only for Linux with glibc or static musl, and v3 on Windows with MinGW's gcc",
        );
    }
    if !initial_exec && !mingw {
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

/// The code that `MiMalloc` uses, as metadata, and in words for the build's output. `secure` counts as `c`: both are
/// entry points in C.
pub fn describe(fast_path: &FastPath) -> (&'static str, String) {
    let (name, words) = match fast_path.code {
        Code::Rust { .. } => return ("rust", "Rust code, inlined into callers".to_string()),
        Code::C | Code::Secure => ("c", "C entry points"),
        Code::Upstream { .. } => ("upstream", "upstream's functions"),
    };
    let reason = fast_path.why_not_rust.as_deref().unwrap_or("");
    (name, format!("{} ({})", words, reason))
}

//! Decides, from a [`Config`] alone, how upstream's C is compiled and linked.
//!
//! A pure function: no environment, no file, no compiler. A test mounts this file and checks the
//! plan of every target and feature, so whoever reads it knows every flag their C gets. "Upstream"
//! in the comments is `CMakeLists.txt` of the line concerned, unless a file is named.

use super::config::{Config, Define, Line, Target};

/// The language `static.c` is compiled as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    C,
    Cxx17,
}

/// A compiler option of the gcc and clang family; `compile.rs` leaves them out for `cl`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flag {
    pub text: String,
    /// Passed only to a compiler that takes it: gcc 4 fails on warning names it does not know.
    pub if_supported: bool,
}

/// The whole of a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub language: Language,
    pub opt_level: String,
    pub defines: Vec<Define>,
    pub flags: Vec<Flag>,
    /// Linked after the archive, in this order.
    pub libraries: Vec<String>,
    pub warnings: Vec<String>,
}

/// Plans a build, or says why there cannot be one.
pub fn plan(config: &Config) -> Result<Plan, String> {
    supported(&config.target)?;
    let mut plan = Plan {
        language: language(&config.target),
        opt_level: "3".to_string(),
        defines: Vec::new(),
        flags: Vec::new(),
        libraries: Vec::new(),
        warnings: Vec::new(),
    };
    checks(config, &mut plan);
    mitigations(config, &mut plan);
    override_malloc(config, &mut plan);
    thread_locals(config, &mut plan);
    huge_pages(config, &mut plan);
    exit(config, &mut plan);
    profiler(config, &mut plan);
    platform(config, &mut plan);
    warnings_of_the_compiler(&mut plan);
    atomics(config, &mut plan);
    plan.defines.extend(config.defines.iter().cloned());
    Ok(plan)
}

/// mimalloc needs an operating system that hands out pages of memory.
fn supported(target: &Target) -> Result<(), String> {
    match target.os.as_str() {
        "none" | "unknown" | "uefi" | "cuda" | "zkvm" => Err(format!(
            "The target {} has no operating system that mimalloc could take memory from.\n\
             Use another allocator there, and depend on this crate for the other targets only:\n\
             [target.'cfg(not(target_os = \"{}\"))'.dependencies]",
            target.triple, target.os
        )),
        _ => Ok(()),
    }
}

/// Upstream compiles as C++ with MSVC and clang-cl, whose C mode lacks atomics
/// (and, in clang for arm64, intrinsics: purpleprotocol/mimalloc_rust#159).
fn language(target: &Target) -> Language {
    if target.os == "windows" && target.env == "msvc" {
        Language::Cxx17
    } else {
        Language::C
    }
}

/// Assertions, or release-grade C. Cargo's profile does not matter: an allocator without
/// optimisation costs ten times, and a user who wants upstream's checks has features for them.
fn checks(config: &Config, plan: &mut Plan) {
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
        plan.define("NDEBUG", "1");
        plan.define("MI_BUILD_RELEASE", "1");
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
        plan.define("MI_GUARDED", 1);
    }
}

fn mitigations(config: &Config, plan: &mut Plan) {
    if config.features.secure_full {
        plan.define("MI_SECURE", 5);
    } else if config.features.secure {
        plan.define("MI_SECURE", 4);
    }
}

/// The `malloc` family of the whole program.
fn override_malloc(config: &Config, plan: &mut Plan) {
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
    plan.define("MI_MALLOC_OVERRIDE", "1");
    // Otherwise the compiler may turn mimalloc's own malloc into a call of itself.
    plan.flag("-fno-builtin-malloc");
    if apple(&config.target) {
        plan.define("MI_OSX_ZONE", 1);
        plan.define("MI_OSX_INTERPOSE", 1);
    }
}

/// Initial-exec is fastest, but such thread-locals live in a block of fixed size that the program
/// sets up at its start; a library loaded later may find it full (microsoft/mimalloc#147).
fn thread_locals(config: &Config, plan: &mut Plan) {
    let target = &config.target;
    let dynamic = config.features.local_dynamic_tls;
    let musl = target.env == "musl";
    if musl {
        plan.define("MI_LIBC_MUSL", 1);
    }
    if !target.unix || target.os == "haiku" || target.os == "emscripten" {
        if dynamic {
            plan.no_effect(
                "local_dynamic_tls",
                "this platform has no choice of thread-local models",
            );
        }
        return;
    }
    if dynamic && config.line == Line::V3 {
        plan.define("MI_TLS_MODEL_LOCAL", 1);
        if apple(target) {
            // The first access of a thread-local may allocate there.
            plan.define("MI_TLS_RECURSE_GUARD", 1);
        }
    }
    // musl's loader has no spare room for late initial-exec blocks (microsoft/mimalloc#644).
    plan.flag(if dynamic || musl {
        "-ftls-model=local-dynamic"
    } else {
        "-ftls-model=initial-exec"
    });
}

/// Transparent huge pages: the default of the run-time option `allow_thp`. The macro MI_NO_THP is
/// not the same: it only skips one `madvise`.
fn huge_pages(config: &Config, plan: &mut Plan) {
    let off = config.features.no_thp;
    match (config.target.os.as_str(), config.line) {
        ("linux", Line::V3) => plan.define("MI_DEFAULT_ALLOW_THP", if off { 0 } else { 2 }),
        ("android", Line::V3) => plan.define("MI_DEFAULT_ALLOW_THP", 0),
        ("linux", Line::V2) | ("android", Line::V2) => {
            if off {
                plan.define("MI_DEFAULT_ALLOW_THP", 0);
            }
        }
        _ => {
            if off {
                plan.no_effect(
                    "no_thp",
                    "only Linux and Android have transparent huge pages",
                );
            }
        }
    }
}

fn exit(config: &Config, plan: &mut Plan) {
    if config.features.skip_collect_on_exit {
        plan.define("MI_SKIP_COLLECT_ON_EXIT", 1);
    }
}

/// What v3's profiler needs to record call stacks; upstream probes the headers.
fn profiler(config: &Config, plan: &mut Plan) {
    let target = &config.target;
    if config.line != Line::V3 || target.os == "windows" {
        return;
    }
    plan.define("MI_HAS_UNISTDH", 1);
    let bsd = matches!(
        target.os.as_str(),
        "freebsd" | "dragonfly" | "netbsd" | "openbsd"
    );
    // musl has no execinfo.h, and Android's has no `backtrace` below API level 33 (oxc#19214).
    let glibc = target.os == "linux" && target.env.starts_with("gnu");
    if glibc || bsd || apple(target) {
        plan.define("MI_HAS_EXECINFOH", 1);
    }
    if bsd {
        plan.library("execinfo");
    }
    if matches!(target.os.as_str(), "freebsd" | "dragonfly") {
        plan.library("util"); // kinfo_getvmmap
    }
}

/// What the platform's own headers and libraries ask for.
fn platform(config: &Config, plan: &mut Plan) {
    let target = &config.target;
    match target.os.as_str() {
        "windows" => {
            if target.env != "msvc" {
                plan.define("_WIN32_WINNT", "0x600"); // MinGW's headers default to older systems
            }
            if target.abi == "llvm" || target.triple.ends_with("gnullvm") {
                plan.define("MI_MINGW_UCRT64", 1); // these toolchains use the universal C runtime
            }
            for library in ["psapi", "shell32", "user32", "advapi32", "bcrypt"] {
                plan.library(library);
            }
        }
        "wasi" => {
            if config.line == Line::V3 {
                // No large aligned regions there, so pages are found by the map.
                plan.define("MI_FREE_USE_PAGEMAP", 1);
            }
            for part in ["MMAN", "PROCESS_CLOCKS", "SIGNAL"] {
                plan.define(&format!("_WASI_EMULATED_{}", part), 1);
            }
            for part in ["mman", "process-clocks", "signal"] {
                plan.library(&format!("wasi-emulated-{}", part));
            }
        }
        // In other C libraries (musl, bionic, Apple's, Haiku's) threads are part of libc itself.
        "linux" if target.env.starts_with("gnu") => plan.library("pthread"),
        "freebsd" | "dragonfly" | "netbsd" | "openbsd" => plan.library("pthread"),
        _ => {}
    }
    if target.unix {
        plan.flag("-fvisibility=hidden"); // the symbols of a static library are nobody else's
    }
}

/// Upstream silences the same.
fn warnings_of_the_compiler(plan: &mut Plan) {
    for flag in ["-Wno-unknown-pragmas", "-Wno-static-in-inline"] {
        plan.flags.push(Flag {
            text: flag.to_string(),
            if_supported: true,
        });
    }
}

/// Processors whose wide or narrow atomics are library calls. Linked only there: elsewhere the
/// library is often absent (purpleprotocol/mimalloc_rust#94, #115).
fn atomics(config: &Config, plan: &mut Plan) {
    let arch = config.target.arch.as_str();
    let needed = config.target.os == "linux"
        && matches!(
            arch,
            "arm" | "mips" | "mips32r6" | "powerpc" | "riscv32" | "riscv64" | "sparc" | "m68k"
        );
    match &config.atomic {
        Some(name) => plan.library(name),
        None if needed => plan.library("atomic"),
        None => {}
    }
}

fn apple(target: &Target) -> bool {
    matches!(
        target.os.as_str(),
        "macos" | "ios" | "tvos" | "watchos" | "visionos"
    )
}

impl Plan {
    fn define(&mut self, name: &str, value: impl ToString) {
        self.defines.push(Define {
            name: name.to_string(),
            value: Some(value.to_string()),
        });
    }

    fn flag(&mut self, text: &str) {
        self.flags.push(Flag {
            text: text.to_string(),
            if_supported: false,
        });
    }

    fn library(&mut self, name: &str) {
        self.libraries.push(name.to_string());
    }

    fn no_effect(&mut self, feature: &str, reason: &str) {
        self.warnings.push(format!(
            "the feature `{}` has no effect: {}",
            feature, reason
        ));
    }
}

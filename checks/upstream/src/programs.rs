//! Upstream's programs, and where upstream's own build (`CMakeLists.txt`, "API surface testing")
//! runs each. Mounted by the build script, which compiles them, and by `main.rs`, which runs them.

pub struct Program {
    pub name: &'static str,
    /// Of `test/`, without the extension.
    pub source: &'static str,
    /// Definitions beyond those of the archive.
    pub defines: &'static [&'static str],
    /// Whether it compiles with v2.
    pub on_v2: OnV2,
}

pub enum OnV2 {
    Runs,
    /// It does with malloc's names, which `v2/malloc.h` replaces by mimalloc's: only a few of the program's own
    /// calls are of v3.
    ByMallocsNames,
    /// It does not: the program needs this name, which none of v2's headers declares.
    Lacks(&'static str),
}

use OnV2::*;

const fn program(name: &'static str, source: &'static str, on_v2: OnV2) -> Program {
    Program {
        name,
        source,
        defines: &[],
        on_v2,
    }
}

pub const PROGRAMS: [Program; 12] = [
    program("api", "test-api", Runs),
    program("api-fill", "test-api-fill", Runs),
    program("arena", "test-arena", Lacks("mi_bbitmap_t")),
    program("bitmap", "test-bitmap", Lacks("mi_bchunk_t")),
    program("fork", "test-fork", Lacks("mi_theap_quiescent_abandon")),
    program("profile", "test-profile", Lacks("mi_profiler_start")),
    program("pprof", "test-pprof", Lacks("mi_pprof_profiler_new")),
    program("stress", "test-stress", ByMallocsNames),
    program(
        "stress-heaps",
        "test-stress-heaps",
        Lacks("mi_subproc_heap_stats_print_out"),
    ),
    program(
        "stress-subprocs",
        "test-stress-subprocs",
        Lacks("mi_subproc_destroy"),
    ),
    program(
        "stress-pprof",
        "test-stress-pprof",
        Lacks("mi_pprof_profiler_new"),
    ),
    // Without a call of mimalloc in it: only `malloc` itself links the archive.
    Program {
        name: "stress-static",
        source: "test-stress",
        defines: &["USE_STD_MALLOC"],
        on_v2: Runs,
    },
];

pub const V2: bool = cfg!(feature = "v2") && !cfg!(feature = "v3");
pub const OVERRIDE: bool = cfg!(feature = "override");
/// The crate's debug builds have guard pages on v3, like upstream's (`build/modes.rs`).
pub const GUARDED: bool =
    cfg!(feature = "guarded") || cfg!(feature = "debug") || cfg!(feature = "debug_full");

/// Why a program is not run in this build, if it is not. `tsan`: with the thread sanitizer.
pub fn left_out(program: &Program, tsan: bool) -> Option<String> {
    if let (true, Lacks(name)) = (V2, &program.on_v2) {
        return Some(format!("v2 has no {name}"));
    }
    match program.name {
        "fork" if tsan => Some("upstream does not run it under the thread sanitizer".to_string()),
        "stress-pprof" if !cfg!(target_vendor = "apple") => {
            Some("upstream runs it on macOS only".to_string())
        }
        "stress-static" if !OVERRIDE => {
            Some("upstream runs it where malloc is overridden".to_string())
        }
        _ => None,
    }
}

/// A fault that upstream's own code has, and upstream's own build would have.
pub struct Known {
    /// What the output must contain, so that no other fault is mistaken for it.
    pub output: &'static [&'static str],
    pub reason: &'static str,
}

pub fn known(program: &Program) -> Option<Known> {
    if !V2 || program.name != "api" {
        return None;
    }
    if cfg!(feature = "debug") || cfg!(feature = "debug_full") {
        return Some(Known {
            output: &[
                "test: heap-os1...",
                "mi_page_set_in_full",
                "assertion: \"size <= heap->pages_full_size\"",
            ],
            reason: "v2 asserts wrongly when a heap is deleted while one of its pages is full",
        });
    }
    if GUARDED {
        return Some(Known {
            output: &[
                "FAILED: heap-os2:",
                "FAILED: heap-destroy-os-pages:",
                "succeeded: 61",
                "failed   : 2",
            ],
            reason: "v2 with guard pages deletes a heap where it should destroy it; \
                     61 of 63 checks pass",
        });
    }
    None
}

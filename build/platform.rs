//! What the operating system, its C library and its linker require.

use super::config::{Config, Major, Target};
use super::plan::{Language, OptionalHeader, Plan, RuntimeLib};

/// Upstream compiles as C++ with MSVC and clang-cl, whose C mode lacks atomics
/// (and, in clang for arm64, intrinsics: purpleprotocol/mimalloc_rust#159).
pub fn language(config: &Config, plan: &mut Plan) {
    if config.target.os != "windows" || config.target.env != "msvc" {
        return;
    }
    plan.language = Language::Cxx17;
    // A compiler treats a .c file as C unless an option says otherwise.
    plan.msvc_flag("/TP");
    plan.msvc_flag("/std:c++17");
    plan.msvc_flag("/Zc:__cplusplus"); // the headers test the language's version
    plan.flag("-xc++");
    plan.flag("-std=c++17");
}

/// The model of thread-local variables for code that is loaded when the program starts.
pub const INITIAL_EXEC: &str = "-ftls-model=initial-exec";

/// Whether rustc links musl into the program: by default where the host is another target (`rustc.rs`), elsewhere
/// only with `-Ctarget-feature=+crt-static`. Then nothing is loaded later, and the offsets of all thread-local
/// variables are known.
pub fn is_static_musl(target: &Target) -> bool {
    target.os == "linux"
        && target.env == "musl"
        && target
            .features
            .iter()
            .any(|feature| feature == "crt-static")
}

/// 64-bit Windows with MinGW's gcc.
pub fn is_mingw(target: &Target) -> bool {
    target.os == "windows" && target.arch == "x86_64" && target.env == "gnu" && !is_gnullvm(target)
}

/// MinGW with LLVM's tools. Older Rust does not tell the ABI.
fn is_gnullvm(target: &Target) -> bool {
    target.abi == "llvm" || target.triple.ends_with("gnullvm")
}

/// Initial-exec is fastest, but such thread-locals live in a block of fixed size that the program
/// sets up at its start; a library loaded later may find it full (microsoft/mimalloc#147).
pub fn thread_locals(config: &Config, plan: &mut Plan) {
    let target = &config.target;
    let features = &config.features;
    let dynamic_musl = target.env == "musl" && !is_static_musl(target);
    if target.env == "musl" {
        plan.define("MI_LIBC_MUSL", 1);
    }

    let only_one_model = if target.os == "windows" {
        Some("on Windows every library has its own thread-local variables")
    } else if apple(target) {
        Some("on Apple's systems every library has its own thread-local variables")
    } else if dynamic_musl {
        Some("it is always on with musl that is not linked statically")
    } else if target.os == "haiku" || target.os == "emscripten" || !target.unix {
        Some("this platform has no choice of thread-local models")
    } else {
        None
    };
    if let (Some(reason), true) = (only_one_model, features.local_dynamic_tls) {
        plan.no_effect("local_dynamic_tls", reason);
    }
    if dynamic_musl || features.local_dynamic_tls && only_one_model.is_none() {
        // musl's loader has no spare space for late initial-exec blocks (microsoft/mimalloc#644).
        plan.flag("-ftls-model=local-dynamic");
    } else if only_one_model.is_none() {
        plan.flag(INITIAL_EXEC);
    }

    if features.win_direct_tls {
        match (target.os.as_str(), config.major) {
            ("windows", Major::V3) => plan.define("MI_WIN_DIRECT_TLS", 1),
            ("windows", Major::V2) => plan.define("MI_WIN_USE_FIXED_TLS", 1),
            _ => plan.no_effect("win_direct_tls", "only Windows has such thread-local slots"),
        }
    }
}

/// Transparent huge pages: the default of the run-time option `allow_thp`, which is otherwise
/// upstream's. The macro MI_NO_THP is not the same: it only skips one `madvise`.
pub fn huge_pages(config: &Config, plan: &mut Plan) {
    let off = config.features.no_thp;
    match (config.target.os.as_str(), config.major) {
        ("linux", _) => {
            if off {
                plan.define("MI_DEFAULT_ALLOW_THP", 0);
            }
        }
        ("android", _) => {
            if off {
                plan.no_effect("no_thp", "on Android they are off by default");
            }
        }
        _ => {
            if off {
                plan.no_effect("no_thp", "only Linux has transparent huge pages");
            }
        }
    }
}

/// What v3's profiler needs to record call stacks and to write its file. Upstream probes for these headers.
///
/// musl has no execinfo.h. Upstream then uses libunwind if it is installed; a Rust program already
/// holds a copy of that library, so here it is the user's choice:
/// `MIMALLOC_SYS_DEFINES=MI_HAS_LIBUNWINDH=1`, with the library linked by the program.
pub fn profiler(config: &Config, plan: &mut Plan) {
    let target = &config.target;
    if config.major != Major::V3 || !target.unix {
        return; // WASI has unistd.h, but no user ids, which upstream reads
    }
    plan.define("MI_HAS_UNISTDH", 1);
    // Android's execinfo.h has no `backtrace` below API level 33 (oxc-project/oxc#19214).
    let glibc = target.os == "linux" && target.env.starts_with("gnu");
    if glibc || bsd(target) || apple(target) {
        plan.define("MI_HAS_EXECINFOH", 1);
    }
    // On arm and riscv64 Debian's gcc generates unwind tables only with this option, and without
    // them `backtrace` ends in mimalloc's own functions: no sample has a stack, and none is recorded.
    if glibc {
        plan.flag("-funwind-tables");
    }
    if bsd(target) {
        plan.library("execinfo");
    }
    if matches!(target.os.as_str(), "freebsd" | "dragonfly") {
        plan.library("util"); // kinfo_getvmmap
    }
}

/// The platform's own headers and libraries.
///
/// Upstream also links `rt` where there is one: for glibc before 2.17, which Rust does not support.
pub fn system(config: &Config, plan: &mut Plan) {
    let target = &config.target;
    match target.os.as_str() {
        "windows" => {
            if target.env != "msvc" {
                plan.define("_WIN32_WINNT", "0x600"); // MinGW's headers default to older systems
            }
            if is_gnullvm(target) {
                plan.define("MI_MINGW_UCRT64", 1); // these toolchains use the universal C runtime
            }
            for library in ["psapi", "shell32", "user32", "advapi32", "bcrypt"] {
                plan.library(library);
            }
        }
        "wasi" => {
            // `clock`: the only one of wasi-libc's emulations that either major version calls.
            plan.define("_WASI_EMULATED_PROCESS_CLOCKS", 1);
            plan.library("wasi-emulated-process-clocks");
        }
        // In other C libraries (musl, bionic, Apple's, Haiku's) threads are part of libc itself.
        "linux" if target.env.starts_with("gnu") => plan.library("pthread"),
        _ if bsd(target) => plan.library("pthread"),
        _ => {}
    }
    if target.os == "linux" && target.arch.starts_with("riscv") {
        match config.major {
            // The number of address bits differs by board, and a newer glibc can query it; otherwise upstream
            // reads /proc/cpuinfo. The kernel's <asm/hwprobe.h>, which upstream uses as well, does
            // not compile with a C library that is older than it.
            Major::V3 => plan.optional_headers.push(OptionalHeader {
                header: "sys/hwprobe.h".to_string(),
                define: "MI_HAS_SYS_HWPROBEH".to_string(),
            }),
            // v2 cannot query it, and most boards have 39 bits (microsoft/mimalloc#939). Upstream takes it
            // from the machine that builds; with too low a number only a hint to `mmap` is missing.
            Major::V2 => plan.define("MI_DEFAULT_VIRTUAL_ADDRESS_BITS", 39),
        }
    }
}

/// For every gcc and clang.
pub fn compiler(config: &Config, plan: &mut Plan) {
    plan.flag("-fvisibility=hidden"); // a static library exports nothing
    for quiet in ["-Wno-unknown-pragmas", "-Wno-static-in-inline"] {
        plan.flag_if_supported(quiet); // gcc 4 fails on names that it does not know
    }
    if !plan.assembly {
        // gcc's assembler runs beside the compiler, and not after it. (Without effect, and so with a warning, beside
        // -save-temps.)
        plan.flag_if_supported("-pipe");
    }
    // With -O3 gcc inlines what it considers small, also where a program rarely is: a third more time, a quarter more code.
    // `src/inline.h` declares inline what gains by it, on v3.
    if plan.wraps_upstream && config.major == Major::V3 {
        plan.gcc_flag("-fno-inline-small-functions");
    }
}

/// Compiler runtime libraries, linked only if the object references them.
pub fn runtime_libs(config: &Config, plan: &mut Plan) {
    let linux = config.target.os == "linux";
    let mut runtime_lib = |calls: &str, library: &str| {
        plan.runtime_libs.push(RuntimeLib {
            calls: calls.to_string(),
            library: library.to_string(),
        });
    };
    if linux && config.atomic.is_none() {
        // Wide and narrow atomics of some processors. Linked only if called: elsewhere the library
        // is often absent (purpleprotocol/mimalloc_rust#94, #115).
        runtime_lib("__atomic_", "atomic");
    }
    if linux && config.target.env == "musl" {
        // gcc counts bits by calling its own library, which rustc does not link with musl.
        runtime_lib("__popcount", "gcc");
    }
    if let Some(name) = &config.atomic {
        plan.library(name);
    }
}

pub fn apple(target: &Target) -> bool {
    matches!(
        target.os.as_str(),
        "macos" | "ios" | "tvos" | "watchos" | "visionos"
    )
}

fn bsd(target: &Target) -> bool {
    matches!(
        target.os.as_str(),
        "freebsd" | "dragonfly" | "netbsd" | "openbsd"
    )
}

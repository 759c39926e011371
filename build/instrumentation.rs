//! Sanitizers, valgrind and event tracing: tools to which every block is reported.

use super::config::Config;
use super::plan::{Plan, RequiredHeader};

/// Whether a tool has its own `malloc`.
pub fn replaces_malloc(config: &Config) -> bool {
    config.sanitizers.iter().any(|s| s != "leak") || config.track.as_deref() == Some("asan")
}

pub fn tools(config: &Config, plan: &mut Plan) -> Result<(), String> {
    let sanitizer = |name: &str| config.sanitizers.iter().any(|s| s == name);
    let windows = config.target.os == "windows";
    let (valgrind, asan) = match config.track.as_deref() {
        None => (false, false),
        Some("valgrind") => (true, false),
        Some("asan") => (false, true),
        Some(other) => {
            return Err(format!(
                "MIMALLOC_SYS_TRACK is `{}`, and only `valgrind` and `asan` are known.\n\
                 Set it to one of them, or unset it.",
                other
            ))
        }
    };

    if valgrind && !config.sanitizers.is_empty() {
        return Err(format!(
            "MIMALLOC_SYS_TRACK=valgrind and -Zsanitizer={} exclude each other: \
             valgrind cannot run a program with a sanitizer.\nDrop one of them.",
            config.sanitizers.join(",")
        ));
    }
    if asan && sanitizer("thread") {
        return Err(
            "MIMALLOC_SYS_TRACK=asan and -Zsanitizer=thread exclude each other.\nDrop one of them."
                .to_string(),
        );
    }
    if valgrind && windows {
        return Err("MIMALLOC_SYS_TRACK=valgrind: there is no valgrind for Windows.".to_string());
    }

    let asan = asan || sanitizer("address");
    if valgrind {
        plan.define("MI_TRACK_VALGRIND", 1);
        require(
            plan,
            "valgrind/memcheck.h",
            "MIMALLOC_SYS_TRACK=valgrind needs valgrind's headers \
             (Debian and Ubuntu: `apt-get install valgrind`; Fedora: `dnf install valgrind-devel`).",
        );
    }
    if asan {
        plan.define("MI_TRACK_ASAN", 1);
        plan.flag("-fsanitize=address");
        plan.msvc_flag("/fsanitize=address");
        require(
            plan,
            "sanitizer/asan_interface.h",
            "the address sanitizer's header comes with gcc (libasan) or clang (compiler-rt).",
        );
        if !sanitizer("address") {
            plan.warn(
                "MIMALLOC_SYS_TRACK=asan without -Zsanitizer=address: the program must link the \
                 C compiler's runtime itself, with RUSTFLAGS=-Clink-arg=-fsanitize=address",
            );
        }
    }
    if sanitizer("thread") {
        plan.define("MI_TSAN", 1);
        plan.flag("-fsanitize=thread");
        plan.opt_level = "1".to_string(); // upstream does the same, for reports that can be read
        plan.clang_only = Some(
            "-Zsanitizer=thread needs clang: gcc's thread sanitizer does not know mimalloc's fences."
                .to_string(),
        );
    }
    for other in &config.sanitizers {
        if !matches!(other.as_str(), "address" | "thread") {
            plan.warn(&format!(
                "mimalloc does not support -Zsanitizer={}, so its C is compiled without it",
                other
            ));
        }
    }
    if config.features.etw {
        if !windows {
            plan.no_effect("etw", "event tracing belongs to Windows");
        } else if config.target.env != "msvc" {
            // src/prim/windows/etw.h: annotations that MinGW's headers lack, and C++'s `inline`.
            plan.no_effect("etw", "upstream's event header needs Microsoft's headers");
        } else if asan {
            plan.no_effect(
                "etw",
                "mimalloc reports to one tool only, here the address sanitizer",
            );
        } else {
            plan.define("MI_TRACK_ETW", 1);
        }
    }
    Ok(())
}

fn require(plan: &mut Plan, name: &str, advice: &str) {
    plan.required_headers.push(RequiredHeader {
        name: name.to_string(),
        advice: advice.to_string(),
    });
}

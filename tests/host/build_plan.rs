//! The plan of the C build, for every target and every feature: the expected language, definitions,
//! flags, libraries and warnings.
//!
//! The properties of a target (`target_os` and so on) come from rustc itself. The expected plans are
//! written here by hand: a row for each group of targets that are treated alike, and for each
//! feature a row wherever its effect differs.

use crate::build::config::{Config, Define, Features, Major, Target};
use crate::build::fast_path::{self, describe, Code, FastPath};
use crate::build::lto;
use crate::build::plan::{self, Language, Plan};
use crate::build::rustc;
use crate::build::version::{Release, Version};
use crate::default_config::config;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// Targets that are treated alike, and what their plan adds to that of all.
struct Group {
    name: &'static str,
    triples: &'static [&'static str],
    v3: &'static str,
    v2: &'static str,
}

/// Definitions | flags | libraries. `?name` is linked if the object needs it; `?header>NAME` is defined
/// if the header exists.
const GROUPS: &[Group] = &[
    Group {
        name: "glibc",
        triples: &[
            "x86_64-unknown-linux-gnu",
            "i686-unknown-linux-gnu",
            "aarch64-unknown-linux-gnu",
            "armv7-unknown-linux-gnueabihf",
            "arm-unknown-linux-gnueabi",
            "powerpc64le-unknown-linux-gnu",
            "s390x-unknown-linux-gnu",
            "loongarch64-unknown-linux-gnu",
        ],
        v3: "MI_HAS_UNISTDH=1 MI_HAS_EXECINFOH=1 | -ftls-model=initial-exec -funwind-tables | pthread ?atomic",
        v2: " | -ftls-model=initial-exec | pthread ?atomic",
    },
    Group {
        name: "glibc-riscv",
        triples: &["riscv64gc-unknown-linux-gnu"],
        v3: "MI_HAS_UNISTDH=1 MI_HAS_EXECINFOH=1 ?sys/hwprobe.h>MI_HAS_SYS_HWPROBEH | -ftls-model=initial-exec -funwind-tables | pthread ?atomic",
        v2: "MI_DEFAULT_VIRTUAL_ADDRESS_BITS=39 | -ftls-model=initial-exec | pthread ?atomic",
    },
    Group {
        name: "musl",
        triples: &[
            "x86_64-unknown-linux-musl",
            "i686-unknown-linux-musl",
            "aarch64-unknown-linux-musl",
            "armv7-unknown-linux-musleabihf",
            "arm-unknown-linux-musleabi",
            "powerpc64le-unknown-linux-musl",
            "s390x-unknown-linux-musl",
            "loongarch64-unknown-linux-musl",
        ],
        v3: "MI_LIBC_MUSL=1 MI_HAS_UNISTDH=1 | -ftls-model=local-dynamic | ?atomic ?gcc",
        v2: "MI_LIBC_MUSL=1 | -ftls-model=local-dynamic | ?atomic ?gcc",
    },
    Group {
        name: "musl-riscv",
        triples: &["riscv64gc-unknown-linux-musl"],
        v3: "MI_LIBC_MUSL=1 MI_HAS_UNISTDH=1 ?sys/hwprobe.h>MI_HAS_SYS_HWPROBEH | -ftls-model=local-dynamic | ?atomic ?gcc",
        v2: "MI_LIBC_MUSL=1 MI_DEFAULT_VIRTUAL_ADDRESS_BITS=39 | -ftls-model=local-dynamic | ?atomic ?gcc",
    },
    Group {
        name: "android",
        triples: &[
            "aarch64-linux-android",
            "armv7-linux-androideabi",
            "x86_64-linux-android",
        ],
        v3: "MI_HAS_UNISTDH=1 | -ftls-model=initial-exec | ",
        v2: " | -ftls-model=initial-exec | ",
    },
    Group {
        name: "msvc",
        triples: &[
            "x86_64-pc-windows-msvc",
            "i686-pc-windows-msvc",
            "aarch64-pc-windows-msvc",
        ],
        v3: " | -xc++ -std=c++17 cl:/TP cl:/std:c++17 cl:/Zc:__cplusplus | psapi shell32 user32 advapi32 bcrypt",
        v2: " | -xc++ -std=c++17 cl:/TP cl:/std:c++17 cl:/Zc:__cplusplus | psapi shell32 user32 advapi32 bcrypt",
    },
    Group {
        name: "mingw",
        triples: &["x86_64-pc-windows-gnu", "i686-pc-windows-gnu"],
        v3: "_WIN32_WINNT=0x600 | | psapi shell32 user32 advapi32 bcrypt",
        v2: "_WIN32_WINNT=0x600 | | psapi shell32 user32 advapi32 bcrypt",
    },
    Group {
        name: "mingw-ucrt",
        triples: &[
            "x86_64-pc-windows-gnullvm",
            "i686-pc-windows-gnullvm",
            "aarch64-pc-windows-gnullvm",
        ],
        v3: "_WIN32_WINNT=0x600 MI_MINGW_UCRT64=1 | | psapi shell32 user32 advapi32 bcrypt",
        v2: "_WIN32_WINNT=0x600 MI_MINGW_UCRT64=1 | | psapi shell32 user32 advapi32 bcrypt",
    },
    Group {
        name: "apple",
        triples: &[
            "aarch64-apple-darwin",
            "x86_64-apple-darwin",
            "aarch64-apple-ios",
            "aarch64-apple-tvos",
        ],
        v3: "MI_HAS_UNISTDH=1 MI_HAS_EXECINFOH=1 | | ",
        v2: " | | ",
    },
    Group {
        name: "freebsd",
        triples: &[
            "x86_64-unknown-freebsd",
            "aarch64-unknown-freebsd",
            "x86_64-unknown-dragonfly",
        ],
        v3: "MI_HAS_UNISTDH=1 MI_HAS_EXECINFOH=1 | -ftls-model=initial-exec | execinfo util pthread",
        v2: " | -ftls-model=initial-exec | pthread",
    },
    Group {
        name: "netbsd",
        triples: &["x86_64-unknown-netbsd", "x86_64-unknown-openbsd"],
        v3: "MI_HAS_UNISTDH=1 MI_HAS_EXECINFOH=1 | -ftls-model=initial-exec | execinfo pthread",
        v2: " | -ftls-model=initial-exec | pthread",
    },
    Group {
        name: "solaris",
        triples: &["x86_64-unknown-illumos", "x86_64-pc-solaris"],
        v3: "MI_HAS_UNISTDH=1 | -ftls-model=initial-exec | ",
        v2: " | -ftls-model=initial-exec | ",
    },
    Group {
        name: "haiku",
        triples: &["x86_64-unknown-haiku"],
        v3: "MI_HAS_UNISTDH=1 | | ",
        v2: " | | ",
    },
    Group {
        name: "emscripten",
        triples: &["wasm32-unknown-emscripten"],
        v3: "MI_HAS_UNISTDH=1 | | ",
        v2: " | | ",
    },
    Group {
        name: "wasi",
        triples: &["wasm32-wasip1"],
        v3: "MI_FREE_USE_PAGEMAP=1 _WASI_EMULATED_PROCESS_CLOCKS=1 | | wasi-emulated-process-clocks",
        v2: "_WASI_EMULATED_PROCESS_CLOCKS=1 | | wasi-emulated-process-clocks",
    },
];

/// In every plan without features: release-grade C, and v3's statistics, profiler, no guard
/// pages, and small pages like all others. `MI_ENABLE_LARGE_PAGES=0` is added below, before what is probed.
const EVERY_V3: &str =
    "NDEBUG=1 MI_BUILD_RELEASE=1 MI_CMAKE_BUILD_TYPE=release MI_STATS=1 MI_PROFILE=1 MI_GUARDED=0 MI_DEFAULT_STATS_MERGE_THRESHOLD=67108864 MI_OPT_FREE_SMALL=0";
const EVERY_V2: &str = "NDEBUG=1 MI_BUILD_RELEASE=1 MI_CMAKE_BUILD_TYPE=release";
/// `?` before a flag: only if the compiler knows it; `gcc:`, only if it is gcc.
const EVERY_FLAG: &str = "-fvisibility=hidden ?-Wno-unknown-pragmas ?-Wno-static-in-inline ?-pipe";

#[test]
fn every_target_has_its_plan() {
    assert!(targets().len() >= 30);
    for (group, target) in targets() {
        for major in [Major::V2, Major::V3] {
            let (every, own) = match major {
                Major::V2 => (EVERY_V2, group.v2),
                Major::V3 => (EVERY_V3, group.v3),
            };
            let parts: Vec<&str> = own.split('|').collect();
            let mut defines = words(&format!("{every} {}", parts[0]));
            let mut flags = words(&format!("{} {EVERY_FLAG}", parts[1]));
            if major == Major::V3 {
                let is_probe = |define: &String| define.starts_with('?');
                let end = defines.iter().position(is_probe).unwrap_or(defines.len());
                defines.insert(end, "MI_ENABLE_LARGE_PAGES=0".into());
                flags.push("gcc:-fno-inline-small-functions".into());
            }
            let expected = Shown {
                language: if group.name == "msvc" { "C++17" } else { "C" },
                opt_level: "3".into(),
                defines,
                flags,
                libraries: words(parts[2]),
                warnings: vec![],
            };
            let got = show(&plan_of(&config(&target, major)));
            assert_eq!(got, expected, "{} {}", target.triple, major.name());
        }
    }
}

#[test]
fn targets_without_pages_of_memory_are_refused() {
    for triple in [
        "wasm32-unknown-unknown",
        "x86_64-unknown-none",
        "x86_64-unknown-uefi",
        "x86_64-fortanix-unknown-sgx",
    ] {
        let target = target(triple);
        let reason = plan::decide(&config(&target, Major::V3)).unwrap_err();
        let advice = format!("cfg(not(target_os = \"{}\"))", target.os);
        assert!(
            reason.contains(triple) && reason.contains(&advice),
            "{reason}"
        );
    }
}

/// One feature on some targets: what it adds to their plan (`+`) and removes from it (`-`).
struct Effect {
    feature: &'static str,
    /// Names of groups, or `*` for all that no earlier row of this feature has named.
    groups: &'static str,
    major: &'static str,
    change: &'static str,
}

const fn effect(
    feature: &'static str,
    groups: &'static str,
    major: &'static str,
    change: &'static str,
) -> Effect {
    Effect {
        feature,
        groups,
        major,
        change,
    }
}

const EFFECTS: &[Effect] = &[
    effect("v3", "*", "both", ""),
    effect("v2", "*", "both", ""),
    effect("extended", "*", "both", ""),
    effect("arena", "*", "both", ""),
    effect("cty", "*", "both", ""),
    effect("secure", "*", "v3", "+MI_SECURE=4 +MI_SHOW_ERRORS=1 -MI_ENABLE_LARGE_PAGES=0"),
    effect("secure", "*", "v2", "+MI_SECURE=4 +MI_SHOW_ERRORS=1"),
    effect("secure_full", "*", "v3", "+MI_SECURE=5 +MI_SHOW_ERRORS=1 -MI_ENABLE_LARGE_PAGES=0"),
    effect("secure_full", "*", "v2", "+MI_SECURE=5 +MI_SHOW_ERRORS=1"),
    effect("guarded", "*", "v3", "-MI_GUARDED=0 +MI_GUARDED=1 -MI_ENABLE_LARGE_PAGES=0"),
    effect("guarded", "*", "v2", "+MI_GUARDED=1"),
    effect("debug", "*", "v3", "-NDEBUG=1 -MI_BUILD_RELEASE=1 -MI_CMAKE_BUILD_TYPE=release -MI_STATS=1 -MI_PROFILE=1 -MI_GUARDED=0 -MI_ENABLE_LARGE_PAGES=0 \
        +MI_DEBUG=2 +MI_CMAKE_BUILD_TYPE=debug +MI_STATS=2 +MI_PROFILE=2 +MI_GUARDED=2 -O3 +O0"),
    effect("debug", "*", "v2", "-NDEBUG=1 -MI_BUILD_RELEASE=1 -MI_CMAKE_BUILD_TYPE=release +MI_DEBUG=2 +MI_CMAKE_BUILD_TYPE=debug -O3 +O0"),
    effect("debug_full", "*", "v3", "-NDEBUG=1 -MI_BUILD_RELEASE=1 -MI_CMAKE_BUILD_TYPE=release -MI_STATS=1 -MI_PROFILE=1 -MI_GUARDED=0 -MI_ENABLE_LARGE_PAGES=0 \
        +MI_DEBUG=3 +MI_CMAKE_BUILD_TYPE=debug +MI_STATS=2 +MI_PROFILE=2 +MI_GUARDED=2 -O3 +O0"),
    effect("debug_full", "*", "v2", "-NDEBUG=1 -MI_BUILD_RELEASE=1 -MI_CMAKE_BUILD_TYPE=release +MI_DEBUG=3 +MI_CMAKE_BUILD_TYPE=debug -O3 +O0"),
    // Without debug assertions. `debug_in_debug_follows_the_profile` has them.
    effect("debug_in_debug", "*", "both", ""),
    effect("override", "msvc mingw mingw-ucrt", "both", "!override:cannot"),
    effect("override", "apple", "both", "+MI_MALLOC_OVERRIDE=1 +MI_OSX_ZONE=1 +MI_OSX_INTERPOSE=1 +-fno-builtin-malloc"),
    effect("override", "*", "both", "+MI_MALLOC_OVERRIDE=1 +-fno-builtin-malloc"),
    effect("local_dynamic_tls", "musl musl-riscv", "both", "!local_dynamic_tls:always"),
    effect("local_dynamic_tls", "apple", "both", "!local_dynamic_tls:Apple"),
    effect("local_dynamic_tls", "msvc mingw mingw-ucrt", "both", "!local_dynamic_tls:Windows"),
    effect("local_dynamic_tls", "haiku emscripten wasi", "both", "!local_dynamic_tls:choice"),
    effect("local_dynamic_tls", "*", "both", "--ftls-model=initial-exec +-ftls-model=local-dynamic"),
    effect("win_direct_tls", "msvc mingw mingw-ucrt", "v3", "+MI_WIN_DIRECT_TLS=1"),
    effect("win_direct_tls", "msvc mingw mingw-ucrt", "v2", "+MI_WIN_USE_FIXED_TLS=1"),
    effect("win_direct_tls", "*", "both", "!win_direct_tls:Windows"),
    effect("no_thp", "glibc glibc-riscv musl musl-riscv", "both", "+MI_DEFAULT_ALLOW_THP=0"),
    effect("no_thp", "android", "both", "!no_thp:default"),
    effect("no_thp", "*", "both", "!no_thp:Linux"),
    effect("skip_collect_on_exit", "*", "both", "+MI_SKIP_COLLECT_ON_EXIT=1"),
    effect("free_use_pagemap", "wasi", "v3", "!free_use_pagemap:always"),
    effect("free_use_pagemap", "*", "v3", "+MI_FREE_USE_PAGEMAP=1"),
    effect("free_use_pagemap", "*", "v2", "!free_use_pagemap:segments"),
    effect("etw", "msvc", "v3", "+MI_TRACK_ETW=1 -MI_ENABLE_LARGE_PAGES=0"), effect("etw", "msvc", "v2", "+MI_TRACK_ETW=1"), effect("etw", "mingw mingw-ucrt", "both", "!etw:Microsoft"),
    effect("etw", "*", "both", "!etw:Windows"),
    effect("asm", "*", "both", "-?-pipe +assembly"),
    // Without effect in these plans; `instructions_follow_rust` has those in which it removes flags.
    effect("no_opt_arch", "*", "both", ""),
];

#[test]
fn every_feature_changes_what_it_should() {
    for (group, target) in targets() {
        for major in [Major::V2, Major::V3] {
            let base = show(&plan_of(&config(&target, major)));
            let mut seen = BTreeSet::new();
            for row in EFFECTS {
                let mentioned = row.groups == "*" || row.groups.split(' ').any(|g| g == group.name);
                let of_major = row.major == "both" || row.major == major.name();
                if !mentioned || !of_major || !seen.insert(row.feature) {
                    continue;
                }
                let mut config = config(&target, major);
                switch_on(&mut config.features, row.feature);
                let plan = plan_of(&config);
                assert_change(
                    row.change,
                    &base,
                    &plan,
                    &format!("{} {} {}", row.feature, target.triple, major.name()),
                );
            }
            assert_eq!(seen.len(), FEATURES.len() - 1, "all but opt_arch"); // see instructions_follow_rust
        }
    }
}

#[test]
fn every_feature_of_the_manifest_is_in_the_table() {
    let manifest = std::fs::read_to_string(package().join("Cargo.toml")).unwrap();
    let section = manifest.split("[features]").nth(1).unwrap();
    let section = section.split("\n[").next().unwrap();
    let declared: BTreeSet<&str> = section
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| Some(line.split_once('=')?.0.trim()))
        .collect();
    assert_eq!(declared, FEATURES.iter().copied().collect());
}

#[test]
fn debug_in_debug_follows_the_profile() {
    for major in [Major::V2, Major::V3] {
        let linux = target("x86_64-unknown-linux-gnu");
        let mut with = config(&linux, major);
        with.features.debug_in_debug = true;
        with.debug_assertions = true;
        let mut debug = config(&linux, major);
        debug.features.debug = true;
        assert_eq!(plan_of(&with), plan_of(&debug));
        // Cargo's profile alone has no effect.
        let mut without = config(&linux, major);
        without.debug_assertions = true;
        assert_eq!(plan_of(&without), plan_of(&config(&linux, major)));
    }
}

#[test]
fn both_majors_are_v3_with_a_warning() {
    let features = |v2, v3| Features {
        v2,
        v3,
        ..Features::default()
    };
    assert_eq!(features(false, false).major(), Major::V3);
    assert_eq!(features(false, true).major(), Major::V3);
    assert_eq!(features(true, true).major(), Major::V3);
    assert_eq!(features(true, false).major(), Major::V2);
    let mut config = config(&target("x86_64-unknown-linux-gnu"), Major::V3);
    config.features = features(true, true);
    assert_eq!(
        plan_of(&config).warnings,
        ["the features `v2` and `v3` are both on: v3 is built"]
    );
}

/// Rust's features of the target and this crate's features, and the compiler's flags for them.
#[test]
fn instructions_follow_rust() {
    let v3 = "sse3 ssse3 sse4.1 sse4.2 popcnt avx avx2 bmi1 bmi2 lzcnt movbe fma f16c cmpxchg16b";
    let v3_flags = "-msse3 -mssse3 -msse4.1 -msse4.2 -mpopcnt -mavx -mavx2 -mbmi -mbmi2 -mlzcnt -mmovbe cl:/arch:AVX2";
    let none = "!opt_arch:instructions";
    // triple, major version, Rust's target features, crate features, flags
    let rows: &[(&str, &str, &str, &str, &str)] = &[
        ("x86_64-unknown-linux-gnu", "both", "fxsr sse sse2", "", ""),
        ("x86_64-unknown-linux-gnu", "both", v3, "", v3_flags),
        ("x86_64-unknown-linux-gnu", "both", v3, "no_opt_arch", ""),
        (
            "x86_64-unknown-linux-gnu",
            "v3",
            "sse2",
            "opt_arch",
            "-march=haswell -mavx2 cl:/arch:AVX2",
        ),
        ("x86_64-unknown-linux-gnu", "v2", "sse2", "opt_arch", none),
        (
            "x86_64-unknown-linux-gnu",
            "v3",
            "sse2",
            "opt_arch no_opt_arch",
            "!both on",
        ),
        (
            "x86_64-pc-windows-msvc",
            "both",
            "avx",
            "",
            "-mavx cl:/arch:AVX",
        ),
        (
            "i686-unknown-linux-gnu",
            "both",
            "sse sse2",
            "opt_arch",
            none,
        ),
        ("i686-unknown-linux-gnu", "both", "sse2 sse3", "", "-msse3"),
        ("aarch64-unknown-linux-gnu", "both", "neon", "", ""),
        (
            "aarch64-unknown-linux-gnu",
            "both",
            "neon lse",
            "",
            "?-march=armv8-a+lse cl:/arch:armv8.1",
        ),
        (
            "aarch64-unknown-linux-gnu",
            "both",
            "neon lse rcpc crc",
            "",
            "?-march=armv8-a+lse+rcpc cl:/arch:armv8.1",
        ),
        (
            "aarch64-unknown-linux-gnu",
            "both",
            "lse",
            "no_opt_arch",
            "",
        ),
        (
            "aarch64-unknown-linux-gnu",
            "both",
            "neon",
            "opt_arch",
            "-march=armv8.1-a cl:/arch:armv8.1",
        ),
        (
            "aarch64-unknown-linux-gnu",
            "both",
            "lse rcpc",
            "opt_arch",
            "?-march=armv8.1-a+rcpc cl:/arch:armv8.1",
        ),
        (
            "aarch64-apple-darwin",
            "both",
            "lse rcpc",
            "",
            "cl:/arch:armv8.1",
        ),
        (
            "aarch64-apple-darwin",
            "v3",
            "lse rcpc",
            "opt_arch",
            "-march=armv8.3-a cl:/arch:armv8.1",
        ),
        (
            "armv7-unknown-linux-gnueabihf",
            "v3",
            "v7 neon",
            "opt_arch",
            "-march=armv8.1-a",
        ),
        (
            "armv7-unknown-linux-gnueabihf",
            "v2",
            "v7 neon",
            "opt_arch",
            none,
        ),
        ("armv7-unknown-linux-gnueabihf", "both", "v7 neon", "", ""),
        ("riscv64gc-unknown-linux-gnu", "both", "a c d f m", "", ""),
        (
            "riscv64gc-unknown-linux-gnu",
            "both",
            "a c zba zbb zbs",
            "",
            "?-march=rv64gc_zba_zbb_zbs",
        ),
        (
            "riscv64gc-unknown-linux-gnu",
            "v3",
            "a c zbb",
            "opt_arch",
            "-march=rv64gcb_zacas",
        ),
        (
            "s390x-unknown-linux-gnu",
            "both",
            "vector",
            "opt_arch",
            none,
        ),
        ("x86_64-unknown-haiku", "both", "sse2", "opt_arch", none),
        ("wasm32-wasip1", "both", "sign-ext", "", ""),
        (
            "wasm32-unknown-emscripten",
            "both",
            "atomics bulk-memory",
            "no_opt_arch", // shared memory is no optimisation
            "-matomics -mbulk-memory",
        ),
    ];
    for (triple, of_major, rust, features, change) in rows {
        for major in [Major::V2, Major::V3] {
            if *of_major != "both" && *of_major != major.name() {
                continue;
            }
            let mut config = config(&target(triple), major);
            let base = show(&plan_of(&config));
            config.target.features = words(rust);
            for feature in words(features) {
                switch_on(&mut config.features, &feature);
            }
            let change = words_apart(change)
                .iter()
                .map(|word| match word.strip_prefix('!') {
                    Some(_) => word.clone(),
                    None => format!("+{word}"),
                })
                .collect::<Vec<_>>()
                .join(" ");
            assert_change(
                &change,
                &base,
                &plan_of(&config),
                &format!("{triple} {} {rust} / {features}", major.name()),
            );
        }
    }
}

/// Sanitizers, valgrind and event tracing; combinations that exclude each other are refused.
#[test]
fn tools_are_enabled_or_refused() {
    // triple, sanitizers, MIMALLOC_SYS_TRACK, crate features, change or `error: part of the message`
    let rows: &[(&str, &str, &str, &str, &str)] = &[
        (
            "x86_64-unknown-linux-gnu",
            "address",
            "",
            "",
            "+MI_TRACK_ASAN=1 -MI_ENABLE_LARGE_PAGES=0@v3 +-fsanitize=address +cl:/fsanitize=address +<sanitizer/asan_interface.h>",
        ),
        (
            "x86_64-pc-windows-msvc",
            "address",
            "",
            "",
            "+MI_TRACK_ASAN=1 -MI_ENABLE_LARGE_PAGES=0@v3 +-fsanitize=address +cl:/fsanitize=address +<sanitizer/asan_interface.h>",
        ),
        (
            "x86_64-unknown-linux-gnu",
            "",
            "asan",
            "",
            "+MI_TRACK_ASAN=1 -MI_ENABLE_LARGE_PAGES=0@v3 +-fsanitize=address +cl:/fsanitize=address +<sanitizer/asan_interface.h> !-Clink-arg=-fsanitize=address",
        ),
        (
            "x86_64-unknown-linux-gnu",
            "address",
            "asan",
            "",
            "+MI_TRACK_ASAN=1 -MI_ENABLE_LARGE_PAGES=0@v3 +-fsanitize=address +cl:/fsanitize=address +<sanitizer/asan_interface.h>",
        ),
        (
            "aarch64-apple-darwin",
            "thread",
            "",
            "",
            "+MI_TSAN=1 -MI_ENABLE_LARGE_PAGES=0@v3 +-fsanitize=thread -O3 +O1 +clang",
        ),
        (
            "x86_64-unknown-linux-gnu",
            "",
            "valgrind",
            "",
            "+MI_TRACK_VALGRIND=1 -MI_ENABLE_LARGE_PAGES=0@v3 +<valgrind/memcheck.h>",
        ),
        (
            "x86_64-unknown-linux-gnu",
            "memory",
            "",
            "",
            "!-Zsanitizer=memory",
        ),
        (
            "x86_64-unknown-linux-gnu",
            "leak",
            "",
            "override",
            "!-Zsanitizer=leak +MI_MALLOC_OVERRIDE=1 +-fno-builtin-malloc",
        ),
        (
            "x86_64-unknown-linux-gnu",
            "address",
            "",
            "override",
            "+MI_TRACK_ASAN=1 -MI_ENABLE_LARGE_PAGES=0@v3 +-fsanitize=address +cl:/fsanitize=address +<sanitizer/asan_interface.h> !override:replaces",
        ),
        (
            "x86_64-pc-windows-msvc",
            "address",
            "",
            "etw",
            "+MI_TRACK_ASAN=1 -MI_ENABLE_LARGE_PAGES=0@v3 +-fsanitize=address +cl:/fsanitize=address +<sanitizer/asan_interface.h> !etw:one",
        ),
        (
            "x86_64-unknown-linux-gnu",
            "address",
            "valgrind",
            "",
            "error: exclude each other",
        ),
        (
            "x86_64-unknown-linux-gnu",
            "thread",
            "asan",
            "",
            "error: exclude each other",
        ),
        (
            "x86_64-pc-windows-gnu",
            "",
            "valgrind",
            "",
            "error: no valgrind for Windows",
        ),
        (
            "x86_64-unknown-linux-gnu",
            "",
            "Valgrind",
            "",
            "error: only `valgrind` and `asan` are known",
        ),
    ];
    for (triple, sanitizers, track, features, expected) in rows {
        for major in [Major::V2, Major::V3] {
            let mut config = config(&target(triple), major);
            let base = show(&plan_of(&config));
            config.sanitizers = words(sanitizers);
            config.track = Some(track.to_string()).filter(|track| !track.is_empty());
            for feature in words(features) {
                switch_on(&mut config.features, &feature);
            }
            let about = format!("{triple} {sanitizers} {track} {features}");
            match expected.strip_prefix("error: ") {
                Some(part) => {
                    let reason = plan::decide(&config).unwrap_err();
                    assert!(reason.contains(part), "{about}: {reason}");
                }
                None => {
                    let expected = of_major(expected, major);
                    assert_change(&expected, &base, &plan_of(&config), &about);
                }
            }
        }
    }
}

/// In every build mode, unlike the entry points: the code that holds the locks depends on nothing else.
#[test]
fn locks_are_held_across_a_fork_on_unix() {
    let fork = |triple: &str, major| plan_of(&config(&target(triple), major)).fork;
    for unix in [
        "x86_64-unknown-linux-gnu",
        "x86_64-unknown-linux-musl",
        "aarch64-apple-darwin",
        "x86_64-unknown-freebsd",
    ] {
        assert!(fork(unix, Major::V3) && fork(unix, Major::V2), "{unix}");
    }
    for other in [
        "x86_64-pc-windows-msvc",
        "x86_64-pc-windows-gnu",
        "wasm32-wasip1",
        "wasm32-unknown-emscripten",
    ] {
        assert!(
            !fork(other, Major::V3) && !fork(other, Major::V2),
            "{other}"
        );
    }
    for major in [Major::V3, Major::V2] {
        assert!(Version::supported(major).has_known_locks());
    }
    for other in [30500, 30601, 20501, 20503] {
        assert!(!Version::from_number(other).has_known_locks());
    }
    let mut checked = config(&target("x86_64-unknown-linux-gnu"), Major::V3);
    checked.features.secure = true;
    assert!(plan_of(&checked).fork && !has_general_entry_points(&checked));
}

/// They rely on the internals of one release of v3, and do not support padding.
#[test]
fn own_entry_points_are_for_v3_without_checks() {
    let linux = target("x86_64-unknown-linux-gnu");
    let mut config = config(&linux, Major::V3);
    assert!(has_general_entry_points(&config));
    config.features.free_use_pagemap = true;
    assert!(has_general_entry_points(&config));
    config.features.guarded = true;
    assert!(!has_general_entry_points(&config));
    config.features.guarded = false;
    config.major = Major::V2;
    assert!(!has_general_entry_points(&config));

    assert!(Version::supported(Major::V3).has_custom_entry_points());
    for other in [30500, 30601, 40000, 20502] {
        assert!(!Version::from_number(other).has_custom_entry_points());
    }
    assert!(
        Version::supported(Major::V3).has_inlined() && Version::supported(Major::V2).has_inlined()
    );
    for other in [30500, 30601, 20501, 20503] {
        assert!(!Version::from_number(other).has_inlined());
    }
}

/// What was checked with the pinned release alone is off for other sources, and so are its definitions.
#[test]
fn other_sources_have_no_part_for_one_release() {
    for (major, other) in [(Major::V3, 30601), (Major::V2, 20503)] {
        let pinned = Config {
            opt_level: "3".into(),
            defines: vec![Define {
                name: "MI_ARENA_SLICE_SHIFT".into(),
                value: Some("17".into()),
            }],
            ..config(&target("x86_64-unknown-linux-gnu"), major)
        };
        let plan = plan_of(&pinned);
        assert!(plan.fork && plan.wraps_upstream);
        let large_slices = major == Major::V3;
        assert_eq!(plan.fast_path.code, Code::Rust { large_slices });
        assert_eq!(has_general_entry_points(&pinned), major == Major::V3);
        assert_eq!(plan.is_on(fast_path::LARGE_SLICES), major == Major::V3);
        let checkout = Release {
            version: Version::supported(major),
            is_pinned: false,
        };
        let newer = Release {
            version: Version::from_number(other),
            is_pinned: true,
        };
        for (release, reason) in [(checkout, "pinned release"), (newer, "not checked with")] {
            let mut config = pinned.clone();
            config.release = Some(release);
            let plan = plan_of(&config);
            assert!(!plan.fork && !plan.wraps_upstream);
            let code = Code::Upstream { exact_size: false };
            assert_eq!(plan.fast_path.code, code);
            assert!(!plan.is_on(fast_path::LARGE_SLICES));
            let why = plan.fast_path.why_not_rust.unwrap();
            assert!(why.contains(reason), "{why}");
            config.features.secure = true;
            let code = Code::Upstream { exact_size: true };
            assert_eq!(plan_of(&config).fast_path.code, code);
        }
    }
}

/// The description of the fast path in the build's output.
#[test]
fn the_fast_path_is_described() {
    let described = |change: &dyn Fn(&mut Config)| {
        let mut config = Config {
            opt_level: "3".into(),
            ..config(&target("x86_64-unknown-linux-gnu"), Major::V3)
        };
        change(&mut config);
        let (name, words) = describe(&plan_of(&config).fast_path);
        format!("{name}: {words}")
    };
    let triple = |triple: &'static str| described(&|config| config.target = target(triple));
    assert_eq!(described(&|_| ()), "rust: Rust code, inlined into callers");
    for (got, expected) in [
        (
            described(&|c| c.opt_level = "s".into()),
            "c: C entry points (opt-level s)",
        ),
        (
            described(&|c| c.debug_assertions = true),
            "c: C entry points (debug assertions)",
        ),
        (
            described(&|c| c.features.local_dynamic_tls = true),
            "c: C entry points (thread-local variables are not of the model initial-exec)",
        ),
        (
            described(&|c| c.features.secure = true),
            "c: C entry points (MI_SECURE uses the bytes behind a block)",
        ),
        (
            described(&|c| c.features.debug = true),
            "upstream: upstream's functions (MI_GUARDED uses the bytes behind a block)",
        ),
        (
            described(&|c| c.sanitizers = vec!["thread".into()]),
            "c: C entry points (-fsanitize=thread must see each block)",
        ),
        (
            described(&|c| (c.major, c.opt_level) = (Major::V2, "0".into())),
            "upstream: upstream's functions (opt-level 0)",
        ),
        (
            triple("s390x-unknown-linux-gnu"),
            "c: C entry points (only for x86_64 and aarch64)",
        ),
        (
            triple("x86_64-unknown-freebsd"),
            "c: C entry points (only for Linux with glibc or static musl, and v3 on Windows with MinGW's gcc)",
        ),
        (
            triple("x86_64-pc-windows-gnu"),
            "rust: Rust code, inlined into callers",
        ),
        (
            triple("x86_64-pc-windows-gnullvm"),
            "c: C entry points (only for Linux with glibc or static musl, and v3 on Windows with MinGW's gcc)",
        ),
        (
            described(&|c| {
                c.target = target("x86_64-pc-windows-gnu");
                c.major = Major::V2;
            }),
            "upstream: upstream's functions (only for Linux with glibc or static musl, and v3 on Windows with MinGW's gcc)",
        ),
        (
            described(&|c| {
                c.target = target("x86_64-pc-windows-gnu");
                c.features.win_direct_tls = true;
            }),
            "rust: Rust code, inlined into callers",
        ),
    ] {
        assert_eq!(got, expected);
    }
}

/// What the compiler's arguments and answers leave of it: they never add anything.
#[test]
fn a_fast_path_is_only_ever_reduced() {
    let upstream = |exact_size| Code::Upstream { exact_size };
    let rust = |large_slices| Code::Rust { large_slices };
    let path = |code| FastPath {
        code,
        why_not_rust: None,
    };
    let all = [
        upstream(false),
        upstream(true),
        Code::C,
        Code::Secure,
        rust(false),
        rust(true),
    ];
    for code in all {
        assert!(Code::NAMES.contains(&code.name()), "{code:?}");
        for major in [Major::V3, Major::V2] {
            let left = path(code).without_rust(major, "first".into());
            let expected = match (code, major) {
                (Code::Rust { .. }, Major::V3) => Code::C,
                (Code::Rust { .. }, Major::V2) => upstream(false),
                _ => code,
            };
            assert_eq!(left.code, expected, "{code:?}");
            let again = left.without_rust(major, "second".into());
            assert_eq!(again.why_not_rust.as_deref(), Some("first"));
            // It falls back on nothing that was not compiled.
            let files = code.c_files(major);
            assert!(again.code.c_files(major) == files, "{code:?} {major:?}");
        }
    }
    let release = Define {
        name: "NDEBUG".into(),
        value: Some("1".into()),
    };
    for (name, of_secure, of_c, of_rust) in [
        ("NDEBUG", upstream(false), Code::C, rust(false)),
        ("MI_SECURE", Code::Secure, upstream(true), upstream(true)),
        ("MI_GUARDED", upstream(true), upstream(true), upstream(true)),
        (
            fast_path::LARGE_SLICES,
            upstream(false),
            Code::C,
            rust(true),
        ),
    ] {
        let mut other = release.clone();
        other.name = name.into();
        let defines = [release.clone(), other];
        let left = |code| path(code).with_definitions(&defines);
        let checks = of_c == upstream(true);
        assert_eq!(left(Code::Secure).code, of_secure, "{name}");
        assert_eq!(left(Code::C).code, of_c, "{name}");
        for large_slices in [false, true] {
            assert_eq!(left(rust(large_slices)).code, of_rust, "{name}");
        }
        for exact_size in [false, true] {
            assert_eq!(left(upstream(exact_size)).code, upstream(checks), "{name}");
        }
        assert_eq!(left(Code::C).why_not_rust.is_some(), checks, "{name}");
    }
}

/// Builds with mitigations have others, also if a definition has asked for the mitigations.
#[test]
fn own_entry_points_for_mitigations_are_for_v3() {
    let linux = target("x86_64-unknown-linux-gnu");
    let entries = |major, change: &dyn Fn(&mut Config)| {
        let mut config = config(&linux, major);
        change(&mut config);
        plan_of(&config).fast_path.code == Code::Secure
    };
    assert!(!entries(Major::V3, &|_| ()));
    assert!(!entries(Major::V3, &|config| config.features.debug = true));
    assert!(entries(Major::V3, &|config| config.features.secure = true));
    assert!(entries(Major::V3, &|config| config.features.secure_full = true));
    assert!(!entries(Major::V2, &|config| config.features.secure = true));
    assert!(entries(Major::V3, &|config| {
        config.defines = vec![Define {
            name: "MI_SECURE".into(),
            value: Some("3".into()),
        }];
    }));
}

/// Where the Rust code for small blocks is used: it finds the theap of the thread as the C code does, in optimised
/// programs.
#[test]
fn small_blocks_are_inlined_on_three_platforms_in_optimised_code() {
    let linux = || Config {
        opt_level: "3".into(),
        ..config(&target("x86_64-unknown-linux-gnu"), Major::V3)
    };
    let inlined = |change: &dyn Fn(&mut Config)| {
        let mut config = linux();
        change(&mut config);
        is_rust(&plan_of(&config))
    };
    assert!(inlined(&|_| ()));
    assert!(inlined(&|config| config.opt_level = "2".into()));
    assert!(inlined(&|config| config.features.override_malloc = true));

    for level in ["0", "1", "s", "z"] {
        assert!(
            !inlined(&|config| config.opt_level = level.into()),
            "{level}"
        );
    }
    assert!(!inlined(&|config| config.debug_assertions = true));
    assert!(inlined(&|config| config.major = Major::V2));
    assert!(!inlined(&|config| config.features.secure = true));
    assert!(!inlined(&|config| {
        config.major = Major::V2;
        config.features.secure = true;
    }));
    assert!(!inlined(&|config| config.features.local_dynamic_tls = true));
    assert!(!inlined(&|config| config.sanitizers = words("thread")));
    assert!(!inlined(&|config| {
        config.lto = Some("fat".into());
        config.rust_flags = words("-Clinker-plugin-lto");
    }));
    for (group, other) in targets() {
        let glibc = group.name == "glibc" && ["x86_64", "aarch64"].contains(&other.arch.as_str());
        let expected = glibc || other.triple == "x86_64-pc-windows-gnu";
        let got = inlined(&|config| config.target = other.clone());
        assert_eq!(got, expected, "{}", other.triple);
    }
    // This target emulates thread-local variables.
    assert!(!inlined(
        &|config| config.target = target("x86_64-unknown-linux-ohos")
    ));
}

#[test]
fn bitcode_needs_its_kind_a_target_and_rustcs_flag() {
    let plan = |triple: &str, lto: &str, rust_flags: &[&str]| {
        let mut config = config(&target(triple), Major::V3);
        let base = show(&plan_of(&config));
        config.lto = Some(lto.to_string());
        config.rust_flags = rust_flags.iter().map(|flag| flag.to_string()).collect();
        plan::decide(&config).map(|plan| (plan, base))
    };
    let linux = "x86_64-unknown-linux-gnu";
    for flags in [
        &["-Clinker-plugin-lto"][..],
        &["-Copt-level=2", "-C", "linker-plugin-lto"],
        &["--codegen=linker-plugin-lto=/usr/lib/LLVMgold.so"],
    ] {
        for (kind, flag) in [("thin", "-flto=thin"), ("fat", "-flto=full")] {
            let (plan, base) = plan(linux, kind, flags).unwrap();
            assert!(plan.bitcode);
            let change = format!("+{flag} +MI_MALLOC_SYS_STATIC_TLS=1 +MI_MALLOC_SYS_LTO=1");
            assert_change(&change, &base, &plan, kind);
        }
    }
    for flags in [&[][..], &["-Clto=fat"], &["-Clinker-plugin-lto=no"]] {
        let reason = plan(linux, "thin", flags).unwrap_err();
        assert!(reason.contains("leave bitcode"), "{reason}");
    }
    for kind in ["1", "full", "Thin"] {
        let reason = plan(linux, kind, &["-Clinker-plugin-lto"]).unwrap_err();
        assert!(reason.contains(kind), "{reason}");
    }
    for triple in [
        "x86_64-pc-windows-msvc",
        "x86_64-pc-windows-gnu",
        "aarch64-apple-darwin",
        "wasm32-wasip1",
    ] {
        let reason = plan(triple, "fat", &["-Clinker-plugin-lto"]).unwrap_err();
        assert!(reason.contains("ELF"), "{reason}");
    }
}

/// Cargo does not report it if rustc does so by default.
#[test]
fn rustc_is_queried_whether_it_links_musl() {
    let is_static = "panic=\"unwind\"\ntarget_feature=\"crt-static\"\ntarget_os=\"linux\"\n";
    let is_dynamic = "panic=\"unwind\"\ntarget_os=\"linux\"\n";
    let musl = target("x86_64-unknown-linux-musl");
    let gnu = target("x86_64-unknown-linux-gnu");
    let links_musl = |target: &Target, host: &str, answer: Option<&str>| {
        rustc::links_musl(target, host, || answer.map(str::to_string))
    };
    assert!(links_musl(&musl, &gnu.triple, Some(is_static)));
    assert!(!links_musl(&musl, &gnu.triple, Some(is_dynamic)));
    assert!(!links_musl(&musl, &gnu.triple, None));
    // Proc macros are built for this target too.
    assert!(!links_musl(&musl, &musl.triple, Some(is_static)));
    // glibc always has initial-exec, so rustc is not queried.
    assert!(!rustc::links_musl(&gnu, &musl.triple, || unreachable!()));
}

/// With the installed rustc, if it has the target.
#[test]
fn rustc_answers_for_musl() {
    let cfgs = |flags: &[&str]| {
        let flags: Vec<String> = flags.iter().map(|flag| flag.to_string()).collect();
        rustc::cfgs("rustc", "x86_64-unknown-linux-musl", &flags)
    };
    let musl = target("x86_64-unknown-linux-musl");
    let host = "x86_64-unknown-linux-gnu";
    assert!(rustc::links_musl(&musl, host, || cfgs(&[
        "-Ctarget-feature=+crt-static"
    ])));
    assert!(!rustc::links_musl(&musl, host, || cfgs(&[
        "",
        "-Ctarget-feature=-crt-static"
    ])));
    assert!(rustc::cfgs("rustc", "no-such-target", &[]).map_or(true, |text| text.is_empty()));
}

/// If a flag makes rustc link musl into the program.
#[test]
fn static_musl_has_initial_exec_and_inlines() {
    let plan = |triple: &str, major: Major, change: &dyn Fn(&mut Config)| {
        let mut config = config(&target(triple), major);
        config.opt_level = "3".into();
        config.debug_assertions = false;
        config
            .target
            .features
            .retain(|feature| feature != "crt-static");
        change(&mut config);
        plan_of(&config)
    };
    let model = |plan: &Plan| -> String {
        let mut flags = plan.flags.iter().map(|flag| flag.text.clone());
        flags.find(|flag| flag.starts_with("-ftls-model=")).unwrap()
    };
    let crt_static = |config: &mut Config| config.target.features.push("crt-static".into());
    for major in [Major::V3, Major::V2] {
        for triple in ["x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl"] {
            let dynamic = plan(triple, major, &|_| ());
            assert_eq!(model(&dynamic), "-ftls-model=local-dynamic");
            assert!(!is_rust(&dynamic));
            let linked = plan(triple, major, &crt_static);
            assert_eq!(model(&linked), "-ftls-model=initial-exec");
            assert!(is_rust(&linked));
            // For a static library that is linked into a shared one.
            let asked = plan(triple, major, &|config| {
                crt_static(config);
                config.features.local_dynamic_tls = true;
            });
            assert_eq!(model(&asked), "-ftls-model=local-dynamic");
            assert!(!is_rust(&asked));
        }
    }
}

/// Where assembly in the bitcode may read a thread-local variable at its offset from the thread pointer.
#[test]
fn bitcode_knows_where_thread_locals_are_static() {
    let is_static = |triple: &str, major: Major, change: &dyn Fn(&mut Config)| {
        let mut config = config(&target(triple), major);
        config.lto = Some("thin".into());
        config.rust_flags = words("-Clinker-plugin-lto");
        config
            .target
            .features
            .retain(|feature| feature != "crt-static");
        change(&mut config);
        plan_of(&config).is_on("MI_MALLOC_SYS_STATIC_TLS")
    };
    let crt_static = |config: &mut Config| config.target.features.push("crt-static".into());
    let local_dynamic = |config: &mut Config| config.features.local_dynamic_tls = true;
    for major in [Major::V3, Major::V2] {
        for glibc in ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"] {
            assert!(is_static(glibc, major, &|_| ()));
            assert!(is_static(glibc, major, &crt_static));
            assert!(!is_static(glibc, major, &local_dynamic));
        }
        let musl = "x86_64-unknown-linux-musl";
        assert!(!is_static(musl, major, &|_| ()));
        assert!(is_static(musl, major, &crt_static));
        assert!(!is_static(musl, major, &|config| {
            crt_static(config);
            local_dynamic(config);
        }));
        // Emulated, or unknown.
        for other in [
            "x86_64-unknown-linux-ohos",
            "aarch64-linux-android",
            "x86_64-unknown-openbsd",
        ] {
            assert!(!is_static(other, major, &|_| ()), "{other}");
        }
    }

    for major in [Major::V3, Major::V2] {
        assert_eq!(Version::supported(major).allows_bitcode(), Ok(()));
    }
    for other in [30500, 30601, 40000, 20501] {
        assert!(Version::from_number(other).allows_bitcode().is_err());
    }
}

#[test]
fn clang_candidates_are_not_newer_than_rustcs_llvm() {
    let rustc = "rustc 1.63.0 (4b91a6ea7 2022-08-08)\nhost: x86_64\nLLVM version: 14.0.5\n";
    assert_eq!(lto::llvm_of_rustc(rustc), Some(14));
    assert_eq!(lto::llvm_of_rustc("rustc 1.63.0\n"), None);
    let clang = |text: &str| lto::llvm_of_clang(text);
    assert_eq!(clang("Debian clang version 19.1.7 (3+b1)\n"), Some(19));
    assert_eq!(clang("clang version 22git\n"), Some(22));
    assert_eq!(clang("cc (Debian 12.2.0-14+deb12u1) 12.2.0\n"), None);
    assert_eq!(
        lto::candidates(16),
        ["clang-16", "clang-15", "clang-14", "clang"]
    );
}

#[test]
fn a_named_atomics_library_is_linked_anywhere() {
    for triple in ["armv7-unknown-linux-gnueabihf", "x86_64-unknown-freebsd"] {
        let mut config = config(&target(triple), Major::V3);
        config.atomic = Some("atomic_mine".into());
        let plan = plan_of(&config);
        assert_eq!(plan.libraries.last().unwrap(), "atomic_mine");
        assert_eq!(plan.runtime_libs, []);
    }
}

#[test]
fn definitions_of_the_user_take_the_place_of_ours() {
    let mut config = config(&target("x86_64-unknown-linux-gnu"), Major::V3);
    config.defines = vec![Define {
        name: "MI_STATS".into(),
        value: Some("0".into()),
    }];
    let defines = plan_of(&config).defines;
    assert!(defines.contains(&config.defines[0]));
    let same = |define: &&Define| define.name == "MI_STATS";
    assert_eq!(defines.iter().filter(same).count(), 1);
}

/// `MiMalloc` relies on blocks that are aligned to 16 bytes, as they are without that definition.
#[test]
fn blocks_are_aligned_for_rust() {
    for major in [Major::V3, Major::V2] {
        let with = |size: &str| {
            let mut config = config(&target("x86_64-unknown-linux-gnu"), major);
            config.defines = vec![Define {
                name: "MI_MAX_ALIGN_SIZE".into(),
                value: Some(size.into()),
            }];
            plan::decide(&config)
        };
        let reason = with("8").unwrap_err();
        assert!(reason.starts_with("MI_MAX_ALIGN_SIZE is 8, "), "{reason}");
        assert!(with("16").is_ok() && with("32").is_ok());
    }
}

/// Where the C looks behind a block: a mode's padding or guard page, a tool's red zone. No code that is chosen then rounds
/// sizes up to words.
#[test]
fn checking_builds_know_exact_sizes() {
    let linux = target("x86_64-unknown-linux-gnu");
    let exact = |change: &dyn Fn(&mut Config)| {
        let mut config = config(&linux, Major::V3);
        change(&mut config);
        match plan_of(&config).fast_path.code {
            Code::Upstream { exact_size } => exact_size,
            Code::Secure => true,
            Code::C | Code::Rust { .. } => false,
        }
    };
    assert!(!exact(&|_| {}));
    for feature in FEATURES {
        let checking = ["secure", "secure_full", "debug", "debug_full", "guarded"];
        let is_exact = exact(&|config| switch_on(&mut config.features, feature));
        assert_eq!(is_exact, checking.contains(feature), "{feature}");
    }
    assert!(exact(&|config| {
        config.features.debug_in_debug = true;
        config.debug_assertions = true;
    }));
    assert!(exact(&|config| config.track = Some("valgrind".into())));
    assert!(exact(&|config| config.sanitizers = words("address")));
    assert!(!exact(&|config| config.sanitizers = words("thread")));
    for (name, value, expected) in [
        ("MI_PADDING", Some("1"), true),
        ("MI_SECURE", None, true),
        ("MI_GUARDED", Some("2"), true),
        ("MI_PADDING", Some("0"), false),
        ("MI_XMALLOC", Some("1"), false),
    ] {
        let is_exact = exact(&|config| {
            config.defines = vec![Define {
                name: name.into(),
                value: value.map(str::to_string),
            }];
        });
        assert_eq!(is_exact, expected, "{name} {value:?}");
    }
}

/// A definition that no C file reads would have no effect.
#[test]
fn every_definition_is_read_by_the_c_code() {
    // These are read by the platform's headers.
    let platforms = ["_WIN32_WINNT", "_WASI_EMULATED_PROCESS_CLOCKS"];
    let major = if cfg!(mi_v3) { Major::V3 } else { Major::V2 };
    let mut names = BTreeSet::new();
    for (_, target) in targets() {
        for feature in FEATURES {
            for (track, sanitizer) in [("", ""), ("valgrind", ""), ("", "address"), ("", "thread")]
            {
                let mut config = config(&target, major);
                switch_on(&mut config.features, feature);
                config.track = Some(track.to_string()).filter(|track| !track.is_empty());
                config.sanitizers = words(sanitizer);
                if let Ok(plan) = plan::decide(&config) {
                    names.extend(plan.defines.into_iter().map(|define| define.name));
                    names.extend(plan.optional_headers.into_iter().map(|probe| probe.define));
                }
            }
        }
    }
    assert!(names.len() > 20);
    let conditions = conditions(Path::new(env!("MIMALLOC_SYS_SOURCES")));
    for name in names {
        let known = platforms.contains(&name.as_str()) || conditions.contains(&name);
        assert!(known, "no C file reads {name}");
    }
    assert!(!conditions.contains("MI_DEBUG_FULL")); // the check can fail
}

#[test]
fn the_bound_release_is_the_pinned_one() {
    let major = if cfg!(mi_v3) { Major::V3 } else { Major::V2 };
    let header = Path::new(env!("MIMALLOC_SYS_SOURCES")).join("include/mimalloc.h");
    let header = std::fs::read_to_string(header).unwrap();
    assert_eq!(Version::of_header(&header), Some(Version::supported(major)));
    for (number, text) in [
        (217, "2.1.7"),
        (300, "3.0.0"),
        (20502, "2.5.2"),
        (30600, "3.6.0"),
    ] {
        assert_eq!(Version::from_number(number).to_string(), text);
    }
}

#[test]
fn releases_that_the_bindings_fit() {
    for (number, v2, v3) in [
        (198, false, false),
        (224, false, false),
        (20302, false, false),
        (20500, true, false),
        (20502, true, false),
        (20600, true, false),
        (30302, false, false),
        (30502, false, false),
        (30600, false, true),
        (30700, false, true),
        (40000, false, false),
    ] {
        let version = Version::from_number(number);
        for (major, fits) in [(Major::V2, v2), (Major::V3, v3)] {
            assert_eq!(version.fits(major), fits, "{version} {}", major.name());
        }
    }
    for (number, major, warned) in [
        (20500, Major::V2, false),
        (20502, Major::V2, false),
        (20600, Major::V2, true),
        (30600, Major::V3, false),
        (30601, Major::V3, true),
    ] {
        let version = Version::from_number(number);
        assert_eq!(version.warning(major).is_some(), warned, "{version}");
    }
}

// ---------------------------------------------------------------------------------------------

const FEATURES: &[&str] = &[
    "v3",
    "v2",
    "secure",
    "secure_full",
    "debug",
    "debug_full",
    "debug_in_debug",
    "guarded",
    "override",
    "local_dynamic_tls",
    "win_direct_tls",
    "no_thp",
    "skip_collect_on_exit",
    "free_use_pagemap",
    "etw",
    "opt_arch",
    "no_opt_arch",
    "asm",
    "extended",
    "arena",
    "cty",
];

fn switch_on(features: &mut Features, name: &str) {
    *(match name {
        "v2" | "v3" | "extended" | "arena" | "cty" => return, // the major version is chosen before; the others are always on
        "secure" => &mut features.secure,
        "secure_full" => &mut features.secure_full,
        "debug" => &mut features.debug,
        "debug_full" => &mut features.debug_full,
        "debug_in_debug" => &mut features.debug_in_debug,
        "guarded" => &mut features.guarded,
        "override" => &mut features.override_malloc,
        "local_dynamic_tls" => &mut features.local_dynamic_tls,
        "win_direct_tls" => &mut features.win_direct_tls,
        "no_thp" => &mut features.no_thp,
        "skip_collect_on_exit" => &mut features.skip_collect_on_exit,
        "free_use_pagemap" => &mut features.free_use_pagemap,
        "etw" => &mut features.etw,
        "opt_arch" => &mut features.opt_arch,
        "no_opt_arch" => &mut features.no_opt_arch,
        "asm" => &mut features.asm,
        other => panic!("{other}"),
    }) = true;
}

/// A plan as words.
#[derive(Debug, PartialEq, Eq)]
struct Shown {
    language: &'static str,
    opt_level: String,
    defines: Vec<String>,
    flags: Vec<String>,
    libraries: Vec<String>,
    warnings: Vec<String>,
}

fn show(plan: &Plan) -> Shown {
    let mut defines: Vec<String> = plan
        .defines
        .iter()
        .map(|define| format!("{}={}", define.name, define.value.as_deref().unwrap()))
        .collect();
    defines.extend(
        plan.optional_headers
            .iter()
            .map(|probe| format!("?{}>{}", probe.header, probe.define)),
    );
    // The order within cl's flags matters, and within the others; the order between the two does not.
    let (language, mut flags): (Vec<_>, Vec<_>) = plan.flags.iter().partition(|flag| {
        plan.language == Language::Cxx17 && ["-xc++", "-std=c++17"].contains(&flag.text.as_str())
    });
    flags.sort_by_key(|flag| EVERY_FLAG.contains(&flag.text));
    let text = |flag: &&plan::Flag| match flag.if_supported {
        true => format!("?{}", flag.text),
        false => flag.text.clone(),
    };
    let mut all: Vec<String> = language.iter().map(text).collect();
    all.extend(plan.msvc_flags.iter().map(|flag| format!("cl:{flag}")));
    all.extend(flags.iter().map(text));
    all.extend(plan.gcc_flags.iter().map(|flag| format!("gcc:{flag}")));
    if plan.assembly {
        all.push("assembly".into());
    }
    all.extend(
        plan.required_headers
            .iter()
            .map(|header| format!("<{}>", header.name)),
    );
    if plan.clang_only.is_some() {
        all.push("clang".into());
    }
    let mut libraries = plan.libraries.clone();
    libraries.extend(
        plan.runtime_libs
            .iter()
            .map(|helper| format!("?{}", helper.library)),
    );
    Shown {
        language: match plan.language {
            Language::C => "C",
            Language::Cxx17 => "C++17",
        },
        opt_level: plan.opt_level.clone(),
        defines,
        flags: all,
        libraries,
        warnings: plan.warnings.clone(),
    }
}

/// `change`: `+word` and `-word` for definitions and flags, `+O1` for the level of optimisation,
/// `!part:part` for one warning that contains both parts. Nothing else may differ.
fn assert_change(change: &str, base: &Shown, plan: &Plan, about: &str) {
    let got = show(plan);
    let all = |shown: &Shown| -> BTreeSet<String> {
        let mut all: BTreeSet<String> = shown.defines.iter().cloned().collect();
        all.extend(shown.flags.iter().cloned());
        all.insert(format!("O{}", shown.opt_level));
        all
    };
    let (before, after) = (all(base), all(&got));
    let mut actual: BTreeSet<String> = after.difference(&before).map(|w| format!("+{w}")).collect();
    actual.extend(before.difference(&after).map(|w| format!("-{w}")));
    let words = words_apart(change);
    let (warned, changed): (Vec<_>, Vec<_>) = words.iter().partition(|word| word.starts_with('!'));
    let expected: BTreeSet<String> = changed.into_iter().cloned().collect();
    assert_eq!(actual, expected, "{about}");
    assert_eq!(got.libraries, base.libraries, "{about}");
    assert_eq!(got.language, base.language, "{about}");
    assert_eq!(
        got.warnings.len(),
        warned.len(),
        "{about}: {:?}",
        got.warnings
    );
    for (warning, word) in got.warnings.iter().zip(warned) {
        for part in word[1..].split(':') {
            assert!(warning.contains(part), "{about}: {warning}");
        }
    }
}

/// Leaves out what is marked with the other major version, as in `word@v3`.
fn of_major(text: &str, major: Major) -> String {
    let other = match major {
        Major::V2 => "@v3",
        Major::V3 => "@v2",
    };
    let kept: Vec<&str> = text.split(' ').filter(|w| !w.ends_with(other)).collect();
    kept.join(" ").replace(&format!("@{}", major.name()), "")
}

/// Words, but a warning goes up to the next `+` or the end.
fn words_apart(text: &str) -> Vec<String> {
    match text.find('!') {
        None => words(text),
        Some(at) => {
            let mut all = words(&text[..at]);
            let rest = &text[at..];
            let end = rest.find(" +").unwrap_or(rest.len());
            all.push(rest[..end].to_string());
            all.extend(words(&rest[end..]));
            all
        }
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_string).collect()
}

/// Whether `src/global.c` is compiled.
fn has_general_entry_points(config: &Config) -> bool {
    let code = plan_of(config).fast_path.code;
    code.c_files(config.major).first() == Some(&"src/global.c")
}

fn is_rust(plan: &Plan) -> bool {
    matches!(plan.fast_path.code, Code::Rust { .. })
}

fn plan_of(config: &Config) -> Plan {
    plan::decide(config).unwrap()
}

fn targets() -> Vec<(&'static Group, Target)> {
    GROUPS
        .iter()
        .flat_map(|group| {
            group
                .triples
                .iter()
                .map(move |triple| (group, target(triple)))
        })
        .collect()
}

/// What Cargo would pass to a build script, without the target's processor features, which differ
/// from one release of Rust to the next.
fn target(triple: &str) -> Target {
    static KNOWN: Mutex<Vec<Target>> = Mutex::new(Vec::new());
    let mut known = KNOWN.lock().unwrap();
    if let Some(target) = known.iter().find(|target| target.triple == triple) {
        return target.clone();
    }
    let target = ask_rustc(triple);
    known.push(target.clone());
    target
}

fn ask_rustc(triple: &str) -> Target {
    let output = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .args(["--print", "cfg", "--target", triple])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let cfg = String::from_utf8(output.stdout).unwrap();
    let value = |key: &str| {
        cfg.lines()
            .find_map(|line| {
                line.strip_prefix(key)?
                    .strip_prefix("=\"")?
                    .strip_suffix('"')
            })
            .unwrap_or_default()
            .to_string()
    };
    Target {
        arch: value("target_arch"),
        os: value("target_os"),
        env: value("target_env"),
        abi: value("target_abi"),
        triple: triple.to_string(),
        unix: cfg.lines().any(|line| line == "unix"),
        features: vec![],
    }
}

/// Every name in a preprocessor condition of upstream's sources.
fn conditions(root: &Path) -> BTreeSet<String> {
    let mut files = vec![root.join("include"), root.join("src")];
    let mut names = BTreeSet::new();
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(std::fs::read_dir(path).unwrap().map(|e| e.unwrap().path()));
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let text = String::from_utf8_lossy(&bytes).replace("\\\r\n", " ");
        for line in text.replace("\\\n", " ").lines() {
            let condition = match line.trim_start().strip_prefix('#') {
                Some(rest)
                    if ["if", "elif"]
                        .iter()
                        .any(|w| rest.trim_start().starts_with(w)) =>
                {
                    rest
                }
                _ => continue,
            };
            names.extend(
                without_comments(condition)
                    .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                    .map(str::to_string),
            );
        }
    }
    names
}

fn without_comments(line: &str) -> String {
    let mut kept = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("/*") {
        kept += before;
        rest = after.split_once("*/").map_or("", |(_, after)| after);
    }
    kept += rest;
    kept.split("//").next().unwrap().to_string()
}

fn package() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

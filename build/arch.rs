//! Which instructions the C may use: those that the Rust code around it may use, and no others.
//!
//! So `-C target-cpu=native` and `-C target-feature=+lse` apply to the allocator too, and a default
//! build runs on every processor of its target. Upstream requires armv8.1 on arm64, which caused
//! SIGILL on older boards (microsoft/mimalloc#1095, purpleprotocol/mimalloc_rust#165).

use super::config::{Config, Major};
use super::plan::Plan;
use super::platform;

/// Rust's names and the compilers'. AVX-512, cryptography and the like are left out: an allocator
/// scans bits and copies memory.
const X86: [(&str, &str); 11] = [
    ("sse3", "-msse3"),
    ("ssse3", "-mssse3"),
    ("sse4.1", "-msse4.1"),
    ("sse4.2", "-msse4.2"),
    ("popcnt", "-mpopcnt"),
    ("avx", "-mavx"),
    ("avx2", "-mavx2"),
    ("bmi1", "-mbmi"),
    ("bmi2", "-mbmi2"),
    ("lzcnt", "-mlzcnt"),
    ("movbe", "-mmovbe"),
];

const AARCH64: [&str; 2] = ["lse", "rcpc"];

const RISCV: [&str; 4] = ["zba", "zbb", "zbs", "zacas"];

/// Objects linked into a module with shared memory must be compiled for it.
const WASM: [(&str, &str); 3] = [
    ("atomics", "-matomics"),
    ("bulk-memory", "-mbulk-memory"),
    ("simd128", "-msimd128"),
];

pub fn architecture(config: &Config, plan: &mut Plan) {
    let arch = config.target.arch.as_str();
    let fixed = chosen_by_upstream(config);
    let has = |feature: &str| config.target.features.iter().any(|f| f == feature);

    if config.features.opt_arch && config.features.no_opt_arch {
        plan.warn("the features `opt_arch` and `no_opt_arch` are both on: `no_opt_arch` wins");
    } else if config.features.opt_arch && fixed.is_none() {
        plan.no_effect(
            "opt_arch",
            "upstream has no faster set of instructions for this target",
        );
    }
    if arch.starts_with("wasm") {
        for (feature, flag) in WASM {
            if has(feature) {
                plan.flag(flag);
            }
        }
    }
    if config.features.no_opt_arch {
        return;
    }
    let fixed = if config.features.opt_arch {
        fixed
    } else {
        None
    };
    match arch {
        "x86" | "x86_64" => {
            if fixed.is_some() {
                plan.flag("-march=haswell");
                plan.flag("-mavx2");
            }
            for (feature, flag) in X86 {
                if has(feature) {
                    plan.flag(flag);
                }
            }
            if fixed.is_some() || has("avx2") {
                plan.msvc_flag("/arch:AVX2");
            } else if has("avx") {
                plan.msvc_flag("/arch:AVX");
            }
        }
        "aarch64" => {
            if fixed.is_some() || has("lse") {
                plan.msvc_flag("/arch:armv8.1");
            }
            // Apple's compiler defaults to Apple's processors: a general name would disable some of their features.
            if fixed.is_some() || !platform::apple(&config.target) {
                march(
                    plan,
                    "armv8-a",
                    fixed,
                    "+",
                    AARCH64.iter().filter(|f| has(f)),
                );
            }
        }
        "arm" => march(plan, "", fixed, "", [].iter()),
        "riscv64" => march(plan, "rv64gc", fixed, "_", RISCV.iter().filter(|f| has(f))),
        _ => {}
    }
}

/// `-march=` with extensions, if there are any beyond the base.
///
/// Extensions are passed only to a compiler that knows them, because Rust's names of processors are
/// newer than many compilers. What upstream chooses was requested (`opt_arch`): a compiler that does not know it
/// reports an error.
fn march<'a>(
    plan: &mut Plan,
    base: &str,
    fixed: Option<&str>,
    separator: &str,
    extensions: impl Iterator<Item = &'a &'a str>,
) {
    let mut name = fixed.unwrap_or(base).to_string();
    for extension in extensions.filter(|extension| !name_implies(fixed, extension)) {
        name += separator;
        name += extension;
    }
    if Some(name.as_str()) == fixed {
        plan.flag(&format!("-march={}", name));
    } else if name != base {
        plan.flag_if_supported(&format!("-march={}", name));
    }
}

/// Whether the name that upstream chooses includes the extension.
fn name_implies(fixed: Option<&str>, extension: &str) -> bool {
    matches!(
        (fixed, extension),
        (Some("armv8.1-a"), "lse")
            | (Some("armv8.3-a"), "lse")
            | (Some("armv8.3-a"), "rcpc")
            | (Some("rv64gcb_zacas"), _)
    )
}

/// `MI_OPT_ARCH`: the instruction set that upstream's build then selects.
fn chosen_by_upstream(config: &Config) -> Option<&'static str> {
    if config.target.os == "haiku" {
        return None;
    }
    match (config.target.arch.as_str(), config.major) {
        ("x86_64", Major::V3) => Some("haswell"),
        ("aarch64", Major::V3) if platform::apple(&config.target) => Some("armv8.3-a"),
        ("aarch64", _) => Some("armv8.1-a"),
        ("arm", Major::V3) => Some("armv8.1-a"),
        ("riscv64", Major::V3) => Some("rv64gcb_zacas"),
        _ => None,
    }
}

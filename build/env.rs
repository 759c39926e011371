//! The only reader of the environment.
//!
//! There are two kinds of variables: those that Cargo sets for a build script, which Cargo itself watches, and
//! those that a user or docs.rs sets, which cannot be read here without being declared to Cargo.

use super::config::{Config, Define, Features, Target};
use super::emit;
use super::rustc;
use std::path::PathBuf;

/// Reads everything that decides how the C is built.
pub fn config() -> Result<Config, String> {
    let features = features();
    Ok(Config {
        major: features.major(),
        target: target()?,
        features,
        // This script is compiled with the debug assertions of the profile it builds for. Older
        // Cargo has no other source: CARGO_CFG_DEBUG_ASSERTIONS is absent in 1.65, right in 1.95.
        debug_assertions: cfg!(debug_assertions),
        sanitizers: words("CARGO_CFG_SANITIZE"),
        track: user("MIMALLOC_SYS_TRACK")?,
        lto: user("MIMALLOC_SYS_LTO")?,
        rust_flags: rust_flags(),
        opt_level: cargo("OPT_LEVEL").unwrap_or_default(),
        defines: defines(&user("MIMALLOC_SYS_DEFINES")?.unwrap_or_default())?,
        atomic: user("DEP_ATOMIC")?,
        release: None,
    })
}

/// Where this build may write.
pub fn out_dir() -> PathBuf {
    PathBuf::from(cargo("OUT_DIR").expect("Cargo sets OUT_DIR for every build script"))
}

/// The folder of this package.
pub fn manifest_dir() -> PathBuf {
    PathBuf::from(
        cargo("CARGO_MANIFEST_DIR").expect("Cargo sets CARGO_MANIFEST_DIR for every build script"),
    )
}

/// The Cargo that runs this build.
pub fn cargo_program() -> String {
    cargo("CARGO").unwrap_or_else(|| "cargo".to_string())
}

/// The folder of the shell that Cargo was started from, if there is one. The result of the build does not depend on it,
/// so a change of it rebuilds nothing.
pub fn shell_folder() -> Option<PathBuf> {
    let folder = PathBuf::from(std::env::var_os("PWD")?);
    Some(folder).filter(|folder| folder.is_absolute() && folder.is_dir())
}

/// The rustc that compiles the crate.
pub fn rustc_program() -> String {
    cargo("RUSTC").unwrap_or_else(|| "rustc".to_string())
}

/// Whether docs.rs is rendering the documentation.
pub fn docs_rs() -> bool {
    emit::rerun_if_env_changed("DOCS_RS");
    std::env::var_os("DOCS_RS").is_some()
}

/// The user's own checkout, if one was named.
pub fn source_dir() -> Result<Option<PathBuf>, String> {
    Ok(user("MIMALLOC_SYS_SOURCE_DIR")?.map(PathBuf::from))
}

/// Whether to link the system's mimalloc, found by pkg-config.
pub fn use_pkg_config() -> Result<bool, String> {
    match user("MIMALLOC_SYS_USE_PKG_CONFIG")?.as_deref() {
        None | Some("0") => Ok(false),
        Some("1") => Ok(true),
        Some(other) => Err(format!(
            "MIMALLOC_SYS_USE_PKG_CONFIG is `{}`.\n\
             Set it to 1 to link the system's mimalloc, or to 0 or nothing to build the pinned release.",
            other
        )),
    }
}

fn target() -> Result<Target, String> {
    let required = |name: &str| {
        cargo(name).ok_or_else(|| {
            format!(
                "Cargo did not set {}: this must run as a build script.",
                name
            )
        })
    };
    let mut target = Target {
        arch: required("CARGO_CFG_TARGET_ARCH")?,
        os: required("CARGO_CFG_TARGET_OS")?,
        env: cargo("CARGO_CFG_TARGET_ENV").unwrap_or_default(),
        abi: cargo("CARGO_CFG_TARGET_ABI").unwrap_or_default(),
        triple: required("TARGET")?,
        unix: cargo("CARGO_CFG_UNIX").is_some(),
        features: words("CARGO_CFG_TARGET_FEATURE"),
    };
    let cfgs = || rustc::cfgs(&rustc_program(), &target.triple, &rust_flags());
    if rustc::links_musl(&target, &required("HOST")?, cfgs) {
        target.features.push("crt-static".to_string());
    }
    Ok(target)
}

fn features() -> Features {
    Features {
        v2: feature("V2"),
        v3: feature("V3"),
        secure: feature("SECURE"),
        secure_full: feature("SECURE_FULL"),
        debug: feature("DEBUG"),
        debug_full: feature("DEBUG_FULL"),
        debug_in_debug: feature("DEBUG_IN_DEBUG"),
        guarded: feature("GUARDED"),
        override_malloc: feature("OVERRIDE"),
        local_dynamic_tls: feature("LOCAL_DYNAMIC_TLS"),
        win_direct_tls: feature("WIN_DIRECT_TLS"),
        no_thp: feature("NO_THP"),
        skip_collect_on_exit: feature("SKIP_COLLECT_ON_EXIT"),
        free_use_pagemap: feature("FREE_USE_PAGEMAP"),
        etw: feature("ETW"),
        opt_arch: feature("OPT_ARCH"),
        no_opt_arch: feature("NO_OPT_ARCH"),
        asm: feature("ASM"),
    }
}

/// `A=1;B` as definitions. The C compiler would report a bad name far from its cause.
fn defines(list: &str) -> Result<Vec<Define>, String> {
    list.split(';')
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
        .map(|entry| {
            let (name, value) = match entry.split_once('=') {
                Some((name, value)) => (name.trim(), Some(value.trim().to_string())),
                None => (entry, None),
            };
            let is_identifier = !name.is_empty()
                && !name.starts_with(|c: char| c.is_ascii_digit())
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            if !is_identifier {
                return Err(format!(
                    "MIMALLOC_SYS_DEFINES has the entry `{}`, whose name is not a C identifier.\n\
                     Write it as NAME or NAME=VALUE, several separated by semicolons: \"MI_XMALLOC=1;MI_SHOW_ERRORS=1\".",
                    entry
                ));
            }
            Ok(Define { name: name.to_string(), value })
        })
        .collect()
}

/// A list of Cargo's.
fn words(name: &str) -> Vec<String> {
    let list = cargo(name).unwrap_or_default();
    list.split(',')
        .filter(|word| !word.is_empty())
        .map(str::to_string)
        .collect()
}

/// `RUSTFLAGS` and its like, as Cargo hands them on.
fn rust_flags() -> Vec<String> {
    let flags = cargo("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    flags.split('\x1f').map(str::to_string).collect()
}

fn feature(name: &str) -> bool {
    cargo(&format!("CARGO_FEATURE_{}", name)).is_some()
}

/// A variable that Cargo sets and watches.
fn cargo(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// A user's variable: the form for this target first, then the plain one. Empty counts as unset.
fn user(name: &str) -> Result<Option<String>, String> {
    let target = cargo("TARGET").unwrap_or_default().replace('-', "_");
    let forms = [
        format!("{}_{}", target, name),
        format!("{}_{}", target.to_uppercase(), name),
        name.to_string(),
    ];
    for form in &forms {
        emit::rerun_if_env_changed(form);
    }
    for form in &forms {
        match std::env::var(form) {
            Ok(value) if !value.is_empty() => return Ok(Some(value)),
            Ok(_) | Err(std::env::VarError::NotPresent) => {}
            Err(std::env::VarError::NotUnicode(_)) => {
                return Err(format!(
                    "The environment variable {} is not valid Unicode.",
                    form
                ));
            }
        }
    }
    Ok(None)
}

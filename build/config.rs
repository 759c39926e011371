//! The configuration of a build: plain data, read by `env.rs`, decided on by `plan.rs`.

use super::version::Release;

/// The two major versions of mimalloc that this crate binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Major {
    V2,
    V3,
}

impl Major {
    /// The name in features, `cfg` and messages.
    pub fn name(self) -> &'static str {
        match self {
            Major::V2 => "v2",
            Major::V3 => "v3",
        }
    }
}

/// The platform, in Cargo's words (`CARGO_CFG_TARGET_*`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Target {
    pub arch: String,
    pub os: String,
    pub env: String,
    /// Distinguishes `gnullvm` from `gnu` on Windows.
    pub abi: String,
    pub triple: String,
    pub unix: bool,
    /// Enabled Rust target features, such as `avx2` or `lse`.
    pub features: Vec<String>,
}

/// The Cargo features as selected. The plan decides what they mean together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Features {
    pub v2: bool,
    pub v3: bool,
    pub secure: bool,
    pub secure_full: bool,
    pub debug: bool,
    pub debug_full: bool,
    pub debug_in_debug: bool,
    pub guarded: bool,
    pub override_malloc: bool,
    pub local_dynamic_tls: bool,
    pub win_direct_tls: bool,
    pub no_thp: bool,
    pub skip_collect_on_exit: bool,
    pub free_use_pagemap: bool,
    pub etw: bool,
    pub opt_arch: bool,
    pub no_opt_arch: bool,
    pub asm: bool,
}

impl Features {
    /// Without a choice, and with both (Cargo unites the features of all dependents), the major version is
    /// v3: a program never gets the older allocator because of another crate's choice.
    pub fn major(&self) -> Major {
        if self.v2 && !self.v3 {
            Major::V2
        } else {
            Major::V3
        }
    }
}

/// A preprocessor definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Define {
    pub name: String,
    pub value: Option<String>,
}

/// Whether a name is defined and not 0, as `#if` sees it. Of several definitions the last counts, here and below.
pub fn is_on(defines: &[Define], name: &str) -> bool {
    last(defines, name).map_or(false, |define| define.value.as_deref() != Some("0"))
}

/// Whether a name is defined as 0.
pub fn is_off(defines: &[Define], name: &str) -> bool {
    last(defines, name).is_some() && !is_on(defines, name)
}

/// What a name is defined as.
pub fn value<'a>(defines: &'a [Define], name: &str) -> Option<&'a str> {
    last(defines, name)?.value.as_deref()
}

fn last<'a>(defines: &'a [Define], name: &str) -> Option<&'a Define> {
    defines.iter().rev().find(|define| define.name == name)
}

/// Everything that decides how the C is built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    pub major: Major,
    pub target: Target,
    pub features: Features,
    /// Whether the crate itself is compiled with debug assertions.
    pub debug_assertions: bool,
    /// Cargo's `OPT_LEVEL` of this profile.
    pub opt_level: String,
    /// The sanitizers of `-Zsanitizer=`.
    pub sanitizers: Vec<String>,
    /// `MIMALLOC_SYS_TRACK`: the memory checker that every block is reported to, as the user wrote it.
    pub track: Option<String>,
    /// `MIMALLOC_SYS_LTO`: the kind of link-time optimisation, as the user wrote it.
    pub lto: Option<String>,
    /// The arguments of rustc beside Cargo's own (`RUSTFLAGS`).
    pub rust_flags: Vec<String>,
    /// The user's own definitions, which win over ours.
    pub defines: Vec<Define>,
    /// The name of the atomics library (`DEP_ATOMIC`), if the user named one.
    pub atomic: Option<String>,
    /// The release of the sources, once they are found. The pinned one until then.
    pub release: Option<Release>,
}

impl Config {
    pub fn release(&self) -> Release {
        self.release.unwrap_or(Release::pinned(self.major))
    }
}

//! `MIMALLOC_SYS_USE_PKG_CONFIG=1`: the system's mimalloc, instead of one built here.

use super::config::{Config, Features};
use super::sources;
use super::version::Version;
use std::path::{Path, PathBuf};

/// A system library that fits the bindings. `pkg-config` has printed its link directives.
pub struct Library {
    /// Where the header is, if it is where upstream installs it.
    pub include: Option<PathBuf>,
    pub folder: Option<PathBuf>,
    pub version: Version,
    pub warnings: Vec<String>,
}

/// Finds the library, checks its version, and has `pkg-config` print how to link it.
pub fn link(config: &Config) -> Result<Library, String> {
    let found = pkg_config::Config::new()
        .cargo_metadata(false)
        .probe("mimalloc")
        .map_err(|error| {
            refuse(format!(
                "pkg-config finds no mimalloc for {}: {}",
                config.target.triple, error
            ))
        })?;
    let include = found
        .include_paths
        .iter()
        .flat_map(|folder| header_folders(folder, &found.version))
        .find(|folder| folder.join("mimalloc.h").is_file());
    let supported = Version::supported(config.major);
    // The header knows the patch level, which upstream's own .pc file leaves out.
    let version = match &include {
        Some(folder) => sources::version_of_header(&folder.join("mimalloc.h")).map_err(refuse)?,
        None => of_pc_file(&found.version, supported).map_err(refuse)?,
    };
    if !version.fits(config.major) {
        return Err(refuse(format!(
            "The system's mimalloc is {}, and this build binds {} from {} on.",
            version,
            config.major.name(),
            Version::oldest(config.major)
        )));
    }
    pkg_config::Config::new()
        .probe("mimalloc")
        .map_err(|error| refuse(error.to_string()))?;
    Ok(Library {
        include,
        folder: found.link_paths.first().cloned(),
        version,
        warnings: ignored(&config.features)
            .into_iter()
            .chain(version.warning(config.major))
            .collect(),
    })
}

/// The .pc file of a default installation names `include`, and the headers are one folder deeper.
fn header_folders(include: &Path, version: &str) -> Vec<PathBuf> {
    vec![
        include.to_path_buf(),
        include.join(format!("mimalloc-{}", version)),
    ]
}

/// `3.6` or `3.6.0`. Without a patch level it may be any release of that minor version.
fn of_pc_file(text: &str, supported: Version) -> Result<Version, String> {
    let mut parts = text.split('.').map(|part| part.parse::<u32>());
    match (parts.next(), parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor)), Some(Ok(patch))) => {
            Ok(Version::new(major, minor, patch))
        }
        (Some(Ok(major)), Some(Ok(minor)), None) => {
            let same = major == supported.major && minor == supported.minor;
            Ok(Version::new(
                major,
                minor,
                if same { supported.patch } else { 0 },
            ))
        }
        _ => Err(format!("Its .pc file has the version `{}`.", text)),
    }
}

fn refuse(reason: String) -> String {
    format!(
        "{}\n\
         MIMALLOC_SYS_USE_PKG_CONFIG=1 asks for the system's library. Install a fitting one \
         (its mimalloc.pc in a folder of PKG_CONFIG_PATH), or unset the variable to build the pinned release.",
        reason
    )
}

/// Features about compilation have no effect on a library that is compiled already.
fn ignored(features: &Features) -> Vec<String> {
    let asked = [
        ("secure", features.secure),
        ("secure_full", features.secure_full),
        ("debug", features.debug),
        ("debug_full", features.debug_full),
        ("debug_in_debug", features.debug_in_debug),
        ("guarded", features.guarded),
        ("override", features.override_malloc),
        ("local_dynamic_tls", features.local_dynamic_tls),
        ("win_direct_tls", features.win_direct_tls),
        ("no_thp", features.no_thp),
        ("skip_collect_on_exit", features.skip_collect_on_exit),
        ("free_use_pagemap", features.free_use_pagemap),
        ("etw", features.etw),
        ("opt_arch", features.opt_arch),
        ("no_opt_arch", features.no_opt_arch),
        ("asm", features.asm),
    ];
    asked
        .iter()
        .filter(|(_, on)| *on)
        .map(|(name, _)| {
            format!(
                "the feature `{}` has no effect: the system's library is built already",
                name
            )
        })
        .collect()
}

//! Finds the C sources. The first of these counts: the user's own checkout, the vendored copy, the package that Cargo
//! fetches.

use super::config::Major;
use super::env;
use super::fetch::{failed, remove, Cargo};
use super::parent;
use super::version::{Release, Version};
use std::fs;
use std::path::{Path, PathBuf};

/// A mimalloc source tree of the right major version.
pub struct Sources {
    /// Holds `include/` and `src/`.
    pub root: PathBuf,
    pub release: Release,
    /// Files and folders whose change requires a new build.
    pub watched: Vec<PathBuf>,
}

/// Finds the sources of a major version.
pub fn locate(major: Major) -> Result<Sources, String> {
    if let Some(root) = env::source_dir()? {
        return checkout(root, major);
    }
    let c_src = env::manifest_dir().join("c_src");
    let vendored = c_src.join(major.name());
    if vendored.is_dir() {
        return vendored_copy(vendored, major);
    }
    pinned_package(&c_src.join("pin"), major)
}

/// First: a checkout that the user names.
fn checkout(root: PathBuf, major: Major) -> Result<Sources, String> {
    let refuse = |reason: String| {
        format!(
            "MIMALLOC_SYS_SOURCE_DIR is {}\n{}\n\
             Set it to the absolute path of a mimalloc {} source tree (the folder that holds `include` and `src`), \
             or unset it to build the pinned release.",
            root.display(),
            reason,
            major.name()
        )
    };
    if !root.is_absolute() {
        return Err(refuse(
            "but a build script has no folder that a relative path could start from.".into(),
        ));
    }
    if !root.is_dir() {
        return Err(refuse("but there is no such folder.".into()));
    }
    if !root.join("src/static.c").is_file() {
        return Err(refuse(
            "but that folder has no src/static.c, so it is not mimalloc's source tree.".into(),
        ));
    }
    let version = version_of(&root).map_err(refuse)?;
    if !version.fits(major) {
        let (other, advice) = match major {
            Major::V3 => (
                Major::V2,
                " (the feature `v2`, without `v3`, selects that one)",
            ),
            Major::V2 => (Major::V3, " (drop the feature `v2` to build v3)"),
        };
        let advice = if version.fits(other) { advice } else { "" };
        let oldest = Version::oldest(major);
        return Err(refuse(format!(
            "which is mimalloc {}, while this build binds {} and needs {} or a newer {}.x{}.",
            version,
            major.name(),
            oldest,
            oldest.major,
            advice
        )));
    }
    Ok(Sources {
        release: Release {
            version,
            is_pinned: false,
        },
        watched: vec![root.join("src"), root.join("include")],
        root,
    })
}

/// Second: `c_src/v3` or `c_src/v2`, as in a published package. Compiled as it is;
/// the check command, not the build, compares it with the list.
fn vendored_copy(root: PathBuf, major: Major) -> Result<Sources, String> {
    let version = version_of(&root).map_err(|reason| {
        format!(
            "The vendored sources in {} are incomplete: {}\n\
             Vendor them again (c_src/README.md), or delete the folder to let Cargo bring the pinned package.",
            root.display(),
            reason
        )
    })?;
    if version.major != Version::supported(major).major {
        return Err(format!(
            "The vendored sources in {} are mimalloc {}, which is not {}.\n\
             Vendor them again (c_src/README.md), or delete the folder to let Cargo bring the pinned package.",
            root.display(),
            version,
            major.name()
        ));
    }
    Ok(Sources {
        release: Release {
            version,
            is_pinned: true,
        },
        watched: vec![root.join("src"), root.join("include")],
        root,
    })
}

/// Third: Cargo fetches the pinned package, and checks it against the lock file.
///
/// `OUT_DIR` itself is not watched: Cargo compares times with the start of this script, so what
/// was just unpacked would look changed, and everything would be built twice.
fn pinned_package(pin: &Path, major: Major) -> Result<Sources, String> {
    let lock = pin.join("Cargo.lock");
    let no_sources = |reason: String| no_sources(major, &reason);
    let locked = fs::read(&lock).map_err(|error| no_sources(failed(&lock, error)))?;
    let upstream = env::out_dir().join("upstream");
    let root = upstream.join(major.name());
    // The lock file beside the sources shows that they are complete, and from which package.
    let receipt = upstream.join("Cargo.lock");
    let is_there = fs::read(&receipt).ok().as_ref() == Some(&locked) && version_of(&root).is_ok();
    if !is_there {
        let cargo = Cargo {
            program: env::cargo_program(),
            folders: parent::folders(env::shell_folder(), env::out_dir()),
            offline: parent::is_offline(),
        };
        let package = cargo
            .fetch(pin, &staged_pin(), "libmimalloc-sys2")
            .map_err(no_sources)?;
        remove(&upstream)?;
        let within = match major {
            Major::V3 => "c_src/mimalloc3",
            Major::V2 => "c_src/mimalloc",
        };
        copy(&package.join(within), &root)?;
        fs::write(&receipt, &locked).map_err(|error| failed(&receipt, error))?;
    }
    let version = version_of(&root).map_err(no_sources)?;
    Ok(Sources {
        release: Release {
            version,
            is_pinned: true,
        },
        root,
        watched: vec![pin.join("manifest.toml"), lock],
    })
}

/// Where Cargo can read the pin.
fn staged_pin() -> PathBuf {
    env::out_dir().join("pin")
}

fn no_sources(major: Major, reason: &str) -> String {
    let c_src = env::manifest_dir().join("c_src");
    // What Cargo packs of a checkout lacks the command that vendors the sources, too.
    let ways = if c_src.join("vendor").is_dir() {
        format!(
            "Do one of these:\n\
             - build once with a network, or with a registry mirror in Cargo's configuration: Cargo caches the package;\n\
             - run `cargo run --manifest-path \"{}\"` once where there is a network: it puts the sources into this checkout;",
            c_src.join("vendor/Cargo.toml").display()
        )
    } else {
        format!(
            "This is a checkout that Cargo has packed, as `cargo vendor` does with a git dependency: it has no C sources. Do one of these:\n\
             - run `cargo vendor --sync \"{}\"` where there is a network: it vendors the pinned package with yours (name the folder again if it is not `vendor`);\n\
             - depend on a published version of this crate, which has the sources in it;",
            staged_pin().join("Cargo.toml").display()
        )
    };
    format!(
        "mimalloc's C sources were not found. Tried, in this order:\n\
         1. the variable MIMALLOC_SYS_SOURCE_DIR: not set\n\
         2. vendored sources in {}: not there\n\
         3. Cargo, for the pinned package: {}\n\
         \n\
         {}\n\
         - set MIMALLOC_SYS_SOURCE_DIR to the absolute path of a mimalloc {} source tree.",
        c_src.join(major.name()).display(),
        reason,
        ways,
        major.name()
    )
}

/// Copies a folder with all that is in it.
fn copy(from: &Path, to: &Path) -> Result<(), String> {
    if !from.is_dir() {
        return fs::copy(from, to)
            .map(|_| ())
            .map_err(|error| failed(from, error));
    }
    fs::create_dir_all(to).map_err(|error| failed(to, error))?;
    for entry in fs::read_dir(from).map_err(|error| failed(from, error))? {
        let name = entry.map_err(|error| failed(from, error))?.file_name();
        copy(&from.join(&name), &to.join(&name))?;
    }
    Ok(())
}

fn version_of(root: &Path) -> Result<Version, String> {
    version_of_header(&root.join("include/mimalloc.h"))
}

/// The version of mimalloc's header.
pub fn version_of_header(header: &Path) -> Result<Version, String> {
    let text = fs::read_to_string(header)
        .map_err(|error| format!("{} cannot be read: {}", header.display(), error))?;
    Version::of_header(&text).ok_or_else(|| {
        format!(
            "{} defines no MI_MALLOC_VERSION, so it is not mimalloc's header.",
            header.display()
        )
    })
}

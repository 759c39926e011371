//! The three ways to the C sources, first come first served:
//! the user's own checkout, the vendored copy, the package that Cargo brings.

use super::config::Line;
use super::env;
use super::version::Version;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A mimalloc source tree of the right line.
pub struct Sources {
    /// Holds `include/` and `src/`.
    pub root: PathBuf,
    pub version: Version,
    /// The release that `c_src/` lists, and not a checkout of the user's, which can be anything
    /// between two releases.
    pub listed: bool,
    /// Files and folders whose change means a new build.
    pub watched: Vec<PathBuf>,
}

/// Finds the sources of `line`.
pub fn locate(line: Line) -> Result<Sources, String> {
    if let Some(root) = env::source_dir()? {
        return checkout(root, line);
    }
    let c_src = env::manifest_dir().join("c_src");
    let vendored = c_src.join(line.name());
    if vendored.is_dir() {
        return vendored_copy(vendored, line);
    }
    pinned_package(&c_src.join("pin"), line)
}

/// First way: a checkout that the user names.
fn checkout(root: PathBuf, line: Line) -> Result<Sources, String> {
    let refuse = |reason: String| {
        format!(
            "MIMALLOC_SYS_SOURCE_DIR is {}\n{}\n\
             Set it to the absolute path of a mimalloc {} source tree (the folder that holds `include` and `src`), \
             or unset it to build the pinned release.",
            root.display(),
            reason,
            line.name()
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
    if version.major != Version::bound(line).major {
        return Err(refuse(format!(
            "which is mimalloc {}, while this build binds line {}{}.",
            version,
            line.name(),
            match line {
                Line::V3 => " (the feature `v2`, without `v3`, selects the other line)",
                Line::V2 => " (drop the feature `v2` to build v3)",
            }
        )));
    }
    Ok(Sources {
        listed: false,
        watched: vec![root.join("src"), root.join("include")],
        root,
        version,
    })
}

/// Second way: `c_src/v3` or `c_src/v2`, as in a published package. Compiled as it stands;
/// the check command, not the build, compares it with the list.
fn vendored_copy(root: PathBuf, line: Line) -> Result<Sources, String> {
    let version = version_of(&root).map_err(|reason| {
        format!(
            "The vendored sources in {} are incomplete: {}\n\
             Vendor them again (c_src/README.md), or delete the folder to let Cargo bring the pinned package.",
            root.display(),
            reason
        )
    })?;
    if version.major != Version::bound(line).major {
        return Err(format!(
            "The vendored sources in {} are mimalloc {}, which is not line {}.\n\
             Vendor them again (c_src/README.md), or delete the folder to let Cargo bring the pinned package.",
            root.display(),
            version,
            line.name()
        ));
    }
    Ok(Sources {
        listed: true,
        watched: vec![root.join("src"), root.join("include")],
        root,
        version,
    })
}

/// Third way: Cargo fetches the pinned package, and checks it against the lock file.
///
/// `OUT_DIR` itself is not watched: Cargo compares times with the start of this script, so what
/// was just unpacked would look changed and build everything twice.
fn pinned_package(pin: &Path, line: Line) -> Result<Sources, String> {
    let manifest = pin.join("Cargo.toml");
    let lock = pin.join("Cargo.lock");
    let no_sources = |reason: String| no_sources(line, &reason);
    let locked = fs::read(&lock).map_err(|error| no_sources(failed(&lock, error)))?;
    let upstream = env::out_dir().join("upstream");
    let root = upstream.join(match line {
        Line::V3 => "mimalloc3",
        Line::V2 => "mimalloc",
    });
    // The lock file beside the sources says that they are complete, and of which package.
    let receipt = upstream.join("Cargo.lock");
    let is_there = fs::read(&receipt).ok().as_ref() == Some(&locked) && version_of(&root).is_ok();
    if !is_there {
        fetch(&manifest, &upstream).map_err(no_sources)?;
        fs::write(&receipt, &locked).map_err(|error| failed(&receipt, error))?;
    }
    let version = version_of(&root).map_err(no_sources)?;
    Ok(Sources {
        listed: true,
        root,
        version,
        watched: vec![manifest, lock],
    })
}

/// Puts the sources within the pinned package at `upstream`.
///
/// `cargo vendor` is the one Cargo command that writes packages where it is told. It honours a mirror
/// or a local registry of the user's configuration, because `OUT_DIR` lies within their project.
fn fetch(manifest: &Path, upstream: &Path) -> Result<(), String> {
    let packages = env::out_dir().join("packages");
    remove(&packages)?;
    remove(upstream)?;
    let cargo = env::cargo_program();
    let output = Command::new(&cargo)
        .args([
            "vendor",
            "--locked",
            "--respect-source-config",
            "--manifest-path",
        ])
        .arg(manifest)
        .arg(&packages)
        .current_dir(env::out_dir())
        .output()
        .map_err(|error| format!("{} vendor could not be started: {}", cargo, error))?;
    if !output.status.success() {
        return Err(format!(
            "`cargo vendor --locked --manifest-path {}` failed:\n{}",
            manifest.display(),
            String::from_utf8_lossy(&output.stderr).trim()
        ));
    }
    // The rest of what Cargo brought are the package's own dependencies, of no use here.
    let sources = packages.join("libmimalloc-sys2/c_src");
    fs::rename(&sources, upstream).map_err(|error| failed(&sources, error))?;
    remove(&packages)
}

fn remove(folder: &Path) -> Result<(), String> {
    if !folder.exists() {
        return Ok(());
    }
    fs::remove_dir_all(folder).map_err(|error| failed(folder, error))
}

fn failed(path: &Path, error: std::io::Error) -> String {
    format!("{}: {}", path.display(), error)
}

fn no_sources(line: Line, reason: &str) -> String {
    format!(
        "mimalloc's C sources are not to be had. Tried, in this order:\n\
         1. the variable MIMALLOC_SYS_SOURCE_DIR: not set\n\
         2. vendored sources in {}: not there\n\
         3. Cargo, for the pinned package: {}\n\
         \n\
         Three ways out:\n\
         - build once with a network, or with a registry mirror in Cargo's configuration: Cargo caches the package;\n\
         - vendor the sources while there is a network (one command, c_src/README.md), then build without one;\n\
         - set MIMALLOC_SYS_SOURCE_DIR to the absolute path of a mimalloc {} source tree.",
        env::manifest_dir().join("c_src").join(line.name()).display(),
        reason,
        line.name()
    )
}

fn version_of(root: &Path) -> Result<Version, String> {
    Version::of_header(&root.join("include/mimalloc.h"))
}

//! Has Cargo fetch a pinned package, and check it against its lock file.
//!
//! By `cargo metadata`, which fetches what the lock file names and prints where it is. Not by `cargo vendor`:
//! before Cargo 1.87 that deletes the packages that it reads, also those that the user has vendored
//! (rust-lang/cargo#15244).
//! The build uses this, and the commands of `c_src/vendor`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A Cargo, and its user's settings.
pub struct Cargo {
    pub program: String,
    /// Where the user's configuration (mirrors, source replacement) may be found, most likely first.
    pub folders: Vec<PathBuf>,
    /// It must not use a network. (It reads `CARGO_NET_OFFLINE` and `net.offline` itself.)
    pub offline: bool,
}

/// A run of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    pub folder: PathBuf,
    pub offline: bool,
}

impl Cargo {
    /// The folder of the package `name` that `pin` (a folder with `manifest.toml` and `Cargo.lock`)
    /// depends on: read only, since it is Cargo's or the user's.
    ///
    /// `scratch` is created again, for a manifest that Cargo can read.
    pub fn fetch(&self, pin: &Path, scratch: &Path, name: &str) -> Result<PathBuf, String> {
        let manifest = stage(pin, scratch)?;
        let mut failure = String::new();
        for attempt in self.attempts() {
            match self.run(&attempt, &manifest) {
                Ok(metadata) => {
                    return folder_of(&metadata, name)
                        .ok_or_else(|| format!("`cargo metadata` names no package {}", name))
                }
                // Of several failures, the last one in the folder whose configuration certainly applies.
                Err(reason) if attempt.folder == self.folders[0] => failure = reason,
                Err(_) => {}
            }
        }
        Err(failure)
    }

    /// Offline first: a package that was fetched before needs no connection.
    ///
    /// The lock file pins the SHA-256, so any source is good: beside those of the configuration also the
    /// registry's cache, which is found where a project's source replacement does not apply.
    pub fn attempts(&self) -> Vec<Attempt> {
        let in_each = |offline: bool| {
            self.folders.iter().map(move |folder| Attempt {
                folder: folder.clone(),
                offline,
            })
        };
        let mut attempts: Vec<Attempt> = in_each(true).collect();
        let root = self
            .folders
            .last()
            .and_then(|folder| folder.ancestors().last());
        attempts.extend(root.map(|root| Attempt {
            folder: root.to_path_buf(),
            offline: true,
        }));
        if !self.offline {
            attempts.extend(in_each(false));
        }
        attempts
    }

    fn run(&self, attempt: &Attempt, manifest: &Path) -> Result<String, String> {
        let mut arguments = vec!["metadata", "--format-version=1", "--locked"];
        if attempt.offline {
            arguments.push("--offline");
        }
        let output = Command::new(&self.program)
            .args(&arguments)
            .arg("--manifest-path")
            .arg(manifest)
            .current_dir(&attempt.folder)
            .output()
            .map_err(|error| format!("{} could not be started: {}", self.program, error))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(format!(
            "`cargo {} --manifest-path {}` in {} failed:\n{}",
            arguments.join(" "),
            manifest.display(),
            attempt.folder.display(),
            String::from_utf8_lossy(&output.stderr).trim()
        ))
    }
}

/// The pin under the names that Cargo knows.
fn stage(pin: &Path, scratch: &Path) -> Result<PathBuf, String> {
    remove(scratch)?;
    fs::create_dir_all(scratch).map_err(|error| failed(scratch, error))?;
    let manifest = scratch.join("Cargo.toml");
    let lock = scratch.join("Cargo.lock");
    for (from, to) in [("manifest.toml", &manifest), ("Cargo.lock", &lock)] {
        let from = pin.join(from);
        fs::copy(&from, to).map_err(|error| failed(&from, error))?;
    }
    Ok(manifest)
}

/// The folder of a package, from the JSON that Cargo prints: the name and the version of each package come
/// before its manifest, and no dependency has a version in that place.
pub fn folder_of(metadata: &str, name: &str) -> Option<PathBuf> {
    let package = metadata
        .split(&format!("\"name\":\"{}\",\"version\":", name))
        .nth(1)?;
    let path = package.split("\"manifest_path\":\"").nth(1)?;
    let mut manifest = String::new();
    let mut characters = path.chars();
    loop {
        match characters.next()? {
            '"' => break,
            '\\' => manifest.push(characters.next()?), // a backslash or a quotation mark
            character => manifest.push(character),
        }
    }
    Some(Path::new(&manifest).parent()?.to_path_buf())
}

/// Removes a folder, if there is one.
pub fn remove(folder: &Path) -> Result<(), String> {
    if !folder.exists() {
        return Ok(());
    }
    fs::remove_dir_all(folder).map_err(|error| failed(folder, error))
}

pub fn failed(path: &Path, error: std::io::Error) -> String {
    format!("{}: {}", path.display(), error)
}

//! A published package, brought by Cargo.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A package that carries both lines.
pub struct Package {
    /// A manifest that depends on exactly this package, with its lock file beside it.
    pub manifest: PathBuf,
    /// Where each line lies within it.
    pub folders: [(&'static str, &'static str); 2],
}

impl Package {
    /// Has Cargo fetch the package into the folder `into`, checked against the lock file.
    pub fn fetch(&self, into: &Path) -> Result<(), String> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
        let output = Command::new(cargo)
            .args([
                "vendor",
                "--locked",
                "--respect-source-config",
                "--manifest-path",
            ])
            .arg(&self.manifest)
            .arg(into)
            .output()
            .map_err(|error| format!("cargo vendor could not be started: {error}"))?;
        if output.status.success() {
            return Ok(());
        }
        Err(format!(
            "cargo vendor --locked --manifest-path {} failed:\n{}",
            self.manifest.display(),
            String::from_utf8_lossy(&output.stderr).trim()
        ))
    }

    /// The folder of `line` after a fetch into `into`.
    pub fn line(&self, into: &Path, line: &str) -> PathBuf {
        let (_, folder) = self
            .folders
            .iter()
            .find(|(name, _)| *name == line)
            .unwrap_or_else(|| panic!("there is no line {line}"));
        into.join(folder)
    }
}

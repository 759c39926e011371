//! A published package, fetched by Cargo.

use crate::fetch::Cargo;
use std::path::{Path, PathBuf};

/// A package that contains both major versions.
pub struct Package {
    pub name: &'static str,
    /// The folder with a manifest that depends on exactly this package, and its lock file.
    pub pin: PathBuf,
    /// The folder of each major version within it.
    pub folders: [(&'static str, &'static str); 2],
}

impl Package {
    /// Has Cargo fetch the package, checked against the lock file. Its folder, to be read only;
    /// `scratch` is a folder for Cargo's own use.
    pub fn fetch(&self, scratch: &Path) -> Result<PathBuf, String> {
        let here =
            std::env::current_dir().map_err(|error| format!("the current folder: {error}"))?;
        let cargo = Cargo {
            program: std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_string()),
            folders: vec![here],
            offline: false,
        };
        cargo.fetch(&self.pin, scratch, self.name)
    }

    /// The folder of a major version within that of the package.
    pub fn major(&self, package: &Path, major: &str) -> PathBuf {
        let (_, folder) = self
            .folders
            .iter()
            .find(|(name, _)| *name == major)
            .unwrap_or_else(|| panic!("there is no major version {major}"));
        package.join(folder)
    }
}

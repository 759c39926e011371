//! Lists of SHA-256 sums, in the format of `sha256sum`.

use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

/// The parts of upstream's tree that are compiled, read by dependents, or run as tests.
const PARTS: [&str; 4] = ["LICENSE", "include", "src", "test"];

/// Path within the tree (with slashes) to its sum.
pub struct List(pub BTreeMap<String, String>);

/// A difference between a list and a tree.
#[derive(Debug, PartialEq, Eq)]
pub enum Fault {
    Altered(String),
    Missing(String),
    Unlisted(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Fault::Altered(path) => write!(formatter, "altered: {path}"),
            Fault::Missing(path) => write!(formatter, "missing: {path}"),
            Fault::Unlisted(path) => write!(formatter, "not in the list: {path}"),
        }
    }
}

impl List {
    /// Reads a list.
    pub fn read(path: &Path) -> Result<List, String> {
        let text =
            fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        text.lines()
            .map(|line| {
                line.split_once("  ")
                    .map(|(sum, path)| (path.to_string(), sum.to_string()))
                    .ok_or_else(|| format!("{}: not a sum and a path: {line}", path.display()))
            })
            .collect::<Result<_, _>>()
            .map(List)
    }

    /// The sums of the tree at `root`.
    pub fn of(root: &Path) -> Result<List, String> {
        let mut sums = BTreeMap::new();
        for part in PARTS {
            add(root, part, &mut sums)
                .map_err(|error| format!("{}: {error}", root.join(part).display()))?;
        }
        Ok(List(sums))
    }

    /// What is wrong with the tree at `root`, within the `parts` of it that count (empty: all).
    pub fn faults(&self, root: &Path, parts: &[&str]) -> Result<Vec<Fault>, String> {
        let counts = |path: &&String| {
            parts.is_empty()
                || parts
                    .iter()
                    .any(|part| path.split('/').next() == Some(part))
        };
        let found = List::of(root)?.0;
        let mut faults = Vec::new();
        for (path, sum) in self.0.iter().filter(|(path, _)| counts(path)) {
            match found.get(path) {
                None => faults.push(Fault::Missing(path.clone())),
                Some(other) if other != sum => faults.push(Fault::Altered(path.clone())),
                Some(_) => {}
            }
        }
        let unlisted = found
            .keys()
            .filter(counts)
            .filter(|path| !self.0.contains_key(*path));
        faults.extend(unlisted.cloned().map(Fault::Unlisted));
        Ok(faults)
    }
}

impl fmt::Display for List {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|(path, sum)| writeln!(formatter, "{sum}  {path}"))
    }
}

/// Adds the sums of `part`, a file or a folder that need not be there.
fn add(root: &Path, part: &str, sums: &mut BTreeMap<String, String>) -> std::io::Result<()> {
    let path = root.join(part);
    if path.is_dir() {
        for entry in fs::read_dir(&path)? {
            let name = entry?.file_name();
            add(root, &format!("{part}/{}", name.to_string_lossy()), sums)?;
        }
    } else if path.exists() {
        let sum = Sha256::digest(fs::read(&path)?);
        sums.insert(
            part.to_string(),
            sum.iter().map(|byte| format!("{byte:02x}")).collect(),
        );
    }
    Ok(())
}

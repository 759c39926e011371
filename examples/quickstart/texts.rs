//! Finds files and reads their text.
//!
//! A file or folder that cannot be read is an error, and not left out: a count is complete or there
//! is none.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

pub struct File {
    pub path: PathBuf,
    pub size: u64,
}

/// All files at or below `paths`, in an order that does not depend on the file system.
pub fn find(paths: &[PathBuf]) -> Result<Vec<File>, String> {
    let mut files = Vec::new();
    for path in paths {
        // A link that was named is followed, and so is a pipe; those found on the way are not.
        let metadata = fs::metadata(path).map_err(|error| failed(path, error))?;
        if metadata.is_dir() {
            descend(path, &mut files)?;
        } else {
            files.push(File {
                path: path.clone(),
                size: metadata.len(),
            });
        }
    }
    Ok(files)
}

fn descend(folder: &Path, files: &mut Vec<File>) -> Result<(), String> {
    let entries = fs::read_dir(folder)
        .and_then(|entries| entries.collect::<io::Result<Vec<_>>>())
        .map_err(|error| failed(folder, error))?;
    let mut paths: Vec<PathBuf> = entries.iter().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let metadata = fs::symlink_metadata(&path).map_err(|error| failed(&path, error))?;
        if metadata.is_dir() {
            descend(&path, files)?;
        } else if metadata.is_file() {
            let size = metadata.len();
            files.push(File { path, size });
        }
    }
    Ok(())
}

/// How many files of each kind were read.
#[derive(Default)]
pub struct Kinds {
    pub utf8: usize,
    /// Text in another encoding.
    pub other: usize,
    /// No text at all.
    pub binary: usize,
    /// Bytes of text.
    pub bytes: usize,
}

impl fmt::Display for Kinds {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        let plural = |number| if number == 1 { "" } else { "s" };
        let files = self.utf8 + self.other + self.binary;
        write!(formatter, "{} file{}", files, plural(files))?;
        if self.other > 0 {
            write!(
                formatter,
                ", of which {} not in UTF-8 (what is not was read as gaps between words)",
                self.other
            )?;
        }
        if self.binary > 0 {
            write!(formatter, ", {} skipped as not text", self.binary)?;
        }
        Ok(())
    }
}

/// The text of `file`, or nothing if it is not text.
pub fn read(file: &File, kinds: &mut Kinds) -> Result<Option<String>, String> {
    let bytes = fs::read(&file.path).map_err(|error| failed(&file.path, error))?;
    if bytes.contains(&0) {
        kinds.binary += 1;
        return Ok(None);
    }
    kinds.bytes += bytes.len();
    Ok(Some(match String::from_utf8(bytes) {
        Ok(text) => {
            kinds.utf8 += 1;
            text
        }
        Err(error) => {
            kinds.other += 1;
            String::from_utf8_lossy(error.as_bytes()).into_owned()
        }
    }))
}

/// The paths as part of a sentence.
pub fn list(paths: &[PathBuf]) -> String {
    let names: Vec<String> = paths.iter().map(|path| name(path)).collect();
    names.join(", ")
}

fn name(path: &Path) -> String {
    format!("`{}`", path.display())
}

fn failed(path: &Path, error: io::Error) -> String {
    format!("{} cannot be read: {}", name(path), error)
}

//! The arguments of the program.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

pub const HELP: &str = "\
Usage: quickstart [PATH...]

Counts the words in text files, with mimalloc as the global allocator, and shows
the most frequent ones and the allocator's own statistics.

PATH is a file or a folder, which is read with all folders in it. Without a PATH,
the text is the C code that this mimalloc was built from.

Options:
  -h, --help   show this help
  --           what follows is a PATH, even if it begins with a dash
";

pub enum Wish {
    Help,
    Count(Vec<PathBuf>),
}

pub fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Wish, String> {
    let mut paths = Vec::new();
    let mut options_end = false;
    for argument in arguments {
        match argument.to_str() {
            _ if options_end => paths.push(argument.into()),
            Some("--") => options_end = true,
            Some("-h") | Some("--help") => return Ok(Wish::Help),
            Some("") => return Err("a path is empty".to_string()),
            Some(option) if option.starts_with('-') => {
                return Err(format!("unknown option `{}`", option))
            }
            _ => paths.push(argument.into()),
        }
    }
    if paths.is_empty() {
        paths = sources().ok_or("name a PATH: this mimalloc was not built here")?;
    }
    Ok(Wish::Count(paths))
}

/// The sources that mimalloc was built from, by the build script; a mimalloc of the system may have headers only.
fn sources() -> Option<Vec<PathBuf>> {
    let root = Path::new(option_env!("MIMALLOC_SYS_SOURCES")?);
    let parts = vec![root.join("src"), root.join("include")];
    if parts.iter().all(|part| part.is_dir()) {
        Some(parts)
    } else {
        Some(vec![root.to_path_buf()])
    }
}

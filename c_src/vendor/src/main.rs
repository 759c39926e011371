//! `vendor` (the default), `check` and `list`.

use mimalloc_vendor::{c_src, list, pinned, List, MAJORS};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "\
Puts upstream's sources where the build finds them without Cargo's help, and checks them.

  vendor       (default) fetch the pinned package and put both major versions into c_src/v3 and c_src/v2
  check        compare c_src/v3 and c_src/v2, as they are, with the lists
  check DIR    compare the mimalloc tree DIR with the list of its major version
  list         write the lists anew from the pinned package (when moving to a new release)
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        [] | ["vendor"] => vendor(),
        ["check"] => MAJORS
            .iter()
            .try_for_each(|major| check(&c_src().join(major), major)),
        ["check", folder] => {
            major_of(Path::new(folder)).and_then(|major| check(Path::new(folder), major))
        }
        ["list"] => write_lists(),
        ["--help"] | ["-h"] => {
            print!("{USAGE}");
            Ok(())
        }
        _ => Err(format!("not understood: {}\n\n{USAGE}", words.join(" "))),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("error: {reason}");
            ExitCode::FAILURE
        }
    }
}

/// Copies exactly the files in the lists, so nothing unchecked comes along.
fn vendor() -> Result<(), String> {
    let scratch = Scratch::new()?;
    let package = pinned().fetch(&scratch.0)?;
    for major in MAJORS {
        let from = pinned().major(&package, major);
        let to = c_src().join(major);
        if to.exists() {
            fs::remove_dir_all(&to).map_err(|error| format!("{}: {error}", to.display()))?;
        }
        for path in list(major)?.0.keys() {
            copy(&from.join(path), &to.join(path))?;
        }
        check(&to, major)?;
    }
    // The build watches the pin; a new copy of the sources must reach it too.
    let pin = pinned().pin.join("manifest.toml");
    let text = fs::read(&pin).map_err(|error| format!("{}: {error}", pin.display()))?;
    fs::write(&pin, text).map_err(|error| format!("{}: {error}", pin.display()))
}

fn check(root: &Path, major: &str) -> Result<(), String> {
    if !root.is_dir() {
        return Err(format!("{} is not there: vendor first", root.display()));
    }
    let list = list(major)?;
    let faults = list.faults(root, &[])?;
    if faults.is_empty() {
        println!(
            "{major}: {} files in {} are as listed",
            list.0.len(),
            root.display()
        );
        return Ok(());
    }
    let faults: Vec<String> = faults.iter().map(|fault| format!("  {fault}")).collect();
    Err(format!(
        "{} differs from c_src/{major}.sha256:\n{}\nVendor again to get the listed files.",
        root.display(),
        faults.join("\n")
    ))
}

fn write_lists() -> Result<(), String> {
    let scratch = Scratch::new()?;
    let package = pinned().fetch(&scratch.0)?;
    for major in MAJORS {
        let path = c_src().join(major).with_extension("sha256");
        let list = List::of(&pinned().major(&package, major))?;
        fs::write(&path, list.to_string())
            .map_err(|error| format!("{}: {error}", path.display()))?;
        println!("{}: {} files", path.display(), list.0.len());
    }
    Ok(())
}

/// The major version of a tree, by its header.
fn major_of(root: &Path) -> Result<&'static str, String> {
    let header = root.join("include/mimalloc.h");
    let text =
        fs::read_to_string(&header).map_err(|error| format!("{}: {error}", header.display()))?;
    let version = text
        .lines()
        .find_map(|line| line.strip_prefix("#define MI_MALLOC_VERSION"));
    match version.and_then(|version| version.trim().chars().next()) {
        Some('3') => Ok("v3"),
        Some('2') => Ok("v2"),
        _ => Err(format!("{} names no version 2 or 3", header.display())),
    }
}

fn copy(from: &Path, to: &Path) -> Result<(), String> {
    let explain =
        |error: std::io::Error| format!("copying {} to {}: {error}", from.display(), to.display());
    fs::create_dir_all(to.parent().unwrap_or(to)).map_err(explain)?;
    fs::copy(from, to).map(|_| ()).map_err(explain)
}

/// A folder of its own, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Scratch, String> {
        let path = std::env::temp_dir().join(format!("mimalloc-vendor-{}", std::process::id()));
        fs::create_dir_all(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Scratch(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Left behind, it is only litter in the system's folder for such.
        let _ = fs::remove_dir_all(&self.0);
    }
}

//! The Cargo that runs this build, as far as it shows.
//!
//! Its configuration is found from the folder in which it was started, and `--offline` and `--frozen`
//! forbid it the network. It hands none of that to a build script; on Linux its process tells.

use std::fs;
use std::path::PathBuf;

/// Folders where the user's configuration may be found, most likely first.
pub fn folders(shell: Option<PathBuf>, out_dir: PathBuf) -> Vec<PathBuf> {
    let process = of_process("cwd").and_then(|cwd| fs::read_link(cwd).ok());
    choose(process, shell, out_dir)
}

/// Whether Cargo was told not to use a network, as far as that can be seen.
pub fn is_offline() -> bool {
    of_process("cmdline")
        .and_then(|file| fs::read(file).ok())
        .map_or(false, |arguments| forbids_network(&arguments))
}

/// The folder of Cargo's process is certain. The shell's may be another if a program started Cargo,
/// and `OUT_DIR` lies below the project only if the target folder does.
pub fn choose(process: Option<PathBuf>, shell: Option<PathBuf>, out_dir: PathBuf) -> Vec<PathBuf> {
    match (process, shell) {
        (Some(process), _) => vec![process],
        (None, Some(shell)) => vec![shell, out_dir],
        (None, None) => vec![out_dir],
    }
}

/// Looks at Cargo's own arguments, each with a NUL at its end; those of a program that it runs follow `--`.
pub fn forbids_network(arguments: &[u8]) -> bool {
    arguments
        .split(|byte| *byte == 0)
        .take_while(|argument| *argument != b"--")
        .any(|argument| argument == b"--offline" || argument == b"--frozen")
}

#[cfg(target_os = "linux")]
fn of_process(file: &str) -> Option<PathBuf> {
    let parent = std::os::unix::process::parent_id();
    Some(PathBuf::from(format!("/proc/{}/{}", parent, file)))
}

#[cfg(not(target_os = "linux"))]
fn of_process(_: &str) -> Option<PathBuf> {
    None
}

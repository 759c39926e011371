//! The Cargo that runs this build, as far as it can be observed.
//!
//! Its configuration is found from the folder in which it was started, and `--offline` and `--frozen`
//! forbid it the network. It passes none of that to a build script; on Linux `/proc` has it.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// Folders where the user's configuration may be found, most likely first.
pub fn folders(shell: Option<PathBuf>, out_dir: PathBuf) -> Vec<PathBuf> {
    let process = of_process("cwd").and_then(|cwd| fs::read_link(cwd).ok());
    choose(process, shell, out_dir)
}

/// Whether Cargo must not use a network, as far as that can be observed.
pub fn is_offline() -> bool {
    of_process("cmdline")
        .and_then(|file| fs::read(file).ok())
        .map_or(false, |arguments| forbids_network(&arguments))
}

/// The folder of Cargo's process is certain. The shell's may be another if a program started Cargo,
/// and `OUT_DIR` is below the project only if the target folder is.
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

/// Starts `cargo --version`. The answer is not needed before the end, and the build goes on meanwhile.
pub fn ask_version(cargo: &str) -> Option<Child> {
    Command::new(cargo)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()
}

/// Whether that Cargo knows the directive `rustc-check-cfg`. If its version is unknown, it does not.
pub fn knows_check_cfg(version: Option<Child>) -> bool {
    version
        .and_then(|child| child.wait_with_output().ok())
        .map_or(false, |output| {
            has_check_cfg(&String::from_utf8_lossy(&output.stdout))
        })
}

/// From 1.80 on, by the text of `cargo --version`: an older Cargo warns of the directive.
pub fn has_check_cfg(version: &str) -> bool {
    let mut numbers = version
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|number| number.parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(1), Some(80))
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

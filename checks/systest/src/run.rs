//! Starts other programs, and creates the folders that they write to.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// The standard output of a command that succeeds, or its error message.
pub fn output(command: &mut Command) -> Result<String, String> {
    with_input(command, "")
}

pub fn with_input(command: &mut Command, input: &str) -> Result<String, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{program} cannot be started: {error}"))?;
    let mut stdin = child.stdin.take().expect("standard input is piped");
    // A program that fails early closes its input; the reason is on its standard error.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child
        .wait_with_output()
        .map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_string();
        Err(format!("{program} failed ({}): {said}", output.status))
    }
}

pub fn create_folder(folder: &Path) -> Result<(), String> {
    std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))
}

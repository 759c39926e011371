//! Runs one test of this program again, in a process of its own: for what must be set before a process
//! starts, for what a process does not survive, and for what changes or measures a whole process.

use std::process::{Command, Output};

const MARK: &str = "MI_MALLOC_SYS_TEST_CHILD";

/// Whether this process is the child.
pub fn is_this() -> bool {
    std::env::var_os(MARK).is_some()
}

/// The argument given to the child.
pub fn argument() -> String {
    std::env::var(MARK).expect("this process is not the child")
}

/// Runs the test `name` in a child process, with `argument` and further environment variables. `name` is the
/// one that the harness prints: with the test's module, if it has one.
pub fn run(name: &str, argument: &str, variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--nocapture", "--test-threads=1"]);
    for (variable, _) in std::env::vars_os() {
        if variable
            .to_string_lossy()
            .to_uppercase()
            .starts_with("MIMALLOC_")
        {
            command.env_remove(variable);
        }
    }
    command
        .env(MARK, argument)
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

/// As [`run`], for a child that must come to the end of its test. Returns its standard error.
pub fn succeeds(name: &str, argument: &str, variables: &[(&str, &str)]) -> String {
    let output = run(name, argument, variables);
    let out = String::from_utf8_lossy(&output.stdout);
    let err = String::from_utf8_lossy(&output.stderr);
    // A wrong name would run nothing, and pass.
    assert!(
        output.status.success() && out.contains("1 passed"),
        "{name} {argument} {variables:?}: {}\n{out}\n{err}",
        output.status
    );
    err.into_owned()
}

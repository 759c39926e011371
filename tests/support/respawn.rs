//! Runs one test of this program again, in a process of its own: for what must be set before a process
//! starts, for what a process does not survive, and for what changes or measures a whole process.

use std::process::{Command, Output};

const MARK: &str = "MI_MALLOC_SYS_TEST_CHILD";

/// The command that runs a program of this target, if the system cannot: an emulator with its arguments
/// (`checks/platforms/parts/suite.sh`). The child needs it, too.
const EMULATOR: &str = "MI_MALLOC_SYS_TEST_EMULATOR";

/// Runs the whole of a test in a child process: `alone(|| ...)` is all that the test does.
pub fn alone(test: impl FnOnce()) {
    alone_with(&[], test);
}

/// As [`alone`], with further environment variables.
pub fn alone_with<Test: FnOnce()>(variables: &[(&str, &str)], test: Test) {
    if is_child() {
        test();
    } else {
        assert_child_passes(name_of::<Test>(), "", variables);
    }
}

/// The name of the test that contains a closure: `module::test`, where the closure's type is called
/// `program::module::test::{{closure}}`. (If this is wrong, no test runs, and [`assert_child_passes`] fails.)
pub fn name_of<Closure>() -> &'static str {
    let path = std::any::type_name::<Closure>().trim_end_matches("::{{closure}}");
    path.split_once("::").map_or(path, |(_program, name)| name)
}

/// Whether this process is the child.
pub fn is_child() -> bool {
    std::env::var_os(MARK).is_some()
}

/// The argument given to the child.
pub fn argument() -> String {
    std::env::var(MARK).expect("this process is not the child")
}

/// Runs the test `name` in a child process, with `argument` and further environment variables. `name` is the
/// one that the harness prints: with the test's module, if it has one.
pub fn run(name: &str, argument: &str, variables: &[(&str, &str)]) -> Output {
    let program = std::env::current_exe().unwrap();
    let emulator = std::env::var(EMULATOR).unwrap_or_default();
    let mut words = emulator.split_whitespace();
    let mut command = match words.next() {
        Some(emulator) => Command::new(emulator),
        None => Command::new(&program),
    };
    if !emulator.is_empty() {
        command.args(words).arg(&program);
    }
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
pub fn assert_child_passes(name: &str, argument: &str, variables: &[(&str, &str)]) -> String {
    let output = run(name, argument, variables);
    let out = String::from_utf8_lossy(&output.stdout);
    let err = String::from_utf8_lossy(&output.stderr);
    // A wrong name would run nothing, and pass.
    assert!(
        output.status.success() && out.contains("1 passed"),
        "{name} {argument} {variables:?}: {}\n{out}\n{err}",
        output.status
    );
    // What the child did not run, its parent reports.
    let not_run = out
        .lines()
        .filter_map(|line| line.find("not run: ").map(|at| &line[at..]));
    not_run.for_each(|line| println!("{line}"));
    err.into_owned()
}

/// As [`assert_child_passes`], with a purge delay in milliseconds. `variables` may name another one.
pub fn assert_child_passes_with_delay(name: &str, delay: u64, variables: &[(&str, &str)]) {
    let delay = delay.to_string();
    let mut all = vec![
        ("MIMALLOC_PURGE_DELAY", delay.as_str()),
        ("MIMALLOC_ARENA_PURGE_MULT", "1"),
    ];
    all.extend(variables);
    assert_child_passes(name, "", &all);
}

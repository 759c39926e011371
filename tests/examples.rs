//! The examples as a user runs them. Each checks itself and fails when it is wrong; here they must end
//! well and say what they are for. (The quickstart has a test of its own.)

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
fn heap_per_request() {
    let said = run("heap_per_request", &[]);
    contains(&said, "10000 requests took 3179640 blocks");
}

#[test]
#[cfg(unix)]
fn arena() {
    let said = run("arena", &[]);
    contains(&said, "arena of 64 MiB at 0x");
    contains(&said, "10000 tiles of 295 MiB in all");
}

#[test]
fn plugin_thread() {
    let said = run("plugin_thread", &[]);
    if cfg!(feature = "override") {
        contains(&said, "not run: with `override`");
        return;
    }
    contains(&said, "a plugin answered 5700000, and leaked 100000 blocks");
    contains(&said, "the host's memory was");
}

#[test]
fn thread_runtime() {
    let said = run("thread_runtime", &[]);
    contains(&said, "4 threads parsed 20000 expressions of 1311700 nodes");
    if cfg!(line = "v3") {
        contains(&said, "the heap gave out 1311700 blocks");
    }
}

#[test]
fn occupancy() {
    let picture = scratch("occupancy.svg");
    let said = run("occupancy", &[&picture]);
    // Of each block size the chart tells how many blocks there are, and the picture has a square for each.
    let blocks: usize = said
        .lines()
        .skip(1)
        .filter_map(|line| line.split_whitespace().nth(3)?.parse::<usize>().ok())
        .sum();
    let svg = fs::read_to_string(&picture).unwrap();
    assert!(svg.starts_with("<svg xmlns="));
    assert!(svg.ends_with("</svg>\n"));
    assert!(blocks > 10_000, "{}", said);
    assert_eq!(svg.matches("<rect ").count(), blocks);
}

#[test]
fn live_stats() {
    let said = run("live_stats", &[]);
    contains(&said, "statistics at http://127.0.0.1:");
    contains(&said, "150000 records,");

    let output = Command::new(example("live_stats"))
        .arg("port")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    contains(
        &String::from_utf8_lossy(&output.stderr),
        "Usage: live_stats [PORT]",
    );
}

#[test]
fn heap_profile() {
    let name = scratch("heap_profile");
    let said = run("heap_profile", &[&name]);
    if cfg!(line = "v2") {
        contains(&said, "needs v3");
        return;
    }
    contains(&said, "10000000 bytes are really in use");
    assert!(name.with_extension("0001.pb").is_file());
    assert!(name.with_extension("0001.heap").is_file());
}

/// Runs an example to its good end, and returns what it printed.
fn run(name: &str, arguments: &[&Path]) -> String {
    let output = Command::new(example(name))
        .args(arguments)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{} ended with {}\n{}{}",
        name,
        output.status,
        said,
        String::from_utf8_lossy(&output.stderr)
    );
    said
}

/// The program that `cargo test` has built beside this one.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap(); // of target/debug/deps/examples-0123
    let program = profile
        .join("examples")
        .join(name)
        .with_extension(std::env::consts::EXE_EXTENSION);
    assert!(
        program.is_file(),
        "{} is not there: run `cargo test`, or `cargo build --examples` first",
        program.display()
    );
    program
}

fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("examples");
    fs::create_dir_all(&folder).unwrap();
    folder.join(name)
}

fn contains(said: &str, what: &str) {
    assert!(said.contains(what), "{:?} is not in:\n{}", what, said);
}

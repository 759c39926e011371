//! The examples that are packages of their own, because they have build scripts, features or dependencies
//! that this package lacks. Cargo builds and runs them here, with the major version under test.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

#[test]
fn c_and_cpp_code_of_a_dependent() {
    let cxx = std::env::var("CXX").unwrap_or_else(|_| "c++".to_string());
    if Command::new(&cxx).arg("--version").output().is_err() {
        // The crate itself needs no C++ compiler; CI has one.
        assert!(std::env::var_os("CI").is_none(), "no C++ compiler");
        println!("not run: there is no C++ compiler `{}`", cxx);
        return;
    }
    let printed = good(cargo("run", "downstream-c").output().unwrap());
    contains(&printed, "C: Ada, Grace, Barbara\n");
    contains(
        &printed,
        "78498 primes in a vector with mi_stl_allocator, 1 of 1 blocks in mimalloc's heap",
    );
    contains(
        &printed,
        "in a map through operator new, 12 of 12 blocks in mimalloc's heap",
    );
}

#[test]
#[cfg(unix)]
fn a_c_library_in_a_program_with_override() {
    let printed = good(cargo("run", "override").output().unwrap());
    contains(&printed, "430000 bytes of text became ");
    contains(&printed, ", and text again\n");
    for what in [
        "the state of bzip2's compressor",
        "the state of bzip2's decompressor",
        "a Vec of Rust",
        "a string of the C library",
        "a path of the C library",
    ] {
        contains(&printed, &format!("{} is in mimalloc's heap\n", what));
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_program_of_the_system_with_a_preloaded_library() {
    good(cargo("build", "preload").output().unwrap());
    let preload = target().join("release/preload");
    let run = |program: &mut Command| {
        let script = "for i in {1..20000}; do list+=(\"entry $i\"); done; echo ${list[12345]}";
        let output = program
            .args(["-c", script])
            .env("MIMALLOC_SHOW_STATS", "1")
            .output()
            .unwrap();
        let statistics = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(good(output), "entry 12346\n");
        statistics
    };
    assert_eq!(
        run(&mut Command::new("bash")),
        "",
        "bash itself has no mimalloc"
    );
    let statistics = run(Command::new(&preload).arg("bash"));
    for what in ["reserved", "pages", "threads", "elapsed"] {
        contains(&statistics, what);
    }

    // The program's own exit code is passed on, and a program that does not exist is named.
    let code = |program: &str, argument: &str| {
        let output = Command::new(&preload)
            .args([program, "-c", argument])
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    assert_eq!(code("sh", "exit 7").0, Some(7));
    let (status, printed) = code("no-such-program", "");
    assert_eq!(status, Some(1));
    contains(&printed, "no-such-program cannot be run");
}

/// The quickstart with the flag that the manual's page on profiling names. A profile then has the right function
/// names without any code for it in the program.
#[test]
#[cfg(all(mi_v3, target_os = "linux"))]
fn a_program_that_is_linked_for_profiles() {
    if Command::new("pprof").arg("--help").output().is_err() {
        println!("not run: there is no `pprof`");
        return;
    }
    let linked = |flag: &str| {
        let output = Command::new(env!("CARGO"))
            .args(["rustc", "--quiet", "--release", "--example", "quickstart"])
            .args(["--target-dir".as_ref(), target().as_os_str()])
            .args(["--", &format!("-Clink-arg=-Wl,{}", flag)])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("CFLAGS", cflags())
            .output()
            .unwrap();
        let unknown = String::from_utf8_lossy(&output.stderr).contains("option");
        if output.status.success() || !unknown {
            good(output);
            return true;
        }
        false
    };
    // lld has the first option, GNU's linker the second.
    assert!(linked("--no-rosegment") || linked("-z,noseparate-code"));

    let program = target().join("release/examples/quickstart");
    let profile = target().join("quickstart.pb");
    let output = Command::new(&program)
        .env("MIMALLOC_PROFILE", &profile)
        .env("MIMALLOC_PROFILE_SAMPLE_RATE", "4096")
        .output();
    good(output.unwrap());
    let output = Command::new("pprof")
        .args(["-top", "-cum", "-sample_index=alloc_bytes"])
        .args([&program, &profile.with_extension("0001.pb")])
        .output();
    let table = good(output.unwrap());
    for name in ["quickstart::texts::read", "quickstart::words::Counter::add"] {
        contains(&table, name);
    }
}

/// The caller's options, and one that compiles the C in half the time.
fn cflags() -> String {
    std::env::var("CFLAGS").unwrap_or_default() + " -O1"
}

fn cargo(command: &str, package: &str) -> Command {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples")
        .join(package)
        .join("Cargo.toml");
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args([command, "--quiet", "--release", "--manifest-path"])
        .arg(manifest)
        .env("CFLAGS", cflags())
        .env("CARGO_TARGET_DIR", target());
    if cfg!(mi_v2) {
        cargo.args(["--features", "v2"]);
    }
    cargo
}

/// A folder for each major version, so that a test of one does not rebuild the other's packages.
fn target() -> PathBuf {
    let line = if cfg!(mi_v2) { "v2" } else { "v3" };
    Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("example-packages")
        .join(line)
}

/// The output of a program, which must have succeeded.
fn good(output: Output) -> String {
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{}\n{}{}",
        output.status,
        printed,
        String::from_utf8_lossy(&output.stderr)
    );
    printed
}

fn contains(printed: &str, what: &str) {
    assert!(printed.contains(what), "{:?} is not in:\n{}", what, printed);
}

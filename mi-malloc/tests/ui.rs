//! What the compiler refuses. trybuild compares its messages with those of `ui/`, which are of one Rust version;
//! `TRYBUILD=overwrite cargo test -p mi-malloc --test ui` writes them again, also with `--features v2`.

/// The version of Rust whose messages these are.
const RUST: &str = "rustc 1.95.";

#[test]
fn refused_programs() {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = std::process::Command::new(rustc).arg("--version").output();
    let version = String::from_utf8(output.unwrap().stdout).unwrap();
    if !version.starts_with(RUST) {
        println!("not run: the messages are those of {RUST}x, and this is {version}");
        return;
    }
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/*.rs");
    cases.compile_fail(if cfg!(mi_v3) {
        "tests/ui/v3/*.rs"
    } else {
        "tests/ui/v2/*.rs"
    });
}

//! What is known of the Cargo that runs a build, and how it is queried for the pinned package: in which folder,
//! whether offline, and what its answer means.

use crate::build::fetch::{folder_of, Attempt, Cargo};
use crate::build::parent;
use std::path::PathBuf;

#[test]
fn offline_comes_first_and_online_only_where_allowed() {
    let attempts = |folders: &[&str], offline| {
        let cargo = Cargo {
            program: String::new(),
            folders: folders.iter().map(PathBuf::from).collect(),
            offline,
        };
        let show = |attempt: Attempt| {
            let way = if attempt.offline { "offline" } else { "online" };
            format!("{} {}", way, attempt.folder.display())
        };
        cargo.attempts().into_iter().map(show).collect::<Vec<_>>()
    };
    assert_eq!(
        attempts(&["/project"], false),
        ["offline /project", "offline /", "online /project"]
    );
    assert_eq!(
        attempts(&["/project"], true),
        ["offline /project", "offline /"]
    );
    assert_eq!(
        attempts(&["/shell", "/project/target/out"], false),
        [
            "offline /shell",
            "offline /project/target/out",
            "offline /",
            "online /shell",
            "online /project/target/out"
        ]
    );
}

#[test]
fn the_folder_of_cargos_process_is_known() {
    let folder = |path: &str| Some(PathBuf::from(path));
    let out = || PathBuf::from("/out");
    let choose = parent::choose;
    assert_eq!(
        choose(folder("/a"), folder("/b"), out()),
        ["/a"].map(PathBuf::from)
    );
    assert_eq!(choose(folder("/a"), None, out()), ["/a"].map(PathBuf::from));
    assert_eq!(
        choose(None, folder("/b"), out()),
        ["/b", "/out"].map(PathBuf::from)
    );
    assert_eq!(choose(None, None, out()), ["/out"].map(PathBuf::from));
}

#[test]
fn arguments_that_forbid_the_network() {
    for (arguments, forbidden) in [
        ("cargo build", false),
        ("cargo build --offline", true),
        ("/usr/bin/cargo --frozen run", true),
        ("cargo --locked build", false),
        ("cargo run -- --offline", false),
        ("cargo run --offline -- --verbose", true),
        ("cargo build --features --offline-mode", false),
        ("", false),
    ] {
        let bytes = arguments.replace(' ', "\0") + "\0";
        assert_eq!(
            parent::forbids_network(bytes.as_bytes()),
            forbidden,
            "{arguments}"
        );
    }
}

#[test]
fn cargo_knows_conditions_from_1_80_on() {
    for (version, knows) in [
        ("cargo 1.65.0\n", false),
        ("cargo 1.79.0 (ffa9cf99a 2024-06-03)\n", false),
        ("cargo 1.80.0 (376290515 2024-07-16)\n", true),
        ("cargo 1.95.0 (f2d3ce0bd 2026-03-21)\n", true),
        ("cargo 1.97.0-nightly (eb9b60f1f 2026-04-24)\n", true),
        ("cargo 2.0.0\n", true),
        ("cargo\n", false),
        ("", false),
    ] {
        assert_eq!(parent::has_check_cfg(version), knows, "{version}");
    }
}

#[test]
fn the_package_in_cargos_metadata() {
    let metadata = r#"{"packages":[
        {"name":"pin","version":"0.0.0","dependencies":[{"name":"carrier","source":"registry","req":"=1.0.0"}],
         "manifest_path":"/out/pin/Cargo.toml"},
        {"name":"carrier-of-others","version":"1.0.0","manifest_path":"/other/Cargo.toml"},
        {"name":"carrier","version":"1.0.0","targets":[],"manifest_path":"C:\\späte \"Gäste\"/1.0.0/Cargo.toml"}
    ]}"#;
    assert_eq!(
        folder_of(metadata, "carrier"),
        Some(PathBuf::from(r#"C:\späte "Gäste"/1.0.0"#))
    );
    assert_eq!(folder_of(metadata, "pin"), Some(PathBuf::from("/out/pin")));
    assert_eq!(folder_of(metadata, "cc"), None);
    assert_eq!(folder_of("", "carrier"), None);
}

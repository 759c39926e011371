//! `src/global/inlined.c` against upstream's headers: the C compiler takes it with the definitions of a usual
//! build, and refuses it when one of them makes upstream's insides other than `inlined.rs` knows them.

#![cfg(all(
    line = "v3",
    target_arch = "x86_64",
    target_os = "linux",
    target_env = "gnu"
))]

#[allow(dead_code)]
#[path = "../build/arch.rs"]
mod arch;
#[allow(dead_code)]
#[path = "../build/config.rs"]
mod config;
#[allow(dead_code)]
#[path = "../build/lto.rs"]
mod lto;
#[path = "../build/modes.rs"]
mod modes;
#[allow(dead_code)]
#[path = "../build/plan.rs"]
mod plan;
#[path = "../build/platform.rs"]
mod platform;
#[path = "../build/tools.rs"]
mod tools;
#[path = "support/usual.rs"]
mod usual;

use config::{Config, Define, Line, Target};
use std::path::Path;
use std::process::Command;

fn usual_build() -> Config {
    let target = Target {
        arch: "x86_64".into(),
        os: "linux".into(),
        env: "gnu".into(),
        triple: "x86_64-unknown-linux-gnu".into(),
        unix: true,
        ..Target::default()
    };
    Config {
        opt_level: "3".into(),
        ..usual::config(&target, Line::V3)
    }
}

/// What the compiler says to the file with the definitions of a usual build and others after them: nothing, if
/// it takes it.
fn complaint(others: &[&str]) -> String {
    complaint_of(&usual_build(), others)
}

fn complaint_of(config: &Config, others: &[&str]) -> String {
    let sources = Path::new(env!("MIMALLOC_SYS_SOURCES"));
    let plan = plan::plan(config).unwrap();
    assert!(plan.inlined);
    let usual = plan.defines.iter().map(|define| {
        let value = define.value.as_deref().unwrap_or("1");
        format!("-D{}={}", define.name, value)
    });
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    let output = Command::new(compiler)
        .args(["-fsyntax-only", "-w", "-I"])
        .arg(sources.join("include"))
        .arg("-I")
        .arg(sources.join("src"))
        .args(usual)
        .args(others)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/global/inlined.c"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(said.is_empty(), output.status.success(), "{}", said);
    said
}

#[test]
fn a_usual_build_is_as_the_rust_code_knows_it() {
    assert_eq!(complaint(&[]), "");
    assert_eq!(complaint(&["-DMI_SHOW_ERRORS=1", "-O0"]), "");
}

/// Twice the usual size is known too, if it is asked for where the Rust code is told of it.
#[test]
fn slices_of_another_size() {
    let with = |shift: &str| Config {
        defines: vec![Define {
            name: "MI_ARENA_SLICE_SHIFT".into(),
            value: Some(shift.into()),
        }],
        ..usual_build()
    };
    for (shift, large) in [("16", false), ("17", true)] {
        let plan = plan::plan(&with(shift)).unwrap();
        assert_eq!(plan.is_on(modes::LARGE_SLICES), large);
        assert_eq!(complaint_of(&with(shift), &[]), "");
    }
    let usual = ["-UMI_ARENA_SLICE_SHIFT"];
    for said in [
        complaint_of(&with("15"), &[]),
        complaint_of(&with("18"), &[]),
        complaint_of(&with("17"), &usual),
    ] {
        assert!(said.contains("small pages have another size"), "{}", said);
    }
}

#[test]
fn other_insides_are_found() {
    for (others, expected) in [
        ("-DMI_DEBUG=1", "blocks are checked"),
        ("-DMI_SECURE=4", "blocks are checked"),
        ("-DMI_PADDING=1", "blocks are checked"),
        ("-UMI_GUARDED -DMI_GUARDED=1", "blocks are checked"),
        ("-DMI_ENCODE_FREELIST=1", "blocks are checked"),
        ("-DMI_TSAN=1", "blocks are checked"),
        ("-UMI_STATS -DMI_STATS=2", "counted or sampled one by one"),
        (
            "-UMI_PROFILE -DMI_PROFILE=2",
            "counted or sampled one by one",
        ),
        ("-DMI_QSBR=1", "a page that becomes empty"),
        ("-DMI_TLS_MODEL_PTHREADS=1", "theaps are found"),
        ("-DMI_TLS_RECURSE_GUARD=1", "theaps are found"),
        ("-DMI_PRIM_THREAD_ID=number", "threads are told apart"),
        ("-DMI_FREE_USE_PAGEMAP=1", "pages are found"),
        (
            "-UMI_OPT_FREE_SMALL -DMI_OPT_FREE_SMALL=1",
            "pages are found",
        ),
        ("-DMI_ARENA_SLICE_SHIFT=17", "small pages have another size"),
    ] {
        let others: Vec<&str> = others.split(' ').collect();
        let said = complaint(&others);
        assert!(said.contains(expected), "{:?}: {}", others, said);
    }
}

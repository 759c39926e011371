//! The build script as Cargo runs it: its messages when it cannot build, and what causes it to run again.
//!
//! The tests work on copies of this package, mostly with a small source tree in place of mimalloc's,
//! which suffices for a build script and compiles quickly. Tests that change no file of the copy share one.

use crate::folder::Folder;
use crate::package::{files, host, rewrite, Package, V2, V3};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
fn a_source_dir_that_does_not_exist() {
    let package = Package::shared("source-dir-missing");
    let nowhere = package.own.join("nowhere");
    let printed = package.with("MIMALLOC_SYS_SOURCE_DIR", &nowhere).fails();
    printed.all_of(&[
        "MIMALLOC_SYS_SOURCE_DIR is",
        "nowhere",
        "there is no such folder",
        "absolute path of a mimalloc v3 source tree",
    ]);
}

#[test]
fn a_source_dir_that_is_relative() {
    let package = Package::shared("source-dir-relative");
    let printed = package.with("MIMALLOC_SYS_SOURCE_DIR", "mimalloc").fails();
    printed.all_of(&[
        "MIMALLOC_SYS_SOURCE_DIR is mimalloc",
        "relative path",
        "absolute path",
    ]);
}

#[test]
fn a_source_dir_that_is_not_mimalloc() {
    let package = Package::shared("source-dir-other");
    let printed = package
        .with("MIMALLOC_SYS_SOURCE_DIR", package.root.join("src"))
        .fails();
    printed.all_of(&["no src/static.c", "not mimalloc's source tree"]);

    let tree = package.stand_in(V3);
    fs::write(tree.join("include/mimalloc.h"), "#pragma once\n").unwrap();
    let printed = package.with("MIMALLOC_SYS_SOURCE_DIR", &tree).fails();
    printed.all_of(&["defines no MI_MALLOC_VERSION"]);
}

#[test]
fn a_source_dir_of_the_other_major_version() {
    let package = Package::shared("source-dir-major");
    let printed = package
        .with("MIMALLOC_SYS_SOURCE_DIR", package.stand_in(V2))
        .fails();
    printed.all_of(&["mimalloc 2.5.2", "this build binds v3", "the feature `v2`"]);

    let printed = package
        .with("MIMALLOC_SYS_SOURCE_DIR", package.stand_in(V3))
        .features("v2")
        .fails();
    printed.all_of(&[
        "mimalloc 3.6.1",
        "this build binds v2",
        "drop the feature `v2`",
    ]);
}

#[test]
fn both_majors_mean_v3() {
    let package = Package::shared("both-majors");
    let v3 = package.stand_in(V3);
    package
        .with("MIMALLOC_SYS_SOURCE_DIR", &v3)
        .features("v2,v3")
        .builds();
    package.with("MIMALLOC_SYS_SOURCE_DIR", &v3).builds();
}

#[test]
fn no_network_and_nothing_cached() {
    let package = Package::new("no-network");
    let vendored = package.vendor(&[]);
    let home = package.root.join("home");
    replace_the_registry(&home, &vendored);

    let build = package
        .with("CARGO_HOME", &home)
        .with("CARGO_TARGET_DIR", home.join("target"));
    let printed = build.fails();
    printed.all_of(&[
        "mimalloc's C sources were not found",
        "1. the variable MIMALLOC_SYS_SOURCE_DIR: not set",
        "2. vendored sources in",
        "3. Cargo, for the pinned package: `cargo metadata --format-version=1 --locked",
        "libmimalloc-sys2",
        "Do one of these:",
    ]);

    // Cargo passes to a build script neither the option `--offline` nor the folder that it was started in.
    if cfg!(target_os = "linux") {
        printed.all_of(&["--locked --offline --manifest-path"]);
        let online = build.online().with("CARGO_NET_OFFLINE", "true").fails();
        online.all_of(&["--locked --manifest-path"]);
        let started_in = format!("in {} failed", package.root.display());
        printed.all_of(&[&started_in]);
        online.all_of(&[&started_in]);
    }
}

/// With the build folder elsewhere, and an empty home of Cargo.
#[test]
fn a_mirror_in_the_configuration_of_the_project() {
    let package = Package::new("project-mirror");
    let pin = package.root.join("target-of-the-pin");
    fs::create_dir(&pin).unwrap();
    let from = package.root.join("c_src/pin");
    fs::copy(from.join("manifest.toml"), pin.join("Cargo.toml")).unwrap();
    fs::copy(from.join("Cargo.lock"), pin.join("Cargo.lock")).unwrap();
    let vendored = package.vendor(&[&pin.join("Cargo.toml")]);
    let before = names(&vendored);
    assert!(before.contains(&"libmimalloc-sys2".to_string()));
    replace_the_registry(&package.root.join(".cargo"), &vendored);

    let elsewhere = Folder::new("project-mirror-target");
    package
        .with("CARGO_HOME", elsewhere.join("home"))
        .with("CARGO_TARGET_DIR", elsewhere.join("target"))
        .builds();
    // `cargo vendor` of an old Cargo would have removed the packages that it read.
    assert_eq!(names(&vendored), before);
}

/// What `cargo vendor` leaves of a git dependency: the files that Cargo would pack.
#[test]
fn a_packed_checkout_builds_with_the_cached_package() {
    let package = Package::new("packed");
    let output = Command::new(env!("CARGO"))
        .args(["package", "--list", "--allow-dirty", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let list = String::from_utf8(output.stdout).unwrap();
    let packed: Vec<&str> = list.lines().collect();
    assert!(packed.contains(&"build.rs"), "{:?}", output.stderr);
    for file in files(&package.root) {
        let name = file.strip_prefix(&package.root).unwrap();
        let name = name.to_str().unwrap().replace('\\', "/");
        // A packed manifest has no dev-dependencies by path; this copy's has, and Cargo reads it.
        if !packed.contains(&name.as_str()) && !name.starts_with("c_src/vendor/") {
            fs::remove_file(&file).unwrap();
        }
    }
    package.builder().builds();
}

#[test]
fn vendored_sources_that_are_incomplete_or_of_the_other_major_version() {
    let package = Package::new("vendored-wrong");
    let vendored = package.root.join("c_src/v3");
    fs::create_dir_all(&vendored).unwrap();
    package
        .builder()
        .fails()
        .all_of(&["c_src/v3 are incomplete", "Vendor them again"]);

    fs::remove_dir_all(&vendored).unwrap();
    fs::rename(package.stand_in(V2), &vendored).unwrap();
    let printed = package.builder().fails();
    printed.all_of(&["are mimalloc 2.5.2, which is not v3", "Vendor them again"]);
}

#[test]
fn vendored_sources_come_before_the_pinned_package() {
    let package = Package::new("vendored");
    let vendored = package.root.join("c_src/v3");
    fs::rename(package.stand_in(V3), &vendored).unwrap();
    package.builder().builds();
    package.builder().is_fresh();
    rewrite(&vendored.join("src/static.c"));
    package.builder().builds_again();
}

#[test]
fn bad_definitions() {
    let package = Package::shared("defines");
    let tree = package.stand_in(V3);
    for bad in ["MI-XMALLOC=1", "=1", "1MI=1"] {
        let printed = package
            .with("MIMALLOC_SYS_SOURCE_DIR", &tree)
            .with("MIMALLOC_SYS_DEFINES", bad)
            .fails();
        printed.all_of(&[
            "MIMALLOC_SYS_DEFINES has the entry",
            bad,
            "not a C identifier",
        ]);
    }
}

#[test]
fn definitions_reach_the_compiler() {
    let package = Package::shared("defines-used");
    let tree = package.stand_in(V3);
    fs::write(
        tree.join("src/static.c"),
        "#if !defined(PLAIN) || VALUE != 7\n#error \"definitions are missing\"\n#endif\n\
         int mi_version(void) { return 0; }\n",
    )
    .unwrap();
    let build = package.with("MIMALLOC_SYS_SOURCE_DIR", &tree);
    build.fails().all_of(&["The C compiler failed on"]);
    build
        .with("MIMALLOC_SYS_DEFINES", "PLAIN; VALUE = 7")
        .builds();
    // The variable for one target takes precedence over the plain one.
    let prefixed = format!("{}_MIMALLOC_SYS_DEFINES", host().replace('-', "_"));
    build
        .with("MIMALLOC_SYS_DEFINES", "NOTHING")
        .with(&prefixed, "PLAIN;VALUE=7")
        .builds();
}

#[test]
fn a_missing_compiler() {
    let package = Package::shared("no-compiler");
    let printed = package
        .with("MIMALLOC_SYS_SOURCE_DIR", package.stand_in(V3))
        .with("CC", "no-such-compiler")
        .fails();
    printed.all_of(&["no-such-compiler", "name"]);
}

/// A clean build starts the compiler as rarely as possible: besides the library it compiles one file, with all flags
/// that a compiler may lack. If the compiler refuses one of them, the others are still passed.
#[cfg(unix)]
#[test]
fn flags_are_probed_in_one_run() {
    let package = Package::shared("one-probe");
    let tree = package.stand_in(V3);
    let map = "-ffile-prefix-map=";
    let runs = |name: &str, refusal: &str| {
        let compiler = package.own.join(name);
        let log = package.own.join(format!("{name}.log"));
        let text = format!(
            "#!/bin/sh\necho \"$*\" >> {log:?}\n{refusal}\nexec cc \"$@\"\n",
            log = log.display().to_string(),
        );
        crate::package::stand_in_program(&compiler, &text);
        package
            .with("MIMALLOC_SYS_SOURCE_DIR", &tree)
            .with("CC", &compiler)
            .builds();
        let log = fs::read_to_string(log).unwrap();
        let compiles = |line: &&str| line.split(' ').any(|argument| argument == "-c");
        log.lines()
            .filter(compiles)
            .map(str::to_string)
            .collect::<Vec<_>>()
    };
    let has = |run: &str, flag: &str| run.contains(&format!(" {flag}"));

    let all = runs("takes-all", "");
    assert_eq!(all.len(), 2, "{all:#?}");
    assert!(all[0].contains("flags.c") && all[1].contains("static.c"));
    for run in &all {
        assert!(has(run, "-Wno-unknown-pragmas") && has(run, map), "{run}");
    }

    let refusal = format!("case \"$*\" in *{map}*) exit 1;; esac");
    let some = runs("refuses-one", &refusal);
    let last = some.last().unwrap();
    assert!(last.contains("static.c"), "{some:#?}");
    assert!(
        has(last, "-Wno-unknown-pragmas") && !has(last, map),
        "{last}"
    );
}

/// The documentation of the whole API must build without a network and without a C compiler.
#[test]
fn docs_rs_compiles_no_c() {
    let package = Package::shared("docs-rs");
    package
        .with("DOCS_RS", "1")
        .with("CC", "no-such-compiler")
        .with("MIMALLOC_SYS_SOURCE_DIR", "")
        .builds();
}

/// What a wrapper's build script reads, with the code that docs/building.md shows.
#[test]
fn a_dependent_reads_the_major_version() {
    let package = Package::shared("dependent");
    let lines = include_str!("../../docs/building.md")
        .split_once("# Dependents")
        .and_then(|(_, text)| text.split_once("```rust,no_run\n"))
        .and_then(|(_, text)| text.split_once("```"))
        .expect("the lines are in docs/building.md")
        .0;
    let root = package.own.join("program");
    fs::create_dir_all(root.join("src")).unwrap();
    fs::write(
        root.join("Cargo.toml"),
        format!(
            "[package]\nname = \"dependent\"\nversion = \"0.0.0\"\nedition = \"2021\"\n\
             [features]\nv2 = [\"mi-malloc-sys/v2\"]\n\
             [dependencies]\nmi-malloc-sys = {{ path = {:?} }}\n[workspace]\n",
            package.root
        ),
    )
    .unwrap();
    fs::copy(package.root.join("Cargo.lock"), root.join("Cargo.lock")).unwrap();
    fs::write(
        root.join("build.rs"),
        format!("fn main() {{\n{}}}\n", lines),
    )
    .unwrap();
    // The type is a number on v2 and a pointer on v3.
    fs::write(
        root.join("src/lib.rs"),
        "#![deny(warnings)]\n\
         #[cfg(mimalloc_v2)]\npub const NONE: i32 = mi_malloc_sys::MI_ARENA_ID_NONE;\n\
         #[cfg(not(mimalloc_v2))]\n\
         pub const NONE: *mut std::os::raw::c_void = mi_malloc_sys::MI_ARENA_ID_NONE.cast();\n",
    )
    .unwrap();
    // The lock file of the copy gets the dependent's entry.
    let status = Command::new(env!("CARGO"))
        .args(["update", "--workspace", "--offline", "--quiet"])
        .current_dir(&root)
        .status()
        .unwrap();
    assert!(status.success());
    for (features, version) in [("", V3), ("v2", V2)] {
        package
            .with("MIMALLOC_SYS_SOURCE_DIR", package.stand_in(version))
            .features(features)
            .of(&root)
            .builds();
    }
}

#[test]
fn what_rebuilds_and_what_does_not() {
    let package = Package::new("rebuild");
    let tree = package.stand_in(V3);
    let build = package.with("MIMALLOC_SYS_SOURCE_DIR", &tree);
    build.builds();
    build.is_fresh();

    rewrite(&tree.join("src/static.c"));
    build.builds_again();
    build.is_fresh();

    rewrite(&tree.join("include/mimalloc.h"));
    build.builds_again();
    build.is_fresh();

    fs::write(tree.join("src/new.c"), "").unwrap();
    build.builds_again();
    build.is_fresh();

    build.with("MIMALLOC_SYS_DEFINES", "A=1").builds_again();
    build.with("MIMALLOC_SYS_DEFINES", "A=1").is_fresh();
    build.builds_again();

    // What docs.rs builds has no C: it must not stay in use when the documentation is done.
    build.with("DOCS_RS", "1").builds_again();
    build.builds_again();

    for unrelated in [
        "README.md",
        "CHANGELOG.md",
        "c_src/README.md",
        "c_src/v3.sha256",
    ] {
        fs::write(package.root.join(unrelated), "changed").unwrap();
    }
    fs::write(tree.join("readme.md"), "changed").unwrap();
    build.is_fresh();
}

/// Of this package's own C, the files that an unoptimised build of v3 without features does not compile.
const NOT_COMPILED: [&str; 5] = [
    "src/fork/v2.h",
    "src/global/inlined.c",
    "src/global/inlined_v2.c",
    "src/secure.c",
    "src/thread.h",
];

/// With the real sources, and no variable set.
#[test]
fn a_changed_pin_or_source_rebuilds() {
    let package = Package::new("pin");
    package.builder().builds();
    package.builder().is_fresh();
    for changed in ["c_src/pin/Cargo.lock", "src/fork/v3.h"] {
        rewrite(&package.root.join(changed));
        package.builder().builds_again();
        package.builder().is_fresh();
    }
    // For the others it suffices that Cargo was told.
    let mut watched: Vec<_> = package.watched();
    watched.extend(NOT_COMPILED.map(|file| package.root.join(file)));
    watched.sort();
    let is_c = |path: &PathBuf| path.extension().is_some_and(|end| end == "c" || end == "h");
    let mut expected: Vec<_> = files(&package.root.join("src"));
    expected.retain(is_c);
    expected.extend(
        ["manifest.toml", "Cargo.lock"].map(|file| package.root.join("c_src/pin").join(file)),
    );
    expected.sort();
    assert_eq!(watched, expected);
}

/// Writes a configuration to `folder` that replaces the registry by the folder `packages`.
fn replace_the_registry(folder: &Path, packages: &Path) {
    let config = format!(
        "[source.crates-io]\nreplace-with = \"vendored\"\n[source.vendored]\ndirectory = {:?}\n",
        packages
    );
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("config.toml"), config).unwrap();
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

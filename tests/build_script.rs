//! The build script from outside: what it says when it cannot build, and what makes it run again.
//!
//! Each test works on a copy of this package, mostly with a stand-in for mimalloc's source tree,
//! which is enough for a build script and compiles at once.

#[allow(dead_code)]
#[path = "support/build.rs"]
mod build;

use build::{host, rewrite, Package, V2, V3};
use std::fs;
use std::process::Command;

#[test]
fn a_source_dir_that_does_not_exist() {
    let package = Package::new("source-dir-missing");
    let nowhere = package.root.join("nowhere");
    let said = package.with("MIMALLOC_SYS_SOURCE_DIR", &nowhere).fails();
    said.all_of(&[
        "MIMALLOC_SYS_SOURCE_DIR is",
        "nowhere",
        "there is no such folder",
        "absolute path of a mimalloc v3 source tree",
    ]);
}

#[test]
fn a_source_dir_that_is_relative() {
    let package = Package::new("source-dir-relative");
    let said = package.with("MIMALLOC_SYS_SOURCE_DIR", "mimalloc").fails();
    said.all_of(&[
        "MIMALLOC_SYS_SOURCE_DIR is mimalloc",
        "relative path",
        "absolute path",
    ]);
}

#[test]
fn a_source_dir_that_is_not_mimalloc() {
    let package = Package::new("source-dir-other");
    let said = package
        .with("MIMALLOC_SYS_SOURCE_DIR", package.root.join("src"))
        .fails();
    said.all_of(&["no src/static.c", "not mimalloc's source tree"]);

    let tree = package.stand_in(V3);
    fs::write(tree.join("include/mimalloc.h"), "#pragma once\n").unwrap();
    let said = package.with("MIMALLOC_SYS_SOURCE_DIR", &tree).fails();
    said.all_of(&["defines no MI_MALLOC_VERSION"]);
}

#[test]
fn a_source_dir_of_the_other_line() {
    let package = Package::new("source-dir-line");
    let said = package
        .with("MIMALLOC_SYS_SOURCE_DIR", package.stand_in(V2))
        .fails();
    said.all_of(&[
        "mimalloc 2.5.2",
        "this build binds line v3",
        "the feature `v2`",
    ]);

    let said = package
        .with("MIMALLOC_SYS_SOURCE_DIR", package.stand_in(V3))
        .features("v2")
        .fails();
    said.all_of(&[
        "mimalloc 3.6.1",
        "this build binds line v2",
        "drop the feature `v2`",
    ]);
}

#[test]
fn both_lines_mean_v3() {
    let package = Package::new("both-lines");
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
    // A home of Cargo's own that has this package's dependencies and nothing else.
    let home = package.root.join("home");
    let vendored = home.join("vendored");
    let status = Command::new(env!("CARGO"))
        .args(["vendor", "--offline", "--locked", "--quiet"])
        .arg(&vendored)
        .current_dir(&package.root)
        .status()
        .unwrap();
    assert!(
        status.success(),
        "the dependencies of this very test could not be vendored"
    );
    let config = format!(
        "[source.crates-io]\nreplace-with = \"vendored\"\n[source.vendored]\ndirectory = {:?}\n",
        vendored
    );
    fs::write(home.join("config.toml"), config).unwrap();

    let said = package
        .with("CARGO_HOME", &home)
        .with("CARGO_TARGET_DIR", home.join("target"))
        .fails();
    said.all_of(&[
        "mimalloc's C sources are not to be had",
        "1. the variable MIMALLOC_SYS_SOURCE_DIR: not set",
        "2. vendored sources in",
        "3. Cargo, for the pinned package: `cargo vendor --locked",
        "libmimalloc-sys2",
        "Three ways out:",
    ]);
}

#[test]
fn vendored_sources_that_are_incomplete_or_of_the_other_line() {
    let package = Package::new("vendored-wrong");
    let vendored = package.root.join("c_src/v3");
    fs::create_dir_all(&vendored).unwrap();
    package
        .builder()
        .fails()
        .all_of(&["c_src/v3 are incomplete", "Vendor them again"]);

    fs::remove_dir_all(&vendored).unwrap();
    fs::rename(package.stand_in(V2), &vendored).unwrap();
    let said = package.builder().fails();
    said.all_of(&[
        "are mimalloc 2.5.2, which is not line v3",
        "Vendor them again",
    ]);
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
    let package = Package::new("defines");
    let tree = package.stand_in(V3);
    for bad in ["MI-XMALLOC=1", "=1", "1MI=1"] {
        let said = package
            .with("MIMALLOC_SYS_SOURCE_DIR", &tree)
            .with("MIMALLOC_SYS_DEFINES", bad)
            .fails();
        said.all_of(&[
            "MIMALLOC_SYS_DEFINES has the entry",
            bad,
            "not a C identifier",
        ]);
    }
}

#[test]
fn definitions_reach_the_compiler() {
    let package = Package::new("defines-used");
    let tree = package.stand_in(V3);
    fs::write(
        tree.join("src/static.c"),
        "#if !defined(PLAIN) || VALUE != 7\n#error \"definitions are missing\"\n#endif\n",
    )
    .unwrap();
    let build = package.with("MIMALLOC_SYS_SOURCE_DIR", &tree);
    build.fails().all_of(&["The C compiler failed on"]);
    build
        .with("MIMALLOC_SYS_DEFINES", "PLAIN; VALUE = 7")
        .builds();
    // The form for one target wins over the plain one.
    let prefixed = format!("{}_MIMALLOC_SYS_DEFINES", host().replace('-', "_"));
    build
        .with("MIMALLOC_SYS_DEFINES", "NOTHING")
        .with(&prefixed, "PLAIN;VALUE=7")
        .builds();
}

#[test]
fn a_compiler_that_is_not_there() {
    let package = Package::new("no-compiler");
    let said = package
        .with("MIMALLOC_SYS_SOURCE_DIR", package.stand_in(V3))
        .with("CC", "no-such-compiler")
        .fails();
    said.all_of(&["no-such-compiler", "name"]);
}

/// The documentation of the whole API must be had where there is no network and no C compiler.
#[test]
fn docs_rs_compiles_no_c() {
    let package = Package::new("docs-rs");
    package
        .with("DOCS_RS", "1")
        .with("CC", "no-such-compiler")
        .with("MIMALLOC_SYS_SOURCE_DIR", "")
        .builds();
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

/// With the real sources, as a user without any variable has it.
#[test]
fn the_pin_is_watched() {
    let package = Package::new("pin");
    package.builder().builds();
    package.builder().is_fresh();
    rewrite(&package.root.join("c_src/pin/Cargo.lock"));
    package.builder().builds_again();
    package.builder().is_fresh();
    rewrite(&package.root.join("src/global.c"));
    package.builder().builds_again();
    package.builder().is_fresh();
}

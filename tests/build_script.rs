//! The build script from outside: what it says when it cannot build, and what makes it run again.
//!
//! Each test works on a copy of this package, mostly with a stand-in for mimalloc's source tree,
//! which is enough for a build script and compiles at once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const V3: u32 = 30600;
const V2: u32 = 20502;

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
        "mimalloc 3.6.0",
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
}

/// A copy of this package.
struct Package {
    root: PathBuf,
}

impl Package {
    fn new(name: &str) -> Package {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("build-script")
            .join(name);
        if root.exists() {
            fs::remove_dir_all(&root).unwrap();
        }
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        for part in ["Cargo.toml", "Cargo.lock", "build.rs", "build", "src"] {
            copy(&here.join(part), &root.join(part));
        }
        // A version of its own: Cargo takes copies that differ in their folder only for one package.
        for file in ["Cargo.toml", "Cargo.lock"] {
            let text = fs::read_to_string(root.join(file)).unwrap();
            let ours = concat!(
                "name = \"mi-malloc-sys\"\nversion = \"",
                env!("CARGO_PKG_VERSION")
            );
            assert!(
                text.contains(ours),
                "{} does not start with name and version",
                file
            );
            let copied = text.replace(ours, &format!("{}-{}", ours, name));
            fs::write(root.join(file), copied).unwrap();
        }
        for part in ["pin", "vendor/Cargo.toml", "vendor/src"] {
            copy(
                &here.join("c_src").join(part),
                &root.join("c_src").join(part),
            );
        }
        Package { root }
    }

    /// As much of a mimalloc tree as a build script looks at.
    fn stand_in(&self, version: u32) -> PathBuf {
        let tree = self.root.join("stand-in").join(version.to_string());
        fs::create_dir_all(tree.join("include")).unwrap();
        fs::create_dir_all(tree.join("src")).unwrap();
        let header = format!("#define MI_MALLOC_VERSION {}\n", version);
        fs::write(tree.join("include/mimalloc.h"), header).unwrap();
        let code = format!("int mi_version(void) {{ return {}; }}\n", version);
        fs::write(tree.join("src/static.c"), code).unwrap();
        tree
    }

    fn builder(&self) -> Builder {
        Builder {
            root: &self.root,
            variables: Vec::new(),
            features: String::new(),
        }
    }

    fn with(&self, name: &str, value: impl AsRef<Path>) -> Builder {
        self.builder().with(name, value)
    }
}

/// A way to build a package.
#[derive(Clone)]
struct Builder<'a> {
    root: &'a Path,
    variables: Vec<(String, PathBuf)>,
    features: String,
}

impl Builder<'_> {
    fn with(&self, name: &str, value: impl AsRef<Path>) -> Self {
        let mut builder = self.clone();
        builder
            .variables
            .push((name.to_string(), value.as_ref().to_path_buf()));
        builder
    }

    fn features(&self, features: &str) -> Self {
        Builder {
            features: features.to_string(),
            ..self.clone()
        }
    }

    fn run(&self) -> Said {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("build-script/target");
        let mut command = Command::new(env!("CARGO"));
        command
            .args([
                "check",
                "--lib",
                "--offline",
                "--locked",
                "--features",
                &self.features,
            ])
            .current_dir(self.root)
            .env("CARGO_TARGET_DIR", target);
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if name.contains("MIMALLOC_SYS") || name == "DOCS_RS" {
                command.env_remove(&*name);
            }
        }
        let output = command
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .output()
            .unwrap();
        Said {
            text: String::from_utf8_lossy(&output.stderr).into_owned(),
            success: output.status.success(),
        }
    }

    fn fails(&self) -> Said {
        let said = self.run();
        assert!(!said.success, "it built:\n{}", said.text);
        assert!(
            !said.text.contains("panicked"),
            "it panicked:\n{}",
            said.text
        );
        said
    }

    fn builds(&self) {
        let said = self.run();
        assert!(said.success, "it did not build:\n{}", said.text);
    }

    fn builds_again(&self) {
        let said = self.run();
        assert!(
            said.success && said.did_work(),
            "it was not built again:\n{}",
            said.text
        );
    }

    fn is_fresh(&self) {
        let said = self.run();
        assert!(
            said.success && !said.did_work(),
            "it was built again:\n{}",
            said.text
        );
    }
}

/// What Cargo said.
struct Said {
    text: String,
    success: bool,
}

impl Said {
    fn all_of(&self, parts: &[&str]) {
        for part in parts {
            assert!(
                self.text.contains(part),
                "`{}` is not in:\n{}",
                part,
                self.text
            );
        }
    }

    fn did_work(&self) -> bool {
        self.text.contains("Compiling mi-malloc-sys")
            || self.text.contains("Checking mi-malloc-sys")
    }
}

/// The same bytes, but a new time of change, later than any build before.
fn rewrite(path: &Path) {
    let bytes = fs::read(path).unwrap();
    fs::write(path, bytes).unwrap();
}

fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        for entry in fs::read_dir(from).unwrap() {
            let name = entry.unwrap().file_name();
            copy(&from.join(&name), &to.join(&name));
        }
    } else {
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
    }
}

fn host() -> String {
    let output = Command::new(std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into()))
        .arg("-vV")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .find_map(|line| line.strip_prefix("host: "))
        .unwrap()
        .to_string()
}

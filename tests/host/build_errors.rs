//! Compares `docs/errors.md` with the build script: every text of the page is provoked, and every text of
//! the script is on the page.
//!
//! The script is run directly, in an environment like Cargo's, so that each platform and each
//! variable needs one line here. On Linux only: shell scripts around gcc replace the compilers.

use crate::build::{config, plan};
use crate::package::{self, stand_in_program, Package, V2, V3};
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

#[test]
fn source_trees() {
    let script = Script::new("errors-sources");
    let tree = script.package.stand_in(V3);
    let refused = |folder: &Path, features: &str, heading: &str| {
        script
            .with("MIMALLOC_SYS_SOURCE_DIR", folder)
            .features(features)
            .fails()
            .shows(heading)
    };
    refused("mimalloc".as_ref(), "", "The named folder is relative").all();
    refused(&tree.join("no"), "", "The named folder is not there").all();
    refused(&tree.join("src"), "", "The named folder is not mimalloc").all();

    let release = |version, features: &str| {
        let tree = script.package.stand_in(version);
        refused(&tree, features, "The named folder is another release")
    };
    for old in [30302, 30502] {
        release(old, "").number(0);
    }
    for other in [198, 20302] {
        release(other, "V2").number(1);
    }
    release(V2, "").number(2);
    release(V3, "V2").number(3);
    for (neither, features) in [(198, ""), (20302, ""), (40000, ""), (30302, "V2")] {
        let printed = release(neither, features).printed;
        assert!(!printed.contains("the feature"), "{}", printed);
    }

    let header = tree.join("include/mimalloc.h");
    fs::write(&header, "#pragma once\n").unwrap();
    refused(&tree, "", "The header is another program's").all();
    fs::remove_file(&header).unwrap();
    refused(&tree, "", "The header cannot be read").all();
}

#[test]
fn vendored_sources() {
    let script = Script::new("errors-vendored");
    let vendored = script.package.root.join("c_src/v3");
    fs::create_dir_all(&vendored).unwrap();
    let printed = script.fails();
    printed.shows("The vendored sources are incomplete").all();

    fs::remove_dir_all(&vendored).unwrap();
    fs::rename(script.package.stand_in(V2), &vendored).unwrap();
    let printed = script.fails();
    printed
        .shows("The vendored sources are of the other major version")
        .all();
    fs::remove_dir_all(&vendored).unwrap();

    let printed = script.with("CARGO", "no-such-cargo").fails();
    printed.shows("There are no sources").number(0);
    printed.shows("There are no sources").number(1);
    let other = script.package.root.join("other");
    stand_in_program(&other, "#!/bin/sh\necho '{}'\n");
    let printed = script.with("CARGO", other).fails();
    printed.shows("There are no sources").number(3);
    let pin = script.package.root.join("c_src/pin/manifest.toml");
    fs::write(pin, "nonsense").unwrap();
    let printed = script.fails();
    printed.shows("There are no sources").number(0);
    printed.shows("There are no sources").number(2);

    // As Cargo packs it.
    fs::remove_dir_all(script.package.root.join("c_src/vendor")).unwrap();
    let printed = script.fails();
    printed.shows("A packed checkout has no sources").all();
}

#[test]
fn compilers() {
    let script = Script::new("errors-compilers");
    let tree = script.package.stand_in(V3);
    let run = script.with("MIMALLOC_SYS_SOURCE_DIR", &tree);

    let printed = run.with("CC", "no-such-compiler").fails();
    printed.shows("There is no C compiler").all();

    let compiler = script.package.root.join("not-clang");
    stand_in_program(&compiler, "#!/bin/sh\nexec gcc \"$@\"\n");
    let printed = run
        .with("CC", &compiler)
        .with("CARGO_CFG_SANITIZE", "thread")
        .fails();
    printed.shows("Only clang will do").all();

    fs::write(tree.join("src/static.c"), "#error no\n").unwrap();
    run.fails().shows("The C compiler failed").all();
}

#[test]
fn variables() {
    let script = Script::new("errors-variables");
    let tree = script.package.stand_in(V3);
    let run = script.with("MIMALLOC_SYS_SOURCE_DIR", tree);

    let printed = run.with("MIMALLOC_SYS_DEFINES", "-DA").fails();
    printed.shows("A definition has no name").all();
    let printed = run
        .with("MIMALLOC_SYS_DEFINES", "MI_MAX_ALIGN_SIZE=8")
        .fails();
    printed
        .shows("A definition makes blocks less aligned")
        .all();
    let printed = run.with("MIMALLOC_SYS_TRACK", "drmemory").fails();
    printed.shows("The memory checker is not known").all();
    let printed = run.with("MIMALLOC_SYS_USE_PKG_CONFIG", "yes").fails();
    printed.shows("The variable is neither 0 nor 1").all();

    let valgrind = run.with("MIMALLOC_SYS_TRACK", "valgrind");
    let asan = run.with("MIMALLOC_SYS_TRACK", "asan");
    let printed = valgrind.with("CARGO_CFG_SANITIZE", "address").fails();
    printed.shows("Two tools exclude each other").number(0);
    let printed = asan.with("CARGO_CFG_SANITIZE", "thread").fails();
    printed.shows("Two tools exclude each other").number(1);
    let printed = valgrind.with("CARGO_CFG_TARGET_OS", "windows").fails();
    printed.shows("There is no such tool on Windows").all();

    // A compiler that finds no header at all.
    let compiler = script.package.root.join("no-headers");
    stand_in_program(&compiler, "#!/bin/sh\nexec gcc -nostdinc \"$@\"\n");
    let printed = valgrind.with("CC", &compiler).fails();
    printed
        .shows("The memory checker's header is missing")
        .number(0);
    let printed = asan.with("CC", &compiler).fails();
    printed
        .shows("The memory checker's header is missing")
        .number(1);

    let printed = run
        .with("MIMALLOC_SYS_DEFINES", OsStr::from_bytes(b"\xff"))
        .fails();
    printed.shows("A variable is not text").all();

    let printed = run.without("CARGO_CFG_TARGET_ARCH").fails();
    printed.shows("The build script was started by hand").all();
    let printed = run
        .with("CARGO_CFG_TARGET_OS", "none")
        .without("CARGO_CFG_UNIX")
        .fails();
    printed.shows("There is no operating system").all();
}

#[test]
fn options_and_objects() {
    let script = Script::new("errors-cflags");
    let tree = script.package.stand_in(V3);
    let run = script
        .with("MIMALLOC_SYS_SOURCE_DIR", tree)
        .with("CC", "gcc");
    let intel = run.with("CARGO_CFG_TARGET_ARCH", "x86_64");

    let printed = intel.with("CFLAGS", "-m32").fails();
    printed
        .shows("An option of CFLAGS makes code that does not fit")
        .number(0);
    let options = "An option of CFLAGS makes code that does not fit";
    // An option in CC precedes those of the build, and none of those reverses this one.
    let printed = run.with("CC", "gcc -fshort-enums").fails();
    printed.shows(options).number(1);
    run.with("CFLAGS", "-fshort-enums -fno-short-enums")
        .succeeds();

    let printed = run.with("CARGO_CFG_TARGET_ARCH", "s390x").fails();
    printed.shows("The object is for another machine").all();
    let printed = run.with("CFLAGS", "-Dmi_version=mi_other").fails();
    printed.shows("The object has no functions").all();

    // Options that a wrapper adds before the others are overridden, those that it adds behind them are not.
    let compiler = script.package.root.join("compiler");
    let lto = "-flto -fno-fat-lto-objects";
    stand_in_program(&compiler, &format!("#!/bin/sh\nexec gcc {} \"$@\"\n", lto));
    let run = run.with("CC", &compiler);
    let printed = run.succeeds();
    printed.shows("An option of CFLAGS is overridden").all();
    assert!(printed.text.contains("`-fno-lto` after all else"));
    stand_in_program(&compiler, &format!("#!/bin/sh\nexec gcc \"$@\" {}\n", lto));
    let printed = run.fails();
    printed.shows("The object is intermediate code").all();
}

/// With scripts in place of `rustc` and clang, and no other clang in the `PATH`.
#[test]
fn link_time_optimisation() {
    let script = Script::new("errors-lto");
    let tree = script.package.stand_in(30600);
    let programs = script.package.root.join("programs");
    fs::create_dir(&programs).unwrap();
    let (rustc, clang) = (programs.join("rustc"), programs.join("clang"));
    let llvm = |line: &str| {
        stand_in_program(&rustc, &format!("#!/bin/sh\necho '{}'\n", line));
    };
    llvm("LLVM version: 15.0.1");
    let run = script
        .with("MIMALLOC_SYS_SOURCE_DIR", tree)
        .with("RUSTC", &rustc)
        .with("CC", of_path("gcc"))
        .with("PATH", &programs);
    let flag = "-Clinker-plugin-lto";

    let printed = run.with("MIMALLOC_SYS_LTO", "full").fails();
    printed
        .shows("The kind of link-time optimisation is not known")
        .all();
    let thin = run.with("MIMALLOC_SYS_LTO", "thin");
    let printed = thin.fails();
    printed.shows("rustc leaves no bitcode").all();
    let thin = thin.with("CARGO_ENCODED_RUSTFLAGS", flag);
    let printed = thin.with("CARGO_CFG_TARGET_OS", "macos").fails();
    printed.shows("The target cannot link bitcode").all();

    let printed = thin.fails();
    printed.shows("There is no clang for bitcode").all();
    stand_in_program(&clang, "#!/bin/sh\necho 'clang version 99.0.0'\n");
    let printed = thin.fails();
    printed.shows("clang is newer than rustc").all();
    let printed = thin.with("CC", &clang).fails();
    printed.shows("clang is newer than rustc").all();
    // A clang that is old enough, but is gcc. The sources in place of mimalloc's lack what `thread.h` includes.
    stand_in_program(
        &clang,
        &format!(
            "#!/bin/sh\ncase \"$*\" in\n*--version*) echo 'clang version 15.0.0';;\n*-E*) echo '\"clang\"';;\n\
             *) for a; do shift; case $a in -flto=thin|--target=*|-include|*/thread.h) ;; *) set -- \"$@\" \"$a\";; esac; done; exec {} \"$@\";;\nesac\n",
            of_path("gcc").display()
        ),
    );
    let printed = thin.with("CC", &clang).with("PATH", path()).fails();
    printed.shows("There is no bitcode").all();
    llvm("no backend");
    let printed = thin.fails();
    printed.shows("rustc has no LLVM").all();

    let newer = script.package.stand_in(30601);
    let printed = thin.with("MIMALLOC_SYS_SOURCE_DIR", newer).fails();
    printed
        .shows("The sources are of a release that bitcode is not known for")
        .all();
}

/// With a script in place of `pkg-config`, which need not be installed.
#[test]
fn system_libraries() {
    let script = Script::new("errors-system");
    let program = script.package.root.join("pkg-config");
    let run = script
        .with("MIMALLOC_SYS_USE_PKG_CONFIG", "1")
        .with("PKG_CONFIG", &program);

    let printed = run.with("PKG_CONFIG", "no-such-program").fails();
    printed.shows("The system has no mimalloc").all();
    printed.shows("The system's library").all();

    let version = |version: &str| {
        let answer = format!(
            "#!/bin/sh\ncase \"$*\" in *--modversion*) echo {};; *) echo -lmimalloc;; esac\n",
            version
        );
        stand_in_program(&program, &answer);
    };
    version("2.0.9");
    let printed = run.fails();
    printed.shows("The system's mimalloc does not fit").all();
    printed.shows("The system's library").all();
    version("new");
    let printed = run.fails();
    printed
        .shows("The system's mimalloc does not say its version")
        .all();
    version("3.6.0");
    let printed = run.features("SECURE").succeeds();
    printed.shows("A feature has no effect").number(1);
}

#[test]
fn warnings() {
    let script = Script::new("errors-warnings");
    let tree = script.package.stand_in(V3);
    let run = script.with("MIMALLOC_SYS_SOURCE_DIR", tree);

    let printed = run.features("V2 V3").succeeds();
    printed
        .shows("Two features contradict each other")
        .number(0);
    let printed = run.features("OPT_ARCH NO_OPT_ARCH").succeeds();
    printed
        .shows("Two features contradict each other")
        .number(1);
    let printed = run.features("ETW").succeeds();
    printed.shows("A feature has no effect").number(0);
    let printed = run.with("CARGO_CFG_SANITIZE", "memory").succeeds();
    printed
        .shows("A sanitizer that mimalloc does not know")
        .all();
    let printed = run.with("MIMALLOC_SYS_TRACK", "asan").succeeds();
    printed.shows("The sanitizer's runtime is not linked").all();
    // The release is newer than the bindings.
    printed.shows("mimalloc is newer than the bindings").all();
    let printed = run.with("CFLAGS", "-std=c89").succeeds();
    printed.shows("An option of CFLAGS is overridden").all();
    let printed = run.with("CFLAGS", "--coverage").succeeds();
    printed.shows("The compiler's runtime is not linked").all();
}

/// Compares the table of reasons with the reasons on all platforms for all features.
#[test]
fn features_without_effect() {
    let mut reasons = BTreeSet::new();
    for config in every_config() {
        if let Ok(plan) = plan::decide(&config) {
            for warning in plan.warnings {
                if let Some(rest) = warning.strip_prefix("the feature ") {
                    reasons.insert(rest.replacen(" has no effect: ", " | ", 1));
                }
            }
        }
    }
    let listed: BTreeSet<String> = PAGE
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |"))
        .map(|row| format!("`{}", row))
        .collect();
    assert_eq!(reasons, listed);
}

/// Each entry has its test in this file.
#[test]
fn every_entry_is_provoked() {
    let here = include_str!("build_errors.rs");
    for heading in PAGE.lines().filter_map(|line| line.strip_prefix("## ")) {
        let named = format!("shows(\"{}\")", heading);
        let passed = format!("\"{}\")", heading); // `refused` above
        assert!(
            here.contains(&named) || here.contains(&passed),
            "`{}` is not provoked",
            heading
        );
    }
}

/// Each sentence of the script is on the page.
#[test]
fn every_message_is_listed() {
    let page = words(PAGE);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("build");
    let mut sentences = 0;
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let code = fs::read_to_string(&path).unwrap();
        for literal in string_literals(&code) {
            for piece in words(&literal).split("{}") {
                let piece = piece.trim();
                // Names, flags and directives are no sentences; users never see the text of an `expect`.
                if piece.split(' ').count() < 4 || piece.starts_with("Cargo sets") {
                    continue;
                }
                sentences += 1;
                assert!(
                    page.contains(piece),
                    "{}: not in docs/errors.md: {}",
                    path.display(),
                    piece
                );
            }
        }
    }
    assert!(sentences > 40, "only {} sentences were found", sentences);
}

const PAGE: &str = include_str!("../../docs/errors.md");

/// The texts of one entry.
fn entry(heading: &str) -> Vec<String> {
    let section = PAGE
        .split("\n#")
        .find(|section| {
            section
                .lines()
                .next()
                .unwrap()
                .trim_start_matches('#')
                .trim()
                == heading
        })
        .unwrap_or_else(|| panic!("the page has no `{}`", heading));
    section
        .split("```")
        .skip(1)
        .step_by(2)
        .map(|block| block.strip_prefix("text").unwrap().to_string())
        .collect()
}

/// The words, separated by one space each.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether `printed` contains all of `text`, in order, with any text in place of each `…`.
fn fits(printed: &str, text: &str) -> bool {
    let printed = words(printed);
    let text = words(text);
    let mut rest = printed.as_str();
    text.split('…').all(|piece| match rest.find(piece.trim()) {
        Some(at) => {
            rest = &rest[at + piece.trim().len()..];
            true
        }
        None => false,
    })
}

/// The build script of a copy of this package.
struct Script {
    package: Package,
    run: Run,
}

impl std::ops::Deref for Script {
    type Target = Run;
    fn deref(&self) -> &Run {
        &self.run
    }
}

impl Script {
    fn new(name: &str) -> Script {
        // Where its package is, a script learns when it runs.
        static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
        let program = PROGRAM.get_or_init(|| Package::new("errors").build_script());
        let program = program.clone();
        let package = Package::new(name);
        let out = package.root.join("out");
        fs::create_dir(&out).unwrap();
        let host = package::host();
        let c_library = if host.contains("musl") { "musl" } else { "gnu" };
        let mut run = Run {
            program,
            variables: Vec::new(),
        };
        for kept in [
            "PATH",
            "HOME",
            "CARGO_HOME",
            "RUSTUP_HOME",
            "SYSTEMROOT",
            "TMPDIR",
        ] {
            if let Some(value) = std::env::var_os(kept) {
                run = run.with(kept, value);
            }
        }
        let run = run
            .with("CARGO", env!("CARGO"))
            .with("CARGO_MANIFEST_DIR", &package.root)
            .with("OUT_DIR", out)
            .with("HOST", &host)
            .with("TARGET", &host)
            .with("OPT_LEVEL", "0")
            .with("DEBUG", "false")
            .with("CARGO_NET_OFFLINE", "true")
            .with("CARGO_CFG_TARGET_ARCH", std::env::consts::ARCH)
            .with("CARGO_CFG_TARGET_OS", std::env::consts::OS)
            .with("CARGO_CFG_TARGET_ENV", c_library)
            .with("CARGO_CFG_UNIX", "");
        Script { package, run }
    }
}

/// A run of a build script, with its complete environment.
#[derive(Clone)]
struct Run {
    program: PathBuf,
    variables: Vec<(String, OsString)>,
}

impl Run {
    fn with(&self, name: &str, value: impl AsRef<OsStr>) -> Run {
        let mut run = self.without(name);
        run.variables
            .push((name.to_string(), value.as_ref().to_os_string()));
        run
    }

    fn without(&self, name: &str) -> Run {
        let mut run = self.clone();
        run.variables.retain(|(other, _)| other != name);
        run
    }

    /// Features in Cargo's spelling for build scripts.
    fn features(&self, names: &str) -> Run {
        names.split_whitespace().fold(self.clone(), |run, name| {
            run.with(&format!("CARGO_FEATURE_{}", name), "1")
        })
    }

    fn fails(&self) -> Printed {
        let (success, printed) = self.start();
        assert!(!success, "it succeeded:\n{}", printed.text);
        let title = entry_of_all_errors();
        assert!(fits(&printed.text, &title), "{}", printed.text);
        printed
    }

    fn succeeds(&self) -> Printed {
        let (success, printed) = self.start();
        assert!(success, "it failed:\n{}", printed.text);
        printed
    }

    fn start(&self) -> (bool, Printed) {
        let output = Command::new(&self.program)
            .env_clear()
            .envs(self.variables.iter().cloned())
            .current_dir(std::env::temp_dir())
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        assert!(!text.contains("panicked"), "it panicked:\n{}", text);
        (output.status.success(), Printed { text })
    }
}

/// What a build script printed: directives and errors.
struct Printed {
    text: String,
}

impl Printed {
    fn shows(&self, heading: &str) -> Comparison {
        Comparison {
            printed: self.text.clone(),
            texts: entry(heading),
        }
    }
}

/// What was printed, and the texts of an entry.
struct Comparison {
    printed: String,
    texts: Vec<String>,
}

impl Comparison {
    fn all(&self) {
        (0..self.texts.len()).for_each(|number| self.number(number));
    }

    fn number(&self, number: usize) {
        let text = &self.texts[number];
        assert!(
            fits(&self.printed, text),
            "expected:{}\nin:\n{}",
            text,
            self.printed
        );
    }
}

fn entry_of_all_errors() -> String {
    PAGE.split("```text")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap()
        .to_string()
}

fn path() -> OsString {
    std::env::var_os("PATH").unwrap()
}

fn of_path(program: &str) -> PathBuf {
    std::env::split_paths(&path())
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("{} is not in the PATH", program))
}

/// Every platform that a feature distinguishes, with every feature.
fn every_config() -> Vec<config::Config> {
    let target = |arch: &str, os: &str, env: &str, unix| config::Target {
        arch: arch.to_string(),
        os: os.to_string(),
        env: env.to_string(),
        triple: format!("{}-{}-{}", arch, os, env),
        unix,
        ..config::Target::default()
    };
    let targets = [
        target("x86_64", "linux", "gnu", true),
        target("x86_64", "linux", "musl", true),
        target("s390x", "linux", "gnu", true),
        target("aarch64", "android", "", true),
        target("x86_64", "windows", "msvc", false),
        target("x86_64", "windows", "gnu", false),
        target("aarch64", "macos", "", true),
        target("x86_64", "freebsd", "", true),
        target("x86_64", "haiku", "", true),
        target("wasm32", "emscripten", "", true),
        target("wasm32", "wasi", "", false),
    ];
    let mut configs = Vec::new();
    for target in targets {
        for major in [config::Major::V3, config::Major::V2] {
            for sanitizer in ["", "address"] {
                configs.push(config::Config {
                    major,
                    target: target.clone(),
                    features: config::Features {
                        v2: major == config::Major::V2,
                        v3: false,
                        secure: true,
                        secure_full: true,
                        debug: true,
                        debug_full: true,
                        debug_in_debug: true,
                        guarded: true,
                        override_malloc: true,
                        local_dynamic_tls: true,
                        win_direct_tls: true,
                        no_thp: true,
                        skip_collect_on_exit: true,
                        free_use_pagemap: true,
                        etw: true,
                        opt_arch: true,
                        no_opt_arch: false,
                        asm: true,
                    },
                    debug_assertions: true,
                    opt_level: "0".to_string(),
                    sanitizers: vec![sanitizer.to_string()]
                        .into_iter()
                        .filter(|name| !name.is_empty())
                        .collect(),
                    track: None,
                    lto: None,
                    rust_flags: Vec::new(),
                    defines: Vec::new(),
                    atomic: None,
                    release: None,
                });
            }
        }
    }
    configs
}

/// The string literals of Rust code, with `\n`, `\"` and line continuations as they read when
/// printed. (The code has neither raw strings nor unpaired quotes in comments.)
fn string_literals(code: &str) -> Vec<String> {
    let code: String = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .map(|line| format!("{}\n", line.split("; // ").next().unwrap()))
        .collect();
    let mut literals = Vec::new();
    let mut characters = code
        .replace("b'\"'", "")
        .replace("'\"'", "")
        .chars()
        .collect::<Vec<_>>()
        .into_iter();
    while let Some(start) = characters.next() {
        if start != '"' {
            continue;
        }
        let mut literal = String::new();
        while let Some(character) = characters.next() {
            match character {
                '"' => break,
                '\\' => match characters.next() {
                    Some('n') => literal.push('\n'),
                    Some('\n') | None => {} // indentation follows, and words() drops it
                    Some(other) => literal.push(other),
                },
                other => literal.push(other),
            }
        }
        literals.push(literal);
    }
    literals
}

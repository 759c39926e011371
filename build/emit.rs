//! The only printer of Cargo directives and metadata (`cc` adds its own for the archive and its compiler variables).
//!
//! `cargo:` rather than `cargo::`, which Cargo knows only since 1.77.

use super::compile::Compiled;
use super::config::Major;
use super::env;
use super::fast_path::{self, Code, FastPath};
use super::plan::Plan;
use super::sources::Sources;
use super::system_library::Library;
use std::path::Path;

/// The major version that the crate binds: `#[cfg(mi_v3)]`. Users read the metadata by the name `DEP_MIMALLOC_LINE`.
pub fn major(major: Major) {
    println!("cargo:rustc-cfg=mi_{}", major.name());
    metadata("line", major.name());
}

/// All conditions that this script can set, for a Cargo that knows the directive.
pub fn conditions() {
    for cfg in [
        "mi_v2",
        "mi_v3",
        "mi_exact_size",
        "mi_large_slices",
        "mi_program_options",
        "mi_retained_pages",
    ] {
        println!("cargo:rustc-check-cfg=cfg({})", cfg);
    }
    let fast_paths = Code::NAMES.join("\", \"");
    println!(
        "cargo:rustc-check-cfg=cfg(mi_fast_path, values(\"{}\"))",
        fast_paths
    );
}

/// What no compiler had a say in: `#[cfg(mi_program_options)]`, libraries, warnings.
pub fn plan_directives(plan: &Plan) {
    if plan.wraps_upstream {
        program_options();
    }
    for library in &plan.libraries {
        println!("cargo:rustc-link-lib={}", library);
    }
    warnings(&plan.warnings);
}

/// What was found out while compiling.
pub fn compiled(compiled: &Compiled) {
    fast_path_used(&compiled.fast_path);
    if compiled.retained_pages {
        println!("cargo:rustc-cfg=mi_retained_pages");
    }
    warnings(&compiled.warnings);
    for command in &compiled.commands {
        println!("running: {}", command); // as `cc` prints it, for `cargo build -vv`
    }
    for path in &compiled.own {
        rerun_if_changed(path);
    }
    for folder in &compiled.folders {
        println!("cargo:rustc-link-search=native={}", folder.display());
    }
    for library in &compiled.libraries {
        println!("cargo:rustc-link-lib={}", library);
    }
}

/// The system's library. `pkg-config` has printed the directives that link it.
pub fn system(library: &Library) {
    fast_path_used(&FastPath {
        // How it was compiled is unknown.
        code: Code::Upstream { exact_size: true },
        why_not_rust: Some("the library is the system's".to_string()),
    });
    if let Some(include) = &library.include {
        metadata("include", &include.display().to_string());
        metadata("INCLUDE_DIR", &include.display().to_string());
        println!("cargo:rustc-env=MIMALLOC_SYS_SOURCES={}", include.display());
    }
    if let Some(folder) = &library.folder {
        metadata("root", &folder.display().to_string());
    }
    metadata("version", &library.version.to_string());
    warnings(&library.warnings);
}

/// The files whose change causes a rebuild, and metadata for the build scripts of dependents and for this crate's own tests.
pub fn sources(sources: &Sources) {
    for path in &sources.watched {
        rerun_if_changed(path);
    }
    let include = sources.root.join("include").display().to_string();
    metadata("include", &include);
    metadata("INCLUDE_DIR", &include);
    metadata("root", &env::out_dir().display().to_string());
    metadata("version", &sources.release.version.to_string());
    // For the examples and tests of this package; nothing of it reaches the library.
    println!(
        "cargo:rustc-env=MIMALLOC_SYS_SOURCES={}",
        sources.root.display()
    );
    println!(
        "cargo:rustc-env=MIMALLOC_SYS_ARCHIVE_DIR={}",
        env::out_dir().display()
    );
}

/// A variable that was read: changing it rebuilds.
pub fn rerun_if_env_changed(name: &str) {
    println!("cargo:rerun-if-env-changed={}", name);
}

fn rerun_if_changed(path: &Path) {
    println!("cargo:rerun-if-changed={}", path.display());
}

/// `#[cfg(mi_program_options)]`.
pub fn program_options() {
    println!("cargo:rustc-cfg=mi_program_options");
}

/// The code that `src/global.rs` compiles: `#[cfg(mi_fast_path = "rust")]` and the like. It has exactly one value, and the
/// other two conditions belong to one of the values each.
pub fn code(code: Code) {
    println!("cargo:rustc-cfg=mi_fast_path=\"{}\"", code.name());
    match code {
        Code::Upstream { exact_size: true } => println!("cargo:rustc-cfg=mi_exact_size"),
        Code::Rust { large_slices: true } => println!("cargo:rustc-cfg=mi_large_slices"),
        _ => {}
    }
}

/// Sets the condition (`code`), and states the choice as metadata and in a line that `cargo build -vv` shows. It is no
/// warning: that the fast path in Rust is left out is mostly intended, as in a build without optimisation.
fn fast_path_used(used: &FastPath) {
    code(used.code);
    let (name, words) = fast_path::describe(used);
    metadata("fast_path", name);
    println!("fast path: {}", words);
}

fn warnings(warnings: &[String]) {
    for warning in warnings {
        println!("cargo:warning={}", warning);
    }
}

fn metadata(key: &str, value: &str) {
    println!("cargo:{}={}", key, value);
}

/// The one place where a build fails: Cargo shows the standard error of a build script that fails.
pub fn error(reason: &str) {
    eprintln!("error: mi-malloc-sys cannot be built\n\n{}\n", reason);
}

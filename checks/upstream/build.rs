//! Compiles upstream's tests as upstream does: with the definitions and flags of the library, which the
//! crate's own plan decides, and links them with the crate's archive.

#[allow(dead_code)]
#[path = "../../build/env.rs"]
mod env;
#[allow(dead_code)]
#[path = "src/programs.rs"]
mod programs;
#[allow(dead_code)]
#[path = "../../build/pure.rs"]
mod pure;
#[path = "../../build/rustc.rs"]
mod rustc;

/// What `env.rs` needs of the module of that name.
mod emit {
    pub fn rerun_if_env_changed(name: &str) {
        println!("cargo:rerun-if-env-changed={name}");
    }
}

use plan::Plan;
use programs::{OnV2, Program, PROGRAMS};
use pure::{config, plan};
use std::path::{Path, PathBuf};

/// The folder of upstream's tests. The pinned package has them for v3 alone, and v2 gets the same.
fn tests(sources: &Path) -> Result<PathBuf, String> {
    let has_tests = |folder: &PathBuf| folder.join("test-api.c").is_file();
    if let Some(own) = Some(sources.join("test")).filter(has_tests) {
        return Ok(own);
    }
    let pinned = mimalloc_vendor::pinned();
    let package = pinned.fetch(&env::out_dir().join("pin"))?;
    let of_v3 = pinned.major(&package, "v3").join("test");
    Some(of_v3)
        .filter(has_tests)
        .ok_or_else(|| format!("no upstream tests in {}", package.display()))
}

fn main() -> Result<(), String> {
    let of_crate = |key: &str| {
        let name = format!("DEP_MIMALLOC_{key}");
        std::env::var(&name)
            .map(PathBuf::from)
            .map_err(|_| format!("mi-malloc-sys gave no {name}"))
    };
    let include = of_crate("INCLUDE")?;
    let archive = of_crate("ROOT")?.join("libmimalloc.a");
    let tests = tests(include.parent().ok_or("no source tree")?)?;
    let here = env::manifest_dir();
    for watched in [
        &archive,
        &tests,
        &here.join("v2"),
        &here.join("src/programs.rs"),
    ] {
        println!("cargo:rerun-if-changed={}", watched.display());
    }
    println!("cargo:rustc-env=INCLUDE={}", include.display());
    println!("cargo:rustc-env=PROGRAMS={}", env::out_dir().display());

    let config = env::config()?;
    let tsan = config.sanitizers.iter().any(|name| name == "thread");
    if tsan {
        println!("cargo:rustc-env=TSAN=1");
    }
    let plan = plan::decide(&config)?;
    for program in &PROGRAMS {
        if programs::left_out(program, tsan).is_some() {
            continue;
        }
        let mut command = compiler(&plan, program)?;
        command.arg("-I").arg(&include);
        if programs::V2 {
            command.args(headers(program, &here));
        }
        command
            .arg(tests.join(program.source).with_extension("c"))
            .arg(&archive)
            .args(plan.libraries.iter().map(|name| format!("-l{name}")))
            .arg("-o")
            .arg(env::out_dir().join(program.name));
        let status = command.status().map_err(|error| error.to_string())?;
        if !status.success() {
            return Err(format!("{} does not compile: {command:?}", program.name));
        }
    }
    Ok(())
}

/// The C compiler with everything that the library was compiled with.
fn compiler(plan: &Plan, program: &Program) -> Result<std::process::Command, String> {
    let mut build = cc::Build::new();
    build.warnings(false).debug(true);
    match plan.opt_level.parse() {
        Ok(level) => build.opt_level(level),
        Err(_) => build.opt_level_str(&plan.opt_level),
    };
    for define in &plan.defines {
        build.define(&define.name, define.value.as_deref());
    }
    for define in program.defines {
        build.define(define, "1");
    }
    if !cfg!(feature = "full") {
        build.define("MI_TEST_LIGHT", "1"); // upstream's own, for its continuous integration
    }
    for flag in &plan.flags {
        if flag.if_supported {
            build.flag_if_supported(&flag.text);
        } else {
            build.flag(&flag.text);
        }
    }
    let tool = build
        .try_get_compiler()
        .map_err(|error| error.to_string())?;
    let mut command = tool.to_command();
    command.arg("-w"); // upstream's code, not ours to change
    Ok(command)
}

/// What v2 needs to compile a program of v3.
fn headers(program: &Program, here: &Path) -> Vec<String> {
    let include = |name: &str| {
        let header = here.join("v2").join(name).display().to_string();
        vec!["-include".to_string(), header]
    };
    match (program.name, &program.on_v2) {
        ("api", _) => include("api.h"),
        (_, OnV2::ByMallocsNames) => {
            let mut arguments = include("malloc.h");
            arguments.push("-DUSE_STD_MALLOC=1".to_string());
            arguments
        }
        _ => Vec::new(),
    }
}

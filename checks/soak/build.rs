//! Passes the major version to the model as a `cfg`, as for the crate's own tests. On v3 it also compiles the check of
//! mimalloc's internals, with the definitions and flags of the library, which the crate's own plan decides.

#[allow(dead_code)]
#[path = "../../build/env.rs"]
mod env;
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

use config::Config;
use pure::{config, plan};
use std::path::PathBuf;

const INVARIANTS: &str = "../../tests/model/invariants.c";

fn main() -> Result<(), String> {
    let major = std::env::var("DEP_MIMALLOC_LINE").unwrap();
    println!("cargo:rustc-cfg=mi_{major}");
    println!("cargo:rerun-if-changed={INVARIANTS}");
    if major == "v3" {
        invariants()?;
    }
    Ok(())
}

fn invariants() -> Result<(), String> {
    let include = PathBuf::from(std::env::var("DEP_MIMALLOC_INCLUDE").unwrap());
    let source = include.parent().ok_or("no source tree")?.join("src");
    // An object for any linker, also where the library is bitcode.
    let config = Config {
        lto: None,
        ..env::config()?
    };
    let plan = plan::decide(&config)?;
    let mut build = cc::Build::new();
    build
        .file(INVARIANTS)
        .include(include)
        .include(source)
        .flag_if_supported("-Wno-unused-parameter")
        .opt_level(2);
    for define in &plan.defines {
        build.define(&define.name, define.value.as_deref());
    }
    for flag in &plan.flags {
        if flag.if_supported {
            build.flag_if_supported(&flag.text);
        } else {
            build.flag(&flag.text);
        }
    }
    build
        .try_compile("invariants")
        .map_err(|error| error.to_string())
}

//! Compiles upstream's `static.c` together with C of this crate (handlers of `fork`, what `src/upstream.c` changes;
//! on v3, entry points for `MiMalloc`), and prints what Cargo has to link. Each step is a module under `build/`.
//!
//! A translation unit is a chain of includes: `global.c` or `secure.c` includes `fork.c`, that `upstream.c`, and that
//! upstream's `static.c`. The plan decides with which of them the chain begins. v3 is compiled as two such chains, each of
//! which has a part of upstream's files (`build/units.rs`).

#[path = "build/clang.rs"]
mod clang;
#[path = "build/compile.rs"]
mod compile;
#[path = "build/emit.rs"]
mod emit;
#[path = "build/env.rs"]
mod env;
#[path = "build/fetch.rs"]
mod fetch;
#[path = "build/parent.rs"]
mod parent;
#[path = "build/pure.rs"]
mod pure;
#[path = "build/rustc.rs"]
mod rustc;
#[path = "build/sources.rs"]
mod sources;
#[path = "build/system_library.rs"]
mod system_library;

use pure::{arguments, config, fast_path, lto, object, plan, units, version};

fn main() {
    let version = parent::ask_version(&env::cargo_program());
    let result = build();
    if parent::knows_check_cfg(version) {
        emit::conditions();
    }
    if let Err(reason) = result {
        emit::error(&reason);
        std::process::exit(1);
    }
}

fn build() -> Result<(), String> {
    let mut config = env::config()?;
    emit::major(config.major);
    if env::docs_rs() {
        emit::program_options();
        emit::code(fast_path::FastPath::default().code);
        return Ok(()); // documentation needs no C, and docs.rs has no network
    }
    if env::use_pkg_config()? {
        emit::system(&system_library::link(&config)?);
        return Ok(());
    }
    // For the pinned release, to refuse what cannot be built before the sources are fetched.
    plan::decide(&config)?;
    let sources = sources::locate(config.major)?;
    config.release = Some(sources.release);
    let plan = plan::decide(&config)?;
    let compiled = compile::compile(&config, &plan, &sources)?;
    emit::plan_directives(&plan);
    emit::compiled(&compiled);
    emit::sources(&sources);
    Ok(())
}

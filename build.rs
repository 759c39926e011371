//! Compiles upstream's `static.c`, with handlers of `fork` and on v3 with entry points of our own for
//! `MiMalloc` beside its functions, and tells Cargo what to link. Each step is a room under `build/`.

#[path = "build/arch.rs"]
mod arch;
#[path = "build/arguments.rs"]
mod arguments;
#[path = "build/clang.rs"]
mod clang;
#[path = "build/compile.rs"]
mod compile;
#[path = "build/config.rs"]
mod config;
#[path = "build/emit.rs"]
mod emit;
#[path = "build/env.rs"]
mod env;
#[path = "build/fetch.rs"]
mod fetch;
#[path = "build/lto.rs"]
mod lto;
#[path = "build/modes.rs"]
mod modes;
#[path = "build/object.rs"]
mod object;
#[path = "build/parent.rs"]
mod parent;
#[path = "build/plan.rs"]
mod plan;
#[path = "build/platform.rs"]
mod platform;
#[path = "build/rustc.rs"]
mod rustc;
#[path = "build/sources.rs"]
mod sources;
#[path = "build/system.rs"]
mod system;
#[path = "build/tools.rs"]
mod tools;
#[path = "build/version.rs"]
mod version;

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
    let config = env::config()?;
    emit::line(config.line);
    if env::docs_rs() {
        emit::program_options();
        return Ok(()); // documentation needs no C, and docs.rs has no network
    }
    if env::use_pkg_config()? {
        emit::system(&system::link(&config)?);
        return Ok(());
    }
    let mut plan = plan::plan(&config)?;
    let sources = sources::locate(config.line)?;
    plan.warnings.extend(sources.version.warning(config.line));
    if plan.bitcode {
        sources.version.allows_bitcode()?;
    }
    plan.fork &= sources.listed && sources.version.has_known_locks();
    plan.entries &= sources.listed && sources.version.has_entries();
    plan.secure_entries &= sources.listed && sources.version.has_entries();
    plan.inlined &= sources.listed && sources.version.has_inlined();
    plan.program_options &=
        sources.listed && sources.version == version::Version::bound(config.line);
    let compiled = compile::compile(&config, &mut plan, &sources)?;
    emit::plan(&plan);
    emit::compiled(&compiled);
    emit::sources(&sources);
    Ok(())
}

//! Compiles upstream's `static.c` and tells Cargo what to link. Each step is a room under `build/`.

#[path = "build/compile.rs"]
mod compile;
#[path = "build/config.rs"]
mod config;
#[path = "build/emit.rs"]
mod emit;
#[path = "build/env.rs"]
mod env;
#[path = "build/plan.rs"]
mod plan;
#[path = "build/sources.rs"]
mod sources;

fn main() {
    if let Err(reason) = build() {
        emit::error(&reason);
        std::process::exit(1);
    }
}

fn build() -> Result<(), String> {
    let config = env::config()?;
    emit::line(config.line);
    if env::docs_rs() {
        return Ok(()); // documentation needs no C, and docs.rs has no network
    }
    let plan = plan::plan(&config)?;
    let sources = sources::locate(config.line)?;
    compile::compile(&plan, &sources)?;
    emit::plan(&plan);
    emit::sources(&sources);
    Ok(())
}

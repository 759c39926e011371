//! Builds runners, each in its own target folder, so that one build cannot affect another.

use crate::allocators::{Allocator, Build};
use crate::machine;
use crate::profile::{Profile, Settings};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder `bench/`.
pub fn bench() -> PathBuf {
    let driver = Path::new(env!("CARGO_MANIFEST_DIR"));
    driver
        .parent()
        .expect("the driver lies in bench/")
        .to_path_buf()
}

pub fn runner_folder(allocator: &Allocator) -> PathBuf {
    bench().join("runners").join(allocator.runner)
}

pub fn target_folder(allocator: &Allocator) -> PathBuf {
    bench().join("target").join(allocator.id)
}

/// Builds a runner and returns the path of its program, or the reason why there is none.
pub fn build(allocator: &Allocator, profile: &str) -> Result<PathBuf, String> {
    build_in(target_folder(allocator), allocator, "", profile, &[], None)
}

/// The same in release, for this machine or for another target whose programs it runs.
pub fn build_for(allocator: &Allocator, triple: Option<&str>) -> Result<PathBuf, String> {
    let target = target_folder(allocator);
    build_in(target, allocator, "", "release", &[], triple)
}

/// The same with other settings of Cargo, in a folder of their own.
pub fn build_as(
    profile: &Profile,
    allocator: &Allocator,
    triple: Option<&str>,
) -> Result<PathBuf, String> {
    let profiles = bench().join("target").join("profiles");
    let target = profiles.join(profile.id).join(allocator.id);
    build_in(target, allocator, "", "release", profile.settings, triple)
}

/// The same for a runner with whole programs. Their many crates are compiled once for all runners: these share a
/// target folder, from which each program is copied before the next one replaces it.
pub fn build_with_programs(allocator: &Allocator, triple: Option<&str>) -> Result<PathBuf, String> {
    let target = bench().join("target").join("programs");
    let folder = target.clone();
    let program = build_in(folder, allocator, "programs", "release", &[], triple)?;
    let copy = target.join(format!("runner-{}", allocator.id));
    std::fs::copy(program, &copy).map_err(|error| format!("{}: {error}", copy.display()))?;
    Ok(copy)
}

fn build_in(
    target: PathBuf,
    allocator: &Allocator,
    feature: &str,
    profile: &str,
    settings: Settings,
    triple: Option<&str>,
) -> Result<PathBuf, String> {
    let mut cargo = Command::new("cargo");
    cargo
        .args(["build", "--quiet", "--locked", "--profile", profile])
        .current_dir(runner_folder(allocator))
        .env("CARGO_TARGET_DIR", &target)
        .envs(settings.iter().copied());
    for features in [allocator.features, feature] {
        if !features.is_empty() {
            cargo.args(["--features", features]);
        }
    }
    if !allocator.defines.is_empty() {
        cargo.env("MIMALLOC_SYS_DEFINES", allocator.defines);
    }
    let mut triple = triple.map(str::to_string);
    if allocator.build == Build::Bitcode {
        // With `--target`, the flags apply to the program only, not to build scripts.
        triple = Some(triple.map_or_else(machine::host, Ok)?);
        cargo
            .env("MIMALLOC_SYS_LTO", "fat") // as the runners' profile
            .env("RUSTFLAGS", "-Clinker-plugin-lto");
    }
    let mut programs = target;
    if let Some(triple) = triple {
        cargo.args(["--target", &triple]);
        programs.push(triple);
    }
    let status = cargo
        .status()
        .map_err(|error| format!("cargo could not be started: {error}"))?;
    if !status.success() {
        return Err(format!(
            "the runner of {} does not build ({cargo:?})",
            allocator.id
        ));
    }
    let folder = if profile == "dev" { "debug" } else { profile };
    Ok(programs.join(folder).join("runner"))
}

//! The build cost of each crate: a small program with that allocator, nothing else.

use crate::allocators::{Allocator, ALL};
use crate::build;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// A table of clean builds and of builds with nothing changed.
pub fn cost() -> Result<String, String> {
    let mut text = String::from(
        "| crate | clean build (s) | nothing changed (s) | crates compiled |\n|---|---:|---:|---:|\n",
    );
    for allocator in ALL
        .iter()
        .filter(|one| !one.packages.is_empty() && one.is_as_it_comes())
    {
        let (clean, nothing, crates) = measure(allocator)?;
        text += &format!(
            "| {} | {:.1} | {:.2} | {crates} |\n",
            allocator.packages[0],
            clean.as_secs_f64(),
            nothing.as_secs_f64()
        );
    }
    Ok(text)
}

fn measure(allocator: &Allocator) -> Result<(Duration, Duration, usize), String> {
    let target = build::bench().join("target").join("cost");
    let folder = build::runner_folder(allocator);
    let package = allocator.packages[0];
    // Downloads are not measured.
    cargo(&folder, &target, &["fetch", "--locked"])?;
    if target.exists() {
        fs::remove_dir_all(&target).map_err(|error| format!("{}: {error}", target.display()))?;
    }
    let build = ["build", "--release", "--locked", "--package", package];
    let (clean, messages) = cargo(&folder, &target, &build)?;
    let crates = messages
        .lines()
        .filter(|line| line.trim_start().starts_with("Compiling "))
        .count();
    let (nothing, messages) = cargo(&folder, &target, &build)?;
    if messages.contains("Compiling ") {
        return Err(format!(
            "{package} is compiled again although nothing changed:\n{messages}"
        ));
    }
    Ok((clean, nothing, crates))
}

fn cargo(folder: &Path, target: &Path, arguments: &[&str]) -> Result<(Duration, String), String> {
    let start = Instant::now();
    let output = Command::new("cargo")
        .args(arguments)
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", target)
        .output()
        .map_err(|error| format!("cargo could not be started: {error}"))?;
    let time = start.elapsed();
    let messages = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        return Err(format!("cargo {}: {messages}", arguments.join(" ")));
    }
    Ok((time, messages))
}

//! The build cost of each crate: a small program with that allocator, nothing else.

use crate::allocators::{Allocator, ALL};
use crate::build;
use crate::measure::median;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// The allocators that are crates, as they come.
pub fn crates() -> Vec<&'static Allocator> {
    ALL.iter()
        .filter(|one| !one.packages.is_empty() && one.is_as_it_comes())
        .collect()
}

/// A table of clean builds and of builds with nothing changed: in each round one of each crate.
pub fn cost(allocators: &[&Allocator], rounds: usize) -> Result<String, String> {
    let mut builds = allocators.iter().map(|_| Vec::new()).collect::<Vec<_>>();
    for _ in 0..rounds {
        for (allocator, builds) in allocators.iter().zip(&mut builds) {
            builds.push(measure(allocator)?);
        }
    }
    let mut text = format!(
        "Medians of {rounds} rounds, in parentheses the minima.\n\n\
         | crate | clean build (s) | nothing changed (s) | crates compiled |\n|---|---:|---:|---:|\n",
    );
    for (allocator, builds) in allocators.iter().zip(&builds) {
        text += &format!(
            "| {} | {} | {} | {} |\n",
            allocator.packages[0],
            seconds(builds.iter().map(|build| build.clean), 1),
            seconds(builds.iter().map(|build| build.nothing_changed), 2),
            builds[0].crates,
        );
    }
    Ok(text)
}

/// Median and minimum.
fn seconds(times: impl Iterator<Item = Duration>, decimals: usize) -> String {
    let mut times: Vec<u64> = times.map(|time| time.as_nanos() as u64).collect();
    times.sort_unstable();
    let [median, minimum] = [median(&times), times[0]].map(|nanoseconds| nanoseconds as f64 / 1e9);
    format!("{median:.decimals$} ({minimum:.decimals$})")
}

struct Build {
    clean: Duration,
    nothing_changed: Duration,
    crates: usize,
}

fn measure(allocator: &Allocator) -> Result<Build, String> {
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
    let (nothing_changed, messages) = cargo(&folder, &target, &build)?;
    if messages.contains("Compiling ") {
        return Err(format!(
            "{package} is compiled again although nothing changed:\n{messages}"
        ));
    }
    Ok(Build {
        clean,
        nothing_changed,
        crates,
    })
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

//! Tests that do not depend on the build mode of the library, so one mode suffices: the build script, the
//! documentation, the provenance of the C, and programs that are built here as packages of their own.
//!
//! The tests share a process and run in parallel: none changes its environment or current directory, and each
//! has folders of its own.

#![allow(clippy::incompatible_msrv)] // only the library is for Rust 1.63

mod build;
mod default_config;
#[path = "../support/folder.rs"]
mod folder;
#[allow(dead_code)] // fully used on Linux only
mod package;

#[cfg(target_os = "linux")]
mod build_errors;
mod build_fetch;
mod build_plan;
mod build_script;
#[cfg(all(
    target_os = "linux",
    target_env = "gnu",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
mod cflags;
mod docs_coverage;
mod example_packages;
mod examples;
mod facts;
#[cfg(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu"))]
mod inlined;
mod links;
mod program_options_builds;
mod provenance;
mod quickstart;
mod units;

//! Profiling (v3): by a profiler of the program's own, by the built-in one, and of the whole program. What concerns every
//! allocation of a process, or shares something that a process has once, runs in a process of its own (`respawn`).
#![cfg(mi_v3)]

#[path = "../support/folder.rs"]
mod folder;
#[allow(dead_code)] // for all build modes
#[path = "../support/mode.rs"]
mod mode;
#[path = "../support/pprof.rs"]
mod pprof;
/// The example's.
#[cfg(target_os = "linux")]
#[allow(dead_code)]
#[path = "../../examples/support/pprof_file.rs"]
mod pprof_file;
#[cfg(unix)]
#[path = "../support/raw_thread.rs"]
mod raw_thread;
#[allow(dead_code)]
#[path = "../support/respawn.rs"]
mod respawn;

mod builtin;
#[cfg(unix)]
mod custom;
mod whole_program;

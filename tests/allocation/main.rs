//! Allocation without heaps: the functions of the basic, aligned, extended, POSIX and constant-size interfaces, and what
//! the types can do.
//!
//! The tests share a process and run in parallel: none sets an option or measures the process, unless it runs itself
//! again in a process of its own (`respawn`).

#[path = "../support/errno.rs"]
mod errno;
#[path = "../support/memory.rs"]
mod memory;
#[allow(dead_code)] // for all build modes and major versions
#[path = "../support/mode.rs"]
mod mode;
#[allow(dead_code)]
#[path = "../support/respawn.rs"]
mod respawn;

mod aligned;
mod alloc;
#[cfg(mi_v3)]
mod csize;
mod extended;
mod posix;
mod traits;

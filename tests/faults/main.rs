//! Faults and other events that a program may meet at any moment: memory runs out, the process forks, signals interrupt
//! it, threads come and go in crowds. Each test runs itself again in a process of its own (`respawn`).
//! (`faults_fork_locks.rs` takes long, and is a program of its own.)
#![cfg(unix)]

#[cfg(target_os = "linux")]
#[path = "../support/errno.rs"]
mod errno;
#[path = "../support/fork.rs"]
mod fork;
#[allow(dead_code)]
#[path = "../support/memory.rs"]
mod memory;
#[allow(dead_code)] // for all build modes and major versions
#[path = "../support/mode.rs"]
mod mode;
#[cfg(target_os = "linux")]
#[allow(dead_code)]
#[path = "../support/resident.rs"]
mod resident;
#[allow(dead_code)]
#[path = "../support/respawn.rs"]
mod respawn;

mod fork_idle;
#[cfg(target_os = "linux")]
mod fork_under_load;
#[cfg(target_os = "linux")]
mod out_of_memory;
mod signals;
#[cfg(target_os = "linux")]
mod threads;

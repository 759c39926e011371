//! Tests that run themselves again, each in a process of its own (`respawn`): options of the environment, what concerns
//! every allocation of a process, and the end of its memory. Nothing else is done in the process that they share.

#[cfg(target_os = "linux")]
#[path = "../support/errno.rs"]
mod errno;
#[cfg(mi_v3)]
#[path = "../support/folder.rs"]
mod folder;
#[allow(dead_code)]
#[path = "../support/memory.rs"]
mod memory;
#[allow(dead_code)] // for all build modes and major versions
#[path = "../support/mode.rs"]
mod mode;
#[path = "../support/options.rs"]
mod options;
#[allow(dead_code)]
#[path = "../support/pprof.rs"]
mod pprof;
#[cfg(target_os = "linux")]
#[allow(dead_code)]
#[path = "../support/resident.rs"]
mod resident;
#[path = "../support/respawn.rs"]
mod respawn;
#[cfg(mi_v2)]
#[allow(dead_code)]
#[path = "../support/visit.rs"]
mod visit;

mod callbacks_output;
mod options_effect;
mod options_env;
#[cfg(target_os = "linux")]
mod out_of_memory;
#[cfg(mi_v3)]
mod profile_main;
#[cfg(mi_v2)]
mod visit_abandoned;

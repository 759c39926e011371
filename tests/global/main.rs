//! `MiMalloc`, called by hand: at its corners, what mimalloc does from time to time, which blocks are used again, and
//! damage. Each test runs itself again in a process of its own (`respawn`).

#[allow(dead_code)]
#[path = "../support/memory.rs"]
mod memory;
#[allow(dead_code)] // for all build modes and major versions
#[path = "../support/mode.rs"]
mod mode;
#[path = "../support/pages.rs"]
mod pages;
#[allow(dead_code)]
#[path = "../support/respawn.rs"]
mod respawn;
#[cfg(mi_v3)]
#[path = "../model/sampling.rs"]
mod sampling;
#[allow(dead_code)]
#[path = "../support/visit.rs"]
mod visit;

mod global_alloc;
mod global_housekeeping;
mod global_lifo;
#[cfg(all(
    mi_v3, // on v2 all functions are upstream's
    any(feature = "secure", feature = "secure_full"),
    not(any(feature = "guarded", feature = "debug", feature = "debug_full"))
))]
mod global_secure;

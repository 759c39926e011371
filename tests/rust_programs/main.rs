//! Rust's own code, on `MiMalloc` as the global allocator of this program.

#[allow(dead_code)]
#[path = "../support/memory.rs"]
mod memory;
#[path = "../support/random.rs"]
mod random;
#[cfg(unix)]
#[allow(dead_code)]
#[path = "../support/respawn.rs"]
mod respawn;

#[cfg(unix)]
mod destructors;
mod ordinary;

#[global_allocator]
static GLOBAL: mi_malloc_sys::MiMalloc = mi_malloc_sys::MiMalloc;

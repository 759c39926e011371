//! Heaps, and functions that allocate from them: what is in a heap and in the part that a thread has of it, the arenas
//! behind heaps, visits of blocks, typed and zeroing functions, and those behind C++'s `new`.
//!
//! The tests share a process and run in parallel: each has heaps of its own and counts only what is in them. On v2 the
//! process takes over no memory of ended threads (`own_heap`), and so the tests of plain allocation are not here.

#[cfg(unix)]
#[path = "../support/map.rs"]
mod map;
#[allow(dead_code)]
#[path = "../support/memory.rs"]
mod memory;
#[allow(dead_code)] // for all build modes and major versions
#[path = "../support/mode.rs"]
mod mode;
#[path = "../support/heap.rs"]
mod own_heap;
#[allow(dead_code)]
#[path = "../support/respawn.rs"]
mod respawn;
#[path = "../support/visit.rs"]
mod visitor;

#[cfg(unix)]
mod arena;
mod cpp;
mod heap;
#[cfg(mi_v3)]
mod thread_heaps;
mod typed;
mod visit;
mod zeroed;

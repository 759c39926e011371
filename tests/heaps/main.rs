//! Heaps, and functions that allocate from them: what is in a heap, visits of its blocks, typed and zeroing functions,
//! and those behind C++'s `new`.
//!
//! The tests share a process and run in parallel: each has heaps of its own and counts only what is in them. On v2 the
//! process takes over no memory of ended threads (`own_heap`), and so the tests of plain allocation are not here.

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

mod cpp;
mod heap;
mod typed;
mod visit;
mod zeroed;

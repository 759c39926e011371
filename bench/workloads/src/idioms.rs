//! What Rust programs commonly do with small blocks: boxes, reference counts, strings, small maps, futures and
//! closures. Only with the standard library, so that the allocator is a large part of the time.

mod maps;
mod pointers;
mod tasks;
mod text;
mod trees;

pub use maps::{interner, lru, small_maps};
pub use pointers::{graph, sort_boxed};
pub use tasks::{events, futures};
pub use text::{derivatives, settings};
pub use trees::{persistent, recursion, rewrite};

//! The manual, group by group. Each page introduces a group, shows it at work and lists its items;
//! the [front page](crate) says which to read.
//!
//! These modules exist in the documentation only. In a program all items are at the crate's root.
//!
//! The examples are tests: they run on both major versions, except where one says that it needs v3.

pub mod global;

pub mod aligned;
pub mod alloc;
pub mod extended;
pub mod typed;
pub mod zeroed;

pub mod csize;

pub mod analysis;
pub mod arenas;
pub mod heaps;
pub mod subprocesses;
pub mod theaps;

pub mod options;
pub mod profiling;
pub mod statistics;

pub mod cpp;
pub mod posix;

pub mod building;
pub mod errors;
pub mod examples;
pub mod memory;
pub mod performance;
pub mod platforms;
pub mod threads;
pub mod versions;

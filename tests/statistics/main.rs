//! Statistics: of the process, of heaps, threads and subprocesses; as a struct, as JSON and as tables. What counts the
//! whole process, or prints to the one output that it has, runs in a process of its own (`respawn`).

#[allow(dead_code)] // for all build modes and major versions
#[path = "../support/mode.rs"]
mod mode;
#[path = "../support/other_threads.rs"]
mod other_threads;
#[cfg(all(mi_v3, unix))]
#[path = "../support/raw_thread.rs"]
mod raw_thread;
#[allow(dead_code)]
#[path = "../support/respawn.rs"]
mod respawn;
#[allow(dead_code)]
#[path = "../support/stats.rs"]
mod stats;
#[allow(dead_code)]
#[path = "../support/text.rs"]
mod text;

mod buffers;
#[cfg(all(mi_v3, unix))]
mod of_heaps;
mod tables;
mod whole_process;

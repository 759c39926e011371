//! What the benchmark runs. Nothing here knows which allocator is behind it: each runner package
//! picks its `#[global_allocator]` and hands over to [`runner::main`].

mod boxes;
mod buffers;
mod fragmentation;
mod growth;
pub mod hot;
mod json;
mod maps;
mod process;
mod random;
pub mod runner;
mod tables;
mod threads;
mod trees;
mod vectors;

/// One repetition: does the work, returns a checksum that must not depend on the allocator.
pub type Repetition = Box<dyn FnMut() -> u64>;

/// A program part that allocates.
pub struct Workload {
    pub name: &'static str,
    /// One line for the table.
    pub about: &'static str,
    /// Builds what must not be timed, for this number of threads.
    pub prepare: fn(threads: usize) -> Repetition,
    /// Whether the memory that is still held some seconds after the work is part of the question.
    pub settles: bool,
}

const fn workload(
    name: &'static str,
    about: &'static str,
    prepare: fn(usize) -> Repetition,
) -> Workload {
    Workload {
        name,
        about,
        prepare,
        settles: false,
    }
}

/// All workloads, in the order of the table.
pub const ALL: &[Workload] = &[
    workload(
        "box",
        "one box of 32 bytes after the other",
        boxes::one_by_one,
    ),
    workload(
        "boxes",
        "10,000 boxes of five constant sizes, then all freed",
        boxes::in_batches,
    ),
    workload(
        "slots",
        "random replacement in a table of 50,000 byte vectors",
        tables::slots,
    ),
    workload(
        "vec-small",
        "vectors of 8 to 1024 bytes, 256 of them alive",
        vectors::small,
    ),
    workload(
        "vec-large",
        "vectors of 1 to 60 KiB, 64 of them alive",
        vectors::large,
    ),
    workload("trees", "binary trees, depth 4 to 16", trees::binary_trees),
    workload(
        "btreemap",
        "BTreeMap<String, Vec<u32>>: insert, extend, remove",
        maps::btreemap,
    ),
    workload("json", "1 MB of JSON parsed into values", json::parse),
    workload(
        "grow",
        "strings and vectors that grow (realloc)",
        growth::grow,
    ),
    workload(
        "zeroed",
        "zeroed buffers of 64 bytes to 256 KiB",
        buffers::zeroed,
    ),
    workload(
        "aligned",
        "buffers aligned to 32 to 4096 bytes",
        buffers::aligned,
    ),
    workload(
        "pipeline",
        "messages made in one thread and freed in another",
        threads::pipeline,
    ),
    workload(
        "larson",
        "a server: worker threads inherit their predecessors' blocks",
        threads::larson,
    ),
    Workload {
        name: "fragment",
        about: "200,000 live blocks whose sizes drift, then all but 400 freed",
        prepare: fragmentation::drift,
        settles: true,
    },
    workload(
        "scale",
        "every thread with a load of its own",
        threads::scale,
    ),
];

/// The workload of this name.
pub fn find(name: &str) -> Option<&'static Workload> {
    ALL.iter().find(|workload| workload.name == name)
}

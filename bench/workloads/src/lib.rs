//! The workloads of the benchmark. Nothing here depends on the allocator: each runner package
//! chooses its `#[global_allocator]` and calls [`runner::main`].

mod boxes;
mod buffers;
mod fragmentation;
mod growth;
pub mod hot;
mod idioms;
pub mod json;
mod large;
mod maps;
pub mod process;
pub mod programs;
pub mod random;
pub mod resting;
pub mod runner;
mod tables;
mod threads;
mod trees;
mod vectors;

/// One repetition: does the work, returns a checksum that must not depend on the allocator.
pub type Repetition = Box<dyn FnMut() -> u64>;

/// Workloads that are reported together: means are over one group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// The usual work of programs, mostly with small blocks.
    Usual,
    /// Blocks of 1 MiB to 1 GiB.
    Large,
    /// Common ways to use small blocks, for builds with several profiles.
    Idioms,
    /// Whole processes: [`programs`].
    Programs,
}

impl Group {
    /// Repetitions in one process, after one for warm-up.
    pub const fn repetitions(self) -> usize {
        match self {
            Group::Usual | Group::Idioms => 5,
            // Each takes up to some seconds.
            Group::Large => 3,
            // A process is measured as a whole.
            Group::Programs => 1,
        }
    }
}

/// The threads of a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threads {
    One,
    /// One for each processor, at least two; more than eight show nothing new.
    Several,
    /// Measured with 1, 2, 4, ... up to all processors, one row of the tables for each.
    Scaling,
}

/// A program part that allocates.
#[derive(Clone, Copy)]
pub struct Workload {
    pub name: &'static str,
    /// One line for the table.
    pub about: &'static str,
    pub group: Group,
    pub threads: Threads,
    /// Prepares everything that must not be timed, for this number of threads.
    pub prepare: fn(threads: usize) -> Repetition,
    /// Whether the memory that is retained some seconds after the work is measured.
    pub retains: bool,
    /// Whether the huge pages behind the memory that it keeps between repetitions are measured.
    pub huge_pages: bool,
}

const fn workload(
    name: &'static str,
    about: &'static str,
    prepare: fn(usize) -> Repetition,
) -> Workload {
    Workload {
        name,
        about,
        group: Group::Usual,
        threads: Threads::One,
        prepare,
        retains: false,
        huge_pages: false,
    }
}

impl Workload {
    const fn threads(self, threads: Threads) -> Workload {
        Workload { threads, ..self }
    }

    const fn retains(self) -> Workload {
        Workload {
            retains: true,
            ..self
        }
    }

    const fn huge_pages(self) -> Workload {
        Workload {
            huge_pages: true,
            ..self
        }
    }
}

const fn large(
    name: &'static str,
    about: &'static str,
    prepare: fn(usize) -> Repetition,
) -> Workload {
    Workload {
        group: Group::Large,
        ..workload(name, about, prepare)
    }
}

const fn idiom(
    name: &'static str,
    about: &'static str,
    prepare: fn(usize) -> Repetition,
) -> Workload {
    Workload {
        group: Group::Idioms,
        ..workload(name, about, prepare)
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
    )
    .threads(Threads::Several),
    workload(
        "larson",
        "a server: worker threads inherit their predecessors' blocks",
        threads::larson,
    )
    .threads(Threads::Several),
    workload(
        "fragment",
        "200,000 live blocks whose sizes drift, then all but 400 freed",
        fragmentation::drift,
    )
    .retains(),
    workload(
        "scale",
        "every thread with a load of its own",
        threads::scale,
    )
    .threads(Threads::Scaling),
    large("push", "a Vec<u64> pushed to 512 MiB", large::push),
    large(
        "reserve-exact",
        "512 MiB by reserve_exact of 16 MiB, 32 times",
        large::reserve_exact,
    ),
    large(
        "read-to-end",
        "read_to_end of 300 MiB from a source that does not say its length",
        large::read_to_end,
    ),
    large(
        "fill-8",
        "a buffer of 8 MiB filled and freed, 100 times",
        |_| large::fill(8, 100),
    ),
    large(
        "fill-64",
        "a buffer of 64 MiB filled and freed, 10 times",
        |_| large::fill(64, 10),
    ),
    large(
        "fill-300",
        "a buffer of 300 MiB filled and freed, 3 times",
        |_| large::fill(300, 3),
    ),
    large(
        "fill-varied",
        "buffers of 100 to 600 MiB filled and freed, one at a time, 6 times",
        large::fill_varied,
    ),
    large(
        "grow-once",
        "a buffer of 40 MiB filled, grown to 90, filled and freed, 8 times",
        large::grow_once,
    ),
    large(
        "zeroed-untouched",
        "vec![0; n] of 1 to 300 MiB, freed without a touch, 40 times",
        large::zeroed_untouched,
    ),
    large(
        "zeroed-touched",
        "vec![0; n] of 1 to 300 MiB, each page read and written, 20 times",
        large::zeroed_touched,
    ),
    large(
        "mixture",
        "buffers of 64 KiB to 32 MiB, 16 of them alive, a quarter grown",
        large::mixture,
    )
    .retains(),
    large(
        "table",
        "10 million random reads of a table of 1 GiB",
        large::table,
    )
    .huge_pages(),
    large(
        "untouched-300",
        "a block of 300 MiB allocated and freed without a touch, 5,000 times",
        large::untouched,
    )
    .retains(),
    idiom(
        "lru",
        "an LRU cache: strings to reference-counted entries, which are linked",
        idioms::lru,
    ),
    idiom(
        "interner",
        "names to numbers and back, 8 modules of 60,000 names",
        idioms::interner,
    ),
    idiom(
        "settings",
        "a text of settings parsed into strings, written and parsed again",
        idioms::settings,
    ),
    idiom(
        "graph",
        "a graph of Rc and Weak: built, searched, taken apart",
        idioms::graph,
    ),
    idiom(
        "rewrite",
        "derivatives of boxed expressions, simplified",
        idioms::rewrite,
    ),
    idiom(
        "small-maps",
        "HashMap<String, u64> of 1 to 12 entries, 256 of them alive",
        idioms::small_maps,
    ),
    idiom(
        "futures",
        "boxed futures and tasks on an executor of one thread",
        idioms::futures,
    ),
    idiom(
        "events",
        "boxed closures in a queue, ordered by time",
        idioms::events,
    ),
    idiom(
        "derivatives",
        "regular expressions of Rc nodes, matched by their derivatives",
        idioms::derivatives,
    ),
    idiom(
        "sort-boxed",
        "boxed keys sorted, then by a string computed of each",
        idioms::sort_boxed,
    ),
    idiom(
        "persistent",
        "a persistent search tree of Rc nodes, 64 versions of it alive",
        idioms::persistent,
    ),
    idiom(
        "recursion",
        "a tree of 16-byte nodes, leaves included, built and dropped by recursion",
        idioms::recursion,
    ),
];

/// The workloads of a group, in the order of the table.
pub fn of(group: Group) -> impl Iterator<Item = &'static Workload> {
    ALL.iter().filter(move |workload| workload.group == group)
}

/// The workload of this name.
pub fn find(name: &str) -> Option<&'static Workload> {
    ALL.iter().find(|workload| workload.name == name)
}

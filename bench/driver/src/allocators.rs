//! What is compared.

/// The role of an allocator in the comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// This crate.
    Ours,
    /// Another Rust crate over mimalloc.
    MimallocPeer,
    /// Any other allocator.
    Peer,
    /// Not an allocator that anyone could use.
    Bound,
}

/// How a runner is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Build {
    Plain,
    /// The C as LLVM bitcode, optimised together with the Rust code.
    Bitcode,
}

/// A comparison of the driver, by the name of its command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    Run,
    Large,
    Idioms,
    Memory,
    Programs,
}

use Comparison::{Idioms, Large, Memory, Programs, Run};

#[derive(Debug, Clone, Copy)]
pub struct Allocator {
    /// Name in results and options, and of the build folder.
    pub id: &'static str,
    /// Name in tables.
    pub title: &'static str,
    pub side: Side,
    /// Folder under `runners/`.
    pub runner: &'static str,
    pub features: &'static str,
    /// `MIMALLOC_SYS_DEFINES`.
    pub defines: &'static str,
    pub build: Build,
    /// Whether a thread purges that the allocator does not have by default.
    pub purges: bool,
    /// Where it takes part.
    pub comparisons: &'static [Comparison],
    /// The packages whose versions the results name.
    pub packages: &'static [&'static str],
    /// Colour in the plot.
    pub colour: &'static str,
}

/// Variants of an allocator, and crates over mimalloc like another one.
const VARIANT: &[Comparison] = &[Run, Large, Memory, Programs];

const EVERYWHERE: &[Comparison] = &[Run, Large, Idioms, Memory, Programs];

/// With a thread that purges, which has no time to do so in short workloads and programs.
const PURGES: &[Comparison] = &[Large, Memory];

const OURS: Allocator = Allocator {
    id: "v3",
    title: "ours",
    side: Side::Ours,
    runner: "ours",
    features: "",
    defines: "",
    build: Build::Plain,
    purges: false,
    comparisons: EVERYWHERE,
    packages: &["mi-malloc-sys"],
    colour: "#0b6e4f",
};

/// Shows what inlining gains or costs, and nothing that a user would choose.
const CALLS: Allocator = Allocator {
    id: "calls",
    title: "ours, calls",
    features: "calls",
    comparisons: &[Idioms],
    colour: "#5f7d6e",
    ..OURS
};

const PEER: Allocator = Allocator {
    side: Side::Peer,
    packages: &[],
    ..OURS
};

const JEMALLOC: Allocator = Allocator {
    id: "jemalloc",
    title: "jemalloc",
    runner: "jemalloc",
    packages: &["tikv-jemallocator", "tikv-jemalloc-sys"],
    colour: "#c0392b",
    ..PEER
};

const MIMALLOC: Allocator = Allocator {
    id: "mimalloc",
    title: "mimalloc",
    side: Side::MimallocPeer,
    runner: "mimalloc",
    packages: &["mimalloc", "libmimalloc-sys"],
    colour: "#1f5fa8",
    ..PEER
};

const MIMALLOC_SAFE: Allocator = Allocator {
    id: "mimalloc-safe",
    title: "mimalloc-safe",
    side: Side::MimallocPeer,
    runner: "mimalloc-safe",
    comparisons: VARIANT,
    packages: &["mimalloc-safe", "libmimalloc-sys2"],
    colour: "#4f9bd9",
    ..PEER
};

const MIMALLOC3: Allocator = Allocator {
    id: "mimalloc3",
    title: "mimalloc3",
    side: Side::MimallocPeer,
    runner: "mimalloc3",
    packages: &["mimalloc3", "libmimalloc-sys3"],
    colour: "#7a6bc4",
    ..PEER
};

/// All of them, in the order of the tables.
pub const ALL: &[Allocator] = &[
    OURS,
    CALLS,
    Allocator {
        id: "lto",
        title: "ours, bitcode LTO",
        build: Build::Bitcode,
        comparisons: VARIANT,
        colour: "#35b37e",
        ..OURS
    },
    Allocator {
        id: "large",
        title: "ours, LTO, large slices",
        defines: "MI_ARENA_SLICE_SHIFT=17",
        build: Build::Bitcode,
        comparisons: VARIANT,
        colour: "#8fd9b6",
        ..OURS
    },
    Allocator {
        id: "secure",
        title: "ours, secure",
        features: "secure",
        comparisons: VARIANT,
        colour: "#7c9885",
        ..OURS
    },
    Allocator {
        id: "v2",
        title: "ours, v2",
        features: "v2",
        comparisons: VARIANT,
        colour: "#9dbf15",
        ..OURS
    },
    Allocator {
        id: "ours+purge",
        title: "ours+purge",
        features: "purge",
        purges: true,
        comparisons: PURGES,
        colour: "#0b6e4f",
        ..OURS
    },
    Allocator {
        id: "ours+idle",
        title: "ours+idle",
        features: "idle",
        purges: true,
        // No thread of the other workloads waits.
        comparisons: &[Memory],
        colour: "#4fae8f",
        ..OURS
    },
    MIMALLOC,
    MIMALLOC_SAFE,
    MIMALLOC3,
    Allocator {
        id: "mimalloc+secure",
        title: "mimalloc, secure",
        features: "secure",
        comparisons: VARIANT,
        colour: "#8fb0d6",
        ..MIMALLOC
    },
    Allocator {
        id: "mimalloc-safe+secure",
        title: "mimalloc-safe, secure",
        features: "secure",
        comparisons: VARIANT,
        colour: "#a7cdec",
        ..MIMALLOC_SAFE
    },
    Allocator {
        id: "mimalloc3+secure",
        title: "mimalloc3, secure",
        features: "secure",
        comparisons: VARIANT,
        colour: "#b5ade2",
        ..MIMALLOC3
    },
    Allocator {
        id: "mimalloc-pprof",
        title: "mimalloc-pprof",
        side: Side::MimallocPeer,
        runner: "mimalloc-pprof",
        packages: &["mimalloc-pprof"],
        colour: "#c04f9a",
        ..PEER
    },
    Allocator {
        id: "snmalloc",
        title: "snmalloc",
        runner: "snmalloc",
        packages: &["snmalloc-rs", "snmalloc-sys"],
        colour: "#e07b00",
        ..PEER
    },
    JEMALLOC,
    Allocator {
        id: "jemalloc+background",
        title: "jemalloc+background",
        features: "background",
        purges: true,
        comparisons: PURGES,
        ..JEMALLOC
    },
    Allocator {
        id: "system",
        title: "system",
        runner: "system",
        colour: "#8a8a8a",
        ..PEER
    },
    Allocator {
        id: "bump",
        title: "bump",
        side: Side::Bound,
        runner: "bump",
        // It never frees: of large blocks its 16 GiB would soon be memory, and no whole program fits.
        comparisons: &[Run],
        colour: "#bbbbbb",
        ..PEER
    },
];

impl Allocator {
    /// Whether this is the allocator's default build.
    pub fn is_as_it_comes(&self) -> bool {
        self.features.is_empty() && self.defines.is_empty() && self.build == Build::Plain
    }

    /// Whether this is this crate with calls in place of inlined code.
    pub fn is_calls(&self) -> bool {
        self.id == CALLS.id
    }
}

/// Those that take part in a comparison.
pub fn of(comparison: Comparison) -> Vec<&'static Allocator> {
    let all = ALL.iter();
    all.filter(|one| one.comparisons.contains(&comparison))
        .collect()
}

pub fn find(id: &str) -> Option<&'static Allocator> {
    ALL.iter().find(|allocator| allocator.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(comparison: Comparison) -> Vec<&'static str> {
        of(comparison).iter().map(|one| one.id).collect()
    }

    /// As the README of the benchmark states.
    #[test]
    fn who_takes_part() {
        let idioms = [
            "v3",
            "calls",
            "mimalloc",
            "mimalloc3",
            "mimalloc-pprof",
            "snmalloc",
            "jemalloc",
            "system",
        ];
        assert_eq!(ids(Idioms), idioms);
        let only_in = |id: &str| -> Vec<Comparison> {
            let comparisons = EVERYWHERE.iter().copied();
            comparisons.filter(|one| ids(*one).contains(&id)).collect()
        };
        assert_eq!(only_in("ours+idle"), [Memory]);
        assert_eq!(only_in("ours+purge"), [Large, Memory]);
        assert_eq!(only_in("jemalloc+background"), [Large, Memory]);
        assert_eq!(only_in("bump"), [Run]);
        assert_eq!(only_in("system"), EVERYWHERE);
        assert_eq!(ids(Programs).len() + 1, ids(Run).len());
    }
}

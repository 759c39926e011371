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
    /// Whether a thread purges that the allocator does not have by default. Compared where memory is
    /// measured.
    pub purges: bool,
    /// The packages whose versions the results name.
    pub packages: &'static [&'static str],
    /// Colour in the plot.
    pub colour: &'static str,
}

const OURS: Allocator = Allocator {
    id: "v3",
    title: "ours",
    side: Side::Ours,
    runner: "ours",
    features: "",
    defines: "",
    build: Build::Plain,
    purges: false,
    packages: &["mi-malloc-sys"],
    colour: "#0b6e4f",
};

/// Shows what inlining gains or costs, and nothing that a user would choose: in `idioms` only.
const CALLS: Allocator = Allocator {
    id: "calls",
    title: "ours, calls",
    features: "calls",
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
        colour: "#35b37e",
        ..OURS
    },
    Allocator {
        id: "large",
        title: "ours, LTO, large slices",
        defines: "MI_ARENA_SLICE_SHIFT=17",
        build: Build::Bitcode,
        colour: "#8fd9b6",
        ..OURS
    },
    Allocator {
        id: "secure",
        title: "ours, secure",
        features: "secure",
        colour: "#7c9885",
        ..OURS
    },
    Allocator {
        id: "v2",
        title: "ours, v2",
        features: "v2",
        colour: "#9dbf15",
        ..OURS
    },
    Allocator {
        id: "ours+purge",
        title: "ours+purge",
        features: "purge",
        purges: true,
        colour: "#0b6e4f",
        ..OURS
    },
    Allocator {
        id: "ours+idle",
        title: "ours+idle",
        features: "idle",
        purges: true,
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
        colour: "#8fb0d6",
        ..MIMALLOC
    },
    Allocator {
        id: "mimalloc-safe+secure",
        title: "mimalloc-safe, secure",
        features: "secure",
        colour: "#a7cdec",
        ..MIMALLOC_SAFE
    },
    Allocator {
        id: "mimalloc3+secure",
        title: "mimalloc3, secure",
        features: "secure",
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
        colour: "#bbbbbb",
        ..PEER
    },
];

impl Allocator {
    /// Whether this is the allocator's default build.
    pub fn is_as_it_comes(&self) -> bool {
        self.features.is_empty() && self.defines.is_empty() && self.build == Build::Plain
    }

    pub fn is_calls(&self) -> bool {
        self.id == CALLS.id
    }
}

pub fn find(id: &str) -> Option<&'static Allocator> {
    ALL.iter().find(|allocator| allocator.id == id)
}

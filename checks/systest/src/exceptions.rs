//! What only one side has, and why that is correct.
//!
//! An entry that is no longer needed is an error, so the list stays current.

pub struct Exception {
    /// The major versions to which it applies.
    pub majors: &'static [&'static str],
    pub side: Side,
    pub name: &'static str,
    pub reason: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Header,
    Binding,
}

/// Headers that are not read, with the reason. A header that is not named here is read.
pub const UNREAD_HEADERS: &[(&str, &str)] = &[
    (
        "mimalloc-new-delete.h",
        "defines the operators of C++; C sees nothing of it",
    ),
    (
        "mimalloc-override.h",
        "redefines names of the C library as macros; declares nothing",
    ),
];

const BOTH: &[&str] = &["v3", "v2"];
const V3: &[&str] = &["v3"];

const fn header(
    majors: &'static [&'static str],
    name: &'static str,
    reason: &'static str,
) -> Exception {
    Exception {
        majors,
        side: Side::Header,
        name,
        reason,
    }
}

const GUARD: &str = "include guard";
const ATTRIBUTE: &str = "attribute for a C compiler";

pub const EXCEPTIONS: &[Exception] = &[
    header(BOTH, "MIMALLOC_H", GUARD),
    header(BOTH, "MIMALLOC_STATS_H", GUARD),
    header(V3, "MIMALLOC_PROFILE_H", GUARD),
    header(BOTH, "mi_attr_alloc_align", ATTRIBUTE),
    header(BOTH, "mi_attr_alloc_size", ATTRIBUTE),
    header(BOTH, "mi_attr_alloc_size2", ATTRIBUTE),
    header(BOTH, "mi_attr_malloc", ATTRIBUTE),
    header(BOTH, "mi_attr_noexcept", ATTRIBUTE),
    header(BOTH, "mi_cdecl", ATTRIBUTE),
    header(
        V3,
        "mi_decl_align",
        "alignment of a field; the layout of mi_stats_t is compared instead",
    ),
    header(BOTH, "mi_decl_export", ATTRIBUTE),
    header(BOTH, "mi_decl_nodiscard", ATTRIBUTE),
    header(BOTH, "mi_decl_restrict", ATTRIBUTE),
    header(
        BOTH,
        "MI_STAT_FIELDS",
        "spells the fields of mi_stats_t, which are compared one by one",
    ),
    header(
        BOTH,
        "mi_stats_t_decl",
        "declares a C variable; Rust initialises a value instead",
    ),
    Exception {
        majors: BOTH,
        side: Side::Binding,
        name: "MiMalloc",
        reason: "Rust's own: the global allocator",
    },
    Exception {
        majors: BOTH,
        side: Side::Binding,
        name: "options",
        reason: "Rust's own: the options that a program carries",
    },
    Exception {
        majors: BOTH,
        side: Side::Binding,
        name: "ProgramOption",
        reason: "Rust's own: the options that a program carries",
    },
    Exception {
        majors: BOTH,
        side: Side::Binding,
        name: "ProgramOptions",
        reason: "Rust's own: the options that a program carries",
    },
    Exception {
        majors: BOTH,
        side: Side::Binding,
        name: "default_error",
        reason: "Rust's own: the treatment of an error without a callback",
    },
    Exception {
        majors: BOTH,
        side: Side::Binding,
        name: "OptionSource",
        reason: "Rust's own: where an option's value is from",
    },
    Exception {
        majors: BOTH,
        side: Side::Binding,
        name: "abandon_pages",
        reason: "Rust's own: for free blocks beside blocks in use (src/free_blocks.rs)",
    },
    Exception {
        majors: BOTH,
        side: Side::Binding,
        name: "purge_free_blocks",
        reason: "Rust's own, likewise",
    },
    Exception {
        majors: BOTH,
        side: Side::Binding,
        name: "option_source",
        reason: "Rust's own: where an option's value is from",
    },
    Exception {
        majors: BOTH,
        side: Side::Binding,
        name: "MI_ARENA_ID_NONE",
        reason: "Rust's own: C writes 0 or NULL, and the type differs between the versions",
    },
];

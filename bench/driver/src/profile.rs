//! How Cargo compiles a program: the fast path is inlined into all of it, or only into a part, or not at all.

pub struct Profile {
    /// Name in options, and of the folders of builds and results.
    pub id: &'static str,
    /// For the report.
    pub about: &'static str,
    pub settings: Settings,
}

/// What differs from the profile in the runners' manifests, as variables of Cargo.
pub type Settings = &'static [(&'static str, &'static str)];

const LTO: &str = "CARGO_PROFILE_RELEASE_LTO";
const UNITS: &str = "CARGO_PROFILE_RELEASE_CODEGEN_UNITS";

/// That of the runners, and what others differ in.
pub const ALL: &[Profile] = &[
    Profile {
        id: "lto",
        about: "opt-level 3, fat LTO, one codegen unit",
        settings: &[],
    },
    Profile {
        id: "abort",
        about: "opt-level 3, fat LTO, one codegen unit, panic = \"abort\"",
        settings: &[("CARGO_PROFILE_RELEASE_PANIC", "abort")],
    },
    Profile {
        id: "size",
        about: "opt-level \"s\", fat LTO, one codegen unit",
        settings: &[("CARGO_PROFILE_RELEASE_OPT_LEVEL", "s")],
    },
    Profile {
        id: "no-lto",
        about: "opt-level 3, no LTO, one codegen unit",
        settings: &[(LTO, "off")],
    },
    // With fat LTO it would be one unit in the end.
    Profile {
        id: "units",
        about: "opt-level 3, 16 codegen units, LTO between those of a crate: Cargo's defaults",
        settings: &[(LTO, "false"), (UNITS, "16")],
    },
];

pub fn find(id: &str) -> Option<&'static Profile> {
    ALL.iter().find(|profile| profile.id == id)
}

//! Upstream's sources: where they come from and what their SHA-256 sums are.

#[path = "../../../build/fetch.rs"]
mod fetch;
mod list;
mod package;

pub use list::{Fault, List};
pub use package::Package;

use std::path::{Path, PathBuf};

/// The major versions, by the names of their folders and lists.
pub const MAJORS: [&str; 2] = ["v3", "v2"];

/// `c_src/` of this repository.
pub fn c_src() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// The list of a major version.
pub fn list(major: &str) -> Result<List, String> {
    List::read(&c_src().join(major).with_extension("sha256"))
}

/// The package that the build uses.
pub fn pinned() -> Package {
    Package {
        name: "libmimalloc-sys2",
        pin: c_src().join("pin"),
        folders: [("v3", "c_src/mimalloc3"), ("v2", "c_src/mimalloc")],
    }
}

/// The package that the lists are compared with.
pub fn witness() -> Package {
    Package {
        name: "libmimalloc-sys3",
        pin: c_src().join("witness"),
        folders: [("v3", "c_src/mimalloc/v3"), ("v2", "c_src/mimalloc/v2")],
    }
}

//! Which C files are compiled, and in how many translation units.

use super::config::Major;
use super::fast_path::Code;
use super::plan::Plan;

/// A translation unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// The file of this package that includes all others. `None`: upstream's `static.c`, which is the whole.
    pub file: Option<&'static str>,
    /// Which part of the C it is (`src/upstream.c`); `None` if it is all of it.
    pub part: Option<u8>,
}

const FORK: &str = "src/fork.c";
const UPSTREAM: &str = "src/upstream.c";

/// `src/upstream.c` and the files that it includes: what this package changes of upstream's code.
const AROUND_UPSTREAM: &[&str] = &[
    UPSTREAM,
    "src/program_options.h",
    "src/huge_pages.h",
    "src/huge_pages.c",
    "src/callbacks.h",
    "src/inline.h",
    "src/queries.c",
    "src/reuse.h",
    "src/reuse.c",
    "src/slices.h",
    "src/slices.c",
    "src/purge.h",
    "src/purge.c",
    "src/singleton_pages.h",
    "src/singleton_pages.c",
    "src/huge_blocks.h",
    "src/huge_blocks.c",
    "src/free_blocks.c",
];

/// This package's own C. The first file, if there is one, includes all others that are used.
pub fn own_files(major: Major, plan: &Plan, code: Code) -> Vec<&'static str> {
    let mut files = code.c_files(major).to_vec();
    if !files.is_empty() || plan.fork || plan.wraps_upstream {
        files.push(FORK);
    }
    if plan.fork {
        files.push(match major {
            Major::V3 => "src/fork/v3.h",
            Major::V2 => "src/fork/v2.h",
        });
    }
    if plan.wraps_upstream {
        files.extend(AROUND_UPSTREAM);
    }
    files
}

/// The translation units of these files. Two of v3, which are compiled at the same time, as compilers use one processor
/// each; but not of bitcode, which the linker optimises as a whole, nor with Microsoft's compiler, for which it was not
/// tried. `src/upstream.c` knows the parts of the pinned release only.
pub fn of_files(major: Major, plan: &Plan, files: &[&'static str], is_msvc: bool) -> Vec<Unit> {
    let file = files.first().copied();
    if major != Major::V3 || !plan.wraps_upstream || plan.bitcode || is_msvc {
        return vec![Unit { file, part: None }];
    }
    // Two different files: clang names what `-save-temps` leaves by the source.
    let first = file.filter(|file| *file != FORK).unwrap_or(UPSTREAM);
    [(first, 1), (FORK, 2)]
        .iter()
        .map(|&(file, part)| Unit {
            file: Some(file),
            part: Some(part),
        })
        .collect()
}

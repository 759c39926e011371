//! mimalloc's version numbers, and the releases that `src/` was written against.

use super::config::Line;
use std::fmt;
use std::fs;
use std::path::Path;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    pub major: u32,
    pub minor: u32,
    pub patch: u32,
}

impl Version {
    /// The release whose headers the bindings of a line follow.
    pub fn bound(line: Line) -> Version {
        match line {
            Line::V2 => Version::new(2, 5, 2),
            Line::V3 => Version::new(3, 6, 0),
        }
    }

    /// The oldest release that has every function of the bindings, with its types and options as they are now:
    /// 3.5.2 lacks fifteen, and 2.3.2 has no `mi_uzalloc_small`.
    pub fn oldest(line: Line) -> Version {
        match line {
            Line::V2 => Version::new(2, 5, 0),
            Line::V3 => Version::new(3, 6, 0),
        }
    }

    /// Whether the bindings of a line fit this release, as far as is known.
    pub fn fits(self, line: Line) -> bool {
        let oldest = Version::oldest(line);
        self.major == oldest.major && self >= oldest
    }

    /// What to know of a release that came after the bindings.
    pub fn warning(self, line: Line) -> Option<String> {
        let bound = Version::bound(line);
        if self <= bound {
            return None;
        }
        Some(format!(
            "mimalloc {} is newer than the bindings, which follow the headers of {}: \
             functions that changed since then must not be called",
            self, bound
        ))
    }

    /// Whether `src/global.c`, which uses what upstream keeps to itself, was checked with this release.
    pub fn has_entries(self) -> bool {
        self == Version::new(3, 6, 0)
    }

    /// Whether the Rust code for the usual case of a small block was checked with this release: `src/global/inlined.rs`
    /// and `inlined_v2.rs`.
    pub fn has_inlined(self) -> bool {
        self.has_entries() || self == Version::new(2, 5, 2)
    }

    /// Whether `src/fork.c` knows all locks of this release, and what else waits for another thread.
    pub fn has_known_locks(self) -> bool {
        [Version::new(3, 6, 0), Version::new(2, 5, 2)].contains(&self)
    }

    /// Whether this release can be bitcode: `src/thread.h` has to know each place that asks for the thread.
    pub fn allows_bitcode(self) -> Result<(), String> {
        let checked = [Version::new(3, 6, 0), Version::new(2, 5, 2)];
        if checked.contains(&self) {
            return Ok(());
        }
        Err(format!(
            "MIMALLOC_SYS_LTO is set, and the sources are mimalloc {}. How a thread is identified once the C is inlined \
             into Rust functions is known for {} and {} only.\n\
             Unset it, or build one of these releases (MIMALLOC_SYS_SOURCE_DIR names other sources).",
            self, checked[0], checked[1]
        ))
    }

    pub fn new(major: u32, minor: u32, patch: u32) -> Version {
        Version {
            major,
            minor,
            patch,
        }
    }

    /// As `MI_MALLOC_VERSION` gives it: older releases wrote 217 for 2.1.7, newer ones 30600 for 3.6.0.
    pub fn from_number(number: u32) -> Version {
        let base = if number < 10_000 { 10 } else { 100 };
        Version::new(number / (base * base), number / base % base, number % base)
    }

    /// Reads `MI_MALLOC_VERSION` from the header, which is the only place where a source tree says what it is.
    pub fn of_header(header: &Path) -> Result<Version, String> {
        let text = fs::read_to_string(header)
            .map_err(|error| format!("{} cannot be read: {}", header.display(), error))?;
        text.lines()
            .filter_map(|line| line.trim().strip_prefix("#define MI_MALLOC_VERSION"))
            .find_map(|rest| rest.split_whitespace().next()?.parse().ok())
            .map(Version::from_number)
            .ok_or_else(|| {
                format!(
                    "{} defines no MI_MALLOC_VERSION, so it is not mimalloc's header.",
                    header.display()
                )
            })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

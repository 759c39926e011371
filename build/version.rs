//! mimalloc's version numbers, and the releases that `src/` was written against.

use super::config::Major;
use std::fmt;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    pub major: u32,
    pub minor: u32,
    pub patch: u32,
}

/// A release of the C sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Release {
    pub version: Version,
    /// It is what `c_src/` pins, and not a checkout of the user's, which can be anything between two releases.
    pub is_pinned: bool,
}

impl Release {
    pub fn pinned(major: Major) -> Release {
        Release {
            version: Version::supported(major),
            is_pinned: true,
        }
    }
}

impl Version {
    /// The release whose headers the bindings of a major version follow.
    pub fn supported(major: Major) -> Version {
        match major {
            Major::V2 => Version::new(2, 5, 2),
            Major::V3 => Version::new(3, 6, 0),
        }
    }

    /// The oldest release that has every function of the bindings, with its types and options as they are now:
    /// 3.5.2 lacks fifteen, and 2.3.2 has no `mi_uzalloc_small`.
    pub fn oldest(major: Major) -> Version {
        match major {
            Major::V2 => Version::new(2, 5, 0),
            Major::V3 => Version::new(3, 6, 0),
        }
    }

    /// Whether the bindings of a major version fit this release, as far as is known.
    pub fn fits(self, major: Major) -> bool {
        let oldest = Version::oldest(major);
        self.major == oldest.major && self >= oldest
    }

    /// The warning about a release that is newer than the bindings.
    pub fn warning(self, major: Major) -> Option<String> {
        let supported = Version::supported(major);
        if self <= supported {
            return None;
        }
        Some(format!(
            "mimalloc {} is newer than the bindings, which follow the headers of {}: \
             functions that changed since then must not be called",
            self, supported
        ))
    }

    /// Whether `src/global.c`, `large.c` and `secure.c`, which use upstream's internals, were checked with this release.
    pub fn has_custom_entry_points(self) -> bool {
        self == Version::new(3, 6, 0)
    }

    /// Whether the fast path in Rust was checked with this release: `src/global/inlined.rs` and `inlined_v2.rs`.
    pub fn has_inlined(self) -> bool {
        self.has_custom_entry_points() || self == Version::new(2, 5, 2)
    }

    /// Whether `src/fork.c` covers all locks of this release, and every other place that waits for another thread.
    pub fn has_known_locks(self) -> bool {
        [Version::new(3, 6, 0), Version::new(2, 5, 2)].contains(&self)
    }

    /// Whether the calls that `src/upstream.c` replaces were compared with this release.
    pub fn has_known_calls(self) -> bool {
        [Version::new(3, 6, 0), Version::new(2, 5, 2)].contains(&self)
    }

    /// Whether this release can be bitcode: `src/thread.h` has to cover each place that identifies the thread.
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

    /// From `MI_MALLOC_VERSION`: older releases wrote 217 for 2.1.7, newer ones 30600 for 3.6.0.
    pub fn from_number(number: u32) -> Version {
        let base = if number < 10_000 { 10 } else { 100 };
        Version::new(number / (base * base), number / base % base, number % base)
    }

    /// From the text of the header, the only place where a source tree has its version (`MI_MALLOC_VERSION`).
    pub fn of_header(text: &str) -> Option<Version> {
        text.lines()
            .filter_map(|line| line.trim().strip_prefix("#define MI_MALLOC_VERSION"))
            .find_map(|rest| rest.split_whitespace().next()?.parse().ok())
            .map(Version::from_number)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

//! Options whose value is one of several choices.

use core::fmt;
use cty::c_long;

/// An enumeration, the number and the text of each choice, and how mimalloc interprets any other number.
macro_rules! choice {
    (
        $(#[$meta:meta])*
        $name:ident {
            $($(#[$doc:meta])* $choice:ident = $number:literal $text:literal,)*
        }
        else $other:expr
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$doc])* $choice,)*
        }

        impl $name {
            #[allow(dead_code)] // not every choice can be set
            pub(super) const fn encode(self) -> c_long {
                match self {
                    $($name::$choice => $number,)*
                }
            }

            pub(super) fn decode(value: c_long) -> $name {
                match value {
                    $($number => $name::$choice,)*
                    other => $other(other),
                }
            }

            pub(super) fn show(self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str(match self {
                    $($name::$choice => $text,)*
                })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
                self.show(f)
            }
        }
    };
}

choice! {
    /// What mimalloc prints about what it does: [`verbose`](super::verbose).
    Verbosity {
        /// Nothing.
        Quiet = 0 "quiet",
        /// The options at process start, statistics at its end, errors and warnings without limit, and some messages.
        Verbose = 1 "verbose",
        /// Also messages for debugging mimalloc.
        Trace = 2 "trace",
    }
    else |value| if value > 0 { Verbosity::Trace } else { Verbosity::Verbose }
}

choice! {
    /// Whether the memory of a new arena is committed as a whole: [`arena_eager_commit`](super::arena_eager_commit).
    ArenaCommit {
        /// Piece by piece, when it is used.
        OnDemand = 0 "on demand",
        /// As a whole.
        Whole = 1 "whole",
        /// As a whole where the system overcommits memory (Linux), or if large pages are allowed.
        WholeIfOvercommit = 2 "whole if overcommit",
    }
    else |_| ArenaCommit::OnDemand
}

#[cfg(mi_v3)]
choice! {
    /// Whether the memory of a larger page is committed as a whole:
    /// [`page_commit_on_demand`](super::page_commit_on_demand).
    PageCommit {
        /// As a whole.
        Whole = 0 "whole",
        /// Piece by piece, as the page fills.
        OnDemand = 1 "on demand",
        /// As a whole where the system overcommits memory (Linux), otherwise piece by piece.
        WholeIfOvercommit = 2 "whole if overcommit",
    }
    else |_| PageCommit::OnDemand
}

#[cfg(mi_v3)]
choice! {
    /// Transparent huge pages (Linux): [`allow_thp`](super::allow_thp).
    Thp {
        /// None behind mimalloc's memory. Other memory of the process, and its child processes, are not affected.
        Never = 0 "never",
        /// Behind all arenas. A program then needs some MiB more than it uses.
        Allow = 1 "allow",
        /// Like `Allow`, but memory is purged only in units that keep huge pages whole, mostly 2 MiB. Less memory is
        /// returned to the system.
        Prefer = 2 "prefer",
        /// Like `Allow`, but in the first 64 MiB of the first arena only behind blocks of 8 MiB and more, and where it is
        /// still empty once 16 MiB of it are resident; and also behind blocks that are too large for an arena. Added by
        /// `mi-malloc-sys`; 64-bit only, elsewhere it is `Allow`.
        LargeBlocks = 3 "large blocks",
    }
    else |_| Thp::Allow
}

#[cfg(mi_v2)]
choice! {
    /// Transparent huge pages (Linux): [`allow_thp`](super::allow_thp). v3 has two more choices.
    Thp {
        /// None behind mimalloc's memory. Other memory of the process, and its child processes, are not affected.
        Never = 0 "never",
        /// Where the system has them.
        Allow = 1 "allow",
    }
    else |_| Thp::Allow
}

#[cfg(mi_v3)]
choice! {
    /// Which abandoned pages a thread reclaims when it frees a block of theirs:
    /// [`page_reclaim_on_free`](super::page_reclaim_on_free).
    Reclaim {
        /// None.
        Never = -1 "never",
        /// Those that were its own.
        Own = 0 "own",
        /// Those of other threads, too.
        Any = 1 "any",
    }
    else |value| if value > 0 { Reclaim::Own } else { Reclaim::Never }
}

choice! {
    /// What happens to mimalloc's memory when the process ends: [`destroy_on_exit`](super::destroy_on_exit).
    AtExit {
        /// Memory in use is left to the system.
        Keep = 0 "keep",
        /// All of it is unmapped, also blocks in use.
        Destroy = 1 "destroy",
        /// mimalloc does nothing at all, until the program calls `mi_process_done`.
        Skip = 2 "skip",
    }
    else |value| if value > 0 { AtExit::Skip } else { AtExit::Destroy }
}

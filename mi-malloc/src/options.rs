//! Options: how mimalloc behaves, chosen by the program or by its user.
//!
//! The program's author compiles options into the program, with [`options!`](crate::options!):
//!
//! ```
//! mi_malloc::options! {
//!     purge_delay: Duration::from_millis(100),
//!     allow_thp: Thp::Never,
//! }
//!
//! #[global_allocator]
//! static GLOBAL: mi_malloc::MiMalloc = mi_malloc::MiMalloc;
//!
//! fn main() {
//!     use mi_malloc::options::{allow_thp, purge_delay, Thp};
//!     use std::time::Duration;
//!
//!     assert_eq!(purge_delay::get(), Duration::from_millis(100));
//!     assert_eq!(allow_thp::get(), Thp::Never);
//! }
//! ```
//!
//! Its user sets them in the environment, and thereby overrides the author:
//!
//! ```sh
//! MIMALLOC_PURGE_DELAY=0 program
//! ```
//!
//! While the program runs, it can change most of them, and overrides both:
//!
//! ```
//! use mi_malloc::options::{purge_delay, Source};
//! use std::time::Duration;
//!
//! purge_delay::set(Duration::ZERO);
//! assert_eq!(purge_delay::get(), Duration::ZERO);
//! assert_eq!(purge_delay::source(), Some(Source::RunTime));
//! ```
//!
//! # An option is a module
//!
//! Its functions show the type of the value. Each option has `get` and `source`. An option that can be changed while the
//! program runs also has `set`. One that mimalloc reads only when the process starts has none: set it with
//! [`options!`](crate::options!).
//!
//! ```compile_fail,E0425
//! mi_malloc::options::reserve_os_memory::set(1 << 30); // too late, and so an error
//! ```
//!
//! Two options cannot be changed by safe code at all, since with them safe code could access memory that is freed or not
//! aligned: `destroy_on_exit`, and `unsafe_guarded_precise` (`guarded_precise` on v2). The environment and [`sys`] can.
//! Options that have no effect are left out.
//!
//! # Values
//!
//! * A [`Duration`] is rounded up to the milliseconds or seconds that mimalloc counts in.
//! * A size is in bytes. If mimalloc counts it in KiB, it is rounded up, as it is in the environment.
//! * `None` is "none": no limit, never, or mimalloc's own choice. The option says which.
//! * A value that is too large for the C becomes the largest that fits. mimalloc may use less: where there is a range,
//!   the option says so.
//! * `get` returns the value as mimalloc interprets it. Different numbers in the environment can mean the same.
//!
//! # Which value is in force
//!
//! The strongest first: `set`; the environment variable, which is `MIMALLOC_` and the name in capitals;
//! [`options!`](crate::options!); the default of the build. [`mi_option_t`](crate::sys::mi_option_t) explains how values
//! are written in the environment. [`all`] lists the values in force, and where they come from:
//!
//! ```
//! println!("{}", mi_malloc::options::all());
//!
//! let delay = mi_malloc::options::all().find(|option| option.name() == "purge_delay").unwrap();
//! println!("{} is {}", delay.name(), delay.value());
//! ```
//!
//! The program must rely on options only for speed, memory and messages: its user decides.
//!
//! # Threads
//!
//! Any thread may get and set an option at any time. Other threads see the new value when they next read it; no
//! order is guaranteed between that and other operations of a thread. (An option is a machine word in the C, which this crate
//! compiles so that each access is a single load or store. The system's mimalloc, linked with
//! `MIMALLOC_SYS_USE_PKG_CONFIG`, is not compiled that way: there, change options before the program starts threads.)
//!
//! # Versions
//!
//! Options belong to a major version of mimalloc. An option that the version in use does not have is an error of the
//! compiler, here and in [`options!`](crate::options!). Only v2 has `abandoned_page_purge`,
//! `abandoned_reclaim_on_free`, `deprecated_page_reset`, `eager_commit`, `eager_commit_delay`, `guarded_precise`,
//! `max_segment_reclaim`, `purge_extend_delay`, `target_segments_per_thread` and `visit_abandoned`.

mod encoding;
mod values;

use crate::sys;
use core::fmt;
use cty::c_long;
use encoding::*;

#[doc(no_inline)]
pub use core::time::Duration;
pub use sys::OptionSource as Source;
pub use values::*;

fn read(option: sys::mi_option_t) -> c_long {
    // SAFETY: every caller passes the constant of an option. A value that another thread sets meanwhile is a machine
    // word, which is read as a whole.
    unsafe { sys::mi_option_get(option) }
}

fn write(option: sys::mi_option_t, value: c_long) {
    // SAFETY: as above. Options with a value that makes safe code unsound have no `set`; for all others mimalloc accepts
    // any value at any time.
    unsafe { sys::mi_option_set(option, value) }
}

/// Defines the options: a module for each, and the list of all.
macro_rules! define {
    ($list:ident $(
        $(#[$doc:meta])*
        $name:ident = $option:ident: $type:ty as $encoding:ty, $when:ident;
    )*) => {
        $(
            $(#[$doc])*
            pub mod $name {
                #[allow(unused_imports)]
                use super::*;

                #[allow(deprecated)]
                pub(super) const OPTION: sys::mi_option_t = sys::$option;

                /// The value in force.
                pub fn get() -> $type {
                    <$encoding>::decode(read(OPTION))
                }

                /// Where that value comes from. `None`: mimalloc is not compiled by this crate and does not say.
                pub fn source() -> Option<Source> {
                    sys::option_source(OPTION)
                }

                define!($when $type as $encoding);
            }
        )*

        static $list: &[Entry] = &[$(
            Entry {
                name: stringify!($name),
                option: $name::OPTION,
                show: |value, f| <$encoding>::show(<$encoding>::decode(value), f),
            },
        )*];
    };

    // At the start and at run time.
    (late $type:ty as $encoding:ty) => {
        /// Changes the value, for the whole process.
        pub fn set(value: $type) {
            write(OPTION, <$encoding>::encode(value));
        }

        define!(start $type as $encoding);
    };

    // By `options!` alone.
    (start $type:ty as $encoding:ty) => {
        #[doc(hidden)]
        pub const fn program(value: $type) -> sys::ProgramOption {
            sys::ProgramOption::new(OPTION, <$encoding>::encode(value))
        }
    };

    // Not by safe code.
    (dangerous $type:ty as $encoding:ty) => {
        #[doc(hidden)]
        pub const fn program(_: $type) -> sys::ProgramOption {
            panic!(
                "mi_malloc::options!: this option can break memory safety; set it in the environment, or with \
                 mi_malloc::sys::options!"
            )
        }
    };
}

define! { COMMON
    /// Print error and warning messages to the standard error stream.
    ///
    /// Default: off; on with the features `debug` and `secure`.
    show_errors = mi_option_show_errors: bool as Switch, late;

    /// Print statistics when the process ends.
    ///
    /// Default: off.
    show_stats = mi_option_show_stats: bool as Switch, late;

    /// Print messages about what mimalloc does.
    ///
    /// Default: quiet.
    verbose = mi_option_verbose: Verbosity as Verbosity, late;

    /// Commit the memory of a new arena as a whole, or piece by piece. Existing arenas stay as they are.
    ///
    /// Default: as a whole where the system overcommits memory (Linux).
    arena_eager_commit = mi_option_arena_eager_commit: ArenaCommit as ArenaCommit, late;

    /// What a purge does with unused memory: on, it is decommitted at once; off, it is reset: the system takes it when it
    /// needs memory, and until then it counts as resident.
    ///
    /// Default: on.
    purge_decommits = mi_option_purge_decommits: bool as Switch, late;

    /// Use large pages of the system (mostly 2 MiB) for memory that is mapped from now on.
    ///
    /// The user often needs a permission for them; without it mimalloc uses normal pages. On Windows it has no effect
    /// unless it is on at process start. With the feature `guarded` it is switched off at process start if
    /// [`guarded_sample_rate`] is set.
    ///
    /// Default: off.
    allow_large_os_pages = mi_option_allow_large_os_pages: bool as Switch, late;

    /// How many huge pages of 1 GiB to reserve, at most 131072. The process waits for them when it starts, up to half a
    /// second for each.
    ///
    /// Read at process start. Default: 0.
    reserve_huge_os_pages = mi_option_reserve_huge_os_pages: u32 as Count, start;

    /// On which NUMA node to reserve the huge pages; `None` spreads them over all nodes.
    ///
    /// Read at process start. Default: `None`.
    reserve_huge_os_pages_at = mi_option_reserve_huge_os_pages_at: Option<u32> as Limit, start;

    /// How many bytes to reserve and commit as an arena; 0 is none. Rounded up to KiB.
    ///
    /// Read at process start. Default: 0.
    reserve_os_memory = mi_option_reserve_os_memory: usize as Kib, start;

    /// How long unused memory is kept before it may be returned to the system. Zero returns it at once,
    /// [`Duration::MAX`] never.
    ///
    /// It is rounded up to milliseconds. More than 24 days (2 hours where C's `long` has 32 bits, as on Windows) counts
    /// as never. Memory in arenas, which is nearly all, waits this long times [`arena_purge_mult`], on v3 mostly
    /// less than twice as long, and longer while much purged memory is soon in use again. Time alone purges nothing:
    /// some call of mimalloc has to notice that the delay is over.
    ///
    /// Default: 50 ms on v3, 10 ms on v2.
    purge_delay = mi_option_purge_delay: Duration as Delay, late;

    /// How many NUMA nodes to assume; `None` queries the system.
    ///
    /// Read once, when a node is first needed. Default: `None`.
    use_numa_nodes = mi_option_use_numa_nodes: Option<u32> as Positive, start;

    /// Use memory of existing arenas only, and map none. (v2 still reserves new arenas, unless [`arena_reserve`] is 0.)
    ///
    /// What does not fit into the arenas, for example that of
    /// [`reserve_os_memory`], fails as if memory had run out. Default: off.
    disallow_os_alloc = mi_option_disallow_os_alloc: bool as Switch, late;

    /// The tag under which macOS's tools show mimalloc's memory: 100 to 255; any other number is 254.
    ///
    /// Default: 100.
    os_tag = mi_option_os_tag: u32 as Count, late;

    /// How many error messages to print (v3 prints one more); `None` is no limit.
    ///
    /// Read at process start. Default: 32.
    max_errors = mi_option_max_errors: Option<u32> as Limit, start;

    /// How many warnings to print; `None` is no limit.
    ///
    /// Read at process start. Default: 32.
    max_warnings = mi_option_max_warnings: Option<u32> as Limit, start;

    /// What happens to the memory when the process ends.
    ///
    /// Safe code cannot set it: with [`AtExit::Destroy`] threads that still run, destructors and exit handlers access
    /// memory that is freed. It is for libraries that are unloaded again.
    ///
    /// Default: keep.
    destroy_on_exit = mi_option_destroy_on_exit: AtExit as AtExit, dangerous;

    /// How many bytes of addresses the first arenas reserve; 0 makes no arenas. Rounded up to KiB.
    ///
    /// The size doubles after every eight arenas. On v3 each has between 32 MiB and 16 GiB on 64-bit. The memory in use
    /// does not depend on it. `set` affects arenas created later: usually the first one exists before `main`.
    ///
    /// Default: 1 GiB on 64-bit, 128 MiB on 32-bit.
    arena_reserve = mi_option_arena_reserve: usize as Kib, late;

    /// How many times [`purge_delay`] unused memory waits in an arena. 0 returns it at once, `None` never. At most
    /// 2147483647; 127 where C's `long` has 32 bits.
    ///
    /// Default: 1 on v3, 10 on v2.
    arena_purge_mult = mi_option_arena_purge_mult: Option<u32> as Factor, late;

    /// Use no arenas, but memory straight from the system. A heap in an arena then gets no new memory.
    ///
    /// Default: off.
    disallow_arena_alloc = mi_option_disallow_arena_alloc: bool as Switch, late;

    /// For how long to retry when Windows has no memory: at most 2 s; zero means not at all, and 1 ms counts as 100.
    /// No effect elsewhere.
    ///
    /// Default: 400 ms.
    retry_on_oom = mi_option_retry_on_oom: Duration as Millis, late;

    /// The smallest block in bytes that can get a guard page (feature `guarded`). Raises [`guarded_max`] if that is
    /// less.
    ///
    /// `set` affects heaps that a thread first uses afterwards. Default: 0.
    guarded_min = mi_option_guarded_min: usize as Bytes, late;

    /// The largest block in bytes that can get a guard page (feature `guarded`). Lowers [`guarded_min`] if that is
    /// more.
    ///
    /// `set` affects heaps that a thread first uses afterwards. Default: 1 GiB.
    guarded_max = mi_option_guarded_max: usize as Bytes, late;

    /// Where the sampling for guard pages starts, so that a run can be repeated; `None` is a random start (feature
    /// `guarded`). At most 2147483647 where C's `long` has 32 bits.
    ///
    /// `set` affects heaps that a thread first uses afterwards. Default: `None`.
    guarded_sample_seed = mi_option_guarded_sample_seed: Option<u32> as Seed, late;

    /// After how many allocations outside the fast path a thread collects its heap: 1 to 1000000.
    ///
    /// Default: 10000.
    generic_collect = mi_option_generic_collect: u32 as Count, late;

    /// Transparent huge pages behind mimalloc's memory (Linux).
    ///
    /// `set` affects arenas (on v2 mappings) created later: usually the first one exists before `main`, so
    /// set this with [`options!`](crate::options!). A system that is set to `never` has none, whatever the value.
    ///
    /// Default: large blocks on v3 on 64-bit Linux, otherwise prefer; allow on v2; never on Android and with the feature `no_thp`.
    allow_thp = mi_option_allow_thp: Thp as Thp, late;
}

#[cfg(mi_v3)]
define! { OWN
    /// Let a guarded block end exactly at its guard page, even if it is not aligned then (feature `guarded`).
    ///
    /// Safe code cannot set it: Rust relies on alignment. Default: off.
    unsafe_guarded_precise = mi_option_unsafe_guarded_precise: bool as Switch, dangerous;

    /// Put a guard page behind one block per this many bytes (feature `guarded`); `None` is never. v2 counts blocks.
    ///
    /// `set` affects heaps that a thread first uses afterwards. Default: never.
    guarded_sample_rate = mi_option_guarded_sample_rate: Option<usize> as BytesOrNever, late;

    /// Which abandoned pages a thread reclaims when it frees a block of theirs.
    ///
    /// A heap reads it when it is created, so `set` does not change the main heap. Default: any.
    page_reclaim_on_free = mi_option_page_reclaim_on_free: Reclaim as Reclaim, late;

    /// How many full pages a thread keeps in each size class of small blocks, at most 32. It abandons the others. `None`:
    /// it keeps all, of all sizes.
    ///
    /// `set` affects heaps that a thread first uses afterwards. Threads of a pool keep a quarter. Default: 2.
    page_full_retain = mi_option_page_full_retain: Option<u32> as Limit, late;

    /// How many pages to examine for the best one to allocate from. More search, less memory.
    ///
    /// Default: 4.
    page_max_candidates = mi_option_page_max_candidates: u32 as Count, late;

    /// How many bits an address has at most: 43 to 47 on x86-64, 43 to 48 on other 64-bit systems. `None` queries the
    /// system. With less than the system uses, allocations fail.
    ///
    /// Read at process start. Default: `None`.
    max_vabits = mi_option_max_vabits: Option<u32> as Positive, start;

    /// Commit the whole map of pages.
    ///
    /// Read at process start. Default: off.
    pagemap_commit = mi_option_pagemap_commit: bool as Switch, start;

    /// Commit the memory of a larger page as a whole, or piece by piece. Existing pages stay as they are.
    ///
    /// Default: as a whole.
    page_commit_on_demand = mi_option_page_commit_on_demand: PageCommit as PageCommit, late;

    /// A thread with more pages of a size class than this reclaims none of its former pages when it frees; `None` is
    /// no limit.
    ///
    /// Default: `None`.
    page_max_reclaim = mi_option_page_max_reclaim: Option<u32> as Limit, late;

    /// A thread with more pages of a size class than this reclaims no pages of other threads when it frees; `None` is
    /// no limit. For threads of a pool it is the limit for their own former pages.
    ///
    /// Default: 32.
    page_cross_thread_max_reclaim = mi_option_page_cross_thread_max_reclaim: Option<u32> as Limit, late;

    /// The smallest range in bytes that a purge returns to the system, rounded up to KiB. `None` (and 0) lets mimalloc
    /// choose: a large page of the system (mostly 2 MiB) with [`Thp::Prefer`], otherwise the unit of an arena.
    ///
    /// Default: `None`.
    arena_purge_min_size = mi_option_arena_purge_min_size: Option<usize> as KibOrAutomatic, late;

    /// The largest block in bytes that comes from an arena, rounded up to KiB. The layout of the arenas sets a limit
    /// that is often lower.
    ///
    /// Default: 2 GiB on 64-bit, 256 MiB on 32-bit.
    arena_max_object_size = mi_option_arena_max_object_size: usize as Kib, late;

    /// Bind a new arena to the NUMA node of the thread that creates it. Experimental.
    ///
    /// Default: off.
    arena_is_numa_local = mi_option_arena_is_numa_local: bool as Switch, late;

    /// Add a thread's statistics to those of its heap whenever the thread collects its heap.
    ///
    /// Default: on.
    stats_merge_on_collect = mi_option_stats_merge_on_collect: bool as Switch, late;

    /// Add a thread's statistics to those of its heap after it has allocated and freed this many bytes; `None` is never.
    /// A single block of at least this size is counted at once, except in builds with mitigations or assertions. Less makes
    /// what other threads read more exact, and allocation slower.
    ///
    /// Default: 64 MiB.
    stats_merge_threshold = mi_option_stats_merge_threshold: Option<usize> as BytesOrNever, late;

    /// The built-in profiler writes a snapshot after this many allocated bytes; `None` is never.
    ///
    /// Read at process start, if `MIMALLOC_PROFILE` is set. Default: 1 GiB.
    profile_alloc_interval = mi_option_profile_alloc_interval: Option<usize> as BytesOrNever, start;

    /// The built-in profiler writes a snapshot when the sampled memory in use has grown by this many bytes; `None` is
    /// never.
    ///
    /// Read at process start, if `MIMALLOC_PROFILE` is set. Default: never.
    profile_inuse_interval = mi_option_profile_inuse_interval: Option<usize> as BytesOrNever, start;

    /// The built-in profiler writes a snapshot each time this duration has passed, rounded up to seconds, at most a day; `None`
    /// (and zero) is never.
    ///
    /// Read at process start, if `MIMALLOC_PROFILE` is set. Default: never.
    profile_time_interval = mi_option_profile_time_interval: Option<Duration> as Seconds, start;

    /// The average number of allocated bytes between two samples of the built-in profiler.
    ///
    /// Read at process start, if `MIMALLOC_PROFILE` is set. Default: 512 KiB.
    profile_sample_rate = mi_option_profile_sample_rate: usize as Bytes, start;

    /// A free range of an arena of at least this many bytes, rounded up to KiB, does not wait for [`purge_delay`],
    /// unless it was freed twice within a fifth of a second, or much purged memory is soon in use again. One of half that
    /// size does not wait either, if no other was freed within a fifth of a second before.
    ///
    /// Default: 32 MiB on 64-bit, 4 MiB on 32-bit.
    arena_purge_immediate_size = mi_option_arena_purge_immediate_size: usize as Kib, late;
}

#[cfg(mi_v2)]
define! { OWN
    /// Commit a new segment (32 MiB on 64-bit, 4 MiB on 32-bit) as a whole instead of page by page, except a thread's
    /// first ones ([`eager_commit_delay`]).
    ///
    /// Default: on.
    eager_commit = mi_option_eager_commit: bool as Switch, late;

    /// Reset the memory of each page that becomes free, at once. [`purge_delay`] is the better choice.
    ///
    /// Default: off.
    deprecated_page_reset = mi_option_deprecated_page_reset: bool as Switch, late;

    /// Purge a thread's unused memory as soon as the thread ends. Otherwise memory in arenas waits for [`purge_delay`].
    ///
    /// Default: off.
    abandoned_page_purge = mi_option_abandoned_page_purge: bool as Switch, late;

    /// How many of a thread's first segments are committed page by page whatever [`eager_commit`] says, so that small
    /// threads stay small.
    ///
    /// Default: 1; 0 on NetBSD.
    eager_commit_delay = mi_option_eager_commit_delay: u32 as Count, late;

    /// How many of the segments of ended threads a thread examines when it needs one, in percent, at most
    /// 100.
    ///
    /// Default: 10.
    max_segment_reclaim = mi_option_max_segment_reclaim: u32 as Count, late;

    /// By how much a further free defers the purge of a segment, rounded up to milliseconds.
    ///
    /// Default: 1 ms.
    purge_extend_delay = mi_option_purge_extend_delay: Duration as Millis, late;

    /// A thread that frees a block in a segment of an ended thread reclaims the segment.
    ///
    /// Default: off.
    abandoned_reclaim_on_free = mi_option_abandoned_reclaim_on_free: bool as Switch, late;

    /// Make the blocks of ended threads visible to `mi_abandoned_visit_blocks`, which requires locks.
    ///
    /// It must be on from the start. Default: off.
    visit_abandoned = mi_option_visit_abandoned: bool as Switch, start;

    /// Let a guarded block end exactly at its guard page, even if it is not aligned then (feature `guarded`).
    ///
    /// Safe code cannot set it: Rust relies on alignment. Default: off.
    guarded_precise = mi_option_guarded_precise: bool as Switch, dangerous;

    /// Put a guard page behind one in this many blocks (feature `guarded`); `None` is never. v3 counts bytes.
    ///
    /// `set` affects heaps created afterwards. Default: never; 4000 with `guarded` and without `debug`.
    guarded_sample_rate = mi_option_guarded_sample_rate: Option<u32> as Positive, late;

    /// How many segments a thread tries not to exceed, at most 1024; `None` is no limit. Experimental.
    ///
    /// Default: `None`.
    target_segments_per_thread = mi_option_target_segments_per_thread: Option<u32> as Positive, start;
}

/// An option by its name, for lists of all.
#[derive(Clone, Copy)]
pub struct Entry {
    name: &'static str,
    option: sys::mi_option_t,
    show: fn(c_long, &mut fmt::Formatter) -> fmt::Result,
}

impl Entry {
    /// The name, without upstream's `mi_option_`. The environment variable is `MIMALLOC_` and this in capitals.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The value in force, as a text with its unit: `100 ms`, `1 GiB`, `never`, `on`.
    pub fn value(&self) -> impl fmt::Display {
        Value {
            value: read(self.option),
            show: self.show,
        }
    }

    /// Where that value comes from. `None`: mimalloc is not compiled by this crate and does not say.
    pub fn source(&self) -> Option<Source> {
        sys::option_source(self.option)
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(
            f,
            "{}: {} ({})",
            self.name,
            self.value(),
            Place(self.source())
        )
    }
}

struct Value {
    value: c_long,
    show: fn(c_long, &mut fmt::Formatter) -> fmt::Result,
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        (self.show)(self.value, f)
    }
}

/// A source as a word.
struct Place(Option<Source>);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.pad(match self.0 {
            Some(Source::Default) => "default",
            Some(Source::Program) => "program",
            Some(Source::Environment) => "environment",
            Some(Source::RunTime) => "run time",
            _ => "unknown",
        })
    }
}

/// All options, as an iterator, and as text with a line for each: name, source, value.
///
/// ```text
/// purge_delay                    program      100 ms
/// arena_reserve                  default      1 GiB
/// allow_thp                      environment  never
/// ```
///
/// It reads the options when it is printed or iterated.
pub fn all() -> All {
    All {
        entries: COMMON.iter().chain(OWN),
    }
}

/// The iterator of [`all`].
#[derive(Clone, Debug)]
#[must_use]
pub struct All {
    entries:
        core::iter::Chain<core::slice::Iter<'static, Entry>, core::slice::Iter<'static, Entry>>,
}

impl Iterator for All {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        self.entries.next().copied()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.entries.size_hint()
    }
}

impl fmt::Display for All {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for entry in self.clone() {
            writeln!(
                f,
                "{:<30} {:<12} {}",
                entry.name(),
                Place(entry.source()),
                entry.value()
            )?;
        }
        Ok(())
    }
}

/// Sets options for this program, in force before the first allocation.
///
/// ```
/// mi_malloc::options! {
///     purge_delay: Duration::from_millis(100),
///     arena_reserve: 256 << 20,
///     allow_thp: Thp::Never,
///     max_errors: None,
/// }
///
/// #[global_allocator]
/// static GLOBAL: mi_malloc::MiMalloc = mi_malloc::MiMalloc;
///
/// fn main() {
///     assert_eq!(mi_malloc::options::arena_reserve::get(), 256 << 20);
/// }
/// ```
///
/// Write it once in a program, wherever an item is allowed. A library should leave it to the program. The names are those
/// of the modules in [`options`](mod@crate::options), which show the type of each value. The values are constant
/// expressions; what that module contains, such as `Duration` and `Thp`, need not be imported. The environment
/// overrides them.
///
/// Options that mimalloc reads only when the process starts work too:
/// [`reserve_os_memory`](crate::options::reserve_os_memory) is an example.
///
/// # Errors
///
/// A name that does not exist (in this major version), a value of another type, and an option that is given twice
/// are compile errors, as are options that [safe code cannot set](mod@crate::options#an-option-is-a-module). Two
/// `options!` in one program, including one of [`sys`](crate::sys), are a linker error.
///
/// A crate that forbids `unsafe_code` cannot contain it, since it defines a symbol for the linker. One that denies
/// `unsafe_code` can. [`sys::options!`](crate::sys::options!), on which it builds, documents the rest.
#[macro_export]
macro_rules! options {
    ($($option:ident: $value:expr),* $(,)?) => {
        $crate::sys::options! {
            ..{
                #[allow(unused_imports)]
                use $crate::options::*;
                &[$($crate::options::$option::program($value)),*]
            }
        }
    };
}

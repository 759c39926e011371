//! Statistics: what the allocator holds and has done, as numbers with units.
//!
//! ```
//! #[global_allocator]
//! static GLOBAL: mi_malloc::MiMalloc = mi_malloc::MiMalloc;
//!
//! use mi_malloc::stats::Stats;
//!
//! let before = Stats::now();
//! let block = vec![1u8; 3 << 20];
//! let after = Stats::now();
//!
//! println!("{}", after); // a table
//! let change = after.since(&before);
//! println!("{} bytes more are committed", change.committed.current);
//! # drop(block);
//! ```
//!
//! A snapshot has the numbers of the process ([`Stats::now`]), of one heap or of one subprocess (v3; from their own
//! types). [`Stats::since`] subtracts one from another. `Display` prints a table, [`Stats::to_json`] writes JSON, and
//! [`Stats::rows`] yields each number with its name and unit, for exporters: `examples/metrics` writes
//! Prometheus' text format with it.
//!
//! # Exact or estimated
//!
//! | numbers | |
//! |---|---|
//! | [`reserved`](Stats::reserved), [`committed`](Stats::committed), [`purged`](Stats::purged), [`arenas`](Stats::arenas), [`threads`](Stats::threads), `heaps`, calls of the system | exact: counted at once, for all threads together |
//! | `live`, `requested`, `blocks_allocated`, `blocks_freed`, [`pages`](Stats::pages), size classes | exact for the calling thread, for threads that have ended, and for what other threads have merged; see below |
//! | each [`peak`](Gauge::peak) of the second group | estimated: the threads' peaks do not occur at the same moment, and a block of 64 MiB or more is counted before what its thread has not merged yet |
//! | `requested` | with v3's usual statistics whole blocks are counted, so it is the size of the blocks; exact with the feature `debug` |
//! | [`resident`](Stats::resident) | the system's own figure, which Linux updates in steps of some pages for each processor |
//!
//! **What a thread has not merged yet.** Each thread counts for itself. A snapshot first merges what the calling
//! thread has counted (on v3 by a collection of that thread, [`mi_collect(false)`](crate::sys::mi_collect), which
//! also purges what is due). The counts of another thread are merged when it collects (each 10,000 allocations
//! outside the fast path, or in [`on_thread_idle`](crate::purge::on_thread_idle)), when it ends, and on v3 each time
//! that blocks of 64 MiB (the option `stats_merge_threshold`) have been allocated or freed in pages that it has
//! processed; a single block of that size is counted at once. So a thread that sleeps forever may hold back a difference
//! of about that size.
//!
//! Numbers that other threads change during the snapshot may be inconsistent with each other.
//!
//! # v2
//!
//! v2 counts single blocks in builds with the feature `debug` only, and has no statistics of heaps and subprocesses.
//! There `live`, `requested`, `blocks_allocated`, `blocks_freed`, `heaps` and the blocks of a size class do not
//! exist.

use crate::sys::{self, mi_stat_count_t, mi_stats_t, MI_BIN_HUGE};
use core::fmt::{self, Display, Formatter, Write};
#[cfg(mi_v2)]
use core::mem::size_of;

mod print;

/// A quantity that grows and shrinks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gauge {
    /// The value at the moment of the snapshot. It may briefly be negative: one thread has merged its frees, and
    /// another has not yet merged its allocations.
    pub current: i64,
    /// The largest value so far.
    pub peak: i64,
    /// The sum of all increases.
    pub total: i64,
}

impl Gauge {
    fn of(count: &mi_stat_count_t) -> Gauge {
        Gauge {
            current: count.current,
            peak: count.peak,
            total: count.total,
        }
    }

    fn since(self, earlier: Gauge) -> Gauge {
        Gauge {
            current: self.current - earlier.current,
            peak: self.peak - earlier.peak,
            total: self.total - earlier.total,
        }
    }

    fn is_zero(&self) -> bool {
        *self == Gauge::default()
    }
}

/// The blocks of one size and the pages that hold them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SizeClass {
    /// Bytes of a block; `None` for the last class, whose blocks have any larger size and a page each.
    pub block_size: Option<usize>,
    /// Blocks in use.
    #[cfg(mi_v3)]
    pub blocks: Gauge,
    /// Pages. A page is mimalloc's own: a piece of an arena for blocks of one size.
    pub pages: Gauge,
}

/// A snapshot of the statistics, or the difference of two. The [module](self) says which numbers are exact.
///
/// All numbers are `i64`, so that a difference has the same type. A heap's snapshot counts blocks and pages only;
/// what belongs to the process is 0 or `None` there.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Bytes in blocks that are in use, each counted with its whole usable size.
    #[cfg(mi_v3)]
    pub live: Gauge,
    /// Bytes requested, in total.
    #[cfg(mi_v3)]
    pub requested: i64,
    /// Blocks allocated, in total.
    #[cfg(mi_v3)]
    pub blocks_allocated: i64,
    /// Blocks freed, in total.
    #[cfg(mi_v3)]
    pub blocks_freed: i64,
    /// Bytes that the process has in physical memory, not only mimalloc's. `None` where the system does not report it, and
    /// in the statistics of a heap or a subprocess.
    pub resident: Option<i64>,
    /// The maximum of resident bytes so far.
    pub resident_peak: Option<i64>,
    /// Bytes that mimalloc may use without another call of the system. Bytes that were never touched are not resident.
    pub committed: Gauge,
    /// Bytes of address space.
    pub reserved: Gauge,
    /// Bytes returned to the system, in total, by decommitting or resetting them.
    pub purged: i64,
    /// Pages, mimalloc's own (see [`SizeClass::pages`]).
    pub pages: Gauge,
    /// Pages that no thread owns: those of ended threads, and on v3 full ones.
    pub pages_abandoned: Gauge,
    /// Threads that use mimalloc. v2 does not count the first one.
    pub threads: Gauge,
    /// Heaps, the main one included.
    #[cfg(mi_v3)]
    pub heaps: Gauge,
    /// Arenas created, in total.
    pub arenas: i64,
    /// Calls that reserve address space.
    pub mmap_calls: i64,
    /// Calls that commit memory.
    pub commit_calls: i64,
    /// Calls that purge memory.
    pub purge_calls: i64,
    size_classes: [SizeClass; MI_BIN_HUGE + 1],
}

/// A unit of measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// How many.
    Count,
}

/// One line of the table: a name, a unit and the numbers that exist of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Row {
    /// The name of the field in [`Stats`].
    pub name: &'static str,
    /// A short description.
    pub help: &'static str,
    /// The unit of all three numbers.
    pub unit: Unit,
    /// The value now, of what can shrink.
    pub current: Option<i64>,
    /// The largest value so far, of what can shrink.
    pub peak: Option<i64>,
    /// The sum of all increases.
    pub total: Option<i64>,
}

impl Stats {
    /// The statistics of the process; on v3, of the calling thread's subprocess, which is the main one for nearly all
    /// threads.
    ///
    /// First merges what the calling thread has counted, which on v3 is a collection of this thread: registered
    /// deferred frees run. It takes some ten to twenty microseconds.
    pub fn now() -> Stats {
        let mut raw = mi_stats_t::new();
        // SAFETY: always safe to call; `raw` is initialised.
        let known = unsafe {
            #[cfg(mi_v3)]
            sys::mi_collect(false);
            #[cfg(mi_v2)]
            sys::mi_stats_merge();
            sys::mi_stats_get(&mut raw)
        };
        let mut stats = Stats::of(&checked(raw, known));
        if let Some((resident, peak)) = resident() {
            stats.resident = Some(resident);
            stats.resident_peak = Some(peak);
        }
        stats
    }

    /// The statistics of one heap; NULL is the main one.
    ///
    /// First collects the calling thread's part of it, which creates that part if there is none.
    ///
    /// # Safety
    ///
    /// `heap` is NULL or a live heap.
    #[cfg(mi_v3)]
    #[allow(dead_code)] // for the type of heaps
    pub(crate) unsafe fn of_heap(heap: *mut sys::mi_heap_t) -> Stats {
        let mut raw = mi_stats_t::new();
        // SAFETY: the caller's promise; `raw` is initialised, and the main heap always lives.
        let known = unsafe {
            let heap = if heap.is_null() {
                sys::mi_heap_main()
            } else {
                heap
            };
            sys::mi_heap_collect(heap, false);
            sys::mi_heap_stats_get(heap, &mut raw)
        };
        Stats::of(&checked(raw, known))
    }

    /// The statistics of one subprocess and all its heaps.
    ///
    /// What the calling thread has counted is merged if it is in that subprocess.
    ///
    /// # Safety
    ///
    /// `subprocess` is live.
    #[cfg(mi_v3)]
    #[allow(dead_code)] // for the type of subprocesses
    pub(crate) unsafe fn of_subprocess(subprocess: sys::mi_subproc_id_t) -> Stats {
        let mut raw = mi_stats_t::new();
        // SAFETY: the caller's promise; `raw` is initialised.
        let known = unsafe {
            sys::mi_collect(false);
            sys::mi_subproc_stats_get(subprocess, &mut raw)
        };
        Stats::of(&checked(raw, known))
    }

    fn of(raw: &mi_stats_t) -> Stats {
        let mut size_classes = [SizeClass::default(); MI_BIN_HUGE + 1];
        for (bin, class) in size_classes.iter_mut().enumerate() {
            *class = SizeClass {
                block_size: block_size(bin),
                #[cfg(mi_v3)]
                blocks: Gauge::of(&raw.malloc_bins[bin]),
                pages: Gauge::of(&raw.page_bins[bin]),
            };
        }
        Stats {
            #[cfg(mi_v3)]
            live: Gauge::of(&raw.allocated),
            #[cfg(mi_v3)]
            requested: raw.malloc_requested.total,
            #[cfg(mi_v3)]
            blocks_allocated: raw.malloc_count.total,
            #[cfg(mi_v3)]
            blocks_freed: raw.free_count.total,
            resident: None,
            resident_peak: None,
            committed: Gauge::of(&raw.committed),
            reserved: Gauge::of(&raw.reserved),
            purged: raw.purged.total,
            pages: Gauge::of(&raw.pages),
            pages_abandoned: Gauge::of(&raw.pages_abandoned),
            threads: Gauge::of(&raw.threads),
            #[cfg(mi_v3)]
            heaps: Gauge::of(&raw.heaps),
            arenas: raw.arena_count.total,
            mmap_calls: raw.mmap_calls.total,
            commit_calls: raw.commit_calls.total,
            purge_calls: raw.purge_calls.total,
            size_classes,
        }
    }

    /// By how much each number has changed since `earlier`. A peak's change is by how much it rose.
    ///
    /// ```
    /// # use mi_malloc::stats::Stats;
    /// let snapshot = Stats::now();
    /// assert_eq!(snapshot.since(&snapshot).committed.total, 0);
    /// ```
    #[must_use]
    pub fn since(&self, earlier: &Stats) -> Stats {
        let difference = |now: Option<i64>, then: Option<i64>| Some(now? - then?);
        let mut size_classes = self.size_classes;
        for (class, earlier) in size_classes.iter_mut().zip(&earlier.size_classes) {
            #[cfg(mi_v3)]
            {
                class.blocks = class.blocks.since(earlier.blocks);
            }
            class.pages = class.pages.since(earlier.pages);
        }
        Stats {
            #[cfg(mi_v3)]
            live: self.live.since(earlier.live),
            #[cfg(mi_v3)]
            requested: self.requested - earlier.requested,
            #[cfg(mi_v3)]
            blocks_allocated: self.blocks_allocated - earlier.blocks_allocated,
            #[cfg(mi_v3)]
            blocks_freed: self.blocks_freed - earlier.blocks_freed,
            resident: difference(self.resident, earlier.resident),
            resident_peak: difference(self.resident_peak, earlier.resident_peak),
            committed: self.committed.since(earlier.committed),
            reserved: self.reserved.since(earlier.reserved),
            purged: self.purged - earlier.purged,
            pages: self.pages.since(earlier.pages),
            pages_abandoned: self.pages_abandoned.since(earlier.pages_abandoned),
            threads: self.threads.since(earlier.threads),
            #[cfg(mi_v3)]
            heaps: self.heaps.since(earlier.heaps),
            arenas: self.arenas - earlier.arenas,
            mmap_calls: self.mmap_calls - earlier.mmap_calls,
            commit_calls: self.commit_calls - earlier.commit_calls,
            purge_calls: self.purge_calls - earlier.purge_calls,
            size_classes,
        }
    }

    /// Blocks in use.
    #[cfg(mi_v3)]
    pub fn blocks(&self) -> i64 {
        self.blocks_allocated - self.blocks_freed
    }

    /// The size classes in which something was counted, from the smallest blocks to the largest.
    pub fn size_classes(&self) -> impl Iterator<Item = &SizeClass> {
        self.size_classes.iter().filter(|class| !class.is_zero())
    }

    /// All numbers except those of the size classes, with names and units.
    ///
    /// ```
    /// # use mi_malloc::stats::{Stats, Unit};
    /// let committed = Stats::now().rows().find(|row| row.name == "committed").unwrap();
    /// assert_eq!(committed.unit, Unit::Bytes);
    /// assert!(committed.peak >= committed.current);
    /// ```
    pub fn rows(&self) -> impl Iterator<Item = Row> {
        use Unit::{Bytes, Count};
        let resident = Row {
            name: "resident",
            help: "bytes of the process in physical memory",
            unit: Bytes,
            current: self.resident,
            peak: self.resident_peak,
            total: None,
        };
        let rows = [
            #[cfg(mi_v3)]
            gauge("live", "bytes in blocks in use", Bytes, self.live),
            #[cfg(mi_v3)]
            counter("requested", "bytes asked for", Bytes, self.requested),
            #[cfg(mi_v3)]
            Row {
                current: Some(self.blocks()),
                ..counter(
                    "blocks",
                    "blocks in use, and allocated in total",
                    Count,
                    self.blocks_allocated,
                )
            },
            resident,
            gauge(
                "committed",
                "bytes usable without a call of the system",
                Bytes,
                self.committed,
            ),
            gauge("reserved", "bytes of address space", Bytes, self.reserved),
            counter("purged", "bytes returned to the system", Bytes, self.purged),
            gauge("pages", "pages of the allocator", Count, self.pages),
            gauge(
                "pages_abandoned",
                "pages that no thread owns",
                Count,
                self.pages_abandoned,
            ),
            gauge(
                "threads",
                "threads that use the allocator",
                Count,
                self.threads,
            ),
            #[cfg(mi_v3)]
            gauge("heaps", "heaps", Count, self.heaps),
            counter("arenas", "arenas made", Count, self.arenas),
            counter(
                "mmap_calls",
                "calls that reserve address space",
                Count,
                self.mmap_calls,
            ),
            counter(
                "commit_calls",
                "calls that commit memory",
                Count,
                self.commit_calls,
            ),
            counter(
                "purge_calls",
                "calls that purge memory",
                Count,
                self.purge_calls,
            ),
        ];
        IntoIterator::into_iter(rows)
    }

    /// Writes the numbers as a JSON object.
    ///
    /// Each [row](Stats::rows) is a member of its name, an object with `current`, `peak` and `total` as far as they
    /// exist, and `size_classes` is a list of objects with `block_size` (not for the largest blocks, which have any
    /// size), `blocks` (v3) and `pages`. All numbers are integers.
    pub fn write_json(&self, out: &mut impl Write) -> fmt::Result {
        print::json(self, out)
    }

    /// The text of [`Stats::write_json`].
    ///
    /// ```
    /// # use mi_malloc::stats::Stats;
    /// assert!(Stats::now().to_json().starts_with('{'));
    /// ```
    #[cfg(feature = "std")]
    pub fn to_json(&self) -> std::string::String {
        let mut text = std::string::String::new();
        self.write_json(&mut text)
            .expect("writing to a string cannot fail");
        text
    }
}

/// A table for reading: bytes are rounded and have a binary unit, and rows that are all 0 are left out.
impl Display for Stats {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        print::table(self, out)
    }
}

impl SizeClass {
    fn is_zero(&self) -> bool {
        #[cfg(mi_v3)]
        if !self.blocks.is_zero() {
            return false;
        }
        self.pages.is_zero()
    }
}

fn gauge(name: &'static str, help: &'static str, unit: Unit, value: Gauge) -> Row {
    Row {
        name,
        help,
        unit,
        current: Some(value.current),
        peak: Some(value.peak),
        total: Some(value.total),
    }
}

fn counter(name: &'static str, help: &'static str, unit: Unit, total: i64) -> Row {
    Row {
        name,
        help,
        unit,
        current: None,
        peak: None,
        total: Some(total),
    }
}

/// mimalloc refuses a struct of another version only, and the bindings have its version.
fn checked(raw: mi_stats_t, known: bool) -> mi_stats_t {
    assert!(
        known,
        "the linked mimalloc has statistics of another version than mi-malloc-sys"
    );
    raw
}

/// The size of the blocks in a bin.
fn block_size(bin: usize) -> Option<usize> {
    if bin == MI_BIN_HUGE {
        return None;
    }
    #[cfg(mi_v3)]
    // SAFETY: always safe to call.
    let size = unsafe { sys::mi_stats_get_bin_size(bin) };
    // v2 does not export this (`_mi_bin_size` in `page-queue.c`). Bins count words: one for each up to eight, and
    // then four for each power of two.
    #[cfg(mi_v2)]
    let size = match bin {
        0 => 1,
        1..=8 => bin,
        _ => (5 + (bin + 3) % 4) << ((bin + 3) / 4 - 2),
    } * size_of::<usize>();
    Some(size)
}

/// Resident memory of the process and its peak, in bytes.
#[cfg(all(feature = "std", any(target_os = "linux", target_os = "android")))]
fn resident() -> Option<(i64, i64)> {
    // mimalloc calls `getrusage`, whose peak survives `exec` and which has no current value.
    let mut text = [0; 4096];
    let mut length = 0;
    let mut file = std::fs::File::open("/proc/self/status").ok()?;
    while length < text.len() {
        match std::io::Read::read(&mut file, &mut text[length..]).ok()? {
            0 => break,
            more => length += more,
        }
    }
    resident_in(&text[..length])
}

/// The name of the program may be cut within a character, and then is not valid UTF-8.
#[cfg(all(feature = "std", any(target_os = "linux", target_os = "android")))]
fn resident_in(status: &[u8]) -> Option<(i64, i64)> {
    let bytes = |name: &[u8]| {
        let mut lines = status.split(|&byte| byte == b'\n');
        let line = lines.find(|line| line.starts_with(name))?;
        let line = core::str::from_utf8(line).ok()?;
        let kib: i64 = line.split_whitespace().nth(1)?.parse().ok()?;
        Some(kib * 1024)
    };
    Some((bytes(b"VmRSS:")?, bytes(b"VmHWM:")?))
}

/// Resident memory of the process and its peak, in bytes.
#[cfg(any(windows, target_vendor = "apple"))]
fn resident() -> Option<(i64, i64)> {
    let (mut current, mut peak) = (0, 0);
    let none = core::ptr::null_mut();
    // SAFETY: each pointer is NULL or can be written.
    unsafe { sys::mi_process_info(none, none, none, &mut current, &mut peak, none, none, none) };
    Some((current as i64, peak as i64))
}

/// The other systems do not report it (or not without `std`).
#[cfg(not(any(
    all(feature = "std", any(target_os = "linux", target_os = "android")),
    windows,
    target_vendor = "apple"
)))]
fn resident() -> Option<(i64, i64)> {
    None
}

#[cfg(test)]
mod tests;

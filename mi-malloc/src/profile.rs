//! Heap profiles: which code allocated the memory that is in use, by samples, for `pprof`.
//!
//! ```
//! #[global_allocator]
//! static GLOBAL: mi_malloc::MiMalloc = mi_malloc::MiMalloc;
//!
//! use mi_malloc::profile::{self, Interval};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let profile = profile::start(Interval::default())?;
//! let cache: Vec<Vec<u8>> = (0..1000).map(|_| vec![0; 10_000]).collect();
//!
//! let mut file = Vec::new(); // or a `File`, or a connection
//! profile.dump(&mut file)?;
//! # assert!(!file.is_empty());
//! # drop(cache);
//! # Ok(())
//! # }
//! ```
//!
//! It samples until it is dropped. [`Profile::dump`] and [`Profile::snapshot`] can be called at any time, also for a
//! program that runs for months; [`Profile::stop`] ends it and returns the last snapshot. The example
//! `heap_profile_http` serves a profile under `/debug/pprof/heap`, where pprof itself fetches it.
//!
//! # What is in it
//!
//! For each call stack, the objects and bytes allocated since the start (`alloc_objects`, `alloc_space`), and those of
//! them in use (`inuse_objects`, `inuse_space`). The names are those of Go's profiles, so tools for those work. Blocks
//! allocated before the start are not included.
//!
//! All numbers are **estimates**, already scaled: a sampled block represents those that were not sampled. For a call stack
//! with n samples the error is within about 1.4 / √n; with an interval of 512 KiB, 100 MiB are right within 10 %. A block much
//! larger than the interval is always sampled.
//!
//! # Names of functions
//!
//! ```sh
//! pprof -top -cum heap.pb                          # Google's: go install github.com/google/pprof@latest
//! pprof -http=: -sample_index=alloc_space heap.pb  # a flame graph of everything allocated
//! ```
//!
//! A profile has addresses, and for each the file that contains the code, the offset, and the build ID (on
//! Linux, Android and FreeBSD; elsewhere it has addresses only). pprof looks for the names in these files, which must
//! not be stripped. Lines and inlined functions need debug information, `CARGO_PROFILE_RELEASE_DEBUG=1`, and so does
//! `go tool pprof` for any name. On another machine, copy the program and set `PPROF_BINARY_PATH` to its folder.
//!
//! # What is sampled
//!
//! * All threads, all [heaps](crate::Heap), and blocks that other languages allocate from mimalloc; of subprocesses
//!   ([`sys::mi_subproc_new`]) only the main one.
//! * The thread that starts the profile is sampled at once. Any other thread, and any heap, notices it within a thousand
//!   allocations that leave the fast path: some MiB of small blocks, but a thousand blocks above a MiB. [`include_thread`]
//!   shortens that for the thread that calls it.
//! * A block whose [`Heap`](crate::Heap) has ended is no longer in use, whether it was freed or not. If
//!   [`sys::mi_heap_destroy`] ends a heap, its blocks stay in the profile.
//! * Allocations of the profiler itself are not included; those of a writer or of a snapshot are, as they are the program's.
//!
//! # What it costs
//!
//! Nothing while no profile runs. While one runs, `MiMalloc` does not use its shortest fast paths, and each sample walks the stack.
//! Measured on Linux (x86_64) with 512 KiB, per block allocated and freed: 13.4 nanoseconds became 14.9 for blocks of 32
//! bytes, and 17 became 29 for a kilobyte. A sample took 4 microseconds with a stack of some thirty calls, so that a
//! program that allocates a gigabyte in a second spends 1 % of that second. The table of call stacks grows with the number
//! of different ones (a few hundred bytes each), and stays for the next profile.
//!
//! # Threads, fork, callbacks
//!
//! One profile runs in a process at a time. Any thread may take snapshots, several at once; sampling continues meanwhile.
//! The profiler has no lock: a writer that allocates, blocks or panics delays nothing. In the child of a fork the
//! profile continues with what it had; it is the child's own. A profile that is never dropped ([`core::mem::forget`])
//! samples until the process ends.
//!
//! With the features `debug` and `debug_full` an assertion of mimalloc (in `_mi_theap_malloc_profiled`) may end the
//! process if a profile stops at the moment at which another thread samples a block. Other builds do not have it, and
//! nothing is wrong there.
//!
//! Call stacks come from the unwinder (Unix) or the system (Windows). The module needs the feature `std`. **v2 has no
//! profiler**, so there this module does not exist.

use crate::sys;
use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::fmt;
use core::mem::size_of;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::*};
use sites::{Site, Table, Weight};
use std::io::{self, Write};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::vec::Vec;

mod modules;
mod pprof;
mod sites;
mod stack;

/// How many bytes are allocated from one sample to the next, on average; the steps are random.
///
/// A smaller one shows more and costs more. mimalloc does not check every allocation, unless it is built with the feature
/// `debug`. So intervals below about 64 KiB are not reached, but the estimates stay correct. With
/// [`Interval::bytes`]`(1)` it takes as many samples as it can.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval(usize);

impl Interval {
    /// An average of this many bytes; 0 counts as 1, and more than 64 MiB as 64 MiB.
    pub const fn bytes(bytes: usize) -> Interval {
        const MOST: usize = 64 << 20;
        Interval(match bytes {
            0 => 1,
            bytes if bytes > MOST => MOST,
            bytes => bytes,
        })
    }

    /// The average in bytes.
    pub const fn get(self) -> usize {
        self.0
    }
}

/// 512 KiB, as in other profilers: the cost is negligible for most programs.
impl Default for Interval {
    fn default() -> Interval {
        Interval::bytes(512 << 10)
    }
}

/// Why a profile could not be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StartError {
    /// A [`Profile`] of this module runs already. Drop it first, or take a snapshot of it.
    AlreadyRunning,
    /// mimalloc has another profiler: that of the environment variable `MIMALLOC_PROFILE`, or one that the program
    /// attached by [`sys::mi_profile`].
    OtherProfiler,
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StartError::AlreadyRunning => "a heap profile is already running: one at a time",
            StartError::OtherProfiler => {
                "mimalloc has another profiler, of MIMALLOC_PROFILE or attached by the program"
            }
        })
    }
}

impl std::error::Error for StartError {}

/// A profile that runs until it is dropped. The [module](self) describes it.
#[derive(Debug)]
#[must_use = "the profile ends when this is dropped"]
pub struct Profile {
    interval: Interval,
    start: Instant,
}

/// Starts a profile: from now on allocations are sampled.
///
/// # Errors
///
/// If one runs already, or another profiler of mimalloc is attached. Then nothing has changed.
pub fn start(interval: Interval) -> Result<Profile, StartError> {
    if IS_RUNNING.swap(true, AcqRel) {
        return Err(StartError::AlreadyRunning);
    }
    INTERVAL.store(interval.get(), Relaxed);
    GENERATION.fetch_add(1, Relaxed);
    TABLE.clear();
    // SAFETY: the profiler lives for ever, and its fields stay as they are, but for the one that is mimalloc's.
    unsafe {
        if !sys::mi_profile(PROFILER.as_ptr()) {
            IS_RUNNING.store(false, Release);
            return Err(StartError::OtherProfiler);
        }
        sys::mi_profiler_start(PROFILER.as_ptr());
    }
    Ok(Profile {
        interval,
        start: Instant::now(),
    })
}

impl Profile {
    /// Writes the profile up to now in pprof's format, not compressed: a snapshot that is written at once.
    ///
    /// # Errors
    ///
    /// Those of `out`. The profile continues.
    pub fn dump(&self, out: impl Write) -> io::Result<()> {
        self.snapshot().dump(out)
    }

    /// The profile up to now, to be written later.
    ///
    /// It takes some milliseconds for thousands of call stacks. Other threads are not delayed, and what they allocate
    /// meanwhile may be included or not.
    pub fn snapshot(&self) -> Snapshot {
        let samples = TABLE.sites().filter(|site| site.allocated().bytes > 0);
        let samples: Vec<_> = samples
            .map(|site| {
                let (allocated, in_use) = (site.allocated(), site.in_use());
                pprof::Sample {
                    frames: site.frames(),
                    values: [
                        allocated.objects(),
                        allocated.bytes,
                        in_use.objects(),
                        in_use.bytes,
                    ],
                }
            })
            .collect();
        let sum = |value: usize| samples.iter().map(|sample| sample.values[value]).sum();
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Snapshot {
            allocated: sum(1),
            in_use: sum(3),
            message: pprof::Profile {
                samples,
                modules: modules::loaded(),
                period: self.interval.get() as u64,
                time_nanoseconds: now.unwrap_or_default().as_nanos() as u64,
                duration_nanoseconds: self.duration().as_nanos() as u64,
            }
            .encode(),
        }
    }

    /// Ends the profile, and returns it.
    pub fn stop(self) -> Snapshot {
        // SAFETY: the profiler lives for ever.
        unsafe { sys::mi_profiler_stop(PROFILER.as_ptr()) };
        self.snapshot()
    }

    /// The interval it was started with.
    pub fn interval(&self) -> Interval {
        self.interval
    }

    /// How long it has been running.
    pub fn duration(&self) -> Duration {
        self.start.elapsed()
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        // SAFETY: the profiler lives for ever, so that other threads may still be in it.
        unsafe {
            sys::mi_profiler_stop(PROFILER.as_ptr());
            sys::mi_profile(ptr::null_mut());
        }
        IS_RUNNING.store(false, Release);
    }
}

/// A profile as it was at one moment.
#[derive(Clone)]
pub struct Snapshot {
    message: Vec<u8>,
    allocated: u64,
    in_use: u64,
}

impl Snapshot {
    /// Writes it in pprof's format, not compressed, in one piece.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn dump(&self, mut out: impl Write) -> io::Result<()> {
        out.write_all(&self.message)?;
        out.flush()
    }

    /// Bytes allocated since the profile was started, by all call stacks; an estimate.
    pub fn allocated_bytes(&self) -> u64 {
        self.allocated
    }

    /// Bytes of these in use; an estimate.
    pub fn in_use_bytes(&self) -> u64 {
        self.in_use
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("allocated_bytes", &self.allocated)
            .field("in_use_bytes", &self.in_use)
            .finish_non_exhaustive()
    }
}

/// Includes the calling thread in a running profile from now on: call it at the start of a thread that will allocate large
/// blocks. Otherwise mimalloc checks only once in a thousand allocations whether there is a profile.
///
/// It makes those thousand allocations, which takes some twenty microseconds. Without a profile it does nothing.
pub fn include_thread() {
    /// After this many allocations mimalloc checks (`mi_malloc_generic_admin` in `alloc/alloc-generic.c`).
    const ALLOCATIONS: usize = 1000;

    if IS_RUNNING.load(Relaxed) {
        for _ in 0..=ALLOCATIONS {
            // SAFETY: a block of a size that has no fast path, freed once.
            unsafe { sys::mi_free(sys::mi_malloc(sys::MI_SMALL_SIZE_MAX + 1)) };
        }
    }
}

/// A heap ends, and with it the blocks in it, of which mimalloc reports no free. Nobody uses the heap any more.
pub(crate) fn end_heap(heap: *mut sys::mi_heap_t) {
    if IS_RUNNING.load(Relaxed) {
        TABLE.end_heap(heap as usize);
    }
}

static IS_RUNNING: AtomicBool = AtomicBool::new(false);
static INTERVAL: AtomicUsize = AtomicUsize::new(1);
/// Counts the profiles: a block may be sampled in one and freed in another.
static GENERATION: AtomicUsize = AtomicUsize::new(0);
static TABLE: Table = Table::new();
static PROFILER: Profiler = Profiler(UnsafeCell::new(sys::mi_profiler_t {
    sample_data_size: size_of::<Sample>(),
    // Each thread takes its first sample as soon as it can: `mi_profiler_start` sets this rate in the calling thread in any
    // case. From then on `on_alloc` returns the distance to the next sample.
    initial_sample_rate: FIRST,
    on_alloc: Some(on_alloc),
    on_free: Some(on_free),
    ..sys::mi_profiler_t::new()
}));

const FIRST: usize = 1;

struct Profiler(UnsafeCell<sys::mi_profiler_t>);

// SAFETY: only mimalloc accesses the fields, and it accepts the profiler from any thread.
unsafe impl Sync for Profiler {}

impl Profiler {
    fn as_ptr(&self) -> *mut sys::mi_profiler_t {
        self.0.get()
    }
}

/// What mimalloc keeps beside a sampled block.
#[repr(C)]
#[derive(Clone, Copy)]
struct Sample {
    /// See [`Sample::mark`].
    mark: usize,
    /// NULL if memory ran out.
    site: *const Site,
    generation: usize,
    weight: Weight,
}

impl Sample {
    /// Tells own samples from those of a profiler that was attached before, for mimalloc does not: another copy of this
    /// module, or one that the program made with the bindings.
    fn mark(site: *const Site) -> usize {
        let profiler = PROFILER.as_ptr() as usize;
        !profiler.rotate_left(usize::BITS / 2) ^ site as usize
    }
}

/// Called for a sampled block, in the middle of its allocation. Returns the bytes to the next sample.
unsafe extern "C" fn on_alloc(
    _profiler: *mut sys::mi_profiler_t,
    data: *mut sys::mi_profiler_sample_data_t,
    _block: *mut c_void,
    size: usize,
    rate: usize,
    since: u64,
    heap: *mut sys::mi_heap_t,
) -> usize {
    let interval = INTERVAL.load(Relaxed);
    // SAFETY: always safe to call.
    let is_main = heap == unsafe { sys::mi_heap_main() };
    let heap = if is_main { 0 } else { heap as usize };
    let step = Step::of_rate(rate);
    let weight = weigh(size, interval, step.bytes(), step.since(since));
    let mut site: *const Site = ptr::null();
    if let Some(found) = TABLE.site(heap, stack::Stack::here().frames()) {
        found.allocate(weight);
        site = found;
    }
    let sample = Sample {
        mark: Sample::mark(site),
        site,
        generation: GENERATION.load(Relaxed),
        weight,
    };
    // SAFETY: with a size of data and an `on_free`, mimalloc passes place for that size, aligned for a pointer.
    unsafe {
        let place = ptr::addr_of_mut!((*data).user_data);
        place.cast::<Sample>().write_unaligned(sample);
    }
    step.next(interval).rate()
}

/// Called before a sampled block is freed, on any thread.
unsafe extern "C" fn on_free(
    _profiler: *mut sys::mi_profiler_t,
    data: *mut sys::mi_profiler_sample_data_t,
    _block: *mut c_void,
    _heap: *mut sys::mi_heap_t,
) {
    // SAFETY: the data are so many bytes, which the attached profiler wrote when the block was allocated. If that was
    // this one, the site is one of the table, or NULL.
    unsafe {
        let place = ptr::addr_of!((*data).user_data);
        if (*data).user_data_size < size_of::<Sample>() {
            return;
        }
        let sample = place.cast::<Sample>().read_unaligned();
        let is_own = sample.mark == Sample::mark(sample.site);
        if is_own && sample.generation == GENERATION.load(Relaxed) {
            if let Some(site) = sample.site.as_ref() {
                site.free(sample.weight);
            }
        }
    }
}

/// The distance from one sample to the next. Each one is used twice in a row.
///
/// `on_alloc` returns a rate, and the distance to the next sample is the *smaller* one of that and the rate before
/// (`_mi_theap_malloc_sampled` and `_mi_theap_set_profile_sample_rate` in `profile/sample-profile.c`). So random rates would
/// make steps of half their average, of which nobody knows the length. Here each distance is used twice: the second time
/// the rate is larger by a constant, so that the step is the rate before, and is known; and the rate after it is the smaller
/// one again. mimalloc adds what the rate has grown by to the bytes that went by.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Step {
    First(usize),
    Second(usize),
}

impl Step {
    /// More than any step. The sum stays below a quarter of the address space, the largest rate.
    const ADDED: usize = 1 << 29;

    fn of_rate(rate: usize) -> Step {
        match rate.checked_sub(Step::ADDED) {
            Some(bytes) => Step::Second(bytes),
            None => Step::First(rate),
        }
    }

    fn rate(self) -> usize {
        match self {
            Step::First(bytes) => bytes,
            Step::Second(bytes) => bytes + Step::ADDED,
        }
    }

    fn bytes(self) -> usize {
        match self {
            Step::First(bytes) | Step::Second(bytes) => bytes,
        }
    }

    /// The bytes that were allocated since the last sample, from the number that mimalloc reports.
    fn since(self, said: u64) -> u64 {
        match self {
            Step::First(_) => said,
            Step::Second(_) => said.saturating_sub(Step::ADDED as u64),
        }
    }

    fn next(self, interval: usize) -> Step {
        match self {
            Step::First(bytes) if interval > FIRST => Step::Second(bytes),
            _ => Step::First(draw(interval)),
        }
    }
}

/// What a sampled block of `size` bytes stands for, after a step of so many bytes in which `since` went by, with its own.
///
/// The steps are distributed exponentially, so each byte is as likely as any other to be the one that is sampled, and a
/// block is with 1 - exp(-size / interval). mimalloc looks only now and then, and may be late; then the block stands for
/// those bytes, too.
fn weigh(size: usize, interval: usize, step: usize, since: u64) -> Weight {
    /// mimalloc counts the blocks of a page when it has gone through them, and a page of small ones has 64 KiB. Anything
    /// above that was allocated before the profile started, or is a large sampled block that upstream counts again.
    const LATEST: f64 = 65536.0;

    let size = size.max(1) as f64;
    let late = since as f64 - size - step as f64;
    let bytes = if step <= FIRST {
        size
    } else {
        size / -(-size / interval as f64).exp_m1()
    };
    let bytes = bytes + late.clamp(0.0, LATEST);
    Weight::new(bytes, bytes / size)
}

/// A random step.
fn draw(interval: usize) -> usize {
    static DRAWN: AtomicU64 = AtomicU64::new(0);
    if interval <= FIRST {
        return FIRST;
    }
    // SplitMix64. Its numbers do not depend on each other, so that all threads can use one sequence.
    const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut random = DRAWN.fetch_add(GAMMA, Relaxed).wrapping_add(GAMMA);
    random = (random ^ random >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    random = (random ^ random >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    random ^= random >> 31;
    let share = ((random >> 11) + 1) as f64 / (1u64 << 53) as f64; // above 0, at most 1
    let step = (-share.ln() * interval as f64) as usize;
    step.clamp(FIRST + 1, Step::ADDED - 1)
}

#[cfg(test)]
mod tests {
    use super::{draw, weigh, Step};

    /// As mimalloc computes it.
    #[test]
    fn steps_are_known() {
        let interval = 1000;
        let (mut rate, mut sum) = (1, 0);
        let mut last = Step::First(1);
        for _ in 0..20_000 {
            let before = rate;
            last = last.next(interval);
            rate = last.rate();
            let step = before.min(rate);
            let said = (rate - step) as u64 + step as u64; // the rate that is there, less what is left of the step
            assert_eq!(Step::of_rate(rate), last);
            assert_eq!((last.bytes(), last.since(said)), (step, step as u64));
            sum += step;
        }
        let average = sum / 20_000;
        assert!((950..1050).contains(&average), "{}", average);
    }

    /// A sequence of blocks, sampled as `weigh` assumes: the estimates add up to the bytes.
    #[test]
    fn weights_add_up() {
        for size in [10, 500, 1000, 5000] {
            let (interval, blocks) = (1000, 2_000_000 / size);
            let (mut left, mut estimate) = (draw(interval), 0);
            for _ in 0..blocks {
                if left < size {
                    estimate += weigh(size, interval, 2, 0).bytes as usize;
                    left = draw(interval);
                } else {
                    left -= size;
                }
            }
            let real = blocks * size;
            assert!(estimate.abs_diff(real) < real / 10, "{} {}", size, estimate);
        }
    }

    #[test]
    fn late_samples_stand_for_more() {
        assert_eq!(weigh(100, 1, 1, 100).bytes, 100);
        assert_eq!(weigh(100, 1, 1, 50_000).bytes, 49_999);
        assert_eq!(weigh(100, 1, 1, u64::MAX).bytes, 100 + 65_536);
        assert_eq!(weigh(0, 1, 1, 0).objects(), 1);
        let large = weigh(100 << 20, 1000, 5000, 100 << 20);
        assert_eq!((large.bytes, large.objects()), (100 << 20, 1));
    }
}

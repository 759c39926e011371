//! A profiler that takes many samples and checks its own data. A sampled block starts at another
//! offset in its page than other blocks, behind the profiler's data.

use core::ffi::c_void;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering::Relaxed};

use mi_malloc_sys::*;

static PROFILER: AtomicPtr<mi_profiler_t> = AtomicPtr::new(null_mut());
static TAKEN: AtomicU64 = AtomicU64::new(0);
static ENDED: AtomicU64 = AtomicU64::new(0);

/// Allocated bytes that the samples represent, as upstream reports them.
static STANDS_FOR: AtomicU64 = AtomicU64::new(0);

/// The largest size of a profiler's data.
pub const SIZE_MAX: usize = 1024;
/// The size of the profiler's data. The default moves blocks by an offset that is no power of two.
static SIZE: AtomicUsize = AtomicUsize::new(40);
/// The average number of bytes from one sample to the next.
static RATE: AtomicUsize = AtomicUsize::new(0);

/// Starts the profiler of this process.
pub fn start() {
    start_at(500);
}

/// As [`start`], with data of `size` bytes beside each sample.
#[allow(dead_code)]
pub fn start_with(size: usize) {
    SIZE.store(size.min(SIZE_MAX), Relaxed);
    start_for(500, size);
}

/// As [`start`], with about `rate` bytes from one sample to the next.
pub fn start_at(rate: usize) {
    start_for(rate, SIZE.load(Relaxed));
}

fn start_for(rate: usize, size: usize) {
    RATE.store(rate, Relaxed);
    let profiler = Box::leak(Box::new(mi_profiler_t {
        sample_data_size: size,
        initial_sample_rate: rate,
        on_alloc: Some(on_alloc),
        on_free: Some(on_free),
        ..mi_profiler_t::new()
    }));
    unsafe { assert!(mi_profile(profiler)) };
    PROFILER.store(profiler, Relaxed);
}

/// If there is a profiler, starts sampling the calling thread at once. Otherwise a new thread is sampled
/// only after a thousand allocations off the fast path.
pub fn join() {
    let profiler = PROFILER.load(Relaxed);
    unsafe {
        mi_free(mi_malloc(1)); // sampling starts in the thread's heap, so there must be one
        mi_profiler_stop(profiler);
        mi_profiler_start(profiler);
    }
}

/// Stops it. A thread notices after a thousand allocations off the fast path.
#[allow(dead_code)]
pub fn stop() {
    unsafe { mi_profiler_stop(PROFILER.load(Relaxed)) };
}

/// Whether [`step`] switches.
static SWITCHES: AtomicBool = AtomicBool::new(false);
static IS_OFF: AtomicBool = AtomicBool::new(false);

/// Whether the steps of programs switch it on and off from now on.
#[allow(dead_code)]
pub fn switch_by_steps(switches: bool) {
    SWITCHES.store(switches, Relaxed);
}

/// Called before a step of a program. `due`: the step switches.
#[allow(dead_code)]
pub fn step(due: bool) {
    if !due || !SWITCHES.load(Relaxed) {
        return;
    }
    if IS_OFF.fetch_xor(true, Relaxed) {
        join();
    } else {
        stop();
        // Upstream reads the state in the thousandth call off the fast path.
        for _ in 0..1001 {
            unsafe { mi_free(mi_malloc(2 * MI_SMALL_SIZE_MAX)) };
        }
    }
}

pub fn taken() -> u64 {
    TAKEN.load(Relaxed)
}

/// How many allocated bytes the samples represent.
#[allow(dead_code)]
pub fn stands_for() -> u64 {
    STANDS_FOR.load(Relaxed)
}

/// How many sampled blocks were freed.
#[allow(dead_code)]
pub fn ended() -> u64 {
    ENDED.load(Relaxed)
}

unsafe extern "C" fn on_alloc(
    _: *mut mi_profiler_t,
    data: *mut mi_profiler_sample_data_t,
    p: *mut c_void,
    _: usize,
    _: usize,
    since: u64,
    _: *mut mi_heap_t,
) -> usize {
    // A panic cannot unwind through C functions.
    if (*data).user_data_size != SIZE.load(Relaxed) {
        std::process::abort();
    }
    (*data).user_data[0] = p;
    TAKEN.fetch_add(1, Relaxed);
    STANDS_FOR.fetch_add(since, Relaxed);
    RATE.load(Relaxed)
}

unsafe extern "C" fn on_free(
    _: *mut mi_profiler_t,
    data: *mut mi_profiler_sample_data_t,
    p: *mut c_void,
    _: *mut mi_heap_t,
) {
    ENDED.fetch_add(1, Relaxed);
    // The profiler receives an aligned block before it is aligned, which moves it by less than a slice. A slice has
    // 64 KiB (on 32-bit less), unless a definition makes it larger; the smallest arena has 512 of them.
    let slice = (mi_arena_min_size() / 512).max(64 << 10);
    let noted = (*data).user_data[0] as usize;
    if !(noted..noted + slice).contains(&(p as usize)) {
        eprintln!("the profiler receives the end of a block that it does not know");
        std::process::abort();
    }
}

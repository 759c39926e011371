//! A process that forks while its other threads are inside mimalloc, where they hold its locks: the child must
//! go on (`src/fork.c`). Without the handlers each but the first hangs within a few dozen forks.
#![cfg(all(unix, line = "v3"))]

use core::ffi::c_void;
use mi_malloc_sys::*;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

#[path = "support/first.rs"]
mod first;
#[path = "support/fork.rs"]
mod fork;
#[allow(dead_code)]
#[path = "support/mode.rs"]
mod mode;

/// One test at a time.
static ALONE: Mutex<()> = Mutex::new(());
static STOP: AtomicBool = AtomicBool::new(false);

const OTHERS: usize = 3;

/// Whether a forked process comes to the end of `work`. One that hangs is ended by its alarm.
fn ends(work: fn()) -> bool {
    fork::run(|| {
        // SAFETY: no pointers.
        unsafe { libc::alarm(20) };
        work();
    })
}

/// Forks beside threads that repeat `load`; each child does `work`.
fn forks_beside(load: fn(usize), work: fn()) {
    let _alone = ALONE
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    STOP.store(false, SeqCst);
    let others: Vec<_> = (0..OTHERS)
        .map(|number| {
            thread::spawn(move || {
                let mut round = number;
                while !STOP.load(SeqCst) {
                    load(round);
                    round += 1;
                }
            })
        })
        .collect();
    let start = Instant::now();
    let most = if mode::DEBUG { 50 } else { 300 };
    let mut forks = 0;
    let mut child_ends = true;
    while child_ends && forks < most && start.elapsed() < Duration::from_secs(10) {
        child_ends = ends(work);
        forks += 1;
    }
    STOP.store(true, SeqCst);
    for other in others {
        other.join().unwrap();
    }
    assert!(child_ends, "child {forks} did not come to its end");
}

fn use_block(size: usize) {
    // SAFETY: a block of its own, whose first byte is within it.
    unsafe {
        let block = mi_malloc(size);
        *block.cast::<u8>() = 1;
        mi_free(block);
    }
}

fn start_thread() {
    first::run(|| use_block(5000));
}

fn use_heap() {
    // SAFETY: a heap of this thread, and nothing of it is used after its end.
    unsafe {
        let heap = mi_heap_new();
        mi_heap_malloc(heap, 100);
        mi_heap_malloc(heap, 20_000);
        mi_heap_destroy(heap);
    }
}

fn use_all() {
    start_thread();
    use_heap();
    use_block(3_000_000);
    // SAFETY: always allowed.
    unsafe { mi_collect(true) };
}

#[test]
fn other_threads_start_threads_and_take_large_blocks() {
    forks_beside(
        |round| {
            start_thread();
            use_block((1 + round % 90) << 20);
        },
        use_all,
    );
}

#[test]
fn other_threads_make_heaps() {
    forks_beside(|_| use_heap(), use_all);
}

/// What threads leave behind that end is taken over by others. The child frees it.
#[test]
fn other_threads_take_over_pages() {
    const BLOCKS: usize = 6000;
    static SHARED: [AtomicUsize; BLOCKS] = {
        #[allow(clippy::declare_interior_mutable_const)]
        const NOTHING: AtomicUsize = AtomicUsize::new(0);
        [NOTHING; BLOCKS]
    };
    /// Frees the block of this place and puts another there.
    fn put(place: usize, block: usize) {
        // SAFETY: whoever takes a block out of its place is the only one who has it.
        unsafe { mi_free(SHARED[place].swap(block, SeqCst) as *mut _) };
    }
    forks_beside(
        |round| {
            first::run(move || {
                let mut random = (round as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                for _ in 0..600 {
                    random ^= random << 13;
                    random ^= random >> 7;
                    random ^= random << 17;
                    let size = [40, 40, 200, 1000, 3000, 9000][(random >> 40) as usize % 6];
                    // SAFETY: any size.
                    let block = unsafe { mi_malloc(size) } as usize;
                    put((random >> 20) as usize % BLOCKS, block);
                }
            });
        },
        || {
            for place in 0..BLOCKS {
                put(place, 0);
            }
            use_all();
        },
    );
    for place in 0..BLOCKS {
        put(place, 0);
    }
}

/// Two threads that fork at the same time, one of them with more locks than the handlers have room for at first.
#[test]
fn two_threads_fork() {
    const HEAPS: usize = 300;
    // SAFETY: heaps that are destroyed at the end, by the thread that made them.
    let heaps: Vec<_> = (0..HEAPS).map(|_| unsafe { mi_heap_new() }).collect();
    assert!(!heaps.contains(&null_mut()));
    forks_beside(
        |round| {
            if round % OTHERS == 0 {
                assert!(ends(start_thread));
            } else {
                use_heap();
            }
        },
        use_all,
    );
    for heap in heaps {
        // SAFETY: as above.
        unsafe { mi_heap_destroy(heap) };
    }
}

/// A callback that forks while its own thread holds a lock: the fork takes a second, and both go on.
#[test]
fn a_callback_forks() {
    unsafe extern "C" fn visit(_: *mut mi_heap_t, _: *mut c_void) -> bool {
        assert!(ends(start_thread));
        true
    }
    let _alone = ALONE
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    let start = Instant::now();
    // SAFETY: the visitor changes no heap.
    unsafe { mi_subproc_visit_heaps(mi_subproc_main(), Some(visit), null_mut()) };
    assert!(start.elapsed() < Duration::from_secs(10));
    assert!(ends(use_all));
}

/// Only one thread at a time is in a profiler's snapshot. One that stays there in the parent is not in the
/// child.
#[test]
fn another_thread_takes_a_snapshot() {
    static SNAPSHOTS: AtomicUsize = AtomicUsize::new(0);
    unsafe extern "C" fn snapshot(_: *mut mi_profiler_t) {
        if SNAPSHOTS.fetch_add(1, SeqCst) == 0 {
            while !STOP.load(SeqCst) {
                thread::yield_now();
            }
        }
    }
    let _alone = ALONE
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    STOP.store(false, SeqCst);
    // SAFETY: all zeroes is a profiler without callbacks; it is never started, and lives as long as the process.
    let profiler = Box::leak(Box::new(unsafe { std::mem::zeroed::<mi_profiler_t>() }));
    profiler.on_snapshot = Some(snapshot);
    let profiler: *mut mi_profiler_t = profiler;
    let address = profiler as usize;
    // SAFETY: see above.
    let other = thread::spawn(move || unsafe { mi_profiler_snapshot(address as *mut _) });
    while SNAPSHOTS.load(SeqCst) == 0 {
        thread::yield_now();
    }
    // SAFETY: see above.
    let take = || unsafe {
        mi_profiler_snapshot(profiler);
        SNAPSHOTS.load(SeqCst)
    };
    assert_eq!(take(), 1, "one at a time");
    assert!(fork::run(|| assert_eq!(take(), 2)));
    STOP.store(true, SeqCst);
    other.join().unwrap();
    assert_eq!(take(), 2);
}

//! A process that forks while its other threads are inside mimalloc, where they hold its locks: the child must
//! go on (`src/fork.c`). Without the handlers a child hangs within about a hundred forks: on v3 in most tests, on
//! v2 in those of output functions, of memory outside arenas and of first blocks.
//!
//! A program of its own, because it takes long: few build modes run it (`xtask/src/modes.rs`).
#![cfg(unix)]

use core::ffi::c_void;
use mi_malloc_sys::*;
use std::os::raw::c_char;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

#[path = "support/fork.rs"]
mod fork;
#[allow(dead_code)]
#[path = "support/mode.rs"]
mod mode;
#[path = "support/raw_thread.rs"]
mod raw_thread;
#[path = "support/stop.rs"]
mod stop;

use stop::Stop;

/// One test at a time.
static LOCK: Mutex<()> = Mutex::new(());
static STOP: AtomicBool = AtomicBool::new(false);

fn serialized() -> MutexGuard<'static, ()> {
    let guard = LOCK.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    STOP.store(false, SeqCst);
    guard
}

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
    let _lock = serialized();
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
    let at_end = Stop(&STOP);
    let start = Instant::now();
    let most = if mode::DEBUG { 50 } else { 300 };
    let mut forks = 0;
    let mut child_ends = true;
    while child_ends && forks < most && start.elapsed() < Duration::from_secs(10) {
        child_ends = ends(work);
        forks += 1;
    }
    drop(at_end);
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
    raw_thread::run(|| use_block(5000));
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

/// Their mappings are kept in a table, which has a lock.
#[test]
fn other_threads_use_large_blocks_again() {
    forks_beside(
        |round| use_block((300 + round % OTHERS * 100) << 20),
        || {
            // SAFETY: always allowed.
            unsafe { mi_collect(true) };
            use_block(300 << 20);
            use_all();
        },
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
            raw_thread::run(move || {
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

/// Two threads that fork at the same time, one of them with more locks than the handlers have space for at first.
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

unsafe extern "C" fn no_output(_: *const c_char, _: *mut c_void) {}

fn register_output(out: mi_output_fun) {
    // SAFETY: functions that ignore their arguments.
    unsafe { mi_register_output(out, null_mut()) };
}

#[test]
fn other_threads_register_output_functions() {
    forks_beside(
        |_| register_output(Some(no_output)),
        || {
            register_output(Some(no_output));
            use_all();
        },
    );
    register_output(None);
}

/// A lock that another thread holds nearly all the time, as upstream holds that of the output during the call: the thread
/// lets a fork go first.
#[test]
fn another_thread_always_holds_a_lock() {
    unsafe extern "C" fn slow_output(_: *const c_char, _: *mut c_void) {
        thread::sleep(Duration::from_millis(20));
    }
    let _lock = serialized();
    thread::scope(|scope| {
        let _at_end = Stop(&STOP);
        scope.spawn(|| {
            while !STOP.load(SeqCst) {
                register_output(Some(slow_output));
            }
        });
        for _ in 0..10 {
            assert!(ends(|| register_output(Some(no_output))));
        }
    });
    register_output(None);
}

/// A callback that forks while its own thread holds a lock: the fork takes a second, and both go on.
#[test]
fn an_output_function_forks() {
    static FORKED: AtomicBool = AtomicBool::new(false);
    unsafe extern "C" fn output(_: *const c_char, _: *mut c_void) {
        if !FORKED.swap(true, SeqCst) {
            assert!(ends(start_thread));
        }
    }
    let _lock = serialized();
    let start = Instant::now();
    register_output(Some(output));
    assert!(FORKED.load(SeqCst));
    assert!(start.elapsed() < Duration::from_secs(10));
    register_output(None);
    assert!(ends(use_all));
}

#[cfg(mi_v3)]
#[test]
fn a_callback_forks() {
    unsafe extern "C" fn visit(_: *mut mi_heap_t, _: *mut c_void) -> bool {
        assert!(ends(start_thread));
        true
    }
    let _lock = serialized();
    let start = Instant::now();
    // SAFETY: the visitor changes no heap.
    unsafe { mi_subproc_visit_heaps(mi_subproc_main(), Some(visit), null_mut()) };
    assert!(start.elapsed() < Duration::from_secs(10));
    assert!(ends(use_all));
}

/// While the fork of a callback waits for the lock of its own thread, another thread takes another lock, and keeps it for a
/// while: that one is waited for.
#[cfg(mi_v3)]
#[test]
fn a_callback_forks_while_another_thread_holds_a_lock() {
    unsafe extern "C" fn slow_output(_: *const c_char, _: *mut c_void) {
        thread::sleep(Duration::from_millis(400));
    }
    unsafe extern "C" fn visit(_: *mut mi_heap_t, _: *mut c_void) -> bool {
        assert!(ends(|| register_output(Some(no_output))));
        false
    }
    let _lock = serialized();
    let other = thread::spawn(|| {
        thread::sleep(Duration::from_millis(900));
        register_output(Some(slow_output));
    });
    // SAFETY: the visitor changes no heap.
    unsafe { mi_subproc_visit_heaps(mi_subproc_main(), Some(visit), null_mut()) };
    other.join().unwrap();
    register_output(None);
}

/// Only one thread at a time is in a profiler's snapshot. One that stays there in the parent is not in the
/// child.
#[cfg(mi_v3)]
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
    let _lock = serialized();
    // SAFETY: all zeroes is a profiler without callbacks; it is never started, and lives as long as the process.
    let profiler = Box::leak(Box::new(unsafe { std::mem::zeroed::<mi_profiler_t>() }));
    profiler.on_snapshot = Some(snapshot);
    let profiler: *mut mi_profiler_t = profiler;
    let address = profiler as usize;
    let at_end = Stop(&STOP);
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
    drop(at_end);
    other.join().unwrap();
    assert_eq!(take(), 2);
}

/// Memory outside arenas that threads leave behind is in a list with a lock, one for each subprocess. A thread of the
/// child may get the id of one that was leaving its segment: it crashed in one of 4000 children that took the segment
/// for its own.
#[cfg(mi_v2)]
#[test]
fn other_threads_leave_memory_outside_arenas() {
    static SUBPROC: AtomicUsize = AtomicUsize::new(0);
    static LEFT: [AtomicUsize; 2] = [AtomicUsize::new(0), AtomicUsize::new(0)];
    /// Starts a thread, in the main subprocess or in the other one, that ends with a block of its own.
    fn leave(round: usize) {
        let number = round % 2;
        raw_thread::run(move || {
            // SAFETY: a new thread, a block of any size, and one that nobody else has.
            unsafe {
                if number > 0 {
                    mi_subproc_add_current_thread(SUBPROC.load(SeqCst) as mi_subproc_id_t);
                }
                let block = mi_malloc(100);
                mi_free(LEFT[number].swap(block as usize, SeqCst) as *mut c_void);
            }
        });
    }
    // SAFETY: always allowed. The subprocess is not deleted.
    unsafe {
        mi_option_set(mi_option_disallow_arena_alloc, 1);
        SUBPROC.store(mi_subproc_new() as usize, SeqCst);
    }
    forks_beside(leave, || {
        leave(0);
        leave(1);
        use_all();
    });
    // SAFETY: always allowed.
    unsafe { mi_option_set(mi_option_disallow_arena_alloc, 0) };
}

/// Who frees the first block of another thread's page marks that page for a moment. The owner waits until the mark
/// is gone when it deletes a heap or ends.
#[cfg(mi_v2)]
#[test]
fn other_threads_free_the_first_block_of_a_page() {
    const BLOCKS: usize = 4000; // some nine in a page
    const SIZE: usize = 7000;
    static TURN: AtomicUsize = AtomicUsize::new(0);
    static READY: AtomicUsize = AtomicUsize::new(0);
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    static OF_OTHERS: Mutex<Vec<usize>> = Mutex::new(Vec::new());
    /// Frees, in each turn, some of the blocks that are there for that.
    fn free_blocks() {
        for turn in 1.. {
            while TURN.load(SeqCst) < turn {
                if STOP.load(SeqCst) {
                    return;
                }
                thread::yield_now();
            }
            let blocks = OF_OTHERS.lock().unwrap().clone();
            READY.fetch_add(1, SeqCst);
            while READY.load(SeqCst) <= OTHERS {
                std::hint::spin_loop();
            }
            while let Some(block) = blocks.get(NEXT.fetch_add(1, SeqCst)) {
                // SAFETY: each block once.
                unsafe { mi_free(*block as *mut c_void) };
            }
            READY.fetch_add(1, SeqCst);
        }
    }
    let _lock = serialized();
    let heap = if mode::HEAPS_MAY_END_WITH_FULL_PAGES {
        // SAFETY: always allowed.
        unsafe { mi_heap_new() }
    } else {
        // SAFETY: always allowed. It ends together with the thread.
        unsafe { mi_heap_get_backing() }
    };
    // SAFETY: any size.
    let take = || unsafe { mi_heap_malloc(heap, SIZE) } as usize;
    let mut own: Vec<usize> = (0..BLOCKS).map(|_| take()).collect();
    let mut page = 0;
    let mut of_others = Vec::new();
    own.retain(|block| {
        let first = block >> 16 != page;
        page = block >> 16;
        if first {
            of_others.push(*block);
        }
        !first
    });
    let others: Vec<_> = (0..OTHERS).map(|_| thread::spawn(free_blocks)).collect();
    let at_end = Stop(&STOP);
    let start = Instant::now();
    let most = if mode::DEBUG { 50 } else { 300 };
    let mut forks = 0;
    let mut child_ends = true;
    while child_ends && forks < most && start.elapsed() < Duration::from_secs(10) {
        let count = of_others.len();
        *OF_OTHERS.lock().unwrap() = std::mem::take(&mut of_others);
        NEXT.store(0, SeqCst);
        READY.store(0, SeqCst);
        TURN.fetch_add(1, SeqCst);
        while READY.load(SeqCst) < OTHERS {
            thread::yield_now();
        }
        READY.fetch_add(1, SeqCst); // now
        child_ends = fork::run(|| {
            // SAFETY: no pointers; blocks and a heap of this thread, which uses none of them again.
            unsafe {
                libc::alarm(20);
                for block in own.iter().step_by(2) {
                    mi_free(*block as *mut c_void);
                }
                for _ in 0..BLOCKS {
                    take();
                }
                mi_heap_collect(heap, true);
                if mode::HEAPS_MAY_END_WITH_FULL_PAGES {
                    mi_heap_delete(heap);
                }
                use_all();
                mi_thread_done();
            }
        });
        forks += 1;
        while READY.load(SeqCst) < 2 * OTHERS + 1 {
            thread::yield_now();
        }
        // SAFETY: a heap of this thread. It gets back what the others have freed.
        unsafe { mi_heap_collect(heap, false) };
        of_others = (0..count).map(|_| take()).collect();
    }
    drop(at_end);
    for other in others {
        other.join().unwrap();
    }
    assert!(child_ends, "child {forks} did not come to its end");
    if mode::HEAPS_MAY_END_WITH_FULL_PAGES {
        // SAFETY: of this thread, and nothing of it is used any more.
        unsafe { mi_heap_destroy(heap) };
    }
}

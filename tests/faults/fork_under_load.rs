//! A process that forks under load. No other thread is inside mimalloc at that moment, so that each block
//! can be checked. (For threads that are inside: `tests/faults_fork_locks.rs`.)

use crate::fork;
use crate::mode;
use crate::respawn;
use core::ffi::c_void;
use mi_malloc_sys::*;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::RwLock;
use std::thread;

use crate::memory::*;

/// Held for reading inside the allocator and for writing during a fork.
static INSIDE: RwLock<()> = RwLock::new(());
static STOP: AtomicBool = AtomicBool::new(false);
static ROUNDS: AtomicUsize = AtomicUsize::new(0);

const BLOCKS: usize = 500;

fn size(number: usize) -> usize {
    [16, 100, 900, 3_000, 20_000, 200_000][number % 6]
}

unsafe fn block(number: usize) -> *mut c_void {
    let p = mi_malloc(size(number));
    fill(p, size(number), number as u8);
    p
}

unsafe fn free(p: *mut c_void, number: usize) {
    assert!(holds(p, size(number), number as u8));
    mi_free(p);
}

/// Has blocks at any time, and always others.
fn load(kept: usize) {
    let mut blocks: Vec<usize> = Vec::new();
    while !STOP.load(SeqCst) {
        let _inside = INSIDE.read().unwrap();
        unsafe {
            for number in 0..BLOCKS {
                blocks.push(block(number) as usize);
            }
            // The first half goes, in the order in which it came.
            for (number, p) in blocks.drain(..).enumerate() {
                free(p as *mut c_void, number);
            }
            // One that outlives the round, for the forked process to find.
            free(SHARED[kept].load(SeqCst) as *mut c_void, kept);
            SHARED[kept].store(block(kept) as usize, SeqCst);
        }
        ROUNDS.fetch_add(1, SeqCst);
    }
}

const LOADS: usize = 3;
static SHARED: [AtomicUsize; LOADS] = [
    AtomicUsize::new(0),
    AtomicUsize::new(0),
    AtomicUsize::new(0),
];

/// What a forked process may want to do.
fn in_the_child(own: &[*mut c_void]) {
    // Better a failure than a deadlock.
    unsafe { libc::alarm(600) };
    unsafe {
        // Its own thread's blocks, those of threads that are not here, and new ones.
        for (number, p) in own.iter().enumerate() {
            free(*p, number);
        }
        for (number, p) in SHARED.iter().enumerate() {
            free(p.load(SeqCst) as *mut c_void, number);
        }
        let again: Vec<_> = (0..3 * BLOCKS).map(|number| block(number)).collect();
        mi_collect(true);
        // A thread of its own.
        let pieces: Vec<usize> = again.iter().map(|p| *p as usize).collect();
        let other = thread::spawn(move || {
            for (number, p) in pieces.into_iter().enumerate() {
                free(p as *mut c_void, number);
            }
            (0..BLOCKS)
                .map(|number| block(number) as usize)
                .collect::<Vec<_>>()
        });
        for (number, p) in other.join().unwrap().into_iter().enumerate() {
            free(p as *mut c_void, number);
        }
        let heap = mi_heap_new();
        let p = mi_heap_zalloc(heap, 10_000);
        assert!(is_zero(p, 10_000));
        mi_heap_destroy(heap);
        // A fork of the fork.
        let p = block(2);
        assert!(fork::run(|| free(p, 2)));
        free(p, 2);
    }
}

#[test]
fn under_load() {
    respawn::alone(|| {
        let forks = if mode::DEBUG { 4 } else { 12 };
        unsafe {
            for (number, p) in SHARED.iter().enumerate() {
                p.store(block(number) as usize, SeqCst);
            }
            let threads: Vec<_> = (0..LOADS)
                .map(|kept| thread::spawn(move || load(kept)))
                .collect();
            for _ in 0..forks {
                let before = ROUNDS.load(SeqCst);
                while ROUNDS.load(SeqCst) < before + 2 {
                    thread::yield_now();
                }
                let own: Vec<_> = (0..BLOCKS).map(|number| block(number)).collect();
                {
                    let _alone = INSIDE.write().unwrap();
                    assert!(fork::run(|| in_the_child(&own)));
                }
                // The parent's are as they were.
                for (number, p) in own.into_iter().enumerate() {
                    free(p, number);
                }
            }
            STOP.store(true, SeqCst);
            threads
                .into_iter()
                .for_each(|thread| thread.join().unwrap());
            for (number, p) in SHARED.iter().enumerate() {
                free(p.load(SeqCst) as *mut c_void, number);
            }
        }
    });
}

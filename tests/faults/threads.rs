//! Storms of short threads: what they leave behind is bounded.

use crate::mode;
use crate::resident;
use crate::respawn;
use core::ffi::c_void;
use mi_malloc_sys::*;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Barrier};
use std::thread;

use crate::memory::*;

/// Every kind of page.
const KINDS: [usize; 6] = [16, 200, 1024, 9_000, 70_000, 600_000];

/// Block `number` of a thread: at `p`, with the size and the byte that follow from the number.
unsafe fn block(number: usize) -> usize {
    let size = KINDS[number % KINDS.len()];
    let p = mi_malloc(size);
    fill(p, size.min(5_000), number as u8);
    p as usize
}

unsafe fn free(p: usize, number: usize) {
    let p = p as *mut c_void;
    let size = KINDS[number % KINDS.len()];
    assert!(holds(p, size.min(5_000), number as u8));
    mi_free(p);
}

/// A thread that keeps no block: it frees some itself and hands the others over.
fn short_thread() -> Vec<usize> {
    const BLOCKS: usize = 40;
    unsafe {
        let blocks: Vec<usize> = (0..BLOCKS).map(|number| block(number)).collect();
        let (own, others) = blocks.split_at(BLOCKS / 2);
        for (number, p) in own.iter().enumerate() {
            free(*p, number);
        }
        others.to_vec()
    }
}

/// Frees what [`short_thread`] handed over.
fn free_all(blocks: Vec<usize>) {
    for (index, p) in blocks.iter().enumerate() {
        unsafe { free(*p, blocks.len() + index) };
    }
}

/// One after another; each frees what the one before it left.
fn storm(threads: usize) {
    let mut left = Vec::new();
    for _ in 0..threads {
        left = thread::spawn(move || {
            free_all(left);
            short_thread()
        })
        .join()
        .unwrap();
    }
    free_all(left);
}

/// Many at the same time; a thread that lives longer frees what they leave.
fn crowd(threads: usize) {
    const AT_ONCE: usize = 50;
    let (give, given) = sync_channel::<Vec<usize>>(AT_ONCE);
    let heir = thread::spawn(move || given.into_iter().for_each(free_all));
    for _ in 0..threads / AT_ONCE {
        // All there at once, however many processors there are: the C library has memory for each.
        let all_there = Arc::new(Barrier::new(AT_ONCE));
        let crowd: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                let give = give.clone();
                let all_there = Arc::clone(&all_there);
                thread::spawn(move || {
                    all_there.wait();
                    give.send(short_thread()).unwrap();
                })
            })
            .collect();
        crowd.into_iter().for_each(|thread| thread.join().unwrap());
    }
    drop(give);
    heir.join().unwrap();
}

#[test]
fn ten_thousand_threads_leave_nothing() {
    respawn::alone(|| {
        // A thread that has not allocated collects nothing.
        unsafe { mi_free(mi_malloc(1)) };
        let settled = |storm: fn(usize), threads| {
            storm(threads);
            unsafe { mi_collect(true) };
            resident::memory()
        };
        // Upstream's full checks take their time.
        let threads = if mode::DEBUG { 1_000 } else { 5_000 };
        for (name, kind) in [("storm", storm as fn(usize)), ("crowd", crowd)] {
            // A crowd that happens to overlap more takes more, and keeps its addresses. So there are three goes, each
            // compared with the one before it: a leak grows with each.
            let mut seen = vec![settled(kind, threads / 10)];
            let settles = (0..3).any(|_| {
                let [addresses, resident] = seen[seen.len() - 1].map(|bytes| bytes as u64);
                let many = settled(kind, threads);
                seen.push(many);
                // Some megabytes come and go; 4 KiB for each thread would be too much. Addresses are taken in pieces of
                // 1 GiB and more, as many as the threads that happened to be there at once needed. A segment of v2 for
                // each thread would be 30 GiB or more.
                (many[0] as u64) < addresses + (16 << 30)
                    && (many[1] as u64) < resident + (16 << 20)
            });
            assert!(settles, "{name} {seen:?}");
        }
    });
}

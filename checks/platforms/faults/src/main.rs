//! Deliberate mistakes with mimalloc's blocks, one for each name, for tools that must report them.

use mi_malloc_sys as mi;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

fn main() {
    let name = std::env::args().nth(1).unwrap_or_default();
    match name.as_str() {
        "none" => none(),
        "overflow" => overflow(40),
        "far-overflow" => overflow(64),
        "use-after-free" => use_after_free(),
        "leak" => leak(),
        "race" => race(),
        _ => {
            eprintln!("usage: faults none|overflow|far-overflow|use-after-free|leak|race");
            std::process::exit(2);
        }
    }
    println!("came to the end of {}", name);
}

/// Correct use: a tool that reports an error here is wrong.
fn none() {
    let threads: Vec<_> = (0..4usize)
        .map(|thread| {
            std::thread::spawn(move || {
                for size in 1..2000 {
                    let block = allocate(size + thread);
                    unsafe { block.write_bytes(1, size + thread) };
                    free(block);
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|t| t.join().unwrap());
}

/// Writes one byte behind a block of 40 bytes: the first, or one beyond mimalloc's padding.
fn overflow(offset: usize) {
    let block = allocate(40);
    unsafe { block.add(hidden(offset)).write_volatile(1) };
    free(block);
}

fn use_after_free() {
    let block = allocate(40);
    free(block);
    unsafe { block.add(hidden(8)).write_volatile(1) };
}

fn leak() {
    // mimalloc itself has a pointer to the first block of a page, so the second is leaked.
    let first = allocate(12_345);
    let second = allocate(12_345);
    unsafe { second.write_volatile(1) };
    free(first);
}

/// Many times: the sanitizer detects a race only while it has recorded both accesses.
fn race() {
    for round in 1..=40 {
        race_once(2 * round);
    }
}

fn race_once(expected: usize) {
    // Both run at the same time: the allocator's own atomics may order threads that run one after
    // the other. Relaxed, because otherwise the wait would order them.
    static READY: AtomicUsize = AtomicUsize::new(0);
    let block = allocate(64) as usize;
    let writers: Vec<_> = (0..2)
        .map(|_| {
            std::thread::spawn(move || {
                READY.fetch_add(1, Relaxed);
                while READY.load(Relaxed) < expected {
                    std::thread::yield_now();
                }
                for n in 0..1000u32 {
                    unsafe { *(block as *mut u32) = n };
                }
            })
        })
        .collect();
    writers.into_iter().for_each(|w| w.join().unwrap());
    free(block as *mut u8);
}

#[inline(never)]
fn allocate(size: usize) -> *mut u8 {
    let block = unsafe { mi::mi_malloc(size) };
    assert!(!block.is_null());
    block as *mut u8
}

#[inline(never)]
fn free(block: *mut u8) {
    unsafe { mi::mi_free(block as *mut _) };
}

/// A number that is unknown to the optimiser.
fn hidden(number: usize) -> usize {
    let place = number;
    unsafe { std::ptr::read_volatile(&place) }
}

//! Deliberate mistakes with mimalloc's blocks, one for each name, for tools that must report them.

use mi_malloc_sys as mi;

fn main() {
    let name = std::env::args().nth(1).unwrap_or_default();
    match name.as_str() {
        "none" => none(),
        "overflow" => overflow(),
        "use-after-free" => use_after_free(),
        "leak" => leak(),
        "race" => race(),
        _ => {
            eprintln!("usage: faults none|overflow|use-after-free|leak|race");
            std::process::exit(2);
        }
    }
    println!("came to the end of {}", name);
}

/// Nothing wrong: a tool that reports here reports too much.
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

fn overflow() {
    let block = allocate(40);
    unsafe { block.add(hidden(40)).write_volatile(1) };
    free(block);
}

fn use_after_free() {
    let block = allocate(40);
    free(block);
    unsafe { block.add(hidden(8)).write_volatile(1) };
}

fn leak() {
    let block = allocate(12_345);
    unsafe { block.write_volatile(1) };
    // No pointer to it may stay in a register or on the stack.
    let _ = hidden(block as usize);
}

fn race() {
    let block = allocate(64) as usize;
    let writers: Vec<_> = (0..2)
        .map(|_| {
            std::thread::spawn(move || {
                for n in 0..100_000u32 {
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

/// A number that the optimiser does not know.
fn hidden(number: usize) -> usize {
    let place = number;
    unsafe { std::ptr::read_volatile(&place) }
}

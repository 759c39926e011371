//! A program with `MiMalloc` as its global allocator, for platforms that have only a compiler and a standard library of Rust.
//! Prints `passed N` at its end, or the panic of the check that failed.

#[cfg(all(windows, target_arch = "x86_64"))]
mod steps;

use mi_malloc_sys as mi;
use std::alloc::{alloc, alloc_zeroed, dealloc, realloc, Layout};
use std::collections::HashMap;
use std::ffi::c_void;

#[global_allocator]
static GLOBAL: mi::MiMalloc = mi::MiMalloc;

// The system's mimalloc does not read them.
#[cfg(feature = "options")]
mi::options! { mi_option_max_warnings = 7 }

fn main() {
    let checks: &[(&str, fn())] = &[
        ("the major version and release", version),
        ("Rust's own blocks are mimalloc's", ownership),
        ("every alignment", alignments),
        ("reallocation keeps contents", reallocation),
        ("zeroed memory is zero", zeroed),
        ("impossible requests are refused", refusals),
        ("about two GiB are given whole or refused", two_gib),
        ("collections", collections),
        ("blocks of many MiB", large),
        ("heaps", heaps),
        ("statistics", statistics),
        ("options", options),
        #[cfg(feature = "options")]
        ("options in the program", options_in_the_program),
        #[cfg(not(target_family = "wasm"))]
        ("threads free each other's blocks", threads),
        #[cfg(not(target_family = "wasm"))]
        ("threads come and go", short_threads),
        #[cfg(all(windows, target_arch = "x86_64"))]
        ("instructions are few", steps::of_a_block),
    ];
    for (name, check) in checks {
        println!("{}", name);
        check();
    }
    println!("passed {}", checks.len());
}

#[allow(deprecated)] // the name that both major versions have
fn in_mimalloc<T: ?Sized>(block: *const T) -> bool {
    unsafe { mi::mi_is_in_heap_region(block as *const c_void) }
}

fn version() {
    let version = unsafe { mi::mi_version() };
    let major = if version < 10_000 {
        version / 100
    } else {
        version / 10_000
    };
    assert_eq!(major, if cfg!(feature = "v2") { 2 } else { 3 });
}

fn ownership() {
    static IN_THE_PROGRAM: u64 = 1;
    let boxed = Box::new([7u64; 5]);
    let vector: Vec<u8> = Vec::with_capacity(100_000);
    assert!(in_mimalloc(&*boxed));
    assert!(in_mimalloc(vector.as_ptr()));
    assert!(!in_mimalloc(&IN_THE_PROGRAM));
    let usable = unsafe { mi::mi_usable_size(vector.as_ptr() as *const c_void) };
    assert!((100_000..200_000).contains(&usable));
}

fn alignments() {
    for shift in 0..=20 {
        let align = 1 << shift;
        for &size in &[1, 7, 8, 16, 24, 48, 1000, 1024, 1032, 5000, 70_000] {
            let layout = Layout::from_size_align(size, align).unwrap();
            for zero in [false, true] {
                unsafe {
                    let block = if zero {
                        alloc_zeroed(layout)
                    } else {
                        alloc(layout)
                    };
                    assert!(!block.is_null() && block as usize % align == 0);
                    assert!(in_mimalloc(block));
                    block.write_bytes(0xA5, size);
                    dealloc(block, layout);
                }
            }
        }
    }
}

fn reallocation() {
    for &align in &[1usize, 16, 64, 4096] {
        let mut layout = Layout::from_size_align(24, align).unwrap();
        unsafe {
            let mut block = alloc(layout);
            for i in 0..24 {
                block.add(i).write(i as u8);
            }
            for &size in &[40, 1000, 2000, 100_000, 3_000_000, 5000, 24] {
                block = realloc(block, layout, size);
                layout = Layout::from_size_align(size, align).unwrap();
                assert!(!block.is_null() && block as usize % align == 0);
                assert!((0..24).all(|i| block.add(i).read() == i as u8));
            }
            dealloc(block, layout);
        }
    }
}

fn zeroed() {
    for round in 0..3 {
        for &size in &[8usize, 100, 1024, 9000, 200_000, 5_000_000] {
            let layout = Layout::from_size_align(size, 8).unwrap();
            unsafe {
                let block = alloc_zeroed(layout);
                let bytes = std::slice::from_raw_parts_mut(block, size);
                assert!(bytes.iter().all(|&byte| byte == 0), "{} {}", round, size);
                bytes.fill(0xFF);
                dealloc(block, layout);
            }
        }
    }
}

/// Three requests for half of all addresses each: with 32-bit pointers one may succeed, but never all three.
fn refusals() {
    let layout = Layout::from_size_align(isize::MAX as usize - 4095, 4096).unwrap();
    let blocks: Vec<_> = (0..3).map(|_| unsafe { alloc(layout) }).collect();
    assert!(blocks.iter().any(|block| block.is_null()));
    for block in blocks.into_iter().filter(|block| !block.is_null()) {
        unsafe { dealloc(block, layout) };
    }
    let mut vectors = vec![Vec::<u8>::new(); 3];
    assert!(vectors
        .iter_mut()
        .any(|vector| vector.try_reserve_exact(isize::MAX as usize).is_err()));
}

/// Where pointers have 32 bits, mimalloc itself would crash on some of these.
fn two_gib() {
    for &size in &[0x7000_0000usize, 0x7eff_f000, 0x7fdf_ff00, 0x7fff_0000] {
        for &align in &[1usize, 1 << 16, 1 << 22, 1 << 28] {
            for size in [size, size.saturating_sub(align)] {
                let layout = match Layout::from_size_align(size.max(1), align) {
                    Ok(layout) => layout,
                    Err(_) => continue, // too large for any allocator
                };
                unsafe {
                    let block = alloc(layout);
                    if !block.is_null() {
                        assert_eq!(block as usize % align, 0);
                        block.write(1);
                        block.add(layout.size() - 1).write(2);
                        dealloc(block, layout);
                    }
                }
            }
        }
    }
}

fn collections() {
    let mut words: HashMap<String, Vec<usize>> = HashMap::new();
    for number in 0..20_000usize {
        let word = format!("{:b}", number % 977);
        words.entry(word).or_default().push(number);
    }
    assert_eq!(words.len(), 977);
    assert_eq!(words.values().map(Vec::len).sum::<usize>(), 20_000);
    assert_eq!(words["1"][1], 978);
}

fn large() {
    let mut block = vec![1u8; 24 << 20];
    assert!(in_mimalloc(block.as_ptr()));
    block.resize(40 << 20, 2);
    assert_eq!((block[0], block[(40 << 20) - 1]), (1, 2));
}

fn heaps() {
    unsafe {
        let heap = mi::mi_heap_new();
        assert!(!heap.is_null());
        let kept = mi::mi_heap_malloc(heap, 100) as *mut u8;
        kept.write_bytes(9, 100);
        mi::mi_heap_delete(heap); // the block moves to the main heap
        assert_eq!(kept.add(99).read(), 9);
        mi::mi_free(kept as *mut c_void);

        let heap = mi::mi_heap_new();
        for size in 1..1000 {
            assert!(!mi::mi_heap_malloc(heap, size).is_null());
        }
        mi::mi_heap_destroy(heap);
    }
}

fn statistics() {
    unsafe {
        let text = mi::mi_stats_get_json(0, std::ptr::null_mut());
        assert!(!text.is_null());
        let json = std::ffi::CStr::from_ptr(text as *const _).to_str().unwrap();
        assert!(json.trim_start().starts_with('{') && json.contains("committed"));
        mi::mi_free(text as *mut c_void);
    }
}

fn options() {
    unsafe {
        let before = mi::mi_option_get(mi::mi_option_purge_delay);
        mi::mi_option_set(mi::mi_option_purge_delay, before + 7);
        assert_eq!(mi::mi_option_get(mi::mi_option_purge_delay), before + 7);
        mi::mi_option_set(mi::mi_option_purge_delay, before);
    }
}

#[cfg(feature = "options")]
fn options_in_the_program() {
    assert_eq!(unsafe { mi::mi_option_get(mi::mi_option_max_warnings) }, 7);
}

#[cfg(not(target_family = "wasm"))]
fn threads() {
    let (send, receive) = std::sync::mpsc::channel::<Vec<String>>();
    let makers: Vec<_> = (0..4)
        .map(|maker| {
            let send = send.clone();
            std::thread::spawn(move || {
                for round in 0..200 {
                    let batch = (0..50).map(|n| format!("{} {} {}", maker, round, n));
                    send.send(batch.collect()).unwrap();
                }
            })
        })
        .collect();
    drop(send);
    let strings: usize = receive.iter().map(|batch| batch.len()).sum();
    assert_eq!(strings, 4 * 200 * 50);
    makers.into_iter().for_each(|maker| maker.join().unwrap());
}

#[cfg(not(target_family = "wasm"))]
fn short_threads() {
    for _ in 0..50 {
        let made = std::thread::spawn(|| vec![3u8; 10_000]).join().unwrap();
        assert!(in_mimalloc(made.as_ptr()) && made[9_999] == 3);
    }
}

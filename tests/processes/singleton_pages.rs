//! Blocks above 64 KiB have a page each, and a thread retains its latest ones up to 512 KiB (`src/singleton_pages.h`). With
//! large slices both sizes are twice as large.

use crate::pages;
use crate::resident::resident;
use crate::respawn::alone;
use crate::visit;
use core::ffi::c_void;
use mi_malloc_sys::*;
use std::alloc::{GlobalAlloc, Layout};
use std::thread;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// Runs the test in a process of its own, where such pages are retained.
fn alone_if_retained(test: impl FnOnce()) {
    if cfg!(mi_retained_pages) {
        alone(test);
    } else {
        println!("not run: this build retains no pages of single blocks");
    }
}

fn block(size: usize) -> *mut c_void {
    // SAFETY: the block has so many bytes.
    unsafe {
        let p = mi_malloc(size);
        assert!(!p.is_null());
        p.cast::<u8>().write_bytes(1, size);
        p
    }
}

fn free(p: *mut c_void) {
    // SAFETY: each test frees a block once, and uses it no more.
    unsafe { mi_free(p) };
}

fn free_in_another_thread(blocks: &[*mut c_void]) {
    let sent: Vec<usize> = blocks.iter().map(|&p| p as usize).collect();
    thread::spawn(move || sent.into_iter().for_each(|p| free(p as *mut c_void)))
        .join()
        .unwrap();
}

/// The pages with blocks of such a size: in use, and empty.
fn pages() -> (usize, usize) {
    pages::count(129 * KIB..512 * KIB + 1)
}

#[test]
fn a_freed_block_serves_the_next_of_its_class() {
    alone_if_retained(|| {
        for (size, smaller) in [(160, 140), (192, 170), (320, 300), (512, 450)] {
            let first = block(size * KIB);
            free(first);
            assert_eq!(pages(), (0, 1), "{size}");
            let next = block(smaller * KIB);
            assert_eq!(next, first, "{size}");
            assert_eq!(pages(), (1, 0), "{size}");
            // SAFETY: the block is this test's.
            assert!(unsafe { mi_usable_size(next) } >= size * KIB, "{size}");
            free(next);
            // SAFETY: always safe to call.
            unsafe { mi_collect(true) };
        }
    });
}

#[test]
fn zeroed_blocks_are_zero() {
    alone_if_retained(|| {
        let by_type = |p: *mut c_void, size| {
            let layout = Layout::from_size_align(size, 8).unwrap();
            // SAFETY: the block is used no more.
            unsafe { MiMalloc.dealloc(p.cast(), layout) };
        };
        let by_another_thread = |p, _| free_in_another_thread(&[p]);
        let by_itself = |p, _| free(p);
        let frees: [&dyn Fn(*mut c_void, usize); 3] = [&by_itself, &by_type, &by_another_thread];
        for size in [140 * KIB, 512 * KIB] {
            for freed in frees {
                let first = block(size);
                freed(first, size);
                // SAFETY: the block has so many bytes, which are initialised.
                let bytes = unsafe {
                    let p = mi_zalloc(size);
                    assert_eq!(p, first);
                    std::slice::from_raw_parts(p.cast::<u8>(), mi_usable_size(p))
                };
                assert!(bytes.iter().all(|&byte| byte == 0), "{size}");
                free(first);
            }
        }
    });
}

#[test]
fn a_block_in_use_keeps_only_its_own_memory() {
    alone_if_retained(|| {
        free(block(64 * KIB));
        let before = resident();
        let mut kept = Vec::new();
        for size in [160, 192, 224, 256, 320, 384, 448, 512] {
            let mut blocks: Vec<_> = (0..8).map(|_| block(size * KIB)).collect();
            kept.push(blocks.swap_remove(4));
            blocks.into_iter().for_each(free);
        }
        // SAFETY: always safe to call.
        unsafe { mi_collect(true) };
        // The blocks in use have 2.4 MiB, and all of them had 20.
        let added = resident() - before;
        assert!(added < 5 * MIB, "{added}");
        kept.into_iter().for_each(free);
    });
}

#[test]
fn few_empty_pages_are_retained_and_not_for_long() {
    alone_if_retained(|| {
        let blocks: Vec<_> = (0..20).map(|_| block(200 * KIB)).collect();
        assert_eq!(pages(), (20, 0));
        blocks.into_iter().for_each(free);
        assert_eq!(pages(), (0, 3));
        // What is allocated later does not hide them.
        let later = block(150 * KIB);
        // SAFETY: the arguments are an alignment and a size that mimalloc supports.
        let aligned = unsafe { mi_malloc_aligned(100, 256 * KIB) };
        assert_eq!(pages(), (1, 3));
        // Housekeeping happens in each thousandth allocation off the fast path.
        for _ in 0..4_000 {
            free(block(20 * KIB));
            // SAFETY: the block is used no more.
            unsafe { mi_free(mi_malloc(2 * MIB)) };
        }
        assert_eq!(pages(), (1, 0));
        free(later);
        free(aligned);
    });
}

/// What is freed by another thread goes back at once, of all but the last eight.
#[test]
fn few_pages_in_use_are_retained() {
    alone_if_retained(|| {
        // Small blocks of a large alignment are in the same queue.
        // SAFETY: the arguments are an alignment and a size that mimalloc supports.
        let aligned: Vec<_> = (0..12)
            .map(|_| unsafe { mi_malloc_aligned(100, 256 * KIB) })
            .collect();
        let blocks: Vec<_> = (0..20).map(|_| block(200 * KIB)).collect();
        free_in_another_thread(&blocks);
        assert_eq!(pages(), (0, 8));
        aligned.into_iter().for_each(free);
        // SAFETY: always safe to call.
        unsafe { mi_collect(true) };
        assert_eq!(pages(), (0, 0));
    });
}

#[test]
fn blocks_that_another_thread_frees_serve_the_next() {
    alone_if_retained(|| {
        let mut blocks: Vec<_> = (0..4).map(|_| block(150 * KIB)).collect();
        free_in_another_thread(&blocks);
        assert_eq!(pages(), (0, 4));
        let mut next: Vec<_> = (0..4).map(|_| block(150 * KIB)).collect();
        next.sort_unstable();
        blocks.sort_unstable();
        assert_eq!(next, blocks);
        assert_eq!(pages(), (4, 0));
        next.into_iter().for_each(free);
    });
}

#[test]
fn an_idle_thread_keeps_none() {
    alone_if_retained(|| {
        let kept = block(150 * KIB);
        let freed = block(150 * KIB);
        free(freed);
        assert_eq!(pages(), (1, 1));
        // SAFETY: not in a callback.
        unsafe { abandon_pages() };
        assert_eq!(pages(), (1, 0));
        free_in_another_thread(&[kept]);
        assert_eq!(pages(), (0, 0));
    });
}

#[test]
fn a_heap_and_a_thread_end_with_retained_pages() {
    alone_if_retained(|| {
        let before = pages();
        let kept = thread::spawn(|| {
            let blocks: Vec<_> = (0..10).map(|_| block(300 * KIB)).collect();
            let kept = blocks[9] as usize;
            blocks[..9].iter().for_each(|&p| free(p));
            // SAFETY: the heap's blocks are not used.
            unsafe {
                let heap = mi_heap_new();
                for _ in 0..10 {
                    mi_free(mi_heap_malloc(heap, 300 * KIB));
                    assert!(!mi_heap_malloc(heap, 300 * KIB).is_null());
                }
                visit::destroy(heap);
            }
            kept
        })
        .join()
        .unwrap();
        assert_eq!(pages(), (before.0 + 1, before.1));
        // SAFETY: the thread filled it.
        assert_eq!(unsafe { *(kept as *const u8).add(300 * KIB - 1) }, 1);
        free(kept as *mut c_void);
        assert_eq!(pages(), before);
    });
}

#[test]
fn a_growing_block_moves_once_for_each_class() {
    alone_if_retained(|| {
        let mut p = block(128 * KIB);
        let mut moves = 0;
        for size in 129..=512 {
            // SAFETY: the old pointer is used no more.
            let grown = unsafe { mi_realloc(p, size * KIB) };
            moves += usize::from(grown != p);
            p = grown;
        }
        free(p);
        // Fewer with larger pages of the system.
        assert!((1..=8).contains(&moves), "{moves}");
    });
}

//! Which blocks `MiMalloc` allocates again. With our own entry points on v3, blocks above the small sizes are reused in
//! LIFO order: the bytes of the block that was freed last are still in the processor's cache.
//!
//! Each test runs in a process of its own: the pages that a thread cannot keep are for all threads, and so which of them
//! are used again would depend on what others allocate.

use crate::respawn;
use mi_malloc_sys::*;
use std::alloc::{GlobalAlloc, Layout};
use std::collections::HashSet;
use std::mem::size_of;
use std::sync::mpsc::channel;

use crate::memory::*;

/// In small pages, medium pages and large pages.
const SIZES: [usize; 7] = [1025, 2000, 4096, 10_000, 20_000, 65_536, 100_000];

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, size_of::<usize>()).unwrap()
}

fn take(size: usize) -> *mut u8 {
    let p = unsafe { MiMalloc.alloc(layout(size)) };
    assert!(!p.is_null());
    p
}

fn give(p: *mut u8, size: usize) {
    unsafe { MiMalloc.dealloc(p, layout(size)) };
}

/// Blocks of a size, with free ones in between.
fn some(size: usize) -> Vec<*mut u8> {
    let all: Vec<*mut u8> = (0..20).map(|_| take(size)).collect();
    let (kept, freed): (Vec<_>, Vec<_>) =
        all.into_iter().enumerate().partition(|(i, _)| i % 2 == 0);
    freed.into_iter().for_each(|(_, p)| give(p, size));
    kept.into_iter().map(|(_, p)| p).collect()
}

/// How many of a thousand allocations get the block that was freed last, in pages with other blocks.
#[cfg(all(mi_v3, any(mi_fast_path = "c", mi_fast_path = "rust")))]
fn reused_in_lifo_order(layout: Layout) -> u32 {
    let take = || unsafe { MiMalloc.alloc(layout) };
    let give = |p| unsafe { MiMalloc.dealloc(p, layout) };
    let mut kept: Vec<*mut u8> = (0..20).map(|_| take()).collect();
    (0..10).for_each(|at| give(kept.swap_remove(at)));
    let again = |_| {
        let p = take();
        unsafe { fill(p.cast(), layout.size(), 0x11) };
        give(p);
        let next = take();
        give(next);
        u32::from(next == p)
    };
    let same = (0..1000).map(again).sum();
    kept.into_iter().for_each(give);
    same
}

/// Not in builds that check blocks: they have no entry points of ours.
#[cfg(all(mi_v3, any(mi_fast_path = "c", mi_fast_path = "rust")))]
#[test]
fn large_blocks_reused_lifo() {
    respawn::alone(|| {
        // Not where a page has one block left, which is upstream's case, or had its count of them.
        let mostly = |&layout: &Layout| reused_in_lifo_order(layout) > 900;
        for size in SIZES {
            assert!(mostly(&layout(size)), "{size}");
        }
        // The aligned parts of larger blocks. A page may happen to lie so that its blocks are aligned, and then
        // is like any other of an alignment, but it is seldom so.
        let sizes = [
            12_288, 20_000, 24_576, 30_000, 40_000, 50_000, 70_000, 100_000,
        ];
        let parts = sizes.map(|size| layout(size).align_to(4096).unwrap());
        assert!(parts.iter().filter(|part| mostly(part)).count() >= 3);
    });
}

/// A block has the next size class, while there are current pages of all other size classes too.
#[cfg(all(mi_v3, any(mi_fast_path = "c", mi_fast_path = "rust")))]
#[test]
fn of_the_size_asked_for() {
    respawn::alone(|| {
        let sizes = 1..=2 * MI_SMALL_SIZE_MAX;
        let kept: Vec<Vec<*mut u8>> = sizes.clone().map(some).collect();
        let is_of = |size: usize, layout: Layout| unsafe {
            let p = MiMalloc.alloc(layout);
            assert_eq!(mi_usable_size(p.cast()), mi_good_size(size), "{layout:?}");
            MiMalloc.dealloc(p, layout);
        };
        // Beyond the size classes a block may be larger (`src/singleton_pages.h`).
        let larger = [5000, 10_240, 10_241, 20_000, 65_536];
        for size in sizes.clone().chain(larger) {
            is_of(size, layout(size));
            for align in [32, 64, 256] {
                // Small ones are rounded up to the alignment, and all where a cache line is enough.
                let aligned = layout(size).align_to(align).unwrap();
                let whole = aligned.pad_to_align().size();
                if whole <= MI_SMALL_SIZE_MAX || align <= 64 {
                    is_of(whole, aligned);
                }
            }
        }
        for (size, blocks) in sizes.zip(kept) {
            blocks.into_iter().for_each(|p| give(p, size));
        }
    });
}

/// Also in a page that was fresh from the system, of which the blocks need not be zeroed.
#[test]
fn zeroed_all_the_same() {
    respawn::alone(|| {
        let usual = SIZES.map(layout);
        let small = [1, 8, 9, 24, 40, 100, 200, 1000].map(layout);
        let aligned = |align| SIZES.map(|size| layout(size).align_to(align).unwrap());
        let aligned = [32, 64, 256, 4096].into_iter().flat_map(aligned);
        for layout in usual.into_iter().chain(small).chain(aligned) {
            let size = layout.size();
            let mut blocks = Vec::new();
            for turn in 0..60 {
                let p = unsafe { MiMalloc.alloc_zeroed(layout) };
                unsafe {
                    assert!(holds(p.cast(), size, 0), "{layout:?}: {turn}");
                    fill(p.cast(), size, 0xAB);
                }
                blocks.push(p);
                if turn % 3 == 1 {
                    unsafe { MiMalloc.dealloc(blocks.swap_remove(turn % blocks.len()), layout) };
                }
            }
            let give = |p| unsafe { MiMalloc.dealloc(p, layout) };
            blocks.into_iter().for_each(give);
        }
    });
}

/// What a vector leaves behind as it grows, and a block that shrank in place.
#[test]
fn left_by_resizing() {
    respawn::alone(|| {
        for size in SIZES {
            let kept = some(size);
            for _ in 0..100 {
                unsafe {
                    let p = MiMalloc.alloc_zeroed(layout(size));
                    let grown = MiMalloc.realloc(p, layout(size), 3 * size);
                    fill(grown.cast(), 3 * size, 0xCD);
                    let other = MiMalloc.alloc_zeroed(layout(size));
                    assert!(holds(other.cast(), size, 0), "{size}");
                    let shrunk = MiMalloc.realloc(grown, layout(3 * size), 2 * size);
                    assert!(holds(shrunk.cast(), 2 * size, 0xCD), "{size}");
                    give(shrunk, 2 * size);
                    fill(other.cast(), size, 0xEF);
                    give(other, size);
                }
            }
            kept.into_iter().for_each(|p| give(p, size));
        }
    });
}

/// A thread that goes on with one block of a page comes to have those again that another thread has
/// freed of its pages.
#[test]
fn freed_by_another_thread() {
    respawn::alone(|| {
        let (send, blocks) = channel::<Vec<usize>>();
        let (done, freed) = channel();
        let other = std::thread::spawn(move || {
            for block in blocks {
                let size = block[0];
                block[1..].iter().for_each(|&p| give(p as *mut u8, size));
                done.send(()).unwrap();
            }
        });
        for size in SIZES {
            let kept = some(size);
            let mut places = HashSet::new();
            let (rounds, count) = (200, 30);
            for _ in 0..rounds {
                let taken: Vec<usize> = (0..count).map(|_| take(size) as usize).collect();
                places.extend(taken.iter().copied());
                send.send([&[size], taken.as_slice()].concat()).unwrap();
                freed.recv().unwrap();
                for _ in 0..20 {
                    let p = take(size);
                    places.insert(p as usize);
                    give(p, size);
                }
            }
            let limit = rounds * count / 8;
            assert!(places.len() < limit, "{size}: {} places", places.len());
            kept.into_iter().for_each(|p| give(p, size));
        }
        drop(send);
        other.join().unwrap();
    });
}

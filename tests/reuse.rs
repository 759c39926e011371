//! What a purge returns (`src/purge.c`), and large blocks whose memory is kept for a while (`src/reuse.c`).
//!
//! Each test runs in a process of its own: it looks at the memory of the process, and sets options.
//!
//! A program of its own, because it takes long: few build modes run it (`xtask/src/modes.rs`).
#![cfg(all(target_os = "linux", target_pointer_width = "64", mi_v3))]

use core::ffi::c_void;
use mi_malloc_sys::*;
use std::sync::mpsc::{channel, Receiver, Sender};
use std::thread::sleep;
use std::time::Duration;

#[allow(dead_code)]
#[path = "support/mode.rs"]
mod mode;
#[path = "support/raw_thread.rs"]
mod raw_thread;
#[allow(dead_code)]
#[path = "support/resident.rs"]
mod resident;
#[allow(dead_code)]
#[path = "support/respawn.rs"]
mod respawn;
#[path = "support/snapshot.rs"]
mod snapshot;

use resident::resident;
use snapshot::stats;

const MIB: usize = 1 << 20;

/// Fits an arena.
const RANGE: usize = 64 * MIB;

/// Fits no arena.
const MAPPING: usize = 300 * MIB;

/// With mitigations the address of a mapping is not used again.
const REUSES_ADDRESSES: bool = !mode::SECURE;

/// A mapping is kept with its page.
const KEEPS_MAPPINGS: bool = cfg!(mi_retained_pages);

/// The purge delay, in milliseconds. On a busy machine it takes a while to fill a block.
const DELAY: u64 = 1500;

/// After so many milliseconds a purge is due, and not yet late.
const ONE_DELAY: u64 = DELAY + DELAY / 4;

/// What was freed before so many milliseconds is purged even if no purge was tried meanwhile.
const TWO_DELAYS: u64 = DELAY + ONE_DELAY;

/// So much of a block is filled.
const FILLED: usize = 24 * MIB;

fn in_child(name: &str, work: impl Fn()) {
    in_child_with(name, &[], work);
}

fn in_child_with(name: &str, more: &[(&str, &str)], work: impl Fn()) {
    if respawn::is_child() {
        // SAFETY: the block is used no more.
        unsafe { mi_free(mi_malloc(1)) };
        work();
    } else {
        respawn::assert_child_passes_with_delay(name, DELAY, more);
    }
}

fn filled(size: usize) -> *mut c_void {
    // SAFETY: the block has so many bytes.
    unsafe {
        let p = mi_malloc(size);
        assert!(!p.is_null());
        p.cast::<u8>().write_bytes(1, FILLED.min(size));
        p
    }
}

/// Fills a block and frees it.
fn fill(size: usize) {
    // SAFETY: the block is used no more.
    unsafe { mi_free(filled(size)) };
}

fn assert_returned(before: usize, when: &str) {
    let now = resident();
    assert!(now < before + 10 * MIB, "{when}: {before} to {now}");
}

fn assert_kept(before: usize, when: &str) {
    let now = resident();
    assert!(now > before + FILLED - MIB, "{when}: {before} to {now}");
}

fn sizes() -> &'static [usize] {
    if KEEPS_MAPPINGS {
        &[RANGE, MAPPING]
    } else {
        &[RANGE]
    }
}

#[test]
fn the_first_is_returned_and_the_next_are_kept() {
    in_child("the_first_is_returned_and_the_next_are_kept", || {
        for &size in sizes() {
            let before = resident();
            fill(size);
            assert_returned(before, "after the first");
            for _ in 0..3 {
                fill(size);
                assert_kept(before, "after the next");
            }
            // A collection returns what is due, and all if it is forced.
            // SAFETY: always allowed.
            unsafe { mi_collect(false) };
            assert_kept(before, "before the delay has passed");
            sleep(Duration::from_millis(TWO_DELAYS));
            unsafe { mi_collect(false) };
            assert_returned(before, "after the delay");
            // So long after the last one it is a first one again.
            fill(size);
            assert_returned(before, "after a pause");
            fill(size);
            assert_kept(before, "after the pause and another one");
            unsafe { mi_collect(true) };
            assert_returned(before, "after a forced collection");
        }
    });
}

#[test]
fn a_free_returns_what_is_due() {
    in_child("a_free_returns_what_is_due", || {
        for &size in sizes() {
            // SAFETY: always allowed.
            unsafe { mi_collect(true) }; // a mapping would purge what the last one has left
            let another = filled(12 * MIB); // waits for its purge itself
            let before = resident();
            fill(size);
            fill(size);
            assert_kept(before, "after two");
            sleep(Duration::from_millis(TWO_DELAYS));
            assert_kept(before, "when the delay has passed");
            // SAFETY: the block is used no more.
            unsafe { mi_free(another) };
            assert_returned(before, "after the free of another block");
        }
    });
}

/// A purge leaves what was freed after the last one to the next one.
#[test]
fn what_is_used_between_two_purges_is_kept() {
    in_child("what_is_used_between_two_purges_is_kept", || {
        const SIZE: usize = 12 * MIB; // a single larger one is purged at once
        let before = resident();
        let purge = || {
            sleep(Duration::from_millis(ONE_DELAY));
            // SAFETY: always allowed.
            unsafe { mi_collect(false) };
        };
        for when in ["the first purge", "the second one", "the third one"] {
            fill(SIZE);
            purge();
            let now = resident();
            assert!(now > before + SIZE - MIB, "{when}: {before} to {now}");
        }
        purge();
        assert_returned(before, "after a purge without a use");
    });
}

/// A program that allocates and frees much memory all the time does not fault it in again and again.
#[test]
fn memory_in_use_again_after_each_purge_is_kept() {
    let name = "memory_in_use_again_after_each_purge_is_kept";
    const SHORT: Duration = Duration::from_millis(20);
    const COUNT: usize = 12;
    /// So much of a block is touched. All of it counts, and on a busy machine it takes long to touch.
    const TOUCHED: usize = 2 * MIB;
    let delay = ("MIMALLOC_PURGE_DELAY", "20");
    in_child_with(name, &[delay], || {
        let before = resident();
        // SAFETY: the blocks have so many bytes, and are used no more when they are freed.
        let work = |size: usize, count: usize| unsafe {
            let blocks: Vec<_> = (0..count).map(|_| mi_malloc(size).cast::<u8>()).collect();
            blocks.iter().for_each(|p| p.write_bytes(1, TOUCHED));
            blocks.iter().for_each(|p| mi_free(p.cast()));
        };
        let purge = || {
            for _ in 0..3 {
                sleep(2 * SHORT);
                // SAFETY: always allowed.
                unsafe { mi_collect(false) };
            }
        };
        let is_kept = || resident() > before + COUNT * TOUCHED * 3 / 4;
        work(24 * MIB, COUNT);
        purge();
        assert_returned(before, "after the first purge");
        // On a busy machine a turn may take so long that the purge before it is forgotten.
        let turn = || {
            work(24 * MIB, COUNT);
            purge();
            let is_kept = is_kept();
            let before = resident();
            work(RANGE, 1); // otherwise purged as soon as it is free
            is_kept && resident() > before - MIB
        };
        assert!((0..10).any(|_| turn()), "purged in each turn");
        // SAFETY: always allowed.
        unsafe { mi_collect(true) };
        assert_returned(before, "after a forced collection");
        assert!((0..10).any(|_| turn()), "purged in each of more turns");
        let rests = (0..10).any(|_| {
            sleep(Duration::from_millis(500));
            purge();
            !is_kept()
        });
        assert!(rests);
        assert_returned(before, "at rest");
    });
}

/// As with huge pages, which are to stay whole: a part of a unit that is purged together must not be forgotten.
#[test]
fn units_of_which_a_part_was_freed_later_are_returned() {
    let name = "units_of_which_a_part_was_freed_later_are_returned";
    let unit = ("MIMALLOC_ARENA_PURGE_MIN_SIZE", "2MiB");
    in_child_with(name, &[unit], || {
        let before = resident();
        let blocks: Vec<_> = (0..40).map(|_| filled(MIB)).collect();
        for (half, wait) in [(0, TWO_DELAYS), (1, ONE_DELAY)] {
            for p in blocks.iter().skip(half).step_by(2) {
                // SAFETY: the block is used no more.
                unsafe { mi_free(*p) };
            }
            sleep(Duration::from_millis(wait));
        }
        for _ in 0..2 {
            // SAFETY: always allowed.
            unsafe { mi_collect(false) };
            sleep(Duration::from_millis(ONE_DELAY));
        }
        // SAFETY: always allowed.
        unsafe { mi_collect(false) };
        assert_returned(before, "after two more purges");
    });
}

#[test]
fn several_large_blocks_at_once_are_returned() {
    in_child("several_large_blocks_at_once_are_returned", || {
        let before = resident();
        let blocks = [RANGE, 40 * MIB, MAPPING, RANGE].map(filled);
        for p in blocks {
            // SAFETY: the block is used no more.
            unsafe { mi_free(p) };
        }
        assert_returned(before, "after all of them");
    });
}

#[test]
fn without_a_delay_nothing_is_kept() {
    in_child("without_a_delay_nothing_is_kept", || {
        let before = resident();
        // -1 forbids to purge, but a mapping is unmapped.
        for (delay, sizes) in [(0, &[RANGE, MAPPING][..]), (-1, &[MAPPING])] {
            // SAFETY: no other thread runs.
            unsafe { mi_option_set(mi_option_purge_delay, delay) };
            for size in sizes {
                for _ in 0..3 {
                    fill(*size);
                    assert_returned(before, "after each");
                }
            }
        }
    });
}

/// When all that is free was purged.
fn committed() -> i64 {
    // SAFETY: always allowed.
    unsafe { mi_collect(true) };
    stats().committed.current
}

#[test]
fn what_is_kept_is_zeroed_and_counted() {
    in_child("what_is_kept_is_zeroed_and_counted", || {
        // SAFETY: the blocks are used as far as they go.
        unsafe {
            for &size in sizes() {
                mi_free(mi_malloc(size));
                let before = committed();
                for _ in 0..5 {
                    let p = mi_zalloc(size).cast::<u8>();
                    assert!(!p.is_null());
                    for at in (0..size).step_by(4096 - 8) {
                        assert_eq!(*p.add(at), 0, "{at} of {size}");
                        *p.add(at) = 0xff;
                    }
                    mi_free(p.cast());
                }
                // Only a page that is not among those whose residency decides (`mi_malloc_sys_seems_untouched`).
                mi_collect(true);
                for _ in 0..5 {
                    let p = mi_zalloc(size).cast::<u8>();
                    assert_eq!(*p.add(size / 3), 0, "{size}");
                    *p.add(size / 3) = 0xff;
                    mi_free(p.cast());
                }
                // Upstream counts a few MiB less when it unmaps a block than when it maps it.
                let after = committed();
                assert!(
                    (after - before).unsigned_abs() < size as u64 / 2,
                    "{before} to {after}"
                );
            }
        }
    });
}

/// Blocks below the size from which `MiMalloc` asks the system which memory is there.
#[test]
fn purged_memory_is_known_to_be_zero() {
    let no_huge_pages = [("MIMALLOC_ALLOW_THP", "0")];
    in_child_with("purged_memory_is_known_to_be_zero", &no_huge_pages, || {
        const SIZES: [usize; 3] = [600 << 10, 3 * MIB, 40 * MIB];
        // SAFETY: the block is used no more. The page map and others are there then.
        unsafe { mi_free(filled(40 * MIB)) };
        for round in 0..4 {
            for size in SIZES {
                // SAFETY: the blocks are used as far as they go.
                unsafe {
                    mi_free(filled(size));
                    mi_collect(true);
                    let before = resident();
                    let p = mi_zalloc(size).cast::<u8>();
                    assert!(!p.is_null());
                    let taken = resident().saturating_sub(before);
                    assert!(taken < size / 8, "{taken} of {size}");
                    for at in (0..size).step_by(509) {
                        assert_eq!(*p.add(at), 0, "{at} of {size} in round {round}");
                    }
                    // Without a purge it is dirty.
                    p.write_bytes(2, size);
                    mi_free(p.cast());
                    let p = mi_zalloc(size).cast::<u8>();
                    assert!((0..size).step_by(509).all(|at| *p.add(at) == 0), "{size}");
                    mi_free(p.cast());
                }
            }
        }
    });
}

/// A fault in a huge page makes the purged memory beside a block resident as well.
#[test]
fn what_huge_pages_brought_back_is_returned() {
    in_child("what_huge_pages_brought_back_is_returned", || {
        // No multiple of a huge page, and adjacent.
        const BLOCK: usize = 21 * MIB;
        const USED: usize = 16 * MIB;
        let block = || {
            // SAFETY: the block has so many bytes.
            unsafe {
                let p = mi_malloc(BLOCK).cast::<u8>();
                p.write_bytes(1, USED);
                p
            }
        };
        let purge = |blocks: &[*mut u8]| {
            // SAFETY: the blocks are used no more.
            blocks.iter().for_each(|p| unsafe { mi_free(p.cast()) });
            sleep(Duration::from_millis(TWO_DELAYS));
            // SAFETY: no requirements.
            unsafe { mi_collect(true) };
        };
        let before = resident();
        let (kept, freed): (Vec<_>, Vec<_>) = (0..8).map(|_| (block(), block())).unzip();
        purge(&freed);
        // The last pages of these blocks are used for the first time, beside purged memory.
        for p in &kept {
            // SAFETY: the block has so many bytes.
            unsafe { p.add(BLOCK - 1).write(1) };
        }
        purge(&kept);
        let now = resident();
        assert!(now < before + 3 * MIB, "{} to {}", before, now);
    });
}

/// Upstream alone makes a call for each of the other slices, as many as 63.
#[test]
fn around_a_block_in_use_a_call_purges_all_that_is_free() {
    let name = "around_a_block_in_use_a_call_purges_all_that_is_free";
    in_child(name, || {
        // A single block of this size is purged at once, so the next one waits.
        // SAFETY: the block is used no more.
        unsafe { mi_free(filled(16 * MIB)) };
        let range = filled(16 * MIB);
        // SAFETY: the block is used no more.
        unsafe { mi_free(range) };
        let in_range = |p: *mut c_void| (p as usize).wrapping_sub(range as usize) < 15 * MIB;
        // There may be room before it.
        let block = (0..8).map(|_| filled(MIB)).find(|&p| in_range(p));
        assert!(block.is_some(), "no block is in {range:p}");
        let before = (stats().purge_calls.total, resident());
        // SAFETY: always allowed.
        unsafe { mi_collect(true) };
        let after = (stats().purge_calls.total, resident());
        assert!(after.1 < before.1 - 12 * MIB, "{before:?} to {after:?}");
        assert!(after.0 > before.0, "{before:?} to {after:?}");
        assert!(after.0 < before.0 + 12, "{before:?} to {after:?}");
    });
}

/// However upstream commits memory, what is purged was counted before.
#[test]
fn purges_are_counted_as_allocations_are() {
    let name = "purges_are_counted_as_allocations_are";
    let ways = [
        ("MIMALLOC_PAGE_COMMIT_ON_DEMAND", "0"),
        ("MIMALLOC_PAGE_COMMIT_ON_DEMAND", "1"),
        ("MIMALLOC_PAGE_COMMIT_ON_DEMAND", "2"),
        ("MIMALLOC_ARENA_EAGER_COMMIT", "0"),
    ];
    let ways = if respawn::is_child() {
        &ways[..1]
    } else {
        &ways[..]
    };
    for way in ways {
        in_child_with(name, &[*way], || {
            let work = || {
                for size in [100, 5000, 100_000, 3 * MIB, 40 * MIB] {
                    let blocks: Vec<_> = (0..20).map(|_| filled(size)).collect();
                    // SAFETY: the blocks are used no more.
                    blocks.iter().for_each(|p| unsafe { mi_free(*p) });
                    // SAFETY: always allowed.
                    unsafe { mi_collect(true) };
                }
            };
            work();
            let before = committed();
            (0..10).for_each(|_| work());
            // Upstream itself counts some MiB too many where it commits on demand.
            let after = committed();
            assert!(
                before - 20 * (MIB as i64) < after && after < before + 100 * (MIB as i64),
                "{before} to {after}"
            );
        });
    }
}

/// The page map, of which each block that fits no arena took 4 KiB for ever.
#[test]
fn addresses_are_used_again() {
    in_child("addresses_are_used_again", || {
        if !REUSES_ADDRESSES {
            return println!("not run: with mitigations addresses are not used again");
        }
        if mode::DEBUG {
            return println!("not run: a debug build fills each of 1.2 TiB");
        }
        // SAFETY: no other thread runs; blocks that are not touched.
        unsafe {
            mi_option_set(mi_option_purge_delay, 0);
            let take = |size| mi_free(mi_malloc(size));
            (0..100).for_each(|i| take(MAPPING + i * MIB));
            let before = resident();
            for i in 0..4000 {
                take(MAPPING + i % 100 * MIB);
            }
            let now = resident();
            assert!(now < before + 2 * MIB, "{before} to {now}");
        }
    });
}

/// It is as accessible as it was, so no call of the system is needed.
#[test]
fn a_kept_mapping_is_not_committed_again() {
    in_child("a_kept_mapping_is_not_committed_again", || {
        if !KEEPS_MAPPINGS {
            return println!("not run: this build keeps no mappings");
        }
        let round = || {
            let p = filled(MAPPING);
            let during = stats();
            // SAFETY: the block is used no more.
            unsafe { mi_free(p) };
            (during.committed.current, during.commit_calls.total)
        };
        round();
        round();
        let (bytes, calls) = round();
        for _ in 0..4 {
            let (bytes_now, calls_now) = round();
            assert_eq!(calls_now, calls);
            assert_eq!(bytes_now, bytes);
        }
    });
}

/// Such a block starts elsewhere in its mapping, so it cannot have one that was kept for another block, though it may be
/// as large.
#[test]
fn blocks_of_large_alignments_are_accessible() {
    in_child("blocks_of_large_alignments_are_accessible", || {
        if !KEEPS_MAPPINGS {
            return println!("not run: this build keeps no mappings");
        }
        let aligned = [17, 18, 19, 20, 21, 22].map(|shift| (MAPPING, 1 << shift));
        let small = [(MIB, 128 * MIB), (MIB / 8, 32 * MIB)];
        for (size, alignment) in aligned.into_iter().chain(small) {
            for kept in [32 * MIB, 128 * MIB, MAPPING] {
                // SAFETY: each block is written to as far as it goes, and used no more when it is freed.
                unsafe {
                    (0..3).for_each(|_| mi_free(mi_malloc(kept)));
                    let p = mi_malloc_aligned(size, alignment).cast::<u8>();
                    assert!(!p.is_null() && p as usize % alignment == 0);
                    (0..size).step_by(4096).for_each(|at| *p.add(at) = 1);
                    *p.add(size - 1) = 1;
                    mi_free(p.cast());
                }
            }
        }
    });
}

/// As a program with an input and an output buffer has them.
#[test]
fn two_in_turn_are_both_kept() {
    in_child("two_in_turn_are_both_kept", || {
        for size in sizes().iter().copied() {
            let before = resident();
            for _ in 0..3 {
                let blocks = [filled(size), filled(size + 100 * MIB)];
                for p in blocks {
                    // SAFETY: the block is used no more.
                    unsafe { mi_free(p) };
                }
            }
            let now = resident();
            let kept = 2 * FILLED - MIB;
            assert!(now > before + kept, "{size}: {before} to {now}");
            // SAFETY: always allowed.
            unsafe { mi_collect(true) };
            assert_returned(before, "after a forced collection");
        }
    });
}

/// A walk of the main heap finds the kept pages, which have no block in use. So nobody frees one meanwhile.
#[test]
fn a_walk_of_the_heap_meets_kept_pages() {
    in_child("a_walk_of_the_heap_meets_kept_pages", || {
        if !KEEPS_MAPPINGS {
            return println!("not run: this build keeps no mappings");
        }
        struct Walk {
            start: Sender<()>,
            end: Receiver<()>,
            empty: usize,
            used: usize,
        }
        unsafe extern "C" fn visit(
            _: *const mi_heap_t,
            area: *const mi_heap_area_t,
            block: *mut c_void,
            size: usize,
            walk: *mut c_void,
        ) -> bool {
            let (area, walk) = (&*area, &mut *walk.cast::<Walk>());
            if block.is_null() && size >= MAPPING {
                // Another thread collects, and this one.
                walk.start.send(()).unwrap();
                walk.end.recv().unwrap();
                mi_collect(true);
                walk.empty += usize::from(area.used == 0);
                walk.used += usize::from(area.used == 1);
            }
            true
        }
        let before = resident();
        let (start, starts) = channel();
        let (ends, end) = channel();
        let other = std::thread::spawn(move || {
            for () in starts {
                // SAFETY: always allowed.
                unsafe { mi_collect(true) };
                ends.send(()).unwrap();
            }
        });
        let stays = filled(MAPPING);
        for _ in 0..2 {
            let blocks = [100, 200, 300].map(|more| filled(MAPPING + more * MIB));
            // SAFETY: the blocks are used no more.
            blocks.into_iter().for_each(|p| unsafe { mi_free(p) });
        }
        let mut walk = Walk {
            start,
            end,
            empty: 0,
            used: 0,
        };
        let argument: *mut Walk = &mut walk;
        // SAFETY: no other thread allocates or frees meanwhile.
        unsafe { mi_heap_visit_blocks(mi_heap_main(), false, Some(visit), argument.cast()) };
        assert_eq!((walk.empty, walk.used), (3, 1));
        // SAFETY: the block is used no more.
        unsafe {
            mi_free(stays);
            mi_collect(true);
        }
        assert_returned(before, "after the walk");
        drop(walk);
        other.join().unwrap();
    });
}

/// A block that is taken during a walk has a new page: its free may unmap it, and the walk may go to a kept one next.
#[test]
fn a_visitor_uses_a_large_block() {
    unsafe extern "C" fn visit(
        _: *const mi_heap_t,
        _: *const mi_heap_area_t,
        block: *mut c_void,
        size: usize,
        _: *mut c_void,
    ) -> bool {
        if block.is_null() && size >= MAPPING {
            // So long that the block's free does not keep the page.
            sleep(Duration::from_millis(300));
            fill(MAPPING);
        }
        true
    }
    let name = "a_visitor_uses_a_large_block";
    in_child_with(name, &[("MIMALLOC_PURGE_DELAY", "50")], || {
        // SAFETY: the blocks are used no more, and no other thread uses mimalloc.
        unsafe {
            (0..2).for_each(|_| fill(MAPPING));
            // The walk begins here.
            let newest = filled(MAPPING + 100 * MIB);
            mi_heap_visit_blocks(mi_heap_main(), false, Some(visit), core::ptr::null_mut());
            mi_free(newest);
        }
    });
}

/// Each block is counted, also one that another thread frees or takes.
#[test]
fn blocks_in_kept_mappings_are_counted() {
    in_child("blocks_in_kept_mappings_are_counted", || {
        if !KEEPS_MAPPINGS {
            return println!("not run: this build keeps no mappings");
        }
        const ROUNDS: i64 = 6;
        /// With `override` the harness has blocks as well.
        const ELSE: i64 = MIB as i64;
        let before = stats();
        let more = || stats().allocated.current - before.allocated.current;
        for round in 0..ROUNDS {
            let take = || filled(MAPPING) as usize;
            // SAFETY: the block is used no more.
            let free = move |p: usize| unsafe { mi_free(p as *mut c_void) };
            let p = match round % 2 {
                0 => take(),
                _ => std::thread::spawn(take).join().unwrap(),
            };
            // SAFETY: always allowed, and the block is alive.
            let size = unsafe {
                mi_collect(false);
                mi_usable_size(p as *const c_void) as i64
            };
            assert!((more() - size).abs() < ELSE, "{} and {size}", more());
            match round % 3 {
                // A thread that mimalloc does not know.
                0 => raw_thread::run(move || free(p)),
                _ => free(p),
            }
            // SAFETY: always allowed.
            unsafe { mi_collect(false) };
            assert!(more().abs() < ELSE, "{}", more());
        }
        let after = stats();
        let one = (after.allocated.total - before.allocated.total) / ROUNDS;
        assert!(one >= MAPPING as i64 && one < (MAPPING + 10 * MIB) as i64);
        let mapped = after.mmap_calls.total - before.mmap_calls.total;
        assert!(mapped < ROUNDS, "{mapped}");
    });
}

/// A thread that samples takes no kept page, and so nothing is kept, whoever frees it.
#[test]
fn with_a_profiler_nothing_is_kept() {
    unsafe extern "C" fn on_alloc(
        _: *mut mi_profiler_t,
        _: *mut mi_profiler_sample_data_t,
        _: *mut c_void,
        _: usize,
        _: usize,
        _: u64,
        _: *mut mi_heap_t,
    ) -> usize {
        1 << 20
    }
    in_child("with_a_profiler_nothing_is_kept", || {
        let profiler = Box::leak(Box::new(mi_profiler_t {
            initial_sample_rate: 1,
            on_alloc: Some(on_alloc),
            ..mi_profiler_t::new()
        }));
        // SAFETY: the profiler lives as long as the process.
        unsafe {
            mi_heap_profile(mi_heap_main(), profiler);
            mi_profiler_start(profiler);
        }
        let before = resident();
        for round in 0..12 {
            let p = filled(MAPPING) as usize;
            // SAFETY: the block is used no more.
            let free = move || unsafe { mi_free(p as *mut c_void) };
            if round < 6 {
                free();
            } else {
                raw_thread::run(free);
            }
            assert_returned(before, "after a free");
        }
    });
}

/// Nobody finds bytes of another thread in a block.
#[test]
fn threads_that_take_the_same_sizes() {
    in_child("threads_that_take_the_same_sizes", || {
        std::thread::scope(|scope| {
            for thread in 1..=4u8 {
                scope.spawn(move || {
                    for round in 0..24 {
                        let size = if round % 2 == 0 { RANGE } else { MAPPING };
                        // SAFETY: the block has so many bytes.
                        unsafe {
                            let p = mi_malloc(size).cast::<u8>();
                            assert!(!p.is_null());
                            let places = || (0..size).step_by(MIB).chain([size - 1]);
                            places().for_each(|place| *p.add(place) = thread);
                            std::thread::yield_now();
                            assert!(places().all(|place| *p.add(place) == thread));
                            mi_free(p.cast());
                        }
                        if round % 16 == 0 {
                            // SAFETY: always allowed.
                            unsafe { mi_collect(round % 32 == 0) };
                        }
                    }
                });
            }
        });
    });
}

/// A block that grew is several mappings, which are not kept.
#[test]
fn blocks_that_grow_again_and_again() {
    use std::alloc::{GlobalAlloc, Layout};
    in_child("blocks_that_grow_again_and_again", || {
        let layout = |size| Layout::from_size_align(size, 8).unwrap();
        for _ in 0..4 {
            let mut size = 20 * MIB;
            // SAFETY: the block has the layout that is said each time, and all its bytes are written.
            unsafe {
                let mut p = MiMalloc.alloc(layout(size));
                p.write_bytes(3, size);
                while size < 800 * MIB {
                    p = MiMalloc.realloc(p, layout(size), 2 * size);
                    assert!(!p.is_null());
                    assert!((0..size).step_by(MIB / 2).all(|at| *p.add(at) == 3));
                    p.add(size).write_bytes(3, size);
                    size *= 2;
                }
                MiMalloc.dealloc(p, layout(size));
            }
            fill(MAPPING);
        }
    });
}

/// Also by a thread that mimalloc does not know, which collects nothing.
#[test]
fn nothing_is_kept_when_all_memory_is_destroyed() {
    let name = "nothing_is_kept_when_all_memory_is_destroyed";
    if cfg!(feature = "override") {
        return println!("not run: the test's harness would use destroyed memory");
    }
    if !respawn::is_child() {
        respawn::assert_child_passes(name, "", &[("MIMALLOC_DESTROY_ON_EXIT", "1")]);
        return;
    }
    fill(MAPPING);
    let p = filled(MAPPING);
    let address = p as usize;
    // SAFETY: the block is used no more, and after that nobody uses mimalloc, here or in the test's harness.
    unsafe { mi_free(p) };
    assert_eq!(is_mapped(address), KEEPS_MAPPINGS);
    raw_thread::run(|| unsafe { mi_process_done() });
    assert!(!is_mapped(address));
}

fn is_mapped(address: usize) -> bool {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    maps.lines().any(|line| {
        let (start, rest) = line.split_once('-').unwrap();
        let end = rest.split(' ').next().unwrap();
        let number = |text| usize::from_str_radix(text, 16).unwrap();
        (number(start)..number(end)).contains(&address)
    })
}

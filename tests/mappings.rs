//! Blocks that have mappings of their own (`src/reuse.c`): those that fit no arena, and those above 128 MiB.
//!
//! Each test runs in a process of its own: it looks at the memory of the process, and sets options.
//!
//! A program of its own, because it takes long: few build modes run it (`xtask/src/modes.rs`).
#![cfg(all(target_os = "linux", mi_retained_pages, mi_v3))]

use core::ffi::c_void;
use cty::c_int;
use mi_malloc_sys::*;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread::sleep;
use std::time::{Duration, Instant};

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

/// How many milliseconds `madvise` takes when it discards 64 MiB or more.
static SLOW: AtomicU64 = AtomicU64::new(0);

/// What the C of this program calls, in place of the C library's function.
///
/// # Safety
/// As the system call.
#[no_mangle]
pub unsafe extern "C" fn madvise(start: *mut c_void, size: usize, advice: c_int) -> c_int {
    if size >= 64 * MIB && advice == libc::MADV_DONTNEED {
        sleep(Duration::from_millis(SLOW.load(Relaxed)));
    }
    // SAFETY: by the caller's contract.
    unsafe { libc::syscall(libc::SYS_madvise, start, size, advice) as c_int }
}

/// The purge delay, in milliseconds: a mapping is kept for that long.
const DELAY: u64 = 3000;

/// After so many milliseconds everything that is kept is due.
const DUE: u64 = DELAY + DELAY / 4;

fn in_child(name: &str, work: impl Fn()) {
    in_child_with(name, &[], work);
}

fn in_child_with(name: &str, more: &[(&str, &str)], work: impl Fn()) {
    if respawn::is_child() {
        free(malloc(1)); // so that the thread's heap exists
        work();
    } else {
        respawn::assert_child_passes_with_delay(name, DELAY, more);
    }
}

fn malloc(size: usize) -> *mut u8 {
    // SAFETY: always allowed.
    let p = unsafe { mi_malloc(size) };
    assert!(!p.is_null());
    p.cast()
}

/// A block that nobody uses any more.
fn free(p: *mut u8) {
    // SAFETY: a live block, that is used no more.
    unsafe { mi_free(p.cast()) };
}

fn collect(force: bool) {
    // SAFETY: always allowed.
    unsafe { mi_collect(force) };
}

/// Without a heap a thread collects nothing.
fn collect_in_new_thread() {
    free(malloc(1));
    collect(false);
}

/// The bytes of a block.
fn bytes<'a>(p: *mut u8, size: usize) -> &'a mut [u8] {
    // SAFETY: the block is live, has so many bytes, and these tests read fresh bytes only where they are zeroed or were
    // written. (The system has initialised all of them.)
    unsafe { std::slice::from_raw_parts_mut(p, size) }
}

/// Whether all bytes of a block have this value.
fn is_filled(p: *mut u8, size: usize, value: u8) -> bool {
    let expected = vec![value; MIB];
    let mut chunks = bytes(p, size).chunks(MIB);
    chunks.all(|chunk| chunk == &expected[..chunk.len()])
}

/// Allocates, fills and frees a block.
fn fill(size: usize) {
    let p = malloc(size);
    bytes(p, size).fill(1);
    free(p);
}

fn mappings() -> i64 {
    stats().mmap_calls.total
}

fn assert_resident(before: usize, mib: usize, when: &str) {
    let more = resident().saturating_sub(before) / MIB;
    assert!(
        more + 4 > mib && more < mib + 12,
        "{when}: {more} MiB, not {mib}"
    );
}

/// As a program whose inputs differ in size has them.
#[test]
fn mappings_serve_smaller_blocks() {
    in_child("mappings_serve_smaller_blocks", || {
        let before = resident();
        fill(300 * MIB);
        assert_resident(before, 0, "after the first");
        fill(290 * MIB);
        assert_resident(before, 290, "after the second");
        // The larger mapping takes the place of the smaller one.
        fill(400 * MIB);
        assert_resident(before, 400, "after a larger one");
        let mapped = mappings();
        for mib in [390, 280, 135, 370, 101] {
            let p = malloc(mib * MIB);
            bytes(p, mib * MIB).fill(2);
            // SAFETY: the block is live.
            let usable = unsafe { mi_usable_size(p.cast()) };
            assert!(usable < (mib + 5) * MIB, "{usable} of {mib} MiB");
            assert_resident(before, 400, "with a smaller one");
            free(p);
        }
        assert_eq!(mappings(), mapped);
        // A block of less than a quarter has memory of its own.
        let p = malloc(90 * MIB);
        bytes(p, 90 * MIB).fill(3);
        assert_resident(before, 490, "with a much smaller one");
        free(p);
        collect(true);
        assert_resident(before, 0, "after a forced collection");
    });
}

#[test]
fn what_a_smaller_block_does_not_use_is_returned() {
    in_child("what_a_smaller_block_does_not_use_is_returned", || {
        let before = resident();
        fill(400 * MIB);
        fill(400 * MIB);
        let p = malloc(150 * MIB);
        bytes(p, 150 * MIB).fill(5);
        assert_resident(before, 400, "before it is due");
        sleep(Duration::from_millis(DUE));
        collect(false);
        assert_resident(before, 150, "when it is due");
        assert!(is_filled(p, 150 * MIB, 5));
        // The whole mapping serves the next block.
        free(p);
        let mapped = mappings();
        fill(400 * MIB);
        fill(400 * MIB);
        assert!(mappings() <= mapped + 1);
        assert_resident(before, 400, "after it was free");
        // Before a larger block is mapped, what is not used is returned at once.
        let p = malloc(150 * MIB);
        bytes(p, 150 * MIB).fill(5);
        let q = malloc(500 * MIB);
        assert_resident(before, 150, "before another one is mapped");
        assert!(is_filled(p, 150 * MIB, 5));
        free(p);
        free(q);
    });
}

/// Nothing is discarded where a mapping was before: another one may be there now.
#[test]
fn a_mapping_may_go_before_its_memory_is_returned() {
    in_child("a_mapping_may_go_before_its_memory_is_returned", || {
        let start = |p: *mut u8| p as usize & !(MIB - 1);
        // The second time another thread has begun to discard what the block does not use.
        for delay in [0, 300] {
            fill(400 * MIB);
            fill(400 * MIB);
            let p = malloc(150 * MIB);
            sleep(Duration::from_millis(DUE));
            SLOW.store(delay, Relaxed);
            let other = (delay > 0).then(|| std::thread::spawn(collect_in_new_thread));
            sleep(Duration::from_millis(delay / 3));
            // So long after the last one it is not kept.
            let old = start(p);
            free(p);
            let p = malloc(400 * MIB);
            assert_eq!(start(p), old, "the addresses are not used again");
            bytes(p, 400 * MIB).fill(7);
            collect(false);
            if let Some(thread) = other {
                thread.join().unwrap();
            }
            assert!(is_filled(p, 400 * MIB, 7));
            free(p);
            collect(true);
        }
    });
}

/// A thread that unmaps something else does not wait for one that discards.
#[test]
fn other_mappings_go_while_memory_is_returned() {
    in_child("other_mappings_go_while_memory_is_returned", || {
        let before = resident();
        let q = malloc(500 * MIB);
        bytes(q, 500 * MIB).fill(1);
        fill(400 * MIB);
        fill(400 * MIB);
        let p = malloc(150 * MIB);
        sleep(Duration::from_millis(DUE));
        SLOW.store(3000, Relaxed);
        let other = std::thread::spawn(collect_in_new_thread);
        sleep(Duration::from_millis(200));
        let start = Instant::now();
        free(q);
        assert!(start.elapsed() < Duration::from_millis(1500));
        assert!(resident() < before + 450 * MIB);
        other.join().unwrap();
        free(p);
    });
}

/// Though the mapping itself is in use again and again.
#[test]
fn what_only_larger_blocks_used_is_returned() {
    in_child("what_only_larger_blocks_used_is_returned", || {
        let before = resident();
        fill(400 * MIB);
        fill(400 * MIB);
        for _ in 0..20 {
            fill(150 * MIB);
            sleep(Duration::from_millis(DUE / 10));
        }
        assert_resident(before, 150, "after many smaller ones");
    });
}

#[test]
fn what_is_committed_is_counted() {
    in_child("what_is_committed_is_counted", || {
        let committed = || stats().committed.current;
        let before = committed();
        for mib in [130, 200, 300, 513].iter().cycle().take(40) {
            free(malloc(mib * MIB));
            collect(true);
        }
        let drift = (committed() - before).unsigned_abs();
        assert!(drift < 4 << 20, "{drift}");
    });
}

/// As with `ulimit -v`.
#[test]
fn where_no_mapping_fits_an_arena_serves() {
    in_child("where_no_mapping_fits_an_arena_serves", || {
        let [space, _] = resident::memory();
        let most = libc::rlimit {
            rlim_cur: (space + 100 * MIB) as libc::rlim_t,
            rlim_max: libc::RLIM_INFINITY,
        };
        // SAFETY: always allowed.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &most) }, 0);
        let blocks = [malloc(200 * MIB), malloc(200 * MIB)];
        for p in blocks {
            bytes(p, 200 * MIB).fill(1);
            free(p);
        }
    });
}

#[test]
fn zeroed_blocks_in_kept_mappings_are_zero() {
    in_child("zeroed_blocks_in_kept_mappings_are_zero", || {
        fill(400 * MIB);
        fill(400 * MIB);
        let mapped = mappings();
        for mib in [380, 150, 395, 200, 399] {
            // SAFETY: always allowed.
            let p = unsafe { mi_zalloc(mib * MIB) }.cast::<u8>();
            assert!(!p.is_null());
            assert!(is_filled(p, mib * MIB, 0), "{mib} MiB");
            bytes(p, mib * MIB).fill(9);
            free(p);
        }
        assert_eq!(mappings(), mapped);
    });
}

/// Its memory was copied, so that it is one mapping.
#[test]
fn a_mapping_of_a_block_that_grew_is_kept() {
    use std::alloc::{GlobalAlloc, Layout};
    in_child("a_mapping_of_a_block_that_grew_is_kept", || {
        let layout = |size| Layout::from_size_align(size, 8).unwrap();
        let round = || {
            // SAFETY: the block has the layout that is said each time.
            unsafe {
                let p = MiMalloc.alloc(layout(40 * MIB));
                bytes(p, 40 * MIB).fill(1);
                let p = MiMalloc.realloc(p, layout(40 * MIB), 90 * MIB);
                assert!(!p.is_null());
                assert!(is_filled(p, 40 * MIB, 1));
                bytes(p, 90 * MIB)[40 * MIB..].fill(2);
                MiMalloc.dealloc(p, layout(90 * MIB));
            }
        };
        (0..3).for_each(|_| round());
        let (before, mapped) = (resident(), mappings());
        (0..3).for_each(|_| round());
        assert_eq!(mappings(), mapped);
        assert!(resident() < before + 40 * MIB);
    });
}

/// In an arena a larger one would need most of what is between two tables of metadata, and each small page in its way
/// would move it elsewhere.
#[test]
fn blocks_above_128_mib_have_mappings() {
    in_child("blocks_above_128_mib_have_mappings", || {
        // Half of the distance of the tables, which is twice as large with slices of 128 KiB.
        // SAFETY: always allowed.
        let most = unsafe { mi_arena_max_object_size() }.next_power_of_two() / 2;
        let mapped = mappings();
        let small = malloc(most - 8 * MIB);
        assert_eq!(mappings(), mapped);
        let large = malloc(most + 2 * MIB);
        assert!(mappings() > mapped);
        free(small);
        free(large);
    });
}

/// A program that has reserved an arena wants its blocks there.
#[test]
fn a_reserved_arena_has_blocks_above_128_mib() {
    let name = "a_reserved_arena_has_blocks_above_128_mib";
    in_child_with(name, &[("MIMALLOC_RESERVE_OS_MEMORY", "1GiB")], || {
        let mapped = mappings();
        let p = malloc(200 * MIB);
        assert_eq!(mappings(), mapped);
        free(p);
    });
}

/// Nobody finds bytes of another thread in a block, and nobody's bytes are discarded.
#[test]
fn threads_that_take_changing_sizes() {
    let name = "threads_that_take_changing_sizes";
    in_child_with(name, &[("MIMALLOC_PURGE_DELAY", "5")], || {
        std::thread::scope(|scope| {
            for thread in 1..=4u8 {
                scope.spawn(move || {
                    let mut number = usize::from(thread);
                    for round in 0..60 {
                        number = number.wrapping_mul(6_364_136_223_846_793_005) + 1;
                        let size = (130 + (number >> 33) % 300) * MIB;
                        let p = malloc(size);
                        let places = || (0..size).step_by(MIB / 2).chain([size - 1]);
                        let block = bytes(p, size);
                        places().for_each(|place| block[place] = thread);
                        for _ in 0..2 {
                            sleep(Duration::from_millis(round % 20));
                            collect(false);
                            assert!(places().all(|place| block[place] == thread));
                        }
                        free(p);
                    }
                });
            }
        });
    });
}

//! Large blocks: those that grow in an arena (`src/slices.c`), and those that have mappings of their own (`src/reuse.c`),
//! since they fit no arena, or are larger than 128 MiB.
//!
//! Each test runs in a process of its own: it looks at the memory of the process, and sets options.
//!
//! A program of its own, because it takes long: few build modes run it (`xtask/src/modes.rs`).
#![cfg(all(target_os = "linux", mi_retained_pages, mi_v3))]

use core::ffi::c_void;
use cty::c_int;
use mi_malloc_sys::*;
use std::alloc::{GlobalAlloc, Layout};
use std::mem::size_of;
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
        for mib in [390, 280, 135, 370, 101, 60] {
            let p = malloc(mib * MIB);
            bytes(p, mib * MIB).fill(2);
            // SAFETY: the block is live.
            let usable = unsafe { mi_usable_size(p.cast()) };
            assert!(usable < (mib + 5) * MIB, "{usable} of {mib} MiB");
            assert_resident(before, 400, "with a smaller one");
            free(p);
        }
        assert_eq!(mappings(), mapped);
        // A block of less than an eighth has memory of its own.
        let p = malloc(45 * MIB);
        bytes(p, 45 * MIB).fill(3);
        assert_resident(before, 445, "with a much smaller one");
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

/// Otherwise a small block that stays would take all of a large mapping's.
#[test]
fn where_addresses_are_limited_mappings_serve_blocks_of_their_size() {
    let name = "where_addresses_are_limited_mappings_serve_blocks_of_their_size";
    in_child(name, || {
        let before = resident();
        fill(400 * MIB);
        fill(400 * MIB);
        let most = libc::rlimit {
            rlim_cur: 1 << 40,
            rlim_max: libc::RLIM_INFINITY,
        };
        // SAFETY: always allowed.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_DATA, &most) }, 0);
        let mapped = mappings();
        fill(390 * MIB);
        assert_eq!(mappings(), mapped);
        let p = malloc(100 * MIB);
        bytes(p, 100 * MIB).fill(2);
        assert_resident(before, 500, "with a smaller one");
        free(p);
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

/// The block of a vector. Each MiB is filled with its number.
struct Growing {
    start: *mut u8,
    mib: usize,
}

impl Growing {
    fn new(mib: usize) -> Growing {
        // SAFETY: the size is not zero.
        let start = unsafe { MiMalloc.alloc(Growing::layout(mib)) };
        let mut block = Growing { start, mib: 0 };
        block.fill_to(mib);
        block
    }

    fn layout(mib: usize) -> Layout {
        Layout::from_size_align(mib * MIB, 8).unwrap()
    }

    fn fill_to(&mut self, mib: usize) {
        assert!(!self.start.is_null());
        for at in self.mib..mib {
            bytes(self.start, mib * MIB)[at * MIB..(at + 1) * MIB].fill(at as u8);
        }
        self.mib = mib;
    }

    fn grow(&mut self, mib: usize) {
        // SAFETY: the block is live, and has this layout.
        self.start = unsafe { MiMalloc.realloc(self.start, Growing::layout(self.mib), mib * MIB) };
        self.fill_to(mib);
    }

    fn assert_intact(&self) {
        for at in 0..self.mib {
            // SAFETY: within the block.
            let chunk = unsafe { self.start.add(at * MIB) };
            assert!(is_filled(chunk, MIB, at as u8), "MiB {at}");
        }
    }
}

impl Drop for Growing {
    fn drop(&mut self) {
        // SAFETY: the block is live, and has this layout.
        unsafe { MiMalloc.dealloc(self.start, Growing::layout(self.mib)) };
    }
}

/// A block that grows through these sizes.
fn grown(sizes: &[usize]) -> Growing {
    let mut block = Growing::new(sizes[0]);
    sizes[1..].iter().for_each(|mib| block.grow(*mib));
    block.assert_intact();
    block
}

/// In an arena, into free memory behind it (`src/slices.c`).
#[test]
fn a_block_grows_in_its_arena() {
    in_child("a_block_grows_in_its_arena", || {
        collect(true);
        let committed = stats().committed.current;
        let before = resident();
        let mut block = grown(&[2]);
        let start = block.start;
        for mib in [3, 4, 5, 9, 16, 17, 31, 33, 60] {
            block.grow(mib);
            assert_eq!(block.start, start, "{mib} MiB");
            // SAFETY: the block is live.
            assert!(unsafe { mi_usable_size(start.cast()) } >= mib * MIB);
        }
        block.assert_intact();
        assert_resident(before, 60, "grown");
        let counted = (stats().committed.current - committed) >> 20;
        assert!((59..64).contains(&counted), "{counted}");
        // Interior addresses belong to the block, as far as upstream knows any of them: up to 4 MiB.
        // SAFETY: only asked for.
        let is_known =
            |kib: usize| unsafe { mi_any_heap_contains(start.wrapping_add(kib << 10).cast()) };
        assert!(is_known(2000) && is_known(3000) && is_known(4000));
        drop(block);
        collect(true);
        assert_resident(before, 0, "freed");
        assert!((stats().committed.current - committed).abs() < MIB as i64);
        assert!((0..5000).step_by(64).all(|kib| !is_known(kib)));
    });
}

/// What a block has grown into is not taken for untouched memory later.
#[test]
fn zeroed_blocks_are_zero_where_a_block_has_grown() {
    in_child("zeroed_blocks_are_zero_where_a_block_has_grown", || {
        for mib in [9, 20, 31] {
            let block = grown(&[2, mib]);
            let start = block.start;
            drop(block);
            // SAFETY: always allowed.
            let p: *mut u8 = unsafe { mi_zalloc(mib * MIB) }.cast();
            assert!((p as usize).abs_diff(start as usize) < MIB * mib / 2);
            assert!(is_filled(p, mib * MIB, 0), "{mib} MiB");
            free(p);
        }
    });
}

/// It moves, and the other block keeps its bytes.
#[test]
fn a_block_does_not_grow_into_another_one() {
    in_child("a_block_does_not_grow_into_another_one", || {
        for mib in [1, 2, 5, 20] {
            let mut blocks: Vec<_> = (0..5).map(|_| grown(&[mib])).collect();
            for more in 1..4 {
                blocks.iter_mut().for_each(|block| block.grow(mib + more));
                blocks.iter().for_each(Growing::assert_intact);
            }
            blocks.remove(2);
            blocks.iter_mut().for_each(|block| block.grow(2 * mib + 4));
            blocks.iter().for_each(Growing::assert_intact);
        }
    });
}

/// Two chunks of 32 MiB have room for three blocks of 20 MiB.
#[test]
fn blocks_lie_next_to_each_other() {
    in_child("blocks_lie_next_to_each_other", || {
        let _others: Vec<_> = (0..40).map(|_| grown(&[3])).collect();
        let blocks: Vec<_> = (0..9).map(|_| grown(&[20])).collect();
        let places = || blocks.iter().map(|block| block.start as usize / MIB);
        let span = places().max().unwrap() - places().min().unwrap();
        assert!(span < 9 * 22, "{span} MiB"); // there may be page metadata between them
    });
}

/// The program wants no larger blocks there.
#[test]
fn a_block_does_not_grow_beyond_what_an_arena_may_have() {
    let name = "a_block_does_not_grow_beyond_what_an_arena_may_have";
    let option = ("MIMALLOC_ARENA_MAX_OBJECT_SIZE", "4MiB");
    in_child_with(name, &[option], || {
        let mut block = grown(&[2]);
        let mapped = mappings();
        block.grow(3);
        assert_eq!(mappings(), mapped);
        block.grow(9);
        assert!(mappings() > mapped);
    });
}

/// Where it finds a part of the memory that it needs.
#[test]
fn a_block_that_does_not_grow_leaves_what_is_free() {
    let name = "a_block_that_does_not_grow_leaves_what_is_free";
    in_child(name, || {
        let mut blocks: Vec<_> = (0..3).map(|_| grown(&[20])).collect();
        let first = blocks[0].start as usize;
        blocks.remove(1);
        blocks[0].grow(45); // 20 MiB behind it are free, in two chunks
        assert_ne!(blocks[0].start as usize / MIB, first / MIB);
        assert_eq!(grown(&[30]).start as usize / MIB, first / MIB);
        blocks.iter().for_each(Growing::assert_intact);
    });
}

/// Threads allocate next to each other what the others grow into.
#[test]
fn threads_whose_blocks_grow() {
    in_child("threads_whose_blocks_grow", || {
        let threads = (0..4usize).map(|thread| {
            std::thread::spawn(move || {
                let mut blocks: Vec<Growing> = Vec::new();
                for turn in 0..60 {
                    let random = (turn * 7919 + thread * 104_729) % 1009;
                    if blocks.len() > 3 {
                        let block = blocks.remove(random % blocks.len());
                        block.assert_intact();
                    }
                    let mut block = grown(&[1 + random % 9]);
                    block.grow(block.mib * 2);
                    blocks.push(block);
                    let last = blocks.len() - 1;
                    let other = &mut blocks[last.min(random % 2)];
                    if other.mib < 40 {
                        other.grow(other.mib + 1 + random % 11);
                    }
                }
                blocks.iter().for_each(Growing::assert_intact);
            })
        });
        let threads: Vec<_> = threads.collect();
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn a_mapping_of_a_block_that_grew_is_kept() {
    in_child("a_mapping_of_a_block_that_grew_is_kept", || {
        // Copied once; moved later on.
        for sizes in [&[40, 90][..], &[40, 80, 160, 320]] {
            (0..3).for_each(|_| drop(grown(sizes)));
            let (before, mapped) = (resident(), mappings());
            (0..3).for_each(|_| drop(grown(sizes)));
            assert_eq!(mappings(), mapped);
            assert!(resident() < before + 40 * MIB);
            collect(true);
        }
    });
}

/// Otherwise what it needs in an arena on its way there would be resident on top.
#[test]
fn where_a_mapping_is_kept_a_block_grows_into_it_early() {
    let name = "where_a_mapping_is_kept_a_block_grows_into_it_early";
    in_child(name, || {
        let place = |block: &Growing| block.start as usize / MIB;
        (0..3).for_each(|_| drop(grown(&[40, 80, 160, 320])));
        let last = grown(&[40, 80]);
        let in_mapping = place(&last);
        drop(last);
        assert_ne!(place(&grown(&[8, 16])), in_mapping);
        let mapped = mappings();
        let mut block = grown(&[16, 32]);
        assert_eq!(place(&block), in_mapping);
        (48..=320).step_by(16).for_each(|mib| block.grow(mib));
        block.assert_intact();
        assert_eq!((place(&block), mappings()), (in_mapping, mapped));
        drop(block);
        // SAFETY: the heaps are live, and this thread's. The block is freed while the second one is the default.
        unsafe {
            let default = mi_theap_set_default(mi_heap_theap(mi_heap_new()));
            drop(grown(&[8, 16]));
            let mapped = mappings();
            drop(grown(&[16, 32]));
            assert_eq!(mappings(), mapped, "a heap for which none is kept");
            mi_theap_set_default(default);
        }
        collect(true);
        let mapped = mappings();
        drop(grown(&[16, 32]));
        assert_eq!(mappings(), mapped, "nothing is kept");
    });
}

/// Which its mapping kept from an earlier block.
#[test]
fn memory_that_a_growing_block_does_not_need_is_returned() {
    let name = "memory_that_a_growing_block_does_not_need_is_returned";
    in_child(name, || {
        let (before, allocated) = (resident(), stats().allocated.current);
        (0..3).for_each(|_| drop(grown(&[40, 80, 160, 320])));
        let mut block = grown(&[40, 80]);
        assert!(resident() >= before + 320 * MIB);
        // SAFETY: the block is live.
        let usable = unsafe { mi_usable_size(block.start.cast()) };
        assert!(usable < 81 * MIB, "{usable}");
        sleep(Duration::from_millis(DUE));
        collect(false);
        // The first 40 MiB were in an arena, which purges later.
        assert!(resident() < before + (80 + 40 + 10) * MIB);
        block.assert_intact();
        let mapped = mappings();
        block.grow(160);
        block.grow(320);
        block.assert_intact();
        assert_eq!(mappings(), mapped);
        // With `override` the test allocates there too.
        let counted = || (stats().allocated.current - allocated + (1 << 19)) >> 20;
        assert_eq!(counted(), 320);
        drop(block);
        collect(true);
        assert_resident(before, 0, "at the end");
        assert_eq!(counted(), 0);
    });
}

/// Where the kernel's mappings end that a block consists of, and where they end by the record in front of it
/// (`mi_malloc_sys_parts_t`): offsets from the start of its page's slices.
fn parts(block: &Growing) -> [Vec<usize>; 2] {
    const UNIT: usize = 64 << 10; // of slices, and of what is in front of the first one
    let start = block.start as usize & !(UNIT - 1);
    let record = (start - UNIT + 4096 - 16 * size_of::<usize>()) as *const usize;
    // SAFETY: there are sixteen words, the first of which is the number of ends.
    let words = unsafe { std::slice::from_raw_parts(record, 16) };
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let ends = maps.lines().map(|line| {
        let end = line.split(['-', ' ']).nth(1).unwrap();
        usize::from_str_radix(end, 16).unwrap()
    });
    let within = ends.filter(|end| (start + 1..start + block.mib * MIB).contains(end));
    [
        within.map(|end| end - start).collect(),
        words[1..=words[0]].to_vec(),
    ]
}

/// Older kernels move one mapping in a call.
fn assert_recorded(block: &Growing) {
    let [ends, recorded] = parts(block);
    assert!(
        ends.iter().all(|end| recorded.contains(end))
            && recorded.windows(2).all(|pair| pair[0] < pair[1]),
        "mappings end at {ends:x?}, by the record at {recorded:x?}"
    );
}

#[test]
fn memory_of_several_mappings_moves_again() {
    in_child("memory_of_several_mappings_moves_again", || {
        assert_recorded(&grown(&[40, 80, 256]));
        for _ in 0..3 {
            assert_recorded(&grown(&[40, 80, 250, 257]));
        }
        // Memory moves to where memory of another block is.
        let other = grown(&[40, 80, 250, 257]);
        let mut block = grown(&[40, 80]);
        drop(other);
        let mapped = mappings();
        block.grow(257);
        block.grow(500);
        assert_eq!(mappings(), mapped);
        block.assert_intact();
        assert_recorded(&block);
        // It does again, in several calls.
        block.grow(520);
        assert!(mappings() > mapped);
        block.assert_intact();
        assert_recorded(&block);
        // It was not copied.
        assert!(resident::peak() < 800 * MIB, "{}", resident::peak());
        block.grow(700);
        block.assert_intact();
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

/// Also what would wait, since it is in use again and again.
#[test]
fn what_is_free_in_arenas_is_returned_before_a_mapping() {
    let name = "what_is_free_in_arenas_is_returned_before_a_mapping";
    in_child(name, || {
        let before = resident();
        (0..3).for_each(|_| fill(100 * MIB));
        assert_resident(before, 100, "in the arena");
        let p = malloc(300 * MIB);
        assert_resident(before, 0, "in a new mapping");
        free(p);
        (0..2).for_each(|_| fill(300 * MIB));
        fill(20 * MIB);
        fill(300 * MIB);
        assert_resident(before, 320, "in a mapping that was kept");
    });
}

/// That would be faulted in again each time.
#[test]
fn what_is_in_use_again_after_each_mapping_stays() {
    let name = "what_is_in_use_again_after_each_mapping_stays";
    in_child(name, || {
        let before = resident();
        for mib in [300, 310, 320, 330] {
            (0..2).for_each(|_| fill(100 * MIB));
            malloc(mib * MIB); // never freed
        }
        assert_resident(before, 100, "after the last");
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

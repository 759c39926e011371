//! When freed memory goes back to the system, and when it does not: what the guide's page on memory
//! says.
//!
//! One test in a program of its own: it measures the whole process and sets options, and it waits for delays of
//! milliseconds, within which tests beside it could take the processor.
#![cfg(target_os = "linux")]

use core::ffi::c_void;
use mi_malloc_sys::*;
use std::thread::sleep;
use std::time::Duration;

#[path = "support/raw_thread.rs"]
mod raw_thread;
#[allow(dead_code)]
#[path = "support/resident.rs"]
mod resident;

use resident::resident;

const MIB: usize = 1 << 20;

/// Smaller than what is purged when it is freed, on either major version.
const BLOCK: usize = 300_000;

/// How long an arena waits in this test, in milliseconds.
const DELAY: u64 = 200;

unsafe fn touched(size: usize, total: usize) -> Vec<*mut c_void> {
    let block = |_| {
        let p = mi_malloc(size);
        assert!(!p.is_null());
        p.cast::<u8>().write_bytes(1, size);
        p
    };
    (0..total / size).map(block).collect()
}

/// Frees blocks of 120 MiB, whose memory is due at the end, and waits. Gives what was resident before.
unsafe fn freed_and_due() -> usize {
    mi_collect(true);
    let before = resident();
    let blocks = touched(BLOCK, 120 * MIB);
    blocks.into_iter().for_each(|p| mi_free(p));
    assert_kept(before, "right after the frees");
    sleep(Duration::from_millis(3 * DELAY));
    assert_kept(before, "when the delay has passed");
    before
}

fn assert_kept(before: usize, when: &str) {
    let now = resident();
    assert!(now > before + 80 * MIB, "{when}: {before} to {now}");
}

/// But for a segment of v2 (32 MiB), in which another thread may have a block.
fn assert_returned(before: usize, when: &str) {
    let now = resident();
    assert!(now < before + 40 * MIB, "{when}: {before} to {now}");
}

#[test]
fn memory_at_rest() {
    unsafe {
        mi_option_set(mi_option_purge_delay, DELAY as _);
        mi_option_set(mi_option_arena_purge_mult, 1);
        mi_free(mi_malloc(1));
        a_collection_purges_what_is_due();
        a_thread_without_allocations_collects_nothing();
        frees_purge_what_is_due();
        #[cfg(mi_v3)]
        {
            slow_allocations_purge_what_is_due();
            a_collection_waits_for_the_delay();
            large_ranges_are_purged_at_once();
        }
    }
}

unsafe fn a_collection_purges_what_is_due() {
    let before = freed_and_due();
    mi_collect(false);
    assert_returned(before, "after mi_collect(false)");
}

unsafe fn a_thread_without_allocations_collects_nothing() {
    let before = freed_and_due();
    raw_thread::run(|| {
        mi_collect(false);
        mi_collect(true);
    });
    assert_kept(
        before,
        "after mi_collect in a thread that has not allocated",
    );
    raw_thread::run(|| {
        mi_thread_init();
        mi_collect(false);
    });
    assert_returned(before, "after mi_collect in a thread that mimalloc knows");
}

unsafe fn frees_purge_what_is_due() {
    let more = mi_malloc(20 * MIB);
    let before = freed_and_due();
    mi_free(more);
    assert_returned(before, "after the free of a segment, or of a page");
}

/// A thread collects every 10,000 allocations that leave the fast path.
#[cfg(mi_v3)]
unsafe fn slow_allocations_purge_what_is_due() {
    let before = freed_and_due();
    // Sooner if a page becomes empty on the way.
    let blocks: Vec<_> = (0..12_000).map(|_| mi_malloc(2000)).collect();
    assert_returned(before, "after 12,000 allocations");
    blocks.into_iter().for_each(|p| mi_free(p));
}

#[cfg(mi_v3)]
unsafe fn a_collection_waits_for_the_delay() {
    mi_option_set(mi_option_purge_delay, 3_600_000);
    mi_collect(true);
    let before = resident();
    let blocks = touched(BLOCK, 120 * MIB);
    blocks.into_iter().for_each(|p| mi_free(p));
    mi_collect(false);
    assert_kept(before, "before the delay has passed");
    mi_collect(true);
    assert_returned(before, "after mi_collect(true)");
}

/// From 32 MiB on (4 MiB on 32-bit), whatever the delay. From half of that on, if none was freed for a while, which is as
/// long as the delay.
#[cfg(mi_v3)]
unsafe fn large_ranges_are_purged_at_once() {
    let short = 2000;
    sleep(Duration::from_millis(short + 500));
    let limit = mi_option_get_size(mi_option_arena_purge_immediate_size);
    #[cfg(target_pointer_width = "64")]
    assert_eq!(limit, 32 * MIB);
    for (delay, size, is_kept) in [
        (short, limit / 4 * 3, false),
        (3_600_000, limit / 4 * 3, true),
        (3_600_000, limit, false),
    ] {
        mi_option_set(mi_option_purge_delay, delay as _);
        mi_collect(true);
        let before = resident();
        touched(size, size).into_iter().for_each(|p| mi_free(p));
        let now = resident();
        let kept = now > before + limit / 2;
        assert_eq!(kept, is_kept, "{size}: {before} to {now}");
    }
}

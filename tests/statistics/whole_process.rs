//! The statistics of the process: one test, alone, because they count everything in it.

use crate::mode;
use crate::other_threads;
use crate::respawn;
use crate::stats::{self, json::Json};
use mi_malloc_sys::*;
use std::ffi::CStr;
use std::mem::size_of;
use std::os::raw::c_char;
use std::ptr::null_mut;

#[test]
fn statistics() {
    respawn::alone(|| {
        other_threads::wait_until_idle();
        unsafe {
            // What comes with the thread's first allocation, and what came before.
            mi_free(mi_malloc(100));
            let mut text = vec![0; 64 << 10];

            the_frame_of_the_struct();
            struct_and_json_agree(&mut text);
            allocations_are_counted();
            large_blocks_are_counted();
            threads_are_counted();
            memory_is_counted();
            #[cfg(mi_v2)]
            a_reset_starts_from_zero();
            #[cfg(mi_v3)]
            a_reset_changes_nothing();
        }
    });
}

/// The numbers, with all that this thread has counted.
unsafe fn now() -> mi_stats_t {
    #[cfg(mi_v3)]
    mi_collect(false);
    #[cfg(mi_v2)]
    mi_stats_merge();
    let mut stats = mi_stats_t::new();
    assert!(mi_stats_get(&mut stats));
    stats
}

unsafe fn the_frame_of_the_struct() {
    let stats = mi_stats_t::new();
    assert_eq!(
        (stats.size, stats.version),
        (size_of::<mi_stats_t>(), MI_STAT_VERSION)
    );
    assert_eq!(mi_stats_t::default().version, MI_STAT_VERSION);
    assert!(stats::numbers_of(&stats).iter().all(|number| *number == 0));
    #[cfg(mi_v3)]
    {
        let mut stats = stats;
        stats.pages.total = 5;
        stats.size = 1;
        stats.version = 1;
        mi_stats_header_init(&mut stats);
        assert_eq!(
            (stats.size, stats.version),
            (size_of::<mi_stats_t>(), MI_STAT_VERSION)
        );
        assert_eq!(stats.pages.total, 5);
        mi_stats_init(&mut stats);
        assert_eq!(
            (stats.size, stats.version),
            (size_of::<mi_stats_t>(), MI_STAT_VERSION)
        );
        assert_eq!(stats.pages.total, 0);
    }

    // A struct of another version is not written to.
    assert!(!mi_stats_get(null_mut()));
    for (size, version) in [
        (size_of::<mi_stats_t>() - 8, MI_STAT_VERSION),
        (size_of::<mi_stats_t>(), MI_STAT_VERSION + 1),
        (0, 0),
    ] {
        let mut wrong = mi_stats_t::new();
        wrong.size = size;
        wrong.version = version;
        wrong.pages.total = -3;
        assert!(!mi_stats_get(&mut wrong));
        assert_eq!(wrong.pages.total, -3);
    }
    let known = now();
    assert!(known.pages.total > 0 && known.committed.total > 0);
    #[cfg(mi_v3)]
    assert_eq!(
        (known.size, known.version),
        (size_of::<mi_stats_t>(), MI_STAT_VERSION)
    );
}

unsafe fn struct_and_json_agree(text: &mut [c_char]) {
    // Nothing may be allocated between the two, should the test's own vectors be mimalloc's.
    let stats = now();
    let written = mi_stats_get_json(text.len(), text.as_mut_ptr());
    assert_eq!(written, text.as_mut_ptr());
    let json: Json = CStr::from_ptr(written).to_str().unwrap().parse().unwrap();
    stats::assert_frame(&json);
    let (expected, found) = (stats::numbers_of(&stats), stats::numbers_in(&json));
    assert_eq!(expected, found);
    assert!(found.iter().filter(|number| **number != 0).count() > 10);
    // Two fields by name, to see that the order is not just the same mistake twice.
    let field = |name: &str| json.get(name).get("total").number();
    assert_eq!(field("pages"), stats.pages.total);
    assert_eq!(field("threads"), stats.threads.total);
    assert_eq!(json.get("arena_count").number(), stats.arena_count.total);
    #[cfg(mi_v3)]
    {
        assert_eq!(json.get("chunk_bins").items().len(), MI_CBIN_COUNT as usize);
        assert_eq!(json.get("malloc_count").number(), stats.malloc_count.total);
    }

    // In a block of its own, which must be freed.
    for (size, buffer) in [(0, null_mut()), (100, null_mut()), (0, text.as_mut_ptr())] {
        text[0] = 77;
        let made = mi_stats_get_json(size, buffer);
        assert!(!made.is_null() && made != text.as_mut_ptr());
        assert_eq!(text[0], 77);
        let json: Json = CStr::from_ptr(made).to_str().unwrap().parse().unwrap();
        stats::assert_frame(&json);
        mi_free(made.cast());
    }
}

/// Blocks of 5000 bytes, kept and freed.
unsafe fn allocations_are_counted() {
    const COUNT: usize = 1000;
    const SIZE: usize = 5000;
    let mut blocks = [null_mut(); COUNT];
    let before = now();
    let mut usable = 0;
    for p in &mut blocks {
        *p = mi_malloc(SIZE);
        usable += mi_usable_size(*p) as i64;
    }
    let held = now();
    for p in blocks {
        mi_free(p);
    }
    let after = now();
    let (count, requested) = (COUNT as i64, (COUNT * SIZE) as i64);
    assert!(held.pages.current > before.pages.current);
    assert!(held.pages.total >= before.pages.total + requested / (1 << 20));
    #[cfg(mi_v3)]
    {
        assert_eq!(held.malloc_count.total - before.malloc_count.total, count);
        assert_eq!(after.malloc_count.total, held.malloc_count.total);
        assert_eq!(held.free_count.total, before.free_count.total);
        assert_eq!(after.free_count.total - held.free_count.total, count);
        let allocated = held.allocated.current - before.allocated.current;
        assert!(allocated >= requested && allocated < requested * 5 / 4);
        // Whole blocks; with padding the usable size is less.
        assert!(if mode::PADDING {
            allocated > usable
        } else {
            allocated == usable
        });
        assert_eq!(held.allocated.total - before.allocated.total, allocated);
        assert_eq!(after.allocated.current, before.allocated.current);
        assert_eq!(after.freed.total - held.freed.total, allocated);
        assert!(after.allocated.peak >= held.allocated.current);
        let requests = held.malloc_requested.total - before.malloc_requested.total;
        match mode::DEBUG {
            true => assert_eq!(requests, requested),
            // Coarse: whole blocks, less their padding.
            false => assert!(requests <= allocated && requests >= allocated - 16 * count),
        }
    }
    #[cfg(mi_v2)]
    {
        // A release build of v2 does not count these.
        let times = i64::from(mode::DEBUG);
        let made = held.malloc_normal_count.total - before.malloc_normal_count.total;
        assert_eq!(made, times * count);
        let allocated = held.malloc_normal.current - before.malloc_normal.current;
        assert!(allocated >= times * requested && allocated <= times * requested * 5 / 4);
        assert!(allocated >= times * usable);
        assert_eq!(after.malloc_normal.current, before.malloc_normal.current);
        let requests = held.malloc_requested.total - before.malloc_requested.total;
        assert_eq!(requests, times * requested);
    }
    let in_bin = |stats: &mi_stats_t| -> Vec<i64> {
        stats.malloc_bins.iter().map(|bin| bin.current).collect()
    };
    let changed: Vec<i64> = in_bin(&held)
        .into_iter()
        .zip(in_bin(&before))
        .map(|(held, before)| held - before)
        .filter(|change| *change >= count)
        .collect();
    let counted = cfg!(mi_v3) || mode::DEBUG;
    assert_eq!(changed, if counted { vec![count] } else { vec![] });
}

unsafe fn large_blocks_are_counted() {
    const SIZE: usize = 60 << 20;
    let before = now();
    let blocks = [mi_malloc(SIZE), mi_malloc(SIZE)];
    let held = now();
    #[allow(deprecated)]
    {
        assert_eq!(
            held.malloc_huge_count.total - before.malloc_huge_count.total,
            2
        );
        let bytes = held.malloc_huge.total - before.malloc_huge.total;
        assert!(bytes >= 2 * SIZE as i64 && bytes < 3 * SIZE as i64);
    }
    #[cfg(mi_v3)]
    {
        let bin = |stats: &mi_stats_t| stats.malloc_bins[MI_BIN_HUGE];
        assert_eq!(bin(&held).current - bin(&before).current, 2);
        let allocated = held.allocated.current - before.allocated.current;
        assert!(allocated >= 2 * SIZE as i64);
    }
    for p in blocks {
        mi_free(p);
    }
    #[cfg(mi_v3)]
    assert_eq!(now().allocated.current, before.allocated.current);
}

unsafe fn threads_are_counted() {
    let before = now();
    let threads: Vec<_> = (0..5)
        .map(|_| std::thread::spawn(|| mi_free(mi_malloc(10))))
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let after = now();
    assert_eq!(after.threads.total - before.threads.total, 5);
    assert_eq!(after.threads.current, before.threads.current);
    assert!(after.threads.peak > before.threads.current);
}

unsafe fn memory_is_counted() {
    let before = now();
    assert_eq!(mi_reserve_os_memory(64 << 20, true, false), 0);
    let after = now();
    assert_eq!(after.arena_count.total - before.arena_count.total, 1);
    assert!(after.reserved.current - before.reserved.current >= 64 << 20);
    assert!(after.mmap_calls.total > before.mmap_calls.total);
    assert!(after.committed.current > before.committed.current);
    assert!(after.committed.peak >= after.committed.current);
}

#[cfg(mi_v2)]
unsafe fn a_reset_starts_from_zero() {
    assert!(now().pages.total > 0);
    mi_stats_reset();
    let stats = now();
    assert!(stats::numbers_of(&stats).iter().all(|number| *number == 0));
}

#[cfg(mi_v3)]
unsafe fn a_reset_changes_nothing() {
    let before = now();
    #[allow(deprecated)]
    mi_stats_reset();
    let after = now();
    assert!(before.malloc_count.total > 1000);
    assert_eq!(after.malloc_count.total, before.malloc_count.total);
    assert_eq!(after.allocated.current, before.allocated.current);
    assert_eq!(after.pages.total, before.pages.total);
    #[allow(deprecated)]
    mi_stats_merge();
    assert_eq!(now().malloc_count.total, before.malloc_count.total);
}

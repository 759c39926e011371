//! What goes beyond malloc: small, zeroed and counted allocation, the sizes of blocks, and the start
//! and end of threads and of the process.

use crate::memory::*;
use crate::mode;
use crate::respawn;
use core::ffi::c_void;
use mi_malloc_sys::*;
use std::ptr::null_mut;

#[test]
fn small_blocks_of_every_size() {
    assert_eq!(
        MI_SMALL_SIZE_MAX,
        MI_SMALL_WSIZE_MAX * std::mem::size_of::<usize>()
    );
    unsafe {
        // The second round gets memory that the first one wrote to.
        for _ in 0..10 {
            let mut blocks = Vec::new();
            for size in 0..=MI_SMALL_SIZE_MAX {
                for (p, zeroed) in [
                    (mi_malloc_small(size), false),
                    (mi_zalloc_small(size), true),
                ] {
                    assert!(is_aligned(p, natural_alignment(size)), "{size}");
                    let usable = mi_usable_size(p);
                    assert!(usable >= size, "{size}: {usable}");
                    assert!(!zeroed || is_zero(p, size), "{size}");
                    fill(p, usable, size as u8 | 1);
                    blocks.push((p, usable, size as u8 | 1));
                }
            }
            for (p, usable, byte) in blocks {
                assert!(holds(p, usable, byte));
                mi_free_small(p);
            }
        }
        mi_free_small(null_mut());
    }
}

#[test]
fn counted_blocks() {
    unsafe {
        for (count, size) in [(0, 0), (0, 8), (8, 0), (1, 100), (7, 13), (100, 1000)] {
            let total = count * size;
            let p = mi_mallocn(count, size);
            assert!(mi_usable_size(p) >= total, "{count} * {size}");
            fill(p, total, 1);
            let q = mi_reallocn(p, count + 1, size + 1);
            assert!(mi_usable_size(q) >= (count + 1) * (size + 1));
            assert!(holds(q, total, 1), "{count} * {size}");
            mi_free(q);
            let p = mi_reallocn(null_mut(), count, size);
            fill(p, total, 1);
            mi_free(p);
        }
        let p = mi_zalloc(1000);
        assert!(is_zero(p, 1000));
        fill(p, 1000, 2);
        for (count, size) in [
            (2, TOO_LARGE),
            (usize::MAX, usize::MAX),
            (3, usize::MAX / 3 + 1),
            (1 << (usize::BITS / 2), 1 << (usize::BITS / 2)),
        ] {
            assert!(mi_mallocn(count, size).is_null(), "{count} * {size}");
            assert!(mi_reallocn(p, count, size).is_null(), "{count} * {size}");
            assert!(
                mi_ucalloc(count, size, null_mut()).is_null(),
                "{count} * {size}"
            );
        }
        assert!(holds(p, 1000, 2));
        mi_free(p);
    }
}

#[test]
fn zeroed_blocks() {
    unsafe {
        for _ in 0..20 {
            for size in SIZES {
                let p = mi_zalloc(size);
                assert!(is_zero(p, size), "{size}");
                fill(p, mi_usable_size(p), 0xCC);
                mi_free(p);
            }
        }
        assert!(mi_zalloc(TOO_LARGE).is_null());
        assert!(mi_zalloc(usize::MAX).is_null());
    }
}

#[test]
fn reallocf_frees_what_it_cannot_move() {
    unsafe {
        let p = mi_reallocf(null_mut(), 9000);
        fill(p, 9000, 4);
        let p = mi_reallocf(p, 20_000);
        assert!(holds(p, 9000, 4));
        let neighbour = mi_malloc(20_000);
        assert!(mi_reallocf(p, TOO_LARGE).is_null());
        // The block was freed, so it comes back.
        let blocks: Vec<_> = (0..200).map(|_| mi_malloc(20_000)).collect();
        assert!(blocks.contains(&p));
        for p in blocks {
            mi_free(p);
        }
        mi_free(neighbour);
        assert!(mi_reallocf(null_mut(), usize::MAX).is_null());
    }
}

#[test]
fn usable_size() {
    unsafe {
        assert_eq!(mi_usable_size(null_mut()), 0);
        for size in SIZES {
            let p = mi_malloc(size);
            let (usable, good) = (mi_usable_size(p), mi_good_size(size));
            assert!(usable >= size, "{size}: {usable}");
            if mode::GUARDED {
                // A block before a guard page has a size of its own.
            } else if mode::PADDING {
                // What was asked for, and a word for nothing.
                let expected = if size == 0 {
                    std::mem::size_of::<usize>()
                } else {
                    size
                };
                assert_eq!(usable, expected, "{size}");
            } else if size <= 65_536 {
                assert_eq!(usable, good, "{size}");
            } else {
                assert!(usable >= good, "{size}: {usable} {good}");
            }
            mi_free(p);
        }
    }
}

#[test]
fn good_size() {
    unsafe {
        let mut before = 0;
        for size in (0..20_000).chain((20_000..3_000_000).step_by(997)) {
            let good = mi_good_size(size);
            assert!(
                good >= size && good >= before,
                "{size}: {good} after {before}"
            );
            assert!(
                good <= size + size / 4 + 32,
                "{size}: {good} wastes too much"
            );
            if !mode::PADDING && good <= 65_536 {
                assert_eq!(mi_good_size(good), good, "{size}");
            }
            before = good;
        }
        for size in [TOO_LARGE, usize::MAX] {
            assert_eq!(mi_good_size(size), size);
        }
    }
}

/// A full block holds what can be used, and the padding.
fn assert_full_size(full: usize, p: *mut c_void, size: usize) {
    let usable = unsafe { mi_usable_size(p) };
    assert!(full >= usable && usable >= size, "{size}: {full} {usable}");
    if mode::GUARDED {
        return;
    }
    if mode::PADDING {
        assert!(full > usable, "{size}: {full} {usable}");
    } else {
        assert_eq!(full, usable, "{size}");
    }
    // (With padding it misses the word that a block of size 0 takes.)
    if size <= 65_536 && !(mode::PADDING && size == 0) {
        assert_eq!(full, unsafe { mi_good_size(size) }, "{size}");
    }
}

#[test]
fn sizes_come_with_the_block() {
    unsafe {
        for size in SIZES {
            let mut full = 0;
            let p = mi_umalloc(size, &mut full);
            assert_full_size(full, p, size);
            let mut freed = 0;
            mi_ufree(p, &mut freed);
            assert_eq!(freed, full, "{size}");

            let p = mi_ucalloc(size, 1, &mut full);
            assert!(is_zero(p, size));
            assert_full_size(full, p, size);
            fill(p, size, 1);

            let (mut pre, mut post) = (0, 0);
            let q = mi_urealloc(p, size + 1, &mut pre, &mut post);
            assert_eq!(pre, full, "{size}");
            assert!(holds(q, size, 1));
            assert!(post >= mi_usable_size(q) && post > size);
            mi_ufree(q, &mut freed);
            assert_eq!(freed, post, "{size}");

            if size <= MI_SMALL_SIZE_MAX {
                let p = mi_umalloc_small(size, &mut full);
                assert_full_size(full, p, size);
                fill(p, size, 0xFF);
                mi_ufree(p, null_mut());
                let p = mi_uzalloc_small(size, &mut full);
                assert!(is_zero(p, size));
                assert_full_size(full, p, size);
                mi_ufree(p, null_mut());
            }
        }
    }
}

#[test]
fn sizes_come_with_aligned_blocks() {
    unsafe {
        for alignment in [1, 16, 64, 4096, 65_536, 1 << 20] {
            for size in SIZES {
                let (mut full, mut freed) = (0, 0);
                let p = mi_umalloc_aligned(size, alignment, &mut full);
                assert!(is_aligned(p, alignment), "{size} {alignment}");
                assert!(full >= mi_usable_size(p) && mi_usable_size(p) >= size);
                fill(p, size, 0xFF);
                mi_ufree(p, &mut freed);
                assert_eq!(freed, full, "{size} {alignment}");

                let p = mi_uzalloc_aligned(size, alignment, &mut full);
                assert!(
                    is_aligned(p, alignment) && is_zero(p, size),
                    "{size} {alignment}"
                );
                mi_ufree(p, &mut freed);
                assert_eq!(freed, full, "{size} {alignment}");
            }
        }
    }
}

#[test]
fn usable_size_of_null() {
    unsafe {
        let mut full = 77;
        mi_ufree(null_mut(), &mut full);
        assert_eq!(full, 0);
        mi_ufree(null_mut(), null_mut());
        let (mut pre, mut post) = (77, 0);
        let p = mi_urealloc(null_mut(), 100, &mut pre, &mut post);
        assert_eq!(pre, 0);
        assert!(post >= 100);
        // Nobody needs to ask.
        let p = mi_urealloc(p, 5000, null_mut(), null_mut());
        mi_ufree(p, null_mut());
        mi_free(mi_umalloc(8, null_mut()));
        mi_free(mi_umalloc_small(8, null_mut()));
        mi_free(mi_uzalloc_small(8, null_mut()));
        mi_free(mi_umalloc_aligned(8, 64, null_mut()));
        mi_free(mi_uzalloc_aligned(8, 64, null_mut()));

        // No block: no size.
        full = 77;
        assert!(mi_ucalloc(2, TOO_LARGE, &mut full).is_null());
        assert!(mi_umalloc_aligned(8, 24, &mut full).is_null());
        assert!(mi_umalloc_aligned(TOO_LARGE, 64, &mut full).is_null());
        assert!(mi_uzalloc_aligned(TOO_LARGE, 64, &mut full).is_null());
        if !mode::DEBUG {
            // A debug build stops the program here: upstream's assertion has no block in mind.
            assert!(mi_umalloc(TOO_LARGE, &mut full).is_null());
            assert!(mi_ucalloc(1, TOO_LARGE, &mut full).is_null());
        }
        assert_eq!(full, 77);
        let p = mi_malloc(100);
        assert!(mi_urealloc(p, TOO_LARGE, &mut pre, &mut full).is_null());
        assert_eq!(full, 77);
        assert!(pre >= 100);
        mi_free(p);
    }
}

#[test]
fn the_version_is_the_headers() {
    let version = unsafe { mi_version() };
    assert_eq!(version, MI_MALLOC_VERSION);
    assert_eq!(version / 10_000, if cfg!(mi_v3) { 3 } else { 2 });

    // The crate's own version names the release of the default line behind a `+`.
    if cfg!(mi_v3) {
        let upstream = format!(
            "+{}.{}.{}",
            version / 10_000,
            version / 100 % 100,
            version % 100
        );
        let ours = env!("CARGO_PKG_VERSION");
        assert!(ours.ends_with(&upstream), "{ours} does not name {upstream}");
    }
}

#[test]
fn collecting_keeps_the_blocks() {
    unsafe {
        let blocks: Vec<_> = SIZES.iter().map(|size| (mi_malloc(*size), *size)).collect();
        for (p, size) in &blocks {
            fill(*p, *size, 5);
            mi_free(mi_malloc(*size));
        }
        mi_collect(false);
        mi_collect(true);
        for (p, size) in blocks {
            assert!(holds(p, size, 5), "{size}");
            mi_free(p);
        }
        mi_collect(true);
    }
}

#[test]
fn process_info_returns_plausible_numbers() {
    let this = "extended::process_info_returns_plausible_numbers";
    if !respawn::is_child() {
        respawn::assert_child_passes(this, "", &[]);
        return;
    }
    unsafe {
        // Some work and memory, so that there is something to report.
        let size = 64 << 20;
        let p = mi_malloc(size);
        fill(p, size, 1);
        let mut told = [usize::MAX; 8];
        let [elapsed, user, system, rss, peak_rss, commit, peak_commit, faults] = &mut told;
        mi_process_info(
            elapsed,
            user,
            system,
            rss,
            peak_rss,
            commit,
            peak_commit,
            faults,
        );
        let [elapsed, user, system, rss, peak_rss, commit, peak_commit, faults] = told;
        // This test takes no hour.
        assert!(elapsed < 3_600_000 && user < 3_600_000 && system < 3_600_000);
        assert!(
            commit >= size && peak_commit >= commit,
            "{commit} {peak_commit}"
        );
        assert!(rss >= size && peak_rss >= size, "{rss} {peak_rss}");
        // 1 TiB; all that there is of 32 bits, at 4 KiB a page.
        let most = (1_u64 << 40).min(usize::MAX as u64) as usize;
        assert!(
            peak_rss < most && faults < most / 4096,
            "{peak_rss} {faults}"
        );

        // Later is not earlier, and each number is optional.
        std::thread::sleep(std::time::Duration::from_millis(20));
        let mut later = 0;
        let none = null_mut();
        mi_process_info(&mut later, none, none, none, none, none, none, none);
        assert!(later >= elapsed + 10, "{elapsed} {later}");
        mi_process_info(none, none, none, none, none, none, none, none);
        mi_free(p);
    }
}

#[test]
fn initialising_again_changes_nothing() {
    unsafe {
        let p = mi_malloc(100);
        fill(p, 100, 1);
        mi_process_init();
        mi_thread_init();
        mi_process_init();
        mi_thread_init();
        assert!(holds(p, 100, 1));
        assert_eq!(mi_realloc(p, 100), p);
        mi_free(p);
    }
}

#[test]
fn a_thread_can_end_twice() {
    let blocks = std::thread::spawn(|| unsafe {
        mi_thread_init();
        let mut blocks = Vec::new();
        for round in 0..3 {
            let p = mi_malloc(500);
            fill(p, 500, 10 + round);
            blocks.push((p as usize, 10 + round));
            mi_thread_done();
            // The blocks are valid, and can be freed by a thread that is no more.
            for (p, byte) in &blocks {
                assert!(holds(*p as *mut c_void, 500, *byte));
            }
            let (p, _) = blocks.remove(0);
            mi_free(p as *mut c_void);
            let p = mi_malloc(500);
            fill(p, 500, 20 + round);
            blocks.push((p as usize, 20 + round));
        }
        mi_thread_done();
        mi_thread_done();
        // At the end of a thread v3.6.0 takes up again what `mi_thread_done` freed, unless the thread
        // has come back to life.
        mi_thread_init();
        blocks
    })
    .join()
    .unwrap();
    assert_eq!(blocks.len(), 3);
    for (p, byte) in blocks {
        unsafe {
            assert!(holds(p as *mut c_void, 500, byte));
            mi_free(p as *mut c_void);
        }
    }
}

#[test]
fn threads_of_a_pool_allocate() {
    let work = || unsafe {
        mi_thread_set_in_threadpool();
        for size in SIZES {
            let p = mi_malloc(size);
            fill(p, size, 6);
            assert!(holds(p, size, 6));
            mi_free(p);
        }
        mi_thread_set_in_threadpool();
    };
    let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(work)).collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

/// The end of the process may come early: what else runs at exit still allocates.
#[test]
fn plain_allocation_works_after_the_end() {
    let this = "extended::plain_allocation_works_after_the_end";
    if !respawn::is_child() {
        respawn::assert_child_passes(this, "", &[]);
        return;
    }
    unsafe {
        let before = mi_malloc(1000);
        fill(before, 1000, 1);
        mi_process_done();
        mi_process_done();
        for size in SIZES {
            let p = mi_malloc(size);
            fill(p, size, 2);
            let p = mi_realloc(p, size + 100);
            assert!(holds(p, size, 2));
            mi_free(p);
        }
        assert!(holds(before, 1000, 1));
        mi_free(before);
    }
}

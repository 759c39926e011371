//! The statistics of single heaps, threads and subprocesses (v3).

use crate::raw_thread;
use crate::stats::{self, json::Json};
use crate::text::{note, Text};
use mi_malloc_sys::*;
use std::ffi::CStr;
use std::ptr::null_mut;

unsafe fn of_heap(heap: *mut mi_heap_t) -> mi_stats_t {
    mi_heap_collect(heap, false);
    let mut stats = mi_stats_t::new();
    assert!(mi_heap_stats_get(heap, &mut stats));
    stats
}

unsafe fn parse(written: *mut std::os::raw::c_char) -> Json {
    assert!(!written.is_null());
    let json: Json = CStr::from_ptr(written).to_str().unwrap().parse().unwrap();
    mi_free(written.cast());
    stats::assert_frame(&json);
    json
}

#[test]
fn a_heap_counts_its_own_blocks() {
    unsafe {
        let (heap, other) = (mi_heap_new(), mi_heap_new());
        assert_eq!(of_heap(heap).malloc_count.total, 0);
        let blocks: Vec<_> = (0..500).map(|_| mi_heap_malloc(heap, 100)).collect();
        let noise: Vec<_> = (0..70).map(|_| mi_heap_malloc(other, 100)).collect();
        let stats = of_heap(heap);
        assert_eq!(stats.malloc_count.total, 500);
        assert_eq!((stats.free_count.total, stats.freed.total), (0, 0));
        assert!(stats.allocated.current >= 500 * 100 && stats.allocated.current < 500 * 130);
        assert_eq!(stats.allocated.total, stats.allocated.current);
        let bins: Vec<_> = stats
            .malloc_bins
            .iter()
            .filter(|bin| bin.current > 0)
            .collect();
        assert_eq!((bins.len(), bins[0].current, bins[0].total), (1, 500, 500));
        let pages: Vec<_> = stats
            .page_bins
            .iter()
            .filter(|bin| bin.current > 0)
            .collect();
        assert_eq!((pages.len(), pages[0].current), (1, stats.pages.current));
        for p in &blocks[..300] {
            mi_free(*p);
        }
        let less = of_heap(heap);
        assert_eq!((less.malloc_count.total, less.free_count.total), (500, 300));
        assert_eq!(less.allocated.current, stats.allocated.current / 5 * 2);
        assert_eq!(less.freed.total, stats.allocated.current / 5 * 3);
        assert_eq!(of_heap(other).malloc_count.total, 70);
        noise.into_iter().for_each(|p| mi_free(p));
        assert_eq!(of_heap(other).allocated.current, 0);

        // The JSON of a heap, and of any statistics.
        mi_heap_collect(heap, false);
        let mut stats = mi_stats_t::new();
        assert!(mi_heap_stats_get(heap, &mut stats));
        let json = parse(mi_heap_stats_get_json(heap, 0, null_mut()));
        assert_eq!(stats::numbers_in(&json), stats::numbers_of(&stats));
        let json = parse(mi_stats_as_json(&mut stats, 0, null_mut()));
        assert_eq!(stats::numbers_in(&json), stats::numbers_of(&stats));
        mi_heap_destroy(heap);
        mi_heap_destroy(other);
    }
}

/// Each number is where it belongs.
#[test]
fn json_of_made_up_statistics() {
    unsafe {
        let mut stats = mi_stats_t::new();
        let first: *mut i64 = (&mut stats.pages as *mut mi_stat_count_t).cast();
        let end: *const mi_stats_t = (&stats as *const mi_stats_t).add(1);
        let count = (end as usize - first as usize) / 8;
        for (index, number) in std::slice::from_raw_parts_mut(first, count)
            .iter_mut()
            .enumerate()
        {
            // A line of the text holds 127 characters, so not three of the largest numbers.
            *number = if index % 7 == 0 {
                -1 - index as i64
            } else {
                1 << (index % 45)
            };
        }
        let json = parse(mi_stats_as_json(&mut stats, 0, null_mut()));
        assert_eq!(stats::numbers_in(&json), stats::numbers_of(&stats));
        stats.version += 1;
        assert!(mi_stats_as_json(&mut stats, 0, null_mut()).is_null());
        assert!(mi_stats_as_json(null_mut(), 0, null_mut()).is_null());
        let mut stats = mi_stats_t::new();
        stats.size += 8;
        assert!(mi_stats_as_json(&mut stats, 0, null_mut()).is_null());
    }
}

#[test]
fn what_is_no_place_for_statistics() {
    unsafe {
        let heap = mi_heap_new();
        let id = mi_subproc_main();
        let theap = mi_heap_theap(heap);
        let none = mi_subproc_id_t {
            _mi_subproc_id: null_mut(),
        };
        let mut stats = mi_stats_t::new();
        stats.version = 1;
        assert!(!mi_heap_stats_get(heap, &mut stats));
        assert!(!mi_theap_stats_get(theap, &mut stats));
        assert!(!mi_subproc_stats_get(id, &mut stats));
        assert!(!mi_subproc_stats_get_exclusive(id, &mut stats));
        assert!(!mi_heap_stats_get(heap, null_mut()));
        assert!(!mi_theap_stats_get(theap, null_mut()));
        assert!(!mi_subproc_stats_get(id, null_mut()));
        assert!(!mi_subproc_stats_get_exclusive(id, null_mut()));
        let mut stats = mi_stats_t::new();
        assert!(!mi_subproc_stats_get(none, &mut stats));
        assert!(!mi_subproc_stats_get_exclusive(none, &mut stats));
        assert!(mi_subproc_stats_get_json(none, 0, null_mut()).is_null());
        mi_heap_delete(heap);
    }
}

/// A thread counts for itself until it adds that to the heap.
#[test]
fn a_thread_adds_to_its_heap() {
    unsafe {
        let heap = mi_heap_new();
        let theap = mi_heap_theap(heap);
        let of_thread = || {
            let mut stats = mi_stats_t::new();
            assert!(mi_theap_stats_get(theap, &mut stats));
            stats
        };
        let p = mi_theap_malloc(theap, 100_000);
        mi_theap_stats_merge_to_heap(null_mut());
        let before = of_thread();
        assert_eq!((before.pages.total, before.pages.current), (1, 1));
        mi_theap_stats_merge_to_heap(theap);
        let after = of_thread();
        assert!(stats::numbers_of(&after).iter().all(|number| *number == 0));
        assert_eq!((after.size, after.version), (before.size, before.version));
        let mut of_heap = mi_stats_t::new();
        assert!(mi_heap_stats_get(heap, &mut of_heap));
        assert_eq!((of_heap.pages.total, of_heap.pages.current), (1, 1));
        mi_free(p);
        mi_heap_delete(heap);
    }
}

#[test]
fn a_heap_adds_to_its_subprocess() {
    unsafe {
        // A first heap extends a table of the main subprocess. If a thread of another subprocess does, an expensive
        // check of v3.6.0 (`_mi_heap_theap_peek` in prim-tls.h) stops the program.
        mi_heap_delete(mi_heap_new());
        let id = mi_subproc_new();
        let number = id._mi_subproc_id as usize;
        raw_thread::run(move || {
            mi_subproc_add_current_thread(mi_subproc_id_t {
                _mi_subproc_id: number as *mut _,
            });
            let id = mi_subproc_current();
            let exclusive = || {
                let mut stats = mi_stats_t::new();
                assert!(mi_subproc_stats_get_exclusive(id, &mut stats));
                stats
            };
            let heap = mi_heap_new();
            let all = || {
                mi_collect(false);
                mi_heap_collect(heap, false);
                let mut stats = mi_stats_t::new();
                assert!(mi_subproc_stats_get(id, &mut stats));
                stats
            };
            // mimalloc's own data for a heap comes with the first block, and counts as well.
            mi_free(mi_heap_malloc(heap, 300_000));
            let before = all();
            let p = mi_malloc(200_000);
            let q = mi_heap_malloc(heap, 300_000);
            // The subprocess with its heaps, and without: what belongs to no heap.
            let seen = all();
            assert_eq!(seen.malloc_count.total, before.malloc_count.total + 2);
            assert!(seen.allocated.current >= 500_000 && seen.arena_count.total >= 1);
            assert_eq!(exclusive().malloc_count.total, 0);
            assert_eq!(exclusive().arena_count.total, seen.arena_count.total);
            assert_eq!(seen.heaps.current, 2);
            assert_eq!(seen.threads.current, 1);
            let mut default = mi_stats_t::new();
            assert!(mi_stats_get(&mut default));
            assert_eq!(default.malloc_count.total, seen.malloc_count.total);
            let json = mi_subproc_stats_get_json(id, 0, null_mut());
            let text = CStr::from_ptr(json).to_str().unwrap().to_owned();
            mi_free(json.cast());
            let json: Json = text.parse().unwrap();
            assert_eq!(json.get("heaps").get("current").number(), 2);

            // What is merged moves, and the sum stays.
            let main = of_heap(mi_heap_main()).malloc_count.total;
            mi_heap_stats_merge_to_subproc(null_mut());
            assert_eq!(exclusive().malloc_count.total, main);
            let ours = of_heap(heap).malloc_count.total;
            assert_eq!(ours, 2);
            mi_heap_stats_merge_to_subproc(heap);
            assert!(exclusive().malloc_count.total > main);
            let mut stats = mi_stats_t::new();
            assert!(mi_heap_stats_get(heap, &mut stats));
            assert_eq!(stats.malloc_count.total, 0);
            mi_free(p);
            mi_free(q);
        });
        mi_subproc_destroy(id);
    }
}

#[test]
fn sizes_of_bins() {
    unsafe {
        let sizes: Vec<usize> = (1..MI_BIN_HUGE)
            .map(|bin| mi_stats_get_bin_size(bin))
            .collect();
        assert_eq!(sizes[0], std::mem::size_of::<usize>());
        assert!(sizes.windows(2).all(|pair| pair[0] < pair[1]), "{sizes:?}");
        for bin in [MI_BIN_HUGE + 1, MI_BIN_HUGE + 2, usize::MAX] {
            assert_eq!(mi_stats_get_bin_size(bin), 0);
        }
        // A block is in the smallest bin that holds it.
        for size in [10usize, 100, 1000, 10_000, 60_000] {
            let heap = mi_heap_new();
            let p = mi_heap_malloc(heap, size);
            let stats = of_heap(heap);
            let bin = stats
                .malloc_bins
                .iter()
                .position(|bin| bin.current > 0)
                .unwrap();
            assert!(mi_stats_get_bin_size(bin) >= size.min(mi_usable_size(p)));
            assert!(mi_stats_get_bin_size(bin - 1) <= size + 2 * std::mem::size_of::<usize>());
            mi_heap_destroy(heap);
        }
    }
}

#[test]
#[allow(deprecated)]
fn tables() {
    unsafe {
        let heap = mi_heap_new();
        let p = mi_heap_malloc(heap, 123_456);
        let mut out = Text::new();
        mi_heap_collect(heap, false);
        mi_heap_stats_print_out(heap, Some(note), out.argument());
        let table = out.take();
        for part in [
            "heap ",
            "blocks",
            "allocated",
            "pages",
            "process",
            "elapsed",
        ] {
            assert!(table.contains(part), "no {part} in {table}");
        }
        let (id, argument) = (mi_subproc_main(), out.argument());
        mi_subproc_stats_print_out(id, Some(note), argument);
        let table = out.take();
        assert!(
            table.contains("subproc 0") && table.contains("arenas"),
            "{table}"
        );
        mi_subproc_heap_stats_print_out(id, Some(note), argument);
        let table = out.take();
        let count = |part: &str| table.lines().filter(|line| line.starts_with(part)).count();
        assert!(
            count("heap ") >= 2 && count("subproc ") == 1 && count("meta ") == 1,
            "{table}"
        );
        mi_stats_print_out(Some(note), argument);
        assert!(out.take().contains("subproc 0"));
        mi_thread_stats_print_out(Some(note), argument);
        assert!(out.take().contains("heap 0"));
        let none = mi_subproc_id_t {
            _mi_subproc_id: null_mut(),
        };
        mi_subproc_stats_print_out(none, Some(note), argument);
        mi_subproc_heap_stats_print_out(none, Some(note), argument);
        assert_eq!(out.take(), "");
        mi_free(p);
        mi_heap_delete(heap);
    }
}

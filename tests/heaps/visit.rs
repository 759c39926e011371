//! Walking through the blocks of a heap: what is reported is what was allocated.

use crate::mode;
use crate::own_heap;
use crate::visitor::{self, note, Seen};
use core::ffi::c_void;
use mi_malloc_sys::*;
use std::collections::HashSet;
#[allow(unused_imports)] // not every major version and feature has a test that needs it
use std::ptr::null_mut;

/// Blocks of many sizes, with their sizes.
unsafe fn fill(heap: *mut mi_heap_t) -> Vec<(*mut c_void, usize)> {
    let mut blocks = Vec::new();
    for (count, size) in [
        (2000, 8),
        (1, 16),
        (700, 48),
        (100, 1000),
        (50, 1025),
        (40, 30_000),
        (3, 600_000),
        (2, 40_000_000),
        (1, 300_000_000),
    ] {
        for _ in 0..count {
            let p = mi_heap_malloc(heap, size);
            assert!(!p.is_null());
            blocks.push((p, size));
        }
    }
    blocks
}

/// Every block is reported once, and is at least as large as requested.
unsafe fn assert_agree(seen: &Seen, blocks: &[(*mut c_void, usize)]) {
    assert_eq!(seen.blocks.len(), blocks.len());
    let starts: HashSet<usize> = seen.blocks.iter().map(|(start, _)| *start).collect();
    assert_eq!(starts.len(), blocks.len());
    // A search among all would be slow; the pointer is the start but for blocks with a guard page.
    for (p, size) in blocks {
        if !mode::GUARDED {
            assert!(starts.contains(&(*p as usize)), "{size} bytes at {p:p}");
        }
    }
    for (p, size) in blocks.iter().step_by(17) {
        let (start, usable) = seen.block_of(*p).expect("a block was not visited");
        let before = *p as usize - start;
        assert!(
            before + size <= usable,
            "{size} bytes in a block of {usable}"
        );
        assert!(before + mi_usable_size(*p) <= usable);
        // Without padding the whole block may be used.
        assert!(mode::PADDING || before > 0 || mi_usable_size(*p) == usable);
    }
}

#[test]
fn a_visit_sees_what_was_allocated() {
    unsafe {
        let heap = own_heap::new();
        let seen = visitor::heap(heap);
        assert_eq!(seen.calls(), 0);
        let blocks = fill(heap);
        let seen = visitor::heap(heap);
        assert!(seen.heaps.iter().all(|visited| *visited == heap));
        assert_agree(&seen, &blocks);

        // Every third block goes.
        let mut kept = Vec::new();
        for (index, (p, size)) in blocks.into_iter().enumerate() {
            if index % 3 == 0 {
                mi_free(p);
            } else {
                kept.push((p, size));
            }
        }
        assert_agree(&visitor::heap(heap), &kept);

        for (p, _) in kept {
            mi_free(p);
        }
        assert_eq!(visitor::heap(heap).blocks, []);
        mi_heap_delete(heap);
    }
}

#[test]
fn an_area_describes_what_it_holds() {
    unsafe {
        let heap = own_heap::new();
        let blocks = fill(heap);
        let seen = visitor::heap(heap);
        let used: usize = seen.areas.iter().map(|area| area.used).sum();
        assert_eq!(used, blocks.len());
        for area in &seen.areas {
            assert!(area.block_size >= 8 && area.block_size <= area.full_block_size);
            assert!(area.committed <= area.reserved);
            assert_eq!(area.committed % area.full_block_size, 0);
            assert!(area.used * area.full_block_size <= area.committed);
            let from = area.blocks as usize;
            let inside: Vec<_> = seen
                .blocks
                .iter()
                .filter(|(start, _)| (from..from + area.committed).contains(start))
                .collect();
            assert_eq!(inside.len(), area.used);
            for (start, size) in inside {
                assert_eq!((start - from) % area.full_block_size, 0);
                assert_eq!(*size, area.block_size);
            }
        }
        visitor::destroy(heap);
    }
}

#[test]
fn areas_only() {
    unsafe {
        let heap = own_heap::new();
        fill(heap);
        let mut areas = Seen::default();
        assert!(mi_heap_visit_blocks(
            heap,
            false,
            Some(note),
            areas.argument()
        ));
        assert_eq!(areas.blocks, []);
        let all = visitor::heap(heap);
        let starts = |seen: &Seen| {
            seen.areas
                .iter()
                .map(|area| area.blocks)
                .collect::<Vec<_>>()
        };
        assert!(areas.areas.len() > 5);
        assert_eq!(starts(&areas), starts(&all));
        visitor::destroy(heap);
    }
}

#[test]
fn a_visitor_ends_the_visit() {
    unsafe {
        let heap = own_heap::new();
        fill(heap);
        let all = visitor::heap(heap).calls();
        for stop in [1, 2, 3, 50, 1999, 2002, all - 1] {
            let mut seen = Seen {
                stop_after: Some(stop),
                ..Seen::default()
            };
            assert!(!mi_heap_visit_blocks(
                heap,
                true,
                Some(note),
                seen.argument()
            ));
            assert_eq!(seen.calls(), stop);
        }
        // False from the last call counts too.
        let mut seen = Seen {
            stop_after: Some(all),
            ..Seen::default()
        };
        assert!(!mi_heap_visit_blocks(
            heap,
            true,
            Some(note),
            seen.argument()
        ));
        let mut seen = Seen {
            stop_after: Some(1),
            ..Seen::default()
        };
        assert!(!mi_heap_visit_blocks(
            heap,
            false,
            Some(note),
            seen.argument()
        ));
        assert_eq!((seen.areas.len(), seen.blocks.len()), (1, 0));
        visitor::destroy(heap);
    }
}

/// Debug builds stop the program instead.
#[cfg(all(
    mi_v3,
    not(any(feature = "debug", all(feature = "debug_in_debug", debug_assertions)))
))]
#[test]
fn no_visitor() {
    unsafe {
        let heap = own_heap::new();
        assert!(!mi_heap_visit_blocks(heap, true, None, null_mut()));
        visitor::destroy(heap);
    }
}

#[test]
fn aligned_blocks_are_visited_once() {
    unsafe {
        let heap = own_heap::new();
        let mut blocks = Vec::new();
        for align in [16, 64, 256, 4096, 65_536, 1 << 20] {
            for size in [24, 100, 5000] {
                blocks.push((mi_heap_malloc_aligned(heap, size, align), size));
            }
        }
        let seen = visitor::heap(heap);
        assert_eq!(seen.blocks.len(), blocks.len());
        let mut found = HashSet::new();
        for (p, size) in &blocks {
            let (start, usable) = seen.block_of(*p).expect("a block was not visited");
            assert!(*p as usize + size <= start + usable);
            assert!(found.insert(start));
        }
        for (p, _) in blocks {
            mi_free(p);
        }
        assert_eq!(visitor::heap(heap).blocks, []);
        mi_heap_delete(heap);
    }
}

/// Blocks of a heap that the threads which allocated them have left.
#[cfg(mi_v3)]
#[test]
fn blocks_of_ended_threads() {
    unsafe {
        let heap = own_heap::new();
        let address = heap as usize;
        let allocate = move |size: usize| {
            let heap = address as *mut mi_heap_t;
            (0..10)
                .map(|_| mi_heap_malloc(heap, size) as usize)
                .collect::<Vec<_>>()
        };
        let kept = allocate(64);
        // Less than a page of each: pages that are full are not among the abandoned.
        let left: Vec<usize> = [64, 500, 5000 * std::mem::size_of::<usize>()]
            .into_iter()
            .flat_map(|size| std::thread::spawn(move || allocate(size)).join().unwrap())
            .collect();
        assert_eq!(visitor::heap(heap).blocks.len(), kept.len() + left.len());
        let mut seen = Seen::default();
        assert!(mi_heap_visit_abandoned_blocks(
            heap,
            true,
            Some(note),
            seen.argument()
        ));
        assert_eq!(seen.blocks.len(), left.len());
        for p in left {
            assert!(seen.block_of(p as *const c_void).is_some());
        }
        for p in kept {
            assert!(seen.block_of(p as *const c_void).is_none());
        }
        let mut areas = Seen::default();
        assert!(mi_heap_visit_abandoned_blocks(
            heap,
            false,
            Some(note),
            areas.argument()
        ));
        assert_eq!(areas.areas.len(), seen.areas.len());
        assert_eq!(areas.blocks, []);
        visitor::destroy(heap);
    }
}

#[cfg(mi_v2)]
#[test]
fn no_heap_has_no_areas() {
    let mut seen = Seen::default();
    unsafe {
        assert!(mi_heap_visit_blocks(
            null_mut(),
            true,
            Some(note),
            seen.argument()
        ));
    }
    assert_eq!(seen.calls(), 0);
}

/// The option must be on from the start of the process.
#[cfg(mi_v2)]
#[test]
fn abandoned_blocks_are_not_visited_without_the_option() {
    let mut seen = Seen::default();
    let seen = seen.argument();
    // In secure and debug builds the error that it reports ends the process.
    if !mode::PADDING {
        unsafe {
            assert!(!mi_abandoned_visit_blocks(
                null_mut(),
                -1,
                true,
                Some(note),
                seen
            ));
        }
    }
}

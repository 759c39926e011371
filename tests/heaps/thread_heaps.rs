//! Thread-local heaps (v3): the part that one thread has of a heap.

use crate::mode;
use crate::respawn;
use crate::visitor;
use core::ffi::c_void;
use mi_malloc_sys::*;
use std::ptr::null_mut;
use std::slice::from_raw_parts_mut;

unsafe fn bytes<'a>(p: *mut c_void, size: usize) -> &'a mut [u8] {
    assert!(!p.is_null());
    from_raw_parts_mut(p.cast(), size)
}

#[test]
fn each_thread_has_its_own() {
    unsafe {
        let heap = mi_heap_new();
        let theap = mi_heap_theap(heap);
        assert!(!theap.is_null());
        assert_eq!(mi_heap_theap(heap), theap);
        let address = heap as usize;
        let other = std::thread::spawn(move || {
            let heap = address as *mut mi_heap_t;
            let theap = mi_heap_theap(heap);
            let p = mi_theap_malloc(theap, 100);
            assert_eq!(mi_heap_of(p), heap);
            (theap as usize, p as usize)
        });
        let (other, p) = other.join().unwrap();
        assert_ne!(other, theap as usize);
        let q = mi_theap_malloc(theap, 100);
        assert_eq!(mi_heap_of(q), heap);
        // Any thread frees the blocks of both.
        std::thread::spawn({
            let q = q as usize;
            move || mi_free(q as *mut c_void)
        })
        .join()
        .unwrap();
        mi_free(p as *mut c_void);
        mi_heap_delete(heap);
    }
}

#[test]
fn the_default_of_a_thread() {
    unsafe {
        let of_main = mi_heap_theap(mi_heap_main());
        assert_eq!(mi_theap_get_default(), of_main);
        let heap = mi_heap_new();
        let theap = mi_heap_theap(heap);
        assert_eq!(mi_theap_get_default(), of_main);
        assert_eq!(mi_theap_set_default(theap), of_main);
        assert_eq!(mi_theap_get_default(), theap);
        let p = mi_malloc(1000);
        assert_eq!(mi_heap_of(p), heap);
        // Other threads keep theirs, and the main heap stays what it is.
        std::thread::spawn(|| {
            let p = mi_malloc(1000);
            assert_eq!(mi_heap_of(p), mi_heap_main());
            mi_free(p);
        })
        .join()
        .unwrap();
        let q = mi_heap_malloc(mi_heap_main(), 1000);
        assert_eq!(mi_heap_of(q), mi_heap_main());
        assert_eq!(mi_theap_set_default(null_mut()), theap);
        assert_eq!(mi_theap_get_default(), theap);
        assert_eq!(mi_theap_set_default(of_main), theap);
        let r = mi_malloc(1000);
        assert_eq!(mi_heap_of(r), mi_heap_main());
        for p in [p, q, r] {
            mi_free(p);
        }
        mi_heap_delete(heap);
    }
}

#[test]
fn every_way_to_allocate() {
    unsafe {
        let heap = mi_heap_new();
        let theap = mi_heap_theap(heap);
        for _ in 0..2 {
            let mut blocks = Vec::new();
            let mut made = |p: *mut c_void, size: usize, align: usize, zero: bool| {
                assert_eq!(mi_heap_of(p), heap);
                assert_eq!(p as usize % align, 0);
                assert!(mi_usable_size(p) >= size);
                let block = bytes(p, size);
                assert!(!zero || block.iter().all(|byte| *byte == 0));
                block.fill(0xE3);
                blocks.push(p);
            };
            for size in [1, 16, 500, MI_SMALL_SIZE_MAX] {
                made(mi_theap_malloc_small(theap, size), size, 1, false);
                made(mi_theap_zalloc_small(theap, size), size, 1, true);
            }
            for size in [1, 16, 1024, 5000, 200_000] {
                made(mi_theap_malloc(theap, size), size, 1, false);
                made(mi_theap_zalloc(theap, size), size, 1, true);
                made(mi_theap_calloc(theap, 9, size), 9 * size, 1, true);
                made(mi_theap_alloc_new(theap, size), size, 1, false);
                made(mi_theap_alloc_new_n(theap, 9, size), 9 * size, 1, false);
                made(mi_theap_alloc_new_nothrow(theap, size), size, 1, false);
                for align in [32, 1024, 8192] {
                    made(
                        mi_theap_malloc_aligned(theap, size, align),
                        size,
                        align,
                        false,
                    );
                    made(
                        mi_theap_zalloc_aligned(theap, size, align),
                        size,
                        align,
                        true,
                    );
                }
            }
            assert_eq!(visitor::heap(heap).blocks.len(), blocks.len());
            for p in blocks {
                mi_free(p);
            }
        }
        let half = usize::MAX / 2;
        assert!(mi_theap_malloc(theap, half + 1).is_null());
        assert!(mi_theap_zalloc(theap, half + 1).is_null());
        assert!(mi_theap_calloc(theap, half, 3).is_null());
        assert!(mi_theap_malloc_aligned(theap, half + 1, 64).is_null());
        assert!(mi_theap_alloc_new_nothrow(theap, half + 1).is_null());
        assert_eq!(visitor::heap(heap).blocks, []);
        mi_heap_delete(heap);
    }
}

#[test]
fn reallocation() {
    unsafe {
        let (heap, other) = (mi_heap_new(), mi_heap_new());
        let theap = mi_heap_theap(heap);
        let mut p = mi_theap_realloc(theap, null_mut(), 20);
        bytes(p, 20).fill(0x31);
        for size in [20, 400, 5000, 400_000, 20] {
            p = mi_theap_realloc(theap, p, size);
            assert_eq!(mi_heap_of(p), heap);
            assert!(bytes(p, 20).iter().all(|byte| *byte == 0x31));
        }
        // A block of another heap moves over.
        let q = mi_heap_malloc(other, 20);
        bytes(q, 20).fill(0x32);
        let q = mi_theap_realloc(theap, q, 20);
        assert_eq!(mi_heap_of(q), heap);
        assert!(bytes(q, 20).iter().all(|byte| *byte == 0x32));
        let mut z = mi_theap_zalloc(theap, 10);
        let mut filled = 0;
        for size in [10, 11, 300, 4000, 90_000] {
            z = mi_theap_rezalloc(theap, z, size);
            assert_eq!(mi_heap_of(z), heap);
            let block = bytes(z, size);
            assert!(block[..filled].iter().all(|byte| *byte == 0x33));
            assert!(block[filled..].iter().all(|byte| *byte == 0));
            block.fill(0x33);
            filled = size;
        }
        assert!(mi_theap_realloc(theap, p, usize::MAX / 2 + 1).is_null());
        assert!(mi_theap_rezalloc(theap, z, usize::MAX / 2 + 1).is_null());
        for p in [p, q, z] {
            mi_free(p);
        }
        assert_eq!(visitor::heap(heap).blocks, []);
        mi_heap_delete(heap);
        mi_heap_delete(other);
    }
}

#[test]
fn collecting() {
    unsafe {
        let heap = mi_heap_new();
        let theap = mi_heap_theap(heap);
        let blocks: Vec<_> = (0..1000).map(|_| mi_theap_malloc(theap, 300)).collect();
        assert!(visitor::heap(heap).areas.len() > 1);
        blocks.into_iter().for_each(|p| mi_free(p));
        mi_theap_collect(null_mut(), true);
        mi_theap_collect(theap, false);
        mi_theap_collect(theap, true);
        assert_eq!(visitor::heap(heap).calls(), 0);
        mi_heap_delete(heap);
    }
}

#[test]
fn the_end_of_a_part_is_not_that_of_its_blocks() {
    unsafe {
        let heap = mi_heap_new();
        let theap = mi_heap_theap(heap);
        let mut blocks = [null_mut(); 499]; // a vector would be a block of the heap, under `override`
        let of_main = mi_theap_set_default(theap);
        for (index, p) in blocks.iter_mut().enumerate() {
            *p = mi_malloc(index + 1);
            bytes(*p, index + 1).fill((index as u8).wrapping_add(1));
        }
        mi_theap_delete(theap);
        // The part of the main heap is the default again; the blocks have stayed in their heap.
        assert_eq!(mi_theap_get_default(), of_main);
        for (index, p) in blocks.iter().enumerate() {
            let size = index + 1;
            assert_eq!(mi_heap_of(*p), heap);
            assert!(bytes(*p, size)
                .iter()
                .all(|byte| *byte == (index as u8).wrapping_add(1)));
            assert_eq!(mi_thread_id_of(*p), 0);
        }
        assert_eq!(visitor::heap(heap).blocks.len(), blocks.len());
        // The thread gets a new part, and allocation goes on.
        let p = mi_heap_malloc(heap, 10);
        assert_eq!(mi_heap_of(p), heap);
        mi_theap_delete(null_mut());
        mi_heap_destroy(heap);
    }
}

/// A thread's part of the main heap does not end; it only gives up its pages.
#[test]
fn the_part_of_the_main_heap_stays() {
    // Another thread that allocates from the main heap could get the page.
    respawn::alone(|| {
        std::thread::spawn(|| unsafe {
            const SIZE: usize = 44_444;
            let theap = mi_theap_get_default();
            let p = mi_malloc(SIZE);
            bytes(p, SIZE).fill(8);
            assert_ne!(mi_thread_id_of(p), 0);
            mi_theap_delete(theap);
            assert_eq!(mi_theap_get_default(), theap);
            assert_eq!(mi_thread_id_of(p), 0);
            assert!(bytes(p, SIZE).iter().all(|byte| *byte == 8));
            let q = mi_malloc(SIZE);
            assert_eq!(mi_heap_of(q), mi_heap_main());
            mi_free(p);
            mi_free(q);
        })
        .join()
        .unwrap();
    });
}

#[test]
fn pages_are_given_up() {
    unsafe {
        let heap = mi_heap_new();
        let theap = mi_heap_theap(heap);
        let p = mi_theap_malloc(theap, 200);
        bytes(p, 200).fill(9);
        let owner = mi_thread_id_of(p);
        let q = mi_malloc(200);
        assert_eq!(mi_thread_id_of(q), owner);
        assert_ne!(owner, 0);
        mi_free(q);
        mi_theap_quiescent_abandon(null_mut());
        mi_theap_quiescent_abandon(theap);
        assert_eq!(mi_thread_id_of(p), 0);
        assert!(bytes(p, 200).iter().all(|byte| *byte == 9));
        let mut seen = visitor::Seen::default();
        let argument = seen.argument();
        assert!(mi_heap_visit_abandoned_blocks(
            heap,
            true,
            Some(visitor::note),
            argument
        ));
        assert!(seen.block_of(p).is_some());
        // It stays usable, and takes the page back for the next block of that size.
        let q = mi_theap_malloc(theap, 200);
        assert_eq!(mi_heap_of(q), heap);
        assert_eq!(mi_thread_id_of(q), owner);
        mi_heap_destroy(heap);
        assert_eq!(mi_thread_id_of(null_mut()), 0);
    }
}

#[test]
fn visiting_what_a_thread_owns() {
    #[allow(deprecated)]
    unsafe fn owned(theap: *const mi_theap_t, visit_blocks: bool) -> visitor::Seen {
        let mut seen = visitor::Seen::default();
        let argument = seen.argument();
        assert!(mi_theap_visit_blocks(
            theap,
            visit_blocks,
            Some(visitor::note),
            argument
        ));
        seen
    }
    unsafe {
        let heap = mi_heap_new();
        let theap = mi_heap_theap(heap);
        let ours: Vec<_> = (1..30)
            .map(|count| mi_theap_malloc(theap, count * 40))
            .collect();
        let address = heap as usize;
        let other = std::thread::spawn(move || {
            let heap = address as *mut mi_heap_t;
            let p = mi_heap_malloc(heap, 100_000);
            let seen = owned(mi_heap_theap(heap), true);
            assert_eq!((seen.areas.len(), seen.blocks.len()), (1, 1));
            p as usize
        });
        let p = other.join().unwrap() as *mut c_void;
        let seen = owned(theap, true);
        assert_eq!(seen.blocks.len(), ours.len());
        assert!(seen.block_of(p).is_none());
        assert!(ours.iter().all(|p| seen.block_of(*p).is_some()));
        assert_eq!(owned(theap, false).calls(), seen.areas.len());
        assert_eq!(visitor::heap(heap).blocks.len(), ours.len() + 1);
        assert_eq!(owned(null_mut(), true).calls(), 0);
        mi_heap_destroy(heap);
    }
}

/// In a build with guard pages every block can have one; in others the calls change nothing.
#[test]
fn guard_pages() {
    unsafe {
        let heap = mi_heap_new();
        let theap = mi_heap_theap(heap);
        let guarded = |size: usize| {
            let before = guarded_blocks(heap);
            let blocks: Vec<_> = (0..1000).map(|_| mi_theap_malloc(theap, size)).collect();
            let count = guarded_blocks(heap) - before;
            for p in blocks {
                bytes(p, size).fill(1);
                mi_free(p);
            }
            count
        };
        assert_eq!(guarded(200), 0);
        mi_theap_guarded_set_size_bound(theap, 100, 300);
        mi_theap_guarded_set_sample_rate(theap, 1, 1);
        assert_eq!(guarded(99), 0);
        assert_eq!(guarded(301), 0);
        let expected = if mode::DEBUG {
            1000..=1000
        } else if mode::GUARDED {
            1..=1000 // coarse sampling looks only where an allocation leaves the fast path
        } else {
            0..=0
        };
        let count = guarded(200);
        assert!(expected.contains(&count), "{count}");
        mi_theap_guarded_set_sample_rate(theap, 0, 0);
        guarded(200); // what was due before the change
        assert_eq!(guarded(200), 0);
        mi_heap_destroy(heap);
    }
}

unsafe fn guarded_blocks(heap: *mut mi_heap_t) -> i64 {
    let mut stats = mi_stats_t::new();
    assert!(mi_heap_stats_get(heap, &mut stats));
    stats.malloc_guarded_count.total
}

//! Heaps: several sets of blocks in one program.

use crate::mode;
use crate::own_heap;
use crate::visitor;
use core::ffi::c_void;
use mi_malloc_sys::*;
use std::ffi::CStr;
use std::ptr::null_mut;
use std::slice::{from_raw_parts, from_raw_parts_mut};

/// Whether `p` is a block of `heap`.
#[cfg(mi_v3)]
unsafe fn is_of(heap: *mut mi_heap_t, p: *const c_void) -> bool {
    assert_eq!(mi_heap_contains(heap, p), mi_heap_of(p) == heap);
    mi_heap_contains(heap, p)
}

#[cfg(mi_v2)]
unsafe fn is_of(heap: *mut mi_heap_t, p: *const c_void) -> bool {
    assert_eq!(
        mi_heap_contains_block(heap, p),
        mi_heap_check_owned(heap, p)
    );
    mi_heap_contains_block(heap, p)
}

/// The heap that takes the blocks of a deleted one.
unsafe fn main_heap() -> *mut mi_heap_t {
    #[cfg(mi_v3)]
    return mi_heap_main();
    #[cfg(mi_v2)]
    return mi_heap_get_backing();
}

unsafe fn bytes<'a>(p: *mut c_void, size: usize) -> &'a mut [u8] {
    assert!(!p.is_null());
    from_raw_parts_mut(p.cast(), size)
}

/// Every kind of page: small, medium, large, and one of its own.
const SIZES: [usize; 12] = [
    1, 8, 16, 24, 100, 1024, 1025, 9_000, 70_000, 300_000, 5_000_000, 20_000_000,
];

#[test]
fn each_heap_has_its_own_blocks() {
    unsafe {
        let heaps = [own_heap::new(), own_heap::new()];
        assert!(!heaps.contains(&null_mut()));
        assert_ne!(heaps[0], heaps[1]);
        let mut blocks = Vec::new();
        for size in SIZES {
            for (index, heap) in heaps.into_iter().enumerate() {
                let p = mi_heap_malloc(heap, size);
                bytes(p, size).fill(index as u8 + 1);
                assert!(is_of(heap, p) && !is_of(heaps[1 - index], p));
                assert!(!is_of(main_heap(), p));
                assert!(mi_usable_size(p) >= size);
                blocks.push((p, size, index as u8 + 1));
            }
            let p = mi_malloc(size);
            assert!(is_of(main_heap(), p) && !is_of(heaps[0], p) && !is_of(heaps[1], p));
            bytes(p, size).fill(9);
            blocks.push((p, size, 9));
        }
        for (p, size, value) in blocks {
            assert!(bytes(p, size).iter().all(|byte| *byte == value), "{size}");
            mi_free(p);
        }
        for heap in heaps {
            assert_eq!(visitor::heap(heap).blocks, []);
            mi_heap_delete(heap);
        }
    }
}

#[test]
fn an_address_that_is_no_block() {
    let local = 0usize;
    let p: *const c_void = (&local as *const usize).cast();
    unsafe {
        let heap = own_heap::new();
        #[cfg(mi_v3)]
        for outside in [p, std::ptr::null(), 8 as *const c_void] {
            assert!(mi_heap_of(outside).is_null());
            assert!(!mi_heap_contains(heap, outside));
            assert!(!mi_heap_contains(null_mut(), outside));
            assert!(!mi_any_heap_contains(outside));
        }
        #[cfg(mi_v2)]
        {
            assert!(!mi_heap_contains_block(heap, std::ptr::null()));
            assert!(!mi_heap_check_owned(heap, p));
            assert!(!mi_check_owned(p));
            assert!(!mi_is_in_heap_region(p));
        }
        mi_heap_delete(heap);
    }
}

#[cfg(mi_v3)]
#[test]
fn the_main_heap_may_be_called_null() {
    unsafe {
        let heap = own_heap::new();
        let ours = mi_heap_malloc(heap, 40);
        let mains = mi_malloc(40);
        assert!(mi_heap_contains(null_mut(), mains) && !mi_heap_contains(null_mut(), ours));
        assert!(mi_any_heap_contains(mains) && mi_any_heap_contains(ours));
        assert_eq!(mi_heap_of(mains), mi_heap_main());
        // An address within a block is in the heap as well.
        assert_eq!(mi_heap_of(ours.cast::<u8>().add(20).cast()), heap);
        mi_free(mains);
        visitor::destroy(heap);
    }
}

#[test]
fn every_way_to_allocate() {
    unsafe {
        let heap = own_heap::new();
        let allocate = |name: &str, p: *mut c_void, size: usize, align: usize, zero: bool| {
            assert!(is_of(heap, p), "{name}");
            assert_eq!(p as usize % align, 0, "{name}");
            let block = bytes(p, size);
            assert!(!zero || block.iter().all(|byte| *byte == 0), "{name}");
            assert!(mi_usable_size(p) >= size, "{name}");
            block.fill(0xA7);
            (p, size)
        };
        // Twice, because the second round gets blocks that were in use and are not zero by chance.
        for _ in 0..2 {
            let mut blocks = Vec::new();
            let mut made = |name, p, size, align, zero| {
                blocks.push(allocate(name, p, size, align, zero));
            };
            for size in [3, 48, MI_SMALL_SIZE_MAX - 24, MI_SMALL_SIZE_MAX] {
                made(
                    "malloc_small",
                    mi_heap_malloc_small(heap, size),
                    size,
                    1,
                    false,
                );
                made(
                    "zalloc_small",
                    mi_heap_zalloc_small(heap, size),
                    size,
                    1,
                    true,
                );
            }
            for size in [3, 48, 1024, 20_000, 600_000] {
                made("malloc", mi_heap_malloc(heap, size), size, 1, false);
                made("zalloc", mi_heap_zalloc(heap, size), size, 1, true);
                made("calloc", mi_heap_calloc(heap, 7, size), 7 * size, 1, true);
                made(
                    "mallocn",
                    mi_heap_mallocn(heap, 7, size),
                    7 * size,
                    1,
                    false,
                );
                // The last is the largest that takes an offset.
                for align in [16, 64, 512, 4096, 8192 * std::mem::size_of::<usize>()] {
                    let p = mi_heap_malloc_aligned(heap, size, align);
                    made("malloc_aligned", p, size, align, false);
                    let p = mi_heap_zalloc_aligned(heap, size, align);
                    made("zalloc_aligned", p, size, align, true);
                    let p = mi_heap_calloc_aligned(heap, 3, size, align);
                    made("calloc_aligned", p, 3 * size, align, true);
                    let offset = 24;
                    let mut at = |name, p: *mut c_void, size, zero| {
                        assert_eq!((p as usize + offset) % align, 0, "{name} {size} {align}");
                        made(name, p, size, 1, zero);
                    };
                    let p = mi_heap_malloc_aligned_at(heap, size, align, offset);
                    at("malloc_aligned_at", p, size, false);
                    let p = mi_heap_zalloc_aligned_at(heap, size, align, offset);
                    at("zalloc_aligned_at", p, size, true);
                    let p = mi_heap_calloc_aligned_at(heap, 3, size, align, offset);
                    at("calloc_aligned_at", p, 3 * size, true);
                }
            }
            assert_eq!(visitor::heap(heap).blocks.len(), blocks.len());
            for (p, size) in blocks {
                assert!(bytes(p, size).iter().all(|byte| *byte == 0xA7));
                mi_free(p);
            }
        }
        mi_heap_delete(heap);
    }
}

#[test]
fn strings() {
    unsafe {
        let heap = own_heap::new();
        let text = b"a text of thirty-two characters.\0".as_ptr().cast();
        let whole = mi_heap_strdup(heap, text);
        assert!(is_of(heap, whole.cast()));
        assert_eq!(CStr::from_ptr(whole), CStr::from_ptr(text));
        let part = mi_heap_strndup(heap, text, 6);
        assert!(is_of(heap, part.cast()));
        assert_eq!(CStr::from_ptr(part).to_bytes(), b"a text");
        let more = mi_heap_strndup(heap, text, 1000);
        assert_eq!(CStr::from_ptr(more), CStr::from_ptr(text));
        let path = mi_heap_realpath(heap, b"src/../src/.\0".as_ptr().cast(), null_mut());
        assert!(is_of(heap, path.cast()));
        let expected = std::fs::canonicalize("src").unwrap();
        assert_eq!(
            CStr::from_ptr(path).to_str().unwrap(),
            expected.to_str().unwrap()
        );
        assert_eq!(visitor::heap(heap).blocks.len(), 4);
        assert!(mi_heap_strdup(heap, std::ptr::null()).is_null());
        assert!(mi_heap_strndup(heap, std::ptr::null(), 6).is_null());
        let nowhere = b"no/such/file\0".as_ptr().cast();
        assert!(mi_heap_realpath(heap, nowhere, null_mut()).is_null());
        assert_eq!(visitor::heap(heap).blocks.len(), 4);
        visitor::destroy(heap);
    }
}

#[test]
fn reallocation_keeps_the_contents_and_the_heap() {
    unsafe {
        let heap = own_heap::new();
        let check = |p: *mut c_void, size: usize| {
            assert!(is_of(heap, p));
            let block = bytes(p, size);
            assert!(block[..10]
                .iter()
                .enumerate()
                .all(|(index, byte)| *byte == index as u8));
            assert_eq!(visitor::heap(heap).blocks.len(), 1);
            p
        };
        let mut p = mi_heap_realloc(heap, null_mut(), 10);
        for (index, byte) in bytes(p, 10).iter_mut().enumerate() {
            *byte = index as u8;
        }
        for size in [10, 11, 64, 1024, 1025, 100_000, 3_000_000, 40_000, 10] {
            p = check(mi_heap_realloc(heap, p, size), size);
            p = check(mi_heap_reallocn(heap, p, 5, size), 5 * size);
            p = check(mi_heap_reallocf(heap, p, size), size);
            for align in [8, 64, 4096] {
                p = check(mi_heap_realloc_aligned(heap, p, size, align), size);
                assert!(align <= 8 || p as usize % align == 0);
                p = check(mi_heap_realloc_aligned_at(heap, p, size, align, 40), size);
                assert!(align <= 8 || (p as usize + 40) % align == 0);
            }
        }
        mi_free(p);
        mi_heap_delete(heap);
    }
}

#[test]
fn zeroing_reallocation() {
    unsafe {
        let heap = own_heap::new();
        let mut p = mi_heap_zalloc(heap, 100);
        let mut filled = 100;
        let mut grow = |p: *mut c_void, size: usize| {
            assert!(is_of(heap, p));
            let block = bytes(p, size);
            let old = filled.min(size);
            assert!(filled == 100 || block[..old].iter().all(|byte| *byte == 0x5C));
            assert!(block[old..].iter().all(|byte| *byte == 0), "{size}");
            block.fill(0x5C);
            filled = size;
            p
        };
        for size in [101, 1000, 1024, 2000, 90_000, 2_000_000] {
            p = grow(mi_heap_rezalloc(heap, p, size), size);
            p = grow(mi_heap_recalloc(heap, p, 2, size), 2 * size);
            p = grow(
                mi_heap_rezalloc_aligned(heap, p, 2 * size + 1, 64),
                2 * size + 1,
            );
            p = grow(mi_heap_recalloc_aligned(heap, p, 3, size, 64), 3 * size);
            let at = mi_heap_rezalloc_aligned_at(heap, p, 3 * size + 1, 64, 8);
            assert_eq!((at as usize + 8) % 64, 0);
            p = grow(at, 3 * size + 1);
            p = grow(
                mi_heap_recalloc_aligned_at(heap, p, 4, size, 64, 8),
                4 * size,
            );
        }
        mi_free(p);
        mi_heap_delete(heap);
    }
}

#[test]
fn a_block_of_another_heap_is_reallocated() {
    unsafe {
        let (from, to) = (own_heap::new(), own_heap::new());
        let p = mi_heap_malloc(from, 64);
        bytes(p, 64).fill(3);
        let p = mi_heap_realloc(to, p, 64);
        assert!(bytes(p, 64).iter().all(|byte| *byte == 3));
        // Where it fits it may stay on v2; v3 moves it.
        assert!(is_of(if cfg!(mi_v3) { to } else { from }, p));
        let p = mi_heap_realloc(to, p, 6400);
        assert!(bytes(p, 64).iter().all(|byte| *byte == 3));
        assert!(is_of(to, p));
        assert_eq!(visitor::heap(from).blocks, []);
        assert_eq!(visitor::heap(to).blocks.len(), 1);
        visitor::destroy(from);
        visitor::destroy(to);
    }
}

#[test]
fn impossible_requests_return_null() {
    unsafe {
        let heap = own_heap::new();
        let half = usize::MAX / 2;
        assert!(mi_heap_malloc(heap, half + 1).is_null());
        assert!(mi_heap_zalloc(heap, usize::MAX).is_null());
        assert!(mi_heap_calloc(heap, half, 3).is_null());
        assert!(mi_heap_mallocn(heap, half, 3).is_null());
        assert!(mi_heap_malloc_aligned(heap, half + 1, 64).is_null());
        assert!(mi_heap_calloc_aligned(heap, half, 3, 64).is_null());
        assert!(mi_heap_calloc_aligned_at(heap, half, 3, 64, 8).is_null());
        assert_eq!(visitor::heap(heap).blocks, []);

        let p = mi_heap_malloc(heap, 10);
        bytes(p, 10).fill(8);
        assert!(mi_heap_realloc(heap, p, half + 1).is_null());
        assert!(mi_heap_reallocn(heap, p, half, 3).is_null());
        assert!(mi_heap_recalloc(heap, p, half, 3).is_null());
        // All of them have left the block alone; this one frees it.
        assert!(bytes(p, 10).iter().all(|byte| *byte == 8));
        assert_eq!(visitor::heap(heap).blocks.len(), 1);
        assert!(mi_heap_reallocf(heap, p, half + 1).is_null());
        assert_eq!(visitor::heap(heap).blocks, []);
        mi_heap_delete(heap);
    }
}

#[test]
fn deleting_a_heap_keeps_its_blocks() {
    unsafe {
        let heap = own_heap::new();
        let mut blocks = Vec::new();
        let (rounds, kinds) = if mode::HEAPS_MAY_END_WITH_FULL_PAGES {
            (50, 9)
        } else {
            (1, 8)
        };
        for round in 0..rounds {
            for size in &SIZES[..kinds] {
                let p = mi_heap_malloc(heap, *size);
                bytes(p, *size).fill(round);
                blocks.push((p as usize, *size, round));
            }
        }
        mi_heap_delete(heap);
        for (p, size, round) in &blocks {
            let p = *p as *mut c_void;
            assert!(is_of(main_heap(), p));
            assert!(mi_usable_size(p) >= *size);
            assert!(bytes(p, *size).iter().all(|byte| byte == round));
        }
        // Half of them are freed by another thread, and the memory serves again.
        let rest = blocks.split_off(blocks.len() / 2);
        std::thread::spawn(move || {
            for (p, ..) in rest {
                mi_free(p as *mut c_void);
            }
        })
        .join()
        .unwrap();
        for (p, size, round) in blocks {
            let p = mi_realloc(p as *mut c_void, size + 1000);
            assert!(bytes(p, size).iter().all(|byte| *byte == round));
            mi_free(p);
        }
    }
}

#[test]
fn destroying_a_heap_spares_the_others() {
    let sizes = if mode::HEAPS_MAY_END_WITH_FULL_PAGES {
        &SIZES
    } else {
        &SIZES[..8]
    };
    unsafe {
        let keeper = own_heap::new();
        let kept: Vec<_> = sizes
            .iter()
            .map(|size| {
                let p = mi_heap_malloc(keeper, *size);
                bytes(p, *size).fill(6);
                (p, *size)
            })
            .collect();
        for _ in 0..20 {
            let heap = own_heap::new();
            for size in sizes {
                bytes(mi_heap_malloc(heap, *size), *size).fill(7);
            }
            visitor::destroy(heap);
        }
        assert_eq!(visitor::heap(keeper).blocks.len(), kept.len());
        for (p, size) in kept {
            assert!(from_raw_parts(p.cast::<u8>(), size)
                .iter()
                .all(|byte| *byte == 6));
        }
        visitor::destroy(keeper);
    }
}

#[test]
fn no_heap_and_the_main_heap_do_not_end() {
    unsafe {
        let p = mi_malloc(100);
        bytes(p, 100).fill(1);
        #[cfg(mi_v3)]
        {
            mi_heap_delete(null_mut());
            mi_heap_destroy(null_mut());
            mi_heap_delete(mi_heap_main());
            mi_heap_destroy(mi_heap_main());
            assert_eq!(mi_heap_of(p), mi_heap_main());
        }
        #[cfg(mi_v2)]
        if !mode::DEBUG {
            mi_heap_delete(null_mut());
            mi_heap_destroy(null_mut());
        }
        assert!(bytes(p, 100).iter().all(|byte| *byte == 1));
        mi_free(p);
    }
}

#[test]
fn collecting_an_empty_heap_leaves_no_area() {
    unsafe {
        let heap = own_heap::new();
        let blocks: Vec<_> = (0..1000).map(|_| mi_heap_malloc(heap, 500)).collect();
        assert!(visitor::heap(heap).areas.len() > 1);
        blocks.into_iter().for_each(|p| mi_free(p));
        mi_heap_collect(heap, false);
        mi_heap_collect(heap, true);
        assert_eq!(visitor::heap(heap).calls(), 0);
        // It is still of use.
        let p = mi_heap_malloc(heap, 500);
        assert!(is_of(heap, p));
        visitor::destroy(heap);
    }
}

#[test]
fn a_page_is_under_utilized() {
    unsafe {
        let heap = own_heap::new();
        let other = own_heap::new();
        // Far more than one page, so that the first is neither new nor in use for allocation.
        let blocks: Vec<_> = (0..5000).map(|_| mi_heap_malloc(heap, 100)).collect();
        let ask = |heap, p, percent| mi_unsafe_heap_page_is_under_utilized(heap, p, percent);
        assert!(!ask(heap, null_mut(), 50));
        // A page in which all blocks are in use never is.
        assert!(!ask(heap, blocks[0], 100));
        let kept: Vec<_> = blocks
            .iter()
            .enumerate()
            .filter_map(|(index, p)| {
                if index % 10 == 0 {
                    return Some(*p);
                }
                mi_free(*p);
                None
            })
            .collect();
        let count = |heap, percent| kept.iter().filter(|p| ask(heap, **p, percent)).count();
        // A tenth is in use. The page that serves allocations at present is excepted.
        assert!(count(heap, 50) > kept.len() / 2, "{}", count(heap, 50));
        assert_eq!(count(null_mut(), 50), count(heap, 50));
        assert_eq!(count(other, 50), 0);
        assert_eq!(count(heap, 1), 0);
        assert!(count(heap, 100) >= count(heap, 50));
        visitor::destroy(heap);
        visitor::destroy(other);
    }
}

#[cfg(mi_v3)]
#[test]
fn threads_share_a_heap() {
    const THREADS: usize = 4;
    const EACH: usize = 3000;
    unsafe {
        let heap = own_heap::new();
        let address = heap as usize;
        let work = move |thread: usize| {
            let heap = address as *mut mi_heap_t;
            let mut blocks = Vec::new();
            for index in 0..EACH {
                let p = mi_heap_malloc(heap, 8 + index % 600);
                p.cast::<usize>().write(thread * EACH + index);
                blocks.push(p as usize);
            }
            blocks
        };
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| std::thread::spawn(move || work(thread)))
            .collect();
        let blocks: Vec<usize> = threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect();
        assert_eq!(visitor::heap(heap).blocks.len(), THREADS * EACH);
        for (index, p) in blocks.iter().enumerate() {
            let p = *p as *mut c_void;
            assert_eq!(*p.cast::<usize>(), index);
            assert_eq!(mi_heap_of(p), heap);
            // A debug build of v3.6.0 stops on an assertion of its own (`mi_page_is_owned` in page.c) when
            // a heap is visited or ends after another thread freed blocks in pages of ended threads.
            if index % 2 == 0 && !mode::DEBUG {
                mi_free(p);
            }
        }
        if !mode::DEBUG {
            assert_eq!(visitor::heap(heap).blocks.len(), THREADS * EACH / 2);
        }
        visitor::destroy(heap);
    }
}

#[cfg(mi_v3)]
#[test]
fn numa_nodes_change_nothing_else() {
    unsafe {
        let heap = own_heap::new();
        for node in [0, 1000, -1] {
            mi_heap_set_numa_affinity(heap, node);
            let p = mi_heap_malloc(heap, 3_000_000);
            bytes(p, 3_000_000).fill(2);
            assert_eq!(mi_heap_of(p), heap);
            mi_free(p);
        }
        mi_heap_set_numa_affinity(null_mut(), -1);
        visitor::destroy(heap);
    }
}

/// Debug builds fill new and freed blocks with patterns, but for the bytes that are to be left alone.
#[cfg(all(
    mi_v3,
    any(feature = "debug", all(feature = "debug_in_debug", debug_assertions))
))]
#[test]
fn a_part_of_a_block_is_not_filled() {
    const SIZE: usize = 4096;
    const PRESERVED: usize = 256;
    unsafe {
        let heap = own_heap::new();
        let reused = || {
            for _ in 0..100 {
                let p = mi_heap_malloc(heap, SIZE);
                bytes(p, SIZE).fill(0x11);
                mi_free(p);
                let again = mi_heap_malloc(heap, SIZE);
                let seen = bytes(again, SIZE).to_vec();
                mi_free(again);
                if again == p {
                    return seen;
                }
            }
            panic!("no block was used again");
        };
        let pattern = reused()[0];
        assert_ne!(pattern, 0x11);
        assert!(reused().iter().all(|byte| *byte == pattern));
        mi_heap_set_debug_fill_preserve(heap, PRESERVED);
        let seen = reused();
        // The first words of a free block link it to the next one.
        assert!(seen[16..PRESERVED].iter().all(|byte| *byte == 0x11));
        assert!(seen[PRESERVED..].iter().all(|byte| *byte == pattern));
        visitor::destroy(heap);
    }
}

#[cfg(mi_v2)]
#[test]
fn the_default_heap_of_a_thread() {
    std::thread::spawn(|| unsafe {
        let backing = mi_heap_get_backing();
        assert_eq!(mi_heap_get_default(), backing);
        let heap = own_heap::new();
        assert_eq!(mi_heap_get_default(), backing);
        assert_eq!(mi_heap_set_default(heap), backing);
        assert_eq!(mi_heap_get_default(), heap);
        assert_eq!(mi_heap_get_backing(), backing);
        let p = mi_malloc(200);
        assert!(is_of(heap, p) && mi_check_owned(p));
        let q = mi_heap_malloc(backing, 200);
        assert!(is_of(backing, q) && !mi_check_owned(q));
        // Its end makes the backing heap the default again, and hands it the blocks.
        mi_heap_delete(heap);
        assert_eq!(mi_heap_get_default(), backing);
        assert!(is_of(backing, p) && mi_check_owned(p));
        mi_free(p);
        mi_free(q);
        // v3's names for the same.
        assert_eq!(mi_theap_get_default(), backing);
        let heap = own_heap::new();
        assert_eq!(mi_theap_set_default(heap), backing);
        assert_eq!(mi_theap_set_default(backing), heap);
        let p = mi_theap_malloc(heap, 10);
        assert!(is_of(heap, p));
        visitor::destroy(heap);
    })
    .join()
    .unwrap();
}

#[cfg(mi_v2)]
#[test]
fn a_heap_with_a_tag() {
    unsafe {
        let heap = mi_heap_new_ex(7, true, 0);
        let p = mi_heap_malloc(heap, 100);
        assert!(is_of(heap, p));
        assert_eq!(visitor::heap(heap).areas[0].heap_tag, 7);
        // Blocks of an ended heap with a tag wait for a heap of that tag: leave none.
        mi_free(p);
        mi_heap_delete(heap);
        let heap = own_heap::new();
        mi_free(mi_heap_malloc(heap, 100));
        assert_eq!(visitor::heap(heap).areas[0].heap_tag, 0);
        mi_heap_delete(heap);
    }
}

/// A heap without the right to be destroyed is deleted instead.
#[cfg(all(
    mi_v2,
    not(any(feature = "debug", all(feature = "debug_in_debug", debug_assertions)))
))]
#[test]
fn blocks_survive_a_heap_that_may_not_be_destroyed() {
    unsafe {
        let heap = mi_heap_new_ex(0, false, 0);
        let p = mi_heap_malloc(heap, 100);
        bytes(p, 100).fill(4);
        mi_heap_destroy(heap);
        assert!(is_of(mi_heap_get_backing(), p));
        assert!(bytes(p, 100).iter().all(|byte| *byte == 4));
        mi_free(p);
    }
}

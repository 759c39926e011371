//! v3: sizes in words, and functions for sizes that are constants at the call.

use crate::memory::*;
use crate::mode;
use core::ffi::c_void;
use mi_malloc_sys::*;
use std::mem::size_of;
use std::ptr::null_mut;

const WORD: usize = size_of::<usize>();

#[test]
fn words_are_rounded_up_and_wrap_as_in_c() {
    for (size, words) in [
        (0, 0),
        (1, 1),
        (WORD - 1, 1),
        (WORD, 1),
        (WORD + 1, 2),
        (100, 100 / WORD + usize::from(100 % WORD > 0)),
        (MI_SMALL_SIZE_MAX, MI_SMALL_WSIZE_MAX),
        (MI_SMALL_SIZE_MAX - 1, MI_SMALL_WSIZE_MAX),
        (isize::MAX as usize, isize::MAX as usize / WORD + 1),
        // The last size that does not wrap, and those that do.
        (usize::MAX - WORD + 1, usize::MAX / WORD),
        (usize::MAX - WORD + 2, 0),
        (usize::MAX, 0),
    ] {
        assert_eq!(mi_wsize_from_size(size), words, "{size}");
    }
    for size in 0..10_000 {
        let words = mi_wsize_from_size(size);
        assert!(words * WORD >= size && words * WORD < size + WORD, "{size}");
    }
    const AT_COMPILE_TIME: usize = mi_wsize_from_size(9);
    assert_eq!(AT_COMPILE_TIME, 1 + 8 / WORD);
}

#[test]
fn blocks_of_words() {
    unsafe {
        let theap = mi_theap_get_default();
        let mut blocks = Vec::new();
        for words in 0..=MI_SMALL_WSIZE_MAX {
            for (p, zeroed) in [
                (mi_wmalloc_small(words), false),
                (mi_wzalloc_small(words), true),
                (mi_theap_wmalloc_small(theap, words), false),
                (mi_theap_wzalloc_small(theap, words), true),
            ] {
                assert!(is_aligned(p, natural_alignment(words * WORD)), "{words}");
                assert!(mi_usable_size(p) >= words * WORD, "{words}");
                assert!(!zeroed || is_zero(p, words * WORD), "{words}");
                fill(p, words * WORD, words as u8);
                blocks.push((p, words));
            }
        }
        for (p, words) in blocks {
            assert!(holds(p, words * WORD, words as u8), "{words}");
            mi_free_small(p);
        }
    }
}

/// The sizes on both sides of the limit, with a new and with used memory.
const CSIZES: [usize; 14] = [
    0,
    1,
    7,
    8,
    9,
    16,
    100,
    511,
    512,
    MI_SMALL_SIZE_MAX - 1,
    MI_SMALL_SIZE_MAX,
    MI_SMALL_SIZE_MAX + 1,
    5000,
    1_000_000,
];

#[test]
fn constant_sizes() {
    unsafe {
        let theap = mi_theap_get_default();
        for _ in 0..50 {
            for size in CSIZES {
                for (p, zeroed) in [
                    (mi_malloc_csize(size), false),
                    (mi_zalloc_csize(size), true),
                    (mi_theap_malloc_csize(theap, size), false),
                    (mi_theap_zalloc_csize(theap, size), true),
                ] {
                    assert!(is_aligned(p, natural_alignment(size)), "{size}");
                    assert!(mi_usable_size(p) >= size, "{size}");
                    assert!(!zeroed || is_zero(p, size), "{size}");
                    fill(p, size, 0xAB);
                    mi_free_csize(p, size);
                }
            }
        }
        // Such a size must not be taken for a small one, as it would be after rounding to words.
        for size in [usize::MAX, usize::MAX - 7, TOO_LARGE] {
            assert!(mi_malloc_csize(size).is_null(), "{size}");
            assert!(mi_zalloc_csize(size).is_null(), "{size}");
            assert!(mi_theap_malloc_csize(theap, size).is_null(), "{size}");
            assert!(mi_theap_zalloc_csize(theap, size).is_null(), "{size}");
        }
    }
}

/// What frees a block of a known size.
type Free = unsafe fn(*mut c_void, usize, usize);

const FREES: [Free; 4] = [
    |p, size, _| unsafe { mi_free_csize(p, size) },
    |p, size, _| unsafe { mi_free_csize_nonnull(p, size) },
    |p, size, alignment| unsafe { mi_free_csize_aligned(p, size, alignment) },
    |p, size, alignment| unsafe { mi_free_csize_aligned_nonnull(p, size, alignment) },
];

/// A block that is not in the heap any more is found by its address coming back.
unsafe fn comes_back(p: *mut c_void, size: usize) -> bool {
    let blocks: Vec<_> = (0..20_000).map(|_| mi_malloc(size)).collect();
    let found = blocks.contains(&p);
    for p in blocks {
        mi_free(p);
    }
    found
}

#[test]
fn each_free_frees() {
    unsafe {
        for free in FREES {
            for size in [8, 100, MI_SMALL_SIZE_MAX] {
                // The neighbour keeps the page.
                let neighbour = mi_malloc(size);
                let p = mi_malloc(size);
                free(p, size, 8);
                assert!(comes_back(p, size), "{size}");
                mi_free(neighbour);
            }
        }
        mi_free_csize(null_mut(), 8);
        mi_free_csize(null_mut(), 5000);
        mi_free_csize_aligned(null_mut(), 64, 64);
        mi_free_csize_aligned(null_mut(), 64, 4096);
        mi_free_small(null_mut());
    }
}

#[test]
fn aligned_blocks_of_a_constant_size() {
    unsafe {
        for _ in 0..20 {
            for size in [8, 16, 48, 64, 100, 512, 1000, 1024, 1025, 4096] {
                for shift in 0..=17 {
                    let alignment = 1 << shift;
                    let blocks = [
                        mi_malloc_aligned(size, alignment),
                        mi_zalloc_aligned(size, alignment),
                    ];
                    for p in blocks {
                        assert!(is_aligned(p, alignment), "{size} {alignment}");
                        fill(p, size, 1);
                    }
                    mi_free_csize_aligned(blocks[0], size, alignment);
                    mi_free_csize_aligned_nonnull(blocks[1], size, alignment);
                }
            }
        }
    }
}

#[test]
fn any_thread_frees_by_constant_size() {
    for free in FREES {
        for size in [
            1,
            8,
            64,
            1000,
            MI_SMALL_SIZE_MAX,
            MI_SMALL_SIZE_MAX + 1,
            70_000,
        ] {
            let blocks: Vec<usize> = (0..200)
                .map(|_| unsafe { mi_malloc(size) as usize })
                .collect();
            let free_all = move || unsafe {
                for p in blocks {
                    fill(p as *mut c_void, size, 2);
                    free(p as *mut c_void, size, 8);
                }
            };
            std::thread::spawn(free_all).join().unwrap();
        }
    }
}

#[test]
fn local_blocks() {
    unsafe {
        if !mode::DEBUG {
            mi_free_small_local(null_mut()); // a debug build stops the program
        }
        for size in [1, 8, 24, 100, MI_SMALL_SIZE_MAX - 24, MI_SMALL_SIZE_MAX] {
            for n in 0..2000 {
                // The page in which this thread just found a free block is its own: it gives one up only
                // when it looks for a free block elsewhere.
                let p = mi_malloc_small(size);
                let mine = mi_thread_id_of(p);
                assert_ne!(mine, 0);
                fill(p, size, 3);
                if n % 2 == 0 {
                    mi_free_small_local(p);
                } else {
                    mi_free_small_local_nonnull(p);
                }
                let q = mi_malloc_small(size);
                assert_eq!(mi_thread_id_of(q), mine);
                mi_free_small_local(q);
            }
            let neighbour = mi_malloc_small(size);
            let p = mi_malloc_small(size);
            mi_free_small_local(p);
            assert!(comes_back(p, size), "{size}");
            mi_free(neighbour);
        }
    }
}

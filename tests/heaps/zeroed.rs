//! Reallocation that keeps the new bytes zero.

use crate::memory::*;
use crate::own_heap;
use core::ffi::c_void;
use mi_malloc_sys::*;
use std::ptr::null_mut;

/// A function that resizes a block, and the alignment that it promises.
struct Resize {
    name: &'static str,
    resize: unsafe fn(*mut mi_heap_t, *mut c_void, usize) -> *mut c_void,
    alignment: usize,
    offset: usize,
}

/// Every function of the group. A count of 1 or of bytes makes one of elements take any size.
const FUNCTIONS: [Resize; 12] = [
    Resize {
        name: "mi_rezalloc",
        resize: |_, p, size| unsafe { mi_rezalloc(p, size) },
        alignment: 1,
        offset: 0,
    },
    Resize {
        name: "mi_recalloc",
        resize: |_, p, size| unsafe { mi_recalloc(p, size, 1) },
        alignment: 1,
        offset: 0,
    },
    Resize {
        name: "mi_rezalloc_aligned",
        resize: |_, p, size| unsafe { mi_rezalloc_aligned(p, size, 64) },
        alignment: 64,
        offset: 0,
    },
    Resize {
        name: "mi_recalloc_aligned",
        resize: |_, p, size| unsafe { mi_recalloc_aligned(p, 1, size, 4096) },
        alignment: 4096,
        offset: 0,
    },
    Resize {
        name: "mi_rezalloc_aligned_at",
        resize: |_, p, size| unsafe { mi_rezalloc_aligned_at(p, size, 128, 8) },
        alignment: 128,
        offset: 8,
    },
    Resize {
        name: "mi_recalloc_aligned_at",
        resize: |_, p, size| unsafe { mi_recalloc_aligned_at(p, size, 1, 32, 24) },
        alignment: 32,
        offset: 24,
    },
    Resize {
        name: "mi_heap_rezalloc",
        resize: |heap, p, size| unsafe { mi_heap_rezalloc(heap, p, size) },
        alignment: 1,
        offset: 0,
    },
    Resize {
        name: "mi_heap_recalloc",
        resize: |heap, p, size| unsafe { mi_heap_recalloc(heap, p, size, 1) },
        alignment: 1,
        offset: 0,
    },
    Resize {
        name: "mi_heap_rezalloc_aligned",
        resize: |heap, p, size| unsafe { mi_heap_rezalloc_aligned(heap, p, size, 256) },
        alignment: 256,
        offset: 0,
    },
    Resize {
        name: "mi_heap_recalloc_aligned",
        resize: |heap, p, size| unsafe { mi_heap_recalloc_aligned(heap, p, 1, size, 16) },
        alignment: 16,
        offset: 0,
    },
    Resize {
        name: "mi_heap_rezalloc_aligned_at",
        resize: |heap, p, size| unsafe { mi_heap_rezalloc_aligned_at(heap, p, size, 64, 40) },
        alignment: 64,
        offset: 40,
    },
    Resize {
        name: "mi_heap_recalloc_aligned_at",
        resize: |heap, p, size| unsafe { mi_heap_recalloc_aligned_at(heap, p, 1, size, 1024, 16) },
        alignment: 1024,
        offset: 16,
    },
];

impl Resize {
    unsafe fn to(&self, heap: *mut mi_heap_t, p: *mut c_void, size: usize) -> *mut c_void {
        let q = (self.resize)(heap, p, size);
        assert!(!q.is_null(), "{} {size}", self.name);
        assert!(
            is_aligned(q.cast::<u8>().wrapping_add(self.offset), self.alignment),
            "{} {size}: {q:p}",
            self.name
        );
        assert!(mi_usable_size(q) >= size, "{} {size}", self.name);
        q
    }
}

/// Makes memory dirty that later blocks will get.
unsafe fn leave_dirt() {
    for size in SIZES.iter().filter(|size| **size < 100_000) {
        let blocks: Vec<_> = (0..30).map(|_| mi_malloc(*size)).collect();
        for p in blocks {
            fill(p, mi_usable_size(p), 0xDB);
            mi_free(p);
        }
    }
}

#[test]
fn new_bytes_are_zero_and_old_ones_kept() {
    unsafe {
        let heap = own_heap::new();
        leave_dirt();
        for function in &FUNCTIONS {
            for start in [0, 1, 8, 24, 100, 1024, 5000] {
                // Each step grows, and all that the block has is written to.
                let mut p = function.to(heap, null_mut(), start);
                assert!(is_zero(p, start), "{} {start}", function.name);
                fill(p, start, 0x77);
                let mut old = start;
                for size in SIZES.iter().copied().filter(|size| *size > start) {
                    let what = format!("{} {start}: {old} -> {size}", function.name);
                    p = function.to(heap, p, size);
                    assert!(holds(p, old, 0x77), "{what}");
                    assert!(
                        is_zero(p.cast::<u8>().add(old).cast(), size - old),
                        "{what}"
                    );
                    fill(p, size, 0x77);
                    old = size;
                }
                mi_free(p);
            }
        }
        mi_heap_destroy(heap);
    }
}

#[test]
fn a_zeroed_block_grows_from_any_birth() {
    type Birth = unsafe fn(usize) -> *mut c_void;
    let births: [Birth; 6] = [
        |size| unsafe { mi_zalloc(size) },
        |size| unsafe { mi_calloc(size, 1) },
        |size| unsafe { mi_zalloc_aligned(size, 32) },
        |size| unsafe { mi_calloc_aligned(1, size, 512) },
        |size| unsafe { mi_zalloc_small(size) },
        |size| unsafe { mi_ucalloc(size, 1, null_mut()) },
    ];
    unsafe {
        leave_dirt();
        for birth in births {
            for from in [0, 1, 9, 40, 100, MI_SMALL_SIZE_MAX - 24, MI_SMALL_SIZE_MAX] {
                for to in [1025, 1100, 2000, 5000, 100_000] {
                    let p = birth(from);
                    fill(p, from, 0x42);
                    let p = mi_rezalloc(p, to);
                    assert!(holds(p, from, 0x42), "{from} -> {to}");
                    assert!(
                        is_zero(p.cast::<u8>().add(from).cast(), to - from),
                        "{from} -> {to}"
                    );
                    mi_free(p);
                }
            }
        }
    }
}

#[test]
fn shrinking_keeps_what_fits() {
    unsafe {
        let heap = own_heap::new();
        for function in &FUNCTIONS {
            let mut p = function.to(heap, null_mut(), 100_000);
            assert!(is_zero(p, 100_000), "{}", function.name);
            fill(p, 100_000, 0x33);
            for size in [99_000, 60_000, 20_000, 3000, 1025, 1024, 600, 100, 17, 8, 1] {
                p = function.to(heap, p, size);
                assert!(holds(p, size, 0x33), "{} {size}", function.name);
            }
            // To nothing, and from nothing again.
            p = function.to(heap, p, 0);
            p = function.to(heap, p, 300);
            mi_free(p);
        }
        mi_heap_destroy(heap);
    }
}

/// The promise is about bytes that were never written: what was given up may come back.
#[test]
fn a_block_that_grows_in_place_is_not_cleared() {
    unsafe {
        let p = mi_zalloc(1000);
        fill(p, 1000, 0x66);
        assert_eq!(mi_rezalloc(p, 800), p);
        assert_eq!(mi_rezalloc(p, 1000), p);
        assert!(holds(p, 1000, 0x66));
        // Also when it then moves.
        assert_eq!(mi_rezalloc(p, 800), p);
        let q = mi_rezalloc(p, 5000);
        assert!(holds(q, 800, 0x66));
        assert!(is_zero(
            q.cast::<u8>().add(mi_usable_size(q) - 3000).cast(),
            3000
        ));
        mi_free(q);
    }
}

#[test]
fn too_much_leaves_the_block() {
    unsafe {
        let heap = own_heap::new();
        for function in &FUNCTIONS {
            let p = function.to(heap, null_mut(), 100);
            fill(p, 100, 0x19);
            for size in [TOO_LARGE, usize::MAX] {
                assert!(
                    (function.resize)(heap, p, size).is_null(),
                    "{}",
                    function.name
                );
            }
            assert!(holds(p, 100, 0x19), "{}", function.name);
            mi_free(p);
        }
        let p = mi_zalloc(100);
        fill(p, 100, 0x19);
        for (count, size) in [
            (2, TOO_LARGE),
            (TOO_LARGE, 2),
            (usize::MAX, usize::MAX),
            (3, usize::MAX / 3 + 1),
            (1 << (usize::BITS / 2), 1 << (usize::BITS / 2)),
        ] {
            for refused in [
                mi_recalloc(p, count, size),
                mi_recalloc_aligned(p, count, size, 64),
                mi_recalloc_aligned_at(p, count, size, 64, 8),
                mi_heap_recalloc(heap, p, count, size),
                mi_heap_recalloc_aligned(heap, p, count, size, 64),
                mi_heap_recalloc_aligned_at(heap, p, count, size, 64, 8),
            ] {
                assert!(refused.is_null(), "{count} * {size}");
            }
        }
        assert!(holds(p, 100, 0x19));
        mi_free(p);
        mi_heap_destroy(heap);
    }
}

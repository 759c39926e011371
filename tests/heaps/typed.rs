//! The typed macros of the header as generic functions.

use crate::memory::*;
use crate::own_heap;
use mi_malloc_sys::*;
use std::mem::{align_of, size_of};
use std::ptr::null_mut;
use std::slice::from_raw_parts_mut;

#[derive(Debug, Clone, Copy, PartialEq)]
struct Point {
    x: f64,
    y: f64,
    name: u8,
}

#[repr(C)]
struct Nothing;

/// One block of each type, from each function that returns one.
unsafe fn one<T>(heap: *mut mi_heap_t) {
    let what = std::any::type_name::<T>();
    for (p, zeroed) in [
        (mi_malloc_tp::<T>(), false),
        (mi_zalloc_tp::<T>(), true),
        (mi_heap_malloc_tp::<T>(heap), false),
        (mi_heap_zalloc_tp::<T>(heap), true),
    ] {
        assert!(!p.is_null(), "{what}");
        assert!(is_aligned(p, align_of::<T>()), "{what}: {p:p}");
        assert!(mi_usable_size(p.cast()) >= size_of::<T>(), "{what}");
        assert!(!zeroed || is_zero(p.cast(), size_of::<T>()), "{what}");
        fill(p.cast(), size_of::<T>(), 0xFF);
        mi_free(p.cast());
    }
}

#[test]
fn one_of_each_type() {
    unsafe {
        let heap = own_heap::new();
        // The second round gets memory that the first one wrote to.
        for _ in 0..200 {
            one::<u8>(heap);
            one::<u64>(heap);
            one::<u128>(heap);
            one::<Point>(heap);
            one::<Nothing>(heap);
            one::<[usize; 128]>(heap);
            one::<[u8; 1025]>(heap);
            one::<[u64; 3000]>(heap);
        }
        mi_heap_destroy(heap);
    }
}

#[test]
fn arrays_grow() {
    let point = |n: usize| Point {
        x: n as f64,
        y: -(n as f64),
        name: n as u8,
    };
    unsafe {
        let heap = own_heap::new();
        for in_heap in [false, true] {
            let mut p: *mut Point = null_mut();
            for count in [1_usize, 3, 50, 51, 1000, 20_000, 10] {
                p = if in_heap {
                    mi_heap_reallocn_tp(heap, p, count)
                } else {
                    mi_reallocn_tp(p, count)
                };
                assert!(mi_usable_size(p.cast()) >= count * size_of::<Point>());
                for (n, place) in from_raw_parts_mut(p, count).iter_mut().enumerate() {
                    *place = point(n);
                }
            }
            let more: *mut Point = if in_heap {
                mi_heap_reallocn_tp(heap, p, 5000)
            } else {
                mi_reallocn_tp(p, 5000)
            };
            for (n, place) in from_raw_parts_mut(more, 10).iter().enumerate() {
                assert_eq!(*place, point(n));
            }
            mi_free(more.cast());
        }
        mi_heap_destroy(heap);
    }
}

#[test]
fn arrays_start_and_grow_zeroed() {
    unsafe {
        let heap = own_heap::new();
        let dirt: *mut u32 = mi_mallocn_tp(5000);
        from_raw_parts_mut(dirt, 5000).fill(u32::MAX);
        mi_free(dirt.cast());
        for in_heap in [false, true] {
            let mut p: *mut u32 = if in_heap {
                mi_heap_calloc_tp(heap, 7)
            } else {
                mi_calloc_tp(7)
            };
            let mut old = 0;
            for count in [7, 8, 100, 300, 5000, 100_000] {
                p = if in_heap {
                    mi_heap_recalloc_tp(heap, p, count)
                } else {
                    mi_recalloc_tp(p, count)
                };
                let all = from_raw_parts_mut(p, count);
                assert!(all[..old].iter().all(|n| *n == 9), "{old} -> {count}");
                assert!(all[old..].iter().all(|n| *n == 0), "{old} -> {count}");
                all.fill(9);
                old = count;
            }
            mi_free(p.cast());
        }
        mi_heap_destroy(heap);
    }
}

#[test]
fn too_many_are_refused() {
    unsafe {
        let heap = own_heap::new();
        // The first one's bytes wrap around to 8, the second one's to 0.
        for count in [
            usize::MAX / 8 + 2,
            usize::MAX / 8 + 1,
            usize::MAX,
            TOO_LARGE / 8,
        ] {
            assert!(mi_calloc_tp::<u64>(count).is_null(), "{count}");
            assert!(mi_mallocn_tp::<u64>(count).is_null(), "{count}");
            assert!(mi_heap_calloc_tp::<u64>(heap, count).is_null(), "{count}");
            assert!(mi_heap_mallocn_tp::<u64>(heap, count).is_null(), "{count}");
            let p = mi_calloc_tp::<u64>(3);
            *p = 17;
            assert!(mi_reallocn_tp(p, count).is_null(), "{count}");
            assert!(mi_recalloc_tp(p, count).is_null(), "{count}");
            assert!(mi_heap_reallocn_tp(heap, p, count).is_null(), "{count}");
            assert!(mi_heap_recalloc_tp(heap, p, count).is_null(), "{count}");
            assert_eq!(*p, 17);
            mi_free(p.cast());
        }
        for p in [
            mi_calloc_tp::<u64>(0),
            mi_mallocn_tp::<u64>(0),
            mi_heap_calloc_tp::<u64>(heap, 0),
            mi_heap_mallocn_tp::<u64>(heap, 0),
        ] {
            assert!(!p.is_null());
            mi_free(p.cast());
        }
        mi_heap_destroy(heap);
    }
}

#[test]
fn uninitialised_arrays_are_large_enough() {
    unsafe {
        let heap = own_heap::new();
        for count in [1, 2, 64, 65, 10_000] {
            for p in [
                mi_mallocn_tp::<u128>(count),
                mi_heap_mallocn_tp(heap, count),
            ] {
                assert!(is_aligned(p, 16));
                from_raw_parts_mut(p, count).fill(u128::MAX);
                assert!(mi_usable_size(p.cast()) >= count * 16);
                mi_free(p.cast());
            }
        }
        mi_heap_destroy(heap);
    }
}

#[test]
fn blocks_from_a_heap_are_its_own() {
    unsafe {
        let heap = own_heap::new();
        let blocks = [
            mi_heap_malloc_tp::<Point>(heap),
            mi_heap_zalloc_tp::<Point>(heap),
            mi_heap_calloc_tp::<Point>(heap, 3),
            mi_heap_mallocn_tp::<Point>(heap, 3),
            mi_heap_reallocn_tp::<Point>(heap, null_mut(), 3),
            mi_heap_recalloc_tp::<Point>(heap, null_mut(), 3),
        ];
        for p in blocks {
            #[cfg(mi_v3)]
            assert_eq!(mi_heap_of(p.cast()), heap);
            #[cfg(mi_v2)]
            assert!(mi_heap_contains_block(heap, p.cast()));
        }
        mi_heap_destroy(heap);
    }
}

/// v3 also frees by type.
#[test]
#[cfg(mi_v3)]
fn free_by_type() {
    unsafe fn round<T>() {
        let p = mi_malloc_tp::<T>();
        fill(p.cast(), size_of::<T>(), 1);
        mi_free_tp(p);
        mi_free_tp(mi_zalloc_tp::<T>());
        mi_free_tp::<T>(null_mut());
    }
    unsafe {
        for _ in 0..1000 {
            round::<u8>();
            round::<u128>();
            round::<Point>();
            round::<Nothing>();
            round::<[usize; 128]>();
            round::<[u8; 1025]>();
            round::<[u8; 50_000]>();
        }
    }
}

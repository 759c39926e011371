//! The functions behind C++'s `new`.

use crate::memory::*;
use crate::own_heap;
use crate::respawn;
use core::ffi::c_void;
use mi_malloc_sys::*;
use std::ptr::null_mut;

#[test]
fn new_allocates() {
    unsafe {
        let heap = own_heap::new();
        for size in SIZES {
            for p in [
                mi_new(size),
                mi_new_nothrow(size),
                mi_new_n(1, size),
                mi_new_n(size, 1),
                mi_new_realloc(null_mut(), size),
                mi_new_reallocn(null_mut(), size, 1),
                mi_heap_alloc_new(heap, size),
                mi_heap_alloc_new_n(heap, size, 1),
            ] {
                assert!(!p.is_null(), "{size}");
                assert!(is_aligned(p, natural_alignment(size)), "{size}");
                assert!(mi_usable_size(p) >= size, "{size}");
                fill(p, size, 1);
                mi_free(p);
            }
        }
        mi_heap_destroy(heap);
    }
}

#[test]
fn new_counts_elements() {
    unsafe {
        let heap = own_heap::new();
        for (count, size) in [(3, 7), (100, 24), (0, 8), (8, 0), (1000, 1000)] {
            for p in [
                mi_new_n(count, size),
                mi_heap_alloc_new_n(heap, count, size),
            ] {
                assert!(mi_usable_size(p) >= count * size);
                fill(p, count * size, 1);
                mi_free(p);
            }
        }
        mi_heap_destroy(heap);
    }
}

#[test]
fn new_aligns() {
    unsafe {
        for shift in 0..=20 {
            for size in [0, 1, 24, 1000, 5000] {
                for p in [
                    mi_new_aligned(size, 1 << shift),
                    mi_new_aligned_nothrow(size, 1 << shift),
                ] {
                    assert!(!p.is_null() && is_aligned(p, 1 << shift), "{size} {shift}");
                    assert!(mi_usable_size(p) >= size);
                    fill(p, size, 1);
                    mi_free(p);
                }
            }
        }
    }
}

#[test]
fn new_realloc_keeps_the_contents() {
    unsafe {
        let mut p = null_mut();
        let mut old = 0;
        for (n, size) in [10, 1000, 1024, 70_000, 500, 1].into_iter().enumerate() {
            p = if n % 2 == 0 {
                mi_new_realloc(p, size)
            } else {
                mi_new_reallocn(p, size, 1)
            };
            assert!(holds(p, size.min(old), 3), "{old} -> {size}");
            fill(p, size, 3);
            old = size;
        }
        mi_free(p);
    }
}

#[test]
fn blocks_from_a_heap_are_its_own() {
    unsafe {
        let heap = own_heap::new();
        for p in [
            mi_heap_alloc_new(heap, 100),
            mi_heap_alloc_new_n(heap, 10, 10),
        ] {
            #[cfg(mi_v3)]
            assert_eq!(mi_heap_of(p), heap);
            #[cfg(mi_v2)]
            assert!(mi_heap_contains_block(heap, p));
        }
        mi_heap_destroy(heap);
    }
}

#[test]
fn nothrow_returns_null() {
    unsafe {
        for size in [TOO_LARGE, usize::MAX] {
            assert!(mi_new_nothrow(size).is_null(), "{size}");
            assert!(mi_new_aligned_nothrow(size, 64).is_null(), "{size}");
        }
        for bad in [0, 3, 24, usize::MAX] {
            assert!(mi_new_aligned_nothrow(100, bad).is_null(), "{bad}");
        }
        #[cfg(target_pointer_width = "64")]
        assert!(mi_new_nothrow(TOO_LARGE / 4).is_null());
    }
}

/// Each request that one of the others cannot serve.
type Ask = unsafe fn() -> *mut c_void;

const HOPELESS: [(&str, Ask); 10] = [
    ("new", || unsafe { mi_new(TOO_LARGE) }),
    ("new, all bytes", || unsafe { mi_new(usize::MAX) }),
    ("new_n", || unsafe { mi_new_n(2, TOO_LARGE) }),
    ("new_aligned", || unsafe { mi_new_aligned(TOO_LARGE, 64) }),
    ("new_aligned, bad alignment", || unsafe {
        mi_new_aligned(8, 24)
    }),
    ("new_realloc", || unsafe {
        mi_new_realloc(mi_malloc(8), TOO_LARGE)
    }),
    ("new_reallocn", || unsafe {
        mi_new_reallocn(mi_malloc(8), 2, TOO_LARGE)
    }),
    ("heap_alloc_new", || unsafe {
        mi_heap_alloc_new(own_heap::new(), TOO_LARGE)
    }),
    ("heap_alloc_new_n", || unsafe {
        mi_heap_alloc_new_n(own_heap::new(), 2, TOO_LARGE)
    }),
    ("heap_alloc_new_n, wrapped to 2", || unsafe {
        mi_heap_alloc_new_n(own_heap::new(), 3, usize::MAX / 3 + 1)
    }),
];

/// Compiled as C there is nothing to throw.
#[test]
#[cfg(unix)]
fn new_without_memory_and_handler_aborts() {
    use std::os::unix::process::ExitStatusExt;
    if respawn::is_child() {
        let (_, ask) = HOPELESS
            .iter()
            .find(|(name, _)| *name == respawn::argument())
            .unwrap();
        unsafe { ask() };
        return;
    }
    for (name, _) in HOPELESS {
        let output = respawn::run(
            "cpp::new_without_memory_and_handler_aborts",
            name,
            &[("MIMALLOC_SHOW_ERRORS", "1")],
        );
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            output.status.signal(),
            Some(libc::SIGABRT),
            "{name}: {said}"
        );
        assert!(said.contains("out of memory in 'new'"), "{name}: {said}");
    }
}

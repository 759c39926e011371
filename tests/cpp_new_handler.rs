//! C++'s new-handler: this program has one, as if a C++ runtime were linked into it. Its symbol is the whole program's, and
//! so no other test is in this one.
//!
//! gcc and clang on Linux only: elsewhere the C code asks for it under another name, or not at all.
#![cfg(target_os = "linux")]

use mi_malloc_sys::*;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Mutex;

#[path = "support/heap.rs"]
mod heap;
#[allow(dead_code)]
#[path = "support/memory.rs"]
mod memory;

use memory::*;

static CALLS: AtomicUsize = AtomicUsize::new(0);

extern "C" fn handler() {
    CALLS.fetch_add(1, Ordering::Relaxed);
}

/// `std::get_new_handler`.
#[no_mangle]
extern "C" fn _ZSt15get_new_handlerv() -> Option<extern "C" fn()> {
    Some(handler)
}

/// The number of calls of the handler while `act` runs, which one test does at a time.
fn calls(act: impl FnOnce()) -> usize {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap();
    let before = CALLS.load(Ordering::Relaxed);
    act();
    CALLS.load(Ordering::Relaxed) - before
}

#[test]
fn the_handler_is_called_for_impossible_requests() {
    let heap = unsafe { heap::new() };
    let p = unsafe { mi_malloc(8) };
    unsafe { fill(p, 8, 1) };
    for (name, count) in [
        (
            "new",
            calls(|| unsafe { assert!(mi_new(TOO_LARGE).is_null()) }),
        ),
        (
            "new_n",
            calls(|| unsafe { assert!(mi_new_n(2, TOO_LARGE).is_null()) }),
        ),
        (
            "aligned",
            calls(|| unsafe { assert!(mi_new_aligned(8, 24).is_null()) }),
        ),
        (
            "realloc",
            calls(|| unsafe { assert!(mi_new_realloc(p, TOO_LARGE).is_null()) }),
        ),
        (
            "reallocn",
            calls(|| unsafe { assert!(mi_new_reallocn(p, 2, TOO_LARGE).is_null()) }),
        ),
        (
            "heap",
            calls(|| unsafe { assert!(mi_heap_alloc_new(heap, TOO_LARGE).is_null()) }),
        ),
        (
            "heap_n",
            calls(|| unsafe { assert!(mi_heap_alloc_new_n(heap, 2, TOO_LARGE).is_null()) }),
        ),
    ] {
        assert_eq!(count, 1, "{name}: trying again is no use");
    }
    unsafe {
        assert!(holds(p, 8, 1));
        mi_free(p);
        mi_heap_destroy(heap);
    }
}

#[test]
fn the_handler_gets_four_tries() {
    unsafe {
        let (size, held) = too_much();
        let heap = heap::new();
        let p = mi_malloc(8);
        assert_eq!(calls(|| assert!(mi_new(size).is_null())), 4);
        assert_eq!(calls(|| assert!(mi_new_n(size / 8, 8).is_null())), 4);
        assert_eq!(calls(|| assert!(mi_new_aligned(size, 64).is_null())), 4);
        assert_eq!(calls(|| assert!(mi_new_realloc(p, size).is_null())), 4);
        assert_eq!(
            calls(|| assert!(mi_heap_alloc_new(heap, size).is_null())),
            4
        );
        // v3 leaves the handler out where nothing may be thrown.
        let nothrow = if cfg!(mi_v3) { 0 } else { 4 };
        assert_eq!(calls(|| assert!(mi_new_nothrow(size).is_null())), nothrow);
        assert_eq!(
            calls(|| assert!(mi_new_aligned_nothrow(size, 64).is_null())),
            nothrow
        );
        held.into_iter().for_each(|p| mi_free(p));
        mi_free(p);
        mi_heap_destroy(heap);
    }
}

#[test]
fn the_handler_is_not_called_while_there_is_memory() {
    let count = calls(|| unsafe {
        for size in SIZES {
            mi_free(mi_new(size));
            mi_free(mi_new_aligned(size, 64));
            mi_free(mi_new_realloc(null_mut(), size));
        }
    });
    assert_eq!(count, 0);
}

//! Subprocesses: threads that share no memory with the rest of the program.

use crate::raw_thread;
use crate::respawn;
use core::ffi::c_void;
use mi_malloc_sys::*;
use std::ptr::null_mut;
use std::sync::{Arc, Mutex};

const NONE: mi_subproc_id_t = mi_subproc_id_t {
    _mi_subproc_id: null_mut(),
};

/// Crosses threads as a number.
fn id_of(number: usize) -> mi_subproc_id_t {
    mi_subproc_id_t {
        _mi_subproc_id: number as *mut c_void,
    }
}

/// Runs `work` in a thread of the subprocess `id`, and returns its result.
fn inside<T: Send + 'static>(id: mi_subproc_id_t, work: impl Fn() -> T + Send + 'static) -> T {
    let result = Arc::new(Mutex::new(None));
    let slot = result.clone();
    let number = id._mi_subproc_id as usize;
    raw_thread::run(move || {
        unsafe { mi_subproc_add_current_thread(id_of(number)) };
        *slot.lock().unwrap() = Some(work());
    });
    let mut result = result.lock().unwrap();
    result.take().unwrap()
}

#[cfg(not(feature = "debug_full"))]
unsafe fn heaps_of(id: mi_subproc_id_t) -> Vec<*mut mi_heap_t> {
    unsafe extern "C" fn note(heap: *mut mi_heap_t, heaps: *mut c_void) -> bool {
        (*heaps.cast::<Vec<*mut mi_heap_t>>()).push(heap);
        true
    }
    // With its capacity from the start: under `override` the vector lives in one of the heaps.
    let mut heaps: Vec<*mut mi_heap_t> = Vec::with_capacity(1000);
    let argument: *mut Vec<_> = &mut heaps;
    assert!(mi_subproc_visit_heaps(id, Some(note), argument.cast()));
    heaps
}

#[test]
fn every_thread_starts_in_the_main_one() {
    respawn::alone(|| unsafe {
        let main = mi_subproc_main();
        assert_ne!(main, NONE);
        assert_eq!(mi_subproc_current(), main);
        mi_free(mi_malloc(1));
        assert_eq!(mi_subproc_current(), main);
        std::thread::spawn(|| assert_eq!(mi_subproc_current(), mi_subproc_main()))
            .join()
            .unwrap();
    });
}

#[test]
fn a_thread_in_its_own() {
    respawn::alone(|| unsafe {
        let id = mi_subproc_new();
        assert!(id != NONE && id != mi_subproc_main());
        let (current, heap, blocks) = inside(id, || {
            let blocks: Vec<usize> = (0..300)
                .map(|index| {
                    let p = mi_malloc(1 + index * 100);
                    p.cast::<u8>().write_bytes(index as u8, 1 + index * 100);
                    p as usize
                })
                .collect();
            let current = mi_subproc_current()._mi_subproc_id as usize;
            (current, mi_heap_main() as usize, blocks)
        });
        assert_eq!(id_of(current), id);
        // Under `override` the list itself came with them; it must outlive them.
        let blocks = { blocks }.clone();
        // Its main heap is another one, and its blocks stay when its thread has ended.
        let heap = heap as *mut mi_heap_t;
        assert_ne!(heap, mi_heap_main());
        for (index, p) in blocks.iter().enumerate() {
            let p = *p as *mut c_void;
            assert_eq!(mi_heap_of(p), heap);
            assert!(!mi_heap_contains(null_mut(), p));
            let bytes = std::slice::from_raw_parts(p.cast::<u8>(), 1 + index * 100);
            assert!(bytes.iter().all(|byte| *byte == index as u8));
        }
        // A second thread joins the same, and frees what the first one left.
        let second = blocks.clone();
        let of = inside(id, move || {
            second[..150]
                .iter()
                .for_each(|p| mi_free(*p as *mut c_void));
            mi_heap_of(mi_malloc(10)) as usize
        });
        assert_eq!(of, heap as usize);
        // So may a thread of the main one.
        blocks[150..200]
            .iter()
            .for_each(|p| mi_free(*p as *mut c_void));
        assert_eq!(mi_heap_of(blocks[250] as *const c_void), heap);
        mi_subproc_destroy(id);
    });
}

/// `debug_full` is left out: making a heap can extend a table that lives in the main subprocess, and an
/// expensive check of v3.6.0 (`_mi_heap_theap_peek` in prim-tls.h) stops the program when a thread of
/// another subprocess does that.
#[cfg(not(feature = "debug_full"))]
#[test]
fn the_heaps_of_each() {
    respawn::alone(|| unsafe {
        let ours = mi_heap_new();
        let id = mi_subproc_new();
        let (main, made) = inside(id, || {
            let heap = mi_heap_new();
            assert!(!mi_heap_malloc(heap, 10).is_null());
            (mi_heap_main() as usize, heap as usize)
        });
        let heaps = heaps_of(mi_subproc_main());
        assert!(heaps.contains(&mi_heap_main()) && heaps.contains(&ours));
        assert!(!heaps.contains(&(made as *mut mi_heap_t)));
        let mut heaps = heaps_of(id);
        heaps.sort();
        let mut expected = [main as *mut mi_heap_t, made as *mut mi_heap_t];
        expected.sort();
        assert_eq!(heaps, expected);
        mi_heap_delete(ours);
        assert!(!heaps_of(mi_subproc_main()).contains(&ours));
        mi_subproc_destroy(id);
    });
}

/// Without `debug_full` for the same reason.
#[cfg(not(feature = "debug_full"))]
#[test]
fn a_visitor_ends_the_visit() {
    respawn::alone(|| {
        unsafe extern "C" fn stop_at_two(_heap: *mut mi_heap_t, calls: *mut c_void) -> bool {
            let calls = &mut *calls.cast::<usize>();
            *calls += 1;
            *calls < 2
        }
        unsafe {
            let id = mi_subproc_new();
            inside(id, || {
                for _ in 0..3 {
                    assert!(!mi_heap_new().is_null());
                }
            });
            let mut calls = 0usize;
            let argument: *mut usize = &mut calls;
            assert!(!mi_subproc_visit_heaps(
                id,
                Some(stop_at_two),
                argument.cast()
            ));
            assert_eq!(calls, 2);
            calls = 0;
            assert!(!mi_subproc_visit_heaps(
                NONE,
                Some(stop_at_two),
                argument.cast()
            ));
            assert_eq!(calls, 0);
            mi_subproc_destroy(id);
        }
    });
}

#[test]
fn a_thread_that_has_allocated_stays() {
    respawn::alone(|| unsafe {
        let id = mi_subproc_new();
        let number = id._mi_subproc_id as usize;
        std::thread::spawn(move || {
            let p = mi_malloc(10);
            mi_subproc_add_current_thread(id_of(number));
            assert_eq!(mi_subproc_current(), mi_subproc_main());
            assert_eq!(mi_heap_of(p), mi_heap_main());
            mi_free(p);
        })
        .join()
        .unwrap();
        // One that has left the main subprocess does not leave again.
        let other = mi_subproc_new();
        let numbers = [id, other].map(|id| id._mi_subproc_id as usize);
        inside(id, move || {
            mi_subproc_add_current_thread(id_of(numbers[1]));
            assert_eq!(mi_subproc_current(), id_of(numbers[0]));
        });
        mi_subproc_destroy(id);
        mi_subproc_destroy(other);
    });
}

#[test]
fn many_one_after_the_other() {
    respawn::alone(|| {
        let block = unsafe { mi_malloc(100) };
        for _ in 0..30 {
            unsafe {
                let id = mi_subproc_new();
                let p = inside(id, || {
                    let p = mi_zalloc(3_000_000);
                    let bytes = std::slice::from_raw_parts_mut(p.cast::<u8>(), 3_000_000);
                    assert!(bytes.iter().step_by(1000).all(|byte| *byte == 0));
                    bytes.fill(1);
                    p as usize
                });
                assert_ne!(mi_heap_of(p as *const c_void), mi_heap_main());
                mi_subproc_destroy(id);
            }
        }
        unsafe {
            // The main one and none do not end.
            mi_subproc_destroy(mi_subproc_main());
            mi_subproc_destroy(NONE);
            assert_eq!(mi_heap_of(block), mi_heap_main());
            mi_free(block);
        }
    });
}

/// A debug build stops the program instead.
#[cfg(not(any(feature = "debug", all(feature = "debug_in_debug", debug_assertions))))]
#[test]
fn no_subprocess_changes_nothing() {
    respawn::alone(|| {
        raw_thread::run(|| unsafe {
            mi_subproc_add_current_thread(NONE);
            assert_eq!(mi_subproc_current(), mi_subproc_main());
            let p = mi_malloc(10);
            assert_eq!(mi_heap_of(p), mi_heap_main());
            mi_free(p);
        });
    });
}

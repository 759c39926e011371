//! What becomes of the blocks of an ended thread. Apart from the other tests of heaps, because on v2 any
//! heap of the process may take them over.

use crate::respawn;
use core::ffi::c_void;
use mi_malloc_sys::*;

unsafe fn is_filled(p: usize, size: usize, value: u8) -> bool {
    std::slice::from_raw_parts(p as *const u8, size)
        .iter()
        .all(|byte| *byte == value)
}

/// The heap ends with its thread on v2, and stays on v3; the blocks stay on both.
#[test]
fn the_thread_of_a_heap_ends() {
    respawn::alone(|| {
        let blocks = std::thread::spawn(|| unsafe {
            let heap = mi_heap_new();
            (0..200)
                .map(|index| {
                    let p = mi_heap_malloc(heap, 32 + index);
                    p.cast::<u8>().write_bytes(index as u8, 32 + index);
                    p as usize
                })
                .collect::<Vec<_>>()
        })
        .join()
        .unwrap();
        for (index, p) in blocks.into_iter().enumerate() {
            unsafe {
                assert!(is_filled(p, 32 + index, index as u8));
                mi_free(p as *mut c_void);
            }
        }
    });
}

/// v2 gives them to whichever heap needs memory next, even to one that promises to take over nothing,
/// so `mi_heap_destroy` would free them (see oven-sh/bun#27786). A heap with a tag gets none.
#[cfg(mi_v2)]
#[test]
fn a_heap_takes_over_what_ended_threads_left() {
    respawn::alone(|| {
        const SIZE: usize = 1000;
        const EACH: usize = 10_000;
        let leave = || unsafe {
            let block = |_| {
                let p = mi_malloc(SIZE);
                p.cast::<u8>().write_bytes(7, SIZE);
                p as usize
            };
            (0..EACH).map(block).collect::<Vec<_>>()
        };
        // How many blocks of ended threads are in `heap` once it has filled some memory.
        let taken_by = |heap: *mut mi_heap_t| unsafe {
            let left: Vec<usize> = (0..10)
                .flat_map(|_| std::thread::spawn(leave).join().unwrap())
                .collect();
            let own: Vec<_> = (0..10 * EACH).map(|_| mi_heap_malloc(heap, SIZE)).collect();
            let is_taken = |p: &&usize| mi_heap_contains_block(heap, **p as *const c_void);
            let taken = left.iter().filter(is_taken).count();
            for p in left {
                assert!(is_filled(p, SIZE, 7));
                mi_free(p as *mut c_void);
            }
            own.into_iter().for_each(|p| mi_free(p));
            // All blocks are freed, its own and others', so this end is safe.
            mi_heap_destroy(heap);
            taken
        };
        unsafe {
            assert_eq!(taken_by(mi_heap_new_ex(7, true, 0)), 0);
            assert!(taken_by(mi_heap_new()) >= EACH);
        }
    });
}

//! A fork, while other threads are outside mimalloc: parent and child go on with blocks of their own. (For threads
//! that are inside: `tests/faults_fork_locks.rs`.)

use crate::fork;
use crate::respawn;
use core::ffi::c_void;
use mi_malloc_sys::*;
use std::slice::from_raw_parts_mut;
use std::sync::mpsc::{channel, Sender};
use std::thread::JoinHandle;

const COUNT: usize = 2000;

fn size_of(index: usize) -> usize {
    1 + index * 37 % 3000 + if index % 500 == 0 { 1_000_000 } else { 0 }
}

unsafe fn bytes<'a>(p: usize, index: usize) -> &'a mut [u8] {
    assert_ne!(p, 0);
    from_raw_parts_mut(p as *mut u8, size_of(index))
}

unsafe fn blocks(value: u8) -> Vec<usize> {
    let block = |index| {
        let p = mi_malloc(size_of(index)) as usize;
        bytes(p, index).fill(value);
        p
    };
    (0..COUNT).map(block).collect()
}

unsafe fn assert_filled(blocks: &[usize], value: u8) {
    for (index, p) in blocks.iter().enumerate() {
        assert!(bytes(*p, index).iter().all(|byte| *byte == value));
    }
}

/// A thread that holds blocks and waits, outside mimalloc.
fn holder(value: u8) -> (Vec<usize>, Sender<()>, JoinHandle<()>) {
    let (give, take) = channel();
    let (end, wait) = channel();
    let thread = std::thread::spawn(move || {
        let blocks = unsafe { blocks(value) };
        give.send(blocks.clone()).unwrap();
        wait.recv().unwrap();
        unsafe { assert_filled(&blocks, value) };
    });
    (take.recv().unwrap(), end, thread)
}

#[test]
fn parent_and_child() {
    respawn::alone(|| unsafe {
        let own = blocks(1);
        let (others, end, thread) = holder(2);
        let heap = mi_heap_new();
        let in_heap: Vec<usize> = (1..100)
            .map(|size| mi_heap_zalloc(heap, size * 50) as usize)
            .collect();

        let finished = fork::run(|| {
            // What was there is there, and belongs to the child alone.
            assert_filled(&own, 1);
            assert_filled(&others, 2);
            #[cfg(mi_v3)]
            assert_eq!(mi_thread_id_of(others[0] as *const c_void), 0); // that thread is no more
            for (index, p) in own.iter().enumerate() {
                bytes(*p, index).fill(3);
                match index % 3 {
                    0 => mi_free(*p as *mut c_void),
                    1 => {
                        let p = mi_realloc(*p as *mut c_void, size_of(index) + 5000) as usize;
                        assert!(bytes(p, index).iter().all(|byte| *byte == 3));
                        mi_free(p as *mut c_void);
                    }
                    _ => {}
                }
            }
            for p in &others {
                mi_free(*p as *mut c_void);
            }
            let new = blocks(4);
            assert_filled(&new, 4);
            // Its heaps, and threads of its own.
            for p in &in_heap {
                assert_eq!((*p as *const u8).read(), 0);
            }
            mi_free(mi_heap_malloc(heap, 10_000));
            mi_heap_destroy(heap);
            let another = mi_heap_new();
            mi_free(mi_heap_malloc(another, 10));
            mi_heap_delete(another);
            let (theirs, end, thread) = holder(5);
            assert_filled(&theirs, 5);
            end.send(()).unwrap();
            thread.join().unwrap();
            for p in theirs.into_iter().chain(new) {
                mi_free(p as *mut c_void);
            }
            mi_collect(true);
            // A child may fork too.
            assert!(fork::run(|| mi_free(mi_malloc(100_000))));
        });
        assert!(finished);

        // None of that concerns the parent.
        assert_filled(&own, 1);
        assert_filled(&others, 2);
        for (index, p) in in_heap.iter().enumerate() {
            let block = from_raw_parts_mut(*p as *mut u8, (index + 1) * 50);
            assert!(block.iter().all(|byte| *byte == 0));
            mi_free(*p as *mut c_void);
        }
        mi_heap_delete(heap);
        end.send(()).unwrap();
        thread.join().unwrap();
        for p in own.into_iter().chain(others) {
            mi_free(p as *mut c_void);
        }

        // A child that fails is noticed.
        assert!(!fork::run(|| libc::_exit(3)));
    });
}

//! With the option `target_segments_per_thread`, threads of v2 may exchange memory with live blocks. A heap then frees
//! only what its own values free.
#![cfg(mi_v2)]

use allocator_api2::vec::Vec;
use mi_malloc::{sys, Heap};
use std::thread;

#[allow(dead_code)]
#[path = "support/mode.rs"]
mod mode;

#[test]
fn threads_exchange_segments() {
    if mode::leaks_end_the_process() {
        return;
    }
    // SAFETY: the option exists, and no other thread uses mimalloc's options.
    unsafe { sys::mi_option_set(sys::mi_option_target_segments_per_thread, 2) };
    thread::scope(|scope| {
        for index in 0..4u64 {
            scope.spawn(move || {
                for round in 0..30 {
                    let mark = index << 32 | round;
                    // Some threads have much memory; others have little, and so take some over.
                    let count = 1000 + 7000 * ((index + round) % 3);
                    Heap::scope(|heap| {
                        let heap = &*heap;
                        let mut blocks = std::vec::Vec::new();
                        for _ in 0..count {
                            let mut values = Vec::with_capacity_in(1500, heap);
                            values.extend([mark; 2]);
                            blocks.push(values);
                        }
                        heap.alloc(mark).unwrap();
                        assert!(blocks.iter().all(|values| values[..] == [mark; 2]));
                    })
                    .unwrap();
                }
            });
        }
    });
}

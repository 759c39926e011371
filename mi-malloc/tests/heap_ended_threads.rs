//! A heap does not free the blocks of threads that have ended. v2 would assign their pages to any heap that needs memory
//! (`tests/processes/heap_ended_thread.rs` of mi-malloc-sys shows it), so the heaps of this crate have a tag.

use allocator_api2::boxed::Box;
use mi_malloc::{Heap, MiMalloc};
use std::alloc::{GlobalAlloc, Layout};

#[allow(dead_code)]
#[path = "support/mode.rs"]
mod mode;

const SIZE: usize = 1000;
const EACH: usize = 5_000;

fn layout() -> Layout {
    Layout::from_size_align(SIZE, 8).unwrap()
}

#[test]
fn a_heap_takes_over_nothing() {
    if mode::leaks_end_the_process() {
        return;
    }
    let leave = || {
        (0..EACH)
            .map(|_| {
                // SAFETY: the layout has a size, and the block holds that many bytes.
                unsafe {
                    let block = MiMalloc.alloc(layout());
                    block.write_bytes(7, SIZE);
                    block as usize
                }
            })
            .collect::<Vec<_>>()
    };
    let left: Vec<usize> = (0..10)
        .flat_map(|_| std::thread::spawn(leave).join().unwrap())
        .collect();
    Heap::scope(|heap| {
        for _ in 0..10 * EACH {
            heap.alloc([1u8; SIZE]).unwrap();
        }
        let mut seen = 0;
        heap.visit_blocks(|_| seen += 1);
        // With guard pages, v2 takes the pages over, but frees nothing.
        assert!(seen == 10 * EACH || mode::KEEPS_LEAKED);
    })
    .unwrap();
    // If the memory was freed with the heap, these blocks use it:
    let fresh: Vec<_> = (0..10 * EACH)
        .map(|_| Box::new_in([3u8; SIZE], MiMalloc))
        .collect();
    for block in left {
        let block = block as *mut u8;
        // SAFETY: allocated above, filled, and not freed.
        unsafe {
            let bytes = std::slice::from_raw_parts(block, SIZE);
            assert!(bytes.iter().all(|byte| *byte == 7));
            MiMalloc.dealloc(block, layout());
        }
    }
    assert!(fresh.iter().all(|block| block[SIZE - 1] == 3));
}

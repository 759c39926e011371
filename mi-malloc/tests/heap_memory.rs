//! A heap that has ended leaves no memory, whatever was leaked into it. One test, because it measures the whole process.
#![cfg(target_os = "linux")]

use allocator_api2::vec::Vec;
use mi_malloc::Heap;
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};

#[allow(dead_code)]
#[path = "support/mode.rs"]
mod mode;

#[allow(dead_code)]
#[path = "../../tests/support/resident.rs"]
mod resident;

const MIB: usize = 1 << 20;
/// Leaks 2 MiB, in pages of all kinds.
fn leak(heap: &Heap) {
    for size in [100, 10_000, 300_000] {
        for _ in 0..700_000 / size {
            let mut bytes = Vec::<u8, _>::with_capacity_in(size, heap);
            bytes.resize(size, 7);
            std::mem::forget(bytes);
        }
    }
}

#[test]
fn leaked_blocks_are_freed() {
    if mode::KEEPS_LEAKED {
        println!("not run: v2 with guard pages keeps what was leaked");
        return;
    }
    let growth = |round: &mut dyn FnMut()| {
        for _ in 0..5 {
            round();
        }
        let before = resident::resident();
        for _ in 0..30 {
            round();
        }
        resident::resident().saturating_sub(before)
    };
    let leaks = growth(&mut || Heap::scope(|heap| leak(heap)).unwrap());
    assert!(leaks < 20 * MIB, "{leaks}");

    let panics = growth(&mut || {
        let panic = catch_unwind(AssertUnwindSafe(|| {
            Heap::scope(|heap| {
                leak(heap);
                resume_unwind(Box::new(7));
            })
        }));
        assert_eq!(panic.unwrap_err().downcast_ref(), Some(&7));
    });
    assert!(panics < 20 * MIB, "{panics}");

    #[cfg(mi_v3)]
    {
        // A thread's part of a heap is freed with the heap, not with the thread.
        let threads = growth(&mut || {
            let heap = Heap::new().unwrap();
            std::thread::scope(|scope| {
                for _ in 0..2 {
                    scope.spawn(|| leak(&heap));
                }
            });
        });
        assert!(threads < 20 * MIB, "{threads}");
        // More heaps than there are slots.
        let many = growth(&mut || {
            for _ in 0..300 {
                Heap::new().unwrap();
            }
        });
        assert!(many < 20 * MIB, "{many}");
        let forgotten = growth(&mut || {
            let heap = Heap::new().unwrap();
            leak(&heap);
            std::mem::forget(heap);
        });
        assert!(forgotten > 40 * MIB, "{forgotten}");
    }
}

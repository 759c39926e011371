//! Heaps in a forked process: it has all heaps of its parent, and does not affect those of the parent.
#![cfg(unix)]

use allocator_api2::vec::Vec;
use mi_malloc::Heap;

#[path = "../../tests/support/fork.rs"]
mod fork;

#[test]
fn a_child_uses_and_ends_the_heaps_of_its_parent() {
    Heap::scope(|heap| {
        let shared = &*heap;
        let mut numbers = Vec::new_in(shared);
        numbers.extend(0..1000u32);
        for _ in 0..20 {
            let numbers = &mut numbers;
            assert!(fork::run(move || {
                assert_eq!(numbers[999], 999);
                numbers.extend(0..100_000);
                numbers[0] = 7;
                shared.alloc_slice(numbers).unwrap();
                Heap::scope(|own| own.alloc(1).map(|number| *number).unwrap()).unwrap();
            }));
        }
        assert_eq!(numbers.len(), 1000);
        assert_eq!(numbers[0], 0);
    })
    .unwrap();
}

/// Including heaps of threads that the child does not have.
#[cfg(mi_v3)]
#[test]
fn a_child_ends_a_heap_of_threads() {
    use std::sync::Barrier;
    let barrier = Barrier::new(4);
    let mut heap = Some(Heap::new().unwrap());
    let other = Heap::new().unwrap();
    std::thread::scope(|scope| {
        for n in 0..3 {
            let (barrier, other) = (&barrier, &other);
            scope.spawn(move || {
                other.alloc_slice(&[n; 10_000]).unwrap();
                barrier.wait(); // has allocated from the heap
                barrier.wait(); // and does not end before the child does
                other.alloc_slice(&[n; 10_000]).unwrap();
            });
        }
        barrier.wait();
        heap.as_ref().unwrap().alloc(1).unwrap();
        for _ in 0..20 {
            let heap = &mut heap;
            assert!(fork::run(move || {
                heap.as_ref().unwrap().alloc(2).unwrap();
                drop(heap.take());
                for _ in 0..100 {
                    Heap::new().unwrap().alloc(3).unwrap();
                }
            }));
        }
        assert!(heap.is_some());
        barrier.wait();
    });
    // No other thread forks, and the child destroys a heap of threads that do not exist there.
    let mut other = Some(other);
    assert!(fork::run(|| drop(other.take())));
    drop(other);
}

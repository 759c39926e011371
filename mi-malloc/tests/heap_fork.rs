//! Heaps in a forked process: it has all that its parent had, and what it does is its own matter.
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

/// Also those of threads that the child does not have.
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
                barrier.wait(); // has its share of the heap
                barrier.wait(); // and keeps it until the child has come to its end
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
    // The process forks alone, and the child ends a heap of threads that are no more.
    let mut other = Some(other);
    assert!(fork::run(|| drop(other.take())));
    drop(other);
}

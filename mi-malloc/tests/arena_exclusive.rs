//! Only its heaps use an arena, even when there is no other. One test, because the process must have no other arena.

use allocator_api2::boxed::Box;
use mi_malloc::{Arena, Heap, MiMalloc};

#[test]
fn other_allocations_do_not_use_the_arena() {
    let arena = Arena::reserve(Arena::unit()).unwrap();
    for n in 0..1000 {
        assert!(!arena.contains(&*Box::new_in([n; 1000], MiMalloc)));
    }
    Heap::scope(|heap| assert!(!arena.contains(heap.alloc(1).unwrap()))).unwrap();
    Heap::scope_in(
        arena,
        |heap| assert!(arena.contains(heap.alloc(1).unwrap())),
    )
    .unwrap();
}

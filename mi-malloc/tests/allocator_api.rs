//! The standard library's collections in a heap, for nightly compilers:
//! `RUSTC_BOOTSTRAP=1 cargo test -p mi-malloc --features allocator_api --test allocator_api`.
#![cfg_attr(feature = "allocator_api", feature(allocator_api, btreemap_alloc))]
#![cfg(feature = "allocator_api")]

use mi_malloc::{Heap, MiMalloc};
use std::collections::{BTreeMap, VecDeque};

#[test]
fn collections() {
    Heap::scope(|heap| {
        let heap = &*heap;
        let mut map = BTreeMap::new_in(heap);
        let mut queue = VecDeque::new_in(MiMalloc);
        for n in 0..1000u32 {
            let mut digits = Vec::new_in(heap);
            digits.extend(n.to_string().bytes());
            map.insert(n, Box::new_in(digits, heap));
            queue.push_back(n);
        }
        assert!(map.iter().all(|(n, digits)| {
            heap.contains(n) && digits.as_slice() == n.to_string().as_bytes()
        }));
        assert!(queue.iter().eq(map.keys()));
    })
    .unwrap();
}

/// Other crates may use only one of the traits.
#[test]
fn both_traits() {
    fn both(allocator: impl std::alloc::Allocator + allocator_api2::alloc::Allocator) {
        let mut values = Vec::new_in(allocator);
        values.resize(1000, 7);
    }
    both(MiMalloc);
    Heap::scope(|heap| both(&*heap)).unwrap();
}

/// A heap that its values share exists as long as they do.
#[cfg(mi_v3)]
#[test]
fn a_shared_heap() {
    use std::sync::Arc;
    let heap = Arc::new(Heap::new().unwrap());
    let mut values = Vec::new_in(heap.clone());
    values.extend(0..1000);
    drop(heap);
    let values = std::thread::spawn(move || {
        values.extend(0..1000);
        values
    })
    .join()
    .unwrap();
    assert_eq!(values.len(), 2000);
    let mut heap = values.allocator().clone();
    drop(values);
    let heap = Arc::get_mut(&mut heap).unwrap();
    heap.visit_blocks(|block| panic!("{block:?} is left"));
}

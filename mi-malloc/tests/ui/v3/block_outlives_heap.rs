//! A block cannot outlive its heap.
use allocator_api2::{boxed::Box, vec::Vec};
use hashbrown::HashMap;
use mi_malloc::Heap;

fn number() -> &'static mut u32 {
    let heap = Heap::new().unwrap();
    heap.alloc(7).unwrap()
}

fn main() {
    let heap = Heap::new().unwrap();
    let values = Vec::<u8, _>::new_in(&heap);
    drop(heap);
    drop(values);

    let leaked: &'static mut u32;
    let map;
    {
        let heap = Heap::new().unwrap();
        leaked = Box::leak(Box::new_in(7, &heap));
        let heap = Heap::new().unwrap();
        map = HashMap::<u32, u32, (), _>::with_hasher_in((), &heap);
    }
    drop(map);
    *leaked = *number();
}

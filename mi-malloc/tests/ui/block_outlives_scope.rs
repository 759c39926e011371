//! A block cannot leave the scope of its heap.
use allocator_api2::{boxed::Box, vec::Vec};
use mi_malloc::Heap;

fn main() {
    let _ = Heap::scope(|heap| heap.alloc(7).unwrap());
    let _ = Heap::scope(|heap| Box::new_in(7, &*heap));

    let mut outside = None;
    let _ = Heap::scope(|heap| outside = Some(Vec::<u8, _>::new_in(&*heap)));
    drop(outside);
}

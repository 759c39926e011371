//! A heap cannot be visited while values in it are live, or while its visitor allocates from it.
use allocator_api2::vec::Vec;
use mi_malloc::Heap;

fn main() {
    let _ = Heap::scope(|heap| {
        let mut values = Vec::<u8, _>::new_in(&*heap);
        heap.visit_blocks(|_| ());
        values.push(1);
    });
    let _ = Heap::scope(|heap| {
        heap.visit_blocks(|_| {
            heap.alloc(7).unwrap();
        });
    });
}

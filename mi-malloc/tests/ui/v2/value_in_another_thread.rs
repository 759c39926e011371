//! On v2 a value in a heap cannot be moved to another thread, which could free it there.
use allocator_api2::vec::Vec;
use mi_malloc::Heap;
use std::thread;

fn main() {
    let _ = Heap::scope(|heap| {
        let values = Vec::<u8, _>::new_in(&*heap);
        thread::scope(|scope| {
            scope.spawn(move || drop(values));
        });
    });
}

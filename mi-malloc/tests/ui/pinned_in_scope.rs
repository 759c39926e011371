//! Memory that a heap frees is no place for a pinned value, whose destructor would have to run before.
use allocator_api2::boxed::Box;
use mi_malloc::Heap;
use std::marker::PhantomPinned;

fn main() {
    let _ = Heap::scope(|heap| {
        let _ = Box::pin_in(PhantomPinned, &*heap);
    });
}

//! A pinned value cannot be in memory that a heap frees: its destructor would have to run before.
use allocator_api2::boxed::Box;
use mi_malloc::Heap;
use std::marker::PhantomPinned;

fn main() {
    let _ = Heap::scope(|heap| {
        let _ = Box::pin_in(PhantomPinned, &*heap);
    });
}

//! On v2 a heap is not shared with another thread.
use mi_malloc::Heap;
use std::thread;

fn main() {
    let _ = Heap::scope(|heap| {
        let heap = &*heap;
        thread::scope(|scope| {
            scope.spawn(|| heap.collect(true));
        });
    });
}

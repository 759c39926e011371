//! On v2 a heap is a scope.
use mi_malloc::Heap;

thread_local! {
    static HEAP: Heap = Heap::new().unwrap();
}

fn main() {
    HEAP.with(|heap| heap.collect(true));
}

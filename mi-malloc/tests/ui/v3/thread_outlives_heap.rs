//! A thread that uses a heap ends before the heap does.
use mi_malloc::Heap;

fn main() {
    let heap = Heap::new().unwrap();
    std::thread::spawn(|| {
        heap.alloc(7).unwrap();
    });
}

//! The deferred-free callback while threads begin and heaps are made: mimalloc then allocates its own data, under a lock.

use mi_malloc::callbacks;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

#[global_allocator]
static GLOBAL: mi_malloc::MiMalloc = mi_malloc::MiMalloc;

#[test]
fn it_may_need_data_of_mimalloc_itself() {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    callbacks::on_deferred_free(|_| {
        CALLS.fetch_add(1, SeqCst);
        drop(std::hint::black_box(vec![0u8; 100]));
        #[cfg(mi_v3)]
        mi_malloc::Heap::scope(|heap| assert!(heap.alloc(1u8).is_ok())).unwrap();
    });
    for _ in 0..2500 {
        std::thread::spawn(|| drop(std::hint::black_box(vec![0u8; 100])))
            .join()
            .unwrap();
    }
    for _ in 0..2500 {
        mi_malloc::Heap::scope(|heap| assert!(heap.alloc(1u8).is_ok())).unwrap();
    }
    purge();
    assert!(CALLS.load(SeqCst) > 0);
}

/// A collection of this thread's memory calls it.
fn purge() {
    mi_malloc::purge::now();
}

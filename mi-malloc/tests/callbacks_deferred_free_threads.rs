//! The deferred-free callback while threads begin and heaps are made: mimalloc then allocates its own data, under a lock.

use mi_malloc::callbacks;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

#[global_allocator]
static GLOBAL: mi_malloc::MiMalloc = mi_malloc::MiMalloc;

/// On v3 some thousand allocations of its own data are needed before it asks. A heap of v2 takes longer.
const ROUNDS: usize = if cfg!(mi_v3) { 2500 } else { 200 };

#[test]
fn it_may_need_data_of_mimalloc_itself() {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    callbacks::on_deferred_free(|_| {
        CALLS.fetch_add(1, SeqCst);
        drop(std::hint::black_box(vec![0u8; 100]));
        #[cfg(mi_v3)]
        mi_malloc::Heap::scope(|heap| assert!(heap.alloc(1u8).is_ok())).unwrap();
    });
    for _ in 0..ROUNDS {
        std::thread::spawn(|| drop(std::hint::black_box(vec![0u8; 100])))
            .join()
            .unwrap();
    }
    for _ in 0..ROUNDS {
        mi_malloc::Heap::scope(|heap| assert!(heap.alloc(1u8).is_ok())).unwrap();
    }
    purge();
    assert!(CALLS.load(SeqCst) > 0);
}

/// A collection of this thread's memory calls it.
fn purge() {
    mi_malloc::purge::now();
}

//! The deferred-free callback while threads start and heaps are created: mimalloc then allocates its own data, under a
//! lock.

use mi_malloc::callbacks;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

#[global_allocator]
static GLOBAL: mi_malloc::MiMalloc = mi_malloc::MiMalloc;

/// On v3, mimalloc calls it after several thousand allocations of its own data. A heap of v2 takes longer.
const ROUNDS: usize = if cfg!(mi_v3) { 2500 } else { 200 };

#[test]
fn it_is_called_during_allocations_of_mimallocs_own_data() {
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

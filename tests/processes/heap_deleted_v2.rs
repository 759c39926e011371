//! v2 keeps the memory of deleted heaps, unless they are collected first. One test, because it looks at
//! the whole process.

use crate::resident::resident;
use crate::respawn;
use mi_malloc_sys::*;

const MIB: usize = 1 << 20;

/// Many heaps at once, whose blocks are all freed before the heaps are deleted.
///
/// # Safety
/// Safe in itself: the heaps and blocks are its own.
unsafe fn round(collect: bool) {
    let heaps: Vec<_> = (0..60)
        .map(|_| {
            let heap = mi_heap_new();
            for size in 1..200 {
                mi_free(mi_heap_malloc(heap, size * 16));
            }
            heap
        })
        .collect();
    for heap in heaps {
        if collect {
            mi_heap_collect(heap, true);
        }
        mi_heap_delete(heap);
    }
}

#[test]
fn a_collected_heap_leaves_nothing() {
    respawn::alone(|| {
        // SAFETY: see `round`; a collection is always allowed.
        unsafe {
            let growth = |collect| {
                round(collect);
                let before = resident();
                for _ in 0..16 {
                    round(collect);
                }
                resident().saturating_sub(before)
            };
            let collected = growth(true);
            // The memory of one round, some 34 MiB, may have been purged before the first look and not before the last.
            assert!(collected < 50 * MIB, "{collected}");
            // What the guide warns of: if this is no more, the guide can do without the warning.
            let kept = growth(false);
            assert!(kept > 100 * MIB, "{kept}");
            let before = resident();
            mi_collect(true);
            assert!(resident() + kept / 2 < before);
        }
    });
}

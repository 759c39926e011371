//! Memory goes back to the system. One test, because it looks at the whole process.

use crate::resident::resident;
use crate::respawn;
use crate::visit;
use core::ffi::c_void;
use mi_malloc_sys::*;

const MIB: usize = 1 << 20;

unsafe fn touched(heap: *mut mi_heap_t, size: usize, total: usize) -> Vec<*mut c_void> {
    let block = |_| {
        let p = mi_heap_malloc(heap, size);
        assert!(!p.is_null());
        p.cast::<u8>().write_bytes(1, size);
        p
    };
    (0..total / size).map(block).collect()
}

#[test]
fn memory_returns() {
    respawn::alone(|| unsafe {
        // Warm up, so that what is measured is what comes on top.
        mi_free(mi_malloc(MIB));
        of_freed_blocks();
        of_ended_heaps();
        #[cfg(mi_v3)]
        of_purged_arenas();
    });
}

unsafe fn of_freed_blocks() {
    // v2 keeps a segment (32 MiB) as long as any page of it is in use.
    let rest = if cfg!(mi_v3) { 20 * MIB } else { 40 * MIB };
    for size in [100, 5000, 300_000, 20 * MIB] {
        let heap = mi_heap_new();
        let before = resident();
        let blocks = touched(heap, size, 60 * MIB);
        assert!(resident() > before + 60 * MIB - rest, "{size}");
        blocks.into_iter().for_each(|p| mi_free(p));
        mi_heap_collect(heap, true);
        let after = resident();
        assert!(after < before + rest, "{size}: {before} to {after}");
        mi_heap_delete(heap);
    }
}

unsafe fn of_ended_heaps() {
    let before = resident();
    for size in [1000, 300_000, 20 * MIB] {
        for _ in 0..10 {
            let heap = mi_heap_new();
            touched(heap, size, 40 * MIB);
            visit::destroy(heap);
        }
        mi_collect(true);
        assert!(resident() < before + 50 * MIB, "{size}");
    }
}

/// Freed memory waits before it is purged, here for an hour, unless it is purged by request.
#[cfg(mi_v3)]
unsafe fn of_purged_arenas() {
    mi_option_set(mi_option_purge_delay, 3_600_000);
    let heap = mi_heap_new();
    let before = resident();
    let blocks = touched(heap, 300_000, 60 * MIB);
    blocks.into_iter().for_each(|p| mi_free(p));
    mi_heap_collect(heap, false);
    assert!(resident() > before + 30 * MIB);
    mi_arenas_purge();
    assert!(resident() < before + 20 * MIB);
    mi_heap_delete(heap);
}

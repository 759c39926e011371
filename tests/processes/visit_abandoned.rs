//! Visiting what ended threads left behind, which v2 must be prepared for from its start.

use crate::respawn;
use crate::visit;
use core::ffi::c_void;
use mi_malloc_sys::*;
use std::ptr::null_mut;

#[test]
fn abandoned_blocks() {
    let variables = [("MIMALLOC_VISIT_ABANDONED", "1")];
    respawn::alone_with(&variables, || {
        let visited = |tag, stop_after| unsafe {
            let mut seen = visit::Seen {
                stop_after,
                ..visit::Seen::default()
            };
            let argument = seen.argument();
            let end = mi_abandoned_visit_blocks(null_mut(), tag, true, Some(visit::note), argument);
            assert_eq!(end, stop_after.is_none());
            seen
        };
        // Under the feature `override` the test's own threads may have left something already.
        let before = visited(-1, None).blocks.len();
        let left: Vec<usize> = std::thread::spawn(|| unsafe {
            let sizes = [32, 32, 500, 20_000, 900_000];
            sizes.iter().map(|size| mi_malloc(*size) as usize).collect()
        })
        .join()
        .unwrap();
        for tag in [-1, 0] {
            let seen = visited(tag, None);
            assert!(seen.blocks.len() >= before + left.len());
            assert!(seen.heaps.iter().all(|heap| heap.is_null()));
            for p in &left {
                assert!(seen.block_of(*p as *const c_void).is_some());
            }
        }
        assert_eq!(visited(9, None).calls(), 0);
        assert_eq!(visited(-1, Some(1)).calls(), 1);
        for p in left {
            unsafe { mi_free(p as *mut c_void) };
        }
    });
}

//! Visiting the heap that the whole program shares: alone in its process, because nobody may use
//! that heap meanwhile. So the visitor only counts.

use crate::other_threads;
use crate::respawn;
use core::ffi::c_void;
use mi_malloc_sys::*;
#[cfg(mi_v3)]
use std::ptr::null_mut;

#[derive(Default)]
struct Count {
    areas: usize,
    blocks: usize,
    /// How many blocks have at least this size, and their sum of usable sizes.
    size: usize,
    large: usize,
    bytes: usize,
}

unsafe extern "C" fn count(
    _heap: *const mi_heap_t,
    _area: *const mi_heap_area_t,
    block: *mut c_void,
    block_size: usize,
    count: *mut c_void,
) -> bool {
    let count = &mut *count.cast::<Count>();
    if block.is_null() {
        count.areas += 1;
    } else {
        count.blocks += 1;
        if block_size >= count.size {
            count.large += 1;
            count.bytes += block_size;
        }
    }
    true
}

unsafe fn visit(heap: *mut mi_heap_t, size: usize) -> Count {
    let mut counted = Count {
        size,
        ..Count::default()
    };
    let argument: *mut Count = &mut counted;
    assert!(mi_heap_visit_blocks(
        heap,
        true,
        Some(count),
        argument.cast()
    ));
    counted
}

#[test]
fn the_main_heap() {
    respawn::alone(|| {
        other_threads::wait_until_idle();
        unsafe {
            #[cfg(mi_v3)]
            let heap = mi_heap_main();
            #[cfg(mi_v2)]
            let heap = mi_heap_get_backing();
            // A page does not hold ten of it.
            const SIZE: usize = 9_722 * std::mem::size_of::<usize>() + 1;
            // What mimalloc itself keeps there for a thread comes with the thread's first allocation.
            mi_free(mi_malloc(SIZE));
            let before = visit(heap, SIZE);
            let mut blocks = [std::ptr::null_mut(); 10];
            let mut bytes = 0;
            for p in &mut blocks {
                *p = mi_malloc(SIZE);
                bytes += mi_usable_size(*p);
            }
            let after = visit(heap, SIZE);
            assert_eq!(after.large, before.large + blocks.len());
            assert_eq!(after.blocks, before.blocks + blocks.len());
            assert!(after.areas > before.areas);
            assert!(after.bytes - before.bytes >= bytes);
            #[cfg(mi_v3)]
            {
                let by_null = visit(null_mut(), SIZE);
                assert_eq!(by_null.blocks, after.blocks);
                assert_eq!(by_null.areas, after.areas);
            }
            for p in blocks {
                mi_free(p);
            }
            assert_eq!(visit(heap, SIZE).blocks, before.blocks);
        }
    });
}

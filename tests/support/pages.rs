//! Counts the pages of a heap.

use core::ffi::c_void;
use mi_malloc_sys::*;
use std::ops::Range;

/// The pages of the main heap whose blocks have one of these sizes: in use, and empty. It allocates nothing. On v3 a heap
/// has the pages of all threads, so who asks should be alone.
pub fn count(sizes: Range<usize>) -> (usize, usize) {
    unsafe extern "C" fn add(
        _: *const mi_heap_t,
        area: *const mi_heap_area_t,
        _: *mut c_void,
        block_size: usize,
        found: *mut c_void,
    ) -> bool {
        let (sizes, used, empty) = &mut *found.cast::<(Range<usize>, usize, usize)>();
        if sizes.contains(&block_size) {
            let which = if (*area).used == 0 { empty } else { used };
            *which += 1;
        }
        true
    }
    let mut found = (sizes, 0, 0);
    let argument: *mut (Range<usize>, usize, usize) = &mut found;
    // SAFETY: the heap lives as long as the process, no other thread uses it meanwhile, and the argument is what the
    // visitor expects.
    unsafe {
        #[cfg(mi_v3)]
        let heap = mi_heap_main();
        #[cfg(mi_v2)]
        let heap = mi_heap_get_default();
        assert!(mi_heap_visit_blocks(
            heap,
            false,
            Some(add),
            argument.cast()
        ));
    }
    (found.1, found.2)
}

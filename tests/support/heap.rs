//! Heaps that a test may destroy, or whose blocks it may count.

use mi_malloc_sys::*;

/// A heap that has the test's own blocks and no others.
///
/// v2 lets a heap take over what ended threads left (`processes/heap_ended_thread.rs`): the test's own, and under
/// `override` those of other tests at any moment. So an option forbids that.
pub unsafe fn new() -> *mut mi_heap_t {
    #[cfg(mi_v2)]
    mi_option_set(mi_option_max_segment_reclaim, 0);
    mi_heap_new()
}

//! Heaps: what only v3 has.

use cty::c_int;

use super::mi_heap_t;

extern "C" {
    /// Returns the main heap of the calling thread's subprocess, from which
    /// [`mi_malloc`](crate::mi_malloc) allocates unless the thread has set another default. It is
    /// never NULL and always there.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_heap_main() -> *mut mi_heap_t;

    /// Makes the heap `heap` (NULL: the main heap) prefer memory at the NUMA node `numa_node`,
    /// whichever node its threads run at.
    ///
    /// A number beyond the last node wraps around; a negative one removes the preference.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `heap` is NULL or a live heap. No other thread uses it meanwhile.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_heap_set_numa_affinity(heap: *mut mi_heap_t, numa_node: c_int);

    /// Makes debug builds leave the first `preserve` bytes (at most 1 MiB) of each block of the
    /// heap `heap` (NULL: the main heap) alone when they fill new and freed blocks with a pattern.
    /// Release builds fill nothing.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `heap` is NULL or a live heap.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_heap_set_debug_fill_preserve(heap: *mut mi_heap_t, preserve: usize);
}

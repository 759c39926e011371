//! Heaps of a thread: what only v2 has.

use cty::c_int;

use super::mi_heap_t;
use crate::arena::v2::mi_arena_id_t;

extern "C" {
    /// Makes `heap` the thread's default, from which [`mi_malloc`](crate::mi_malloc) and all other
    /// functions without a heap argument allocate in this thread, and returns the previous default.
    ///
    /// NULL changes nothing and returns NULL (debug builds stop the program). Before the thread's
    /// first allocation the previous default is a stand-in that cannot be set again; call
    /// [`mi_heap_get_default`] first.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `heap` is NULL or one of the calling thread's heaps.
    #[cfg_attr(docsrs, doc(cfg(feature = "v2")))]
    pub fn mi_heap_set_default(heap: *mut mi_heap_t) -> *mut mi_heap_t;

    /// Returns the thread's default heap: the backing heap, unless the thread has set another by
    /// [`mi_heap_set_default`].
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call.
    #[cfg_attr(docsrs, doc(cfg(feature = "v2")))]
    pub fn mi_heap_get_default() -> *mut mi_heap_t;

    /// Returns the thread's backing heap: the one it starts with, which lives until the thread ends
    /// and takes the blocks of its deleted heaps.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call.
    #[cfg_attr(docsrs, doc(cfg(feature = "v2")))]
    pub fn mi_heap_get_backing() -> *mut mi_heap_t;

    /// Creates a heap with the tag `heap_tag`, bound to the arena `arena_id` (0: to none).
    /// Experimental.
    ///
    /// The tag, from 0 to 255, keeps kinds of blocks apart: memory that an ended thread leaves
    /// behind is taken over by heaps of its tag only. With `allow_destroy`
    /// [`mi_heap_destroy`](crate::mi_heap_destroy) frees all of it (read its safety section about
    /// memory that was taken over); without, that function only deletes it.
    ///
    /// [`mi_heap_new`](crate::mi_heap_new) is `mi_heap_new_ex(0, true, 0)`. Returns NULL if memory
    /// has run out.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call.
    #[cfg_attr(docsrs, doc(cfg(feature = "v2")))]
    pub fn mi_heap_new_ex(
        heap_tag: c_int,
        allow_destroy: bool,
        arena_id: mi_arena_id_t,
    ) -> *mut mi_heap_t;

    /// Sets how many objects of `heap` get a guard page behind them: one in `sample_rate`
    /// allocations, none with 0, all with 1.
    ///
    /// `seed` fixes where the count starts; 0 means at random. Objects must also be within the
    /// bounds of [`mi_heap_guarded_set_size_bound`]. Without the feature `guarded` it does nothing.
    /// Experimental.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `heap` is one of the calling thread's heaps.
    #[cfg_attr(docsrs, doc(cfg(feature = "v2")))]
    pub fn mi_heap_guarded_set_sample_rate(heap: *mut mi_heap_t, sample_rate: usize, seed: usize);

    /// Sets the sizes, in bytes, of the objects of `heap` that may get a guard page: from `min` up
    /// to and including `max`. A `max` below `min` counts as `min`. Without the feature `guarded`
    /// it does nothing. Experimental.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `heap` is one of the calling thread's heaps.
    #[cfg_attr(docsrs, doc(cfg(feature = "v2")))]
    pub fn mi_heap_guarded_set_size_bound(heap: *mut mi_heap_t, min: usize, max: usize);
}

//! Thread-local heaps: the type and the functions of v3.

use core::ffi::c_void;

use crate::analysis::mi_block_visit_fun;
use crate::heap::mi_heap_t;
use crate::opaque::Opaque;

/// The part that one thread has of one heap; only ever used behind a pointer.
///
/// Only its own thread may allocate from it; any thread may free a block of it. It ends with its
/// thread or with its heap, whichever ends first.
///
/// Header: `mimalloc.h`.
#[repr(C)]
pub struct mi_theap_t {
    _opaque: Opaque,
}

extern "C" {
    /// Returns the calling thread's part of the heap `heap`, and makes it if there is none yet.
    ///
    /// The result is never NULL. If memory has run out it is a stand-in from which every allocation
    /// fails.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `heap` is a live heap.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_heap_theap(heap: *mut mi_heap_t) -> *mut mi_theap_t;

    /// Makes `theap` the thread's default, from which [`mi_malloc`](crate::mi_malloc) and all other
    /// functions without a heap argument allocate in this thread, and returns the previous default.
    ///
    /// NULL (and the stand-in of [`mi_heap_theap`]) changes nothing.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `theap` is NULL or the calling thread's. Before its heap ends, the thread sets another
    /// default.
    pub fn mi_theap_set_default(theap: *mut mi_theap_t) -> *mut mi_theap_t;

    /// Returns the thread's default: its part of the main heap, unless it has set another by
    /// [`mi_theap_set_default`].
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call.
    pub fn mi_theap_get_default() -> *mut mi_theap_t;

    /// Frees what `theap` keeps without need: pages in which no block is in use, and arena memory
    /// whose purge is due.
    ///
    /// With `force` it also looks at full pages and purges arenas before their time. NULL does
    /// nothing.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `theap` is NULL or the calling thread's.
    pub fn mi_theap_collect(theap: *mut mi_theap_t, force: bool);

    /// Allocates `size` bytes from `theap`, uninitialised; otherwise as
    /// [`mi_malloc`](crate::mi_malloc).
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `theap` is the calling thread's.
    pub fn mi_theap_malloc(theap: *mut mi_theap_t, size: usize) -> *mut c_void;

    /// Allocates `size` bytes from `theap`, all zero; otherwise as [`mi_zalloc`](crate::mi_zalloc).
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `theap` is the calling thread's.
    pub fn mi_theap_zalloc(theap: *mut mi_theap_t, size: usize) -> *mut c_void;

    /// Allocates room for `count` elements of `size` bytes each from `theap`, all bytes zero.
    ///
    /// Returns NULL if memory has run out or if `count * size` overflows; otherwise as
    /// [`mi_calloc`](crate::mi_calloc).
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `theap` is the calling thread's.
    pub fn mi_theap_calloc(theap: *mut mi_theap_t, count: usize, size: usize) -> *mut c_void;

    /// Allocates `size` bytes, at most [`MI_SMALL_SIZE_MAX`](crate::MI_SMALL_SIZE_MAX), from
    /// `theap`, uninitialised; otherwise as [`mi_malloc_small`](crate::mi_malloc_small).
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `theap` is the calling thread's. `size` is not above
    /// [`MI_SMALL_SIZE_MAX`](crate::MI_SMALL_SIZE_MAX): release builds do not check it.
    pub fn mi_theap_malloc_small(theap: *mut mi_theap_t, size: usize) -> *mut c_void;

    /// Allocates `size` bytes, at most [`MI_SMALL_SIZE_MAX`](crate::MI_SMALL_SIZE_MAX), from
    /// `theap`, all zero; otherwise as [`mi_zalloc_small`](crate::mi_zalloc_small).
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `theap` is the calling thread's. `size` is not above
    /// [`MI_SMALL_SIZE_MAX`](crate::MI_SMALL_SIZE_MAX): release builds do not check it.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_theap_zalloc_small(theap: *mut mi_theap_t, size: usize) -> *mut c_void;

    /// Allocates `size` bytes from `theap`, uninitialised, at a multiple of `alignment`; otherwise
    /// as [`mi_heap_malloc_aligned`](crate::mi_heap_malloc_aligned).
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `theap` is the calling thread's.
    pub fn mi_theap_malloc_aligned(
        theap: *mut mi_theap_t,
        size: usize,
        alignment: usize,
    ) -> *mut c_void;

    /// As [`mi_theap_malloc_aligned`], with all bytes zero.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `theap` is the calling thread's.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_theap_zalloc_aligned(
        theap: *mut mi_theap_t,
        size: usize,
        alignment: usize,
    ) -> *mut c_void;

    /// Changes the size of the block `p` to `newsize` bytes, taking any new block from `theap`;
    /// otherwise as [`mi_realloc`](crate::mi_realloc).
    ///
    /// A block that holds `newsize` bytes without wasting more than half stays where it is, if it
    /// is of the same heap.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `theap` is the calling thread's. `p` is NULL or a live block of any heap. When the result is
    /// not NULL, `p` must not be used any more.
    pub fn mi_theap_realloc(theap: *mut mi_theap_t, p: *mut c_void, newsize: usize) -> *mut c_void;

    /// As [`mi_theap_realloc`], with all new bytes zero; otherwise as
    /// [`mi_rezalloc`](crate::mi_rezalloc).
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// As for [`mi_theap_realloc`]. The new bytes are zero only if `p` came from a function that
    /// zeroes, and was resized by such functions only.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_theap_rezalloc(theap: *mut mi_theap_t, p: *mut c_void, newsize: usize)
        -> *mut c_void;

    /// Allocates `size` bytes from `theap` as C++ `new` does: when memory has run out it calls the
    /// new-handler of C++; otherwise as [`mi_new`](crate::mi_new).
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `theap` is the calling thread's; and as for [`mi_new`](crate::mi_new).
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_theap_alloc_new(theap: *mut mi_theap_t, size: usize) -> *mut c_void;

    /// As [`mi_theap_alloc_new`], for `count` elements of `size` bytes each; otherwise as
    /// [`mi_new_n`](crate::mi_new_n).
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `theap` is the calling thread's; and as for [`mi_new_n`](crate::mi_new_n).
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_theap_alloc_new_n(theap: *mut mi_theap_t, count: usize, size: usize) -> *mut c_void;

    /// The same as [`mi_theap_malloc`]: NULL, and no new-handler, when memory has run out.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `theap` is the calling thread's.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_theap_alloc_new_nothrow(theap: *mut mi_theap_t, size: usize) -> *mut c_void;

    /// Sets how many objects of `theap` get a guard page behind them: one about every `sample_rate`
    /// requested bytes, none with 0, and with 1 as many as the build can (all of them if it samples
    /// finely, `MI_GUARDED=2`).
    ///
    /// `seed` fixes where the count starts; 0 means at random. Objects must also be within the
    /// bounds of [`mi_theap_guarded_set_size_bound`]. Without the feature `guarded` there are no
    /// guard pages. Experimental.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `theap` is the calling thread's.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_theap_guarded_set_sample_rate(
        theap: *mut mi_theap_t,
        sample_rate: usize,
        seed: usize,
    );

    /// Sets the sizes, in bytes, of the objects of `theap` that may get a guard page: from `min` up
    /// to and including `max`. A `max` below `min` counts as `min`. Experimental.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `theap` is the calling thread's.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_theap_guarded_set_size_bound(theap: *mut mi_theap_t, min: usize, max: usize);

    /// Ends `theap`, but not its heap and not its live blocks: its pages are abandoned, and other
    /// threads of the heap take them over.
    ///
    /// If it was the thread's default, the thread's part of the main heap becomes the default. That
    /// part itself cannot end while the thread lives: it gives up its pages and stays. NULL, and a
    /// pointer that is no longer one of the thread's, does nothing.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `theap` is NULL, or is or was the calling thread's. It is not used afterwards, unless it is
    /// the thread's part of the main heap.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_theap_delete(theap: *mut mi_theap_t);

    /// Makes `theap` give up all its pages, with their live blocks, so that other threads can take
    /// them over. It stays usable.
    ///
    /// For a runtime that has stopped its threads and wants to visit or reuse their memory. NULL
    /// does nothing.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `theap` is NULL or live, and neither it nor its heap ends meanwhile. Its thread is the
    /// calling one, or is stopped outside mimalloc.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_theap_quiescent_abandon(theap: *mut mi_theap_t);

    /// As [`mi_heap_visit_blocks`](crate::mi_heap_visit_blocks), but only the areas that `theap`
    /// owns at present.
    ///
    /// A live block of the thread may be missing: full areas are given up, but for a few of each
    /// size. A NULL `theap` has no areas.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `theap` is NULL or the calling thread's. `visitor` is not NULL, which is not checked here,
    /// and may be called with `arg`.
    #[deprecated(note = "use `mi_heap_visit_blocks`")]
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_theap_visit_blocks(
        theap: *const mi_theap_t,
        visit_blocks: bool,
        visitor: mi_block_visit_fun,
        arg: *mut c_void,
    ) -> bool;
}

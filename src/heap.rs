//! Heaps: several sets of blocks in one program, each of which can be freed at once.

#[cfg(any(mi_v2, docsrs))]
pub(crate) mod v2;
#[cfg(mi_v3)]
mod v3;

#[cfg(mi_v2)]
pub use self::v2::*;
#[cfg(mi_v3)]
pub use self::v3::*;

use core::ffi::c_void;
use cty::c_char;

use crate::opaque::Opaque;

/// A first-class heap; only ever used behind a pointer.
///
/// On v3 every thread of the heap's subprocess may allocate from it; on v2 only the thread that
/// created it may. On both any thread may free a block of it.
///
/// Header: `mimalloc.h`.
#[repr(C)]
pub struct mi_heap_t {
    _opaque: Opaque,
}

extern "C" {
    /// Creates a heap.
    ///
    /// Remove it with [`mi_heap_delete`] or [`mi_heap_destroy`]. Returns NULL if memory has run out,
    /// or on v3 if 64,512 heaps are live (3,072 on 32-bit), each of which takes a thread-local slot.
    ///
    /// On v3 the heap lives in the calling thread's subprocess, and all threads there may allocate
    /// from it. On v2 it belongs to the calling thread, and when that thread ends it is deleted as
    /// by [`mi_heap_delete`].
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call.
    pub fn mi_heap_new() -> *mut mi_heap_t;

    /// Deletes the heap `heap` but keeps its live blocks: they remain valid, and are freed one by one.
    ///
    /// They move to the main heap of the subprocess (v3) or to the backing heap of the thread (v2;
    /// blocks of a heap that is bound to an arena or has a tag are abandoned instead, for any
    /// thread to take over). NULL does nothing. v3 never deletes a main heap, it only prints a
    /// warning. On v2, if `heap` was the thread's default heap, the backing heap becomes the
    /// default.
    ///
    /// v2 keeps the memory of pages that are empty by then until [`mi_collect(true)`](crate::mi_collect):
    /// call [`mi_heap_collect(heap, true)`](crate::mi_heap_collect) first.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `heap` is NULL (but not in a debug build of v2) or a live heap, and is not used afterwards.
    /// v3: no other thread uses the heap meanwhile, and no thread has one of its thread-local heaps
    /// as its default. To free a block of the heap is a use, too: a thread that does so during this
    /// call can crash the program, or make it wait for ever. (Release 3.6.0 moves a page without
    /// checking who has just claimed it, `mi_heap_delete_page`.)
    ///
    /// v3: if other threads have allocated from the heap, the calling thread first ends its own part
    /// of it: `mi_theap_delete(mi_heap_theap(heap))`. (Release 3.6.0 ends the parts one after the
    /// other, and meanwhile looks into the calling thread's, which may be freed by then:
    /// `mi_heap_free_theaps`. Debug builds stop the program.)
    ///
    /// v2: the heap is the calling thread's. If it is bound to an arena or has a tag, that thread
    /// frees none of its live blocks afterwards; others may. (v2.5.2 finds no heap for such a page,
    /// and `_mi_page_retire` crashes.)
    pub fn mi_heap_delete(heap: *mut mi_heap_t);

    /// Destroys the heap `heap` and frees all its blocks at once, including those still in use.
    ///
    /// NULL does nothing. v3 never destroys a main heap, it only prints a warning. v2 falls back to
    /// [`mi_heap_delete`] if the build has `guarded` or the heap was created without the
    /// permission to be destroyed ([`mi_heap_new`] grants it,
    /// [`mi_heap_new_in_arena`](crate::mi_heap_new_in_arena) does not; debug builds then stop the
    /// program).
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// As for [`mi_heap_delete`]; and no block of the heap is used or freed afterwards, by any
    /// thread.
    ///
    /// v2: the heap may have taken over pages that an ended thread left behind, and live blocks of
    /// that thread are freed with them (as in oven-sh/bun#27786). Where threads end while their
    /// blocks live on, destroy only heaps with a tag of their own (`mi_heap_new_ex`), or keep heaps
    /// from taking over anything with `MIMALLOC_MAX_SEGMENT_RECLAIM=0`.
    pub fn mi_heap_destroy(heap: *mut mi_heap_t);

    /// Frees what the calling thread retains of the heap `heap` unnecessarily: empty pages, and arena
    /// memory whose purge is due.
    ///
    /// With `force` it also looks at full pages and purges arenas before their time. v3 leaves
    /// alone what other threads keep of the heap.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `heap` is a live heap; on v2, one of the calling thread.
    pub fn mi_heap_collect(heap: *mut mi_heap_t, force: bool);

    /// Allocates `size` bytes from the heap `heap`, uninitialised; otherwise as
    /// [`mi_malloc`](crate::mi_malloc).
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `heap` is a live heap; on v2, one of the calling thread.
    pub fn mi_heap_malloc(heap: *mut mi_heap_t, size: usize) -> *mut c_void;

    /// Allocates `size` bytes from the heap `heap`, all zero; otherwise as
    /// [`mi_zalloc`](crate::mi_zalloc).
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `heap` is a live heap; on v2, one of the calling thread.
    pub fn mi_heap_zalloc(heap: *mut mi_heap_t, size: usize) -> *mut c_void;

    /// Allocates room for `count` elements of `size` bytes each from the heap `heap`, all bytes
    /// zero.
    ///
    /// Returns NULL if memory has run out or if `count * size` overflows; otherwise as
    /// [`mi_calloc`](crate::mi_calloc).
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `heap` is a live heap; on v2, one of the calling thread.
    pub fn mi_heap_calloc(heap: *mut mi_heap_t, count: usize, size: usize) -> *mut c_void;

    /// Allocates room for `count` elements of `size` bytes each from the heap `heap`,
    /// uninitialised.
    ///
    /// Returns NULL if memory has run out or if `count * size` overflows; otherwise as
    /// [`mi_mallocn`](crate::mi_mallocn).
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `heap` is a live heap; on v2, one of the calling thread.
    pub fn mi_heap_mallocn(heap: *mut mi_heap_t, count: usize, size: usize) -> *mut c_void;

    /// Allocates `size` bytes, at most [`MI_SMALL_SIZE_MAX`](crate::MI_SMALL_SIZE_MAX), from the
    /// heap `heap`, uninitialised; otherwise as [`mi_malloc_small`](crate::mi_malloc_small).
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `heap` is a live heap; on v2, one of the calling thread. `size` is not above
    /// [`MI_SMALL_SIZE_MAX`](crate::MI_SMALL_SIZE_MAX): release builds do not check it.
    pub fn mi_heap_malloc_small(heap: *mut mi_heap_t, size: usize) -> *mut c_void;

    /// Allocates `size` bytes, at most [`MI_SMALL_SIZE_MAX`](crate::MI_SMALL_SIZE_MAX), from the
    /// heap `heap`, all zero; otherwise as [`mi_zalloc_small`](crate::mi_zalloc_small).
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `heap` is a live heap; on v2, one of the calling thread. `size` is not above
    /// [`MI_SMALL_SIZE_MAX`](crate::MI_SMALL_SIZE_MAX): release builds do not check it.
    pub fn mi_heap_zalloc_small(heap: *mut mi_heap_t, size: usize) -> *mut c_void;

    /// Changes the size of the block `p` to `newsize` bytes, taking any new block from the heap
    /// `heap`; otherwise as [`mi_realloc`](crate::mi_realloc).
    ///
    /// A block that holds `newsize` bytes without wasting more than half stays where it is; on v3
    /// only if it is of `heap` already. So v3 moves a block of another heap over to `heap`, and v2
    /// may not.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `heap` is a live heap; on v2, one of the calling thread. `p` is NULL or a live block of any
    /// heap. When the result is not NULL, `p` must not be used any more.
    pub fn mi_heap_realloc(heap: *mut mi_heap_t, p: *mut c_void, newsize: usize) -> *mut c_void;

    /// Changes the size of the block `p` to `count` elements of `size` bytes each, as
    /// [`mi_heap_realloc`].
    ///
    /// Also returns NULL, with `p` unchanged, if `count * size` overflows.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// As for [`mi_heap_realloc`].
    pub fn mi_heap_reallocn(
        heap: *mut mi_heap_t,
        p: *mut c_void,
        count: usize,
        size: usize,
    ) -> *mut c_void;

    /// As [`mi_heap_realloc`], but when it returns NULL it has freed `p`.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `heap` is a live heap; on v2, one of the calling thread. `p` is NULL or a live block of any
    /// heap, and is not used afterwards.
    pub fn mi_heap_reallocf(heap: *mut mi_heap_t, p: *mut c_void, newsize: usize) -> *mut c_void;

    /// Copies the NUL-terminated string `s` into a new block of the heap `heap`.
    ///
    /// Returns NULL if `s` is NULL or memory has run out. Free the copy with
    /// [`mi_free`](crate::mi_free).
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `heap` is a live heap; on v2, one of the calling thread. `s` is NULL or points to a
    /// NUL-terminated string.
    pub fn mi_heap_strdup(heap: *mut mi_heap_t, s: *const c_char) -> *mut c_char;

    /// Copies at most the first `n` bytes of the string `s` into a new block of the heap `heap` and
    /// ends it with NUL.
    ///
    /// Returns NULL if `s` is NULL or memory has run out. Free the copy with
    /// [`mi_free`](crate::mi_free).
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `heap` is a live heap; on v2, one of the calling thread. `s` is NULL, or readable up to its
    /// NUL or for `n` bytes, whichever comes first.
    pub fn mi_heap_strndup(heap: *mut mi_heap_t, s: *const c_char, n: usize) -> *mut c_char;

    /// Resolves `fname` to an absolute path without links, as [`mi_realpath`](crate::mi_realpath);
    /// with `resolved_name` NULL the new block is of the heap `heap`.
    ///
    /// Upstream leaves it out on WASI: a program that calls it there does not link.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `heap` is a live heap; on v2, one of the calling thread. `fname` points to a NUL-terminated
    /// string; `resolved_name` is NULL or has room for `PATH_MAX` bytes.
    pub fn mi_heap_realpath(
        heap: *mut mi_heap_t,
        fname: *const c_char,
        resolved_name: *mut c_char,
    ) -> *mut c_char;

    /// Allocates `size` bytes from the heap `heap`, uninitialised, at an address that is a multiple
    /// of `alignment`; otherwise as [`mi_malloc_aligned`](crate::mi_malloc_aligned).
    ///
    /// Returns NULL if memory has run out, or (the error callback receives `EINVAL`) if `alignment` is
    /// not a power of two or `size` is beyond `PTRDIFF_MAX`. v3 has no alignments from 256 MiB on
    /// (32 MiB on 32-bit). In a heap bound to an arena all *large* alignments fail: above 64 KiB on
    /// v3 and 16 MiB on v2 (32 KiB and 2 MiB on 32-bit).
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `heap` is a live heap; on v2, one of the calling thread.
    pub fn mi_heap_malloc_aligned(
        heap: *mut mi_heap_t,
        size: usize,
        alignment: usize,
    ) -> *mut c_void;

    /// As [`mi_heap_malloc_aligned`], but it is the address `offset` bytes into the block that is a
    /// multiple of `alignment`.
    ///
    /// `offset` may be beyond `size`. An `offset` other than 0 does not go with the large
    /// alignments named there, in any heap: the result is NULL and the error callback receives
    /// `EOVERFLOW`.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `heap` is a live heap; on v2, one of the calling thread.
    pub fn mi_heap_malloc_aligned_at(
        heap: *mut mi_heap_t,
        size: usize,
        alignment: usize,
        offset: usize,
    ) -> *mut c_void;

    /// As [`mi_heap_malloc_aligned`], with all bytes zero.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `heap` is a live heap; on v2, one of the calling thread.
    pub fn mi_heap_zalloc_aligned(
        heap: *mut mi_heap_t,
        size: usize,
        alignment: usize,
    ) -> *mut c_void;

    /// As [`mi_heap_malloc_aligned_at`], with all bytes zero.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `heap` is a live heap; on v2, one of the calling thread.
    pub fn mi_heap_zalloc_aligned_at(
        heap: *mut mi_heap_t,
        size: usize,
        alignment: usize,
        offset: usize,
    ) -> *mut c_void;

    /// As [`mi_heap_zalloc_aligned`], for `count` elements of `size` bytes each.
    ///
    /// Also returns NULL if `count * size` overflows.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `heap` is a live heap; on v2, one of the calling thread.
    pub fn mi_heap_calloc_aligned(
        heap: *mut mi_heap_t,
        count: usize,
        size: usize,
        alignment: usize,
    ) -> *mut c_void;

    /// As [`mi_heap_zalloc_aligned_at`], for `count` elements of `size` bytes each.
    ///
    /// Also returns NULL if `count * size` overflows.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `heap` is a live heap; on v2, one of the calling thread.
    pub fn mi_heap_calloc_aligned_at(
        heap: *mut mi_heap_t,
        count: usize,
        size: usize,
        alignment: usize,
        offset: usize,
    ) -> *mut c_void;

    /// Changes the size of the block `p` to `newsize` bytes at an address that is a multiple of
    /// `alignment`, taking any new block from the heap `heap`; otherwise as
    /// [`mi_realloc_aligned`](crate::mi_realloc_aligned).
    ///
    /// A block that is aligned well and holds `newsize` bytes without wasting more than half stays
    /// where it is, whichever heap it is of. With an `alignment` up to the size of a pointer this
    /// is [`mi_heap_realloc`], and the alignment is not looked at.
    ///
    /// Returns NULL, with `p` unchanged, when [`mi_heap_malloc_aligned`] would. Debug builds stop
    /// the program at a wrong alignment.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// As for [`mi_heap_realloc`].
    pub fn mi_heap_realloc_aligned(
        heap: *mut mi_heap_t,
        p: *mut c_void,
        newsize: usize,
        alignment: usize,
    ) -> *mut c_void;

    /// As [`mi_heap_realloc_aligned`], but it is the address `offset` bytes into the block that is
    /// a multiple of `alignment`, and an `alignment` that is not a power of two always returns NULL.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// As for [`mi_heap_realloc`].
    pub fn mi_heap_realloc_aligned_at(
        heap: *mut mi_heap_t,
        p: *mut c_void,
        newsize: usize,
        alignment: usize,
        offset: usize,
    ) -> *mut c_void;
}

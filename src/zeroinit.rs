//! Reallocation that keeps the new bytes zero.

use crate::heap::mi_heap_t;
use core::ffi::c_void;

extern "C" {
    /// Changes the size of the block `p` to `newsize` bytes; bytes that are new to the block are zero.
    ///
    /// This holds for a block that was zeroed from its birth (by [`mi_calloc`](crate::mi_calloc),
    /// [`mi_zalloc`](crate::mi_zalloc), one of their relatives, or one of these functions) and of
    /// which nothing was written beyond the size last asked for. A block that grows where it stands
    /// is not cleared again, so when a block was shrunk before, bytes that it had then may come back
    /// with their old contents.
    ///
    /// Otherwise as [`mi_realloc`](crate::mi_realloc): with `p` NULL it allocates `newsize` zero
    /// bytes; NULL as the result means that memory has run out or `newsize` is too large, and `p` is
    /// still valid.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `p` is NULL or a live block of this allocator. When the result is not NULL, `p` must not be
    /// used any more. If the block was not zeroed from its birth, new bytes may be uninitialised.
    pub fn mi_rezalloc(p: *mut c_void, newsize: usize) -> *mut c_void;

    /// As [`mi_rezalloc`] to a size of `newcount` elements of `size` bytes each.
    ///
    /// Returns NULL also if `newcount * size` overflows; `p` then is still valid. (Only a debug
    /// build reports an overflow to the error callback, as `EOVERFLOW`.)
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// As [`mi_rezalloc`].
    pub fn mi_recalloc(p: *mut c_void, newcount: usize, size: usize) -> *mut c_void;

    /// As [`mi_rezalloc`], with the result at a multiple of `alignment`.
    ///
    /// `alignment` and the errors are those of [`mi_realloc_aligned`](crate::mi_realloc_aligned).
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// As [`mi_rezalloc`].
    pub fn mi_rezalloc_aligned(p: *mut c_void, newsize: usize, alignment: usize) -> *mut c_void;

    /// As [`mi_rezalloc`], with the address plus `offset` bytes at a multiple of `alignment`.
    ///
    /// `alignment`, `offset` and the errors are those of
    /// [`mi_realloc_aligned_at`](crate::mi_realloc_aligned_at).
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// As [`mi_rezalloc`].
    pub fn mi_rezalloc_aligned_at(
        p: *mut c_void,
        newsize: usize,
        alignment: usize,
        offset: usize,
    ) -> *mut c_void;

    /// As [`mi_rezalloc_aligned`] to a size of `newcount` elements of `size` bytes each.
    ///
    /// Returns NULL also if `newcount * size` overflows; `p` then is still valid.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// As [`mi_rezalloc`].
    pub fn mi_recalloc_aligned(
        p: *mut c_void,
        newcount: usize,
        size: usize,
        alignment: usize,
    ) -> *mut c_void;

    /// As [`mi_rezalloc_aligned_at`] to a size of `newcount` elements of `size` bytes each.
    ///
    /// Returns NULL also if `newcount * size` overflows; `p` then is still valid.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// As [`mi_rezalloc`].
    pub fn mi_recalloc_aligned_at(
        p: *mut c_void,
        newcount: usize,
        size: usize,
        alignment: usize,
        offset: usize,
    ) -> *mut c_void;

    /// As [`mi_rezalloc`], but a block that is new or moves is taken from `heap`.
    ///
    /// `p` may be of another heap. On v3 it then always moves to `heap`; on v2 it stays in its own
    /// heap when it need not move.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// As [`mi_rezalloc`]; and `heap` is a live heap, on v2 one that the calling thread created.
    pub fn mi_heap_rezalloc(heap: *mut mi_heap_t, p: *mut c_void, newsize: usize) -> *mut c_void;

    /// As [`mi_heap_rezalloc`] to a size of `newcount` elements of `size` bytes each.
    ///
    /// Returns NULL also if `newcount * size` overflows; `p` then is still valid.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// As [`mi_heap_rezalloc`].
    pub fn mi_heap_recalloc(
        heap: *mut mi_heap_t,
        p: *mut c_void,
        newcount: usize,
        size: usize,
    ) -> *mut c_void;

    /// As [`mi_rezalloc_aligned`], but a block that is new or moves is taken from `heap`.
    ///
    /// With an `alignment` above the size of a pointer, a block of another heap stays in its own
    /// heap when it need not move, on v3 too.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// As [`mi_heap_rezalloc`].
    pub fn mi_heap_rezalloc_aligned(
        heap: *mut mi_heap_t,
        p: *mut c_void,
        newsize: usize,
        alignment: usize,
    ) -> *mut c_void;

    /// As [`mi_rezalloc_aligned_at`], but a block that is new or moves is taken from `heap`; see
    /// [`mi_heap_rezalloc_aligned`].
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// As [`mi_heap_rezalloc`].
    pub fn mi_heap_rezalloc_aligned_at(
        heap: *mut mi_heap_t,
        p: *mut c_void,
        newsize: usize,
        alignment: usize,
        offset: usize,
    ) -> *mut c_void;

    /// As [`mi_heap_rezalloc_aligned`] to a size of `newcount` elements of `size` bytes each.
    ///
    /// Returns NULL also if `newcount * size` overflows; `p` then is still valid.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// As [`mi_heap_rezalloc`].
    pub fn mi_heap_recalloc_aligned(
        heap: *mut mi_heap_t,
        p: *mut c_void,
        newcount: usize,
        size: usize,
        alignment: usize,
    ) -> *mut c_void;

    /// As [`mi_heap_rezalloc_aligned_at`] to a size of `newcount` elements of `size` bytes each.
    ///
    /// Returns NULL also if `newcount * size` overflows; `p` then is still valid.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// As [`mi_heap_rezalloc`].
    pub fn mi_heap_recalloc_aligned_at(
        heap: *mut mi_heap_t,
        p: *mut c_void,
        newcount: usize,
        size: usize,
        alignment: usize,
        offset: usize,
    ) -> *mut c_void;
}

//! The typed macros of the header as generic functions.
//!
//! The type argument replaces `sizeof(tp)`; nothing is constructed or dropped. Whatever the type,
//! the block is aligned as [`mi_malloc`](crate::mi_malloc) aligns it, as in C: no function here
//! looks at the alignment of `T`.

use crate::heap::mi_heap_t;
use core::ffi::c_void;
use core::mem::size_of;

// The one difference between the major versions: v3's macros take the constant-size functions.
#[cfg(mi_v2)]
use crate::{mi_malloc as malloc, mi_zalloc as zalloc};
#[cfg(mi_v3)]
use crate::{mi_malloc_csize as malloc, mi_zalloc_csize as zalloc};

/// Allocates room for one `T`, uninitialised.
///
/// Returns NULL if memory has run out; otherwise as [`mi_malloc`](crate::mi_malloc). A `T` that
/// needs more than 16 bytes of alignment must be allocated with
/// [`mi_malloc_aligned`](crate::mi_malloc_aligned) instead; this goes for all functions named `_tp`.
///
/// Header: `mimalloc.h` (a macro).
///
/// # Safety
///
/// `T` must be written before it is read, and needs an alignment of at most 16 bytes.
#[inline]
pub unsafe fn mi_malloc_tp<T>() -> *mut T {
    // SAFETY: any size will do. The caller writes before it reads.
    unsafe { malloc(size_of::<T>()) }.cast()
}

/// As [`mi_malloc_tp`], with all bytes zero.
///
/// Header: `mimalloc.h` (a macro).
///
/// # Safety
///
/// `T` needs an alignment of at most 16 bytes; reading it demands that zero bytes are a valid `T`.
#[inline]
pub unsafe fn mi_zalloc_tp<T>() -> *mut T {
    // SAFETY: any size will do.
    unsafe { zalloc(size_of::<T>()) }.cast()
}

/// Allocates room for `n` elements of type `T`, all bytes zero.
///
/// Returns NULL if memory has run out or the size overflows; see [`mi_calloc`](crate::mi_calloc).
///
/// Header: `mimalloc.h` (a macro).
///
/// # Safety
///
/// As [`mi_zalloc_tp`].
#[inline]
pub unsafe fn mi_calloc_tp<T>(n: usize) -> *mut T {
    // SAFETY: any count and size will do.
    unsafe { crate::mi_calloc(n, size_of::<T>()) }.cast()
}

/// Allocates room for `n` elements of type `T`, uninitialised.
///
/// Returns NULL if memory has run out or the size overflows; see [`mi_mallocn`](crate::mi_mallocn).
///
/// Header: `mimalloc.h` (a macro).
///
/// # Safety
///
/// As [`mi_malloc_tp`].
#[inline]
pub unsafe fn mi_mallocn_tp<T>(n: usize) -> *mut T {
    // SAFETY: any count and size will do. The caller writes before it reads.
    unsafe { crate::mi_mallocn(n, size_of::<T>()) }.cast()
}

/// Changes the size of the block `p` to `n` elements of type `T`; new elements are uninitialised.
///
/// Returns NULL if memory has run out or the size overflows, and `p` is still valid then; see
/// [`mi_reallocn`](crate::mi_reallocn).
///
/// Header: `mimalloc.h` (a macro).
///
/// # Safety
///
/// As [`mi_malloc_tp`]; and `p` is NULL or a live block of this allocator, which must not be used
/// any more when the result is not NULL.
#[inline]
pub unsafe fn mi_reallocn_tp<T>(p: *mut T, n: usize) -> *mut T {
    // SAFETY: `p` is NULL or a live block, which the caller uses no more if the result is not NULL.
    unsafe { crate::mi_reallocn(p.cast::<c_void>(), n, size_of::<T>()) }.cast()
}

/// Changes the size of the block `p` to `n` elements of type `T`; new elements are zero under the
/// conditions of [`mi_rezalloc`](crate::mi_rezalloc).
///
/// Returns NULL if memory has run out or the size overflows, and `p` is still valid then; see
/// [`mi_recalloc`](crate::mi_recalloc).
///
/// Header: `mimalloc.h` (a macro).
///
/// # Safety
///
/// As [`mi_zalloc_tp`]; and as [`mi_rezalloc`](crate::mi_rezalloc) for `p`.
#[inline]
pub unsafe fn mi_recalloc_tp<T>(p: *mut T, n: usize) -> *mut T {
    // SAFETY: the caller's promise for `p` is that of `mi_rezalloc`.
    unsafe { crate::mi_recalloc(p.cast::<c_void>(), n, size_of::<T>()) }.cast()
}

/// As [`mi_malloc_tp`], from the heap `hp`; see [`mi_heap_malloc`](crate::mi_heap_malloc).
///
/// Header: `mimalloc.h` (a macro).
///
/// # Safety
///
/// As [`mi_malloc_tp`]; and `hp` is a live heap, on v2 one that the calling thread created.
#[inline]
pub unsafe fn mi_heap_malloc_tp<T>(hp: *mut mi_heap_t) -> *mut T {
    // SAFETY: `hp` is a heap that this thread may allocate from. The caller writes before it reads.
    unsafe { crate::mi_heap_malloc(hp, size_of::<T>()) }.cast()
}

/// As [`mi_zalloc_tp`], from the heap `hp`; see [`mi_heap_zalloc`](crate::mi_heap_zalloc).
///
/// Header: `mimalloc.h` (a macro).
///
/// # Safety
///
/// As [`mi_zalloc_tp`]; and `hp` is a live heap, on v2 one that the calling thread created.
#[inline]
pub unsafe fn mi_heap_zalloc_tp<T>(hp: *mut mi_heap_t) -> *mut T {
    // SAFETY: `hp` is a heap that this thread may allocate from.
    unsafe { crate::mi_heap_zalloc(hp, size_of::<T>()) }.cast()
}

/// As [`mi_calloc_tp`], from the heap `hp`; see [`mi_heap_calloc`](crate::mi_heap_calloc).
///
/// Header: `mimalloc.h` (a macro).
///
/// # Safety
///
/// As [`mi_heap_zalloc_tp`].
#[inline]
pub unsafe fn mi_heap_calloc_tp<T>(hp: *mut mi_heap_t, n: usize) -> *mut T {
    // SAFETY: `hp` is a heap that this thread may allocate from.
    unsafe { crate::mi_heap_calloc(hp, n, size_of::<T>()) }.cast()
}

/// As [`mi_mallocn_tp`], from the heap `hp`; see [`mi_heap_mallocn`](crate::mi_heap_mallocn).
///
/// Header: `mimalloc.h` (a macro).
///
/// # Safety
///
/// As [`mi_heap_malloc_tp`].
#[inline]
pub unsafe fn mi_heap_mallocn_tp<T>(hp: *mut mi_heap_t, n: usize) -> *mut T {
    // SAFETY: `hp` is a heap that this thread may allocate from. The caller writes before it reads.
    unsafe { crate::mi_heap_mallocn(hp, n, size_of::<T>()) }.cast()
}

/// As [`mi_reallocn_tp`], but a block that is new or moves is taken from the heap `hp`; see
/// [`mi_heap_reallocn`](crate::mi_heap_reallocn).
///
/// Header: `mimalloc.h` (a macro).
///
/// # Safety
///
/// As [`mi_reallocn_tp`]; and `hp` is a live heap, on v2 one that the calling thread created.
#[inline]
pub unsafe fn mi_heap_reallocn_tp<T>(hp: *mut mi_heap_t, p: *mut T, n: usize) -> *mut T {
    // SAFETY: `hp` is a heap that this thread may allocate from; `p` is NULL or a live block, which the caller
    // uses no more if the result is not NULL.
    unsafe { crate::mi_heap_reallocn(hp, p.cast::<c_void>(), n, size_of::<T>()) }.cast()
}

/// As [`mi_recalloc_tp`], but a block that is new or moves is taken from the heap `hp`; see
/// [`mi_heap_recalloc`](crate::mi_heap_recalloc).
///
/// Header: `mimalloc.h` (a macro).
///
/// # Safety
///
/// As [`mi_recalloc_tp`]; and `hp` is a live heap, on v2 one that the calling thread created.
#[inline]
pub unsafe fn mi_heap_recalloc_tp<T>(hp: *mut mi_heap_t, p: *mut T, n: usize) -> *mut T {
    // SAFETY: `hp` is a heap that this thread may allocate from; the promise for `p` is that of `mi_rezalloc`.
    unsafe { crate::mi_heap_recalloc(hp, p.cast::<c_void>(), n, size_of::<T>()) }.cast()
}

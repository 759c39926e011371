//! v3: allocation by machine words, and functions for sizes that are constants at the call.
//!
//! With a constant size the choice between the small and the general function is made by the
//! compiler. With any other size they are no better than the regular functions.

use crate::extended::MI_SMALL_SIZE_MAX;
use crate::mi_theap_t;
use core::ffi::c_void;
use core::mem::size_of;

extern "C" {
    /// As [`mi_malloc_small`](crate::mi_malloc_small), with the size in machine words
    /// (`size_of::<usize>()` bytes each).
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `wsize` is at most [`MI_SMALL_WSIZE_MAX`](crate::MI_SMALL_WSIZE_MAX) words: a larger one reads
    /// beyond a table. The bytes must be written before they are read.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_wmalloc_small(wsize: usize) -> *mut c_void;

    /// As [`mi_wmalloc_small`], with all bytes zero.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `wsize` is at most [`MI_SMALL_WSIZE_MAX`](crate::MI_SMALL_WSIZE_MAX) words.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_wzalloc_small(wsize: usize) -> *mut c_void;

    /// As [`mi_wmalloc_small`], from `theap`.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// As [`mi_wmalloc_small`]; and `theap` is not NULL and belongs to the calling thread.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_theap_wmalloc_small(theap: *mut mi_theap_t, wsize: usize) -> *mut c_void;

    /// As [`mi_wzalloc_small`], from `theap`.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// As [`mi_wzalloc_small`]; and `theap` is not NULL and belongs to the calling thread.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_theap_wzalloc_small(theap: *mut mi_theap_t, wsize: usize) -> *mut c_void;

    /// As [`mi_free_small`](crate::mi_free_small), without the check whether the block belongs to
    /// another thread. NULL does nothing, except that a debug build stops the program.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// As [`mi_free_small`](crate::mi_free_small); and the page of the block is owned by the calling
    /// thread ([`mi_thread_id_of`](crate::mi_thread_id_of)). To have allocated the block is not
    /// enough: v3 gives up pages that have become full, and another thread may own one since.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_free_small_local(p: *mut c_void);

    /// As [`mi_free_small_local`] for a `p` that is not NULL.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// As [`mi_free_small_local`]; and `p` is not NULL.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_free_small_local_nonnull(p: *mut c_void);
}

/// The number of machine words that hold `size` bytes: `size / size_of::<usize>()`, rounded up.
///
/// A `size` within one word of `usize::MAX` wraps around, as in C. Always safe to call.
///
/// Header: `mimalloc.h` (inline).
#[inline(always)]
#[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
pub const fn mi_wsize_from_size(size: usize) -> usize {
    const WORD: usize = size_of::<usize>();
    size.wrapping_add(WORD - 1) / WORD
}

/// As [`mi_malloc`](crate::mi_malloc), faster if `size` is a constant of at most
/// [`MI_SMALL_SIZE_MAX`] bytes.
///
/// Header: `mimalloc.h` (inline).
///
/// # Safety
///
/// Always safe to call; the bytes must be written before they are read.
#[inline]
#[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
pub unsafe fn mi_malloc_csize(size: usize) -> *mut c_void {
    if size <= MI_SMALL_SIZE_MAX {
        // SAFETY: a small size is at most `MI_SMALL_WSIZE_MAX` words. The caller writes before it reads.
        unsafe { mi_wmalloc_small(mi_wsize_from_size(size)) }
    } else {
        // SAFETY: any size will do. The caller writes before it reads.
        unsafe { crate::mi_malloc(size) }
    }
}

/// As [`mi_zalloc`](crate::mi_zalloc), faster if `size` is a constant of at most
/// [`MI_SMALL_SIZE_MAX`] bytes.
///
/// Header: `mimalloc.h` (inline).
///
/// # Safety
///
/// Always safe to call.
#[inline]
#[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
pub unsafe fn mi_zalloc_csize(size: usize) -> *mut c_void {
    if size <= MI_SMALL_SIZE_MAX {
        // SAFETY: a small size is at most `MI_SMALL_WSIZE_MAX` words.
        unsafe { mi_wzalloc_small(mi_wsize_from_size(size)) }
    } else {
        // SAFETY: any size will do.
        unsafe { crate::mi_zalloc(size) }
    }
}

/// As [`mi_malloc_csize`], from `theap`; see [`mi_theap_malloc`](crate::mi_theap_malloc).
///
/// Header: `mimalloc.h` (inline).
///
/// # Safety
///
/// `theap` is not NULL and belongs to the calling thread. The bytes must be written before they are
/// read.
#[inline]
#[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
pub unsafe fn mi_theap_malloc_csize(theap: *mut mi_theap_t, size: usize) -> *mut c_void {
    debug_assert!(!theap.is_null());
    if size <= MI_SMALL_SIZE_MAX {
        // SAFETY: a small size is at most `MI_SMALL_WSIZE_MAX` words; `theap` is the calling thread's, and the caller
        // writes before it reads.
        unsafe { mi_theap_wmalloc_small(theap, mi_wsize_from_size(size)) }
    } else {
        // SAFETY: `theap` is the calling thread's, and the caller writes before it reads.
        unsafe { crate::mi_theap_malloc(theap, size) }
    }
}

/// As [`mi_zalloc_csize`], from `theap`; see [`mi_theap_zalloc`](crate::mi_theap_zalloc).
///
/// Header: `mimalloc.h` (inline).
///
/// # Safety
///
/// `theap` is not NULL and belongs to the calling thread.
#[inline]
#[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
pub unsafe fn mi_theap_zalloc_csize(theap: *mut mi_theap_t, size: usize) -> *mut c_void {
    debug_assert!(!theap.is_null());
    if size <= MI_SMALL_SIZE_MAX {
        // SAFETY: a small size is at most `MI_SMALL_WSIZE_MAX` words; `theap` is the calling thread's.
        unsafe { mi_theap_wzalloc_small(theap, mi_wsize_from_size(size)) }
    } else {
        // SAFETY: `theap` is the calling thread's.
        unsafe { crate::mi_theap_zalloc(theap, size) }
    }
}

/// Frees the block `p` of `size` bytes, faster than [`mi_free`](crate::mi_free) if `size` is a
/// constant of at most [`MI_SMALL_SIZE_MAX`]. NULL does nothing. Any thread may free any block.
///
/// Header: `mimalloc.h` (inline).
///
/// # Safety
///
/// `p` is NULL or a live block of this allocator, and is not used afterwards. `size` is the number of
/// bytes with which it was allocated (or last reallocated); if that is small, the rules of
/// [`mi_free_small`](crate::mi_free_small) hold.
#[inline]
#[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
pub unsafe fn mi_free_csize(p: *mut c_void, size: usize) {
    if size <= MI_SMALL_SIZE_MAX {
        // SAFETY: `p` is NULL or a live block, and the caller promises the rules of `mi_free_small` for this size.
        unsafe { crate::mi_free_small(p) };
    } else {
        // SAFETY: `p` is NULL or a live block, and the caller does not use it afterwards.
        unsafe { crate::mi_free(p) };
    }
}

/// As [`mi_free_csize`] for a `p` that is not NULL.
///
/// Header: `mimalloc.h` (inline).
///
/// # Safety
///
/// As [`mi_free_csize`]; and `p` is not NULL.
#[inline]
#[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
pub unsafe fn mi_free_csize_nonnull(p: *mut c_void, size: usize) {
    debug_assert!(!p.is_null());
    if size <= MI_SMALL_SIZE_MAX {
        // SAFETY: `p` is a live block, and the caller promises the rules of `mi_free_small` for this size.
        unsafe { crate::mi_free_small_nonnull(p) };
    } else {
        // SAFETY: `p` is a live block, and the caller does not use it afterwards.
        unsafe { crate::mi_free(p) };
    }
}

/// As [`mi_free_csize`] for a block that was allocated with the alignment `aligned` (in bytes), which
/// may be above `size`.
///
/// Header: `mimalloc.h` (inline).
///
/// # Safety
///
/// As [`mi_free_csize`]; and `aligned` is the largest alignment that was ever asked for the block.
#[inline]
#[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
pub unsafe fn mi_free_csize_aligned(p: *mut c_void, size: usize, aligned: usize) {
    if aligned <= size && size <= MI_SMALL_SIZE_MAX {
        // SAFETY: `p` is NULL or a live block, and the caller promises the rules of `mi_free_small` for this size; the
        // alignment is at most the size.
        unsafe { crate::mi_free_small(p) };
    } else {
        // SAFETY: `p` is NULL or a live block, and the caller does not use it afterwards.
        unsafe { crate::mi_free(p) };
    }
}

/// As [`mi_free_csize_aligned`] for a `p` that is not NULL.
///
/// Header: `mimalloc.h` (inline).
///
/// # Safety
///
/// As [`mi_free_csize_aligned`]; and `p` is not NULL.
#[inline]
#[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
pub unsafe fn mi_free_csize_aligned_nonnull(p: *mut c_void, size: usize, aligned: usize) {
    debug_assert!(!p.is_null());
    if aligned <= size && size <= MI_SMALL_SIZE_MAX {
        // SAFETY: `p` is a live block, and the caller promises the rules of `mi_free_small` for this size; the
        // alignment is at most the size.
        unsafe { crate::mi_free_small_nonnull(p) };
    } else {
        // SAFETY: `p` is a live block, and the caller does not use it afterwards.
        unsafe { crate::mi_free(p) };
    }
}

/// Frees a block that holds one `T`, such as [`mi_malloc_tp`](crate::mi_malloc_tp) returns. Does not
/// drop the `T`. NULL does nothing.
///
/// Header: `mimalloc.h` (a macro).
///
/// # Safety
///
/// As [`mi_free_csize`] with the size of `T`.
#[inline]
#[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
pub unsafe fn mi_free_tp<T>(p: *mut T) {
    // SAFETY: the caller's promise is that of `mi_free_csize` for this size.
    unsafe { mi_free_csize(p.cast::<c_void>(), size_of::<T>()) };
}

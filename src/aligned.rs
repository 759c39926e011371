//! Aligned allocation. Unlike in POSIX, the alignment follows the size.

use core::ffi::c_void;

extern "C" {
    /// Allocates `size` bytes, uninitialised, at an address that is a multiple of `alignment`.
    ///
    /// `alignment` is any power of two. It may be larger than `size`, and `size` need not be a
    /// multiple of it; a small `size` with a large `alignment` takes a block of about the alignment.
    /// A `size` of 0 returns a unique block.
    ///
    /// Returns NULL if `alignment` is 0 or not a power of two or if `size` is too large (the error
    /// callback, see [`mi_register_error`](crate::mi_register_error), then receives `EINVAL`), or if
    /// memory has run out (`ENOMEM`). Any thread may call this. Free the block with
    /// [`mi_free`](crate::mi_free), from any thread.
    ///
    /// Alignments above 64 KiB on v3 and 16 MiB on v2 (32 KiB and 2 MiB on 32-bit) are *large*: each
    /// such block is memory of its own from the operating system, so it is slow to get and takes
    /// whole pages. v3 has a limit: it returns NULL from 256 MiB on (32 MiB on 32-bit), as if
    /// memory had run out.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call; the bytes must be written before they are read.
    pub fn mi_malloc_aligned(size: usize, alignment: usize) -> *mut c_void;

    /// Allocates `size` bytes, uninitialised, such that the address plus `offset` bytes is a
    /// multiple of `alignment`.
    ///
    /// `offset` may be any number, also beyond `size`. Otherwise as [`mi_malloc_aligned`], but a
    /// large alignment with an `offset` other than 0 is not supported: it returns NULL and the
    /// error callback receives `EOVERFLOW`. A debug build stops the program if `offset` is no multiple
    /// of a word.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call; the bytes must be written before they are read.
    pub fn mi_malloc_aligned_at(size: usize, alignment: usize, offset: usize) -> *mut c_void;

    /// As [`mi_malloc_aligned`], with all `size` bytes zero.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call.
    pub fn mi_zalloc_aligned(size: usize, alignment: usize) -> *mut c_void;

    /// As [`mi_malloc_aligned_at`], with all `size` bytes zero.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call.
    pub fn mi_zalloc_aligned_at(size: usize, alignment: usize, offset: usize) -> *mut c_void;

    /// As [`mi_zalloc_aligned`] for `count` elements of `size` bytes each.
    ///
    /// Returns NULL also if `count * size` overflows. Only the start is aligned: the elements
    /// follow each other without gaps.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call.
    pub fn mi_calloc_aligned(count: usize, size: usize, alignment: usize) -> *mut c_void;

    /// As [`mi_zalloc_aligned_at`] for `count` elements of `size` bytes each.
    ///
    /// Returns NULL also if `count * size` overflows.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call.
    pub fn mi_calloc_aligned_at(
        count: usize,
        size: usize,
        alignment: usize,
        offset: usize,
    ) -> *mut c_void;

    /// Changes the size of the block `p` to `newsize` bytes at a multiple of `alignment`, moving it
    /// if it must.
    ///
    /// A block stays where it is when it already has that alignment and `newsize` fits and uses at
    /// least half of it. The first `min(old size, newsize)` bytes are kept; bytes beyond them are
    /// uninitialised. With `p` NULL it allocates as [`mi_malloc_aligned`] does; with `newsize` 0 the
    /// result is still a block.
    ///
    /// Returns the new address, or NULL for the reasons of [`mi_malloc_aligned`]; `p` then is still
    /// valid and unchanged. Two exceptions: an `alignment` up to the size of a pointer is not
    /// checked but treated as [`mi_realloc`](crate::mi_realloc) would, and a debug build stops the
    /// program on a bad alignment.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `p` is NULL or a live block of this allocator. When the result is not NULL, `p` must not be
    /// used any more.
    pub fn mi_realloc_aligned(p: *mut c_void, newsize: usize, alignment: usize) -> *mut c_void;

    /// As [`mi_realloc_aligned`], but the address plus `offset` bytes is the multiple of
    /// `alignment`.
    ///
    /// Every `alignment` is checked. A large one with an `offset` other than 0 fails as in
    /// [`mi_malloc_aligned_at`] when the block has to move.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `p` is NULL or a live block of this allocator. When the result is not NULL, `p` must not be
    /// used any more.
    pub fn mi_realloc_aligned_at(
        p: *mut c_void,
        newsize: usize,
        alignment: usize,
        offset: usize,
    ) -> *mut c_void;
}

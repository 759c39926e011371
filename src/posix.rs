//! Functions of POSIX, Unix, BSD and Windows under names that start with `mi_`.

#[cfg(any(mi_v2, docsrs))]
pub(crate) mod v2;
#[cfg(mi_v3)]
mod v3;

#[cfg(mi_v2)]
pub use self::v2::*;
#[cfg(mi_v3)]
pub use self::v3::*;

use core::ffi::c_void;
use cty::{c_char, c_int, c_uchar};
use libc::wchar_t;

extern "C" {
    /// As [`mi_expand`](crate::mi_expand), and sets `errno` to `ENOMEM` when it returns NULL
    /// (`_expand` of Microsoft).
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `p` is NULL or a live block of this allocator.
    pub fn mi__expand(p: *mut c_void, newsize: usize) -> *mut c_void;

    /// The same as [`mi_good_size`](crate::mi_good_size) (`malloc_good_size` of macOS).
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call.
    pub fn mi_malloc_good_size(size: usize) -> usize;

    /// Allocates `size` bytes at a multiple of `alignment`, uninitialised, and writes the address to
    /// `*p` (`posix_memalign`).
    ///
    /// Returns 0; or `EINVAL` if `p` is NULL or if `alignment` is not a power of two or is less than
    /// the size of a pointer; or `ENOMEM` if memory has run out or `size` is too large. On an error
    /// `*p` is left as it is, except that a `size` of 0 for which there is no memory gives 0 and
    /// NULL. `errno` can change too.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `p` is NULL or can be written. The bytes must be written before they are read.
    pub fn mi_posix_memalign(p: *mut *mut c_void, alignment: usize, size: usize) -> c_int;

    /// The same as [`mi_malloc_aligned`](crate::mi_malloc_aligned), with the arguments the other way
    /// round.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call; the bytes must be written before they are read.
    pub fn mi_memalign(alignment: usize, size: usize) -> *mut c_void;

    /// Allocates `size` bytes, uninitialised, at the start of a page of the operating system.
    ///
    /// Returns NULL if memory has run out or `size` is too large.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call; the bytes must be written before they are read.
    pub fn mi_valloc(size: usize) -> *mut c_void;

    /// As [`mi_valloc`], with `size` rounded up to whole pages of the operating system (0 stays 0).
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call; the bytes must be written before they are read.
    pub fn mi_pvalloc(size: usize) -> *mut c_void;

    /// The same as [`mi_memalign`]. Other than C11's `aligned_alloc` it takes a `size` that is not a
    /// multiple of `alignment`.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call; the bytes must be written before they are read.
    pub fn mi_aligned_alloc(alignment: usize, size: usize) -> *mut c_void;

    /// As [`mi_reallocn`](crate::mi_reallocn), and when it returns NULL sets `errno` to `EOVERFLOW`
    /// (`count * size` overflows) or `ENOMEM` (`reallocarray` of BSD).
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `p` is NULL or a live block of this allocator. When the result is not NULL, `p` must not be
    /// used any more.
    pub fn mi_reallocarray(p: *mut c_void, count: usize, size: usize) -> *mut c_void;

    /// Changes the size of the block whose address is in `*ptrp` to `count` elements of `size` bytes
    /// each, and writes the new address there (`reallocarr` of NetBSD).
    ///
    /// `ptrp` points to a pointer of any type. If that is NULL the block is new; with `count` 0 the
    /// block is freed and the pointer becomes NULL. Returns 0; or, with `errno` set to the same and
    /// block and pointer unchanged, `EINVAL` if `ptrp` is NULL or `size` is 0 (where a debug build
    /// stops the program), `EOVERFLOW` if `count * size` overflows, `ENOMEM` if memory has run out.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `ptrp` is NULL or points to a pointer that can be read and written, which is NULL or a live
    /// block of this allocator. After a return of 0 the old address must not be used any more.
    pub fn mi_reallocarr(ptrp: *mut c_void, count: usize, size: usize) -> c_int;

    /// The same as [`mi_recalloc_aligned`](crate::mi_recalloc_aligned) (`_aligned_recalloc` of
    /// Microsoft).
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// As [`mi_rezalloc`](crate::mi_rezalloc).
    pub fn mi_aligned_recalloc(
        p: *mut c_void,
        newcount: usize,
        size: usize,
        alignment: usize,
    ) -> *mut c_void;

    /// The same as [`mi_recalloc_aligned_at`](crate::mi_recalloc_aligned_at)
    /// (`_aligned_offset_recalloc` of Microsoft).
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// As [`mi_rezalloc`](crate::mi_rezalloc).
    pub fn mi_aligned_offset_recalloc(
        p: *mut c_void,
        newcount: usize,
        size: usize,
        alignment: usize,
        offset: usize,
    ) -> *mut c_void;

    /// Frees the block `p` of `size` bytes. NULL does nothing. Any thread may free any block.
    ///
    /// This crate's builds only compare `size` with the block, in debug builds, and call
    /// [`mi_free`](crate::mi_free). v3 relies on it in upstream's default build, and so here with the
    /// definition `MI_OPT_FREE_SMALL=1`: it frees a small block by
    /// [`mi_free_small`](crate::mi_free_small).
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `p` is NULL or a live block of this allocator, and is not used afterwards. `size` is the
    /// number of bytes with which it was allocated (or last reallocated); if that is small, the rules
    /// of [`mi_free_small`](crate::mi_free_small) hold, so its alignment is not above `size`.
    pub fn mi_free_size(p: *mut c_void, size: usize);

    /// As [`mi_free_size`] for a block that was allocated with `alignment`, which may be above
    /// `size`.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// As [`mi_free_size`]; and `alignment` is the largest that was ever asked for the block, and
    /// not 0.
    pub fn mi_free_size_aligned(p: *mut c_void, size: usize, alignment: usize);

    /// The same as [`mi_free`](crate::mi_free); a debug build also checks that `p` is a multiple of
    /// `alignment`.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `p` is NULL or a live block of this allocator, and is not used afterwards. `alignment` is not
    /// 0.
    pub fn mi_free_aligned(p: *mut c_void, alignment: usize);

    /// Copies the value of the environment variable `name` into a new block, to be freed with
    /// [`mi_free`](crate::mi_free), and writes its address to `*buf` (`_dupenv_s` of Microsoft).
    ///
    /// `*size` becomes the length with the NUL at the end. Without such a variable `*buf` becomes
    /// NULL and `*size` 0. `size` may be NULL. Returns 0; or `EINVAL` if `buf` or `name` is NULL; or
    /// `ENOMEM`, with `*buf` NULL. `*size` is 0 after an error.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `buf` and `size` are each NULL or can be written; `name` is NULL or points to a NUL-terminated
    /// string. No thread may change the environment meanwhile.
    pub fn mi_dupenv_s(buf: *mut *mut c_char, size: *mut usize, name: *const c_char) -> c_int;

    /// As [`mi_dupenv_s`] with wide characters, of which `*size` counts the number. Only on Windows;
    /// elsewhere it returns `EINVAL` and sets `*buf` to NULL.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// As [`mi_dupenv_s`].
    pub fn mi_wdupenv_s(buf: *mut *mut wchar_t, size: *mut usize, name: *const wchar_t) -> c_int;

    /// As [`mi_strdup`](crate::mi_strdup) for a string of wide characters.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `s` is NULL or points to a string that ends with a wide NUL.
    pub fn mi_wcsdup(s: *const wchar_t) -> *mut wchar_t;

    /// The same as [`mi_strdup`](crate::mi_strdup), for strings of multibyte characters (`_mbsdup` of
    /// Microsoft).
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `s` is NULL or points to a NUL-terminated string.
    pub fn mi_mbsdup(s: *const c_uchar) -> *mut c_uchar;
}

//! The basic interface: `malloc` and its family.

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

extern "C" {
    /// Allocates `size` bytes, uninitialised.
    ///
    /// The block is aligned to 16 bytes if `size` is at least 16, and at least as a pointer is
    /// otherwise. A `size` of 0 returns a unique block, to be freed like any other.
    ///
    /// Returns NULL if memory has run out or `size` is too large (at the latest beyond
    /// `PTRDIFF_MAX`); the error callback ([`mi_register_error`](crate::mi_register_error)) receives
    /// `ENOMEM` or `EOVERFLOW`. Any thread may call this, and any thread may free the block.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call; the bytes must be written before they are read.
    pub fn mi_malloc(size: usize) -> *mut c_void;

    /// Allocates room for `count` elements of `size` bytes each, all bytes zero.
    ///
    /// Returns NULL if memory has run out or if `count * size` overflows or is too large. (Only a
    /// debug build reports an overflow to the error callback, as `EOVERFLOW`.) Aligned as
    /// [`mi_malloc`] aligns `count * size` bytes.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call.
    pub fn mi_calloc(count: usize, size: usize) -> *mut c_void;

    /// Changes the size of the block `p` to `newsize` bytes, moving it if it must.
    ///
    /// A block stays where it is when `newsize` fits and uses at least half of it (on v3 only if it
    /// is of the heap from which the calling thread allocates by default). The first
    /// `min(old size, newsize)` bytes are kept; bytes beyond them are uninitialised. With `p` NULL
    /// it allocates. With `newsize` 0 the result is still a block, to be freed. A block that moves
    /// is aligned as by [`mi_malloc`], however it was aligned before:
    /// see [`mi_realloc_aligned`](crate::mi_realloc_aligned).
    ///
    /// Returns the new address, or NULL if memory has run out or `newsize` is too large; `p` then
    /// is still valid and unchanged.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `p` is NULL or a live block of this allocator. When the result is not NULL, `p` must not be
    /// used any more.
    pub fn mi_realloc(p: *mut c_void, newsize: usize) -> *mut c_void;

    /// Grows or shrinks the block `p` where it stands, if `newsize` bytes fit there.
    ///
    /// Returns `p` itself, or NULL if the block cannot hold `newsize` bytes (or `p` is NULL); nothing
    /// moves and nothing is freed in either case. Builds with padding (features `secure` and `debug`,
    /// memory-tracking tools) always return NULL, because the padding fixes a block's size.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `p` is NULL or a live block of this allocator.
    pub fn mi_expand(p: *mut c_void, newsize: usize) -> *mut c_void;

    /// Frees the block `p`. NULL is allowed and does nothing. Any thread may free any block.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `p` is NULL or a live block of this allocator, and is not used afterwards.
    pub fn mi_free(p: *mut c_void);

    /// Copies the NUL-terminated string `s` into a new block.
    ///
    /// Returns NULL if `s` is NULL or memory has run out. Free the copy with [`mi_free`].
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `s` is NULL or points to a NUL-terminated string.
    pub fn mi_strdup(s: *const c_char) -> *mut c_char;

    /// Copies at most the first `n` bytes of the string `s` into a new block and ends it with NUL.
    ///
    /// Returns NULL if `s` is NULL or memory has run out. Free the copy with [`mi_free`].
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `s` is NULL, or readable up to its NUL or for `n` bytes, whichever comes first.
    pub fn mi_strndup(s: *const c_char, n: usize) -> *mut c_char;

    /// Resolves `fname` to an absolute path without links, as `realpath` of POSIX does
    /// (`GetFullPathName` on Windows, which leaves links as they are). WASI builds do not have it.
    ///
    /// With `resolved_name` NULL the result is a new block, to be freed with [`mi_free`]; otherwise
    /// the path is written there and `resolved_name` returned. Returns NULL if the path cannot be
    /// resolved or memory has run out; `errno` says why.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `fname` points to a NUL-terminated string; `resolved_name` is NULL or has room for
    /// `PATH_MAX` bytes (`MAX_PATH` on Windows).
    pub fn mi_realpath(fname: *const c_char, resolved_name: *mut c_char) -> *mut c_char;
}

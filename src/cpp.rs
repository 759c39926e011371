//! The functions behind C++'s `new`.

use crate::heap::mi_heap_t;
use core::ffi::c_void;

extern "C" {
    /// Allocates `size` bytes as C++'s `operator new` does, which differs from
    /// [`mi_malloc`](crate::mi_malloc) when there is no memory.
    ///
    /// It then calls the C++ new-handler and tries again, up to four times, and returns NULL after
    /// that. When no handler is set it reports `ENOMEM` to the error callback, and then
    ///
    /// - if the C code was compiled as C, aborts;
    /// - if it was compiled as C++ (as on MSVC targets), throws `std::bad_alloc`, or returns NULL
    ///   where exceptions are off.
    ///
    /// Compiled as C by gcc or clang it knows of a handler only if the C++ runtime is linked
    /// statically: the C code brings a weak `std::get_new_handler` of its own, which hides that of a
    /// shared library. The block is freed with [`mi_free`](crate::mi_free).
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// No C++ exception, thrown by this function or by the handler, may reach Rust code: that is
    /// undefined behaviour. The bytes must be written before they are read.
    pub fn mi_new(size: usize) -> *mut c_void;

    /// As [`mi_new`], at a multiple of `alignment`; see
    /// [`mi_malloc_aligned`](crate::mi_malloc_aligned).
    ///
    /// An `alignment` that is 0 or not a power of two counts as lack of memory, with one call of the
    /// handler.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// As [`mi_new`].
    pub fn mi_new_aligned(size: usize, alignment: usize) -> *mut c_void;

    /// As [`mi_new`], but returns NULL in place of aborting or throwing.
    ///
    /// On v3 it is [`mi_malloc`](crate::mi_malloc), without the handler. v2 calls the handler, and
    /// compiled as C++ catches what it throws.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call (on v2 compiled as C, if the handler does not throw); the bytes must be
    /// written before they are read.
    pub fn mi_new_nothrow(size: usize) -> *mut c_void;

    /// As [`mi_new_nothrow`], at a multiple of `alignment`; see
    /// [`mi_malloc_aligned`](crate::mi_malloc_aligned).
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// As [`mi_new_nothrow`].
    pub fn mi_new_aligned_nothrow(size: usize, alignment: usize) -> *mut c_void;

    /// As [`mi_new`] for `count` elements of `size` bytes each, uninitialised.
    ///
    /// If `count * size` overflows, the handler is called once and the result is NULL; without a
    /// handler it aborts or throws as [`mi_new`] does.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// As [`mi_new`].
    pub fn mi_new_n(count: usize, size: usize) -> *mut c_void;

    /// As [`mi_realloc`](crate::mi_realloc), with the lack of memory treated as in [`mi_new`].
    ///
    /// When the result is NULL, `p` is still valid.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// As [`mi_new`]; and `p` is NULL or a live block of this allocator, which must not be used any
    /// more when the result is not NULL.
    pub fn mi_new_realloc(p: *mut c_void, newsize: usize) -> *mut c_void;

    /// As [`mi_new_realloc`] to a size of `newcount` elements of `size` bytes each, with an overflow
    /// treated as in [`mi_new_n`].
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// As [`mi_new_realloc`].
    pub fn mi_new_reallocn(p: *mut c_void, newcount: usize, size: usize) -> *mut c_void;

    /// As [`mi_new`], from `heap`.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// As [`mi_new`]; and `heap` is a live heap, on v2 one that the calling thread created.
    pub fn mi_heap_alloc_new(heap: *mut mi_heap_t, size: usize) -> *mut c_void;

    /// As [`mi_new_n`], from `heap`.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// As [`mi_heap_alloc_new`].
    pub fn mi_heap_alloc_new_n(heap: *mut mi_heap_t, count: usize, size: usize) -> *mut c_void;
}

//! The `malloc` family of the C library, implemented by mimalloc. The system's loader uses these for the whole
//! program if the library comes first, which `LD_PRELOAD` ensures.
//!
//! The feature `override` does not help here: it defines the same names within a program, and a shared
//! library made by Rust does not export names that C defines.
//!
//! Callers do not expect mimalloc, so each function accepts everything that its namesake accepts. Names that
//! glibc resolves through these (`strdup`, `getline`, C++'s `new`) need no definition here.
#![cfg(target_os = "linux")]
#![allow(clippy::missing_safety_doc)] // as the C library documents them

use libc::{c_int, c_void, size_t};
use mi_malloc_sys as mi;

#[no_mangle]
pub unsafe extern "C" fn malloc(size: size_t) -> *mut c_void {
    or_errno(mi::mi_malloc(size))
}

#[no_mangle]
pub unsafe extern "C" fn calloc(count: size_t, size: size_t) -> *mut c_void {
    or_errno(mi::mi_calloc(count, size))
}

#[no_mangle]
pub unsafe extern "C" fn realloc(block: *mut c_void, size: size_t) -> *mut c_void {
    or_errno(mi::mi_realloc(block, size))
}

#[no_mangle]
pub unsafe extern "C" fn reallocarray(
    block: *mut c_void,
    count: size_t,
    size: size_t,
) -> *mut c_void {
    or_errno(mi::mi_reallocarray(block, count, size))
}

#[no_mangle]
pub unsafe extern "C" fn free(block: *mut c_void) {
    mi::mi_free(block);
}

#[no_mangle]
pub unsafe extern "C" fn malloc_usable_size(block: *mut c_void) -> size_t {
    mi::mi_usable_size(block)
}

#[no_mangle]
pub unsafe extern "C" fn posix_memalign(
    block: *mut *mut c_void,
    alignment: size_t,
    size: size_t,
) -> c_int {
    mi::mi_posix_memalign(block, alignment, size)
}

#[no_mangle]
pub unsafe extern "C" fn aligned_alloc(alignment: size_t, size: size_t) -> *mut c_void {
    or_errno(mi::mi_aligned_alloc(alignment, size))
}

#[no_mangle]
pub unsafe extern "C" fn memalign(alignment: size_t, size: size_t) -> *mut c_void {
    or_errno(mi::mi_memalign(alignment, size))
}

#[no_mangle]
pub unsafe extern "C" fn valloc(size: size_t) -> *mut c_void {
    or_errno(mi::mi_valloc(size))
}

#[no_mangle]
pub unsafe extern "C" fn pvalloc(size: size_t) -> *mut c_void {
    or_errno(mi::mi_pvalloc(size))
}

/// The C library sets `errno`; mimalloc does so in some of its functions only.
#[inline]
unsafe fn or_errno(block: *mut c_void) -> *mut c_void {
    if block.is_null() {
        *libc::__errno_location() = libc::ENOMEM;
    }
    block
}

//! The C++ group: `new`, for languages and libraries that share blocks with C++.
//!
//! ```
//! use mi_malloc_sys::{mi_free, mi_new, mi_new_aligned_nothrow, mi_new_nothrow};
//!
//! unsafe {
//!     let object = mi_new(64);
//!     mi_free(object); // `delete`
//!
//!     // The kinds without exceptions return NULL.
//!     assert!(mi_new_nothrow(usize::MAX).is_null());
//!     assert!(mi_new_aligned_nothrow(100, 3).is_null());
//! }
//! ```
//!
//! When memory has run out, [`mi_new`] and the others without `nothrow` try what C++
//! asks for, the new-handler, and then do not return: a C build, as on most platforms, aborts, and a
//! C++ build, as with MSVC, throws. Rust code is better served by those that end in `nothrow`.
//!
//! There is no `mi_delete`: [`mi_free`](crate::mi_free) frees these blocks, and `mi_free_size` and
//! its relatives those whose size is known.
//!
//! C++ code of your own finds `mi_stl_allocator` in `mimalloc.h`; a build script has the folder in
//! `DEP_MIMALLOC_INCLUDE`. Of a program's own `new` and `delete`, made with
//! `mimalloc-new-delete.h`, the same holds: over a C build of mimalloc, `new` ends the process when
//! memory has run out, and throws nothing.

#[doc(inline)]
pub use crate::cpp::*;

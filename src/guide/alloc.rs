//! The basic group: C's `malloc` family, with the prefix `mi_`.
//!
//! ```
//! use mi_malloc_sys::{mi_free, mi_malloc, mi_realloc, mi_strdup};
//! use std::ffi::CStr;
//!
//! unsafe {
//!     let bytes: *mut u8 = mi_malloc(100).cast();
//!     assert!(!bytes.is_null(), "memory has run out");
//!     bytes.write_bytes(7, 100);
//!
//!     // A block that grows may move. Its contents move along.
//!     let bytes: *mut u8 = mi_realloc(bytes.cast(), 10_000).cast();
//!     assert_eq!(*bytes.add(99), 7);
//!     mi_free(bytes.cast());
//!
//!     // Copies of C strings are blocks too.
//!     let copy = mi_strdup(b"mimalloc\0".as_ptr().cast());
//!     assert_eq!(CStr::from_ptr(copy).to_str(), Ok("mimalloc"));
//!     mi_free(copy.cast());
//! }
//! ```
//!
//! Four rules hold for every function that allocates, in all groups:
//!
//! * NULL means failure, and a failed reallocation leaves the old block as it was (with the
//!   exception of those that end in `f`, which free it).
//! * A size of 0 returns a block too, which is freed like any other.
//! * A block is aligned to 16 bytes if its size is 16 or more, and to a machine word below. Other
//!   alignments are the [aligned group](super::aligned)'s.
//! * Whichever function allocated a block, and on whichever thread, [`mi_free`]
//!   frees it.

#[doc(inline)]
pub use crate::alloc::*;

//! Theaps: the part that one thread has of one heap, for runtimes that keep the pointer.
//!
//! Each allocation from a heap looks up the calling thread's part of it. A runtime that passes a
//! context around anyway keeps that part there, and saves the lookup:
//!
//! ```
//! # #[cfg(mi_v3)] {
//! use mi_malloc_sys::{
//!     mi_free, mi_heap_destroy, mi_heap_new, mi_heap_theap, mi_malloc, mi_theap_malloc,
//!     mi_theap_set_default,
//! };
//!
//! unsafe {
//!     let heap = mi_heap_new();
//!     let theap = mi_heap_theap(heap); // this thread's part
//!     let block = mi_theap_malloc(theap, 100);
//!     assert!(!block.is_null());
//!     mi_free(block);
//!
//!     // As the default it serves every call without a heap on this thread.
//!     let before = mi_theap_set_default(theap);
//!     let block = mi_malloc(100);
//!     assert_eq!(mi_malloc_sys::mi_heap_of(block), heap);
//!     mi_theap_set_default(before);
//!
//!     mi_heap_destroy(heap); // ends its theaps too
//! }
//! # }
//! ```
//!
//! A theap is its thread's alone, and ends with its thread or its heap, whichever is first.
//!
//! On v2 a heap is one thread's anyway, and nine of the names of this group are aliases of the
//! `mi_heap_` functions, as in v2's header.

#[doc(inline)]
pub use crate::theap::*;

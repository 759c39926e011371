//! Analysis: is this pointer mimalloc's, of which heap is it, and what is in a heap.
//!
//! ```
//! use mi_malloc_sys::{
//!     mi_free, mi_heap_area_t, mi_heap_destroy, mi_heap_malloc, mi_heap_new,
//!     mi_heap_t, mi_heap_visit_blocks, mi_malloc,
//! };
#![cfg_attr(mi_v3, doc = "use mi_malloc_sys::mi_any_heap_contains as is_in_heap;")]
#![cfg_attr(mi_v2, doc = "use mi_malloc_sys::mi_check_owned as is_in_heap;")]
//! use std::ffi::c_void;
//!
//! unsafe {
//!     let block = mi_malloc(8);
//!     let elsewhere = 0u64;
//!     assert!(is_in_heap(block));
//!     assert!(!is_in_heap((&elsewhere as *const u64).cast()));
//!     mi_free(block);
//! }
//!
//! // Called once for each area of a heap (`block` is NULL), then for each live block in it.
//! unsafe extern "C" fn count(
//!     _heap: *const mi_heap_t,
//!     _area: *const mi_heap_area_t,
//!     block: *mut c_void,
//!     _size: usize,
//!     total: *mut c_void,
//! ) -> bool {
//!     if !block.is_null() {
//!         *total.cast::<usize>() += 1;
//!     }
//!     true // go on
//! }
//!
//! unsafe {
//!     let heap = mi_heap_new();
//!     for _ in 0..10 {
//!         mi_heap_malloc(heap, 100);
//!     }
//!     let mut blocks = 0usize;
//!     let total: *mut usize = &mut blocks;
//!     assert!(mi_heap_visit_blocks(heap, true, Some(count), total.cast()));
//!     assert_eq!(blocks, 10);
//!     mi_heap_destroy(heap);
//! }
//! ```
//!
//! A visit wants a heap that rests: on v3 nobody may allocate from it or free its blocks meanwhile;
//! on v2 only the heap's own thread may visit it. What counts as a visitor's area is described with
//! [`mi_block_visit_fun`].
//!
//! The questions about pointers differ between the major versions, in what they search as well as in what
//! they cost. v3 has a map of all pages, so it answers at once for all heaps; v2 walks through the
//! heap concerned.

#[doc(inline)]
pub use crate::analysis::*;

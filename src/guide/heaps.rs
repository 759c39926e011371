//! Heaps: sets of blocks, each of which can be freed at once.
//!
//! ```
//! use mi_malloc_sys::{mi_heap_destroy, mi_heap_malloc, mi_heap_new, mi_heap_strdup};
//!
//! unsafe {
//!     // One heap for one request.
//!     let request = mi_heap_new();
//!     for size in 1..1000 {
//!         assert!(!mi_heap_malloc(request, size).is_null());
//!     }
//!     let name = mi_heap_strdup(request, b"a request\0".as_ptr().cast());
//!     assert_eq!(*name, b'a' as _);
//!
//!     // The answer is sent: away with all of it, without a thousand calls of `mi_free`.
//!     mi_heap_destroy(request);
//! }
//! ```
//!
//! A heap ends in one of two ways. [`mi_heap_destroy`] frees its blocks, used
//! or not; [`mi_heap_delete`] keeps those that live, to be freed one by one.
//!
//! # What differs between the lines
//!
//! | | v3 | v2 |
//! |---|---|---|
//! | who allocates from a heap | any thread of its subprocess | the thread that made it |
//! | when that thread ends | the heap stays | the heap is deleted |
//! | who frees its blocks | any thread | any thread |
//! | the heap of `mi_malloc` | the main heap: one for all threads | the backing heap: one for each thread |
//! | to change that | set the default [theap](super::theaps) | `mi_heap_set_default` |
//!
//! Code for both lines uses a heap on one thread, and ends it there.

#[doc(inline)]
pub use crate::heap::*;
#[doc(inline)]
pub use crate::types::mi_heap_t;
#[cfg(line = "v2")]
#[doc(inline)]
pub use crate::v2::{
    mi_heap_get_backing, mi_heap_get_default, mi_heap_guarded_set_sample_rate,
    mi_heap_guarded_set_size_bound, mi_heap_new_ex, mi_heap_set_default,
};
#[cfg(line = "v3")]
#[doc(inline)]
pub use crate::v3::{mi_heap_main, mi_heap_set_debug_fill_preserve, mi_heap_set_numa_affinity};

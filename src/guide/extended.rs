//! The extended group: what `malloc` lacks. Small, zeroed and counted blocks, their sizes, callbacks,
//! and the start and end of threads and of the process.
//!
//! # Sizes
//!
//! mimalloc rounds a size up to a size class. [`mi_good_size`] returns the class
//! beforehand, [`mi_usable_size`] returns what a block has room for:
//!
//! ```
//! use mi_malloc_sys::{mi_free, mi_good_size, mi_mallocn, mi_usable_size};
//!
//! unsafe {
//!     assert!(mi_good_size(1000) >= 1000);
//!
//!     let block = mi_mallocn(250, 4); // room for 250 elements of 4 bytes
//!     assert!(mi_usable_size(block) >= 1000);
//!     mi_free(block);
//!
//!     // A product that overflows is an error, not a small block.
//!     assert!(mi_mallocn(usize::MAX, 4).is_null());
//! }
//! ```
//!
//! The functions that end in `_small` skip the question whether a size is small, which
//! [`MI_SMALL_SIZE_MAX`] answers. Those that begin with `mi_u` also tell
//! the size of the block, for programs that keep count.
//!
//! # Errors and output
//!
//! By default mimalloc sets `errno` and prints nothing; with the feature `secure` or `debug` it prints
//! each error, and ends the process if memory is damaged ([more](super::building#memory-errors-in-a-secure-build)).
//! A callback receives each error, another one all text that mimalloc prints:
//!
//! ```
//! use mi_malloc_sys::{mi_malloc, mi_register_error};
//! use std::ffi::c_void;
//! use std::os::raw::c_int;
//! use std::ptr::null_mut;
//! use std::sync::atomic::{AtomicI32, Ordering};
//!
//! static LAST: AtomicI32 = AtomicI32::new(0);
//!
//! // Called on the thread that met the error, in the middle of an allocation.
//! extern "C" fn remember(error: c_int, _: *mut c_void) {
//!     LAST.store(error, Ordering::Relaxed);
//! }
//!
//! unsafe {
//!     mi_register_error(Some(remember), null_mut());
//!     assert!(mi_malloc(usize::MAX).is_null());
//! }
//! assert_ne!(LAST.load(Ordering::Relaxed), 0);
//! ```
//!
//! The callback replaces the usual treatment; one that only adds to it calls [`default_error`] at its end.
//!
//! # Start and end
//!
//! mimalloc starts and ends by itself, with the process and with each thread. The `mi_process_` and
//! `mi_thread_` functions are for runtimes that know better when that is.

#[doc(inline)]
pub use crate::extended::*;

//! Statistics: what the allocator did, as numbers, as text or as JSON.
//!
//! ```
//! use mi_malloc_sys::{mi_free, mi_stats_get, mi_stats_get_json, mi_stats_t};
//! use std::ffi::CStr;
//! use std::ptr::null_mut;
//!
//! unsafe {
//!     // Numbers.
//!     let mut stats = mi_stats_t::new();
//!     assert!(mi_stats_get(&mut stats));
//!     println!("{} bytes are committed, {} were at most", stats.committed.current, stats.committed.peak);
//!
//!     // The same as JSON, in a block of its own.
//!     let json = mi_stats_get_json(0, null_mut());
//!     assert!(CStr::from_ptr(json).to_str().unwrap().trim_start().starts_with('{'));
//!     mi_free(json.cast());
//! }
//! ```
//!
//! For the eye there is [`mi_stats_print_out`], and without any code
//! `MIMALLOC_SHOW_STATS=1 program`, which prints them when the program ends.
//!
//! # How exact they are
//!
//! Each thread counts for itself and adds its numbers to the common ones now and then, so that
//! counting costs little. The common numbers lack what other threads have not added yet.
//! [`mi_stats_get`] says when they do in each major version.
//!
//! Counts of single blocks need a build that has them: on v3 every build, in detail with `debug`; on v2 only `debug`.
//!
//! v3 also has the statistics of one heap, of one subprocess and of one thread's part of a heap.

#[doc(inline)]
pub use crate::stats::*;

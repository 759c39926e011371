//! Constant sizes (v3): functions whose choice between small and large is made while the program is
//! compiled.
//!
//! ```
//! # #[cfg(mi_v3)] {
//! use mi_malloc_sys::{mi_free_csize, mi_malloc_csize};
//!
//! const NODE: usize = 48;
//!
//! unsafe {
//!     let node = mi_malloc_csize(NODE); // becomes one call, with no comparison
//!     assert!(!node.is_null());
//!     mi_free_csize(node, NODE);
//! }
//! # }
//! ```
//!
//! They are inlined into your code, so a size that is known there decides there which entry point is
//! called. With any other size they are no better than [`mi_malloc`](crate::mi_malloc) and
//! [`mi_free`](crate::mi_free). [`MiMalloc`](crate::MiMalloc) does the same for Rust's own types; use
//! this group in code that works with blocks by hand.
//!
//! A size given on free must be the size of the allocation: read each `# Safety` section.
//!
//! The functions that begin with `mi_w` count in machine words.

#[cfg(mi_v3)]
#[doc(inline)]
pub use crate::csize::*;

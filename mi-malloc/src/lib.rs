//! mimalloc for programs, without `unsafe` code.
//!
//! ```
//! #[global_allocator]
//! static GLOBAL: mi_malloc::MiMalloc = mi_malloc::MiMalloc;
//!
//! let squares: Vec<u64> = (0..1000).map(|n| n * n).collect();
//! assert_eq!(squares[999], 998_001);
//! ```
//!
//! What the safe modules leave out is in [`sys`], the complete bindings.

#![no_std]
#![deny(unsafe_op_in_unsafe_fn, missing_docs)]
#![warn(missing_debug_implementations)]
#![cfg_attr(feature = "allocator_api", feature(allocator_api))]

#[cfg(feature = "std")]
extern crate std;

#[cfg(any(feature = "allocator-api2", feature = "allocator_api"))]
mod allocator;
pub mod arena;
#[cfg(feature = "std")]
pub mod callbacks;
mod global;
pub mod heap;
pub mod options;
#[cfg(all(mi_v3, feature = "std"))]
pub mod profile;
pub mod purge;
pub mod stats;

pub use arena::Arena;
pub use global::MiMalloc;
pub use heap::Heap;

/// The complete bindings, [`mi_malloc_sys`].
pub use mi_malloc_sys as sys;

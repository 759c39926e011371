//! The typed group: the header's macros that take a type, as generic functions.
//!
//! ```
//! use mi_malloc_sys::{mi_calloc_tp, mi_free, mi_malloc_tp};
//!
//! #[repr(C)]
//! struct Point {
//!     x: f64,
//!     y: f64,
//! }
//!
//! unsafe {
//!     let point = mi_malloc_tp::<Point>();
//!     point.write(Point { x: 1.0, y: 2.0 });
//!     assert_eq!((*point).x + (*point).y, 3.0);
//!     mi_free(point.cast());
//!
//!     let grid = mi_calloc_tp::<u64>(64 * 64);
//!     assert_eq!(*grid.add(64 * 64 - 1), 0);
//!     mi_free(grid.cast());
//! }
//! ```
//!
//! Only the size of the type matters. Nothing is constructed or dropped, and types that need more than 16
//! bytes of alignment want the [aligned group](super::aligned).

#[doc(inline)]
pub use crate::typed::*;

//! The zeroed group: reallocation that keeps new bytes zero.
//!
//! For a table that starts out zero, as by [`mi_zalloc`](crate::mi_zalloc) or
//! [`mi_calloc`](crate::mi_calloc), and grows:
//!
//! ```
//! use mi_malloc_sys::{mi_calloc, mi_free, mi_recalloc};
//! use std::mem::size_of;
//!
//! unsafe {
//!     let table: *mut u32 = mi_calloc(10, size_of::<u32>()).cast();
//!     table.write(5);
//!
//!     let table: *mut u32 = mi_recalloc(table.cast(), 1000, size_of::<u32>()).cast();
//!     assert_eq!(*table, 5);
//!     assert_eq!(*table.add(999), 0);
//!     mi_free(table.cast());
//! }
//! ```
//!
//! This works only from birth to death: the block comes from a function that zeroes, is resized by
//! functions of this group alone, and nothing is written beyond its size. mimalloc does not remember
//! which bytes of a block were asked for; it clears what is new to the *block*. So a block of
//! [`MiMalloc`](crate::MiMalloc), which clears only what was asked for, is not one to resize so.

#[doc(inline)]
pub use crate::zeroinit::*;

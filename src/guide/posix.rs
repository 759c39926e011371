//! The POSIX group: functions of POSIX, BSD and Windows with the prefix `mi_`, for code that is
//! written against those.
//!
//! ```
//! use mi_malloc_sys::{mi_free, mi_posix_memalign, mi_reallocarray};
//! use std::ptr::null_mut;
//!
//! unsafe {
//!     let mut block = null_mut();
//!     assert_eq!(mi_posix_memalign(&mut block, 64, 1000), 0);
//!     assert_eq!(block as usize % 64, 0);
//!
//!     // An error is the result, not `errno`, and the pointer stays as it was.
//!     let mut none = null_mut();
//!     assert_eq!(mi_posix_memalign(&mut none, 3, 1000), libc::EINVAL);
//!     assert!(none.is_null());
//!
//!     let block = mi_reallocarray(block, 500, 8);
//!     mi_free(block);
//! }
//! # extern crate libc;
//! ```
//!
//! Where POSIX puts the alignment before the size, so do these. They need no feature, and they are
//! there on every platform: the Windows functions on Linux, too. The feature `override` gives the
//! program the same functions under their real names.

#[doc(inline)]
pub use crate::posix::*;

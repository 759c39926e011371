//! The aligned group: blocks at a multiple of any power of two.
//!
//! ```
//! use mi_malloc_sys::{mi_free, mi_malloc_aligned, mi_realloc_aligned, mi_zalloc_aligned_at};
//!
//! unsafe {
//!     // A buffer for a device that wants whole pages.
//!     let buffer = mi_malloc_aligned(10_000, 4096);
//!     assert_eq!(buffer as usize % 4096, 0);
//!
//!     // Only the aligned functions keep an alignment when a block moves.
//!     let buffer = mi_realloc_aligned(buffer, 1_000_000, 4096);
//!     assert_eq!(buffer as usize % 4096, 0);
//!     mi_free(buffer);
//!
//!     // A header of 24 bytes, and behind it data aligned to a cache line.
//!     let packet: *mut u8 = mi_zalloc_aligned_at(24 + 640, 64, 24).cast();
//!     assert_eq!(packet.add(24) as usize % 64, 0);
//!     mi_free(packet.cast());
//! }
//! ```
//!
//! The size comes before the alignment, other than in POSIX ([there](super::posix) it is as POSIX has
//! it). The alignment is a power of two, the size need not be a multiple of it.
//!
//! A small alignment costs nothing: 16 bytes for blocks of 16 bytes and more come by themselves, and
//! many size classes are aligned to more. Very large alignments, beyond 64 KiB on v3 and 16 MiB on
//! v2, take memory from the operating system for each block.

#[doc(inline)]
pub use crate::aligned::*;

//! `MiMalloc`: mimalloc under every `Box`, `Vec` and `String`.
//!
//! ```
//! #[global_allocator]
//! static GLOBAL: mi_malloc_sys::MiMalloc = mi_malloc_sys::MiMalloc;
//!
//! let squares: Vec<u64> = (0..1000).map(|n| n * n).collect();
//! let room = unsafe { mi_malloc_sys::mi_usable_size(squares.as_ptr().cast()) };
//! assert!(room >= 8 * 1000);
//! ```
//!
//! A library should leave that choice to the program: there is one global allocator, and a second
//! one is an error.
//!
//! # Faster than `malloc` and `free`
//!
//! Rust tells a block's size and alignment when it allocates, and again when it frees. `malloc` and
//! `free` know less. [`MiMalloc`] hands on what Rust knows: small sizes go to the entry points for
//! small blocks, usual alignments to those without an alignment, and on v3 a small block is freed
//! through the entry point that finds its page without looking it up.
//!
//! # The C code of the program
//!
//! The global allocator serves Rust code. C and C++ libraries that the program links go on with the
//! system's `malloc`, unless the feature `override` is on (not on Windows, where a static library
//! cannot do that). Then mimalloc's `malloc` is everybody's.
//!
//! A program that names nothing of this crate must still mention it, because rustc leaves out a
//! library that nothing refers to, and the override with it:
//!
//! ```
//! use mi_malloc_sys as _;
//! ```
//!
//! # Beside another allocator
//!
//! Without [`MiMalloc`] and without `override`, mimalloc serves only those who call it. Its blocks
//! and the other allocator's must not be mixed up: free each where it was allocated.

#[doc(inline)]
pub use crate::global::MiMalloc;

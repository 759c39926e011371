//! `MiMalloc`: mimalloc under every `Box`, `Vec` and `String`.
//!
//! ```
//! #[global_allocator]
//! static GLOBAL: mi_malloc_sys::MiMalloc = mi_malloc_sys::MiMalloc;
//!
//! let squares: Vec<u64> = (0..1000).map(|n| n * n).collect();
//! let usable = unsafe { mi_malloc_sys::mi_usable_size(squares.as_ptr().cast()) };
//! assert!(usable >= 8 * 1000);
//! ```
//!
//! A library should leave that choice to the program: there is one global allocator, and a second
//! one is an error.
//!
//! # Faster than `malloc` and `free`
//!
//! Rust passes a block's size and alignment when it allocates, and again when it frees. `malloc` and
//! `free` know less. [`MiMalloc`] uses what Rust knows:
//!
//! * Usual alignments need no aligned entry point, and small sizes go straight to those for small blocks.
//! * On v3 a C file of this crate is compiled together with upstream's. Its entry points serve larger
//!   sizes and alignments on a fast path too, reuse larger blocks in LIFO order, and let a block grow without
//!   looking up its size.
//! * In optimised programs on x86_64 and aarch64 Linux with glibc (on v3 also in static programs with musl, and on x86_64
//!   Windows with MinGW), nearly every small block is allocated and freed by inlined Rust code, [without a call](super::building#without-a-call). Elsewhere
//!   [link-time optimisation](super::building#link-time-optimisation) does the same.
//! * A zeroed block is zeroed as far as it was asked for, not to the end of its size class.
//! * With `secure` on v3, there are other entry points, which make each of upstream's checks with fewer instructions, and
//!   leave to upstream what a check does not pass. Blocks are not reused in LIFO order there, and a zeroed block is zeroed to
//!   its end.
//!
//! v2 has no C file of its own, only the inlined code. Other builds that check blocks (v2 with `secure`, `debug`, `guarded`, valgrind, the
//! address sanitizer), and other sources than the pinned release use upstream's own entry points.
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

//! mimalloc for programs, without `unsafe` code: the global allocator, its options, its state, and its control.
//!
//! ```
//! #[global_allocator]
//! static GLOBAL: mi_malloc::MiMalloc = mi_malloc::MiMalloc;
//!
//! let squares: Vec<u64> = (0..1000).map(|n| n * n).collect();
//! assert_eq!(squares[999], 998_001);
//! ```
//!
//! That is all that most programs need. The modules are the manual's other pages:
//!
//! | to | read |
//! |---|---|
//! | change how mimalloc behaves, in the program or while it runs | [`options`](mod@options) |
//! | return freed memory to the system, above all while the program is idle | [`purge`] |
//! | see what the allocator holds, as a table, as JSON, in a monitoring system | [`stats`] |
//! | see which functions allocate, with pprof, in production | [`profile`](https://docs.rs/mi-malloc/latest/mi_malloc/profile/), on v3 |
//! | free everything of a request, a document or a phase at once | [`heap`] |
//! | limit a heap, or put it into memory that the program provides | [`arena`] |
//! | be notified of errors, log mimalloc's output, perform deferred frees | [`callbacks`] |
//! | keep a `Vec`, a `Box` or a map in a heap | [`heap`], with one of the features below |
//! | do what has no safe form, such as subprocesses | [`sys`], the complete bindings, with their own manual |
//!
//! Nothing in the first eight is `unsafe`, except where a pointer comes in from outside ([`MiMalloc::usable_size`],
//! [`Arena::from_raw`]).
//!
//! # Who decides
//!
//! Options, callbacks and the global allocator belong to the process, and so to the program: a library leaves them
//! alone, and creates a [`Heap`] if it needs separate memory. Nothing here starts a thread except
//! [`purge::Background`], which says so.
//!
//! # Versions of mimalloc
//!
//! The crate is built on mimalloc 3.6.0, or with the feature `v2` on 2.5.2. If crates of one program enable both `v3`
//! and `v2`, it is v3. What v2 lacks is absent at compile time, and the pages say what that is.
//!
//! # Features
//!
//! | feature | effect |
//! |---|---|
//! | `std` (default) | threads, `std::io`, `std::error::Error`: without it the crate is `no_std`, and has no [`callbacks`] and no [`purge::Background`] |
//! | `allocator-api2` | [`MiMalloc`] and [`Heap`] are allocators of that crate, for its collections and hashbrown's |
//! | `allocator_api` | they are allocators of the standard library, with a nightly compiler. `nightly_allocator_api` is the same |
//!
//! All others are those of [`mi-malloc-sys`](crate::sys), whose manual describes them: `secure`, `debug`, `guarded`,
//! `override`, `local_dynamic_tls`, `no_thp` and more. They have the names that `mimalloc`, `mimalloc-safe` and
//! `mimalloc3` use, so a program switches from those by one line of its manifest:
//!
//! ```toml
//! mimalloc = { package = "mi-malloc", version = "0.1" }
//! ```

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

/// Tests the code in the README.
#[cfg(all(doctest, feature = "std"))]
#[doc = include_str!("../README.md")]
struct Readme;

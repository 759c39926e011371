//! Subprocesses: parts of one program that share no memory, for example several interpreters or a
//! plugin.
//!
//! A thread joins a subprocess first of all, before it allocates. On v3 everything that it allocates
//! from then on is in arenas of that subprocess, and destroying the subprocess frees all of it:
//!
//! ```
//! # #[cfg(mi_v3)] {
//! use mi_malloc_sys::{
//!     mi_malloc, mi_subproc_add_current_thread, mi_subproc_current, mi_subproc_destroy,
//!     mi_subproc_new,
//! };
//! use std::thread;
//!
//! let plugin = unsafe { mi_subproc_new() };
//! let id = plugin._mi_subproc_id as usize; // a number may go to another thread
//!
//! thread::spawn(move || unsafe {
//!     let plugin = mi_malloc_sys::mi_subproc_id_t { _mi_subproc_id: id as *mut _ };
//!     mi_subproc_add_current_thread(plugin);
//!     assert_eq!(mi_subproc_current(), plugin);
//!     for _ in 0..1000 {
//!         mi_malloc(1000); // a plugin that leaks
//!     }
//! })
//! .join()
//! .unwrap();
//!
//! unsafe { mi_subproc_destroy(plugin) }; // nothing has leaked
//! # }
//! ```
//!
//! On v2 subprocesses share the arenas. There they only keep apart what ended threads leave behind,
//! and `mi_subproc_delete` ends one without freeing live blocks.
//!
//! If mimalloc is the global allocator, Rust's own start of a thread allocates before your code
//! runs, which is too late. Start such threads through the system (`pthread_create`), or leave the
//! global allocator alone in programs with subprocesses.

#[doc(inline)]
pub use crate::subproc::*;

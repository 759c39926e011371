//! Profiling (v3): which code allocated the memory that is in use, by samples.
//!
//! Without any code, on Unix, as files `/tmp/heap.0001.pb` and so on that `pprof` reads:
//!
//! ```sh
//! MIMALLOC_PROFILE=/tmp/heap.pb program
//! ```
//!
//! With the functions a program decides what is watched, and when it writes a file:
//!
//! ```
//! # #[cfg(line = "v3")] {
//! use mi_malloc_sys::*;
//! use std::ffi::CString;
//! use std::ptr::null_mut;
//!
//! let folder = std::env::temp_dir();
//! let name = format!("mi-malloc-sys-guide-{}", std::process::id());
//! let base = CString::new(folder.join(&name).to_str().unwrap()).unwrap();
//!
//! unsafe {
//!     // A sample about every 64 KiB, files only when asked for.
//!     let profiler = mi_pprof_profiler_new(64 << 10, base.as_ptr(), 0, 0, 0);
//!     assert!(mi_profile(profiler));
//!     mi_profiler_start(profiler);
//!
//!     let blocks: Vec<_> = (0..1000).map(|_| mi_malloc(10_000)).collect();
//!     mi_profiler_snapshot(profiler);
//!
//!     mi_profiler_stop(profiler);
//!     mi_profile(null_mut()); // detach before the profiler ends
//!     mi_pprof_profiler_delete(profiler);
//!     for block in blocks {
//!         mi_free(block);
//!     }
//! }
//! let file = folder.join(format!("{}.0001.pb", name));
//! assert!(file.metadata().unwrap().len() > 0);
//! # std::fs::remove_file(file).unwrap();
//! # }
//! ```
//!
//! A profiler of one's own is a struct of callbacks, `mi_profiler_t`, attached in the same way.
//!
//! Samples carry call stacks where the C library can walk the stack: with glibc, on macOS, on the
//! BSDs and on Windows. On musl and Android the build leaves that out; see the comment in
//! `build/platform.rs` for a way on musl.
//!
//! v2 has no profiler.

#[cfg(line = "v3")]
#[doc(inline)]
pub use crate::profile::*;

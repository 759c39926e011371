//! Profiling (v3): which code allocated the memory that is in use, by samples.
//!
//! Without any code, on Unix, as files `/tmp/heap.0001.pb` and so on that `pprof` reads:
//!
//! ```sh
//! MIMALLOC_PROFILE=/tmp/heap.pb program
//! pprof -top -cum program /tmp/heap.0001.pb
//! ```
//!
//! See [below](#names-of-functions) for the names of functions.
//!
//! With the functions a program decides what is watched, and when it writes a file:
//!
//! ```
//! # #[cfg(mi_v3)] {
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
//! # Names of functions
//!
//! Profiles hold addresses. A viewer finds the names in the program's symbols, which must not be stripped;
//! lines and inlined functions also need debug information (`CARGO_PROFILE_RELEASE_DEBUG=1`).
//!
//! On Linux, `pprof` shows **other functions' names** for a `.pb` file as mimalloc 3.6.0 writes it: the file
//! says where the code was in memory, but not where it is in the program's file. Each of these is a remedy:
//!
//! * Link the program so that both places agree, and `MIMALLOC_PROFILE` needs nothing else. Names in shared
//!   libraries, the C library for one, stay wrong.
//!   * With lld, which is Rust's own choice on x86_64 since 1.90: `RUSTFLAGS=-Clink-arg=-Wl,--no-rosegment`
//!   * With GNU's linker: `RUSTFLAGS=-Clink-arg=-Wl,-z,noseparate-code`
//! * Write the text format (`MIMALLOC_PROFILE=/tmp/heap.text`), which holds all of `/proc/self/maps`. Its
//!   addresses are in capital letters, which viewers do not read, so change those:
//!   `sed -i '/^MAPPED/,$!s/.*/\L&/' /tmp/heap.0001.heap`
//! * Add the missing offsets, in the program that writes the file or with its `/proc/PID/maps`. The example
//!   `heap_profile` does that; its `examples/support/pprof_file.rs` can be copied.
//!
//! `pprof` is Google's (`go install github.com/google/pprof@latest`); `google-pprof`, of gperftools, reads the
//! text format. `go tool pprof` knows names only from debug information, and up to Go 1.19 at least it needs the
//! linker's flag in any case.
//!
//! # A profiler of one's own
//!
//! This is an `mi_profiler_t`, a struct of callbacks, attached in the same way: mimalloc calls them for a sample
//! of the blocks. The example `memory_by_task` has one. It should return its sample rate from `on_alloc` each
//! time, because `mi_profiler_start` begins with a rate of 1 in the calling thread, whatever
//! `initial_sample_rate` says.
//!
//! # Where it works
//!
//! Samples of the built-in profiler carry call stacks where the C library can walk the stack: with glibc, on
//! macOS, on the BSDs and on Windows. On musl and Android the build leaves that out; see the comment in
//! `build/platform.rs` for a way on musl.
//!
//! v2 has no profiler.

#[cfg(mi_v3)]
#[doc(inline)]
pub use crate::profile::*;

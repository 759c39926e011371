//! Heaps: sets of blocks, each of which can be freed at once.
//!
//! ```
//! use mi_malloc_sys::{mi_heap_destroy, mi_heap_malloc, mi_heap_new, mi_heap_strdup};
//!
//! unsafe {
//!     // One heap for one request.
//!     let request = mi_heap_new();
//!     for size in 1..1000 {
//!         assert!(!mi_heap_malloc(request, size).is_null());
//!     }
//!     let name = mi_heap_strdup(request, b"a request\0".as_ptr().cast());
//!     assert_eq!(*name, b'a' as _);
//!
//!     // The answer is sent: all blocks are freed at once, without a thousand calls of `mi_free`.
//!     mi_heap_destroy(request);
//! }
//! ```
//!
//! A heap ends in one of two ways. [`mi_heap_destroy`] frees its blocks, used
//! or not; [`mi_heap_delete`] keeps those that live, to be freed one by one.
//!
//! While either runs, no other thread may free a block of the heap. On v3 that can hang or crash the program.
//! So let the threads come to a point where they have freed what they will free, or have them send the
//! blocks to the thread that ends the heap.
//!
//! v2 keeps the pages of a deleted heap, also those that were empty, until
//! [`mi_collect(true)`](crate::mi_collect). A program that makes and deletes many heaps calls
//! [`mi_heap_collect(heap, true)`](crate::mi_heap_collect) before each `mi_heap_delete`: 47 MiB instead of
//! 593 after two rounds of 300 heaps, and no growth after that.
//!
//! # What differs between the major versions
//!
//! | | v3 | v2 |
//! |---|---|---|
//! | who allocates from a heap | any thread of its subprocess | the thread that made it |
//! | when that thread ends | the heap stays | the heap is deleted |
//! | who frees its blocks | any thread | any thread |
//! | the heap of `mi_malloc` | the main heap: one for all threads | the backing heap: one for each thread |
//! | to change that | set the default [theap](super::theaps) | `mi_heap_set_default` |
//!
//! Code for both versions uses a heap on one thread, and ends it there.
//!
//! # What a heap costs
//!
//! | 64-bit Linux, release build | v3 | v2 |
//! |---|---|---|
//! | make a heap, allocate one block, destroy it | 13 to 17 µs | 0.6 µs |
//! | the same with no block | 0.6 µs | 0.3 µs |
//! | memory of a heap without blocks | 6 KiB | 2 KiB |
//! | memory of a heap with one block | 136 KiB | 67 KiB |
//! | and for each further size class in use | 64 KiB | 64 KiB |
//! | live heaps in a process | at most 64,512 | |
//!
//! (The times are of one x86-64 machine, for a heap at a time; `cargo test --release --test heap_cost --
//! --ignored --nocapture` prints those of another. The same file tests the memory and the number.)
//!
//! On v3 the first block of a heap needs a table for the arena it comes from: about 107 KiB for an
//! arena of 1 GiB, and again for each further arena. On both versions each size class in use takes a
//! page of its own, 64 KiB for small blocks, all of which is resident if a huge page is behind it
//! (by default not in the first MiB of a program) and else as far as it is touched. On v3 each thread that allocates
//! from the heap has pages of its own.
//!
//! So on v3 a heap fits a request, a document or a session with hundreds of blocks. For a handful of
//! blocks [`mi_free`](crate::mi_free) is faster, and a heap that is kept and used again costs less
//! than a new one.
//!
//! A heap of v3 also takes a thread-local slot of the process until it ends. After 64,512 live heaps
//! (3,072 on 32-bit) [`mi_heap_new`] returns NULL and the error callback receives `EFAULT`; without a
//! callback, builds with `secure` or `debug` end the process.

#[doc(inline)]
pub use crate::heap::*;

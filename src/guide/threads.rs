//! Threads: who may do what, and what happens when a thread ends.
//!
//! | | v3 | v2 |
//! |---|---|---|
//! | allocate without a heap | any thread | any thread |
//! | allocate from a heap | any thread of its subprocess | the thread that made it |
//! | allocate from a theap | its thread | its thread |
//! | free a block | any thread | any thread |
//! | set an option, register a callback | early, while one thread runs | early, while one thread runs |
//!
//! A block that another thread frees goes back to the thread that allocated it, which takes it up
//! when it next needs room. That is why a thread that only allocates and never allocates *again*
//! can hold memory whose blocks are all free.
//!
//! ```
//! use mi_malloc_sys::{mi_free, mi_malloc};
//!
//! // Numbers may go from thread to thread; pointers are not `Send`.
//! let blocks: Vec<usize> = (0..100).map(|_| unsafe { mi_malloc(100) } as usize).collect();
//! std::thread::spawn(move || {
//!     for block in blocks {
//!         unsafe { mi_free(block as *mut _) };
//!     }
//! })
//! .join()
//! .unwrap();
//! ```
//!
//! # When a thread ends
//!
//! mimalloc hears of it from the system. Its empty memory is free for all; pages with live blocks
//! wait for another thread to take them over, and their blocks stay valid. Nothing is lost, and
//! nothing needs to be called. A runtime with threads that mimalloc cannot see ending calls
//! [`mi_thread_done`](crate::mi_thread_done).
//!
//! Threads of a pool, which run unrelated tasks, say so once:
//! [`mi_thread_set_in_threadpool`](crate::mi_thread_set_in_threadpool). v3 then keeps less for each.
//!
//! # Fork
//!
//! A child of `fork` has only the thread that called it, and goes on allocating. What the other
//! threads held stays valid there. v3 lets the child take it over; on v2 nobody does. In both the
//! fork must not happen while another thread is inside mimalloc, so a program with threads should
//! only `exec` in the child, unless it stops them first.
//!
//! # Libraries loaded with `dlopen`
//!
//! A shared library that carries its own mimalloc keeps a few thread-locals. On Linux there may be
//! no room for them in a program that has started: "cannot allocate memory in static TLS block". The
//! feature `local_dynamic_tls` is the remedy, at the price of a slower access; on musl it is always
//! on.

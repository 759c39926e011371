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
//! What may go to another thread, and what that thread may do with it:
//!
//! | | v3 | v2 |
//! |---|---|---|
//! | a block | all | all |
//! | `*mut mi_heap_t` | allocate and look at it, in threads of its subprocess; one thread ends it, when no other uses it | nothing; only the blocks may go |
//! | `*mut mi_theap_t` | nothing | nothing |
//! | `mi_arena_id_t` | all, in threads of its subprocess | all |
//! | `mi_subproc_id_t` | all; one thread ends it, when its threads have ended | the same |
//! | `*mut mi_profiler_t` | all; one thread deletes it, when no heap has it | |
//! | `mi_stats_t` | all: it is a copy | all |
//! | `mi_heap_area_t` in a visitor | nothing after the visit | the same |
//!
//! Rust takes none of the pointers for `Send`, nor v3's `mi_subproc_id_t`. A wrapper that sends one says
//! so by an `unsafe impl Send` for a type of its own, with the rule of this table as the reason.
//!
//! A block that another thread frees is returned to the page of the thread that allocated it, which collects it
//! when it next runs out of free blocks there. That is why a thread that has stopped allocating can hold
//! memory whose blocks are all free.
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
//! The system notifies mimalloc. Its empty memory is free for all; pages with live blocks
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
//! threads held stays valid there. v3 lets the child reuse the memory around it; on v2 nobody does.
//!
//! The other threads may be inside mimalloc at that moment, which upstream forbids: a lock that
//! one of them holds would never be released in the child, and the child would hang when it next
//! starts a thread or makes a heap (v3), or when it deletes a heap or ends a thread (v2). This crate's
//! build registers handlers (`pthread_atfork`) that hold all of mimalloc's locks across the fork, in
//! every subprocess. What holds then:
//!
//! - The child may allocate, free, start threads, make heaps, collect, and fork.
//! - An operation that another thread had begun is not completed in the child. The block or the page that it was
//!   moving between lists is lost there, and so is a heap that it was deleting or destroying.
//! - Threads of the parent that need a lock wait until the fork is done. Blocks that come from a
//!   thread's own pages need none.
//! - On v3 a fork takes some 20 µs longer, and some 10 µs for each heap that is alive: parent and child
//!   each write to it, so both copy the memory that it is in.
//! - On v2 a thread that the child starts may get the identity of one that stayed behind. Blocks of that
//!   thread are still freed as those of another one, except in huge pages that were reserved and in memory of the
//!   program's own: there they go back to that thread's pages, in the state in which the fork found them.
//! - Some callbacks of mimalloc run while their thread holds a lock: visitors of heaps and of blocks, an
//!   output function that is being registered, sometimes one for deferred frees. A fork in one of them
//!   takes a second for each such lock. The child inherits the lock together with the thread that holds it, so it must
//!   return from the callback before it needs that lock. A child of another thread that forks at the same
//!   time finds that lock taken for ever: do not fork in callbacks while other threads fork.
//! - Handlers that a program registers with `pthread_atfork` may allocate, if they are registered after
//!   mimalloc's, which happens when it is initialized: before `main`, or when its library is loaded.
//! - `vfork` and `posix_spawn`, and with it nearly every `std::process::Command`, run no handlers and
//!   need none.
//!
//! The handlers are there on Unix, in every build mode and with `override`, for the release that this
//! crate pins: not with `MIMALLOC_SYS_SOURCE_DIR` and not with the system's library.
//! `MIMALLOC_SYS_DEFINES=MI_MALLOC_SYS_NO_ATFORK=1` leaves them out. Without them a process
//! must not fork while another of its threads is inside mimalloc: a program with threads stops them
//! first, or only calls `exec` in the child.
//!
//! # Libraries loaded with `dlopen`
//!
//! A shared library that carries its own mimalloc keeps a few thread-locals. On Linux there may be
//! no room for them in a program that has started: "cannot allocate memory in static TLS block". The
//! feature `local_dynamic_tls` is the remedy, at the price of a slower access; with dynamic musl it is
//! always on.
//!
//! A library that is closed keeps the memory of its mimalloc: each time that it is loaded and closed
//! again, a few MiB stay behind, in an arena of 1 GiB of address space. If nothing of that
//! memory is used once the library is closed, let the library say so while it starts:
//!
//! ```
//! use mi_malloc_sys::{mi_option_destroy_on_exit, mi_option_enable};
//!
//! // In a function of the library that its host calls first. `MIMALLOC_DESTROY_ON_EXIT=1` says the same
//! // for every mimalloc of the process.
//! unsafe { mi_option_enable(mi_option_destroy_on_exit) };
//! # unsafe { mi_malloc_sys::mi_option_disable(mi_option_destroy_on_exit) };
//! ```
//!
//! Threads that used the library must have ended by then, or never allocate or free with it again.

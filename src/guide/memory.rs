//! How memory goes back to the operating system.
//!
//! A freed block first serves the next allocation of its size. When all blocks of a page are free,
//! the page goes back to its arena, and after a delay the arena gives its memory back to the system:
//! it is *purged*. The delay exists because giving back and taking again costs more than keeping.
//!
//! | | v3 | v2 |
//! |---|---|---|
//! | `MIMALLOC_PURGE_DELAY`, milliseconds | 1000 | 10 |
//! | times `MIMALLOC_ARENA_PURGE_MULT` | 4 | 10 |
//! | so an arena waits | 4 s | 0.1 s |
//!
//! **There is no thread that does this in the background.** Memory whose time has come is given back
//! when some thread next frees a page or collects. A program that frees much and then rests
//! keeps it, until it stirs.
//!
//! # What to do when a program holds too much
//!
//! * Say so when a phase ends: [`mi_collect(true)`](crate::mi_collect) gives back at once what the
//!   calling thread and the arenas have free. It takes time; call it after a large request, not
//!   after each.
//! * Wait less: `MIMALLOC_PURGE_DELAY=0` gives back at once. Programs that allocate and free
//!   in waves become slower.
//! * Linux, v3: transparent huge pages make the smallest unit that is given back 2 MiB.
//!   `MIMALLOC_ALLOW_THP=1` ends that; 0 switches them off for the process and its children. The
//!   feature `no_thp` makes 0 the default.
//! * Many threads: see [threads](super::threads).
//!
//! ```
//! use mi_malloc_sys::{mi_collect, mi_option_purge_delay, mi_option_set};
//!
//! // Early, before other threads run. A negative value never gives back anything.
//! unsafe { mi_option_set(mi_option_purge_delay, 0) };
//!
//! let large = vec![1u8; 100 << 20];
//! drop(large);
//! unsafe { mi_collect(true) };
//! ```
//!
//! # A limit on address space
//!
//! The first arena takes 1 GiB of address space on 64-bit systems, of which only what is used is ever in
//! memory. Under `ulimit -v` (`RLIMIT_AS`), in a program that itself maps much, that may be what others lack
//! then. `MIMALLOC_ARENA_RESERVE=64MiB` makes arenas small, and 64 MiB is the least on v3 (v2: 32 MiB).
//! Where an arena does not fit, mimalloc tries a smaller one (128 MiB on v3, 32 MiB on v2), and v3 then maps
//! each page on its own. So v3 starts within 8 MB of address space; v2 has NULL for all below about 36 MB.
//!
//! # What the numbers mean
//!
//! *Reserved* is address space, and costs nothing. *Committed* is what mimalloc may use without
//! asking; the part of it that was never touched is not in memory. *Resident* (RSS) is what `top`
//! shows. Where purging resets memory instead of decommitting it (`MIMALLOC_PURGE_DECOMMITS=0`),
//! the system takes it only when it needs some, and RSS falls late.
//!
//! [`mi_process_info`](crate::mi_process_info) and the [statistics](super::statistics) have these
//! numbers.

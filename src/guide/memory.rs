//! How memory is returned to the operating system.
//!
//! A freed block first serves the next allocation of its size. When all blocks of a page are free,
//! the page is returned to its arena, soon or at the next collection. The arena keeps the memory for a
//! while and then returns it to the system: it is *purged*. The delay exists because returning memory
//! and touching it anew costs more than keeping it.
//!
//! | | v3 | v2 |
//! |---|---|---|
//! | `MIMALLOC_PURGE_DELAY`, milliseconds | 50 (upstream: 1000) | 10 |
//! | times `MIMALLOC_ARENA_PURGE_MULT` | 1 (upstream: 4) | 10 |
//! | so memory of an arena is due after | 0.05 s, mostly less than 0.1 (upstream: up to 4 s) | 0.1 s |
//!
//! On v3 the delay starts with the first free in an arena. Upstream then purges all that is free there, also what was freed a
//! moment ago. Here a purge leaves what was freed after the last one to the next one. So memory that a program uses
//! again and again is not purged in between, although the delay is short. And where much purged memory is soon in use again,
//! more than 32 MiB of it within about a second, purges wait until that has become rare: in a program that has come to rest,
//! one to two seconds. (On Linux. With mitigations such memory stays accessible for so long.) `mi_collect(true)` does not wait.
//!
//! (v3 from `MIMALLOC_SYS_SOURCE_DIR`, and the system's library, have upstream's.)
//!
//! **Nothing is purged by time alone: there is no background thread.** Memory that is due is purged
//! when some thread looks for it:
//!
//! | who purges | what | v3 | v2 |
//! |---|---|---|---|
//! | [`mi_collect(false)`](crate::mi_collect) and its relatives for one heap | what is due | yes | yes |
//! | `mi_collect(true)` | all free memory, due or not | yes | yes |
//! | an allocation that finds no memory | all free memory, due or not | yes | yes |
//! | a thread, each 10,000th time it allocates outside the fast path (`MIMALLOC_GENERIC_COLLECT`) | what is due | yes | yes |
//! | a free that empties a segment or a page | what is due | yes (upstream: no) | yes |
//! | the free of a range of 32 MiB or more (`MIMALLOC_ARENA_PURGE_IMMEDIATE_SIZE`), or a single one of half that size | this range | see below | no |
//! | `mi_arenas_purge` | all free memory of the arenas | yes | |
//!
//! So an idle process keeps what it has freed, until one of its threads frees a page, allocates much or collects.
//!
//! On v3 a block above 64 KiB has a page of its own. Of blocks up to 512 KiB a thread retains its latest eight pages, at most
//! three that it has emptied itself, for its next blocks of about their sizes; see
//! [building](super::building#blocks-of-64-to-512-kib). So a thread that sleeps keeps what other threads free in those pages,
//! unless it calls [`abandon_pages`] before.
//!
//! # Large blocks
//!
//! On v3 a block of 32 MiB or more is purged when it is freed, and one of 16 MiB or more if no other was freed within the last
//! fifth of a second. A block above 128 MiB (upstream: above about 250) has a mapping of its own, and is unmapped, unless the
//! program has reserved an arena, where all blocks up to 250 MiB may be. But a program that needs such a
//! buffer for each of its tasks would pay for all its pages each time. So memory that is freed for the second time within a
//! fifth of a second, and so was allocated in between, waits for its purge as smaller blocks do, and serves the next task. (In
//! an arena also while purges wait, as above.) On Linux a mapping is kept if the last one was freed within two fifths of a
//! second, for so long, and serves blocks of an eighth to all of its size, and those that grow to 32 MiB or more in `MiMalloc`,
//! in place. What such a block does not use is returned by the first free or collection after it was not needed for that
//! long. Before a new mapping all that is free in arenas is purged, so that both are not resident at once.
//! On Linux a block above 1 MiB that grows in `MiMalloc` does so in place where what is behind it is free, and blocks of
//! 4 MiB or more take the first free addresses of an arena. (Upstream's lie in one of its chunks of 32 MiB.)
//! And a block above 512 KiB takes memory only where the program touches it, also if it is zeroed. This is not upstream's;
//! `MIMALLOC_SYS_DEFINES=MI_MALLOC_SYS_NO_REUSE=1` restores upstream's behaviour and delays; frees then purge
//! nothing that is due. `"MI_DEFAULT_PURGE_DELAY=1000;MI_DEFAULT_ARENA_PURGE_MULT=4"` there restores the values of these
//! options alone.
//!
//! # What to do when a program holds too much
//!
//! * Collect when a phase ends: [`mi_collect(true)`](crate::mi_collect) returns at once what the
//!   calling thread and the arenas have free. It takes time; call it after a large request, not
//!   after each. A timer that calls `mi_collect(false)` costs little, and purges what is due.
//! * A collection does not free the empty pages of other threads, only their memory in the arenas.
//!   And **in a thread that has not allocated yet `mi_collect` does nothing at all**: such a
//!   thread calls [`mi_thread_init`](crate::mi_thread_init) once before. (A thread that Rust started
//!   has allocated, if [`MiMalloc`](crate::MiMalloc) is the global allocator.)
//! * Survivors of a peak: a page with one block in use keeps all its memory. On v3 and Linux,
//!   [`purge_free_blocks`] purges the free blocks of 8 KiB and more in pages
//!   that no thread owns, and [`abandon_pages`], called by a thread before it
//!   sleeps, makes its own pages such pages. (`mi-malloc`'s `purge::Background` and `on_thread_idle` do both.)
//! * Do not wait: `MIMALLOC_PURGE_DELAY=0` purges each range when it becomes free. Programs that
//!   allocate and free in waves become slower.
//! * Linux, v3: switch transparent huge pages off or down, see below.
//! * Many threads: see [threads](super::threads).
//!
//! ```
//! use mi_malloc_sys::{mi_collect, mi_option_purge_delay, mi_option_set};
//!
//! // Early, before other threads run. A negative value never purges anything.
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
//! then. `MIMALLOC_ARENA_RESERVE=64MiB` makes arenas small, and 64 MiB is the minimum on v3 (v2: 32 MiB).
//! Where an arena does not fit, mimalloc tries a smaller one (128 MiB on v3, 32 MiB on v2), and v3 then maps
//! each page on its own. So v3 starts within 8 MB of address space; v2 returns NULL for everything with less than about 36 MB.
//!
//! # Transparent huge pages
//!
//! On Linux v3 asks for huge pages of 2 MiB. They can save time where a program reads through much
//! memory, and they make small programs larger: the 2 MiB around a block are resident as soon as it
//! is touched. Eight threads with 1 MiB of blocks each, of all sizes up to 1000 bytes:
//!
//! | `MIMALLOC_ALLOW_THP` | resident | smallest range that is purged |
//! |---|---|---|
//! | 3 (default on 64-bit Linux) | 12 MiB | 64 KiB |
//! | 2 (upstream's default) | 20 MiB | 2 MiB |
//! | 1 | 20 MiB | 64 KiB |
//! | 0, or the feature `no_thp` | 12 MiB | 64 KiB |
//!
//! 3 is this crate's own: no huge pages behind the first 64 MiB of the first
//! arena, except for blocks of 8 MiB and more, and huge pages behind all else, also behind blocks that fit no
//! arena. Once 16 MiB of that first part are resident, its empty rest has them too. 2 may be faster for a program with much
//! memory in small blocks that is short of processor time and not of memory.
//! [`mi_option_allow_thp`](crate::mi_option_allow_thp) has the details. Each value is a setting of
//! mimalloc's memory alone: programs that are started by this one keep their own.
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

#[doc(inline)]
pub use crate::free_blocks::*;

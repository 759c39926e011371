//! Returns freed memory to the operating system.
//!
//! mimalloc keeps freed memory for a while and has no thread of its own, so an idle program retains what it has freed
//! until one of its threads allocates much or collects (the manual of `mi-malloc-sys` has a page on memory). There
//! are three ways to change that:
//!
//! | | what it purges | when |
//! |---|---|---|
//! | [`Background`] | free memory of the arenas; the memory of free blocks in the pages of threads that have ended or called [`on_thread_idle`] | soon after it was freed, in an idle program within two seconds, free blocks within four, without any further call |
//! | [`on_thread_idle`] | what is due; and it moves the empty pages of the calling thread, and those with some free blocks, to where [`Background`] purges them; it also gives up the pages that the thread retains for blocks of 64 to 512 KiB | when the thread has nothing to do; cheap enough to call each time that it parks |
//! | [`now`] | both, at once | when a phase of the program has ended |
//!
//! A server needs the first two:
//!
//! ```
//! # #[cfg(feature = "std")]
//! # fn main() -> std::io::Result<()> {
//! #[global_allocator]
//! static GLOBAL: mi_malloc::MiMalloc = mi_malloc::MiMalloc;
//!
//! use mi_malloc::purge;
//! use std::time::Duration;
//!
//! let background = purge::Background::start(Duration::from_millis(250))?;
//! // tokio: `runtime::Builder::new_multi_thread().on_thread_park(purge::on_thread_idle)`
//! // ... the program's work ...
//! purge::on_thread_idle();
//! println!("{:?}", background.report());
//! # drop(background);
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "std"))]
//! # fn main() {}
//! ```
//!
//! # Options
//!
//! Nothing here changes an option. These options decide what can be purged, and are best set in the program (`options!`)
//! or the environment:
//!
//! * **`allow_thp`** (v3, Linux). With `MIMALLOC_ALLOW_THP=2` memory is purged in whole ranges of 2 MiB, so that
//!   huge pages stay whole: free memory in between stays resident. Otherwise, also by default, ranges of 64 KiB are
//!   purged.
//! * **`purge_delay`** times **`arena_purge_mult`** is how long memory is kept before [`Background`] purges it: 50
//!   milliseconds on v3 (mostly less than twice as long; longer while much purged memory is soon in use again),
//!   100 on v2. A negative delay prevents purging altogether, also by [`now`].
//! * **`purge_decommits`**. With 0 memory is reset instead: the system takes it when it needs memory, so resident
//!   memory decreases later.
//!
//! # What it costs
//!
//! Measured on Linux (x86_64) with v3. A call of [`on_thread_idle`] takes 26 nanoseconds, of which 24 are for reading
//! the clock; one that collects (at most one in ten milliseconds) some 8 microseconds for a small heap, 90 for one of
//! 200 MiB, and half a microsecond for each page with free blocks of 8 KiB and more. The thread of [`Background`] took 25
//! microseconds of processor time per second in an idle program, with a wake-up every other second, and 0.01 to 0.03 percent
//! of one processor under load. Each time it also visits the pages in which free blocks could be purged: with 200 MiB of
//! them in 16 KiB blocks it took 0.2 milliseconds per second, with 2 GiB two.
//!
//! # What none of them purges
//!
//! The pages of *other* threads that still run. A sleeping thread keeps a few pages of each block size it has
//! used, and its latest eight of blocks of 64 to 512 KiB, even if they are empty by now, so it should call [`on_thread_idle`] before it sleeps. (Eight threads that had used 40
//! MiB each retained 20 MiB without that call.) Pages that become empty later, because other threads free their blocks,
//! stay until the thread calls it again.
//!
//! Free blocks beside a block in use: those smaller than two pages of the system (8 KiB on most systems), those of a
//! [`Heap`](crate::Heap), and those in an [`Arena`](crate::Arena) over memory of the program. All of them on v2, outside
//! Linux, in builds with `debug`, `guarded` or a sanitizer, with the system's mimalloc, and with the options `allow_thp` 2, `purge_decommits` 0 or
//! `page_full_retain` below 0. Of a larger free block one page of the system stays.
//!
//! # v2
//!
//! A thread owns segments of 32 MiB, and only its own frees and collections purge parts of them. So
//! [`Background`] achieves less there, and [`on_thread_idle`] purges what has been free for 10 milliseconds, not what
//! was freed just before.

use crate::sys;

#[cfg(feature = "std")]
mod background;
#[cfg(feature = "std")]
mod idle;

#[cfg(feature = "std")]
pub use background::{Background, Report};
#[cfg(feature = "std")]
pub use idle::on_thread_idle;

/// Purges everything that can be purged at once: the empty pages of the calling thread, the free memory of the
/// arenas, due or not, and the free blocks that [`Background`] purges. Returns the number of bytes purged.
///
/// It takes time (for each MiB some 5 microseconds where huge pages are behind it, 100 where not), and the
/// next allocations have to fault their memory in again: use it at the end of a phase, not for each request. Any thread may call
/// it; deferred frees run in this thread. The result includes what other threads purge meanwhile, and covers the main
/// subprocess only. v2 counts a range again that it purged before.
///
/// In a [callback](crate::callbacks) of mimalloc it purges no free blocks. Do not call it in a callback, a profiler or a
/// visitor that was registered through [`sys`]. While another thread is purging, mimalloc leaves
/// the arenas to that thread.
///
/// ```
/// drop(vec![1u8; 10 << 20]);
/// println!("{} bytes purged", mi_malloc::purge::now());
/// ```
pub fn now() -> u64 {
    let before = purged();
    // SAFETY: the first two are always safe to call. The others must not run in a callback or a visitor of the main heap:
    // this crate's callbacks are excluded, and only unsafe functions of `sys` register others.
    unsafe {
        // In a thread that has not allocated a collection does nothing.
        #[cfg(mi_v2)]
        sys::mi_thread_init();
        sys::mi_collect(true);
        if !is_in_callback() {
            sys::abandon_pages();
            sys::purge_free_blocks(core::time::Duration::ZERO);
        }
        // Here the arenas have a function of their own, which works in each thread.
        #[cfg(mi_v3)]
        sys::mi_arenas_purge();
    }
    purged().saturating_sub(before) // the counters may be reset meanwhile
}

/// Whether this thread may be working on a page. Without this crate's callbacks it cannot tell.
fn is_in_callback() -> bool {
    #[cfg(feature = "std")]
    {
        crate::callbacks::is_inside()
    }
    #[cfg(not(feature = "std"))]
    {
        false
    }
}

/// Bytes that mimalloc has purged so far.
fn purged() -> u64 {
    let mut stats = sys::mi_stats_t::new();
    // SAFETY: always safe to call; `stats` is initialised, and the main subprocess always lives. Purges are counted
    // there at once.
    unsafe {
        #[cfg(mi_v3)]
        sys::mi_subproc_stats_get_exclusive(sys::mi_subproc_main(), &mut stats);
        #[cfg(mi_v2)]
        sys::mi_stats_get(&mut stats);
    }
    stats.purged.total as u64
}

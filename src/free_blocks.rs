//! Memory inside free blocks, returned to the system while other blocks of their page are in use (`free_blocks.c`).

use core::time::Duration;

/// Makes the calling thread's pages of larger blocks available to all threads, before the thread sleeps.
///
/// The pages become abandoned, as at the end of a thread: whichever thread needs such a block next claims one, this one
/// included, and only in abandoned pages can [`purge_free_blocks`] purge the free blocks. These are pages of the main heap
/// in arenas that have some free block, with blocks from two pages of the system (8 KiB on most systems) to 64 KiB. The
/// thread also gives up the pages that it retains for single blocks of 64 to 512 KiB: empty ones return to their arena, the
/// others when their block is freed. A thread that only frees blocks may have claimed pages, too
/// (`mi_option_page_reclaim_on_free`).
///
/// It does nothing on v2, in builds with `debug`, `guarded` or a sanitizer, and where mimalloc is not compiled by this crate,
/// or is not of the release that it pins. Only pages of single blocks are abandoned outside Linux, and with the options
/// `purge_delay` below 0, `purge_decommits` 0 or `allow_thp` 2; none with `page_full_retain` below 0.
///
/// # Safety
///
/// Not in a callback of mimalloc ([`mi_register_error`](crate::mi_register_error) and its relatives, a profiler), where the
/// thread may be working on a page; nor in a visitor of the main heap, which holds a lock.
pub unsafe fn abandon_pages() {
    #[cfg(mi_program_options)]
    {
        extern "C" {
            fn mi_malloc_sys_abandon_pages();
        }
        // SAFETY: the thread is not working on a page, as the caller ensures. A thread without pages has nothing to
        // abandon.
        unsafe { mi_malloc_sys_abandon_pages() }
    }
}

/// Purges the memory of free blocks in abandoned pages: those of ended threads, and of [`abandon_pages`]. Returns the
/// number of bytes.
///
/// Of each free block all pages of the system are discarded except the one with the link of the free list. A block is
/// purged when a call finds it free, and an earlier call of any thread found it so at least `age` ago; if `age` is zero,
/// at once. A block that is purged stays in the free list, and its memory is faulted in again when it is used. Where a huge
/// page was behind it, resident memory decreases at once, but the system may split the huge page only when it needs memory.
///
/// It reads the first words of each free block; where nothing has changed since all were purged, a free list is not read
/// again for a minute, unless `age` is zero. Discarding a block takes about a microsecond. The result, which the
/// statistics `purged` and `purge_calls` include, counts memory that was not resident too. 0 wherever [`abandon_pages`]
/// abandons no pages of several blocks.
///
/// Any thread may call it, also several at the same time. Not upstream's.
///
/// # Safety
///
/// As for [`abandon_pages`].
pub unsafe fn purge_free_blocks(age: Duration) -> usize {
    #[cfg(mi_program_options)]
    {
        extern "C" {
            fn mi_malloc_sys_purge_free_blocks(age: usize) -> usize;
        }
        let milliseconds = age.as_millis().min(i32::MAX as u128) as usize;
        // A shorter age than a millisecond is one.
        let milliseconds = milliseconds.max((age != Duration::ZERO) as usize);
        // SAFETY: the C visits only pages that no thread owns, and owns them meanwhile. The caller holds no lock of
        // mimalloc.
        unsafe { mi_malloc_sys_purge_free_blocks(milliseconds) }
    }
    #[cfg(not(mi_program_options))]
    {
        let _ = age;
        0
    }
}

//! Statistics: what both major versions declare alike. The statistics themselves (`mi_stats_t`) differ, so they are in
//! the modules `v3` and `v2`.

#[cfg(any(mi_v2, docsrs))]
pub(crate) mod v2;
#[cfg(mi_v3)]
mod v3;

#[cfg(mi_v2)]
pub use self::v2::*;
#[cfg(mi_v3)]
pub use self::v3::*;

use crate::extended::mi_output_fun;
use core::ffi::c_void;
use cty::c_char;

/// A quantity that grows and shrinks, such as the pages in use.
///
/// In the statistics of one thread or one heap `current` can be negative: what one thread counted up
/// another may have counted down. Across threads `peak` is an estimate.
///
/// Header: `mimalloc-stats.h`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct mi_stat_count_t {
    /// The sum of all increases.
    pub total: i64,
    /// The largest value that `current` had.
    pub peak: i64,
    /// The value now.
    pub current: i64,
}

/// A quantity that only grows, such as the number of calls.
///
/// Header: `mimalloc-stats.h`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct mi_stat_counter_t {
    /// The sum of all increases.
    pub total: i64,
}

extern "C" {
    /// Copies the statistics into `*stats`.
    ///
    /// ```
    /// use mi_malloc_sys::{mi_stats_get, mi_stats_t};
    ///
    /// let mut stats = mi_stats_t::new();
    /// assert!(unsafe { mi_stats_get(&mut stats) });
    /// ```
    ///
    /// v3: the statistics of the calling thread's subprocess and of all its heaps. They hold what the
    /// calling thread has counted. What other threads have counted joins when they collect, when they
    /// end, or after every `mi_option_stats_merge_threshold` bytes; a single block of that size is counted
    /// at once. A thread counts the blocks of a
    /// page when it next tends to that page; `mi_collect(false)` makes the calling thread's numbers
    /// exact.
    ///
    /// v2: the statistics of the process. They hold what a thread has counted once that thread has
    /// ended or called `mi_stats_merge`; call the latter first. v2 also sets `size` and `version` in
    /// `*stats` to 0, so a second call wants a new `mi_stats_t::new()`.
    ///
    /// Returns false, and leaves `*stats` alone, if `stats` is NULL or its `size` and `version` are
    /// not those of this major version. Any thread may call this; numbers that change meanwhile may not fit
    /// each other.
    ///
    /// Header: `mimalloc-stats.h`.
    ///
    /// # Safety
    ///
    /// `stats` is NULL or points to an initialised `mi_stats_t`.
    pub fn mi_stats_get(stats: *mut crate::mi_stats_t) -> bool;

    /// Writes the statistics of [`mi_stats_get`] and the numbers of
    /// [`mi_process_info`](crate::mi_process_info) as a JSON object, ended by NUL.
    ///
    /// With `buf` NULL or `buf_size` 0 the result is a new block, to be freed with
    /// [`mi_free`](crate::mi_free), or NULL if memory has run out. Otherwise the text is written into
    /// the `buf_size` bytes at `buf`, and the result is `buf`. 32 KiB are always enough.
    ///
    /// If the text does not fit it is cut off and ended by NUL, and v3 returns NULL. v2 still returns
    /// `buf`.
    ///
    /// Header: `mimalloc-stats.h`.
    ///
    /// # Safety
    ///
    /// `buf` is NULL or has room for `buf_size` bytes.
    pub fn mi_stats_get_json(buf_size: usize, buf: *mut c_char) -> *mut c_char;

    /// Prints the statistics as a table, line by line, to `out` with `arg`.
    ///
    /// With `out` NULL (`None`) they go to the default output
    /// ([`mi_register_output`](crate::mi_register_output)), without regard to `arg`. v3 prints what
    /// [`mi_stats_get`] returns. v2 first adds the calling thread's numbers to those of the process.
    ///
    /// Header: `mimalloc.h` (v3 also in `mimalloc-stats.h`).
    ///
    /// # Safety
    ///
    /// `out` may be called with `arg`.
    pub fn mi_stats_print_out(out: mi_output_fun, arg: *mut c_void);

    /// Prints the statistics to the default output, as [`mi_stats_print_out`] does; `out` should be
    /// NULL.
    ///
    /// `out` is a leftover from older versions, which took C's `stdout` or `stderr`.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `out` is NULL, or C's `stdout` or `stderr`. Any other pointer is called as a function!
    #[cfg_attr(mi_v3, deprecated(note = "use `mi_stats_print_out`"))]
    pub fn mi_stats_print(out: *mut c_void);

    /// v2: sets the statistics of the process and of the calling thread to zero.
    ///
    /// v3: resets nothing, despite the name. It adds the calling thread's numbers for the main heap,
    /// and those of the main heap itself, to those of the subprocess; what [`mi_stats_get`] returns stays
    /// the same.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// v2: no other thread uses mimalloc meanwhile. v3: always safe to call.
    #[cfg_attr(mi_v3, deprecated(note = "does not reset the statistics on v3"))]
    pub fn mi_stats_reset();

    /// Prints what the calling thread has counted and not yet added to the statistics that all threads
    /// share.
    ///
    /// With `out` NULL (`None`) it goes to the default output. v3 prints the numbers for the thread's
    /// default heap and then adds them to those of that heap, so the next call starts from zero; it
    /// prints nothing if the thread has not used mimalloc.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `out` may be called with `arg`.
    #[cfg_attr(
        mi_v3,
        deprecated(note = "use `mi_heap_stats_print_out` or `mi_stats_print_out`")
    )]
    pub fn mi_thread_stats_print_out(out: mi_output_fun, arg: *mut c_void);
}

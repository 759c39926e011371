//! The allocation profiler of v3: hooks for a profiler of one's own, and the built-in one that writes
//! `pprof` files.

use crate::heap::mi_heap_t;
use crate::mi_subproc_id_t;
use core::ffi::c_void;
use cty::c_char;

/// Most bytes of [`sample_data_size`](mi_profiler_t::sample_data_size) that mimalloc provides.
///
/// Header: `mimalloc-profile.h`.
#[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
pub const MI_PROFILE_SAMPLE_DATA_MAX_SIZE: usize = 1024;

/// A profiler's own data about one sampled block.
///
/// mimalloc keeps it beside the block. It is valid from the start of the
/// [`on_alloc`](mi_profiler_t::on_alloc) call, when the bytes at `user_data` are not yet initialised,
/// until the end of the [`on_free`](mi_profiler_t::on_free) call.
///
/// Header: `mimalloc-profile.h`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
pub struct mi_profiler_sample_data_t {
    /// Number of bytes at `user_data`: the profiler's
    /// [`sample_data_size`](mi_profiler_t::sample_data_size), rounded up to whole pointers, at most
    /// [`MI_PROFILE_SAMPLE_DATA_MAX_SIZE`].
    pub user_data_size: usize,
    /// The first of these bytes. There can be more than this one pointer, so reach them through a
    /// raw pointer to the whole struct and never copy the struct.
    pub user_data: [*mut c_void; 1],
}

/// Called by mimalloc after it allocated a block that is to be sampled, on the allocating thread and
/// on several threads at once.
///
/// * `profiler`: the profiler that is attached to `heap`.
/// * `profiler_data`: room for data about this block. NULL if the profiler has no `on_free` or a
///   `sample_data_size` of 0; then mimalloc does not remember that the block was sampled.
/// * `ptr`: the block. `requested_size`: the bytes that the program asked for.
/// * `bytes_sample_rate`: this thread's sample rate for this heap, in bytes.
/// * `bytes_since_last_sample`: the bytes that this thread requested from this heap since the last
///   sample, with this block.
///
/// Returns the next sample rate, in bytes, for this thread and heap; 0 keeps the rate.
///
/// Allocations inside the call are not sampled. The call must not unwind.
///
/// Header: `mimalloc-profile.h`.
#[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
pub type mi_profiler_on_alloc_fun = Option<
    unsafe extern "C" fn(
        profiler: *mut mi_profiler_t,
        profiler_data: *mut mi_profiler_sample_data_t,
        ptr: *mut c_void,
        requested_size: usize,
        bytes_sample_rate: usize,
        bytes_since_last_sample: u64,
        heap: *mut mi_heap_t,
    ) -> usize,
>;

/// Meant for a sampled block that changes its size where it stands. mimalloc 3.6.0 never calls it, so
/// nothing says what the result means.
///
/// Header: `mimalloc-profile.h`.
#[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
pub type mi_profiler_on_realloc_inplace_fun = Option<
    unsafe extern "C" fn(
        profiler: *mut mi_profiler_t,
        profiler_data: *mut mi_profiler_sample_data_t,
        ptr: *mut c_void,
        old_size: usize,
        heap: *mut mi_heap_t,
    ) -> usize,
>;

/// Called by mimalloc before it frees a sampled block, on the freeing thread and on several threads at
/// once.
///
/// `profiler_data` is what [`on_alloc`](mi_profiler_t::on_alloc) filled for this block, possibly on
/// another thread. For an aligned block `ptr` is the address the program has, where `on_alloc` got the
/// one that the alignment starts from: recognise a block by its data. A block that is freed while the profiler is stopped or detached is not reported.
/// Unlike in `on_alloc`, allocations inside the call can be sampled. So it best allocates nothing, or from a heap with
/// [`mi_heap_profile_disable`]. It must not allocate from the block's own heap: that may fill the block's page, which mimalloc
/// 3.6.0 then abandons while it frees the block in it. The call must not unwind.
///
/// Header: `mimalloc-profile.h`.
#[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
pub type mi_profiler_on_free_fun = Option<
    unsafe extern "C" fn(
        profiler: *mut mi_profiler_t,
        profiler_data: *mut mi_profiler_sample_data_t,
        ptr: *mut c_void,
        heap: *mut mi_heap_t,
    ),
>;

/// Called by [`mi_profiler_snapshot`] on the thread that calls that. mimalloc runs one such call at a
/// time in the whole process, while the other callbacks may run on other threads. The call must not
/// unwind.
///
/// Header: `mimalloc-profile.h`.
#[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
pub type mi_profiler_on_snapshot_fun = Option<unsafe extern "C" fn(profiler: *mut mi_profiler_t)>;

/// A profiler: what mimalloc calls when it samples an allocation.
///
/// Attach it to heaps ([`mi_heap_profile`], [`mi_subproc_profile`], [`mi_profile`]), then start it
/// ([`mi_profiler_start`]). A profiler with data of its own puts them behind these fields, in a
/// `repr(C)` struct that begins with an `mi_profiler_t`; the callbacks get a pointer to it.
///
/// mimalloc keeps the pointer and writes to `reserved`. So the profiler lives in writable memory (not
/// in a plain `static`) until it is detached from every heap, no callback runs any more, and no
/// thread is about to call one. All other fields stay unchanged once it is attached.
///
/// Release builds (`MI_PROFILE=1`) look for a sample only where an allocation leaves the fast path,
/// so they do not keep to rates below about 64 KiB. Debug builds (`MI_PROFILE=2`) look at each
/// allocation. Upstream calls the interface experimental.
///
/// Header: `mimalloc-profile.h`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
pub struct mi_profiler_t {
    /// For mimalloc, which keeps here whether the profiler runs; NULL at first.
    pub reserved: *mut c_void,
    /// Bytes of data to keep for each sampled block; 0 is none. Rounded up to whole pointers, at most
    /// [`MI_PROFILE_SAMPLE_DATA_MAX_SIZE`].
    pub sample_data_size: usize,
    /// About how many bytes a thread requests from one sample to the next; 0 counts as 1, which samples
    /// at every chance. Holds until [`on_alloc`](Self::on_alloc) returns another rate, and not for the
    /// thread that calls [`mi_profiler_start`]: its main heap starts with a rate of 1.
    pub initial_sample_rate: usize,
    /// Called for a sampled allocation. With `None` nothing is sampled.
    pub on_alloc: mi_profiler_on_alloc_fun,
    /// Called when a sampled block is freed, while mimalloc is working on the block's page: it must not call
    /// [`abandon_pages`](crate::abandon_pages), nor functions of `mi-malloc`'s module `purge`. With `None`,
    /// or with a `sample_data_size` of 0, frees are not reported.
    pub on_free: mi_profiler_on_free_fun,
    /// Not called by mimalloc 3.6.0.
    pub on_realloc_inplace: mi_profiler_on_realloc_inplace_fun,
    /// Called by [`mi_profiler_snapshot`].
    pub on_snapshot: mi_profiler_on_snapshot_fun,
}

impl mi_profiler_t {
    /// A profiler with nothing set: all fields are 0, NULL or `None`. Nothing is sampled until
    /// [`on_alloc`](Self::on_alloc) is set.
    ///
    /// ```
    /// # #[cfg(mi_v3)] {
    /// use mi_malloc_sys::mi_profiler_t;
    ///
    /// let profiler = mi_profiler_t {
    ///     initial_sample_rate: 512 << 10,
    ///     ..mi_profiler_t::new()
    /// };
    /// # assert!(profiler.on_alloc.is_none());
    /// # }
    /// ```
    pub const fn new() -> Self {
        Self {
            reserved: core::ptr::null_mut(),
            sample_data_size: 0,
            initial_sample_rate: 0,
            on_alloc: None,
            on_free: None,
            on_realloc_inplace: None,
            on_snapshot: None,
        }
    }
}

impl Default for mi_profiler_t {
    fn default() -> Self {
        Self::new()
    }
}

extern "C" {
    /// Attaches `profiler` to `heap`, after stopping it; NULL detaches what is attached.
    ///
    /// Returns false if a profiler is attached already, even if it is the same. Detaching always returns
    /// true unless another thread attaches or detaches at the same moment; it also undoes
    /// [`mi_heap_profile_disable`].
    ///
    /// Header: `mimalloc-profile.h`.
    ///
    /// # Safety
    ///
    /// `heap` is a live heap, not NULL. `profiler` is NULL or a profiler that stays alive and
    /// unchanged as [`mi_profiler_t`] says.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_heap_profile(heap: *mut mi_heap_t, profiler: *mut mi_profiler_t) -> bool;

    /// Detaches what is attached to `heap` and keeps other profilers away from it.
    ///
    /// For a heap from which a profiler itself allocates. Detaching with [`mi_heap_profile`],
    /// [`mi_subproc_profile`] or [`mi_profile`] undoes it.
    ///
    /// Header: `mimalloc-profile.h`.
    ///
    /// # Safety
    ///
    /// `heap` is a live heap, not NULL.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_heap_profile_disable(heap: *mut mi_heap_t);

    /// Attaches `profiler` to a subprocess, after stopping it: to each of its heaps that has none, and
    /// to each heap that is made later. NULL detaches what is attached, also from heaps that have a
    /// profiler of their own.
    ///
    /// Returns false and attaches nothing if the subprocess has a profiler already (even the same; it
    /// is stopped all the same), or if `subproc_id` is the null id.
    ///
    /// Header: `mimalloc-profile.h`.
    ///
    /// # Safety
    ///
    /// `subproc_id` is null or a live subprocess. `profiler` is NULL or a profiler that stays alive and
    /// unchanged as [`mi_profiler_t`] says.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_subproc_profile(subproc_id: mi_subproc_id_t, profiler: *mut mi_profiler_t) -> bool;

    /// As [`mi_subproc_profile`] for the main subprocess, which is the whole program unless it makes
    /// others.
    ///
    /// Header: `mimalloc-profile.h`.
    ///
    /// # Safety
    ///
    /// As for [`mi_subproc_profile`].
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_profile(profiler: *mut mi_profiler_t) -> bool;

    /// Starts sampling for `profiler`.
    ///
    /// The calling thread samples the main heap at once, if `profiler` is attached to it, and with a rate
    /// of 1 instead of [`initial_sample_rate`](mi_profiler_t::initial_sample_rate). The rate stays 1 if
    /// [`on_alloc`](mi_profiler_t::on_alloc) returns 0, so a profiler of one's own best returns its rate
    /// each time. Any other thread or heap starts within a thousand allocations that leave the fast path,
    /// with `initial_sample_rate`.
    ///
    /// Returns whether it ran already; false if `profiler` is NULL, which does nothing. Any thread may
    /// call this.
    ///
    /// Header: `mimalloc-profile.h`.
    ///
    /// # Safety
    ///
    /// `profiler` is NULL or a live profiler.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_profiler_start(profiler: *mut mi_profiler_t) -> bool;

    /// Stops sampling for `profiler`. Callbacks that have begun on other threads still finish.
    ///
    /// Returns whether it ran; false if `profiler` is NULL, which does nothing. Any thread may call
    /// this.
    ///
    /// Header: `mimalloc-profile.h`.
    ///
    /// # Safety
    ///
    /// `profiler` is NULL or a live profiler.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_profiler_stop(profiler: *mut mi_profiler_t) -> bool;

    /// Calls [`on_snapshot`](mi_profiler_t::on_snapshot) of `profiler`, on this thread.
    ///
    /// Does nothing if `profiler` is NULL, has no `on_snapshot`, or if a snapshot of any profiler is
    /// just being made on some thread. Any thread may call this, running or not; callbacks may call it
    /// too.
    ///
    /// Header: `mimalloc-profile.h`.
    ///
    /// # Safety
    ///
    /// `profiler` is NULL or a live profiler.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_profiler_snapshot(profiler: *mut mi_profiler_t);

    /// Makes the built-in profiler, which writes snapshots for `pprof`. It is neither attached nor
    /// started.
    ///
    /// * `initial_threshold`: bytes from one sample to the next, on average (the steps are random); 0
    ///   samples at every chance.
    /// * `base_file_name`: where to write, copied; NULL writes nothing. An extension, that is what
    ///   follows the last dot of the file name, is cut off. `.heap` and `.text` choose the text format,
    ///   anything else the binary one.
    /// * `alloc_interval_size`, `inuse_interval_size`, `time_interval_secs`: make a snapshot by itself
    ///   each time so many bytes have been allocated, the sampled bytes in use have grown by so many,
    ///   or so many seconds have passed (noticed at the next sample); 0 is never.
    ///
    /// Returns NULL if memory has run out. Free it with [`mi_pprof_profiler_delete`].
    ///
    /// # Files
    ///
    /// Snapshots are numbered: `name.0001.heap` is text (the heap profile of gperftools), and
    /// `name.0001.pb` is a `Profile` message of pprof, not compressed. A file of that name is
    /// overwritten. On Unix, if the C build found `unistd.h`, only the owner can read a new file, and a
    /// symbolic link is not followed.
    ///
    /// Both give, for each call stack and thread, the objects and bytes allocated and in use. They count
    /// the sampled blocks only and are not scaled up to all blocks. The message also has the thread
    /// as the label `thread`. Sampling pauses while a snapshot is written.
    ///
    /// On Linux a viewer shows wrong function names for the message and few names for the text: 3.6.0
    /// writes no file offsets into the one, and addresses in capitals into the other.
    /// [`guide::profiling`](crate::guide::profiling) has the remedies.
    ///
    /// Call stacks need Windows, or a C build that found `execinfo.h` or libunwind; without them the
    /// profile is empty. A build with `MI_PROFILE=0` samples nothing.
    ///
    /// # Environment
    ///
    /// `MIMALLOC_PROFILE=name` runs this profiler from process start to process end, attached to the
    /// main subprocess, with a last snapshot at the end. Its parameters are the options
    /// `mi_option_profile_sample_rate`, `_alloc_interval`, `_inuse_interval` and `_time_interval`, so
    /// also set by the environment, for example `MIMALLOC_PROFILE_TIME_INTERVAL=60`. A Unix program
    /// that runs with another user's rights (setuid, setgid) ignores it, if the C build found
    /// `unistd.h`.
    ///
    /// Header: `mimalloc-profile.h`.
    ///
    /// # Safety
    ///
    /// `base_file_name` is NULL or points to a NUL-terminated string.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_pprof_profiler_new(
        initial_threshold: usize,
        base_file_name: *const c_char,
        alloc_interval_size: usize,
        inuse_interval_size: usize,
        time_interval_secs: usize,
    ) -> *mut mi_profiler_t;

    /// Frees a profiler of [`mi_pprof_profiler_new`]. NULL is allowed and does nothing. It makes no
    /// snapshot.
    ///
    /// Header: `mimalloc-profile.h`.
    ///
    /// # Safety
    ///
    /// `profiler` is NULL or comes from [`mi_pprof_profiler_new`], is detached from every heap, and is
    /// neither used afterwards nor just being used by another thread.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_pprof_profiler_delete(profiler: *mut mi_profiler_t);
}

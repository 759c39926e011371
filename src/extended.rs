//! What goes beyond `malloc`: small, zeroed and counted allocation, block sizes, callbacks, and the
//! start and end of threads and of the process.

#[cfg(any(mi_v2, docsrs))]
pub(crate) mod v2;
#[cfg(mi_v3)]
mod v3;

#[cfg(mi_v2)]
pub use self::v2::*;
#[cfg(mi_v3)]
pub use self::v3::*;

use core::ffi::c_void;
use core::mem::size_of;
use cty::{c_char, c_int, c_ulonglong};

/// The largest *small* size in machine words; see [`MI_SMALL_SIZE_MAX`].
///
/// Header: `mimalloc.h`.
pub const MI_SMALL_WSIZE_MAX: usize = 128;

/// The largest *small* size in bytes, the limit of [`mi_malloc_small`] and its relatives:
/// 1024 on 64-bit, 512 on 32-bit.
///
/// Header: `mimalloc.h`.
pub const MI_SMALL_SIZE_MAX: usize = MI_SMALL_WSIZE_MAX * size_of::<usize>();

/// Called by mimalloc now and then so that a program can free what it has put off, for example by a
/// reference-counting runtime. See [`mi_register_deferred_free`](crate::mi_register_deferred_free).
///
/// `force` is true when everything should be freed at once. `heartbeat` grows from call to call of
/// one thread (v3: of one heap in one thread), so a program can measure out its work by it. `arg`
/// is the registered argument. The callback runs inside an allocation or a collection, on the
/// thread that asked for it; it may allocate and free, and is not entered again meanwhile.
///
/// Header: `mimalloc.h`.
pub type mi_deferred_free_fun =
    Option<unsafe extern "C" fn(force: bool, heartbeat: c_ulonglong, arg: *mut c_void)>;

/// Receives a piece of text that mimalloc prints: `msg` is a NUL-terminated string that is valid
/// during the call only, `arg` the argument given beside the callback. One line of text may come in several
/// calls.
///
/// A registered callback may be called by any thread, in the middle of an allocation, so it should
/// neither allocate through mimalloc nor wait for another thread.
///
/// Header: `mimalloc.h`.
pub type mi_output_fun = Option<unsafe extern "C" fn(msg: *const c_char, arg: *mut c_void)>;

/// Receives an error number: `err` is a C `errno` value such as `ENOMEM`, `EOVERFLOW`, `EINVAL`,
/// `EFAULT` or `EAGAIN` (which of them is caught depends on the build), `arg` the registered
/// argument. See [`mi_register_error`](crate::mi_register_error).
///
/// Header: `mimalloc.h`.
pub type mi_error_fun = Option<unsafe extern "C" fn(err: c_int, arg: *mut c_void)>;

extern "C" {
    /// As [`mi_malloc`](crate::mi_malloc) for a small `size`, without the check whether it is one.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `size` is at most [`MI_SMALL_SIZE_MAX`] bytes: a larger one reads beyond a table (a debug
    /// build stops the program). The bytes must be written before they are read.
    pub fn mi_malloc_small(size: usize) -> *mut c_void;

    /// As [`mi_malloc_small`], with all bytes zero.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `size` is at most [`MI_SMALL_SIZE_MAX`] bytes.
    pub fn mi_zalloc_small(size: usize) -> *mut c_void;

    /// As [`mi_malloc`](crate::mi_malloc), with all bytes zero.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call.
    pub fn mi_zalloc(size: usize) -> *mut c_void;

    /// Allocates room for `count` elements of `size` bytes each, uninitialised.
    ///
    /// Returns NULL if memory has run out or if `count * size` overflows or is too large. (Only a
    /// debug build reports an overflow to the error callback, as `EOVERFLOW`.)
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call; the bytes must be written before they are read.
    pub fn mi_mallocn(count: usize, size: usize) -> *mut c_void;

    /// As [`mi_realloc`](crate::mi_realloc) to a size of `count` elements of `size` bytes each.
    ///
    /// Returns NULL also if `count * size` overflows; `p` then is still valid.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `p` is NULL or a live block of this allocator. When the result is not NULL, `p` must not be
    /// used any more.
    pub fn mi_reallocn(p: *mut c_void, count: usize, size: usize) -> *mut c_void;

    /// As [`mi_realloc`](crate::mi_realloc), but frees `p` when it fails.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `p` is NULL or a live block of this allocator, and is not used afterwards.
    pub fn mi_reallocf(p: *mut c_void, newsize: usize) -> *mut c_void;

    /// The number of bytes that can be used in the block `p`, counted from `p`: at least the size
    /// that was asked for. For NULL it is 0.
    ///
    /// A build with padding (features `secure` and `debug`, memory-tracking tools) does not count the
    /// slack of the size class, so there it usually is that very size.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `p` is NULL or a live block of this allocator.
    pub fn mi_usable_size(p: *const c_void) -> usize;

    /// The size in bytes of the block that [`mi_malloc`](crate::mi_malloc) would take for `size`
    /// bytes: a program that can use more may ask for that much at the same cost.
    ///
    /// A build with padding counts the padding too, so it cannot be asked for there. Blocks beyond
    /// the size classes are rounded to whole pages of the operating system, and may get still larger;
    /// a `size` that could never be allocated is returned as it is.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call.
    pub fn mi_good_size(size: usize) -> usize;

    /// Frees a block that was asked for as a small one. On v3 it finds the block's page faster than
    /// [`mi_free`](crate::mi_free); on v2 it is `mi_free`. NULL does nothing. Any thread may call it.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `p` is NULL or a live block of this allocator, and is not used afterwards. It was allocated
    /// (or last reallocated) with a size of at most [`MI_SMALL_SIZE_MAX`] bytes, by any function;
    /// an alignment that was ever asked for it is at most that size; and it was not made small by
    /// [`mi_expand`](crate::mi_expand), which can leave it among large blocks.
    pub fn mi_free_small(p: *mut c_void);

    /// Calls `deferred_free` from time to time, so that it may free what the program has put off.
    ///
    /// It is called on a thread that allocates: once for many allocations that find no free block at
    /// hand (every 1000 on v3, every 100 on v2), and at each collection of the thread's memory, with
    /// `force` as in [`mi_collect`]. It is not called while it runs on the same thread. There is one
    /// callback per process: a new one replaces it, NULL (`None`) removes it.
    ///
    /// Upstream's v2, and so the system's library, also calls it when a thread ends. If it allocates then, the
    /// thread gets a new heap that is never freed. The C of this crate leaves this call out.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// The callback must be callable from every thread that allocates, with `arg`, for as long as it
    /// is registered, and must not unwind. Callback and argument are not stored together, so
    /// register before other threads allocate.
    /// It must not call
    /// [`abandon_pages`](crate::abandon_pages) or [`purge_free_blocks`](crate::purge_free_blocks), nor
    /// functions of `mi-malloc`'s module `purge`, which do.
    pub fn mi_register_deferred_free(deferred_free: mi_deferred_free_fun, arg: *mut c_void);

    /// Sends what mimalloc prints to `out`, instead of the standard error stream. NULL (`None`) means
    /// that stream.
    ///
    /// There is one output per process. The text printed before the first registration (up to 16 KiB)
    /// is handed to `out` at once, and to each later one again.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `out` must be callable from every thread, also from several at the same time and from within
    /// an allocation, with `arg`, for as long as it is registered, and must not unwind. It should
    /// not make mimalloc print anything (on v2 that is dropped, on v3 it recurses). Callback and
    /// argument are not stored together, so register before other threads allocate.
    /// It must not call
    /// [`abandon_pages`](crate::abandon_pages) or [`purge_free_blocks`](crate::purge_free_blocks), nor
    /// functions of `mi-malloc`'s module `purge`, which do.
    pub fn mi_register_output(out: mi_output_fun, arg: *mut c_void);

    /// Hands every error to `fun`, instead of the usual treatment. NULL (`None`) brings that back.
    ///
    /// Errors are `ENOMEM` (memory has run out), `EOVERFLOW` and `EINVAL` (a request that is too
    /// large or wrong, or a pointer that is not a block), and in builds that look for them (`secure`,
    /// `debug`) `EAGAIN` (double free) and `EFAULT` (corrupted memory). The function that met the
    /// error then returns NULL, or leaves the block alone. The usual treatment is to abort on
    /// `EFAULT` in `secure` and `debug` builds, and otherwise to set `errno` if it is 0, to `EINVAL`
    /// or `ENOMEM`. A message is printed before, if `mi_option_show_errors` is on, as it is by default in
    /// those builds. With a callback, mimalloc does neither: it is for the callback to abort.
    ///
    /// There is one callback per process.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `fun` must be callable from every thread, also from within an allocation, with `arg`, for as
    /// long as it is registered, and must not unwind. Callback and argument are not stored together
    /// (and the callback not atomically), so register before other threads allocate.
    /// It must not call
    /// [`abandon_pages`](crate::abandon_pages) or [`purge_free_blocks`](crate::purge_free_blocks), nor
    /// functions of `mi-malloc`'s module `purge`, which do.
    ///
    /// v3: if memory runs out at the first allocation of a thread, `fun` is called while mimalloc's own data
    /// is locked (`theap_meta_lock`), and deadlocks if it allocates.
    pub fn mi_register_error(fun: mi_error_fun, arg: *mut c_void);

    /// Frees the empty pages of the calling thread's default heap, and returns to the operating system
    /// what the arenas have kept for longer than the purge delay.
    ///
    /// With `force` true the delay does not count: full pages are looked at too, and the free memory
    /// of all arenas is returned at once (unless the option `mi_option_purge_delay` is negative, which
    /// forbids it), which is slow. The pages of other threads are not touched. A thread that allocates
    /// does the same, without `force`, every 10,000 allocations outside the fast path.
    ///
    /// In a thread that has not allocated yet it does nothing, for any memory; call
    /// [`mi_thread_init`] first.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call; the callback of [`mi_register_deferred_free`] runs within.
    pub fn mi_collect(force: bool);

    /// The version of the C code that is linked, as `10000 * major + 100 * minor + patch`.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call.
    pub fn mi_version() -> c_int;

    /// Prints the version, all options with their values, and how the C code was built, to the
    /// output of [`mi_register_output`].
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call.
    pub fn mi_options_print();

    /// Reports how much time and memory the process has used. Each pointer may be NULL.
    ///
    /// - `elapsed_msecs`: milliseconds since mimalloc started; `user_msecs` and `system_msecs`:
    ///   processor time in milliseconds.
    /// - `current_rss`, `peak_rss`: resident memory in bytes. Where the system does not tell the
    ///   current one (all but Windows and macOS), it is the same number as `current_commit`.
    ///   On Unix `peak_rss` is `ru_maxrss` of `getrusage`. Linux keeps that value across `exec`, so it
    ///   also counts what the process was before: a program that a large process started reports at
    ///   least the memory of that process. The program's own peak is `VmHWM` in `/proc/self/status`.
    /// - `current_commit`, `peak_commit`: bytes that mimalloc holds committed; on Windows, that the
    ///   whole process has.
    /// - `page_faults`: those that had to read from disk; on Windows all.
    ///
    /// On WebAssembly the processor times and the page faults are 0.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Each pointer is NULL or can be written.
    pub fn mi_process_info(
        elapsed_msecs: *mut usize,
        user_msecs: *mut usize,
        system_msecs: *mut usize,
        current_rss: *mut usize,
        peak_rss: *mut usize,
        current_commit: *mut usize,
        peak_commit: *mut usize,
        page_faults: *mut usize,
    );

    /// Initialises mimalloc: reads the options from the environment and reserves the memory that
    /// they ask for. Happens by itself, at program start or with the first allocation; calling it
    /// again does nothing.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call.
    pub fn mi_process_init();

    /// Winds mimalloc down. Happens by itself when the process exits; only the first call acts.
    ///
    /// Frees unused memory (unless built with `skip_collect_on_exit`), prints statistics if the
    /// option `mi_option_show_stats` or `mi_option_verbose` is on, and with
    /// `mi_option_destroy_on_exit` releases all memory, live blocks included. Without the last one
    /// plain allocation and freeing go on working for what else runs at exit, but threads that end
    /// afterwards no longer hand over their memory, and heaps other than the default one are not to
    /// be relied on.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// With `mi_option_destroy_on_exit`, neither a block nor a function of this allocator may be used
    /// afterwards, by any thread. No other thread may be using the allocator meanwhile.
    pub fn mi_process_done();

    /// Initialises mimalloc for the calling thread. Happens by itself with the thread's first
    /// allocation; calling it again does nothing.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call.
    pub fn mi_thread_init();

    /// Ends mimalloc for the calling thread: memory that still holds live blocks is left for other
    /// threads to take over. Happens by itself when the thread ends.
    ///
    /// The blocks stay valid, and any thread may free them. If the thread allocates again, it is
    /// initialised anew; let it do so before it ends (v3.6.0 looks at what it has freed otherwise).
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// On v2 the heaps that the thread created are deleted, and on v3 its `mi_theap_t`s: no pointer
    /// to them may be used afterwards.
    pub fn mi_thread_done();

    /// Says that the calling thread belongs to a pool, which runs unrelated tasks one after another.
    ///
    /// v3 then takes over fewer pages from other threads, and keeps fewer full pages in heaps that
    /// the thread comes to use afterwards. On Windows it sees the threads of the system's pool by
    /// itself. On v2 this does nothing.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call.
    pub fn mi_thread_set_in_threadpool();

    /// As [`mi_malloc`](crate::mi_malloc); also writes the full size of the block to `*block_size`.
    ///
    /// That is the size in bytes of the block underneath, with padding and with what alignment
    /// takes, so it can be more than [`mi_usable_size`] says. When the result is NULL nothing is
    /// written, and a debug build stops the program. `block_size` may be NULL.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `block_size` is NULL or can be written. The bytes must be written before they are read.
    pub fn mi_umalloc(size: usize, block_size: *mut usize) -> *mut c_void;

    /// As [`mi_calloc`](crate::mi_calloc), with `block_size` as in [`mi_umalloc`].
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `block_size` is NULL or can be written.
    pub fn mi_ucalloc(count: usize, size: usize, block_size: *mut usize) -> *mut c_void;

    /// As [`mi_realloc`](crate::mi_realloc); also writes the full size of the old block to
    /// `*block_size_pre` (0 for NULL) and of the new one to `*block_size_post`.
    ///
    /// The sizes are those of [`mi_umalloc`]. When memory has run out, `*block_size_post` is not
    /// written. Both pointers may be NULL.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `p` is NULL or a live block of this allocator; when the result is not NULL, `p` must not be
    /// used any more. Each of the other pointers is NULL or can be written.
    pub fn mi_urealloc(
        p: *mut c_void,
        newsize: usize,
        block_size_pre: *mut usize,
        block_size_post: *mut usize,
    ) -> *mut c_void;

    /// As [`mi_free`](crate::mi_free); also writes the full size of the block, as in [`mi_umalloc`],
    /// to `*block_size`, or 0 for NULL. `block_size` may be NULL.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `p` is NULL or a live block of this allocator, and is not used afterwards. `block_size` is
    /// NULL or can be written.
    pub fn mi_ufree(p: *mut c_void, block_size: *mut usize);

    /// As [`mi_malloc_aligned`](crate::mi_malloc_aligned), with `block_size` as in [`mi_umalloc`].
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `block_size` is NULL or can be written. The bytes must be written before they are read.
    pub fn mi_umalloc_aligned(size: usize, alignment: usize, block_size: *mut usize)
        -> *mut c_void;

    /// As [`mi_zalloc_aligned`](crate::mi_zalloc_aligned), with `block_size` as in [`mi_umalloc`].
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `block_size` is NULL or can be written.
    pub fn mi_uzalloc_aligned(size: usize, alignment: usize, block_size: *mut usize)
        -> *mut c_void;

    /// As [`mi_malloc_small`], with `block_size` as in [`mi_umalloc`].
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `size` is at most [`MI_SMALL_SIZE_MAX`] bytes, and `block_size` is NULL or can be written. The
    /// bytes must be written before they are read.
    pub fn mi_umalloc_small(size: usize, block_size: *mut usize) -> *mut c_void;

    /// As [`mi_zalloc_small`], with `block_size` as in [`mi_umalloc`].
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `size` is at most [`MI_SMALL_SIZE_MAX`] bytes, and `block_size` is NULL or can be written.
    pub fn mi_uzalloc_small(size: usize, block_size: *mut usize) -> *mut c_void;
}

/// Does what mimalloc does with the error number `err` if there is no error callback: aborts on `EFAULT` in builds with
/// `secure` or `debug`, and otherwise sets `errno` if it is 0, to `EINVAL` or `ENOMEM`.
///
/// For a callback of [`mi_register_error`] that adds to the usual treatment instead of replacing it. No message is
/// printed: that has happened before the callback is called.
///
/// False, and nothing is done, if mimalloc is not compiled by this crate, or not of the release that it pins
/// (`MIMALLOC_SYS_USE_PKG_CONFIG`, `MIMALLOC_SYS_SOURCE_DIR`).
///
/// Any thread may call it. Not upstream's.
pub fn default_error(err: c_int) -> bool {
    #[cfg(mi_program_options)]
    {
        extern "C" {
            fn mi_malloc_sys_default_error(err: c_int);
        }
        // SAFETY: it takes any number, and touches nothing but `errno`.
        unsafe { mi_malloc_sys_default_error(err) };
        true
    }
    #[cfg(not(mi_program_options))]
    {
        let _ = err;
        false
    }
}

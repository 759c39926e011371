//! The extended group: what only v3 has, and what it has in another form than v2.

use core::ffi::c_void;
use cty::c_int;

use super::mi_output_fun;

/// The version whose header this is: 10000 times the major number, plus 100 times the minor number,
/// plus the patch number. [`mi_version`](crate::mi_version) returns the one that is linked.
///
/// Header: `mimalloc.h`.
pub const MI_MALLOC_VERSION: c_int = 30600;

extern "C" {
    /// As [`mi_free_small`](crate::mi_free_small), for a `p` that is not NULL.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// As for [`mi_free_small`](crate::mi_free_small); and `p` is not NULL.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_free_small_nonnull(p: *mut c_void);

    /// Returns the id of the thread that owns the page of the block `p`, and thus serves its
    /// neighbours; for language runtimes.
    ///
    /// The id is mimalloc's own: a number unique among the living threads, not the operating
    /// system's. 0 means that no thread owns the page at present, or that `p` is NULL. Unless the
    /// owner is the calling thread, the answer may be out of date when it arrives.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `p` is NULL or a live block of this allocator.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_thread_id_of(p: *const c_void) -> usize;

    /// Prints elapsed and processor time, page faults and peak memory of the process to where
    /// [`mi_register_output`](crate::mi_register_output) points. The numbers are those of
    /// [`mi_process_info`](crate::mi_process_info), which says what the peak includes on Linux.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_process_info_print();

    /// As [`mi_process_info_print`], to `out`, which is called with `arg`. NULL means the
    /// registered output.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `out` is NULL or may be called with `arg`.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_process_info_print_out(out: mi_output_fun, arg: *mut c_void);
}

// Declared in the header and defined nowhere in v3.6.0, so a binding would not link. This is what v2 does,
// in v3's terms.

/// Frees what the calling thread keeps without need, as [`mi_collect(true)`](crate::mi_collect).
///
/// v2 then also gives up full segments until the thread owns no more than `target_thread_owned`
/// bytes, so that other threads can use what comes free there. v3 gives up full pages by itself
/// (all but a few of each size), so there is no target to work towards, and the argument is not
/// read. v3's header declares this function, but its library lacks it; this one is written in Rust.
///
/// Header: `mimalloc.h`.
///
/// # Safety
///
/// Always safe to call.
#[inline]
#[deprecated(note = "use `mi_collect`")]
pub unsafe fn mi_collect_reduce(target_thread_owned: usize) {
    let _ = target_thread_owned;
    // SAFETY: it is always safe to call.
    unsafe { crate::mi_collect(true) };
}

//! Arenas: what only v3 has, and what it has in another form than v2.

use core::ffi::c_void;
use cty::c_int;

/// Names an arena; NULL is none. (An `int` on v2.)
///
/// Header: `mimalloc.h`.
pub type mi_arena_id_t = *mut c_void;

/// The [`mi_arena_id_t`] of no arena: NULL here, 0 on v2.
///
/// For code that serves both major versions. This crate's own; the header has no name for it.
pub const MI_ARENA_ID_NONE: mi_arena_id_t = core::ptr::null_mut();

/// Commits or decommits memory of an arena made by [`mi_manage_memory`]: `size` bytes at `start`.
///
/// With `commit` true it makes the memory usable and returns whether it could; if `is_zero` is not
/// NULL, it stores there whether all the bytes are zero. With `commit` false it may let the memory
/// go, and returns true if the memory must be committed again before its next use; `is_zero` is
/// NULL then. `user_arg` is the argument given with the callback. Any thread may call it, from
/// within an allocation, so it must not allocate through mimalloc.
///
/// Header: `mimalloc.h`.
#[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
pub type mi_commit_fun_t = Option<
    unsafe extern "C" fn(
        commit: bool,
        start: *mut c_void,
        size: usize,
        is_zero: *mut bool,
        user_arg: *mut c_void,
    ) -> bool,
>;

extern "C" {
    /// As [`mi_manage_os_memory_ex`](crate::mi_manage_os_memory_ex), for memory that `commit_fun`
    /// commits and decommits instead of the operating system. Experimental.
    ///
    /// `commit_fun` gets `commit_fun_arg`. With `commit_fun` NULL the operating system does it.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// As for [`mi_manage_os_memory`](crate::mi_manage_os_memory); `arena_id` is NULL or may be
    /// written to; and `commit_fun` may be called with `commit_fun_arg` until the process ends.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_manage_memory(
        start: *mut c_void,
        size: usize,
        is_committed: bool,
        is_pinned: bool,
        is_zero: bool,
        numa_node: c_int,
        exclusive: bool,
        commit_fun: mi_commit_fun_t,
        commit_fun_arg: *mut c_void,
        arena_id: *mut mi_arena_id_t,
    ) -> bool;

    /// Purges freed memory of all arenas of the main subprocess now, without waiting for its purge
    /// delay: it goes back to the operating system.
    ///
    /// It does nothing if the option `purge_delay` is 0 (there is nothing to wait for) or negative
    /// (memory is never purged), or while another thread purges.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_arenas_purge();

    /// Returns the alignment, in bytes, at which arenas start: 256 MiB in a usual 64-bit build (32
    /// MiB on 32-bit).
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_arena_min_alignment() -> usize;

    /// Returns the size, in bytes, of the smallest arena: 32 MiB in a usual 64-bit build (8 MiB on
    /// 32-bit).
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_arena_min_size() -> usize;

    /// Returns the size, in bytes, up to which memory comes from an arena; beyond it mimalloc asks
    /// the operating system each time.
    ///
    /// The option `arena_max_object_size` sets it, up to a limit of the build (a little below
    /// [`mi_arena_min_alignment`] in a usual build).
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_arena_max_object_size() -> usize;

    /// Returns whether `p` points into the arena `arena_id`. False if `arena_id` is NULL.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `arena_id` is NULL or an arena's id; `p` may be any address.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_arena_contains(arena_id: mi_arena_id_t, p: *const c_void) -> bool;
}

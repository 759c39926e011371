//! Subprocesses: what only v2 has, and what it has in another form than v3.

use core::ffi::c_void;

/// Names a subprocess; NULL is the main one. (A struct around a pointer on v3.)
///
/// Header: `mimalloc.h`.
pub type mi_subproc_id_t = *mut c_void;

extern "C" {
    /// Ends the subprocess `subproc`.
    ///
    /// NULL, which is the main one, is left alone, and so is a subprocess whose ended threads have
    /// left memory outside arenas in which blocks still live.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `subproc` is NULL or a live subprocess. All its threads have ended, none of their blocks is
    /// live, and the id is not used afterwards.
    #[cfg_attr(docsrs, doc(cfg(feature = "v2")))]
    pub fn mi_subproc_delete(subproc: mi_subproc_id_t);
}

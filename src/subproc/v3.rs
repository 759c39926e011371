//! Subprocesses: what only v3 has, and what it has in another form than v2.

use core::ffi::c_void;

use crate::heap::mi_heap_t;

/// Names a subprocess, passed by value; with a NULL inside it is none. (A plain pointer on v2.)
///
/// Header: `mimalloc.h`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct mi_subproc_id_t {
    /// What mimalloc knows the subprocess by.
    pub _mi_subproc_id: *mut c_void,
}

/// Visits the heap `heap`, with the argument given to [`mi_subproc_visit_heaps`]; returns true to
/// go on and false to end the visit. It must neither make nor end a heap of the visited subprocess.
///
/// Header: `mimalloc.h`.
#[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
pub type mi_heap_visit_fun =
    Option<unsafe extern "C" fn(heap: *mut mi_heap_t, arg: *mut c_void) -> bool>;

extern "C" {
    /// Returns the id of the calling thread's subprocess.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_subproc_current() -> mi_subproc_id_t;

    /// Ends the subprocess `subproc` and frees everything in it: all heaps, blocks and arenas. Its
    /// statistics are added to those of the main subprocess.
    ///
    /// The main subprocess and the NULL id are left alone.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `subproc` is the NULL id or a live subprocess. All its threads have ended, and nothing of it
    /// is used afterwards.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_subproc_destroy(subproc: mi_subproc_id_t);

    /// Visits each heap of the subprocess `subproc`. `arg` is handed to `visitor`.
    ///
    /// Returns true if it came to the end, and false if `visitor` ended it or `subproc` is the NULL
    /// id.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `subproc` is the NULL id or a live subprocess. `visitor` is not NULL and may be called with
    /// `arg`; it neither creates, deletes nor destroys heaps, because the list of heaps is locked
    /// meanwhile.
    #[cfg_attr(docsrs, doc(cfg(feature = "v3")))]
    pub fn mi_subproc_visit_heaps(
        subproc: mi_subproc_id_t,
        visitor: mi_heap_visit_fun,
        arg: *mut c_void,
    ) -> bool;
}

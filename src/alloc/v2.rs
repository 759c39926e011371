//! The basic group: what v2 has in another form than v3.

use core::ffi::c_void;

extern "C" {
    /// Frees `p` if it points into mimalloc's memory, and does nothing otherwise.
    ///
    /// (On v3 the function returns which of the two it did.)
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `p` is a live block of this allocator and not used afterwards, or it does not point into
    /// mimalloc's memory: within that memory the address is not checked.
    pub fn mi_cfree(p: *mut c_void);
}

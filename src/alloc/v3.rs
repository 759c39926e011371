//! The basic group: what v3 has in another form than v2.

use core::ffi::c_void;

extern "C" {
    /// Frees `p` if it is a block of mimalloc, and returns whether it was.
    ///
    /// False, with nothing done, for NULL and for an address outside mimalloc's memory. (On v2 the
    /// function returns nothing.)
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `p` is a live block of this allocator and not used afterwards, or it does not point into
    /// mimalloc's memory: within that memory the address is not checked.
    pub fn mi_cfree(p: *mut c_void) -> bool;
}

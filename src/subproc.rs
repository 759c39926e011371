//! Subprocesses: parts of one program, an interpreter each for example, that do not share memory.
//! On v3 each has its own arenas and heaps. On v2 they share the arenas, and only the memory that
//! an ended thread leaves behind stays within its subprocess.

#[cfg(any(mi_v2, docsrs))]
pub(crate) mod v2;
#[cfg(mi_v3)]
mod v3;

#[cfg(mi_v2)]
pub use self::v2::*;
#[cfg(mi_v3)]
pub use self::v3::*;

extern "C" {
    /// Returns the id of the main subprocess, in which every thread starts.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call.
    pub fn mi_subproc_main() -> mi_subproc_id_t;

    /// Makes a subprocess. Threads join it with [`mi_subproc_add_current_thread`].
    ///
    /// If memory has run out the result is the NULL id, which v2 takes for the main subprocess.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call.
    pub fn mi_subproc_new() -> mi_subproc_id_t;

    /// Moves the calling thread from the main subprocess into `subproc`.
    ///
    /// A thread does this first of all, before it allocates. Later v3 refuses with a warning, and
    /// on v2 the memory that the thread has so far stays with the main subprocess. A thread that
    /// has left the main subprocess stays where it is. If mimalloc is the global allocator, Rust's
    /// own start of a thread may already have allocated.
    ///
    /// The NULL id does nothing on v3, and means the main subprocess on v2.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `subproc` is the NULL id or the id of a live subprocess, and outlives the thread.
    pub fn mi_subproc_add_current_thread(subproc: mi_subproc_id_t);
}

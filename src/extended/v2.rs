//! The extended group: what v2 has in another form than v3.

use cty::c_int;

/// The version whose header this is: 10000 times the major number, plus 100 times the minor number,
/// plus the patch number. [`mi_version`](crate::mi_version) returns the one that is linked.
///
/// Header: `mimalloc.h`.
pub const MI_MALLOC_VERSION: c_int = 20502;

extern "C" {
    /// Frees what the calling thread keeps without need, as
    /// [`mi_collect(true)`](crate::mi_collect), and then gives up full segments (32 MiB each, 4 MiB
    /// on 32-bit) until the thread owns no more than about `target_thread_owned` bytes, so that
    /// other threads can use what comes free there.
    ///
    /// A target below one segment means that of the option `target_segments_per_thread`; a target of
    /// one segment gives up nothing.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call.
    #[deprecated(note = "use `mi_collect`")]
    pub fn mi_collect_reduce(target_thread_owned: usize);
}

//! The statistics of the main subprocess. What a thread has counted since its statistics were last merged is not in them.

use mi_malloc_sys::{mi_stats_get, mi_stats_t};

pub fn stats() -> mi_stats_t {
    let mut stats = mi_stats_t::new();
    // SAFETY: the structure says how large it is.
    assert!(unsafe { mi_stats_get(&mut stats) });
    stats
}

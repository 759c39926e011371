//! Upstream can lose the mark of a subprocess that a purge is scheduled (`mi_arenas_try_purge`): a later free finds it again
//! (`src/purge.c`). The race is too rare for a test, so its result is made.

use mi_malloc_sys as mi;
use std::thread::sleep;
use std::time::Duration;

extern "C" {
    fn invariants_lose_purge();
}

/// The range of a block of 8 MiB is purged, although the mark was lost after its free.
pub fn check() {
    // SAFETY: no other thread runs yet; each block is used no more when it is freed.
    unsafe {
        let delay = mi::mi_option_get(mi::mi_option_purge_delay);
        mi::mi_option_set(mi::mi_option_purge_delay, 50);
        let fill = |size: usize| {
            let block = mi::mi_malloc(size).cast::<u8>();
            assert!(!block.is_null());
            block.write_bytes(1, size);
            mi::mi_free(block.cast());
        };
        mi::mi_collect(true);
        const RANGE: usize = 8 << 20;
        const SMALLER: usize = 2 << 20; // in the same range; a smaller one may be retained
        fill(RANGE);
        invariants_lose_purge();
        let before = purged();
        for _ in 0..10 {
            sleep(Duration::from_millis(120));
            fill(SMALLER); // a free that purges what is due
        }
        let purged = purged() - before;
        assert!(purged >= (RANGE - SMALLER) as i64, "only {purged} bytes");
        mi::mi_option_set(mi::mi_option_purge_delay, delay);
    }
}

fn purged() -> i64 {
    let mut stats = mi::mi_stats_t::new();
    // SAFETY: the structure has the size that it names.
    assert!(unsafe { mi::mi_stats_get(&mut stats) });
    stats.purged.total
}

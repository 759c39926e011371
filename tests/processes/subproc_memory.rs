//! A subprocess that is destroyed returns all its memory. In a process of its own, whose memory it measures.

use crate::raw_thread;
use crate::resident::memory;
use crate::respawn;
use mi_malloc_sys::*;

#[test]
fn memory_returns() {
    respawn::alone(|| {
        const EACH: usize = 20 << 20;
        const ROUNDS: usize = 100;
        let mut after_one = [0; 2];
        for round in 0..ROUNDS {
            let id = unsafe { mi_subproc_new() };
            let number = id._mi_subproc_id as usize;
            raw_thread::run(move || unsafe {
                mi_subproc_add_current_thread(mi_subproc_id_t {
                    _mi_subproc_id: number as *mut _,
                });
                let p = mi_malloc(EACH);
                p.cast::<u8>().write_bytes(1, EACH);
                // And many small ones, none of which is freed.
                for _ in 0..1000 {
                    assert!(!mi_zalloc(1000).is_null());
                }
            });
            unsafe { mi_subproc_destroy(id) };
            if round == 0 {
                after_one = memory();
            }
        }
        // All of them had gigabytes of addresses and 2 GB of memory; what stays is a few bytes for each.
        let after_all = memory();
        assert!(
            after_all[0] < after_one[0] + (1 << 30),
            "{after_one:?} {after_all:?}"
        );
        assert!(
            after_all[1] < after_one[1] + 2 * EACH,
            "{after_one:?} {after_all:?}"
        );
    });
}

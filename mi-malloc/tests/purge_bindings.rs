//! A program that uses mimalloc through the bindings only: none of its threads has allocated from it by itself, and
//! in such a thread a collection does nothing.
#![cfg(target_os = "linux")]

#[allow(dead_code)]
#[path = "../../tests/support/resident.rs"]
mod resident;

use mi_malloc::purge::Background;
use mi_malloc::sys;
use resident::resident;
use std::time::{Duration, Instant};

const MIB: usize = 1 << 20;

#[test]
fn the_thread_works_for_the_bindings() {
    // SAFETY: nothing else uses mimalloc at the moment; the blocks are written within their size and freed once.
    unsafe {
        sys::mi_option_set(sys::mi_option_purge_delay, 100);
        sys::mi_option_set(sys::mi_option_arena_purge_mult, 1);
        let blocks: Vec<_> = (0..600)
            .map(|_| {
                let block = sys::mi_malloc(300_000);
                block.cast::<u8>().write_bytes(1, 300_000);
                block
            })
            .collect();
        blocks.into_iter().for_each(|block| sys::mi_free(block));
    }
    let held = resident();
    let _background = Background::start(Duration::from_millis(20)).unwrap();
    let start = Instant::now();
    while resident() + 90 * MIB > held {
        assert!(start.elapsed() < Duration::from_secs(10), "{held}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

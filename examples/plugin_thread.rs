//! A plugin that cannot leak into its host: it runs in a thread of its own subprocess, so the host can
//! measure what the plugin has leaked, and free it.
//!
//!     cargo run --release --example plugin_thread
//!
//! The program does not replace Rust's global allocator: a thread must join its subprocess before it allocates
//! from mimalloc, and Rust allocates when it starts a thread.

#[path = "support/peak.rs"]
mod peak;

use mi_malloc_sys::*;
use peak::peak_memory;
use std::thread;

/// v2.5.2 loses track of blocks from its 27th subprocess on.
const PLUGINS: usize = 20;
const LINES: usize = 100_000;

fn main() {
    if cfg!(feature = "override") {
        println!("not run: with `override` all of Rust's memory is mimalloc's, too");
        return;
    }
    line::prepare();
    let peak_at_start = peak_memory();
    let mut all_leaked = 0;
    for plugin_number in 0..PLUGINS {
        let sandbox = Sandbox::new();
        let text = "a line of text, which the plugin copies and does not free\n".repeat(LINES);
        let expected = text.len() - LINES;
        let answer = sandbox.run(move || plugin(&text));
        assert_eq!(answer, expected);

        let (blocks, bytes) = sandbox.leaked();
        assert_eq!(blocks, LINES);
        assert!(bytes > answer);
        if plugin_number == 0 {
            println!(
                "a plugin answered {}, and leaked {} blocks of {} bytes",
                answer, blocks, bytes
            );
        }
        all_leaked += bytes;
        sandbox.end();
    }
    let peak = peak_memory();
    println!("{} plugins leaked {} MiB in all", PLUGINS, all_leaked >> 20);
    println!("the host's memory was {} MiB at its peak", peak >> 20);
    assert!(
        peak.saturating_sub(peak_at_start) < all_leaked / 2,
        "the leaks stay"
    );
}

/// Third-party code, for example in C: it copies each line of `text`, and frees none of the copies.
fn plugin(text: &str) -> usize {
    let mut length = 0;
    for line in text.lines() {
        // SAFETY: the block is large enough for the line and a NUL.
        unsafe {
            let copy: *mut u8 = mi_zalloc(line.len() + 1).cast();
            assert!(!copy.is_null());
            copy.copy_from(line.as_ptr(), line.len());
            length += libc::strlen(copy.cast());
        }
    }
    length
}

struct Sandbox(mi_subproc_id_t);

impl Sandbox {
    fn new() -> Sandbox {
        // SAFETY: always safe to call.
        Sandbox(unsafe { mi_subproc_new() })
    }

    /// Runs `job` in a thread of the sandbox.
    fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        let id = Id(self.0);
        let thread = thread::spawn(move || {
            // SAFETY: the sandbox waits for the thread, and so outlives it.
            unsafe { mi_subproc_add_current_thread(id.get()) };
            job()
        });
        thread.join().expect("the plugin does not panic")
    }

    /// Blocks, and their bytes, that the threads of the sandbox have not freed.
    fn leaked(&self) -> (usize, usize) {
        line::leaked(self)
    }

    /// Frees everything that was allocated in the sandbox.
    fn end(self) {
        line::end(&self);
    }
}

/// An ID that is passed to another thread.
struct Id(mi_subproc_id_t);

// SAFETY: an id is for all threads.
unsafe impl Send for Id {}

impl Id {
    fn get(self) -> mi_subproc_id_t {
        self.0
    }
}

/// On v3 a subprocess has its own statistics and arenas, which are destroyed with it.
#[cfg(mi_v3)]
mod line {
    use super::*;

    pub(super) fn prepare() {}

    /// Queried from inside: for a thread outside, v3.6.0 returns that thread's numbers instead.
    pub(super) fn leaked(sandbox: &Sandbox) -> (usize, usize) {
        sandbox.run(|| {
            let mut stats = mi_stats_t::new();
            // SAFETY: `stats` is initialised.
            assert!(unsafe { mi_stats_get(&mut stats) });
            let blocks = stats.malloc_count.total - stats.free_count.total;
            (blocks as usize, stats.allocated.current as usize)
        })
    }

    pub(super) fn end(sandbox: &Sandbox) {
        // SAFETY: its threads have ended, and nobody uses its blocks.
        unsafe { mi_subproc_destroy(sandbox.0) }
    }
}

/// On v2 subprocesses share their arenas, but the blocks that a thread leaves at its end stay in its subprocess. There
/// they can be visited, and freed one by one.
#[cfg(mi_v2)]
mod line {
    use super::*;
    use std::ffi::c_void;

    /// v2 keeps lists for the visit only if an option requests them before the first allocation. And a visitor
    /// receives the start of a block; with a guard page at its end, that is not the pointer to free.
    pub(super) fn prepare() {
        // SAFETY: no other thread is there yet.
        unsafe {
            mi_option_enable(mi_option_visit_abandoned);
            mi_option_set(mi_option_guarded_sample_rate, 0);
        }
    }

    pub(super) fn leaked(sandbox: &Sandbox) -> (usize, usize) {
        let blocks = blocks(sandbox.0);
        (blocks.len(), blocks.iter().map(|(_, size)| size).sum())
    }

    pub(super) fn end(sandbox: &Sandbox) {
        let id = Id(sandbox.0);
        sandbox.run(move || {
            for (block, _) in blocks(id.get()) {
                // SAFETY: a live block that its thread has forgotten.
                unsafe { mi_free(block) };
            }
        });
        assert!(blocks(sandbox.0).is_empty());
        // SAFETY: its threads have ended, and no block is live.
        unsafe { mi_subproc_delete(sandbox.0) };
    }

    fn blocks(subproc: mi_subproc_id_t) -> Vec<(*mut c_void, usize)> {
        unsafe extern "C" fn visit(
            _heap: *const mi_heap_t,
            _area: *const mi_heap_area_t,
            block: *mut c_void,
            size: usize,
            blocks: *mut c_void,
        ) -> bool {
            if !block.is_null() {
                // The vector is allocated by the system's allocator, so it may grow during the visit.
                (*blocks.cast::<Vec<(*mut c_void, usize)>>()).push((block, size));
            }
            true
        }
        let mut blocks = Vec::new();
        let place: *mut Vec<_> = &mut blocks;
        // SAFETY: `visit` gets the vector that it expects; the thread that left the blocks has ended.
        assert!(unsafe { mi_abandoned_visit_blocks(subproc, -1, true, Some(visit), place.cast()) });
        blocks
    }
}

//! What mimalloc does now and then is done as often when a thread allocates through `MiMalloc` alone,
//! whose entry points on v3 pass by most of upstream's slow path: deferred frees, the start of a
//! profiler, samples.
//!
//! Each test runs in a process of its own, of which it changes the state.

use mi_malloc_sys::*;
use std::alloc::{GlobalAlloc, Layout};

#[allow(dead_code)]
#[path = "support/child.rs"]
mod child;
#[cfg(line = "v3")]
#[allow(dead_code)]
#[path = "model/sampling.rs"]
mod sampling;

/// Sizes beyond the small ones, in small pages, medium pages and large pages.
const SIZES: [usize; 4] = [2000, 4096, 32 << 10, 100_000];
const TIMES: u64 = 20_000;

/// Takes and frees a block many times, with others alive, so that the page of its size stays.
fn work(alloc: impl Fn() -> *mut u8, free: impl Fn(*mut u8)) {
    let others: Vec<*mut u8> = (0..5).map(|_| alloc()).collect();
    free(others[0]);
    free(others[3]);
    for _ in 0..TIMES {
        let p = alloc();
        assert!(!p.is_null());
        free(p);
    }
    for kept in [1, 2, 4] {
        free(others[kept]);
    }
}

fn work_by_mimalloc(layout: Layout, zeroed: bool) {
    let alloc = || unsafe {
        match zeroed {
            true => MiMalloc.alloc_zeroed(layout),
            false => MiMalloc.alloc(layout),
        }
    };
    work(alloc, |p| unsafe { MiMalloc.dealloc(p, layout) });
}

fn work_by_c(size: usize) {
    let alloc = || unsafe { mi_malloc(size) }.cast();
    work(alloc, |p: *mut u8| unsafe { mi_free(p.cast()) });
}

fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).unwrap()
}

/// `inner` in a process of its own.
fn alone(name: &str, inner: fn()) {
    if child::is_this() {
        inner();
    } else {
        child::succeeds(name, name, &[]);
    }
}

mod deferred {
    use super::*;
    use std::cell::Cell;
    use std::ffi::c_void;
    use std::ptr::null_mut;

    thread_local! {
        static CALLS: Cell<u64> = const { Cell::new(0) };
    }

    unsafe extern "C" fn count(_: bool, _: u64, _: *mut c_void) {
        CALLS.with(|calls| calls.set(calls.get() + 1));
    }

    fn calls_of(work: impl Fn()) -> u64 {
        let before = CALLS.with(Cell::get);
        work();
        CALLS.with(Cell::get) - before
    }

    pub fn frees() {
        unsafe { mi_register_deferred_free(Some(count), null_mut()) };
        for size in SIZES {
            let expected = calls_of(|| work_by_c(size));
            assert!(expected >= TIMES / 1000, "{size}: {expected}");
            for zeroed in [false, true] {
                let calls = calls_of(|| work_by_mimalloc(layout(size, 8), zeroed));
                assert!(
                    calls.abs_diff(expected) <= 1,
                    "{size} {zeroed}: {calls} instead of {expected}"
                );
            }
        }
        unsafe { mi_register_deferred_free(None, null_mut()) };
    }
}

#[test]
fn deferred_frees() {
    alone("deferred_frees", deferred::frees);
}

/// Another thread starts it. This one hears of it by its own upkeep, every thousandth time off the
/// fast path.
#[cfg(line = "v3")]
#[test]
fn a_profiler_reaches_a_running_thread() {
    alone("a_profiler_reaches_a_running_thread", || {
        work_by_mimalloc(layout(4096, 8), false);
        sampling::start();
        std::thread::spawn(sampling::join).join().unwrap();
        let before = sampling::taken();
        work_by_mimalloc(layout(4096, 8), false);
        let taken = sampling::taken() - before;
        assert!(taken > TIMES * 9 / 10, "{taken}");
    });
}

/// Pages of these layouts that have blocks at hand: one that is sampled comes from another page, in
/// which the profiler's data has room too.
#[cfg(line = "v3")]
fn make_pages(layouts: &[Layout]) {
    for &layout in layouts {
        let blocks: Vec<*mut u8> = (0..12).map(|_| unsafe { MiMalloc.alloc(layout) }).collect();
        for &block in blocks.iter().skip(1).step_by(2) {
            unsafe { MiMalloc.dealloc(block, layout) };
        }
    }
}

/// The profiler's rate is far below these sizes: each block is a sample.
#[cfg(line = "v3")]
#[test]
fn samples_of_medium_sizes() {
    alone("samples_of_medium_sizes", || {
        make_pages(&SIZES.map(|size| layout(size, 8)));
        sampling::start();
        sampling::join();
        for size in SIZES {
            for zeroed in [false, true] {
                let before = sampling::taken();
                work_by_mimalloc(layout(size, 8), zeroed);
                let taken = sampling::taken() - before;
                assert!(taken >= TIMES, "{size} {zeroed}: {taken}");
            }
        }
    });
}

/// As many as upstream's own entry point has taken.
#[cfg(line = "v3")]
#[test]
fn samples_of_aligned_blocks() {
    alone("samples_of_aligned_blocks", || {
        let layouts = [layout(64, 64), layout(128, 32), layout(1024, 256)];
        make_pages(&layouts);
        sampling::start();
        sampling::join();
        let taken_by = |work: &dyn Fn()| {
            let before = sampling::taken();
            work();
            sampling::taken() - before
        };
        for layout in layouts {
            let (size, align) = (layout.size(), layout.align());
            let expected = taken_by(&|| {
                let alloc = || unsafe { mi_malloc_aligned(size, align) }.cast();
                work(alloc, |p: *mut u8| unsafe { mi_free(p.cast()) });
            });
            let taken = taken_by(&|| work_by_mimalloc(layout, false));
            assert!(expected > 20, "{size} {align}: {expected}");
            assert!(
                taken >= expected / 2 && taken <= expected * 2,
                "{size} {align}: {taken} instead of {expected}"
            );
        }
    });
}

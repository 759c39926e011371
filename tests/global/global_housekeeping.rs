//! mimalloc's housekeeping is done as often when a thread allocates only through `MiMalloc`, whose entry points on v3
//! bypass most of upstream's slow path: deferred frees, the start of a profiler, samples, statistics, the return of
//! empty pages.
//!
//! Each test runs in a process of its own, because it changes the state of its process.

use crate::pages;
use crate::respawn;
#[cfg(mi_v3)]
use crate::sampling;
use mi_malloc_sys::*;
use std::alloc::{GlobalAlloc, Layout};
use std::ffi::c_void;
use std::ops::Range;

/// Sizes beyond the small ones, in small pages, medium pages, and pages of their own.
const SIZES: [usize; 4] = [2000, 4096, 32 << 10, 100_000];
/// And some of the small ones, of which in an optimised build of some platforms no call is left.
const SMALL: [usize; 2] = [64, 1000];
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

fn work_by_c(layout: Layout) {
    let (size, align) = (layout.size(), layout.align());
    let alloc = || match align > 16 {
        true => unsafe { mi_malloc_aligned(size, align) }.cast(),
        false => unsafe { mi_malloc(size) }.cast(),
    };
    work(alloc, |p: *mut u8| unsafe { mi_free(p.cast()) });
}

fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).unwrap()
}

/// Of the sizes beyond the small ones, and some with an alignment: by their size, and inside of larger blocks.
fn medium() -> Vec<Layout> {
    let aligned = [
        (4096, 4096),
        (5000, 4096),
        (1280, 256),
        (12_288, 4096),
        (1280, 64),
        (20_000, 32),
    ];
    let usual = SIZES.map(|size| (size, 8));
    let all = usual.into_iter().chain(aligned);
    all.map(|(size, align)| layout(size, align)).collect()
}

/// `inner` in a process of its own.
fn isolated(name: &str, inner: fn()) {
    isolated_with(name, &[], inner);
}

/// And with these variables.
fn isolated_with(name: &str, variables: &[(&str, &str)], inner: fn()) {
    if respawn::is_child() {
        inner();
    } else {
        respawn::assert_child_passes(&format!("global_housekeeping::{name}"), name, variables);
    }
}

mod deferred {
    use super::*;
    use std::cell::Cell;
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

    /// Small blocks that grow, whose pages have to run out before housekeeping is done.
    fn growing(resize: impl Fn(*mut u8) -> *mut u8) -> u64 {
        let (small, larger) = (layout(512, 8), layout(1024, 8));
        let kept = [small, larger].map(|layout| unsafe { MiMalloc.alloc(layout) });
        let calls = calls_of(|| {
            for _ in 0..500_000 {
                let p = resize(unsafe { MiMalloc.alloc(small) });
                unsafe { MiMalloc.dealloc(p, larger) };
            }
        });
        unsafe { MiMalloc.dealloc(kept[0], small) };
        unsafe { MiMalloc.dealloc(kept[1], larger) };
        calls
    }

    fn is_about(calls: u64, expected: u64) -> bool {
        calls.abs_diff(expected) <= 1 + expected / 50
    }

    pub fn frees() {
        unsafe { mi_register_deferred_free(Some(count), null_mut()) };
        let expected = growing(|p| unsafe { mi_realloc(p.cast(), 1024) }.cast());
        let calls = growing(|p| unsafe { MiMalloc.realloc(p, layout(512, 8), 1024) });
        assert!(expected > 5, "{expected}");
        assert!(
            is_about(calls, expected),
            "growing: {calls} instead of {expected}"
        );
        for layout in medium() {
            let expected = calls_of(|| work_by_c(layout));
            assert!(expected >= TIMES / 1000, "{layout:?}: {expected}");
            for zeroed in [false, true] {
                let calls = calls_of(|| work_by_mimalloc(layout, zeroed));
                assert!(
                    is_about(calls, expected),
                    "{layout:?} {zeroed}: {calls} instead of {expected}"
                );
            }
        }
        unsafe { mi_register_deferred_free(None, null_mut()) };
    }
}

#[test]
fn deferred_frees() {
    isolated("deferred_frees", deferred::frees);
}

/// How many pages have blocks of one of these sizes.
fn pages_of(sizes: Range<usize>) -> usize {
    let (used, empty) = pages::count(sizes);
    used + empty
}

/// Pages of which no block is in use go back, but for a few of a size.
#[test]
fn empty_pages_go_back() {
    isolated("empty_pages_go_back", || {
        for size in SMALL.into_iter().chain(SIZES) {
            // With `override`, there are others' blocks of these sizes.
            let pages = || pages_of(size..2 * size);
            let before = pages();
            let blocks: Vec<*mut u8> = (0..24_000_000 / size)
                .map(|_| unsafe { MiMalloc.alloc(layout(size, 8)) })
                .collect();
            let full = pages();
            blocks
                .into_iter()
                .for_each(|p| unsafe { MiMalloc.dealloc(p, layout(size, 8)) });
            let empty = pages();
            // Of small ones upstream keeps some more.
            let few = match SMALL.contains(&size) {
                true => 3 + full / 50,
                false => 3,
            };
            assert!(
                full > before + few && empty <= before + few,
                "{size}: {before} pages, {full}, {empty}"
            );
        }
    });
}

/// An alignment above a slice has a page of its own, which goes back at once, however small the block.
#[cfg(mi_v3)]
#[test]
fn empty_singleton_pages_go_back() {
    isolated("empty_singleton_pages_go_back", || {
        let pages = || pages_of(0..usize::MAX);
        let free = |p: *mut u8, layout| unsafe { MiMalloc.dealloc(p, layout) };
        unsafe { mi_free(mi_malloc(1)) }; // the thread has a theap
        for align in [512 << 10, 4 << 20, 16 << 20] {
            for size in [1, 64, 1024, 1500, 5000, 8000, 20_000] {
                let layout = layout(size, align);
                let alloc = || {
                    let p = unsafe { MiMalloc.alloc(layout) };
                    assert!(!p.is_null() && p as usize % align == 0);
                    p
                };
                let before = pages();
                free(alloc(), layout);
                assert_eq!(pages(), before, "{layout:?}");
                free(unsafe { MiMalloc.alloc_zeroed(layout) }, layout);
                // One beside another, and the earlier one is freed first.
                let (first, second) = (alloc(), alloc());
                assert_eq!(pages(), before + 2, "{layout:?}");
                free(first, layout);
                free(second, layout);
                let moved = unsafe { MiMalloc.realloc(alloc(), layout, 3 * size) };
                free(moved, self::layout(3 * size, align));
                assert_eq!(pages(), before, "{layout:?}");
            }
        }
    });
}

/// The only page of its size class is retired for some rounds of housekeeping before it is freed.
#[cfg(mi_v3)]
#[test]
fn a_lone_page_goes_back() {
    // Not with all other empty pages at a thorough collection.
    let seldom = [("MIMALLOC_GENERIC_COLLECT", "1000000")];
    isolated_with("a_lone_page_goes_back", &seldom, || {
        for layout in medium() {
            // Where blocks are checked or guarded, an aligned one may lie in a much larger one.
            let pages = || pages_of(layout.size()..4 * layout.size());
            unsafe { mi_collect(true) }; // of other sizes, too, there are retired pages
            let before = pages();
            for _ in 0..10 {
                unsafe { MiMalloc.dealloc(MiMalloc.alloc(layout), layout) };
            }
            assert_eq!(pages(), before + 1, "{layout:?}");
            // Twenty rounds, with pages that are not counted here.
            work_by_mimalloc(self::layout(500_000, 8), false);
            assert_eq!(pages(), before, "{layout:?}");
        }
    });
}

/// The same on v2, where inlined code passes such a page to upstream when it first becomes empty, and not again each time.
#[cfg(mi_v2)]
#[test]
fn a_lone_small_page_goes_back() {
    isolated("a_lone_small_page_goes_back", || {
        for size in SMALL {
            let layout = layout(size, 8);
            let pages = || pages_of(size..2 * size);
            unsafe { mi_collect(true) };
            let before = pages();
            for _ in 0..TIMES {
                unsafe { MiMalloc.dealloc(MiMalloc.alloc(layout), layout) };
            }
            assert_eq!(pages(), before + 1, "{size}");
            // Twenty rounds, with pages that are not counted here.
            for _ in 0..20 {
                work_by_mimalloc(self::layout(500_000, 8), false);
            }
            assert_eq!(pages(), before, "{size}");
        }
    });
}

/// A page whose blocks are all in use belongs to nobody, and so goes back when other threads free them.
#[cfg(mi_v3)]
#[test]
fn full_pages_are_set_aside() {
    isolated("full_pages_are_set_aside", || {
        // Sizes of which each page has the same number of blocks: where they would fill it to the last byte, some
        // pages begin later and have one less.
        for size in [25_000, 40_000, 60_000] {
            let layout = layout(size, 8);
            let take = || unsafe { MiMalloc.alloc(layout) } as usize;
            let give = move |p: usize| unsafe { MiMalloc.dealloc(p as *mut u8, layout) };
            let pages = || pages_of(size..2 * size);
            let before = pages();
            let mut blocks = Vec::new();
            while pages() < before + 2 {
                blocks.push(take());
            }
            // The last one is in the second page.
            give(blocks.pop().unwrap());
            let count = blocks.len();
            // The first time it may be in a page that gets its blocks only now.
            for _ in 0..2 {
                blocks.drain(..).for_each(give);
                blocks.extend((0..count).map(|_| take()));
                assert_eq!(pages(), before + 1, "{size}");
            }
            std::thread::spawn(move || blocks.into_iter().for_each(give))
                .join()
                .unwrap();
            assert_eq!(pages(), before, "{size}");
        }
    });
}

/// Another thread starts it. This one learns of it by its own housekeeping, every thousandth time off the
/// fast path.
#[cfg(mi_v3)]
#[test]
fn a_profiler_reaches_a_running_thread() {
    isolated("a_profiler_reaches_a_running_thread", || {
        work_by_mimalloc(layout(4096, 8), false);
        sampling::start();
        std::thread::spawn(sampling::join).join().unwrap();
        let taken = taken_by(|| work_by_mimalloc(layout(4096, 8), false));
        assert!(taken > TIMES * 9 / 10, "{taken}");
    });
}

/// The samples that are taken meanwhile.
#[cfg(mi_v3)]
fn taken_by(work: impl Fn()) -> u64 {
    let before = sampling::taken();
    work();
    sampling::taken() - before
}

/// Pages of these layouts that have free blocks: one that is sampled comes from another page, in
/// which the profiler's data fits, too.
#[cfg(mi_v3)]
fn make_pages(layouts: &[Layout]) {
    for &layout in layouts {
        let blocks: Vec<*mut u8> = (0..12).map(|_| unsafe { MiMalloc.alloc(layout) }).collect();
        for &block in blocks.iter().skip(1).step_by(2) {
            unsafe { MiMalloc.dealloc(block, layout) };
        }
    }
}

/// The profiler's rate is far below these sizes: each block is a sample.
#[cfg(mi_v3)]
#[test]
fn samples_of_medium_sizes() {
    isolated("samples_of_medium_sizes", || {
        make_pages(&medium());
        sampling::start();
        sampling::join();
        for layout in medium() {
            for zeroed in [false, true] {
                let taken = taken_by(|| work_by_mimalloc(layout, zeroed));
                // Each block once: the others of `work` are a few.
                let each = TIMES..TIMES + 100;
                assert!(each.contains(&taken), "{layout:?} {zeroed}: {taken}");
            }
        }
    });
}

/// What was allocated before its start is none of a profiler's business.
#[cfg(mi_v3)]
#[test]
fn a_profiler_counts_from_its_start() {
    isolated("a_profiler_counts_from_its_start", || {
        const RATE: usize = 100_000;
        type Way = fn(Layout) -> *mut u8;
        let ways: [(&str, Way); 3] = [
            ("alloc", |layout| unsafe { MiMalloc.alloc(layout) }),
            ("zeroed", |layout| unsafe { MiMalloc.alloc_zeroed(layout) }),
            ("realloc", |layout| unsafe {
                let smaller = self::layout(layout.align(), layout.align());
                MiMalloc.realloc(MiMalloc.alloc(smaller), smaller, layout.size())
            }),
        ];
        let small = SMALL.map(|size| layout(size, 8));
        let all = small.into_iter().chain(medium());
        sampling::start_at(RATE);
        for (layout, (way, alloc)) in all.flat_map(|layout| ways.map(|way| (layout, way))) {
            sampling::stop();
            let round = || unsafe { MiMalloc.dealloc(alloc(layout), layout) };
            let kept = alloc(layout); // or the page would be retired, and counted anew
            (0..8000).for_each(|_| round());
            let before = sampling::stands_for();
            sampling::join();
            (0..200).for_each(|_| round());
            let samples = sampling::stands_for() - before;
            // Each round by the sizes of its blocks, a list of a page that was not yet counted, and one sample more.
            let most = 200 * (2 * layout.size() + 3 * layout.align()) + (128 << 10) + RATE;
            assert!(samples <= most as u64, "{way} {layout:?}: {samples}");
            unsafe { MiMalloc.dealloc(kept, layout) };
        }
        assert!(sampling::taken() > 100);
    });
}

/// The largest data that a profiler may have beside a sample, and more than that: a small block is still where it
/// is freed as one, also when it was shrunk in place. (With slices of 16 KiB it does not.)
#[cfg(mi_v3)]
#[test]
fn samples_with_much_data() {
    for size in ["1024", "4000"] {
        let name = "global_housekeeping::samples_with_much_data";
        if !respawn::is_child() {
            respawn::assert_child_passes(name, size, &[]);
            continue;
        }
        sampling::start_with(respawn::argument().parse().unwrap());
        sampling::join();
        let sizes = [1, 8, 63, 100, 500, 512, 1000, 1023, 1024, 1025, 2000, 3000];
        for from in sizes {
            for to in sizes {
                let (old, new) = (layout(from, 8), layout(to, 8));
                let shorter = from.min(to);
                let blocks: Vec<*mut u8> = (0..30)
                    .map(|_| unsafe {
                        let p = MiMalloc.alloc(old);
                        p.write_bytes(0x5A, from);
                        let p = MiMalloc.realloc(p, old, to);
                        assert!((0..shorter).all(|at| p.add(at).read() == 0x5A));
                        p
                    })
                    .collect();
                for p in blocks {
                    unsafe { MiMalloc.dealloc(p, new) };
                }
            }
        }
        assert!(sampling::taken() > 4000);
        assert!(
            sampling::ended() > sampling::taken() / 2,
            "{}",
            sampling::ended()
        );
        return;
    }
}

/// Sizes in small pages, with many blocks from one sample to the next.
#[cfg(mi_v3)]
#[test]
fn samples_far_apart() {
    isolated("samples_far_apart", || {
        let layouts = [1000, 2000, 4096, 8000].map(|size| layout(size, 8));
        make_pages(&layouts);
        sampling::start_at(150_000);
        sampling::join();
        for layout in layouts {
            let expected = taken_by(|| work_by_c(layout));
            assert!(expected > 50, "{layout:?}: {expected}");
            for zeroed in [false, true] {
                let taken = taken_by(|| work_by_mimalloc(layout, zeroed));
                assert!(
                    taken >= expected / 2 && taken <= expected * 2,
                    "{layout:?} {zeroed}: {taken} instead of {expected}"
                );
            }
        }
    });
}

/// A block that was sampled is behind the profiler's data, also for a thread that takes no samples any
/// more, and its end is reported to the profiler.
#[cfg(mi_v3)]
#[test]
fn samples_are_followed_to_their_end() {
    isolated("samples_are_followed_to_their_end", || {
        let layouts = medium();
        make_pages(&layouts);
        sampling::start();
        sampling::join();
        let of = |layout: &Layout| {
            let p = unsafe { MiMalloc.alloc(*layout) };
            unsafe { p.write_bytes(0x5A, layout.size()) };
            (p, *layout)
        };
        let blocks: Vec<_> = (0..10).flat_map(|_| layouts.iter().map(of)).collect();
        assert!(sampling::taken() >= blocks.len() as u64);
        sampling::stop();
        work_by_mimalloc(layout(4096, 8), false);
        // On again, which this thread has not noticed yet.
        std::thread::spawn(sampling::join).join().unwrap();
        let (taken, before) = (sampling::taken(), sampling::ended());
        let others: Vec<_> = (0..10).flat_map(|_| layouts.iter().map(of)).collect();
        assert_eq!(sampling::taken(), taken);
        for (p, layout) in blocks {
            let intact = (0..layout.size()).all(|at| unsafe { p.add(at).read() } == 0x5A);
            assert!(intact, "{layout:?}");
            unsafe { MiMalloc.dealloc(p, layout) };
        }
        // With `override`, others of this process are among them.
        let ended = sampling::ended() - before;
        assert!(ended >= 10 * layouts.len() as u64, "{ended}");
        for (p, layout) in others {
            unsafe { MiMalloc.dealloc(p, layout) };
        }
    });
}

/// The statistics, this thread's included.
#[cfg(mi_v3)]
fn stats() -> mi_stats_t {
    let mut stats = mi_stats_t::default();
    unsafe { mi_collect(true) };
    assert!(unsafe { mi_stats_get(&mut stats) });
    stats
}

/// A page counts its blocks in 16 bits until that is brought up to date: when it runs out of blocks; when
/// the thread collects, which it does less often here; and if the block is every thousandth off the fast
/// path, which one of two that take turns never is.
#[cfg(mi_v3)]
#[test]
fn statistics_of_many() {
    const TURNS: i64 = 80_000;
    let seldom = [("MIMALLOC_GENERIC_COLLECT", "1000000")];
    isolated_with("statistics_of_many", &seldom, || {
        let counted = || {
            let stats = stats();
            (stats.malloc_count.total, stats.free_count.total)
        };
        for other in SIZES {
            for size in SMALL.into_iter().chain(SIZES) {
                let layouts = [layout(size, 8), layout(other, 8)];
                make_pages(&layouts);
                let before = counted();
                let kept = layouts.map(|layout| unsafe { MiMalloc.alloc(layout) });
                for _ in 0..TURNS {
                    for layout in layouts {
                        unsafe { MiMalloc.dealloc(MiMalloc.alloc(layout), layout) };
                    }
                }
                for (p, layout) in kept.into_iter().zip(layouts) {
                    unsafe { MiMalloc.dealloc(p, layout) };
                }
                let after = counted();
                let expected = 2 * (TURNS + 1);
                for number in [after.0 - before.0, after.1 - before.1] {
                    // The collection and the questions take blocks too.
                    let more = number - expected;
                    assert!(
                        (0..10).contains(&more),
                        "{size}, {other}: {number} for {expected}"
                    );
                }
            }
        }
    });
}

/// A page is empty after each free of its only block, and upstream counts that.
#[cfg(mi_v3)]
#[test]
fn lone_pages_are_counted() {
    isolated("lone_pages_are_counted", || {
        let counted = || stats().pages_retire.total;
        for layout in medium() {
            let (size, align) = (layout.size(), layout.align());
            let before = counted();
            for _ in 0..TIMES {
                unsafe { mi_free(mi_malloc_aligned(size, align)) };
            }
            let between = counted();
            for _ in 0..TIMES {
                unsafe { MiMalloc.dealloc(MiMalloc.alloc(layout), layout) };
            }
            let (expected, retired) = (between - before, counted() - between);
            assert!(expected >= TIMES as i64, "{layout:?}: {expected}");
            assert!(
                retired.abs_diff(expected) < 10,
                "{layout:?}: {retired} instead of {expected}"
            );
        }
    });
}

/// As many as upstream's own entry point has taken.
#[cfg(mi_v3)]
#[test]
fn samples_of_aligned_blocks() {
    isolated("samples_of_aligned_blocks", || {
        let layouts = [layout(64, 64), layout(128, 32), layout(1024, 256)];
        make_pages(&layouts);
        sampling::start();
        sampling::join();
        for layout in layouts {
            let expected = taken_by(|| work_by_c(layout));
            let taken = taken_by(|| work_by_mimalloc(layout, false));
            assert!(expected > 20, "{layout:?}: {expected}");
            assert!(
                taken >= expected / 2 && taken <= expected * 2,
                "{layout:?}: {taken} instead of {expected}"
            );
        }
    });
}

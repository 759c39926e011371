//! A coroutine that two threads resume alternately. Each call of mimalloc, even within a single function, must act for
//! the thread that the coroutine runs on at that moment.
//!
//! The functions that suspend are never inlined, and the allocator's functions that they call may be inlined: then a
//! thread pointer, or an address of a thread-local variable, that was kept across the suspension is that of the other
//! thread.

mod blocks;
mod threads;

use corosensei::Yielder;
use mi_malloc_sys::*;
use std::alloc::{GlobalAlloc, Layout};
use std::ffi::c_void;

#[global_allocator]
static GLOBAL: MiMalloc = MiMalloc;

/// Passes the coroutine to the other thread.
type Switch = Yielder<(), ()>;

/// Blocks that one coroutine allocates.
const BLOCKS: usize = 16;

/// How often one coroutine goes from the first thread to the second and back to free blocks.
const ROUNDS: usize = 8;

/// Prints what has failed. Returns the number of checks that have passed, or 0 if one has not.
pub fn run() -> usize {
    let mut results = Results::default();
    rust(&mut results);
    c(&mut results);
    of_version(&mut results);
    if results.failed == 0 {
        results.passed
    } else {
        0
    }
}

#[derive(Default)]
struct Results {
    passed: usize,
    failed: usize,
}

impl Results {
    fn take(&mut self, name: &str, failures: Vec<&'static str>) {
        if failures.is_empty() {
            self.passed += 1;
            return;
        }
        self.failed += 1;
        let (first, count) = (failures[0], failures.len());
        println!("{name}: {first} ({count} failures)");
    }

    /// Blocks from `alloc` are the current thread's, and `free` recognises the owner of a block.
    fn pair(
        &mut self,
        name: &str,
        alloc: impl Fn() -> *mut c_void + Copy + 'static,
        free: impl Fn(*mut c_void) + Copy + 'static,
    ) {
        let failures = threads::alternate(move |switch| {
            let mut failures = allocations(switch, alloc, free);
            failures.extend(frees(switch, alloc, free));
            failures
        });
        self.take(name, failures);
    }
}

#[inline(never)]
fn allocations(
    switch: &Switch,
    alloc: impl Fn() -> *mut c_void,
    free: impl Fn(*mut c_void),
) -> Vec<&'static str> {
    let mut failures = Vec::with_capacity(BLOCKS);
    let mut all = [std::ptr::null_mut(); BLOCKS];
    for block in &mut all {
        *block = alloc();
        if !blocks::is_of_this_thread(*block) {
            failures.push("a block of the other thread was allocated");
        }
        switch.suspend(());
    }
    for block in all {
        free(block);
    }
    failures
}

/// A block that another thread frees stays in its page until the page's own thread collects it. If it were freed as by
/// that thread itself, the page would count as empty, and would be freed.
#[inline(never)]
fn frees(
    switch: &Switch,
    alloc: impl Fn() -> *mut c_void,
    free: impl Fn(*mut c_void),
) -> Vec<&'static str> {
    let mut failures = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let mut page = blocks::full_page(&alloc);
        let first = page.blocks.pop().expect("a page has blocks");
        free(first);
        switch.suspend(());
        for block in &page.blocks {
            free(*block);
        }
        if cfg!(feature = "v2") {
            switch.suspend(());
        }
        if !blocks::is_in_page(first) {
            failures.push("blocks of the other thread were freed as if they were this thread's");
        }
        if !cfg!(feature = "v2") {
            switch.suspend(());
        }
        for block in page.others {
            free(block);
        }
    }
    failures
}

// SAFETY, for each `unsafe` below: no size is 0, a block is freed once, with the layout or the size that it was allocated
// with, and never used after; a heap and a theap are live, and only their own threads set them as default.

/// Through `MiMalloc`, with layouts that are known when it is compiled.
fn rust(results: &mut Results) {
    fn alloc<const SIZE: usize, const ALIGN: usize>() -> *mut c_void {
        unsafe { MiMalloc.alloc(layout::<SIZE, ALIGN>()) }.cast()
    }
    fn zeroed<const SIZE: usize, const ALIGN: usize>() -> *mut c_void {
        unsafe { MiMalloc.alloc_zeroed(layout::<SIZE, ALIGN>()) }.cast()
    }
    fn grown<const SIZE: usize, const ALIGN: usize>() -> *mut c_void {
        unsafe {
            let block = MiMalloc.alloc(layout::<8, ALIGN>());
            MiMalloc.realloc(block, layout::<8, ALIGN>(), SIZE).cast()
        }
    }
    fn free<const SIZE: usize, const ALIGN: usize>(block: *mut c_void) {
        unsafe { MiMalloc.dealloc(block.cast(), layout::<SIZE, ALIGN>()) }
    }
    results.pair("small", alloc::<1000, 8>, free::<1000, 8>);
    results.pair("small, zeroed", zeroed::<900, 8>, free::<900, 8>);
    results.pair("small, aligned", alloc::<960, 64>, free::<960, 64>);
    results.pair(
        "small, aligned, zeroed",
        zeroed::<1024, 64>,
        free::<1024, 64>,
    );
    results.pair("medium", alloc::<1500, 8>, free::<1500, 8>);
    results.pair("medium, zeroed", zeroed::<1700, 8>, free::<1700, 8>);
    results.pair("medium, aligned", alloc::<2000, 256>, free::<2000, 256>);
    results.pair("large", alloc::<20_000, 8>, free::<20_000, 8>);
    results.pair("grown", grown::<800, 8>, free::<800, 8>);
    results.pair("grown, medium", grown::<3000, 8>, free::<3000, 8>);
    results.pair("grown, aligned", grown::<832, 64>, free::<832, 64>);
    results.pair(
        "box",
        || Box::into_raw(Box::new([1u64; 120])).cast(),
        |block| drop(unsafe { Box::from_raw(block.cast::<[u64; 120]>()) }),
    );
}

const fn layout<const SIZE: usize, const ALIGN: usize>() -> Layout {
    match Layout::from_size_align(SIZE, ALIGN) {
        Ok(layout) => layout,
        Err(_) => panic!("no layout"),
    }
}

/// Through mimalloc's own functions of both versions.
fn c(results: &mut Results) {
    let free = |block| unsafe { mi_free(block) };
    results.pair("mi_malloc", || unsafe { mi_malloc(1000) }, free);
    results.pair("mi_malloc_small", || unsafe { mi_malloc_small(900) }, free);
    results.pair("mi_zalloc", || unsafe { mi_zalloc(800) }, free);
    results.pair("mi_calloc", || unsafe { mi_calloc(4, 240) }, free);
    results.pair("mi_malloc, medium", || unsafe { mi_malloc(2500) }, free);
    results.pair(
        "mi_realloc",
        || unsafe { mi_realloc(mi_malloc(8), 950) },
        free,
    );
    results.pair(
        "mi_malloc_aligned",
        || unsafe { mi_malloc_aligned(1024, 128) },
        free,
    );
    results.pair(
        "mi_free_size",
        || unsafe { mi_malloc(850) },
        |block| unsafe { mi_free_size(block, 850) },
    );
    results.pair(
        "mi_realloc that frees",
        || unsafe { mi_malloc(750) },
        // The block that replaces it is freed as well.
        |block| unsafe { mi_free(mi_realloc(block, 2000)) },
    );
}

/// Calls a function of which the compiler assumes nothing.
#[inline(never)]
fn apart<T>(function: &impl Fn() -> T) -> T {
    function()
}

/// The default that a thread has set is the default in that thread.
#[inline(never)]
fn defaults<T: Copy + PartialEq>(
    switch: &Switch,
    make: impl Fn() -> T,
    set: impl Fn(T) -> T,
    get: impl Fn() -> T,
    end: impl Fn(T),
) -> Vec<&'static str> {
    let mut failures = Vec::with_capacity(4 * ROUNDS);
    for _ in 0..2 * ROUNDS {
        let own = make();
        let usual = set(own);
        if apart(&get) != own {
            failures.push("the default of the other thread was set");
        }
        if get() != own {
            failures.push("the default of the other thread was read");
        }
        if set(usual) != own {
            failures.push("the default of the other thread was given back");
        }
        end(own);
        switch.suspend(());
    }
    failures
}

#[cfg(not(feature = "v2"))]
fn of_version(results: &mut Results) {
    // Both threads allocate from the one heap.
    let heap = unsafe { mi_heap_new() };
    let free = |block| unsafe { mi_free(block) };
    results.pair(
        "mi_heap_malloc",
        move || unsafe { mi_heap_malloc(heap, 1000) },
        free,
    );
    results.pair(
        "mi_heap_zalloc",
        move || unsafe { mi_heap_zalloc(heap, 2800) },
        free,
    );
    results.pair(
        "mi_theap_malloc",
        || unsafe { mi_theap_malloc(mi_theap_get_default(), 900) },
        free,
    );
    results.pair(
        "mi_free_small",
        || unsafe { mi_malloc_small(850) },
        |block| unsafe { mi_free_small(block) },
    );
    let failures = threads::alternate(move |switch| {
        defaults(
            switch,
            || unsafe { mi_heap_theap(heap) },
            |theap| unsafe { mi_theap_set_default(theap) },
            || unsafe { mi_theap_get_default() },
            |_| (),
        )
    });
    results.take("mi_theap_set_default", failures);
    unsafe { mi_heap_delete(heap) };
}

#[cfg(feature = "v2")]
fn of_version(results: &mut Results) {
    let free = |block| unsafe { mi_free(block) };
    results.pair(
        "mi_heap_malloc",
        || unsafe { mi_heap_malloc(mi_heap_get_default(), 1000) },
        free,
    );
    let failures = threads::alternate(move |switch| {
        defaults(
            switch,
            || unsafe { mi_heap_new() },
            |heap| unsafe { mi_heap_set_default(heap) },
            || unsafe { mi_heap_get_default() },
            |heap| unsafe { mi_heap_delete(heap) },
        )
    });
    results.take("mi_heap_set_default", failures);
}

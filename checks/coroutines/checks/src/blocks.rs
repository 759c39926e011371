//! The thread that owns a block, and the counts of its page. No function here suspends, and none is inlined into one
//! that does, so they are right in every build.

use mi_malloc_sys::*;
use std::ffi::c_void;

/// Whether the calling thread owns the page of the block.
#[inline(never)]
#[cfg(not(feature = "v2"))]
pub fn is_of_this_thread(block: *mut c_void) -> bool {
    // SAFETY: both are live blocks.
    unsafe {
        let here = mi_malloc(16);
        let same = mi_thread_id_of(here) == mi_thread_id_of(block);
        mi_free(here);
        same
    }
}

/// Whether the block is of a heap of the calling thread.
#[inline(never)]
#[cfg(feature = "v2")]
pub fn is_of_this_thread(block: *mut c_void) -> bool {
    // SAFETY: the heap is the thread's, and the block is live.
    unsafe { mi_heap_contains_block(mi_heap_get_backing(), block) }
}

/// The start of the blocks of the page that contains an address, and how many of them are in use by the page's own
/// count. `None` if there is no such page in the address's heap (v2: in the heaps of this thread).
#[inline(never)]
fn page_of(address: *mut c_void) -> Option<(usize, usize)> {
    struct Search {
        address: usize,
        page: Option<(usize, usize)>,
    }
    unsafe extern "C" fn visit(
        _heap: *const mi_heap_t,
        area: *const mi_heap_area_t,
        _block: *mut c_void,
        _size: usize,
        argument: *mut c_void,
    ) -> bool {
        // SAFETY: mimalloc passes an area, and the argument as it was given.
        let (area, search) = (&*area, &mut *argument.cast::<Search>());
        let start = area.blocks as usize;
        if (start..start + area.reserved).contains(&search.address) {
            search.page = Some((start, area.used));
        }
        true
    }
    let mut search = Search {
        address: address as usize,
        page: None,
    };
    // SAFETY: the other thread waits for the coroutine, and changes no page meanwhile.
    unsafe {
        #[cfg(not(feature = "v2"))]
        let heap = mi_heap_of(address);
        #[cfg(feature = "v2")]
        let heap = mi_heap_get_backing();
        let argument = (&mut search as *mut Search).cast();
        mi_heap_visit_blocks(heap, false, Some(visit), argument);
    }
    search.page
}

/// Whether a page contains an address. Its thread frees the page as soon as it finds it empty.
#[cfg(not(feature = "v2"))]
#[inline(never)]
pub fn is_in_page(address: *mut c_void) -> bool {
    // SAFETY: the function takes any address.
    !unsafe { mi_heap_of(address) }.is_null()
}

/// The same, to be called by the page's own thread. (That thread counts a block that another thread has freed when it
/// searches for one to allocate.)
#[cfg(feature = "v2")]
#[inline(never)]
pub fn is_in_page(address: *mut c_void) -> bool {
    page_of(address).is_some()
}

/// All blocks of one page, and blocks of others.
pub struct Page {
    pub blocks: Vec<*mut c_void>,
    pub others: Vec<*mut c_void>,
}

/// Allocates until this thread has a page that is full of these blocks, and another that is not full: a page that
/// becomes empty is freed if there are others of its size.
#[inline(never)]
pub fn full_page(alloc: &impl Fn() -> *mut c_void) -> Page {
    // Each with the start of its page.
    let mut all: Vec<(usize, *mut c_void)> = Vec::new();
    let mut pages = 0;
    loop {
        let block = alloc();
        let (start, _) = page_of(block).expect("a live block is in a page");
        if all.last().map_or(true, |(last, _)| *last != start) {
            pages += 1;
            assert!(pages < 100, "every page has blocks of somebody else");
            if let Some(full) = full_among(&all).filter(|_| pages > 3) {
                all.push((start, block));
                let (blocks, others): (Vec<_>, Vec<_>) =
                    all.into_iter().partition(|(start, _)| *start == full);
                let addresses = |blocks: Vec<(usize, *mut c_void)>| {
                    blocks.into_iter().map(|(_, block)| block).collect()
                };
                return Page {
                    blocks: addresses(blocks),
                    others: addresses(others),
                };
            }
        }
        all.push((start, block));
    }
}

/// The start of a page in which no other blocks are in use.
fn full_among(all: &[(usize, *mut c_void)]) -> Option<usize> {
    let of_page = |start| all.iter().filter(|(page, _)| *page == start).count();
    all.iter()
        .find(|(start, block)| page_of(*block) == Some((*start, of_page(*start))))
        .map(|(start, _)| *start)
}

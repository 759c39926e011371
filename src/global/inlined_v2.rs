//! v2's usual case of a small block, and of nearly every free, in Rust, as [`inlined`](super) has it for v3: the first
//! free block of the current page, and a block that goes back to a page of the calling thread.
//!
//! Everything else is left to upstream's functions. What is known here of upstream's
//! internals, `inlined_v2.c` says to the C compiler at each build: unless that agrees, this module is not compiled.
//!
//! The SAFETY comments cite these invariants of upstream's:
//!
//! | | invariant | checked by |
//! |---|---|---|
//! | I1 | The heap pointer of a thread is never NULL, and has its table of current pages at [`PAGES`]: one page for each count of words up to 128. | `inlined_v2.c` |
//! | I2 | A current page is never NULL. It is of the thread's own, or upstream's empty page, which has no free block. | `global_alloc` |
//! | I3 | A block's segment, and its page in there, are found by the block's address ([`SEGMENT`], [`SLICE`], `slice_offset`). | `inlined_v2.c`, `tests/host/inlined.rs` |
//! | I4 | In a segment that is the calling thread's only this thread touches the other fields of a page. | the scheme of numbers: `inlined_v2.c`; else upstream's `free.c` |
//! | I5 | A block in `free` has a word for `next`, and needs nothing else: no padding, guard, key or tool. | `inlined_v2.c` |
//! | I6 | Upstream is told of each page that becomes empty. | `tests/global/global_housekeeping.rs`, `tests/model.rs` |
//! | I7 | With `free_is_zero` a block in `free` is zero but for `next`. | `tests/heaps/zeroed.rs`, `tests/model.rs` |
#![deny(unsafe_op_in_unsafe_fn)]

use super::thread::{c_thread_local, is_current};
use crate::{mi_free, mi_malloc_aligned, mi_malloc_small, mi_zalloc_small};
use core::ffi::c_void;
use core::mem::size_of;
use core::ptr::{null_mut, write_bytes};
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Upstream's `mi_block_t`, a block that is free.
#[repr(C)]
struct Block {
    next: *mut Block,
}

/// The first part of upstream's `mi_page_t`, with upstream's names (`tests/host/inlined.rs` compares them).
#[repr(C)]
struct Page {
    slice_count: u32,
    /// How many bytes before this one lies that of the page's first slice.
    slice_offset: u32,
    bits: u16,
    capacity: u16,
    reserved: u16,
    /// With any of them no block is freed here.
    flags: u8,
    /// The lowest bit: what is in `free` is fresh from the system, and zero but for its `next`.
    zero_and_retire: u8,
    /// Blocks to allocate.
    free: *mut Block,
    /// Blocks that this thread freed since `free` was filled.
    local_free: *mut Block,
    /// How many blocks are in use.
    used: u16,
}

const SEGMENT: usize = 32 << 20;
const SLICE: usize = 64 << 10;
/// The size of a page's description, and where a segment has the thread that owns it, and those descriptions.
const ENTRY: usize = 96;
const THREAD: usize = 0x118;
const ENTRIES: usize = 0x120;
/// Where a heap has its current pages, one for each count of words.
const PAGES: usize = 0x100;

/// The current page of this thread's heap for so many words, and its first free block, which may be NULL.
///
/// # Safety
/// At most 128 words.
#[inline]
unsafe fn current(words: usize) -> (*mut Page, *mut Block) {
    // SAFETY: the C has this variable, of the initial-exec model. The table has an entry for each such count (I1),
    // and each is a page (I2) of this thread (I4).
    unsafe {
        let heap: *const u8 = c_thread_local!("_mi_heap_default");
        let page = *heap.add(PAGES).cast::<*mut Page>().add(words);
        (page, (*page).free)
    }
}

/// Whether the segment is the calling thread's.
///
/// # Safety
/// There is a segment.
#[inline]
unsafe fn is_own(segment: *mut u8) -> bool {
    // SAFETY: a segment has the field there (I3). Other threads write to it when they take over a segment.
    let owner = unsafe { (*segment.add(THREAD).cast::<AtomicUsize>()).load(Relaxed) };
    is_current(owner)
}

/// A block of at most `MI_SMALL_SIZE_MAX` bytes: `mi_malloc_small`, with its safety.
#[inline]
pub unsafe fn malloc_small(size: usize) -> *mut c_void {
    // SAFETY: the caller's; and the block is the first of the page.
    unsafe {
        let (page, block) = current(words(size));
        if block.is_null() {
            return any_malloc_small(size);
        }
        pop(page, block)
    }
}

/// The same with zeroes as far as it was asked for: `mi_zalloc_small`.
#[inline]
pub unsafe fn zalloc_small(size: usize) -> *mut c_void {
    // SAFETY: as above. The block has so many words, and all but the first may be zero (I7).
    unsafe {
        let (page, block) = current(words(size));
        if block.is_null() {
            return any_zalloc_small(size);
        }
        let p = pop(page, block);
        if (*page).zero_and_retire & 1 != 0 {
            (*block).next = null_mut();
        } else {
            // A block has at least one word.
            write_bytes(p.cast::<usize>(), 0, words(size));
        }
        p
    }
}

/// `malloc_small` for a size that is a multiple of the alignment: `mi_malloc_aligned`.
#[inline]
pub unsafe fn malloc_small_aligned(size: usize, align: usize) -> *mut c_void {
    // SAFETY: as above.
    unsafe {
        let (page, block) = current(words(size));
        if block.is_null() || block as usize & (align - 1) != 0 {
            return any_malloc_small_aligned(size, align);
        }
        pop(page, block)
    }
}

#[inline(always)]
const fn words(size: usize) -> usize {
    (size + size_of::<usize>() - 1) / size_of::<usize>()
}

/// Takes the first free block of a current page.
///
/// # Safety
/// `block` is that block.
#[inline]
unsafe fn pop(page: *mut Page, block: *mut Block) -> *mut c_void {
    // SAFETY: the page is this thread's (I4), and a free block has a `next` (I5).
    unsafe {
        (*page).free = (*block).next;
        (*page).used = (*page).used.wrapping_add(1);
    }
    block.cast()
}

/// Frees a block of any page: `mi_free`, with its safety, but not for NULL.
#[inline]
pub unsafe fn free(p: *mut c_void) {
    // A block of an alignment of its own may start where its segment ends (upstream's `_mi_ptr_segment`).
    let at = p as usize;
    let segment = at.wrapping_sub(1) & !(SEGMENT - 1);
    let entry = segment + ENTRIES + at.wrapping_sub(segment) / SLICE * ENTRY;
    let slice = entry as *mut Page;
    // SAFETY: segment and page are there as long as they have a live block (I3). Nobody else touches the page (I4),
    // and the block, which is free now, has room for its `next` (I5).
    unsafe {
        let page = (entry - (*slice).slice_offset as usize) as *mut Page;
        if !is_own(segment as *mut u8) || (*page).flags != 0 {
            return any_free(p);
        }
        let block = p.cast::<Block>();
        (*block).next = (*page).local_free;
        (*page).local_free = block;
        (*page).used = (*page).used.wrapping_sub(1);
        // I6.
        if (*page).used == 0 {
            retire(page);
        }
    }
}

extern "C" {
    // Upstream's, for a page that has become empty.
    fn _mi_page_retire(page: *mut Page);
}

#[cold]
#[inline(never)]
unsafe fn retire(page: *mut Page) {
    // SAFETY: the caller's.
    unsafe { _mi_page_retire(page) }
}

/// A function of its own, out of the way: its callers would keep the address of a C function in a register.
#[cold]
#[inline(never)]
unsafe fn any_malloc_small(size: usize) -> *mut c_void {
    // SAFETY: the caller's.
    unsafe { mi_malloc_small(size) }
}

#[cold]
#[inline(never)]
unsafe fn any_zalloc_small(size: usize) -> *mut c_void {
    // SAFETY: the caller's.
    unsafe { mi_zalloc_small(size) }
}

#[cold]
#[inline(never)]
unsafe fn any_malloc_small_aligned(size: usize, align: usize) -> *mut c_void {
    // SAFETY: the caller's.
    unsafe { mi_malloc_aligned(size, align) }
}

#[cold]
#[inline(never)]
unsafe fn any_free(p: *mut c_void) {
    // SAFETY: the caller's.
    unsafe { mi_free(p) }
}

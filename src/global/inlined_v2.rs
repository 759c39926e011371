//! v2's fast path for small blocks, and for nearly every free, in Rust, as `inlined.rs` has it for v3: pops from the
//! current page's free list, or pushes to the local free list of a page that the calling thread owns.
//!
//! Everything else is left to the slow path, upstream's functions. What this module assumes of upstream's internals,
//! `inlined_v2.c` asserts for the C compiler at each build: if an assertion fails, this module is not compiled.
//!
//! The SAFETY comments cite these invariants of upstream's. They have the numbers of v3's (`inlined.rs`).
//!
//! | | invariant | checked by |
//! |---|---|---|
//! | I1 | The heap pointer of a thread is in a thread-local variable of the initial-exec model and never NULL, and has its table of current pages at [`PAGES_FREE_DIRECT_OFFSET`]: one page for each number of words up to 128. | `Object::has_initial_exec` in `build/object.rs`; `inlined_v2.c` |
//! | I2 | A current page is never NULL: it is owned by the thread, or is upstream's empty page, which has no free block. | `tests/global/global_alloc.rs` |
//! | I3 | A block's segment, and the metadata of its page in there, are found by the block's address ([`SEGMENT_SIZE`], [`SLICE_SIZE`], `slice_offset`). | `inlined_v2.c`, `tests/host/inlined.rs` |
//! | I4 | In a segment that the calling thread owns, only this thread accesses the fields of [`Page`]. | that the id of a thread is its thread pointer: `inlined_v2.c`; the rest by reading upstream's `free.c` |
//! | I5 | A block in `free` has a word for `next`, and needs nothing else: no padding, guard, key or tool. | `inlined_v2.c` |
//! | I6 | A page that becomes empty is passed to upstream's `_mi_page_retire`, unless it is the only one of its size class and `retire_expire` is not 0: then it is retired already. | `tests/global/global_housekeeping.rs`, `tests/model.rs` |
//! | I7 | With `free_is_zero` a block in `free` is zero but for `next`. | `tests/heaps/zeroed.rs`, `tests/model.rs` |
//! | I8 | A segment and its pages exist as long as they have a live block. | by reading upstream's `segment.c` |

use super::thread::{c_thread_local, is_current};
use crate::{mi_free, mi_malloc_aligned, mi_malloc_small, mi_zalloc_small};
use core::ffi::c_void;
use core::mem::size_of;
use core::ptr::{null_mut, write_bytes};
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Upstream's `mi_block_t`: a free block.
#[repr(C)]
struct Block {
    next: *mut Block,
}

/// Upstream's `mi_page_t` up to the links of its queue, with upstream's names (`tests/host/inlined.rs` compares them with the C).
#[repr(C)]
struct Page {
    slice_count: u32,
    /// How many bytes before these metadata those of the page's first slice are.
    slice_offset: u32,
    bits: u16,
    capacity: u16,
    reserved: u16,
    /// With any of them a free takes the slow path.
    flags: u8,
    /// The lowest bit (`free_is_zero`): the blocks in `free` are fresh from the system, and zero but for their `next`.
    /// The others (`retire_expire`): not 0 while the page is retired, or was so until just now.
    zero_and_retire: u8,
    /// The free list: blocks to allocate.
    free: *mut Block,
    /// The local free list: blocks that this thread freed since `free` was refilled.
    local_free: *mut Block,
    /// The number of blocks in use.
    used: u16,
    block_size_shift: u8,
    heap_tag: u8,
    block_size: usize,
    page_start: *mut u8,
    xthread_free: usize,
    xheap: usize,
    /// The other pages of the thread with blocks of this size.
    next: *mut Page,
    prev: *mut Page,
}

const SEGMENT_SIZE: usize = 32 << 20;
const SLICE_SIZE: usize = 64 << 10;
/// The size of a page's metadata, and where a segment has the id of its owner, and those metadata.
const META_SIZE: usize = 96;
const THREAD_ID_OFFSET: usize = 0x118;
const SLICES_OFFSET: usize = 0x120;
/// Where a heap has its current pages, one for each number of words.
const PAGES_FREE_DIRECT_OFFSET: usize = 0x100;

/// The current page of this thread's heap for this number of words, and its first free block, which may be NULL.
///
/// # Safety
/// At most 128 words.
#[inline]
unsafe fn current(words: usize) -> (*mut Page, *mut Block) {
    // SAFETY: the C has this variable (I1). The table has an entry for each such number (I1),
    // and each is a page (I2) of this thread (I4).
    unsafe {
        let heap: *const u8 = c_thread_local!("_mi_heap_default");
        let page = *heap
            .add(PAGES_FREE_DIRECT_OFFSET)
            .cast::<*mut Page>()
            .add(words);
        (page, (*page).free)
    }
}

/// Whether the segment is owned by the calling thread.
///
/// # Safety
/// `segment` points to a segment that exists.
#[inline]
unsafe fn is_local(segment: *mut u8) -> bool {
    // SAFETY: a segment has the field there (I3). Other threads write to it when they take over a segment.
    let owner = unsafe { (*segment.add(THREAD_ID_OFFSET).cast::<AtomicUsize>()).load(Relaxed) };
    is_current(owner)
}

/// `mi_malloc_small`.
///
/// # Safety
/// At most `MI_SMALL_SIZE_MAX` bytes.
#[inline]
pub unsafe fn malloc_small(size: usize) -> *mut c_void {
    // SAFETY: at most 128 words, by the caller's contract. The block is the first of the current page (I2).
    unsafe {
        let (page, block) = current(words(size));
        if block.is_null() {
            return malloc_small_slow(size);
        }
        pop(page, block)
    }
}

/// `mi_zalloc_small`, but only the requested bytes are zeroed.
///
/// # Safety
/// As `malloc_small`.
#[inline]
pub unsafe fn zalloc_small(size: usize) -> *mut c_void {
    // SAFETY: as in `malloc_small`. The block has this number of words (I1), and only this thread accesses it (I4). With
    // `free_is_zero` all but its first word are zero (I7).
    unsafe {
        let (page, block) = current(words(size));
        if block.is_null() {
            return zalloc_small_slow(size);
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

/// `mi_malloc_aligned` for a small size that is a multiple of the alignment.
///
/// # Safety
/// At most `MI_SMALL_SIZE_MAX` bytes; the alignment is a power of two.
#[inline]
pub unsafe fn malloc_small_aligned(size: usize, align: usize) -> *mut c_void {
    // SAFETY: as in `malloc_small`.
    unsafe {
        let (page, block) = current(words(size));
        if block.is_null() || block as usize & (align - 1) != 0 {
            return malloc_small_aligned_slow(size, align);
        }
        pop(page, block)
    }
}

#[inline(always)]
const fn words(size: usize) -> usize {
    (size + size_of::<usize>() - 1) / size_of::<usize>()
}

/// Pops the first block of a current page's free list.
///
/// # Safety
/// `block` is that block, and not NULL.
#[inline]
unsafe fn pop(page: *mut Page, block: *mut Block) -> *mut c_void {
    // SAFETY: the page is owned by this thread (I2, I4), and a free block has a `next` (I5).
    unsafe {
        (*page).free = (*block).next;
        (*page).used = (*page).used.wrapping_add(1);
    }
    block.cast()
}

/// `mi_free`, but not for NULL.
///
/// # Safety
/// `p` is a live block, in a page of any kind.
#[inline]
pub unsafe fn free(p: *mut c_void) {
    // A block of a large alignment may start where its segment ends (upstream's `_mi_ptr_segment`).
    let address = p as usize;
    let segment = address.wrapping_sub(1) & !(SEGMENT_SIZE - 1);
    let meta = segment + SLICES_OFFSET + address.wrapping_sub(segment) / SLICE_SIZE * META_SIZE;
    let slice = meta as *mut Page;
    // SAFETY: segment and page exist (I3, I8), and `slice_offset` does not change as long as the slice has a live block, so
    // it may be read before the owner is known. If the segment is this thread's, no other thread accesses the page (I4),
    // and the block, which is free now, has space for its `next` (I5). Otherwise upstream frees the live block.
    unsafe {
        let page = (meta - (*slice).slice_offset as usize) as *mut Page;
        if !is_local(segment as *mut u8) || (*page).flags != 0 {
            return free_slow(p);
        }
        let block = p.cast::<Block>();
        (*block).next = (*page).local_free;
        (*page).local_free = block;
        (*page).used = (*page).used.wrapping_sub(1);
        if (*page).used == 0 && !is_retired(page) {
            retire(page); // I6
        }
    }
}

/// Whether an empty page is retired already: it was used again since, and became empty again. A program that has one block
/// of a size at a time does that with each block. A page that is not the only one of its size class is freed instead.
///
/// # Safety
/// `page` is owned by this thread.
#[inline]
unsafe fn is_retired(page: *const Page) -> bool {
    // SAFETY: such a page, by the caller's contract (I4).
    unsafe { (*page).zero_and_retire > 1 && (*page).next.is_null() && (*page).prev.is_null() }
}

extern "C" {
    // Upstream's function for a page that has become empty.
    fn _mi_page_retire(page: *mut Page);
}

/// # Safety
/// `page` is owned by this thread, has no block in use, and is not retired.
#[cold]
#[inline(never)]
unsafe fn retire(page: *mut Page) {
    // SAFETY: such a page, by the caller's contract (I4, I6).
    unsafe { _mi_page_retire(page) }
}

// The slow paths. They are functions of their own, not inlined: otherwise callers would keep the address of a C function
// in a register.

/// # Safety
/// As `malloc_small`.
#[cold]
#[inline(never)]
unsafe fn malloc_small_slow(size: usize) -> *mut c_void {
    // SAFETY: any size up to `MI_SMALL_SIZE_MAX`, by the caller's contract.
    unsafe { mi_malloc_small(size) }
}

/// # Safety
/// As `zalloc_small`.
#[cold]
#[inline(never)]
unsafe fn zalloc_small_slow(size: usize) -> *mut c_void {
    // SAFETY: as in `malloc_small_slow`.
    unsafe { mi_zalloc_small(size) }
}

/// # Safety
/// As `malloc_small_aligned`.
#[cold]
#[inline(never)]
unsafe fn malloc_small_aligned_slow(size: usize, align: usize) -> *mut c_void {
    // SAFETY: a power of two, by the caller's contract.
    unsafe { mi_malloc_aligned(size, align) }
}

/// # Safety
/// As `free`.
#[cold]
#[inline(never)]
unsafe fn free_slow(p: *mut c_void) {
    // SAFETY: a live block, by the caller's contract.
    unsafe { mi_free(p) }
}

//! The usual case of a small block, in Rust, so that no call is left in its caller: the first free block of
//! the current page, and a block that goes back to a page of the calling thread.
//!
//! Everything else is left to the entry points in `global.c`, which do this much in the same way. What is known
//! here of upstream's internals, `inlined.c` says to the C compiler at each build: unless that agrees, this module is
//! not compiled.
//!
//! The SAFETY comments cite these invariants of upstream's:
//!
//! | | invariant | checked by |
//! |---|---|---|
//! | I1 | The theap pointer of a thread is never NULL, and its table of current pages is at offset 0: one page for each count of words up to 128. | `inlined.c` |
//! | I2 | A current page is never NULL. A thread's own pages, or upstream's empty page, which has no free block. | `inlined.c` (`MI_THEAP_INITASNULL`), `global_alloc` |
//! | I3 | An entry of the page table is found by masking an address of a block. It has the fields of [`Page`]. | `inlined.c`, `tests/host/inlined.rs` |
//! | I4 | Where `xthread_id` is the number of the calling thread, with no flag, only this thread touches the other fields. | the scheme of numbers: `inlined.c`; else upstream's `free.c` |
//! | I5 | A block in `free` has a word for `next`, and needs nothing else: no padding, guard, key or tool. | `inlined.c` |
//! | I6 | `xused` has two counts; the lower one never overflows, as no page has 65,536 blocks. | `inlined.c` |
//! | I7 | Upstream is told once of a page that becomes empty, unless it knows (`retire_expire`). | `tests/global/global_housekeeping.rs` |
//! | I8 | With `free_is_zero` a block in `free` is zero but for `next`. | `tests/heaps/zeroed.rs`, `tests/model.rs` |
#![deny(unsafe_op_in_unsafe_fn)]

use super::thread::{c_thread_local, is_current};
use core::ffi::c_void;
use core::mem::size_of;
use core::ptr::{null_mut, write_bytes};
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Upstream's `mi_block_t`, a block that is free.
#[repr(C)]
struct Block {
    next: *mut Block,
}

/// The first cache line of upstream's `mi_page_t`, with upstream's names (`tests/host/inlined.rs` compares them). Other
/// threads touch only `xthread_id`.
#[repr(C)]
struct Page {
    /// This one, or for a part of a larger page that of the whole: upstream's `self`.
    self_: *mut Page,
    /// The thread, and in the lowest bits flags: with any of them no block is freed here.
    xthread_id: AtomicUsize,
    /// Blocks to allocate.
    free: *mut Block,
    /// Blocks that this thread freed since `free` was filled.
    local_free: *mut Block,
    block_size: usize,
    /// How many blocks are in use, in the lowest 16 bits, and above them how many were allocated since upstream
    /// last looked.
    xused: u64,
    page_offset: usize,
    capacity: u16,
    reserved: u16,
    slice_pcommitted: u16,
    /// Not 0 while the page is known to be empty, or was so until just now.
    retire_expire: u8,
    /// Not 0 if what is in `free` is fresh from the system, and zero but for its `next`.
    free_is_zero: u8,
}

/// The current pages of this thread: upstream's `mi_theap_t`, of which they are the beginning, for each
/// count of words one.
#[inline]
fn pages_free_direct() -> *const *mut Page {
    // SAFETY: the C has this variable, of the initial-exec model (I1).
    unsafe { c_thread_local!("__mi_theap_default") }
}

/// Whether the page is the calling thread's and has no flags.
///
/// # Safety
/// It is an entry of the page table.
#[inline]
unsafe fn is_local_unflagged(page: *mut Page) -> bool {
    // SAFETY: the entry is there (I3). Other threads touch this field too, so it is read as an atomic.
    is_current(unsafe { (*page).xthread_id.load(Relaxed) })
}

/// The description of a small page, or of the part of a larger one that the block begins in. They are where the
/// next lower multiple of 256 MiB is: in a table that has 128 bytes for each 64 KiB. (With large slices, twice as
/// far and for twice as much.)
#[inline]
fn page_meta(p: *mut c_void) -> *mut Page {
    const PAGE: usize = if cfg!(large_slices) {
        128 << 10
    } else {
        64 << 10
    };
    const REGION: usize = 4096 * PAGE;
    const ENTRY: usize = 128;
    let at = p as usize;
    let in_region = at % REGION;
    (at - in_region + in_region / PAGE * ENTRY) as *mut Page
}

/// The current page for so many words, and its first free block, which may be NULL.
///
/// # Safety
/// At most 128 words.
#[inline]
unsafe fn current(words: usize) -> (*mut Page, *mut Block) {
    // SAFETY: the table has an entry for each such count (I1), and each is a page (I2) of this thread (I4).
    unsafe {
        let page = *pages_free_direct().add(words);
        (page, (*page).free)
    }
}

/// A block of so many words, at most `MI_SMALL_SIZE_MAX` bytes: `mi_wmalloc_small`, with its safety.
#[inline]
pub unsafe fn malloc_small(words: usize) -> *mut c_void {
    // SAFETY: the caller's; and the block is the first of the page.
    unsafe {
        let (page, block) = current(words);
        if block.is_null() {
            return any_malloc_small(words);
        }
        pop(page, block)
    }
}

/// The same with zeroes in as many words: `mi_wzalloc_small`, but for what the block has beyond them.
#[inline]
pub unsafe fn zalloc_small(words: usize) -> *mut c_void {
    // SAFETY: as above. The block has so many words, and all but the first may be zero (I8).
    unsafe {
        let (page, block) = current(words);
        if block.is_null() {
            return any_zalloc_small(words);
        }
        let p = pop(page, block);
        if (*page).free_is_zero != 0 {
            (*block).next = null_mut();
        } else {
            write_bytes(p.cast::<usize>(), 0, words);
        }
        p
    }
}

/// `malloc_small` for a size in bytes that is a multiple of the alignment: `mi_malloc_aligned`.
#[inline]
pub unsafe fn malloc_small_aligned(size: usize, align: usize) -> *mut c_void {
    // SAFETY: as above.
    unsafe {
        let (page, block) = current(size / size_of::<usize>());
        if block.is_null() || block as usize & (align - 1) != 0 {
            return any_malloc_small_aligned(size, align);
        }
        pop(page, block)
    }
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
        // One more in use, one more allocated (I6).
        (*page).xused = (*page).xused.wrapping_add(0x1_0001);
    }
    block.cast()
}

/// Frees a block of a small page: `mi_free_small_nonnull`, with its safety.
#[inline]
pub unsafe fn free_small(p: *mut c_void) {
    // SAFETY: the entry of a block in a small page is the page's own (I3).
    unsafe { push(page_meta(p), p) }
}

/// Frees a block of any page: `mi_free`, with its safety, but not for NULL.
#[inline]
pub unsafe fn free(p: *mut c_void) {
    // SAFETY: the entry of a block names that of its page (I3).
    unsafe { push((*page_meta(p)).self_, p) }
}

/// Frees a block of that page.
///
/// # Safety
/// The block is live and in that page.
#[inline]
unsafe fn push(page: *mut Page, p: *mut c_void) {
    // SAFETY: the page is there as long as it has a live block. Nobody else touches it (I4), and the block, which is
    // free now, has room for its `next` (I5).
    unsafe {
        if !is_local_unflagged(page) {
            return any_free(p);
        }
        let block = p.cast::<Block>();
        let xused = (*page).xused.wrapping_sub(1);
        (*block).next = (*page).local_free;
        (*page).local_free = block;
        (*page).xused = xused;
        // An empty page is retired once, and may then be used and emptied again (I7).
        if xused as u16 == 0 && (*page).retire_expire == 0 {
            retire(page);
        }
    }
}

extern "C" {
    fn mi_malloc_sys_page_retire(page: *mut Page);
    fn mi_malloc_sys_malloc_small(words: usize) -> *mut c_void;
    fn mi_malloc_sys_free_general(p: *mut c_void);
    fn mi_malloc_sys_zalloc_small(words: usize) -> *mut c_void;
    fn mi_malloc_sys_malloc_small_aligned(size: usize, align: usize) -> *mut c_void;
}

/// A function of its own, out of the way: its callers would keep the address of a C function in a register.
#[cold]
#[inline(never)]
unsafe fn any_malloc_small(words: usize) -> *mut c_void {
    // SAFETY: the caller's.
    unsafe { mi_malloc_sys_malloc_small(words) }
}

#[cold]
#[inline(never)]
unsafe fn any_zalloc_small(words: usize) -> *mut c_void {
    // SAFETY: the caller's.
    unsafe { mi_malloc_sys_zalloc_small(words) }
}

#[cold]
#[inline(never)]
unsafe fn any_malloc_small_aligned(size: usize, align: usize) -> *mut c_void {
    // SAFETY: the caller's.
    unsafe { mi_malloc_sys_malloc_small_aligned(size, align) }
}

#[cold]
#[inline(never)]
unsafe fn any_free(p: *mut c_void) {
    // SAFETY: the caller's.
    unsafe { mi_malloc_sys_free_general(p) }
}

#[cold]
#[inline(never)]
unsafe fn retire(page: *mut Page) {
    // SAFETY: the caller's.
    unsafe { mi_malloc_sys_page_retire(page) }
}

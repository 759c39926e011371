//! The fast path for small blocks, in Rust, so that it is inlined into its callers: pops from the current page's free
//! list, or pushes to the local free list of a page that the calling thread owns.
//!
//! Everything else is left to the slow path, the entry points in `global.c`. What this module assumes of upstream's
//! internals, `inlined.c` asserts for the C compiler at each build: if an assertion fails, this module is not compiled.
//!
//! The SAFETY comments cite these invariants of upstream's. I1 to I8 are also those of v2, in its terms
//! (`inlined_v2.rs`); I9 is v3's alone.
//!
//! | | invariant | checked by |
//! |---|---|---|
//! | I1 | The theap pointer of a thread is in a thread-local variable of the initial-exec model and never NULL, and its table of current pages is at offset 0: one page for each number of words up to 128. On Windows it is in a slot of the thread environment block, and NULL in a thread that has not allocated yet. | `Object::has_initial_exec` in `build/object.rs`; `inlined.c` (`MI_THEAP_INITASNULL`, offsets) |
//! | I2 | A current page is never NULL: it is owned by the thread, or is upstream's empty page, which has no free block. | `tests/global/global_alloc.rs` |
//! | I3 | The metadata of a page are found by masking the address of a block. They have the fields of [`Page`]. | `inlined.c`, `tests/host/inlined.rs` |
//! | I4 | Where `xthread_id` is the id of the calling thread, with no flag, only this thread accesses the other fields. | that the id is the thread pointer: `inlined.c`; the rest by reading upstream's `free.c` |
//! | I5 | A block in `free` has a word for `next`, and needs nothing else: no padding, guard, key or tool. | `inlined.c` |
//! | I6 | A page that becomes empty is retired only if `retire_expire` is 0. Otherwise it is retired already. | `tests/global/global_housekeeping.rs` |
//! | I7 | With `free_is_zero` a block in `free` is zero but for `next`. | `tests/heaps/zeroed.rs`, `tests/model.rs` |
//! | I8 | A page exists as long as it has a live block. | by reading upstream's `page.c` |
//! | I9 | `xused` packs two counts; the lower one never overflows, as no page has 65,536 blocks. | `inlined.c` (the size of the field and of small pages) |

#[cfg(not(windows))]
use super::thread::c_thread_local;
use super::thread::is_current;
use core::ffi::c_void;
use core::mem::size_of;
#[cfg(windows)]
use core::ptr::null;
use core::ptr::{null_mut, write_bytes};
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Upstream's `mi_block_t`: a free block.
#[repr(C)]
struct Block {
    next: *mut Block,
}

/// The first cache line of upstream's `mi_page_t`, with upstream's names (`tests/host/inlined.rs` compares them with the C).
/// Other threads access only `xthread_id`, and read `self_`.
#[repr(C)]
struct Page {
    /// Upstream's `self`: the metadata of the page. In the entry of a later slice of a larger page, it points to the
    /// entry of the first.
    self_: *mut Page,
    /// The owning thread, and in the lowest bits flags: with any of them a free takes the slow path.
    xthread_id: AtomicUsize,
    /// The free list: blocks to allocate.
    free: *mut Block,
    /// The local free list: blocks that this thread freed since `free` was refilled.
    local_free: *mut Block,
    block_size: usize,
    /// The number of blocks in use, in the lowest 16 bits, and above them the number of blocks that were allocated since
    /// upstream last read it.
    xused: u64,
    page_offset: usize,
    capacity: u16,
    reserved: u16,
    slice_pcommitted: u16,
    /// Not 0 while the page is retired, or was so until just now.
    retire_expire: u8,
    /// Not 0 if the blocks in `free` are fresh from the system, and zero but for their `next`.
    free_is_zero: u8,
}

/// The current pages of this thread, one for each number of words: the start of upstream's `mi_theap_t`. On Windows NULL
/// where only the slow path finds them, or creates them.
#[cfg(not(windows))]
#[inline]
fn pages_free_direct() -> *const *mut Page {
    // SAFETY: the C has this variable, of the initial-exec model (I1).
    unsafe { c_thread_local!("__mi_theap_default") }
}

#[cfg(windows)]
#[inline]
fn pages_free_direct() -> *const *mut Page {
    extern "C" {
        static _mi_theap_default_slot: AtomicUsize;
    }
    // Upstream's `MI_TLS_EXPANSION_SLOT`: a table of further slots. A process with more than 64 slots has it.
    const EXPANSION_SLOT: usize = 0x1780 / size_of::<usize>();
    // SAFETY: the C has this variable, and the slot that it names holds a theap or NULL (I1).
    unsafe {
        let slot = _mi_theap_default_slot.load(Relaxed);
        if slot == EXPANSION_SLOT {
            return null();
        }
        super::thread::slot(slot)
    }
}

/// Whether the page is owned by the calling thread and has no flags.
///
/// # Safety
/// `page` points to the metadata of a page that exists.
#[inline]
unsafe fn is_local_unflagged(page: *mut Page) -> bool {
    // SAFETY: the metadata have the field (I3). Other threads access it too, so it is read as an atomic.
    is_current(unsafe { (*page).xthread_id.load(Relaxed) })
}

/// The metadata of a small page, or of the slice of a larger one that the block starts in (I3). They are in a table at
/// the next lower multiple of 256 MiB, with 128 bytes for each slice of 64 KiB. (With slices of 128 KiB, at multiples of
/// 512 MiB.)
#[inline]
fn page_meta(p: *mut c_void) -> *mut Page {
    const SLICE: usize = if cfg!(mi_large_slices) {
        128 << 10
    } else {
        64 << 10
    };
    const META_REGION: usize = 4096 * SLICE;
    const META_SIZE: usize = 128;
    let address = p as usize;
    let offset = address % META_REGION;
    (address - offset + offset / SLICE * META_SIZE) as *mut Page
}

/// The current page for this number of words, and its first free block, which may be NULL; with it the page may be NULL.
///
/// # Safety
/// At most 128 words.
#[inline]
unsafe fn current(words: usize) -> (*mut Page, *mut Block) {
    let pages = pages_free_direct();
    if cfg!(windows) && pages.is_null() {
        return (null_mut(), null_mut());
    }
    // SAFETY: the table has an entry for each such number (I1), and each is a page (I2) of this thread (I4).
    unsafe {
        let page = *pages.add(words);
        (page, (*page).free)
    }
}

/// `mi_wmalloc_small`: a block of this number of words.
///
/// # Safety
/// At most 128 words (`MI_SMALL_SIZE_MAX` bytes).
#[inline]
pub unsafe fn malloc_small(words: usize) -> *mut c_void {
    // SAFETY: at most 128 words, by the caller's contract. The block is the first of the current page (I2).
    unsafe {
        let (page, block) = current(words);
        if block.is_null() {
            return malloc_small_slow(words);
        }
        pop(page, block)
    }
}

/// `mi_wzalloc_small`, but only the requested words are zeroed.
///
/// # Safety
/// As `malloc_small`.
#[inline]
pub unsafe fn zalloc_small(words: usize) -> *mut c_void {
    // SAFETY: as in `malloc_small`. The block has this number of words (I1), and only this thread accesses it (I4). With
    // `free_is_zero` all but its first word are zero (I7).
    unsafe {
        let (page, block) = current(words);
        if block.is_null() {
            return zalloc_small_slow(words);
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

/// `mi_malloc_aligned` for a small size, in bytes, that is a multiple of the alignment.
///
/// # Safety
/// At most `MI_SMALL_SIZE_MAX` bytes, and a multiple of the alignment, which is a power of two of at least a word (G4).
#[inline]
pub unsafe fn malloc_small_aligned(size: usize, align: usize) -> *mut c_void {
    // SAFETY: as in `malloc_small`.
    unsafe {
        let (page, block) = current(size / size_of::<usize>());
        if block.is_null() || block as usize & (align - 1) != 0 {
            return malloc_small_aligned_slow(size, align);
        }
        pop(page, block)
    }
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
        // One more block in use, one more allocated (I9).
        (*page).xused = (*page).xused.wrapping_add(0x1_0001);
    }
    block.cast()
}

/// `mi_free_small_nonnull`.
///
/// # Safety
/// `p` is a live block in a small page.
#[inline]
pub unsafe fn free_small(p: *mut c_void) {
    // SAFETY: a small page has one slice, so the metadata of the block's slice are those of its page (I3, I8).
    unsafe { push(page_meta(p), p) }
}

/// `mi_free`, but not for NULL.
///
/// # Safety
/// `p` is a live block, in a page of any kind.
#[inline]
pub unsafe fn free(p: *mut c_void) {
    // SAFETY: the metadata of the block's slice point to those of its page (I3), and do so as long as the block is live (I8).
    unsafe { push((*page_meta(p)).self_, p) }
}

/// Pushes a block to the local free list of its page.
///
/// # Safety
/// `p` is a live block of that page.
#[inline]
unsafe fn push(page: *mut Page, p: *mut c_void) {
    // SAFETY: the page exists (I8). If it is local and unflagged, no other thread accesses it (I4), and the block, which
    // is free now, has space for its `next` (I5). Otherwise upstream frees the live block.
    unsafe {
        if !is_local_unflagged(page) {
            return free_slow(p);
        }
        let block = p.cast::<Block>();
        let xused = (*page).xused.wrapping_sub(1);
        (*block).next = (*page).local_free;
        (*page).local_free = block;
        (*page).xused = xused;
        // The page is empty (I9). It may be retired already: it was used again since, and became empty again (I6).
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

// The slow paths. They are functions of their own, not inlined: otherwise callers would keep the address of a C function
// in a register.

/// # Safety
/// As `malloc_small`.
#[cold]
#[inline(never)]
unsafe fn malloc_small_slow(words: usize) -> *mut c_void {
    // SAFETY: any number of words up to 128, by the caller's contract.
    unsafe { mi_malloc_sys_malloc_small(words) }
}

/// # Safety
/// As `zalloc_small`.
#[cold]
#[inline(never)]
unsafe fn zalloc_small_slow(words: usize) -> *mut c_void {
    // SAFETY: as in `malloc_small_slow`.
    unsafe { mi_malloc_sys_zalloc_small(words) }
}

/// # Safety
/// As `malloc_small_aligned`.
#[cold]
#[inline(never)]
unsafe fn malloc_small_aligned_slow(size: usize, align: usize) -> *mut c_void {
    // SAFETY: a small size and a power of two, by the caller's contract.
    unsafe { mi_malloc_sys_malloc_small_aligned(size, align) }
}

/// # Safety
/// As `free`: a live block in a page of any kind, small ones included.
#[cold]
#[inline(never)]
unsafe fn free_slow(p: *mut c_void) {
    // SAFETY: a live block, by the caller's contract.
    unsafe { mi_malloc_sys_free_general(p) }
}

/// # Safety
/// `page` is owned by this thread, has no block in use, and is not retired.
#[cold]
#[inline(never)]
unsafe fn retire(page: *mut Page) {
    // SAFETY: such a page, by the caller's contract (I4, I6).
    unsafe { mi_malloc_sys_page_retire(page) }
}

//! The usual case of a small block, in Rust, so that no call is left in its caller: the first free block of
//! the page that is at hand, and a block that goes back to a page of the calling thread.
//!
//! Everything else is left to the entry points in `global.c`, which do this much in the same way. What is known
//! here of upstream's insides, `inlined.c` says to the C compiler at each build: unless that agrees, this module is
//! not compiled.

use core::arch::asm;
use core::ffi::c_void;
use core::mem::size_of;
use core::ptr::{null_mut, write_bytes};
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Upstream's `mi_block_t`, a block that is free.
#[repr(C)]
struct Block {
    next: *mut Block,
}

/// The first cache line of upstream's `mi_page_t`, with upstream's names (`tests/inlined.rs` compares them). Other
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

/// The pages at hand of this thread: upstream's `mi_theap_t`, of which they are the beginning, for each
/// count of words one.
#[inline]
unsafe fn pages() -> *const *mut Page {
    let theap;
    // Rust has no thread-local variables of C (rust-lang/rust#29594). `readonly`, not `nomem`: after any
    // call it is read again, since the call may have given the thread its first theap.
    #[cfg(target_arch = "x86_64")]
    asm!(
        "mov {0}, qword ptr [rip + __mi_theap_default@GOTTPOFF]",
        "mov {0}, qword ptr fs:[{0}]",
        out(reg) theap,
        options(pure, readonly, nostack, preserves_flags)
    );
    #[cfg(target_arch = "aarch64")]
    asm!(
        "adrp {0}, :gottprel:__mi_theap_default",
        "ldr {0}, [{0}, :gottprel_lo12:__mi_theap_default]",
        "ldr {0}, [{0}, {1}]",
        out(reg) theap,
        in(reg) thread(),
        options(pure, readonly, nostack, preserves_flags)
    );
    theap
}

/// Whether the page is the calling thread's and has no flags. Upstream takes the thread pointer for the number of
/// a thread, which is read again after any call, since a coroutine may go on in another thread.
#[inline]
unsafe fn is_own(page: *mut Page) -> bool {
    let owner = (*page).xthread_id.load(Relaxed);
    let other: usize;
    // In one instruction, and without a register for the pointer.
    #[cfg(target_arch = "x86_64")]
    asm!(
        "xor {0}, qword ptr fs:[0]",
        inlateout(reg) owner => other,
        options(pure, readonly, nostack)
    );
    #[cfg(target_arch = "aarch64")]
    {
        other = owner ^ thread();
    }
    other == 0
}

/// The thread pointer.
#[cfg(target_arch = "aarch64")]
#[inline]
unsafe fn thread() -> usize {
    let thread;
    asm!(
        "mrs {0}, tpidr_el0",
        out(reg) thread,
        options(pure, readonly, nostack, preserves_flags)
    );
    thread
}

/// The description of a small page, or of the part of a larger one that the block begins in. They are where the
/// next lower multiple of 256 MiB is: in a table that has 128 bytes for each 64 KiB. (With large slices, twice as
/// far and for twice as much.)
#[inline]
fn page_of(p: *mut c_void) -> *mut Page {
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

/// A block of so many words, at most `MI_SMALL_SIZE_MAX` bytes: `mi_wmalloc_small`, with its safety.
#[inline]
pub unsafe fn malloc_small(words: usize) -> *mut c_void {
    let page = *pages().add(words);
    let block = (*page).free;
    if block.is_null() {
        return any_malloc_small(words);
    }
    take(page, block)
}

/// The same with zeroes in as many words: `mi_wzalloc_small`, but for what the block has beyond them.
#[inline]
pub unsafe fn zalloc_small(words: usize) -> *mut c_void {
    let page = *pages().add(words);
    let block = (*page).free;
    if block.is_null() {
        return any_zalloc_small(words);
    }
    let p = take(page, block);
    if (*page).free_is_zero != 0 {
        (*block).next = null_mut();
    } else {
        write_bytes(p.cast::<usize>(), 0, words);
    }
    p
}

/// `malloc_small` for a size in bytes that is a multiple of the alignment: `mi_malloc_aligned`.
#[inline]
pub unsafe fn malloc_small_aligned(size: usize, align: usize) -> *mut c_void {
    let page = *pages().add(size / size_of::<usize>());
    let block = (*page).free;
    if block.is_null() || block as usize & (align - 1) != 0 {
        return any_malloc_small_aligned(size, align);
    }
    take(page, block)
}

#[inline]
unsafe fn take(page: *mut Page, block: *mut Block) -> *mut c_void {
    (*page).free = (*block).next;
    // One more in use, one more allocated.
    (*page).xused = (*page).xused.wrapping_add(0x1_0001);
    block.cast()
}

/// Frees a block of a small page: `mi_free_small_nonnull`, with its safety.
#[inline]
pub unsafe fn free_small(p: *mut c_void) {
    free_in(page_of(p), p)
}

/// Frees a block of any page: `mi_free`, with its safety, but not for NULL.
#[inline]
pub unsafe fn free(p: *mut c_void) {
    free_in((*page_of(p)).self_, p)
}

#[inline]
unsafe fn free_in(page: *mut Page, p: *mut c_void) {
    if !is_own(page) {
        return any_free(p);
    }
    let block = p.cast::<Block>();
    let xused = (*page).xused.wrapping_sub(1);
    (*block).next = (*page).local_free;
    (*page).local_free = block;
    (*page).xused = xused;
    // An empty page is retired once, and may then be used and emptied again.
    if xused as u16 == 0 && (*page).retire_expire == 0 {
        retire(page);
    }
}

extern "C" {
    fn mi_malloc_sys_emptied(page: *mut Page);
    fn mi_malloc_sys_small(words: usize) -> *mut c_void;
    fn mi_malloc_sys_free_medium(p: *mut c_void);
    fn mi_malloc_sys_small_zeroed(words: usize) -> *mut c_void;
    fn mi_malloc_sys_small_aligned(size: usize, align: usize) -> *mut c_void;
}

/// A function of its own, out of the way: its callers would keep the address of a C function in a register.
#[cold]
#[inline(never)]
unsafe fn any_malloc_small(words: usize) -> *mut c_void {
    mi_malloc_sys_small(words)
}

#[cold]
#[inline(never)]
unsafe fn any_zalloc_small(words: usize) -> *mut c_void {
    mi_malloc_sys_small_zeroed(words)
}

#[cold]
#[inline(never)]
unsafe fn any_malloc_small_aligned(size: usize, align: usize) -> *mut c_void {
    mi_malloc_sys_small_aligned(size, align)
}

#[cold]
#[inline(never)]
unsafe fn any_free(p: *mut c_void) {
    mi_malloc_sys_free_medium(p);
}

#[cold]
#[inline(never)]
unsafe fn retire(page: *mut Page) {
    mi_malloc_sys_emptied(page);
}

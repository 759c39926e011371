//! v2's usual case of a small block, and of nearly every free, in Rust, as [`inlined`](super) has it for v3: the first
//! free block of the current page, and a block that goes back to a page of the calling thread.
//!
//! Everything else is left to upstream's functions. What is known here of upstream's
//! internals, `inlined_v2.c` says to the C compiler at each build: unless that agrees, this module is not compiled.

use crate::{mi_free, mi_malloc_aligned, mi_malloc_small, mi_zalloc_small};
use core::arch::asm;
use core::ffi::c_void;
use core::mem::size_of;
use core::ptr::{null_mut, write_bytes};

/// Upstream's `mi_block_t`, a block that is free.
#[repr(C)]
struct Block {
    next: *mut Block,
}

/// The first part of upstream's `mi_page_t`, with upstream's names (`tests/inlined.rs` compares them).
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

/// The current page of this thread's heap for so many words.
#[inline]
unsafe fn page_for(words: usize) -> *mut Page {
    let heap: *const u8;
    // As for v3: `readonly`, since any call may give the thread its first heap.
    #[cfg(target_arch = "x86_64")]
    asm!(
        "mov {0}, qword ptr [rip + _mi_heap_default@GOTTPOFF]",
        "mov {0}, qword ptr fs:[{0}]",
        out(reg) heap,
        options(pure, readonly, nostack, preserves_flags)
    );
    #[cfg(target_arch = "aarch64")]
    asm!(
        "adrp {0}, :gottprel:_mi_heap_default",
        "ldr {0}, [{0}, :gottprel_lo12:_mi_heap_default]",
        "ldr {0}, [{0}, {1}]",
        out(reg) heap,
        in(reg) thread(),
        options(pure, readonly, nostack, preserves_flags)
    );
    *heap.add(PAGES).cast::<*mut Page>().add(words)
}

/// Whether the segment is the calling thread's. Other threads write to this field too, when they take over a segment.
#[inline]
unsafe fn is_own(segment: *mut u8) -> bool {
    let owner = (*segment
        .add(THREAD)
        .cast::<core::sync::atomic::AtomicUsize>())
    .load(core::sync::atomic::Ordering::Relaxed);
    let other: usize;
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

/// A block of at most `MI_SMALL_SIZE_MAX` bytes: `mi_malloc_small`, with its safety.
#[inline]
pub unsafe fn malloc_small(size: usize) -> *mut c_void {
    let page = page_for(words(size));
    let block = (*page).free;
    if block.is_null() {
        return any_malloc_small(size);
    }
    pop(page, block)
}

/// The same with zeroes as far as it was asked for: `mi_zalloc_small`.
#[inline]
pub unsafe fn zalloc_small(size: usize) -> *mut c_void {
    let page = page_for(words(size));
    let block = (*page).free;
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

/// `malloc_small` for a size that is a multiple of the alignment: `mi_malloc_aligned`.
#[inline]
pub unsafe fn malloc_small_aligned(size: usize, align: usize) -> *mut c_void {
    let page = page_for(words(size));
    let block = (*page).free;
    if block.is_null() || block as usize & (align - 1) != 0 {
        return any_malloc_small_aligned(size, align);
    }
    pop(page, block)
}

#[inline(always)]
const fn words(size: usize) -> usize {
    (size + size_of::<usize>() - 1) / size_of::<usize>()
}

#[inline]
unsafe fn pop(page: *mut Page, block: *mut Block) -> *mut c_void {
    (*page).free = (*block).next;
    (*page).used = (*page).used.wrapping_add(1);
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
    let page = (entry - (*slice).slice_offset as usize) as *mut Page;
    if !is_own(segment as *mut u8) || (*page).flags != 0 {
        return any_free(p);
    }
    let block = p.cast::<Block>();
    (*block).next = (*page).local_free;
    (*page).local_free = block;
    (*page).used = (*page).used.wrapping_sub(1);
    if (*page).used == 0 {
        retire(page);
    }
}

extern "C" {
    // Upstream's, for a page that has become empty.
    fn _mi_page_retire(page: *mut Page);
}

#[cold]
#[inline(never)]
unsafe fn retire(page: *mut Page) {
    _mi_page_retire(page);
}

/// A function of its own, out of the way: its callers would keep the address of a C function in a register.
#[cold]
#[inline(never)]
unsafe fn any_malloc_small(size: usize) -> *mut c_void {
    mi_malloc_small(size)
}

#[cold]
#[inline(never)]
unsafe fn any_zalloc_small(size: usize) -> *mut c_void {
    mi_zalloc_small(size)
}

#[cold]
#[inline(never)]
unsafe fn any_malloc_small_aligned(size: usize, align: usize) -> *mut c_void {
    mi_malloc_aligned(size, align)
}

#[cold]
#[inline(never)]
unsafe fn any_free(p: *mut c_void) {
    mi_free(p);
}

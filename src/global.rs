//! `MiMalloc`: mimalloc behind `#[global_allocator]`.
//!
//! Rust tells the layout of a block when it allocates and again when it frees, which is more than
//! `malloc` and `free` know. What follows from it here:
//!
//! * The usual alignments need no aligned entry point. A block of mimalloc is aligned to a machine
//!   word, and to 16 bytes if its size is 16 or more (both major versions keep block sizes so, see
//!   `MI_MAX_ALIGN_SIZE` in upstream's `types.h`).
//! * A small size goes straight to the entry points for small blocks. With a layout known at
//!   compile time the comparisons below fold away and one call is left.
//! * Sizes above that, and alignments above 16, take upstream's slow path, though most of these blocks are the first
//!   of a free list, too. For v3 a C file of ours (`global.c`) is compiled together with upstream's. It has fast
//!   paths for them; [`entries`] are those, or upstream's own functions where ours do not fit.
//! * Blocks above 1 KiB are reused in LIFO order: the bytes of the one freed last are still in the
//!   processor's cache. Upstream allocates all other free blocks of a page first.
//! * A block that grows mostly has to move, which upstream finds out by computing its size. How much of
//!   it is in use is known here.
//! * A call takes longer than what is done for most small blocks. Where possible, the fast path is inlined into the
//!   caller; see [`inlined`].
//! * With those entry points a block in a small page is freed without a lookup of where its page starts, see
//!   [`in_small_page`].
//! * A zeroed block needs zeroes only as far as it was asked for. Upstream zeroes all of it.
//!
//! The small functions are `inline(always)`, since a build without optimisation otherwise calls each of them.

use crate::*;
use core::alloc::{GlobalAlloc, Layout};
use core::ffi::c_void;
use core::mem::size_of;
use core::ptr::null_mut;
use entries::{
    free_aligned, free_medium, free_small, malloc, malloc_aligned, realloc, realloc_aligned,
    zalloc, zalloc_aligned,
};

/// mimalloc as Rust's global allocator.
///
/// ```
/// #[global_allocator]
/// static GLOBAL: mi_malloc_sys::MiMalloc = mi_malloc_sys::MiMalloc;
///
/// let squares: Vec<u64> = (0..1000).map(|n| n * n).collect();
/// assert!(unsafe { mi_malloc_sys::mi_usable_size(squares.as_ptr().cast()) } >= 8 * 1000);
/// ```
///
/// Blocks come from the calling thread's default heap and may be freed by any thread. They are
/// ordinary mimalloc blocks: [`mi_usable_size`] and [`mi_free`] take them too. Only [`mi_rezalloc`] and related functions
/// do not: they rely on zeroes up to the end of a block, and here only as many bytes are zeroed as were asked
/// for.
///
/// In a build with guard pages, leave the option `unsafe_guarded_precise` (v2: `guarded_precise`)
/// alone: it places blocks without regard to their alignment, which Rust relies on.
#[derive(Debug, Clone, Copy, Default)]
pub struct MiMalloc;

// SAFETY: mimalloc never unwinds, hands out blocks of at least the size and alignment asked for
// (the functions below say why where it is not plain), and leaves a block alone until it is freed.
unsafe impl GlobalAlloc for MiMalloc {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let (size, align) = (layout.size(), layout.align());
        if is_too_large(size, align) {
            return null_mut();
        }
        if align <= MAX_ALIGN {
            malloc(aligned_size(size, align)).cast()
        } else {
            malloc_aligned(size, align).cast()
        }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let (size, align) = (layout.size(), layout.align());
        if is_too_large(size, align) {
            return null_mut();
        }
        if align <= MAX_ALIGN {
            zalloc(aligned_size(size, align)).cast()
        } else {
            zalloc_aligned(size, align).cast()
        }
    }

    #[inline]
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        let (size, align) = (layout.size(), layout.align());
        if in_small_page(size, align) {
            free_small(ptr.cast());
        } else if align <= MAX_ALIGN {
            free_medium(ptr.cast());
        } else {
            free_aligned(ptr.cast());
        }
    }

    #[inline]
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let (size, align) = (layout.size(), layout.align());
        if is_too_large(new_size, align) {
            return null_mut();
        }
        // A block that stays in place keeps its alignment, one that moves is as good as a new one.
        if align <= MAX_ALIGN {
            realloc(ptr.cast(), size, aligned_size(new_size, align)).cast()
        } else {
            realloc_aligned(ptr.cast(), new_size, align).cast()
        }
    }
}

/// Whether mimalloc would crash instead of returning NULL. Safe Rust gets there with
/// `Vec::<u8>::try_reserve(isize::MAX as usize)`.
///
/// * On 32-bit, v3.6.0 commits too little for a block that ends just below 2 GiB, and writes behind
///   it: from 0x7fe00000 bytes on, measured on i686.
/// * On WASI, memory is asked for with `sbrk`, which ends the program when its signed argument
///   overflows: from 0x7f800fff bytes on, counting the alignment twice, as for a large one mimalloc
///   asks for room to move the block in, and again to move that.
#[inline(always)]
const fn is_too_large(size: usize, align: usize) -> bool {
    const LIMIT: usize = 0x7f00_0000;
    let crashes = cfg!(any(
        all(line = "v3", target_pointer_width = "32"),
        target_os = "wasi"
    ));
    crashes && size > LIMIT.saturating_sub(align.saturating_mul(2))
}

/// The alignment that every block of at least this size has (upstream's `MI_MAX_ALIGN_SIZE`).
const MAX_ALIGN: usize = 16;

/// The size to ask the plain entry points for, so that the block is aligned to `align`, at most `MAX_ALIGN`.
#[inline(always)]
const fn aligned_size(size: usize, align: usize) -> usize {
    // Below 16 bytes a block may sit on any word; the one of 16 bytes is the next larger anyway.
    if align > size_of::<usize>() && size < MAX_ALIGN {
        MAX_ALIGN
    } else {
        size
    }
}

/// Whether a block of this layout lies in a small page (v3), if the constants of the C fit: `global.c` has the condition
/// (`MI_MALLOC_SYS_IN_SMALL_PAGE`), and frees every block in the general way where it does not hold. So does
/// [`entries`] where nobody compares the constants.
///
/// With `size <= MI_SMALL_SIZE_MAX`:
///
/// * A fresh block of an ordinary alignment is of a small size itself.
/// * `mi_realloc` leaves a shrunk block in place only while it uses at least half of it, so the
///   block is of at most twice the size, plus, if it is sampled, the profiler's data, of up to a kilobyte.
///
/// An aligned block may sit inside a larger one, up to one that mimalloc takes from the system for it
/// alone. That could be told from the size too, but alignments vary from block to block where they are
/// in use, and a branch that the processor guesses wrong costs more than the longer free (`aligned` in
/// `bench/`).
///
/// Guard pages put a small block elsewhere, but builds with them look the page up otherwise
/// (`mi_ptr_page_is_valid_ex` in upstream's `free.c`).
#[inline(always)]
const fn in_small_page(size: usize, align: usize) -> bool {
    size <= MI_SMALL_SIZE_MAX && align <= MAX_ALIGN
}

/// The size to ask for, if blocks of a small size serve the alignment: a multiple of the alignment. A
/// block of mimalloc is aligned to the largest power of two that divides its size, nearly always
/// (upstream's `mi_natural_alignment_of_size`), and any other size would be put into a larger block.
#[cfg(any(entries, inlined))]
#[inline(always)]
const fn small_aligned_size(size: usize, align: usize) -> Option<usize> {
    // A `Layout` is never so large that this overflows.
    let size = (size + align - 1) & !(align - 1);
    if size <= MI_SMALL_SIZE_MAX {
        Some(size)
    } else {
        None
    }
}

#[cfg(inlined)]
mod thread;

#[cfg(all(inlined, line = "v3"))]
mod inlined;

#[cfg(all(inlined, line = "v2"))]
#[path = "global/inlined_v2.rs"]
mod inlined;

/// v3 in a release that our own entry points (`global.c`) were checked with.
#[cfg(entries)]
mod entries {
    use super::*;

    #[cfg(inlined)]
    pub use super::inlined::{free as free_aligned, free_small};
    #[cfg(inlined)]
    use super::inlined::{malloc_small, malloc_small_aligned, zalloc_small};

    #[cfg(not(inlined))]
    extern "C" {
        #[link_name = "mi_malloc_sys_malloc_small"]
        fn malloc_small(words: usize) -> *mut c_void;
        #[link_name = "mi_malloc_sys_free_small"]
        pub fn free_small(p: *mut c_void);
        #[link_name = "mi_malloc_sys_free_aligned"]
        pub fn free_aligned(p: *mut c_void);
        #[link_name = "mi_malloc_sys_zalloc_small"]
        fn zalloc_small(words: usize) -> *mut c_void;
        #[link_name = "mi_malloc_sys_malloc_small_aligned"]
        fn malloc_small_aligned(size: usize, align: usize) -> *mut c_void;
    }

    extern "C" {
        fn mi_malloc_sys_malloc_general(size: usize) -> *mut c_void;
        fn mi_malloc_sys_zalloc_general(size: usize) -> *mut c_void;
        fn mi_malloc_sys_zalloc_small_aligned(size: usize, align: usize) -> *mut c_void;
        fn mi_malloc_sys_malloc_aligned(size: usize, align: usize) -> *mut c_void;
        fn mi_malloc_sys_zalloc_aligned(size: usize, align: usize) -> *mut c_void;
        #[link_name = "mi_malloc_sys_free_general"]
        pub fn free_medium(p: *mut c_void);
        #[link_name = "mi_malloc_sys_realloc"]
        pub fn realloc(p: *mut c_void, used: usize, size: usize) -> *mut c_void;
        #[link_name = "mi_malloc_sys_realloc_aligned"]
        pub fn realloc_aligned(p: *mut c_void, size: usize, align: usize) -> *mut c_void;
    }

    #[inline(always)]
    pub unsafe fn malloc(size: usize) -> *mut c_void {
        if size > MI_SMALL_SIZE_MAX {
            mi_malloc_sys_malloc_general(size)
        } else {
            malloc_small(mi_wsize_from_size(size))
        }
    }

    #[inline(always)]
    pub unsafe fn zalloc(size: usize) -> *mut c_void {
        if size > MI_SMALL_SIZE_MAX {
            mi_malloc_sys_zalloc_general(size)
        } else {
            zalloc_small(mi_wsize_from_size(size))
        }
    }

    #[inline(always)]
    pub unsafe fn malloc_aligned(size: usize, align: usize) -> *mut c_void {
        match small_aligned_size(size, align) {
            Some(size) => malloc_small_aligned(size, align),
            None => mi_malloc_sys_malloc_aligned(size, align),
        }
    }

    #[inline(always)]
    pub unsafe fn zalloc_aligned(size: usize, align: usize) -> *mut c_void {
        match small_aligned_size(size, align) {
            Some(size) => mi_malloc_sys_zalloc_small_aligned(size, align),
            None => mi_malloc_sys_zalloc_aligned(size, align),
        }
    }
}

/// v3 with mitigations, in a release that our own entry points (`secure.c`) were checked with. Blocks end where their
/// padding starts, so sizes are passed as they are.
#[cfg(secure_entries)]
mod entries {
    use super::*;

    pub use super::moving::realloc;
    pub use crate::{
        mi_malloc_aligned as malloc_aligned, mi_realloc_aligned as realloc_aligned,
        mi_zalloc_aligned as zalloc_aligned,
    };
    pub use {free as free_aligned, free as free_medium, free as free_small};

    extern "C" {
        fn mi_malloc_sys_malloc_small(size: usize) -> *mut c_void;
        fn mi_malloc_sys_zalloc_small(size: usize) -> *mut c_void;
        #[link_name = "mi_malloc_sys_free"]
        pub fn free(p: *mut c_void);
    }

    #[inline(always)]
    pub unsafe fn malloc(size: usize) -> *mut c_void {
        if size > MI_SMALL_SIZE_MAX {
            mi_malloc(size)
        } else {
            mi_malloc_sys_malloc_small(at_least_one(size))
        }
    }

    #[inline(always)]
    pub unsafe fn zalloc(size: usize) -> *mut c_void {
        if size > MI_SMALL_SIZE_MAX {
            mi_zalloc(size)
        } else {
            mi_malloc_sys_zalloc_small(at_least_one(size))
        }
    }

    /// A block of no bytes would have no place for the list of free blocks.
    #[inline(always)]
    fn at_least_one(size: usize) -> usize {
        size + (size == 0) as usize
    }
}

/// Any v3. Where its small pages end is not known (`MI_ARENA_SLICE_SHIFT`), so none is counted on.
#[cfg(all(line = "v3", not(any(entries, secure_entries))))]
mod entries {
    use super::*;

    pub use super::moving::realloc;
    pub use crate::{
        mi_free as free_medium, mi_free as free_small, mi_free as free_aligned,
        mi_malloc_aligned as malloc_aligned, mi_realloc_aligned as realloc_aligned,
        mi_zalloc_aligned as zalloc_aligned,
    };

    #[inline(always)]
    pub unsafe fn malloc(size: usize) -> *mut c_void {
        if size > MI_SMALL_SIZE_MAX {
            mi_malloc(size)
        } else if cfg!(exact_size) {
            mi_malloc_small(size)
        } else {
            mi_wmalloc_small(mi_wsize_from_size(size))
        }
    }

    #[inline(always)]
    pub unsafe fn zalloc(size: usize) -> *mut c_void {
        if size > MI_SMALL_SIZE_MAX {
            mi_zalloc(size)
        } else if cfg!(exact_size) {
            mi_zalloc_small(size)
        } else {
            mi_wzalloc_small(mi_wsize_from_size(size))
        }
    }
}

/// v2, in a release that the code for the usual case of a small block was checked with.
#[cfg(all(line = "v2", inlined))]
mod entries {
    use super::*;

    pub use super::inlined::{free as free_aligned, free as free_medium, free as free_small};
    use super::inlined::{malloc_small, malloc_small_aligned, zalloc_small};
    pub use super::moving::realloc;
    pub use crate::{mi_realloc_aligned as realloc_aligned, mi_zalloc_aligned as zalloc_aligned};

    #[inline(always)]
    pub unsafe fn malloc(size: usize) -> *mut c_void {
        if size > MI_SMALL_SIZE_MAX {
            mi_malloc(size)
        } else {
            malloc_small(size)
        }
    }

    #[inline(always)]
    pub unsafe fn zalloc(size: usize) -> *mut c_void {
        if size > MI_SMALL_SIZE_MAX {
            mi_zalloc(size)
        } else {
            zalloc_small(size)
        }
    }

    #[inline(always)]
    pub unsafe fn malloc_aligned(size: usize, align: usize) -> *mut c_void {
        match small_aligned_size(size, align) {
            Some(size) => malloc_small_aligned(size, align),
            None => mi_malloc_aligned(size, align),
        }
    }
}

/// Any other v2, which has no faster way to free a small block.
#[cfg(all(line = "v2", not(inlined)))]
mod entries {
    use super::*;

    pub use super::moving::realloc;
    pub use crate::{
        mi_free as free_medium, mi_free as free_small, mi_free as free_aligned,
        mi_malloc_aligned as malloc_aligned, mi_realloc_aligned as realloc_aligned,
        mi_zalloc_aligned as zalloc_aligned,
    };

    #[inline(always)]
    pub unsafe fn malloc(size: usize) -> *mut c_void {
        if size > MI_SMALL_SIZE_MAX {
            mi_malloc(size)
        } else {
            mi_malloc_small(size)
        }
    }

    #[inline(always)]
    pub unsafe fn zalloc(size: usize) -> *mut c_void {
        if size > MI_SMALL_SIZE_MAX {
            mi_zalloc(size)
        } else {
            mi_zalloc_small(size)
        }
    }
}

/// For where there is no entry point that knows how much of a block is in use.
#[cfg(not(entries))]
mod moving {
    use super::*;
    use core::ptr::copy_nonoverlapping;

    /// If a small block surely has to move, mimalloc's own question for its size, and a free that does
    /// not know the size, are wasted.
    #[inline(always)]
    pub unsafe fn realloc(p: *mut c_void, used: usize, size: usize) -> *mut c_void {
        if used > MI_SMALL_SIZE_MAX || size <= block_size(used) {
            return mi_realloc(p, size);
        }
        let to = malloc(size);
        if !to.is_null() {
            copy_nonoverlapping(p.cast::<u8>(), to.cast(), used);
            free_small(p);
        }
        to
    }

    /// The most that mimalloc has to give to a block of this size: two words or, of the larger ones, a
    /// quarter above. (One that was shrunk in place has more, and could stay. It is small, so what its
    /// move costs is too; of a larger block that could not be said.)
    #[inline(always)]
    const fn block_size(size: usize) -> usize {
        if size <= 8 {
            8
        } else if size <= 128 {
            (size + 15) & !15
        } else {
            size + size / 4
        }
    }
}

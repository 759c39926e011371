//! `MiMalloc`: mimalloc behind `#[global_allocator]`.
//!
//! Rust passes the layout of a block when it allocates and again when it frees, so more is known here than in
//! `malloc` and `free`:
//!
//! * Alignments up to 16 need no aligned entry point (G1).
//! * A small size goes straight to the entry points for small blocks. With a layout known at compile time the
//!   comparisons below fold away and one call is left.
//! * Upstream takes its slow path for larger sizes and for over-aligned blocks, though most of these blocks are the first
//!   of a free list, too. For v3 a C file of ours (`global.c`) is compiled together with upstream's. It has fast
//!   paths for them; [`backend`] has those, or upstream's own functions where ours do not fit.
//! * Blocks above 1 KiB are reused in LIFO order: the bytes of the one freed last are still in the
//!   processor's cache. Upstream allocates all other free blocks of a page first.
//! * A block that grows mostly has to move, which upstream detects by computing its size. How much of it is in use is
//!   known here.
//! * For most small blocks the call takes longer than the work. Where possible, the fast path is inlined into the
//!   caller; see [`inlined`].
//! * With the entry points of `global.c`, or the inlined fast path, a block in a small page is freed without looking up
//!   where its page starts, see [`in_small_page`].
//! * A zeroed block is zeroed only up to the requested size. Upstream zeroes all of it.
//!
//! With mitigations another C file (`secure.c`) has the entry points, without the inlined fast path and LIFO reuse, and all
//! of a zeroed block is zeroed.
//!
//! The small functions are `inline(always)`, since a build without optimisation otherwise calls each of them.
//!
//! The SAFETY comments cite invariants by a letter and a number. G (`global`): what is known of a block by its layout, in
//! this table. I ([`inlined`]): what the fast path assumes of upstream's pages and threads, in a table of each major version's
//! module; a number is about the same thing in both.
//!
//! | | invariant | checked by |
//! |---|---|---|
//! | G1 | A block is aligned to a machine word, and to 16 bytes if its size is 16 or more (`MI_MAX_ALIGN_SIZE` in upstream's `types.h`, in both major versions). | `global.c`, the build script (`alignment`), `tests/global/global_alloc.rs` |
//! | G2 | The entry points for small blocks receive at most `MI_SMALL_SIZE_MAX` bytes, or `MI_SMALL_WSIZE_MAX` words. | the comparisons before each call |
//! | G3 | A block whose layout is [`in_small_page`] is in a small page, or `free_small` accepts a block of any page. | `global.c` (`MI_MALLOC_SYS_IN_SMALL_PAGE`), `inlined.c`, `tests/global/global_alloc.rs` |
//! | G4 | The entry points for small aligned blocks receive a size that is a multiple of the alignment, and at most `MI_SMALL_SIZE_MAX`; the alignment is a power of two above 16. | [`small_aligned_size`], the comparisons before each call |
//! | G5 | A block has at least the size of its layout. If it moves, that many bytes are copied, and the new block has space for them. | `tests/model.rs` |
//! | G6 | Sizes for which mimalloc would crash are refused. | [`is_too_large`], `checks/platforms` |

use crate::*;
use backend::{
    free_aligned, free_general, free_small, malloc, malloc_aligned, realloc, realloc_aligned,
    zalloc, zalloc_aligned,
};
use core::alloc::{GlobalAlloc, Layout};
use core::ffi::c_void;
use core::mem::size_of;
use core::ptr::null_mut;

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
/// ordinary mimalloc blocks: [`mi_usable_size`] and [`mi_free`] accept them too. Only [`mi_rezalloc`] and related functions
/// do not: they rely on zeroes up to the end of a block, and here only the requested bytes are zeroed.
///
/// In a build with guard pages, leave the option `unsafe_guarded_precise` (v2: `guarded_precise`)
/// alone: it places blocks without regard to their alignment, which Rust relies on.
#[derive(Debug, Clone, Copy, Default)]
pub struct MiMalloc;

// SAFETY: mimalloc never unwinds, returns blocks of at least the requested size (G5) and alignment (G1, or an aligned
// entry point), and does not touch a block until it is freed.
unsafe impl GlobalAlloc for MiMalloc {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let (size, align) = (layout.size(), layout.align());
        if is_too_large(size, align) {
            return null_mut();
        }
        // SAFETY: the size is not refused (G6), and the alignment of a layout is a power of two.
        unsafe {
            if align <= MAX_ALIGN {
                malloc(aligned_size(size, align)).cast()
            } else {
                malloc_aligned(size, align).cast()
            }
        }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let (size, align) = (layout.size(), layout.align());
        if is_too_large(size, align) {
            return null_mut();
        }
        // SAFETY: as in `alloc`.
        unsafe {
            if align <= MAX_ALIGN {
                zalloc(aligned_size(size, align)).cast()
            } else {
                zalloc_aligned(size, align).cast()
            }
        }
    }

    #[inline]
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        let (size, align) = (layout.size(), layout.align());
        // SAFETY: the caller frees a live block of this layout. In the first case `free_small` accepts it (G3).
        unsafe {
            if in_small_page(size, align) {
                free_small(ptr.cast());
            } else if align <= MAX_ALIGN {
                free_general(ptr.cast());
            } else {
                free_aligned(ptr.cast());
            }
        }
    }

    #[inline]
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let (size, align) = (layout.size(), layout.align());
        if is_too_large(new_size, align) {
            return null_mut();
        }
        // A block that stays in place keeps its alignment, and one that moves is allocated with it.
        // SAFETY: the caller passes a live block of this layout, of which at least `size` bytes exist (G5).
        unsafe {
            if align <= MAX_ALIGN {
                realloc(ptr.cast(), size, aligned_size(new_size, align)).cast()
            } else {
                realloc_aligned(ptr.cast(), new_size, align).cast()
            }
        }
    }
}

/// Whether mimalloc would crash instead of returning NULL (G6). Safe Rust requests such a size by
/// `Vec::<u8>::try_reserve(isize::MAX as usize)`.
///
/// * On 32-bit, v3.6.0 commits too little for a block that ends just below 2 GiB, and writes behind
///   it: from 0x7fe00000 bytes on, measured on i686.
/// * On WASI, memory comes from `sbrk`, which ends the program when its signed argument overflows: from 0x7f800fff
///   bytes on. The alignment counts twice: for a large one mimalloc requests that much more to align the block, and
///   again to align the memory.
#[inline(always)]
const fn is_too_large(size: usize, align: usize) -> bool {
    const LIMIT: usize = 0x7f00_0000;
    let crashes = cfg!(any(
        all(mi_v3, target_pointer_width = "32"),
        target_os = "wasi"
    ));
    crashes && size > LIMIT.saturating_sub(align.saturating_mul(2))
}

/// The alignment that every block of at least this size has (G1, upstream's `MI_MAX_ALIGN_SIZE`).
const MAX_ALIGN: usize = 16;

/// The size to request from the entry points without alignment, so that the block is aligned to `align`, at most
/// `MAX_ALIGN`.
#[inline(always)]
const fn aligned_size(size: usize, align: usize) -> usize {
    // A block below 16 bytes is aligned to a word only; the next size class is that of 16 bytes anyway.
    if align > size_of::<usize>() && size < MAX_ALIGN {
        MAX_ALIGN
    } else {
        size
    }
}

/// Whether the layout alone shows that its block is in a small page, which on v3 is one slice (G3). Then the block is freed
/// by `free_small`, which need not look up where its page starts.
///
/// It shows that only if the constants of the C fit. `global.c` has the condition (`MI_MALLOC_SYS_IN_SMALL_PAGE`), and where
/// it does not hold, its `free_small` frees a block of any page. So does [`backend`]'s where nothing compares the constants.
///
/// If they fit, a block with `size <= MI_SMALL_SIZE_MAX` and an ordinary alignment is not too large for a small page:
///
/// * If it was allocated with this layout, it is a small block.
/// * If it was shrunk to it, `mi_realloc` left it in place only because at least half of it is in use. So it has at most
///   twice the size, plus, if it is sampled, the profiler's data, of up to a kilobyte.
///
/// An over-aligned block may be inside a larger one, even one for which mimalloc maps memory of its own. The size would
/// decide that too, but where over-aligned blocks are used their alignments vary from block to block, and a
/// misprediction costs more than the longer free (`aligned` in `bench/`).
///
/// Guard pages put a small block elsewhere, but builds with them find the page by other means
/// (`mi_ptr_page_is_valid_ex` in upstream's `free.c`).
#[inline(always)]
const fn in_small_page(size: usize, align: usize) -> bool {
    size <= MI_SMALL_SIZE_MAX && align <= MAX_ALIGN
}

/// The size to request if a small block can have the alignment: a multiple of the alignment (G4). A block of mimalloc is
/// nearly always aligned to the largest power of two that divides its size (upstream's
/// `mi_natural_alignment_of_size`); for any other size upstream would use a larger block.
#[cfg(any(mi_fast_path = "c", mi_fast_path = "rust"))]
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

#[cfg(mi_fast_path = "rust")]
mod thread;

#[cfg(all(mi_v3, mi_fast_path = "rust"))]
mod inlined;

#[cfg(all(mi_v2, mi_fast_path = "rust"))]
#[path = "global/inlined_v2.rs"]
mod inlined;

// The contract of the backends. Each has the same functions: `malloc`, `zalloc`, `malloc_aligned`, `zalloc_aligned` (any
// size that is not refused, G6, and an alignment that is a power of two above 16); `free_small` (a live block that it
// accepts, G3), `free_general` (a live block of an alignment up to 16) and `free_aligned` (any live block); `realloc` (a
// live block, the number of its bytes in use, the new size) and `realloc_aligned` (a live block, the new size, the
// alignment). None of them unwinds.

/// v3, in a release that our own entry points (`global.c`) were checked with.
#[cfg(all(mi_v3, any(mi_fast_path = "c", mi_fast_path = "rust")))]
mod backend {
    use super::*;

    #[cfg(mi_fast_path = "rust")]
    pub use super::inlined::{free as free_aligned, free_small};
    #[cfg(mi_fast_path = "rust")]
    use super::inlined::{malloc_small, malloc_small_aligned, zalloc_small};

    #[cfg(mi_fast_path = "c")]
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
        pub fn free_general(p: *mut c_void);
        #[link_name = "mi_malloc_sys_realloc"]
        pub fn realloc(p: *mut c_void, used: usize, size: usize) -> *mut c_void;
        #[link_name = "mi_malloc_sys_realloc_aligned"]
        pub fn realloc_aligned(p: *mut c_void, size: usize, align: usize) -> *mut c_void;
    }

    /// # Safety
    /// The contract of the backends, above.
    #[inline(always)]
    pub unsafe fn malloc(size: usize) -> *mut c_void {
        // SAFETY: the size is not refused (G6), and the entry point for small blocks receives a small one (G2).
        unsafe {
            if size > MI_SMALL_SIZE_MAX {
                mi_malloc_sys_malloc_general(size)
            } else {
                malloc_small(mi_wsize_from_size(size))
            }
        }
    }

    /// # Safety
    /// The contract of the backends, above.
    #[inline(always)]
    pub unsafe fn zalloc(size: usize) -> *mut c_void {
        // SAFETY: the size is not refused (G6), and the entry point for small blocks receives a small one (G2).
        unsafe {
            if size > MI_SMALL_SIZE_MAX {
                mi_malloc_sys_zalloc_general(size)
            } else {
                zalloc_small(mi_wsize_from_size(size))
            }
        }
    }

    /// # Safety
    /// The contract of the backends, above.
    #[inline(always)]
    pub unsafe fn malloc_aligned(size: usize, align: usize) -> *mut c_void {
        // SAFETY: the alignment is a power of two above 16, and the entry point for small blocks receives a multiple of it
        // (G2, G4).
        unsafe {
            match small_aligned_size(size, align) {
                Some(size) => malloc_small_aligned(size, align),
                None => mi_malloc_sys_malloc_aligned(size, align),
            }
        }
    }

    /// # Safety
    /// The contract of the backends, above.
    #[inline(always)]
    pub unsafe fn zalloc_aligned(size: usize, align: usize) -> *mut c_void {
        // SAFETY: the alignment is a power of two above 16, and the entry point for small blocks receives a multiple of it
        // (G2, G4).
        unsafe {
            match small_aligned_size(size, align) {
                Some(size) => mi_malloc_sys_zalloc_small_aligned(size, align),
                None => mi_malloc_sys_zalloc_aligned(size, align),
            }
        }
    }
}

/// v3 with mitigations, in a release that our own entry points (`secure.c`) were checked with. The padding starts right
/// behind the requested bytes, so sizes are not rounded up to words.
#[cfg(mi_fast_path = "secure")]
mod backend {
    use super::*;

    pub use crate::mi_realloc_aligned as realloc_aligned;
    pub use {free as free_aligned, free as free_general, free as free_small};

    extern "C" {
        fn mi_malloc_sys_malloc_small(size: usize) -> *mut c_void;
        fn mi_malloc_sys_zalloc_small(size: usize) -> *mut c_void;
        fn mi_malloc_sys_malloc_general(size: usize) -> *mut c_void;
        fn mi_malloc_sys_zalloc_general(size: usize) -> *mut c_void;
        fn mi_malloc_sys_realloc(p: *mut c_void, used: usize, size: usize) -> *mut c_void;
        #[link_name = "mi_malloc_sys_malloc_aligned"]
        pub fn malloc_aligned(size: usize, align: usize) -> *mut c_void;
        #[link_name = "mi_malloc_sys_zalloc_aligned"]
        pub fn zalloc_aligned(size: usize, align: usize) -> *mut c_void;
        #[link_name = "mi_malloc_sys_free"]
        pub fn free(p: *mut c_void);
    }

    /// # Safety
    /// The contract of the backends, above.
    #[inline(always)]
    pub unsafe fn malloc(size: usize) -> *mut c_void {
        // SAFETY: the size is not refused (G6), and the entry point for small blocks receives a small one (G2).
        unsafe {
            if size > MI_SMALL_SIZE_MAX {
                mi_malloc_sys_malloc_general(size)
            } else {
                mi_malloc_sys_malloc_small(at_least_one(size))
            }
        }
    }

    /// # Safety
    /// The contract of the backends, above.
    #[inline(always)]
    pub unsafe fn zalloc(size: usize) -> *mut c_void {
        // SAFETY: the size is not refused (G6), and the entry point for small blocks receives a small one (G2).
        unsafe {
            if size > MI_SMALL_SIZE_MAX {
                mi_malloc_sys_zalloc_general(size)
            } else {
                mi_malloc_sys_zalloc_small(at_least_one(size))
            }
        }
    }

    /// # Safety
    /// The contract of the backends, above.
    #[inline(always)]
    pub unsafe fn realloc(p: *mut c_void, used: usize, size: usize) -> *mut c_void {
        // SAFETY: the block is live and has `used` bytes, and the size is not refused (G5, G6).
        unsafe { mi_malloc_sys_realloc(p, used, at_least_one(size)) }
    }

    /// A block of no bytes would have no space for the pointer of the free list.
    #[inline(always)]
    fn at_least_one(size: usize) -> usize {
        size + (size == 0) as usize
    }
}

/// Any other v3. The size of its small pages is not known (`MI_ARENA_SLICE_SHIFT`), so its `free_small` is `mi_free`, which
/// accepts a block of any page (G3).
#[cfg(all(mi_v3, mi_fast_path = "upstream"))]
mod backend {
    use super::*;

    pub use super::realloc_fallback::realloc;
    pub use crate::{
        mi_free as free_general, mi_free as free_small, mi_free as free_aligned,
        mi_malloc_aligned as malloc_aligned, mi_realloc_aligned as realloc_aligned,
        mi_zalloc_aligned as zalloc_aligned,
    };

    /// # Safety
    /// The contract of the backends, above.
    #[inline(always)]
    pub unsafe fn malloc(size: usize) -> *mut c_void {
        // SAFETY: the size is not refused (G6), and the entry point for small blocks receives a small one (G2).
        unsafe {
            if size > MI_SMALL_SIZE_MAX {
                mi_malloc(size)
            } else if cfg!(mi_exact_size) {
                mi_malloc_small(size)
            } else {
                mi_wmalloc_small(mi_wsize_from_size(size))
            }
        }
    }

    /// # Safety
    /// The contract of the backends, above.
    #[inline(always)]
    pub unsafe fn zalloc(size: usize) -> *mut c_void {
        // SAFETY: the size is not refused (G6), and the entry point for small blocks receives a small one (G2).
        unsafe {
            if size > MI_SMALL_SIZE_MAX {
                mi_zalloc(size)
            } else if cfg!(mi_exact_size) {
                mi_zalloc_small(size)
            } else {
                mi_wzalloc_small(mi_wsize_from_size(size))
            }
        }
    }
}

/// v2, in a release that the fast path for small blocks was checked with.
#[cfg(all(mi_v2, mi_fast_path = "rust"))]
mod backend {
    use super::*;

    pub use super::inlined::{free as free_aligned, free as free_general, free as free_small};
    use super::inlined::{malloc_small, malloc_small_aligned, zalloc_small};
    pub use super::realloc_fallback::realloc;
    pub use crate::{mi_realloc_aligned as realloc_aligned, mi_zalloc_aligned as zalloc_aligned};

    /// # Safety
    /// The contract of the backends, above.
    #[inline(always)]
    pub unsafe fn malloc(size: usize) -> *mut c_void {
        // SAFETY: the size is not refused (G6), and the entry point for small blocks receives a small one (G2).
        unsafe {
            if size > MI_SMALL_SIZE_MAX {
                mi_malloc(size)
            } else {
                malloc_small(size)
            }
        }
    }

    /// # Safety
    /// The contract of the backends, above.
    #[inline(always)]
    pub unsafe fn zalloc(size: usize) -> *mut c_void {
        // SAFETY: the size is not refused (G6), and the entry point for small blocks receives a small one (G2).
        unsafe {
            if size > MI_SMALL_SIZE_MAX {
                mi_zalloc(size)
            } else {
                zalloc_small(size)
            }
        }
    }

    /// # Safety
    /// The contract of the backends, above.
    #[inline(always)]
    pub unsafe fn malloc_aligned(size: usize, align: usize) -> *mut c_void {
        // SAFETY: the alignment is a power of two above 16, and the entry point for small blocks receives a multiple of it
        // (G2, G4).
        unsafe {
            match small_aligned_size(size, align) {
                Some(size) => malloc_small_aligned(size, align),
                None => mi_malloc_aligned(size, align),
            }
        }
    }
}

/// Any other v2. It has no faster free for small blocks.
#[cfg(all(mi_v2, mi_fast_path = "upstream"))]
mod backend {
    use super::*;

    pub use super::realloc_fallback::realloc;
    pub use crate::{
        mi_free as free_general, mi_free as free_small, mi_free as free_aligned,
        mi_malloc_aligned as malloc_aligned, mi_realloc_aligned as realloc_aligned,
        mi_zalloc_aligned as zalloc_aligned,
    };

    /// # Safety
    /// The contract of the backends, above.
    #[inline(always)]
    pub unsafe fn malloc(size: usize) -> *mut c_void {
        // SAFETY: the size is not refused (G6), and the entry point for small blocks receives a small one (G2).
        unsafe {
            if size > MI_SMALL_SIZE_MAX {
                mi_malloc(size)
            } else {
                mi_malloc_small(size)
            }
        }
    }

    /// # Safety
    /// The contract of the backends, above.
    #[inline(always)]
    pub unsafe fn zalloc(size: usize) -> *mut c_void {
        // SAFETY: the size is not refused (G6), and the entry point for small blocks receives a small one (G2).
        unsafe {
            if size > MI_SMALL_SIZE_MAX {
                mi_zalloc(size)
            } else {
                mi_zalloc_small(size)
            }
        }
    }
}

/// `realloc` where no entry point takes the number of bytes in use.
#[cfg(any(mi_v2, mi_fast_path = "upstream"))]
mod realloc_fallback {
    use super::*;
    use core::ptr::copy_nonoverlapping;

    /// If a small block certainly has to move, mimalloc need not compute its size, and it is freed with its size known.
    ///
    /// # Safety
    ///
    /// The contract of the backends, above.
    #[inline(always)]
    pub unsafe fn realloc(p: *mut c_void, used: usize, size: usize) -> *mut c_void {
        // SAFETY: the block is live and has `used` bytes (G5), and the new one is larger: `size > largest_size_class(used)`.
        // At most `MI_SMALL_SIZE_MAX` bytes were requested for the old one, so it is in a small page (G3).
        unsafe {
            if used > MI_SMALL_SIZE_MAX || size <= largest_size_class(used) {
                return mi_realloc(p, size);
            }
            let to = malloc(size);
            if !to.is_null() {
                copy_nonoverlapping(p.cast::<u8>(), to.cast(), used);
                free_small(p);
            }
            to
        }
    }

    /// The largest size class that mimalloc may use for this size: up to two words more or, of the larger sizes, a
    /// quarter more. (A block that was shrunk in place has more, and could stay. It is small, and so is the cost of
    /// moving it; for a larger block that would not hold.)
    #[inline(always)]
    const fn largest_size_class(size: usize) -> usize {
        if size <= 8 {
            8
        } else if size <= 128 {
            (size + 15) & !15
        } else {
            size + size / 4
        }
    }
}

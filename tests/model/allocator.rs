//! The calls, chosen by how a step wants them.

use core::ffi::c_void;
use std::alloc::{GlobalAlloc, Layout};

use mi_malloc_sys::*;

use super::program::{Freeing, Way, Wish};

pub unsafe fn allocate(
    heap: Option<*mut mi_heap_t>,
    Wish {
        size, way, zeroed, ..
    }: Wish,
) -> *mut c_void {
    let small = size <= MI_SMALL_SIZE_MAX;
    match (way, heap, zeroed) {
        (Way::Rust(align), _, false) => MiMalloc.alloc(layout(size, align)).cast(),
        (Way::Rust(align), _, true) => MiMalloc.alloc_zeroed(layout(size, align)).cast(),

        (Way::Small, None, false) if small => mi_malloc_small(size),
        (Way::Small, None, true) if small => mi_zalloc_small(size),
        (Way::Small, Some(heap), false) if small => mi_heap_malloc_small(heap, size),
        (Way::Small, Some(heap), true) if small => mi_heap_zalloc_small(heap, size),

        (Way::Plain | Way::Small, None, false) => mi_malloc(size),
        (Way::Plain | Way::Small, None, true) => mi_zalloc(size),
        (Way::Plain | Way::Small, Some(heap), false) => mi_heap_malloc(heap, size),
        (Way::Plain | Way::Small, Some(heap), true) => mi_heap_zalloc(heap, size),

        (Way::Counted(n), None, false) => mi_mallocn(n, size / n),
        (Way::Counted(n), None, true) => mi_calloc(n, size / n),
        (Way::Counted(n), Some(heap), false) => mi_heap_mallocn(heap, n, size / n),
        (Way::Counted(n), Some(heap), true) => mi_heap_calloc(heap, n, size / n),

        (Way::Aligned(to), None, false) => mi_malloc_aligned(size, to),
        (Way::Aligned(to), None, true) => mi_zalloc_aligned(size, to),
        (Way::Aligned(to), Some(heap), false) => mi_heap_malloc_aligned(heap, size, to),
        (Way::Aligned(to), Some(heap), true) => mi_heap_zalloc_aligned(heap, size, to),

        (Way::AlignedAt(to, at), None, false) => mi_malloc_aligned_at(size, to, at),
        (Way::AlignedAt(to, at), None, true) => mi_zalloc_aligned_at(size, to, at),
        (Way::AlignedAt(to, at), Some(heap), false) => {
            mi_heap_malloc_aligned_at(heap, size, to, at)
        }
        (Way::AlignedAt(to, at), Some(heap), true) => mi_heap_zalloc_aligned_at(heap, size, to, at),
    }
}

pub unsafe fn reallocate(
    heap: Option<*mut mi_heap_t>,
    p: *mut c_void,
    Wish {
        size, way, zeroed, ..
    }: Wish,
) -> *mut c_void {
    match (way, heap, zeroed) {
        (Way::Plain | Way::Small | Way::Rust(_), None, false) => mi_realloc(p, size),
        (Way::Plain | Way::Small | Way::Rust(_), None, true) => mi_rezalloc(p, size),
        (Way::Plain | Way::Small | Way::Rust(_), Some(heap), false) => {
            mi_heap_realloc(heap, p, size)
        }
        (Way::Plain | Way::Small | Way::Rust(_), Some(heap), true) => {
            mi_heap_rezalloc(heap, p, size)
        }

        (Way::Counted(n), None, false) => mi_reallocn(p, n, size / n),
        (Way::Counted(n), None, true) => mi_recalloc(p, n, size / n),
        (Way::Counted(n), Some(heap), false) => mi_heap_reallocn(heap, p, n, size / n),
        (Way::Counted(n), Some(heap), true) => mi_heap_recalloc(heap, p, n, size / n),

        (Way::Aligned(to), None, false) => mi_realloc_aligned(p, size, to),
        (Way::Aligned(to), None, true) => mi_rezalloc_aligned(p, size, to),
        (Way::Aligned(to), Some(heap), false) => mi_heap_realloc_aligned(heap, p, size, to),
        (Way::Aligned(to), Some(heap), true) => mi_heap_rezalloc_aligned(heap, p, size, to),

        (Way::AlignedAt(to, at), None, false) => mi_realloc_aligned_at(p, size, to, at),
        (Way::AlignedAt(to, at), None, true) => mi_rezalloc_aligned_at(p, size, to, at),
        (Way::AlignedAt(to, at), Some(heap), false) => {
            mi_heap_realloc_aligned_at(heap, p, size, to, at)
        }
        (Way::AlignedAt(to, at), Some(heap), true) => {
            mi_heap_rezalloc_aligned_at(heap, p, size, to, at)
        }
    }
}

/// Frees a block that was asked for with `size` and an alignment of `align`. Those that take a size
/// only get one that they may get: the caller knows.
pub unsafe fn free(p: *mut c_void, size: usize, align: usize, by: Freeing) {
    match by {
        Freeing::Free => mi_free(p),
        #[cfg(mi_v3)]
        Freeing::Checked => assert!(mi_cfree(p)),
        #[cfg(mi_v2)]
        Freeing::Checked => mi_cfree(p),
        Freeing::Measuring => {
            let usable = mi_usable_size(p);
            let mut block_size = 0;
            mi_ufree(p, &mut block_size);
            assert!(block_size >= usable, "{block_size} {usable}");
        }
        Freeing::Size => mi_free_size(p, size),
        Freeing::Small if size <= MI_SMALL_SIZE_MAX => mi_free_small(p),
        Freeing::Small => mi_free(p),
        Freeing::Aligned => mi_free_aligned(p, align),
        Freeing::SizeAligned => mi_free_size_aligned(p, size, align),
        #[cfg(mi_v3)]
        Freeing::Constant => mi_free_csize_aligned_nonnull(p, size, align),
        #[cfg(mi_v2)]
        Freeing::Constant => mi_free(p),
    }
}

/// Whether the block `p` is of `heap`.
pub unsafe fn is_of(heap: *mut mi_heap_t, p: *const c_void) -> bool {
    #[cfg(mi_v3)]
    return mi_heap_of(p) == heap;
    #[cfg(mi_v2)]
    return mi_heap_contains_block(heap, p);
}

pub fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).unwrap()
}

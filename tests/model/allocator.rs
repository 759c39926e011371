//! Calls the functions that a request names.

use core::ffi::c_void;
use std::alloc::{GlobalAlloc, Layout};

use mi_malloc_sys::*;

use super::program::{Family, FreeFunction, Request};

pub unsafe fn allocate(
    heap: Option<*mut mi_heap_t>,
    Request {
        size,
        family,
        zeroed,
        ..
    }: Request,
) -> *mut c_void {
    let small = size <= MI_SMALL_SIZE_MAX;
    match (family, heap, zeroed) {
        (Family::Rust(align), _, false) => MiMalloc.alloc(layout(size, align)).cast(),
        (Family::Rust(align), _, true) => MiMalloc.alloc_zeroed(layout(size, align)).cast(),

        (Family::Small, None, false) if small => mi_malloc_small(size),
        (Family::Small, None, true) if small => mi_zalloc_small(size),
        (Family::Small, Some(heap), false) if small => mi_heap_malloc_small(heap, size),
        (Family::Small, Some(heap), true) if small => mi_heap_zalloc_small(heap, size),

        (Family::Plain | Family::Small, None, false) => mi_malloc(size),
        (Family::Plain | Family::Small, None, true) => mi_zalloc(size),
        (Family::Plain | Family::Small, Some(heap), false) => mi_heap_malloc(heap, size),
        (Family::Plain | Family::Small, Some(heap), true) => mi_heap_zalloc(heap, size),

        (Family::Counted(n), None, false) => mi_mallocn(n, size / n),
        (Family::Counted(n), None, true) => mi_calloc(n, size / n),
        (Family::Counted(n), Some(heap), false) => mi_heap_mallocn(heap, n, size / n),
        (Family::Counted(n), Some(heap), true) => mi_heap_calloc(heap, n, size / n),

        (Family::Aligned(to), None, false) => mi_malloc_aligned(size, to),
        (Family::Aligned(to), None, true) => mi_zalloc_aligned(size, to),
        (Family::Aligned(to), Some(heap), false) => mi_heap_malloc_aligned(heap, size, to),
        (Family::Aligned(to), Some(heap), true) => mi_heap_zalloc_aligned(heap, size, to),

        (Family::AlignedAt(to, at), None, false) => mi_malloc_aligned_at(size, to, at),
        (Family::AlignedAt(to, at), None, true) => mi_zalloc_aligned_at(size, to, at),
        (Family::AlignedAt(to, at), Some(heap), false) => {
            mi_heap_malloc_aligned_at(heap, size, to, at)
        }
        (Family::AlignedAt(to, at), Some(heap), true) => {
            mi_heap_zalloc_aligned_at(heap, size, to, at)
        }
    }
}

pub unsafe fn reallocate(
    heap: Option<*mut mi_heap_t>,
    p: *mut c_void,
    Request {
        size,
        family,
        zeroed,
        ..
    }: Request,
) -> *mut c_void {
    match (family, heap, zeroed) {
        (Family::Plain | Family::Small | Family::Rust(_), None, false) => mi_realloc(p, size),
        (Family::Plain | Family::Small | Family::Rust(_), None, true) => mi_rezalloc(p, size),
        (Family::Plain | Family::Small | Family::Rust(_), Some(heap), false) => {
            mi_heap_realloc(heap, p, size)
        }
        (Family::Plain | Family::Small | Family::Rust(_), Some(heap), true) => {
            mi_heap_rezalloc(heap, p, size)
        }

        (Family::Counted(n), None, false) => mi_reallocn(p, n, size / n),
        (Family::Counted(n), None, true) => mi_recalloc(p, n, size / n),
        (Family::Counted(n), Some(heap), false) => mi_heap_reallocn(heap, p, n, size / n),
        (Family::Counted(n), Some(heap), true) => mi_heap_recalloc(heap, p, n, size / n),

        (Family::Aligned(to), None, false) => mi_realloc_aligned(p, size, to),
        (Family::Aligned(to), None, true) => mi_rezalloc_aligned(p, size, to),
        (Family::Aligned(to), Some(heap), false) => mi_heap_realloc_aligned(heap, p, size, to),
        (Family::Aligned(to), Some(heap), true) => mi_heap_rezalloc_aligned(heap, p, size, to),

        (Family::AlignedAt(to, at), None, false) => mi_realloc_aligned_at(p, size, to, at),
        (Family::AlignedAt(to, at), None, true) => mi_rezalloc_aligned_at(p, size, to, at),
        (Family::AlignedAt(to, at), Some(heap), false) => {
            mi_heap_realloc_aligned_at(heap, p, size, to, at)
        }
        (Family::AlignedAt(to, at), Some(heap), true) => {
            mi_heap_rezalloc_aligned_at(heap, p, size, to, at)
        }
    }
}

/// Frees a block that was requested with `size` and an alignment of `align`. The caller chooses a function
/// that takes a size only for a block that it may be called for.
pub unsafe fn free(p: *mut c_void, size: usize, align: usize, by: FreeFunction) {
    match by {
        FreeFunction::Free => mi_free(p),
        #[cfg(mi_v3)]
        FreeFunction::Checked => assert!(mi_cfree(p)),
        #[cfg(mi_v2)]
        FreeFunction::Checked => mi_cfree(p),
        FreeFunction::ReportsSize => {
            let usable = mi_usable_size(p);
            let mut block_size = 0;
            mi_ufree(p, &mut block_size);
            assert!(block_size >= usable, "{block_size} {usable}");
        }
        FreeFunction::Size => mi_free_size(p, size),
        FreeFunction::Small if size <= MI_SMALL_SIZE_MAX => mi_free_small(p),
        FreeFunction::Small => mi_free(p),
        FreeFunction::Aligned => mi_free_aligned(p, align),
        FreeFunction::SizeAligned => mi_free_size_aligned(p, size, align),
        #[cfg(mi_v3)]
        FreeFunction::Constant => mi_free_csize_aligned_nonnull(p, size, align),
        #[cfg(mi_v2)]
        FreeFunction::Constant => mi_free(p),
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

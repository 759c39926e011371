//! The `Allocator` traits for [`MiMalloc`] and [`Heap`]: that of the crate `allocator-api2`, and the standard
//! library's of nightly compilers.
//!
//! With `allocator-api2/nightly` the two are one trait, for which the feature `allocator_api` alone is enough; with
//! both features the compiler finds two implementations of it.

use crate::heap::{dangling, is_too_large, Heap, NATURAL_ALIGN};
use crate::{sys, MiMalloc};
use core::alloc::{GlobalAlloc, Layout};
use core::ptr::{self, NonNull};

/// What both traits need. Sizes are never 0.
///
/// # Safety
///
/// A block is valid until it is freed or the allocator is dropped, wherever the allocator is moved.
unsafe trait Blocks {
    /// A new block, or NULL.
    fn alloc(&self, layout: Layout, zeroed: bool) -> *mut u8;

    /// Frees a block.
    ///
    /// # Safety
    ///
    /// `block` is a live block of this allocator and of `layout`, and is not used afterwards.
    unsafe fn free(&self, block: *mut u8, layout: Layout);

    /// A block of the layout `new` with the contents of `block`, as far as both go; or NULL, and `block` stays.
    ///
    /// # Safety
    ///
    /// `block` is a live block of this allocator and of `old`, and is not used afterwards unless the result is NULL.
    unsafe fn resize(&self, block: *mut u8, old: Layout, new: Layout) -> *mut u8;
}

// SAFETY: blocks of mimalloc are valid until they are freed, and the value `MiMalloc` has no state.
unsafe impl Blocks for MiMalloc {
    #[inline]
    fn alloc(&self, layout: Layout, zeroed: bool) -> *mut u8 {
        // SAFETY: the size is not 0.
        unsafe {
            if zeroed {
                GlobalAlloc::alloc_zeroed(self, layout)
            } else {
                GlobalAlloc::alloc(self, layout)
            }
        }
    }

    #[inline]
    unsafe fn free(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { self.dealloc(block, layout) };
    }

    #[inline]
    unsafe fn resize(&self, block: *mut u8, old: Layout, new: Layout) -> *mut u8 {
        if old.align() == new.align() {
            // SAFETY: the caller's promise; a layout's size is never too large for its alignment.
            return unsafe { self.realloc(block, old, new.size()) };
        }
        // A `GlobalAlloc` frees a block by the alignment it was allocated with.
        let moved = Blocks::alloc(self, new, false);
        if !moved.is_null() {
            // SAFETY: both blocks hold that many bytes, and the new one overlaps none.
            unsafe {
                ptr::copy_nonoverlapping(block, moved, old.size().min(new.size()));
                self.dealloc(block, old);
            }
        }
        moved
    }
}

// SAFETY: a block of a heap is valid until it is freed or the heap ends. There is one `Heap` of each, and it may be
// anywhere.
unsafe impl Blocks for Heap {
    #[inline]
    fn alloc(&self, layout: Layout, zeroed: bool) -> *mut u8 {
        self.allocate(layout, zeroed)
            .map_or(ptr::null_mut(), NonNull::as_ptr)
    }

    #[inline]
    unsafe fn free(&self, block: *mut u8, _layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { sys::mi_free(block.cast()) };
    }

    #[inline]
    unsafe fn resize(&self, block: *mut u8, _old: Layout, new: Layout) -> *mut u8 {
        let (size, align) = (new.size(), new.align());
        if is_too_large(size, align) {
            return ptr::null_mut();
        }
        // SAFETY: the heap is live, and on v2 the calling thread's; the block is of this heap and live.
        unsafe {
            if align <= NATURAL_ALIGN {
                sys::mi_heap_realloc(self.as_ptr(), block.cast(), size).cast()
            } else {
                sys::mi_heap_realloc_aligned(self.as_ptr(), block.cast(), size, align).cast()
            }
        }
    }
}

#[inline]
fn allocate(blocks: &impl Blocks, layout: Layout, zeroed: bool) -> Option<NonNull<u8>> {
    if layout.size() == 0 {
        Some(dangling(layout))
    } else {
        NonNull::new(blocks.alloc(layout, zeroed))
    }
}

/// # Safety
///
/// As `Allocator::deallocate`.
#[inline]
unsafe fn deallocate(blocks: &impl Blocks, block: NonNull<u8>, layout: Layout) {
    if layout.size() != 0 {
        // SAFETY: the caller's promise; what has a size came from `Blocks`.
        unsafe { blocks.free(block.as_ptr(), layout) };
    }
}

/// # Safety
///
/// As `Allocator::grow` or `Allocator::shrink`. With `zeroed`, as the former.
#[inline]
unsafe fn resize(
    blocks: &impl Blocks,
    block: NonNull<u8>,
    old: Layout,
    new: Layout,
    zeroed: bool,
) -> Option<NonNull<u8>> {
    if old.size() == 0 {
        return allocate(blocks, new, zeroed);
    }
    if new.size() == 0 {
        // SAFETY: the caller's promise; the block has a size.
        unsafe { blocks.free(block.as_ptr(), old) };
        return Some(dangling(new));
    }
    // SAFETY: the caller's promise; both have a size.
    let resized = NonNull::new(unsafe { blocks.resize(block.as_ptr(), old, new) })?;
    if zeroed {
        // SAFETY: the block holds `new.size()` bytes, which is not less than `old.size()`.
        unsafe {
            let tail = resized.as_ptr().add(old.size());
            tail.write_bytes(0, new.size() - old.size());
        }
    }
    Some(resized)
}

/// Implements the trait `Allocator` of a module for some types. The blocks are exactly as large as was asked for.
macro_rules! implement {
    ($($module:ident)::+, $($type:ty),+) => {
        const _: () = {
            use $($module)::+::{AllocError, Allocator};

            fn sized(block: Option<NonNull<u8>>, size: usize) -> Result<NonNull<[u8]>, AllocError> {
                let block = ptr::slice_from_raw_parts_mut(block.ok_or(AllocError)?.as_ptr(), size);
                // SAFETY: it was not NULL.
                Ok(unsafe { NonNull::new_unchecked(block) })
            }

            $(
                // SAFETY: `Blocks` promises that blocks stay valid when the allocator is moved. A copy of `MiMalloc` is the
                // same allocator, since it has no state; a `Heap` cannot be copied.
                unsafe impl Allocator for $type {
                    #[inline]
                    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
                        sized(allocate(self, layout, false), layout.size())
                    }

                    #[inline]
                    fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
                        sized(allocate(self, layout, true), layout.size())
                    }

                    #[inline]
                    unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
                        // SAFETY: the caller's promise.
                        unsafe { deallocate(self, block, layout) };
                    }

                    #[inline]
                    unsafe fn grow(
                        &self,
                        block: NonNull<u8>,
                        old: Layout,
                        new: Layout,
                    ) -> Result<NonNull<[u8]>, AllocError> {
                        // SAFETY: the caller's promise.
                        sized(unsafe { resize(self, block, old, new, false) }, new.size())
                    }

                    #[inline]
                    unsafe fn grow_zeroed(
                        &self,
                        block: NonNull<u8>,
                        old: Layout,
                        new: Layout,
                    ) -> Result<NonNull<[u8]>, AllocError> {
                        // SAFETY: the caller's promise.
                        sized(unsafe { resize(self, block, old, new, true) }, new.size())
                    }

                    #[inline]
                    unsafe fn shrink(
                        &self,
                        block: NonNull<u8>,
                        old: Layout,
                        new: Layout,
                    ) -> Result<NonNull<[u8]>, AllocError> {
                        // SAFETY: the caller's promise.
                        sized(unsafe { resize(self, block, old, new, false) }, new.size())
                    }
                }
            )+
        };
    };
}

#[cfg(feature = "allocator-api2")]
implement!(allocator_api2::alloc, MiMalloc, Heap);
#[cfg(feature = "allocator_api")]
implement!(core::alloc, MiMalloc, Heap);

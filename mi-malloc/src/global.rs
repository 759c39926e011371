//! `MiMalloc`: the global allocator.

use crate::sys;
use core::alloc::{GlobalAlloc, Layout};

/// mimalloc as Rust's global allocator.
///
/// ```
/// #[global_allocator]
/// static GLOBAL: mi_malloc::MiMalloc = mi_malloc::MiMalloc;
///
/// assert_eq!(vec![1; 3], [1, 1, 1]);
/// ```
///
/// It wraps [`sys::MiMalloc`] so that this crate can add methods and traits; the generated code is
/// the same.
#[derive(Debug, Clone, Copy, Default)]
pub struct MiMalloc;

// SAFETY: every call is passed on to an allocator that fulfils the contract.
unsafe impl GlobalAlloc for MiMalloc {
    #[inline(always)]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are the same.
        unsafe { sys::MiMalloc.alloc(layout) }
    }

    #[inline(always)]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe { sys::MiMalloc.alloc_zeroed(layout) }
    }

    #[inline(always)]
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: as above; the block came from the same allocator.
        unsafe { sys::MiMalloc.dealloc(ptr, layout) }
    }

    #[inline(always)]
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: as above.
        unsafe { sys::MiMalloc.realloc(ptr, layout, new_size) }
    }
}

impl MiMalloc {
    /// The version of mimalloc, such as 30600 for 3.6.0.
    pub fn version(&self) -> u32 {
        // SAFETY: the function only returns a constant.
        unsafe { sys::mi_version() as u32 }
    }

    /// The usable bytes of a block, at least as many as were requested.
    ///
    /// # Safety
    ///
    /// `ptr` is a block of this allocator that has not been freed, or NULL, whose usable size is 0.
    pub unsafe fn usable_size(&self, ptr: *const u8) -> usize {
        // SAFETY: the caller's promise.
        unsafe { sys::mi_usable_size(ptr.cast()) }
    }

    /// mimalloc's own text of its statistics, in JSON. [`stats`](crate::stats) has numbers with units.
    ///
    /// The error means that memory has run out.
    #[cfg(feature = "std")]
    pub fn stats_json() -> Result<impl core::ops::Deref<Target = std::ffi::CStr>, &'static str> {
        // SAFETY: with NULL the text is put into a new block, which becomes the value's.
        let text = unsafe { sys::mi_stats_get_json(0, core::ptr::null_mut()) };
        core::ptr::NonNull::new(text)
            .map(Text)
            .ok_or("there is no memory for mimalloc's statistics")
    }
}

/// A string that mimalloc has allocated.
#[cfg(feature = "std")]
struct Text(core::ptr::NonNull<cty::c_char>);

#[cfg(feature = "std")]
impl core::ops::Deref for Text {
    type Target = std::ffi::CStr;

    fn deref(&self) -> &std::ffi::CStr {
        // SAFETY: mimalloc ends the text with NUL, nothing changes it, and the block lives as long as `self`.
        unsafe { std::ffi::CStr::from_ptr(self.0.as_ptr()) }
    }
}

#[cfg(feature = "std")]
impl Drop for Text {
    fn drop(&mut self) {
        // SAFETY: the block is mimalloc's, and nothing uses it any more.
        unsafe { sys::mi_free(self.0.as_ptr().cast()) }
    }
}

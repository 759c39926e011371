//! Collects what a visit of blocks reports.

use core::ffi::c_void;
use mi_malloc_sys::*;

/// What one visit saw.
#[derive(Default)]
pub struct Seen {
    pub areas: Vec<mi_heap_area_t>,
    /// Where each block starts, and its usable size.
    pub blocks: Vec<(usize, usize)>,
    /// The heap argument of each call.
    pub heaps: Vec<*const mi_heap_t>,
    /// The visit is ended by its call of this number.
    pub stop_after: Option<usize>,
}

impl Seen {
    pub fn calls(&self) -> usize {
        self.areas.len() + self.blocks.len()
    }

    pub fn argument(&mut self) -> *mut c_void {
        let this: *mut Seen = self;
        this.cast()
    }

    /// The block that the pointer `p` of a program is in. It is the block's start, unless a guard
    /// page, an alignment or the profiler moved it.
    pub fn block_of(&self, p: *const c_void) -> Option<(usize, usize)> {
        let mut found = self
            .blocks
            .iter()
            .filter(|(start, size)| (*start..*start + *size).contains(&(p as usize)));
        let first = found.next().copied();
        assert!(found.next().is_none(), "{p:p} is in two blocks");
        first
    }
}

/// The visitor, whose argument is a [`Seen`].
pub unsafe extern "C" fn note(
    heap: *const mi_heap_t,
    area: *const mi_heap_area_t,
    block: *mut c_void,
    block_size: usize,
    seen: *mut c_void,
) -> bool {
    let seen = &mut *seen.cast::<Seen>();
    seen.heaps.push(heap);
    if block.is_null() {
        seen.areas.push(*area);
        assert_eq!(block_size, (*area).block_size);
    } else {
        let last = seen.areas.last().expect("a block came before any area");
        assert_eq!(
            last.blocks,
            (*area).blocks,
            "a block came after another area's"
        );
        seen.blocks.push((block as usize, block_size));
    }
    seen.stop_after != Some(seen.calls())
}

/// Visits all of `heap`.
pub unsafe fn heap(heap: *mut mi_heap_t) -> Seen {
    let mut seen = Seen::default();
    assert!(mi_heap_visit_blocks(
        heap,
        true,
        Some(note),
        seen.argument()
    ));
    seen
}

/// Ends a heap with all its blocks. Where v2 has guard pages it only deletes a heap, so its blocks are
/// freed first.
pub unsafe fn destroy(ended: *mut mi_heap_t) {
    if cfg!(all(
        mi_v2,
        any(
            feature = "debug",
            all(feature = "debug_in_debug", debug_assertions),
            feature = "guarded"
        )
    )) {
        for (start, _) in heap(ended).blocks {
            // A block with a guard page says so in its first word (`MI_BLOCK_TAG_GUARDED` in types.h).
            // Freed by its start, instead of a pointer behind it, it would leave the guard page behind.
            let is_guarded = (start as *const usize).read() == usize::MAX;
            mi_free((start + if is_guarded { 16 } else { 0 }) as *mut c_void);
        }
    }
    mi_heap_destroy(ended);
}

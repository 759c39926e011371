//! Arenas: the large areas of memory in which mimalloc places everything.
//!
//! It reserves them by itself, 1 GiB of addresses at a time on 64-bit. With this group a program
//! reserves memory beforehand, hands in memory of its own, or keeps a heap within one area:
//!
//! ```
//! use mi_malloc_sys::*;
//! use std::mem::MaybeUninit;
//!
//! unsafe {
//!     // 64 MiB, which only heaps bound to it may use.
//!     let mut arena = MaybeUninit::<mi_arena_id_t>::uninit();
//!     let error = mi_reserve_os_memory_ex(64 << 20, false, false, true, arena.as_mut_ptr());
//!     assert_eq!(error, 0);
//!     let arena = arena.assume_init();
//!
//!     let mut size = 0;
//!     let start = mi_arena_area(arena, &mut size) as usize;
//!
//!     let heap = mi_heap_new_in_arena(arena);
//!     let block = mi_heap_malloc(heap, 1000) as usize;
//!     assert!(start <= block && block < start + size);
//!     mi_free(block as *mut _);
//!     mi_heap_delete(heap);
//! }
//! ```
//!
//! * **Memory of one's own**, mapped from a file or shared with a device:
//!   [`mi_manage_os_memory_ex`]. mimalloc keeps it until the process
//!   ends.
//! * **Huge pages** of 1 GiB, reserved at the start of a program that will need them:
//!   [`mi_reserve_huge_os_pages_interleave`].
//! * **A limit**: a heap that is bound to an arena returns NULL when the arena is full.
//!
//! Mind the alignment. Arenas start at multiples of 256 MiB on v3 and of 32 MiB on v2 (64-bit), and
//! what lies before the first such address of an area that a program hands in is lost. Ask v3 by
//! `mi_arena_min_alignment` before mapping.
//!
//! Arenas are not returned to the system. v3 frees those of a subprocess when it is destroyed.

#[doc(inline)]
pub use crate::arena::*;

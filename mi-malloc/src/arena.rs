//! Arenas: ranges of memory that are reserved for heaps.
//!
//! A [`Heap`](crate::Heap) in an arena has all its memory there. That limits the heap, or puts it into memory that the
//! program provides:
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use mi_malloc::{Arena, Heap};
//!
//! let arena = Arena::reserve(Arena::unit())?;
//! Heap::scope_in(arena, |heap| {
//!     let number = heap.alloc(7).unwrap();
//!     assert!(arena.contains(number));
//!     // More than the arena has.
//!     assert!(heap.alloc_slice(&vec![0u8; arena.size()]).is_err());
//! })?;
//! # Ok(())
//! # }
//! ```
//!
//! An arena exists until the process ends: mimalloc cannot remove one. Memory that a heap in it frees is reused by the
//! next heap in it. So create arenas once, at the start of a program, and not one for each request: a process has at most
//! 160 on v3 and 132 on v2, including those that mimalloc creates itself. Only heaps that are created in an arena use it;
//! other memory of the program never comes from it.
//!
//! [`Arena::reserve`] reserves addresses from the operating system, and commits memory as it is used. [`Arena::over`] is for
//! memory that the program already has and hands over for good: it is mimalloc's from then on.
//! Both may be called by any thread, and a heap in an arena has the thread rules of any other heap.
//!
//! Other kinds of arenas (huge pages of 1 GiB, memory of a device, memory that a callback commits) are created by the
//! functions of [`sys`], such as [`sys::mi_reserve_huge_os_pages_at_ex`], and become an `Arena` with
//! [`Arena::from_raw`].

use crate::sys;
use core::ffi::c_void;
use core::fmt;
use core::mem::MaybeUninit;

/// Memory reserved for heaps. The [module](self) describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arena {
    id: sys::mi_arena_id_t,
}

// SAFETY: an arena exists until the process ends. mimalloc allocates from it with atomic operations, and the
// functions here only read what does not change.
unsafe impl Send for Arena {}
// SAFETY: as above.
unsafe impl Sync for Arena {}

/// Why an arena could not be created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ArenaError {
    /// The memory is too small.
    TooSmall {
        /// The bytes that would be enough.
        least: usize,
    },
    /// Memory has run out, or the process has as many arenas as it can have.
    OutOfMemory,
}

impl fmt::Display for ArenaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ArenaError::TooSmall { least } => write!(
                f,
                "too small for an arena: it takes {} MiB (less, if memory starts at a multiple of \
                 `Arena::alignment()`)",
                least >> 20
            ),
            ArenaError::OutOfMemory => {
                f.write_str("no memory for an arena, or the process has as many as it can have")
            }
        }
    }
}

#[cfg(feature = "std")]
impl std::error::Error for ArenaError {}

impl Arena {
    /// The size, in bytes, that arenas are a multiple of: usually 32 MiB on 64-bit; on 32-bit 8 MiB on v3, and 4 MiB
    /// on v2.
    pub fn unit() -> usize {
        #[cfg(mi_v3)]
        // SAFETY: always safe to call.
        return unsafe { sys::mi_arena_min_size() };
        #[cfg(mi_v2)]
        return SEGMENT;
    }

    /// The alignment, in bytes, at which arenas start: usually 256 MiB on 64-bit, and 32 MiB on 32-bit; on v2 the
    /// same as [`Arena::unit`].
    pub fn alignment() -> usize {
        #[cfg(mi_v3)]
        // SAFETY: always safe to call.
        return unsafe { sys::mi_arena_min_alignment() };
        #[cfg(mi_v2)]
        return SEGMENT;
    }

    /// Reserves at least `size` bytes of the operating system's addresses, rounded up to whole [units](Arena::unit).
    /// Memory is committed as it is used.
    ///
    /// The arena's metadata is part of it, so heaps get a little less.
    pub fn reserve(size: usize) -> Result<Arena, ArenaError> {
        let unit = Arena::unit();
        // A size near the end of the address space is left to mimalloc to refuse.
        let size = size.max(1).checked_add(unit - 1).unwrap_or(size) / unit * unit;
        init_thread();
        let mut id = sys::MI_ARENA_ID_NONE;
        // SAFETY: `id` may be written to, and on v2 the thread is initialised.
        let error = unsafe { sys::mi_reserve_os_memory_ex(size, false, false, true, &mut id) };
        Arena::made(error == 0, id)
    }

    /// Creates an arena of `memory`, which is mimalloc's for the rest of the process.
    ///
    /// The arena starts at the first multiple of [`Arena::alignment`], and has whole [units](Arena::unit). The
    /// remainder at both ends is lost. v3 accepts memory that does not start at such a multiple only if
    /// [`Arena::alignment`] bytes remain after the first one, so two times the alignment is always enough.
    ///
    /// The memory must be readable and writable, as all memory borrowed from Rust is, and stays so: mimalloc does not return
    /// it to the operating system. Its contents do not matter. With the feature `secure_full`, v3 cannot allocate from
    /// such an arena, because it cannot make guard pages in that memory.
    pub fn over(memory: &'static mut [MaybeUninit<u8>]) -> Result<Arena, ArenaError> {
        let (alignment, unit) = (Arena::alignment(), Arena::unit());
        let start = memory.as_mut_ptr();
        let lost = start.align_offset(alignment);
        let needed = if lost == 0 || cfg!(mi_v2) {
            unit
        } else {
            alignment
        };
        if memory
            .len()
            .checked_sub(lost)
            .map_or(true, |left| left < needed)
        {
            return Err(ArenaError::TooSmall {
                least: alignment + needed.max(alignment),
            });
        }
        #[cfg(mi_v3)]
        clear_page_data(memory, lost);
        init_thread();
        let mut id = sys::MI_ARENA_ID_NONE;
        let start: *mut c_void = start.cast();
        // SAFETY: the memory is given up for ever. It is committed, and pinned, so that it stays so. `id` may be
        // written to.
        let made = unsafe {
            sys::mi_manage_os_memory_ex(start, memory.len(), true, true, false, -1, true, &mut id)
        };
        Arena::made(made, id)
    }

    fn made(made: bool, id: sys::mi_arena_id_t) -> Result<Arena, ArenaError> {
        if made {
            Ok(Arena { id })
        } else {
            Err(ArenaError::OutOfMemory)
        }
    }

    /// The arena with the id `id`.
    ///
    /// # Safety
    ///
    /// `id` is the id of an arena. On v3 that arena exists until the process ends: it does not belong to a subprocess
    /// that is destroyed.
    pub unsafe fn from_raw(id: sys::mi_arena_id_t) -> Arena {
        Arena { id }
    }

    /// The arena's id, for the functions of [`sys`].
    pub fn as_raw(&self) -> sys::mi_arena_id_t {
        self.id
    }

    /// Where the arena starts.
    pub fn start(&self) -> *const u8 {
        self.area().0
    }

    /// The arena's size in bytes.
    pub fn size(&self) -> usize {
        self.area().1
    }

    /// Whether `value` is in the arena. A zero-sized value is in none.
    pub fn contains<T: ?Sized>(&self, value: &T) -> bool {
        let (start, size) = self.area();
        let address = (value as *const T).cast::<u8>() as usize;
        core::mem::size_of_val(value) != 0 && address.wrapping_sub(start as usize) < size
    }

    fn area(&self) -> (*const u8, usize) {
        let mut size = 0;
        // SAFETY: the id is an arena's, and `size` may be written to.
        let start = unsafe { sys::mi_arena_area(self.id, &mut size) };
        (start as *const u8, size)
    }
}

/// The unit and alignment of v2 (`MI_ARENA_BLOCK_SIZE`, `MI_SEGMENT_ALIGN`).
#[cfg(mi_v2)]
const SEGMENT: usize = if cfg!(target_pointer_width = "64") {
    32 << 20
} else {
    4 << 20
};

/// v3 has the data of its pages at each multiple of the alignment. It clears only the first of them, but expects of all
/// that they are zero (an assertion in `mi_page_meta_select`; builds with `debug` would abort).
///
/// That is data of 4096 pages on 64-bit and of 1024 on 32-bit, for each of which 1/256 of the alignment has more than
/// enough. Where the alignment is small (`free_use_pagemap`) there is no such data.
#[cfg(mi_v3)]
fn clear_page_data(memory: &mut [MaybeUninit<u8>], first: usize) {
    let alignment = Arena::alignment();
    if alignment <= Arena::unit() {
        return;
    }
    for start in (first..memory.len()).step_by(alignment).skip(1) {
        let end = memory.len().min(start + alignment / 256);
        memory[start..end].fill(MaybeUninit::new(0));
    }
}

/// v2 crashes if a thread creates an arena before it has allocated.
fn init_thread() {
    #[cfg(mi_v2)]
    // SAFETY: always safe to call.
    unsafe {
        sys::mi_thread_init();
    }
}

//! Heaps: sets of blocks, each set freed at once.
//!
//! A [`Heap`] is for data with the same lifetime: that of a request, a document, a phase of a compiler. Values in it
//! borrow it, and when it ends all its memory is freed at once, without a walk over its blocks.
//!
//! ```
//! # fn main() -> Result<(), mi_malloc::heap::OutOfMemory> {
//! use mi_malloc::Heap;
//!
//! let length = Heap::scope(|request| -> Result<usize, mi_malloc::heap::OutOfMemory> {
//!     let name = request.alloc_str("a request")?;
//!     name.make_ascii_uppercase();
//!     assert_eq!(name, "A REQUEST");
//!     let numbers = request.alloc_slice(&[1, 2, 3])?;
//!     numbers.reverse();
//!     assert_eq!(numbers, [3, 2, 1]);
//!     Ok(name.len() + numbers.len())
//! })??; // all of it is freed here
//! assert_eq!(length, 12);
//! # Ok(())
//! # }
//! ```
//!
//! With the feature `allocator-api2` a heap is an allocator for that crate's `Vec` and `Box`, and for the maps of
//! hashbrown. With the feature `allocator_api` and a nightly compiler it is one for those of the standard library:
//!
//! ```
//! # #[cfg(feature = "allocator-api2")]
//! # fn main() -> Result<(), mi_malloc::heap::OutOfMemory> {
//! use allocator_api2::vec::Vec;
//! use mi_malloc::Heap;
//!
//! Heap::scope(|heap| {
//!     let mut primes = Vec::new_in(&*heap);
//!     primes.extend([2, 3, 5, 7]);
//!     assert!(heap.contains(&primes[0]));
//! })
//! # }
//! # #[cfg(not(feature = "allocator-api2"))]
//! # fn main() {}
//! ```
//!
//! # What differs between the major versions
//!
//! | | v3 | v2 |
//! |---|---|---|
//! | to create a heap | `Heap::new`, [`Heap::scope`] | [`Heap::scope`] |
//! | threads | all at once: `Send` and `Sync` | only the one that created it: neither |
//! | live heaps in a process | at most 64,512 (3,072 on 32-bit) | |
//!
//! On v2 a heap belongs to the thread that created it, and mimalloc deletes it when that thread ends. A `Heap` as
//! an owned value could live longer, in a `thread_local!` or after [`core::mem::forget`]. A scope cannot, so
//! there is no `Heap::new` on v2.
//!
//! On v3 a heap may live forever and be used by every thread:
//!
//! ```
//! # #[cfg(mi_v3)]
//! # fn main() -> Result<(), mi_malloc::heap::OutOfMemory> {
//! use mi_malloc::Heap;
//! use std::thread;
//!
//! let heap = Heap::new()?;
//! let shared = &heap;
//! let numbers = thread::scope(|scope| {
//!     let threads = [1, 2, 3].map(|n| scope.spawn(move || shared.alloc(n * 10).unwrap()));
//!     threads.map(|thread| thread.join().unwrap())
//! });
//! assert_eq!(numbers, [&10, &20, &30]);
//! # Ok(())
//! # }
//! # #[cfg(mi_v2)]
//! # fn main() {}
//! ```
//!
//! # What is not dropped
//!
//! When a heap ends it frees its memory, and drops no value. A `Vec` in a heap drops its elements as always, because it
//! ends before its heap does. A value that was leaked into the heap ([`Heap::alloc`], `Box::leak`, [`core::mem::forget`]) is
//! not dropped; its memory is freed with the heap.
//!
//! With the feature `guarded`, v2 cannot free leaked memory: it stays until the process ends. With `debug` it cannot
//! either, and an assertion aborts the process if there is much of it.
//!
//! On v2 threads exchange memory in which blocks live if the option `target_segments_per_thread` is not 0. Then, too,
//! leaked memory stays. The option must not change while there are heaps, and
//! `sys::mi_collect_reduce`, which does the same once, must not be called meanwhile.
//!
//! # When the process ends
//!
//! A heap in a `static` is not dropped, as no static is; the operating system reclaims the memory.
//!
//! # Miri
//!
//! Miri does not run C, so a program that uses a heap does not run under it. Make the collection generic over its
//! allocator, and test it there with another one.
//!
//! # What stays in `mi_malloc::sys`
//!
//! **Subprocesses** ([`sys::mi_subproc_new`]) have no safe form. Destroying one frees everything that its threads have
//! allocated, and a thread of Rust allocates for others all the time: what it sends through a channel, prints, or
//! stores in a `static` would be freed memory. If one is never destroyed it only keeps its memory apart, and a
//! thread of another subprocess must not allocate from its heaps, which `Sync` would permit. A program that enters
//! subprocesses through the functions of [`sys`] must therefore confine each `Heap` and
//! [`Arena`] to the subprocess in which it was created.
//!
//! **Theaps** (`sys::mi_heap_theap`), the part that one thread has of a heap on v3,
//! have none either. A theap ends with its thread, before the last destructors of the thread's locals run, and a
//! type that only one thread may use can still be in one of those. mimalloc remembers for each thread the
//! theap that it used last, so a heap that is used many times in a row is not looked up each time.

use crate::arena::Arena;
use crate::sys;
use core::alloc::Layout;
use core::ffi::c_void;
use core::mem;
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::ptr::{self, NonNull};

/// A set of blocks that is freed when it is dropped. The [module](self) describes it.
///
/// Allocations from a heap borrow it, so that nothing can use them after the heap has ended, and nothing can visit the
/// heap's blocks while they are in use:
///
/// ```compile_fail,E0502
/// mi_malloc::Heap::scope(|heap| {
///     let number = heap.alloc(7).unwrap();
///     heap.visit_blocks(|_| ());
///     println!("{}", number);
/// });
/// ```
///
/// No allocation can leave a scope:
///
/// ```compile_fail
/// let number = mi_malloc::Heap::scope(|heap| heap.alloc(7).unwrap());
/// ```
#[derive(Debug)]
pub struct Heap {
    // Not `Send` and not `Sync` by itself, which is right on v2.
    raw: NonNull<sys::mi_heap_t>,
    /// Whether its memory is separate: see [`TAG`].
    #[cfg(mi_v2)]
    is_apart: bool,
}

// SAFETY: v3 keeps the part of each thread separate, and takes locks where threads interact: at the first block of a
// thread, at a thread's end, and when the heap is destroyed. Any thread may free a block, and end the heap.
#[cfg(mi_v3)]
unsafe impl Send for Heap {}
// SAFETY: as above.
#[cfg(mi_v3)]
unsafe impl Sync for Heap {}

// No operation unwinds midway: a panic finds the heap as it was before or after one.
impl UnwindSafe for Heap {}
impl RefUnwindSafe for Heap {}

/// Memory has run out, or on v3 the maximum number of heaps is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfMemory;

impl core::fmt::Display for OutOfMemory {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("mimalloc has no memory, or no room for a further heap")
    }
}

#[cfg(feature = "std")]
impl std::error::Error for OutOfMemory {}

/// The tag of heaps that may be destroyed on v2, where memory that an ended thread leaves goes to a heap of the same
/// tag. Without a tag of its own a heap would take over live blocks and free them when it ends.
///
/// Other heaps have the tag 0, as the backing heap, which takes over their memory when they are deleted. (With
/// another tag it would wait for a heap that has it, and some builds end the process where there is none.)
#[cfg(mi_v2)]
const TAG: cty::c_int = 0xA7;

/// Whether v2 can keep the memory of a heap apart, and free it at once.
///
/// It cannot with guard pages, which upstream's debug builds have as well; and not if threads give up segments with
/// live blocks for others to take over (`mi_segments_try_abandon`).
#[cfg(mi_v2)]
fn keeps_apart() -> bool {
    let guarded = cfg!(any(
        feature = "guarded",
        feature = "debug",
        feature = "debug_full",
        all(feature = "debug_in_debug", debug_assertions)
    ));
    // SAFETY: the option exists.
    !guarded && unsafe { sys::mi_option_get(sys::mi_option_target_segments_per_thread) } == 0
}

impl Heap {
    /// Creates a heap. (v3 only; the [module](self) says why.)
    ///
    /// It fails if memory has run out, or if 64,512 heaps are live (3,072 on 32-bit). In the latter case builds with
    /// `secure` or `debug` abort the process, unless there is an error callback.
    #[cfg(mi_v3)]
    pub fn new() -> Result<Heap, OutOfMemory> {
        Heap::make(sys::MI_ARENA_ID_NONE)
    }

    /// Creates a heap that has all its memory in `arena`; otherwise like [`Heap::new`]. (v3 only.)
    ///
    /// When the arena is full an allocation fails: no other memory is used. Alignments above 64 KiB (32 KiB on
    /// 32-bit) fail.
    #[cfg(mi_v3)]
    pub fn new_in(arena: Arena) -> Result<Heap, OutOfMemory> {
        Heap::make(arena.as_raw())
    }

    /// Creates a heap, calls `work` with it, and ends it. Returns what `work` returns; a panic propagates.
    ///
    /// It fails, before `work` is called, if memory has run out, or on v3 for the same limit as `Heap::new`.
    ///
    /// ```
    /// # #[cfg(feature = "allocator-api2")] {
    /// use allocator_api2::{boxed::Box, vec::Vec};
    ///
    /// let sum = mi_malloc::Heap::scope(|heap| {
    ///     let heap = &*heap; // many may use it
    ///     let mut boxes = Vec::new_in(heap);
    ///     boxes.extend((0..10).map(|n| Box::new_in(n, heap)));
    ///     boxes.iter().map(|n| **n).sum::<i32>()
    /// });
    /// assert_eq!(sum, Ok(45));
    /// # }
    /// ```
    pub fn scope<R>(work: impl FnOnce(&mut Heap) -> R) -> Result<R, OutOfMemory> {
        let mut heap = Heap::make(sys::MI_ARENA_ID_NONE)?;
        Ok(work(&mut heap))
    }

    /// Like [`Heap::scope`], with all memory in `arena`.
    ///
    /// When the arena is full an allocation fails: no other memory is used. Alignments above 64 KiB on v3 and 16 MiB
    /// on v2 (32 KiB and 2 MiB on 32-bit) fail.
    pub fn scope_in<R>(arena: Arena, work: impl FnOnce(&mut Heap) -> R) -> Result<R, OutOfMemory> {
        let mut heap = Heap::make(arena.as_raw())?;
        Ok(work(&mut heap))
    }

    fn make(arena: sys::mi_arena_id_t) -> Result<Heap, OutOfMemory> {
        #[cfg(mi_v2)]
        let is_apart = keeps_apart();
        #[cfg(mi_v2)]
        // SAFETY: always safe to call.
        let raw = unsafe { sys::mi_heap_new_ex(if is_apart { TAG } else { 0 }, is_apart, arena) };
        #[cfg(mi_v3)]
        // SAFETY: the arena is none or an `Arena`, which is one for the rest of the process.
        let raw = unsafe { sys::mi_heap_new_in_arena(arena) };
        let raw = NonNull::new(raw).ok_or(OutOfMemory)?;
        Ok(Heap {
            raw,
            #[cfg(mi_v2)]
            is_apart,
        })
    }

    /// The heap, for the functions of [`sys`].
    ///
    /// It must neither be deleted nor destroyed, and blocks allocated with these functions must not be used after the
    /// heap has ended.
    pub fn as_ptr(&self) -> *mut sys::mi_heap_t {
        self.raw.as_ptr()
    }

    /// Moves `value` into the heap, for as long as the heap is borrowed. Its destructor does not run.
    ///
    /// (`Box::leak(Box::new_in(value, heap))` does the same; a `Box` that is not leaked drops its value.)
    #[allow(clippy::mut_from_ref)] // each call is a place of its own
    pub fn alloc<T>(&self, value: T) -> Result<&mut T, OutOfMemory> {
        let place = self.allocate(Layout::new::<T>(), false)?.cast::<T>();
        // SAFETY: the place has the size and alignment of a `T`, and nobody else has it. It lives as long as the
        // heap, which the result borrows.
        unsafe {
            place.as_ptr().write(value);
            Ok(&mut *place.as_ptr())
        }
    }

    /// Copies `values` into the heap, for as long as the heap is borrowed.
    #[allow(clippy::mut_from_ref)] // each call is a place of its own
    pub fn alloc_slice<T: Copy>(&self, values: &[T]) -> Result<&mut [T], OutOfMemory> {
        let place = self.allocate(Layout::for_value(values), false)?.cast::<T>();
        // SAFETY: as for `alloc`; a new block does not overlap `values`.
        unsafe {
            ptr::copy_nonoverlapping(values.as_ptr(), place.as_ptr(), values.len());
            Ok(core::slice::from_raw_parts_mut(
                place.as_ptr(),
                values.len(),
            ))
        }
    }

    /// Copies `text` into the heap, for as long as the heap is borrowed.
    #[allow(clippy::mut_from_ref)] // each call is a place of its own
    pub fn alloc_str(&self, text: &str) -> Result<&mut str, OutOfMemory> {
        let bytes = self.alloc_slice(text.as_bytes())?;
        // SAFETY: the bytes are those of a `str`.
        Ok(unsafe { core::str::from_utf8_unchecked_mut(bytes) })
    }

    /// Whether `value` is in memory of this heap. A zero-sized value is in none.
    ///
    /// v3 looks it up, and finds values only in the first 4 MiB (usually) of a block, which is all of it for most.
    /// v2 walks through the heap's pages.
    pub fn contains<T: ?Sized>(&self, value: &T) -> bool {
        // A reference to nothing may be any address, and its memory may be freed meanwhile.
        if mem::size_of_val(value) == 0 {
            return false;
        }
        let address: *const c_void = (value as *const T).cast();
        #[cfg(mi_v3)]
        // SAFETY: the memory at the address is borrowed, so nobody gives it up meanwhile.
        return unsafe { sys::mi_heap_contains(self.raw.as_ptr(), address) };
        #[cfg(mi_v2)]
        {
            // v2 wants an address that is aligned. A block starts at one, so this stays within the block.
            let word = mem::size_of::<usize>();
            let aligned = (address as usize / word * word) as *const c_void;
            // SAFETY: the heap is the calling thread's, and any address is allowed.
            unsafe { sys::mi_heap_check_owned(self.raw.as_ptr(), aligned) }
        }
    }

    /// Frees what the calling thread retains of the heap needlessly: pages in which no block is in use, and memory
    /// whose purge is due. With `force` it also examines full pages, and purges before the delay is over.
    ///
    /// On v3 this does not affect what other threads retain of the heap.
    pub fn collect(&self, force: bool) {
        // SAFETY: the heap is live, and on v2 the calling thread's.
        unsafe { sys::mi_heap_collect(self.raw.as_ptr(), force) };
    }

    /// Calls `visitor` with each area of the heap.
    ///
    /// Nothing may use the heap meanwhile, so only leaked blocks can be seen. `visitor` may allocate from
    /// any other heap. If it panics, the visit ends and the panic then continues (without the feature `std` the
    /// process aborts).
    ///
    /// On v3 the heap is locked meanwhile, and a thread that has used it cannot end before the visit does. So `visitor`
    /// deadlocks if it waits for the end of such a thread; or if it drops another heap that such a thread has used as well,
    /// or waits for somebody who drops one, while the thread is ending. (A scope of threads does not wait until its
    /// threads have ended.)
    pub fn visit_areas(&mut self, mut visitor: impl FnMut(Area)) {
        self.visit(false, |area, _| visitor(area));
    }

    /// Calls `visitor` with each block of the heap that is in use: what was leaked. Otherwise as
    /// [`Heap::visit_areas`].
    ///
    /// ```
    /// # fn main() -> Result<(), mi_malloc::heap::OutOfMemory> {
    /// let (blocks, bytes) = mi_malloc::Heap::scope(|heap| {
    ///     heap.alloc([0u8; 100]).unwrap();
    ///     heap.alloc([0u8; 1000]).unwrap();
    ///
    ///     let mut sums = (0, 0);
    ///     heap.visit_blocks(|block| {
    ///         sums.0 += 1;
    ///         sums.1 += block.size;
    ///     });
    ///     sums
    /// })?;
    /// assert_eq!(blocks, 2);
    /// assert!(bytes >= 1100);
    /// # Ok(())
    /// # }
    /// ```
    pub fn visit_blocks(&mut self, mut visitor: impl FnMut(Block)) {
        self.visit(true, |_, block| {
            if let Some(block) = block {
                visitor(block);
            }
        });
    }

    fn visit<F: FnMut(Area, Option<Block>)>(&mut self, blocks: bool, visitor: F) {
        let mut visit = Visit {
            visitor,
            #[cfg(feature = "std")]
            panic: None,
        };
        let argument: *mut Visit<F> = &mut visit;
        // SAFETY: the heap is borrowed mutably, so nobody allocates from it, and what could free a block of it has
        // ended. `visited` takes a `Visit<F>`, which lives until the end of this function.
        unsafe {
            sys::mi_heap_visit_blocks(
                self.raw.as_ptr(),
                blocks,
                Some(visited::<F>),
                argument.cast(),
            );
        }
        #[cfg(feature = "std")]
        if let Some(panic) = visit.panic {
            std::panic::resume_unwind(panic);
        }
    }

    /// Memory for a value of `layout`, which is not freed before the heap ends, except by
    /// [`sys::mi_free`]. With size 0 it is not a block.
    pub(crate) fn allocate(
        &self,
        layout: Layout,
        zeroed: bool,
    ) -> Result<NonNull<u8>, OutOfMemory> {
        let (size, align) = (layout.size(), layout.align());
        if size == 0 {
            return Ok(dangling(layout));
        }
        if is_too_large(size, align) {
            return Err(OutOfMemory);
        }
        let heap = self.raw.as_ptr();
        // SAFETY: the heap is live, and on v2 the calling thread's.
        let block = unsafe {
            match (align <= NATURAL_ALIGN, zeroed) {
                (true, false) => sys::mi_heap_malloc(heap, size),
                (true, true) => sys::mi_heap_zalloc(heap, size),
                (false, false) => sys::mi_heap_malloc_aligned(heap, size, align),
                (false, true) => sys::mi_heap_zalloc_aligned(heap, size, align),
            }
        };
        NonNull::new(block.cast()).ok_or(OutOfMemory)
    }
}

impl Drop for Heap {
    fn drop(&mut self) {
        #[cfg(mi_v2)]
        if !(self.is_apart && keeps_apart()) {
            // SAFETY: as below, except that no block is lost.
            unsafe { sys::mi_heap_delete(self.raw.as_ptr()) };
            return;
        }
        #[cfg(mi_v3)]
        // SAFETY: the heap is live, and the theap is the calling thread's and is not used afterwards. (While v3.6.0
        // ends the theaps of other threads, it looks into this thread's, which may be freed by then:
        // `mi_heap_free_theaps`. So this thread's goes first.)
        unsafe {
            sys::mi_theap_delete(sys::mi_heap_theap(self.raw.as_ptr()));
        }
        #[cfg(all(mi_v3, feature = "std"))]
        crate::profile::end_heap(self.raw.as_ptr());
        // SAFETY: whoever could use or free a block of the heap has borrowed it, and no borrow is left. A thread
        // that has used it may still be ending (the end of a scope of threads does not wait for that); v3 takes
        // its locks for it. On v2 this is the thread that made the heap, and the heap's tag has kept
        // other threads' memory away from it.
        unsafe { sys::mi_heap_destroy(self.raw.as_ptr()) };
    }
}

/// The alignment of every block, however small.
pub(crate) const NATURAL_ALIGN: usize = mem::size_of::<usize>();

/// The address of a zero-sized value.
pub(crate) fn dangling(layout: Layout) -> NonNull<u8> {
    // SAFETY: an alignment is not 0.
    unsafe { NonNull::new_unchecked(layout.align() as *mut u8) }
}

/// On 32-bit mimalloc may crash near 2 GiB where it should return NULL; see `is_too_large` of `mi-malloc-sys`.
pub(crate) const fn is_too_large(size: usize, align: usize) -> bool {
    const LIMIT: usize = 0x7f00_0000;
    cfg!(not(target_pointer_width = "64")) && size > LIMIT.saturating_sub(align.saturating_mul(2))
}

/// An area of a heap: memory that is divided into blocks of one size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Area {
    /// Where the first block starts.
    pub start: *const u8,
    /// Bytes of a block that a program can use.
    pub block_size: usize,
    /// How many blocks are in use.
    pub used: usize,
    /// Bytes that are divided into blocks already.
    pub committed: usize,
    /// Bytes reserved for the area's blocks.
    pub reserved: usize,
}

/// A block that is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Block {
    /// Where it starts. The value in it may start later, because of its alignment or a guard page.
    pub start: *const u8,
    /// Bytes of it that a program can use: at least as many as it requested.
    pub size: usize,
}

struct Visit<F> {
    visitor: F,
    #[cfg(feature = "std")]
    panic: Option<std::boxed::Box<dyn core::any::Any + Send>>,
}

/// What mimalloc calls: with NULL for an area, and then with each block of it.
///
/// # Safety
///
/// `area` is one, and `visit` a `Visit<F>` that nobody else uses.
unsafe extern "C" fn visited<F: FnMut(Area, Option<Block>)>(
    _heap: *const sys::mi_heap_t,
    area: *const sys::mi_heap_area_t,
    block: *mut c_void,
    size: usize,
    visit: *mut c_void,
) -> bool {
    // SAFETY: the caller's promise.
    let (area, visit) = unsafe { (&*area, &mut *visit.cast::<Visit<F>>()) };
    let area = Area {
        start: area.blocks.cast::<u8>(),
        block_size: area.block_size,
        used: area.used,
        committed: area.committed,
        reserved: area.reserved,
    };
    let block = NonNull::new(block).map(|block| Block {
        start: block.as_ptr().cast::<u8>(),
        size,
    });
    call(visit, area, block)
}

/// Calls the visitor, and returns whether the visit goes on. A panic must not unwind into C.
#[cfg(feature = "std")]
fn call<F: FnMut(Area, Option<Block>)>(
    visit: &mut Visit<F>,
    area: Area,
    block: Option<Block>,
) -> bool {
    let visitor = &mut visit.visitor;
    // The visitor is not called again after a panic, so nobody sees what it left half done but the caller, to
    // whom the panic goes on.
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| visitor(area, block)));
    visit.panic = result.err();
    visit.panic.is_none()
}

#[cfg(not(feature = "std"))]
fn call<F: FnMut(Area, Option<Block>)>(
    visit: &mut Visit<F>,
    area: Area,
    block: Option<Block>,
) -> bool {
    /// A panic while another one unwinds ends the process.
    struct Abort;
    impl Drop for Abort {
        fn drop(&mut self) {
            panic!("a visitor of a heap has panicked");
        }
    }
    let abort = Abort;
    (visit.visitor)(area, block);
    mem::forget(abort);
    true
}

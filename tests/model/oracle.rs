//! What must hold: the address, the bytes and the heap of every live block.

use core::ffi::c_void;
use std::alloc::GlobalAlloc;
use std::collections::BTreeMap;
use std::slice::{from_raw_parts, from_raw_parts_mut};
use std::sync::{Arc, Mutex};

use mi_malloc_sys::*;

use super::allocator;
use super::heap;
use super::mode;
use super::program::{Action, Family, FreeFunction, Request, Step, HEAPS, SLOTS};

/// Blocks that one program has sent and none has received yet.
pub type TransferPool = Arc<Mutex<Vec<Block>>>;

pub struct Block {
    at: usize,
    /// As last requested.
    size: usize,
    /// The value of each of its bytes.
    byte: u8,
    /// `at + offset` is a multiple of this, by the last request.
    align: usize,
    offset: usize,
    /// The largest alignment requested since the block has this address; 0 if none.
    max_align: usize,
    /// `mi_expand` made it smaller, so it may be a small block among large ones.
    shrunk_by_expand: bool,
    /// From this offset to the end of the usable size all bytes are zero, as `mi_rezalloc` promises:
    /// the block was allocated zeroed, and nothing beyond has been written since.
    zero_from: Option<usize>,
    heap: Option<usize>,
    /// The alignment of its layout, if `MiMalloc` allocated it.
    rust_align: Option<usize>,
}

struct Heap {
    at: usize,
    /// The thread that created it.
    thread: usize,
}

pub struct Oracle {
    blocks: Vec<Option<Block>>,
    /// The start of each block, and the end of its usable size.
    extents: BTreeMap<usize, usize>,
    heaps: [Option<Heap>; HEAPS],
    pool: TransferPool,
    /// For messages.
    current_step: String,
    /// The byte that the last block was filled with.
    byte: u8,
    /// How many steps called the allocator.
    pub calls: u64,
    /// Sometimes confuses one block with another: a test shows that this is detected.
    faulty: bool,
}

impl Oracle {
    pub fn new(pool: TransferPool, faulty: bool) -> Oracle {
        Oracle {
            blocks: (0..SLOTS).map(|_| None).collect(),
            extents: BTreeMap::new(),
            heaps: Default::default(),
            pool,
            current_step: String::new(),
            byte: 0,
            calls: 0,
            faulty,
        }
    }

    /// Executes a step, on the step's thread. The caller ends that thread after `EndThread`.
    pub fn step(&mut self, number: usize, step: Step) {
        self.current_step = format!("step {number}, {step:?}");
        let thread = step.thread;
        if let Some(slot) = slot(step.action) {
            if !self.may_access(thread, slot) {
                return;
            }
        }
        match step.action {
            Action::Allocate { slot, request } => {
                self.free(slot, FreeFunction::Free);
                self.blocks[slot] = Some(self.allocate(thread, request));
            }
            Action::Reallocate { slot, request } => {
                self.blocks[slot] = Some(match self.blocks[slot].take() {
                    None => self.allocate(thread, request),
                    Some(block) => self.reallocate(thread, block, request),
                });
            }
            Action::Expand { slot, size } => self.expand(slot, size),
            Action::Free { slot, by } => self.free(slot, by),
            Action::Check { slot } => {
                if let Some(block) = &self.blocks[slot] {
                    self.check_block(block);
                    self.calls += 1;
                }
            }
            Action::Send { slot } => self.send(slot),
            Action::Receive { slot } => self.receive(slot),
            Action::NewHeap { heap } => self.new_heap(thread, heap),
            Action::DeleteHeap { heap } => self.remove_heap(thread, heap, false),
            Action::DestroyHeap { heap } => self.remove_heap(thread, heap, true),
            Action::Collect { force } => {
                unsafe { mi_collect(force) };
                self.calls += 1;
            }
            Action::EndThread => {
                for heap in 0..HEAPS {
                    if mode::DEBUG {
                        self.remove_heap(thread, heap, false);
                    } else if cfg!(mi_v2) {
                        self.forget_heap(thread, heap);
                    }
                }
            }
        }
    }

    /// Checks and frees all that `thread` may access. Called on each thread in turn.
    pub fn finish(&mut self, thread: usize) {
        self.current_step = "at the end".to_string();
        for block in self.blocks.iter().flatten() {
            self.check_block(block);
        }
        for slot in 0..SLOTS {
            if self.may_access(thread, slot) {
                self.free(slot, FreeFunction::Free);
            }
        }
        for heap in 0..HEAPS {
            self.remove_heap(thread, heap, false);
        }
    }

    /// Whether no block is live.
    pub fn is_empty(&self) -> bool {
        self.extents.is_empty()
    }

    fn allocate(&mut self, thread: usize, request: Request) -> Block {
        let request = self.feasible(thread, request);
        let mut p = unsafe { allocator::allocate(self.address(request.heap), request) };
        self.calls += 1;
        if self.faulty && request.size % 7 == 3 {
            let fits = |place: &(&usize, &usize)| place.1 - place.0 >= request.size;
            if let Some((other, _)) = self.extents.iter().find(fits) {
                p = *other as *mut c_void;
            }
        }
        self.expect(!p.is_null(), "no memory");
        let (align, offset) = alignment(request.family);
        let block = Block {
            at: p as usize,
            size: request.size,
            byte: 0,
            align,
            offset,
            max_align: requested_alignment(request.family),
            shrunk_by_expand: false,
            zero_from: if request.zeroed { Some(0) } else { None },
            heap: request.heap,
            rust_align: match request.family {
                Family::Rust(align) => Some(align),
                _ => None,
            },
        };
        self.expect(
            align > 8 || block.at % natural_alignment(request.size) == 0,
            "not aligned as its size requires",
        );
        self.check_and_fill(block)
    }

    fn reallocate(&mut self, thread: usize, mut block: Block, request: Request) -> Block {
        self.check_and_forget(&block);
        let p = block.at as *mut c_void;
        let (request, new) = match block.rust_align {
            // As Rust reallocates: with the alignment of the old layout.
            Some(align) => {
                let request = Request {
                    family: Family::Rust(align),
                    zeroed: false,
                    heap: None,
                    ..request
                };
                let old = allocator::layout(block.size, align);
                let new = unsafe { MiMalloc.realloc(p.cast(), old, request.size) };
                (request, new as usize)
            }
            None => {
                let request = self.feasible(thread, request);
                let address = self.address(request.heap);
                let new = unsafe { allocator::reallocate(address, p, request) };
                (request, new as usize)
            }
        };
        self.calls += 1;
        self.expect(new != 0, "no memory");
        let old_size = block.size;
        block.size = request.size;
        (block.align, block.offset) = match (block.rust_align, request.family) {
            (None, Family::Rust(_)) => (1, 0),
            (_, family) => alignment(family),
        };
        if new == block.at {
            block.max_align = block.max_align.max(requested_alignment(request.family));
            let may_stay =
                cfg!(mi_v2) || block.heap == request.heap || may_keep_place(request.family);
            self.expect(may_stay, "a block of another heap was not moved");
        } else {
            block.at = new;
            block.max_align = requested_alignment(request.family);
            block.shrunk_by_expand = false;
            block.heap = request.heap;
            if !request.zeroed {
                block.zero_from = None;
            }
        }
        self.expect(
            is_filled(&block, old_size, 0..old_size.min(request.size), block.byte),
            "its bytes were not kept",
        );
        if !request.zeroed {
            // Only the zeroing functions promise zeros, for this and for later reallocations.
            let zero_from = block.zero_from.take();
            block = self.check_and_fill(block);
            block.zero_from = zero_from.map(|from| from.max(request.size));
            return block;
        }
        block.zero_from = block.zero_from.map(|from| from.max(old_size));
        self.check_and_fill(block)
    }

    fn expand(&mut self, slot: usize, size: usize) {
        let block = match &mut self.blocks[slot] {
            // `GlobalAlloc` has no such function, and the layout would no longer match the size.
            Some(block) if block.rust_align.is_none() => block,
            _ => return,
        };
        let p = block.at as *mut c_void;
        let usable = unsafe { mi_usable_size(p) };
        let expanded = unsafe { mi_expand(p, size) };
        self.calls += 1;
        if mode::PADDING || size > usable {
            assert!(expanded.is_null(), "{} is expanded", self.current_step);
            return;
        }
        assert_eq!(expanded, p, "{} is not expanded", self.current_step);
        block.shrunk_by_expand |= size < block.size;
        let old_size = std::mem::replace(&mut block.size, size);
        let kept = is_filled(block, old_size, 0..old_size.min(size), block.byte);
        assert!(kept, "{}: its bytes were not kept", self.current_step);
        self.byte = self.byte.wrapping_add(1);
        block.byte = self.byte;
        block.zero_from = block.zero_from.map(|from| from.max(size));
        fill(block);
    }

    fn free(&mut self, slot: usize, by: FreeFunction) {
        let block = match self.blocks[slot].take() {
            Some(block) => block,
            None => return,
        };
        self.check_and_forget(&block);
        self.calls += 1;
        let p = block.at as *mut c_void;
        if let (Some(align), FreeFunction::Free) = (block.rust_align, by) {
            return unsafe { MiMalloc.dealloc(p.cast(), allocator::layout(block.size, align)) };
        }
        // The functions that take a size may not be called for every block: see `mi_free_small`.
        let small = block.size <= MI_SMALL_SIZE_MAX;
        let among_large = small && (block.max_align > block.size || block.shrunk_by_expand);
        let by = if among_large { FreeFunction::Free } else { by };
        let align = if block.offset == 0 { block.align } else { 1 };
        unsafe { allocator::free(p, block.size, align, by) };
    }

    fn send(&mut self, slot: usize) {
        let mut pool = self.pool.lock().unwrap();
        // Another program does not know this one's heaps.
        if matches!(&self.blocks[slot], Some(block) if block.heap.is_none()) && pool.len() < 100 {
            let block = self.blocks[slot].take().unwrap();
            self.extents.remove(&block.at);
            pool.push(block);
        }
    }

    fn receive(&mut self, slot: usize) {
        if self.blocks[slot].is_some() {
            return;
        }
        let block = {
            let mut pool = self.pool.lock().unwrap();
            match pool.len() {
                0 => return,
                len => pool.swap_remove(slot % len),
            }
        };
        self.check_bytes(&block);
        self.record_extent(&block);
        self.blocks[slot] = Some(block);
    }

    fn new_heap(&mut self, thread: usize, number: usize) {
        if self.heaps[number].is_some() {
            return;
        }
        let at = unsafe { heap::new() } as usize;
        self.calls += 1;
        self.expect(at != 0, "no heap");
        self.heaps[number] = Some(Heap { at, thread });
    }

    fn remove_heap(&mut self, thread: usize, number: usize, destroy: bool) {
        let heap = match self.address(self.usable_heap(thread, Some(number))) {
            Some(heap) => heap,
            None => return,
        };
        self.calls += 1;
        if !mode::HEAPS_MAY_END_WITH_FULL_PAGES {
            for slot in 0..SLOTS {
                if matches!(&self.blocks[slot], Some(block) if block.heap == Some(number)) {
                    self.free(slot, FreeFunction::Free);
                }
            }
        }
        // With guard pages, v2 does not free the blocks.
        if destroy && !(cfg!(mi_v2) && mode::GUARDED) {
            unsafe { mi_heap_destroy(heap) };
            for block in &mut self.blocks {
                if matches!(block, Some(block) if block.heap == Some(number)) {
                    self.extents.remove(&block.take().unwrap().at);
                }
            }
        } else {
            unsafe { mi_heap_delete(heap) };
        }
        self.forget_heap(thread, number);
    }

    /// The heap no longer exists, and its blocks are of no heap that the model knows.
    fn forget_heap(&mut self, thread: usize, number: usize) {
        if self.usable_heap(thread, Some(number)).is_none() {
            return;
        }
        self.heaps[number] = None;
        for block in self.blocks.iter_mut().flatten() {
            if block.heap == Some(number) {
                block.heap = None;
            }
        }
    }

    /// The request, reduced to what these functions and this thread can do.
    fn feasible(&self, thread: usize, request: Request) -> Request {
        Request {
            size: match request.family {
                Family::Counted(count) => request.size / count * count,
                _ => request.size,
            },
            heap: match request.family {
                Family::Rust(_) => None,
                _ => self.usable_heap(thread, request.heap),
            },
            ..request
        }
    }

    /// The heap of this number, if there is one and `thread` may use it. (On v3 every thread may. But
    /// upstream's full checks stop a program that deletes a heap which several threads have used:
    /// `_mi_page_is_valid` reads the heap while it is partly deleted.)
    fn usable_heap(&self, thread: usize, number: Option<usize>) -> Option<usize> {
        let shared = cfg!(mi_v3) && !mode::DEBUG;
        number.filter(|number| match &self.heaps[*number] {
            Some(heap) => shared || heap.thread == thread,
            None => false,
        })
    }

    /// Any thread may free any block. But a debug build of v3 stops a program that deletes a heap when
    /// other threads have freed blocks of it (`_mi_page_update_sample_countdown`: the visit of an
    /// abandoned page collects them without owning the page).
    fn may_access(&self, thread: usize, slot: usize) -> bool {
        if !(cfg!(mi_v3) && mode::DEBUG) {
            return true;
        }
        let heap = self.blocks[slot].as_ref().and_then(|block| block.heap);
        heap.is_none() || self.usable_heap(thread, heap).is_some()
    }

    fn address(&self, heap: Option<usize>) -> Option<*mut mi_heap_t> {
        heap.map(|number| self.heaps[number].as_ref().unwrap().at as *mut mi_heap_t)
    }

    /// For a block that was just allocated or reallocated.
    fn check_and_fill(&mut self, mut block: Block) -> Block {
        let size = block.size;
        self.record_extent(&block);
        self.check_heap(&block);
        self.expect(
            (block.at + block.offset) % block.align == 0,
            "not aligned as requested",
        );
        if let Some(from) = block.zero_from {
            self.expect(is_filled(&block, size, from..size, 0), "not zero");
            block.zero_from = Some(from.max(size));
        }
        self.byte = self.byte.wrapping_add(1);
        block.byte = self.byte;
        fill(&block);
        block
    }

    /// Before a block is reallocated or freed.
    fn check_and_forget(&mut self, block: &Block) {
        self.check_bytes(block);
        self.extents.remove(&block.at);
    }

    fn check_block(&self, block: &Block) {
        self.check_bytes(block);
        self.check_heap(block);
    }

    /// Checks that the bytes are as they were written.
    fn check_bytes(&self, block: &Block) {
        self.expect(
            is_filled(block, block.size, 0..block.size, block.byte),
            "its bytes have changed",
        );
    }

    /// Records the extent of a block, which must not overlap another.
    fn record_extent(&mut self, block: &Block) {
        let usable = unsafe { mi_usable_size(block.at as *const c_void) };
        self.expect(usable >= block.size, "usable size too small");
        let end = block.at + usable.max(1);
        let before = self.extents.range(..block.at).next_back();
        let after = self.extents.range(block.at..).next();
        let free = before.map_or(true, |(_, before)| *before <= block.at)
            && after.map_or(true, |(after, _)| end <= *after);
        self.expect(free, "overlaps another block");
        self.extents.insert(block.at, end);
    }

    /// Checks that the block is of its heap, and of no other.
    fn check_heap(&self, block: &Block) {
        let p = block.at as *const c_void;
        for (number, heap) in self.heaps.iter().enumerate() {
            if let Some(heap) = heap {
                let is_of = unsafe { allocator::is_of(heap.at as *mut mi_heap_t, p) };
                self.expect(is_of == (block.heap == Some(number)), "of the wrong heap");
            }
        }
    }

    fn expect(&self, holds: bool, fault: &str) {
        assert!(holds, "{}: {fault}", self.current_step);
    }
}

/// Frees the blocks that no program has received.
pub fn clear(pool: &TransferPool) {
    for block in pool.lock().unwrap().drain(..) {
        unsafe { mi_free(block.at as *mut c_void) };
    }
}

/// The slot that a step is about.
fn slot(action: Action) -> Option<usize> {
    match action {
        Action::Allocate { slot, .. }
        | Action::Reallocate { slot, .. }
        | Action::Expand { slot, .. }
        | Action::Free { slot, .. }
        | Action::Check { slot }
        | Action::Send { slot }
        | Action::Receive { slot } => Some(slot),
        _ => None,
    }
}

/// The alignment that every block of this size has.
fn natural_alignment(size: usize) -> usize {
    if size >= 16 {
        16
    } else {
        std::mem::size_of::<usize>()
    }
}

/// The alignment and the offset: address plus offset is a multiple of the alignment.
fn alignment(family: Family) -> (usize, usize) {
    match family {
        Family::Aligned(align) | Family::Rust(align) => (align, 0),
        Family::AlignedAt(align, offset) => (align, offset),
        Family::Plain | Family::Counted(_) | Family::Small => (1, 0),
    }
}

/// Whether a reallocation by these functions may keep a well aligned block of another heap in place.
fn may_keep_place(family: Family) -> bool {
    match family {
        Family::Aligned(align) => align > std::mem::size_of::<usize>(),
        Family::AlignedAt(..) => true,
        Family::Plain | Family::Counted(_) | Family::Small | Family::Rust(_) => false,
    }
}

/// 0 if no alignment is requested.
fn requested_alignment(family: Family) -> usize {
    match family {
        Family::Plain | Family::Counted(_) | Family::Small => 0,
        family => alignment(family).0,
    }
}

/// The parts of a block that are written and read: all of a usual one, and of a large one both ends
/// and the middle. The rest would cost time and find nothing more.
fn parts(size: usize) -> [std::ops::Range<usize>; 3] {
    const END: usize = 1500;
    if size <= 3 * END {
        [0..size, 0..0, 0..0]
    } else {
        let middle = size / 2;
        [0..END, middle..middle + 200, size - END..size]
    }
}

fn fill(block: &Block) {
    for part in parts(block.size) {
        let start = (block.at + part.start) as *mut u8;
        unsafe { from_raw_parts_mut(start, part.len()) }.fill(block.byte);
    }
}

/// Whether the parts of a block, which were chosen when its size was `size`, are all `byte` within
/// `range`.
fn is_filled(block: &Block, size: usize, range: std::ops::Range<usize>, byte: u8) -> bool {
    parts(size).into_iter().all(|part| {
        let start = part.start.max(range.start);
        let end = part.end.min(range.end).max(start);
        let bytes = unsafe { from_raw_parts((block.at + start) as *const u8, end - start) };
        // Compares each byte with the one before as two slices, which is fast without optimisation too.
        bytes.first().map_or(true, |first| {
            *first == byte && bytes[1..] == bytes[..bytes.len() - 1]
        })
    })
}

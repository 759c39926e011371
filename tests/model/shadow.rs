//! What must hold: every block with its place, its bytes and its heap.

use core::ffi::c_void;
use std::alloc::GlobalAlloc;
use std::collections::BTreeMap;
use std::slice::{from_raw_parts, from_raw_parts_mut};
use std::sync::{Arc, Mutex};

use mi_malloc_sys::*;

use super::allocator;
use super::heap;
use super::mode;
use super::program::{Action, Freeing, Step, Way, Wish, HEAPS, SLOTS};

/// Blocks on their way from one thread to another.
pub type Shelf = Arc<Mutex<Vec<Block>>>;

pub struct Block {
    at: usize,
    /// As last asked for.
    size: usize,
    /// What all its bytes are.
    byte: u8,
    /// What `at + offset` was last asked to be a multiple of.
    align: usize,
    offset: usize,
    /// The largest alignment asked for since the block came to this place; 0 if none.
    widest: usize,
    /// `mi_expand` made it smaller, so it may be a small block among large ones.
    shrunk_by_expand: bool,
    /// From here on all that the allocator lets a program use is zero, by the promise of
    /// `mi_rezalloc`: the block was zeroed at birth, and no more was ever written.
    zero_from: Option<usize>,
    heap: Option<usize>,
    /// It is `MiMalloc`'s, with a layout of this alignment.
    rust: Option<usize>,
}

struct Heap {
    at: usize,
    /// That made it.
    thread: usize,
}

pub struct Shadow {
    blocks: Vec<Option<Block>>,
    /// Where each block starts, and where what a program may use of it ends.
    places: BTreeMap<usize, usize>,
    heaps: [Option<Heap>; HEAPS],
    shelf: Shelf,
    /// What is being done, for messages.
    now: String,
    /// The byte of the block before.
    byte: u8,
    /// How many steps called the allocator.
    pub calls: u64,
    /// Sometimes takes one block for another, so that it can be shown that this is noticed.
    faulty: bool,
}

impl Shadow {
    pub fn new(shelf: Shelf, faulty: bool) -> Shadow {
        Shadow {
            blocks: (0..SLOTS).map(|_| None).collect(),
            places: BTreeMap::new(),
            heaps: Default::default(),
            shelf,
            now: String::new(),
            byte: 0,
            calls: 0,
            faulty,
        }
    }

    /// Takes a step, on the step's thread. The end of that thread is for the caller to bring about.
    pub fn step(&mut self, number: usize, step: Step) {
        self.now = format!("step {number}, {step:?}");
        let thread = step.thread;
        if let Some(slot) = slot(step.action) {
            if !self.may_touch(thread, slot) {
                return;
            }
        }
        match step.action {
            Action::Allocate { slot, wish } => {
                self.free(slot, Freeing::Free);
                self.blocks[slot] = Some(self.allocate(thread, wish));
            }
            Action::Reallocate { slot, wish } => {
                self.blocks[slot] = Some(match self.blocks[slot].take() {
                    None => self.allocate(thread, wish),
                    Some(block) => self.reallocate(thread, block, wish),
                });
            }
            Action::Expand { slot, size } => self.expand(slot, size),
            Action::Free { slot, by } => self.free(slot, by),
            Action::Look { slot } => {
                if let Some(block) = &self.blocks[slot] {
                    self.look(block);
                    self.calls += 1;
                }
            }
            Action::Give { slot } => self.give(slot),
            Action::Take { slot } => self.take(slot),
            Action::NewHeap { heap } => self.new_heap(thread, heap),
            Action::DeleteHeap { heap } => self.end_heap(thread, heap, false),
            Action::DestroyHeap { heap } => self.end_heap(thread, heap, true),
            Action::Collect { force } => {
                unsafe { mi_collect(force) };
                self.calls += 1;
            }
            Action::EndThread => {
                for heap in 0..HEAPS {
                    if mode::DEBUG {
                        self.end_heap(thread, heap, false);
                    } else if cfg!(mi_v2) {
                        self.leave_heap(thread, heap);
                    }
                }
            }
        }
    }

    /// Looks at everything and frees it, on each thread in turn.
    pub fn end(&mut self, thread: usize) {
        self.now = "at the end".to_string();
        for block in self.blocks.iter().flatten() {
            self.look(block);
        }
        for slot in 0..SLOTS {
            if self.may_touch(thread, slot) {
                self.free(slot, Freeing::Free);
            }
        }
        for heap in 0..HEAPS {
            self.end_heap(thread, heap, false);
        }
    }

    /// Whether no block is left.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    fn allocate(&mut self, thread: usize, wish: Wish) -> Block {
        let wish = self.possible(thread, wish);
        let mut p = unsafe { allocator::allocate(self.address(wish.heap), wish) };
        self.calls += 1;
        if self.faulty && wish.size % 7 == 3 {
            let fits = |place: &(&usize, &usize)| place.1 - place.0 >= wish.size;
            if let Some((other, _)) = self.places.iter().find(fits) {
                p = *other as *mut c_void;
            }
        }
        self.expect(!p.is_null(), "no memory");
        let (align, offset) = alignment(wish.way);
        let block = Block {
            at: p as usize,
            size: wish.size,
            byte: 0,
            align,
            offset,
            widest: asked(wish.way),
            shrunk_by_expand: false,
            zero_from: if wish.zeroed { Some(0) } else { None },
            heap: wish.heap,
            rust: match wish.way {
                Way::Rust(align) => Some(align),
                _ => None,
            },
        };
        self.expect(
            align > 8 || block.at % natural_alignment(wish.size) == 0,
            "not aligned as every block is",
        );
        self.settle(block)
    }

    fn reallocate(&mut self, thread: usize, mut block: Block, wish: Wish) -> Block {
        self.leave(&block);
        let p = block.at as *mut c_void;
        let (wish, new) = match block.rust {
            // As Rust does it, with the alignment that it had.
            Some(align) => {
                let wish = Wish {
                    way: Way::Rust(align),
                    zeroed: false,
                    heap: None,
                    ..wish
                };
                let old = allocator::layout(block.size, align);
                let new = unsafe { MiMalloc.realloc(p.cast(), old, wish.size) };
                (wish, new as usize)
            }
            None => {
                let wish = self.possible(thread, wish);
                let address = self.address(wish.heap);
                let new = unsafe { allocator::reallocate(address, p, wish) };
                (wish, new as usize)
            }
        };
        self.calls += 1;
        self.expect(new != 0, "no memory");
        let old_size = block.size;
        block.size = wish.size;
        (block.align, block.offset) = match (block.rust, wish.way) {
            (None, Way::Rust(_)) => (1, 0),
            (_, way) => alignment(way),
        };
        if new == block.at {
            block.widest = block.widest.max(asked(wish.way));
            let may_stay = cfg!(mi_v2) || block.heap == wish.heap || looks_at_place(wish.way);
            self.expect(may_stay, "a block of another heap has stayed");
        } else {
            block.at = new;
            block.widest = asked(wish.way);
            block.shrunk_by_expand = false;
            block.heap = wish.heap;
            if !wish.zeroed {
                block.zero_from = None;
            }
        }
        self.expect(
            has(&block, old_size, 0..old_size.min(wish.size), block.byte),
            "has lost its bytes",
        );
        if !wish.zeroed {
            // Only the zeroing functions promise something about new bytes, now or later.
            let zero_from = block.zero_from.take();
            block = self.settle(block);
            block.zero_from = zero_from.map(|from| from.max(wish.size));
            return block;
        }
        block.zero_from = block.zero_from.map(|from| from.max(old_size));
        self.settle(block)
    }

    fn expand(&mut self, slot: usize, size: usize) {
        let block = match &mut self.blocks[slot] {
            // Rust has no such function, and would not know the size.
            Some(block) if block.rust.is_none() => block,
            _ => return,
        };
        let p = block.at as *mut c_void;
        let usable = unsafe { mi_usable_size(p) };
        let expanded = unsafe { mi_expand(p, size) };
        self.calls += 1;
        if mode::PADDING || size > usable {
            assert!(expanded.is_null(), "{} is expanded", self.now);
            return;
        }
        assert_eq!(expanded, p, "{} is not expanded", self.now);
        block.shrunk_by_expand |= size < block.size;
        let old_size = std::mem::replace(&mut block.size, size);
        let kept = has(block, old_size, 0..old_size.min(size), block.byte);
        assert!(kept, "{}: has lost its bytes", self.now);
        self.byte = self.byte.wrapping_add(1);
        block.byte = self.byte;
        block.zero_from = block.zero_from.map(|from| from.max(size));
        fill(block);
    }

    fn free(&mut self, slot: usize, by: Freeing) {
        let block = match self.blocks[slot].take() {
            Some(block) => block,
            None => return,
        };
        self.leave(&block);
        self.calls += 1;
        let p = block.at as *mut c_void;
        if let (Some(align), Freeing::Free) = (block.rust, by) {
            return unsafe { MiMalloc.dealloc(p.cast(), allocator::layout(block.size, align)) };
        }
        // The functions that are told a size may not get every block: see `mi_free_small`.
        let small = block.size <= MI_SMALL_SIZE_MAX;
        let misplaced = small && (block.widest > block.size || block.shrunk_by_expand);
        let by = if misplaced { Freeing::Free } else { by };
        let align = if block.offset == 0 { block.align } else { 1 };
        unsafe { allocator::free(p, block.size, align, by) };
    }

    fn give(&mut self, slot: usize) {
        let mut shelf = self.shelf.lock().unwrap();
        // Another program knows nothing of this one's heaps.
        if matches!(&self.blocks[slot], Some(block) if block.heap.is_none()) && shelf.len() < 100 {
            let block = self.blocks[slot].take().unwrap();
            self.places.remove(&block.at);
            shelf.push(block);
        }
    }

    fn take(&mut self, slot: usize) {
        if self.blocks[slot].is_some() {
            return;
        }
        let block = {
            let mut shelf = self.shelf.lock().unwrap();
            match shelf.len() {
                0 => return,
                len => shelf.swap_remove(slot % len),
            }
        };
        self.check(&block);
        self.place(&block);
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

    fn end_heap(&mut self, thread: usize, number: usize, destroy: bool) {
        let heap = match self.address(self.own(thread, Some(number))) {
            Some(heap) => heap,
            None => return,
        };
        self.calls += 1;
        if !mode::FULL_PAGES_MAY_BE_LEFT {
            for slot in 0..SLOTS {
                if matches!(&self.blocks[slot], Some(block) if block.heap == Some(number)) {
                    self.free(slot, Freeing::Free);
                }
            }
        }
        // With guard pages v2 keeps the blocks.
        if destroy && !(cfg!(mi_v2) && mode::GUARDED) {
            unsafe { mi_heap_destroy(heap) };
            for block in &mut self.blocks {
                if matches!(block, Some(block) if block.heap == Some(number)) {
                    self.places.remove(&block.take().unwrap().at);
                }
            }
        } else {
            unsafe { mi_heap_delete(heap) };
        }
        self.leave_heap(thread, number);
    }

    /// The heap is no more, and its blocks are of no heap that the model knows.
    fn leave_heap(&mut self, thread: usize, number: usize) {
        if self.own(thread, Some(number)).is_none() {
            return;
        }
        self.heaps[number] = None;
        for block in self.blocks.iter_mut().flatten() {
            if block.heap == Some(number) {
                block.heap = None;
            }
        }
    }

    /// The part of a wish that can be had.
    fn possible(&self, thread: usize, wish: Wish) -> Wish {
        Wish {
            size: match wish.way {
                Way::Counted(count) => wish.size / count * count,
                _ => wish.size,
            },
            heap: match wish.way {
                Way::Rust(_) => None,
                _ => self.own(thread, wish.heap),
            },
            ..wish
        }
    }

    /// The heap of this number, if there is one and `thread` may use it. (On v3 every thread may. But
    /// upstream's full checks stop a program that ends a heap which several threads have used:
    /// `_mi_page_is_valid` looks at the heap while it is half gone.)
    fn own(&self, thread: usize, number: Option<usize>) -> Option<usize> {
        let shared = cfg!(mi_v3) && !mode::DEBUG;
        number.filter(|number| match &self.heaps[*number] {
            Some(heap) => shared || heap.thread == thread,
            None => false,
        })
    }

    /// Any thread may free any block. But a debug build of v3 stops a program that ends a heap when
    /// other threads have freed blocks of it (`_mi_page_update_sample_countdown`: the visit of an
    /// abandoned page collects them without owning the page).
    fn may_touch(&self, thread: usize, slot: usize) -> bool {
        if !(cfg!(mi_v3) && mode::DEBUG) {
            return true;
        }
        let heap = self.blocks[slot].as_ref().and_then(|block| block.heap);
        heap.is_none() || self.own(thread, heap).is_some()
    }

    fn address(&self, heap: Option<usize>) -> Option<*mut mi_heap_t> {
        heap.map(|number| self.heaps[number].as_ref().unwrap().at as *mut mi_heap_t)
    }

    /// A block that has just been given: looks at it and fills it.
    fn settle(&mut self, mut block: Block) -> Block {
        let size = block.size;
        self.place(&block);
        self.belongs(&block);
        self.expect(
            (block.at + block.offset) % block.align == 0,
            "not aligned as asked",
        );
        if let Some(from) = block.zero_from {
            self.expect(has(&block, size, from..size, 0), "not zero");
            block.zero_from = Some(from.max(size));
        }
        self.byte = self.byte.wrapping_add(1);
        block.byte = self.byte;
        fill(&block);
        block
    }

    /// Before a block changes.
    fn leave(&mut self, block: &Block) {
        self.check(block);
        self.places.remove(&block.at);
    }

    fn look(&self, block: &Block) {
        self.check(block);
        self.belongs(block);
    }

    /// The bytes are as they were written.
    fn check(&self, block: &Block) {
        self.expect(
            has(block, block.size, 0..block.size, block.byte),
            "its bytes have changed",
        );
    }

    /// Notes the place of a block, which must not be another's.
    fn place(&mut self, block: &Block) {
        let usable = unsafe { mi_usable_size(block.at as *const c_void) };
        self.expect(usable >= block.size, "too short");
        let end = block.at + usable.max(1);
        let before = self.places.range(..block.at).next_back();
        let after = self.places.range(block.at..).next();
        let free = before.map_or(true, |(_, before)| *before <= block.at)
            && after.map_or(true, |(after, _)| end <= *after);
        self.expect(free, "overlaps another block");
        self.places.insert(block.at, end);
    }

    /// It is of its heap, and of no other.
    fn belongs(&self, block: &Block) {
        let p = block.at as *const c_void;
        for (number, heap) in self.heaps.iter().enumerate() {
            if let Some(heap) = heap {
                let is_of = unsafe { allocator::is_of(heap.at as *mut mi_heap_t, p) };
                self.expect(is_of == (block.heap == Some(number)), "of the wrong heap");
            }
        }
    }

    fn expect(&self, holds: bool, fault: &str) {
        assert!(holds, "{}: {fault}", self.now);
    }
}

/// Frees what nobody has taken.
pub fn clear(shelf: &Shelf) {
    for block in shelf.lock().unwrap().drain(..) {
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
        | Action::Look { slot }
        | Action::Give { slot }
        | Action::Take { slot } => Some(slot),
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

/// What the address plus which offset is a multiple of.
fn alignment(way: Way) -> (usize, usize) {
    match way {
        Way::Aligned(align) | Way::Rust(align) => (align, 0),
        Way::AlignedAt(align, offset) => (align, offset),
        Way::Plain | Way::Counted(_) | Way::Small => (1, 0),
    }
}

/// Whether reallocation so leaves a block that lies well where it is, whichever heap it is of.
fn looks_at_place(way: Way) -> bool {
    match way {
        Way::Aligned(align) => align > std::mem::size_of::<usize>(),
        Way::AlignedAt(..) => true,
        Way::Plain | Way::Counted(_) | Way::Small | Way::Rust(_) => false,
    }
}

/// The alignment asked for, 0 if none was.
fn asked(way: Way) -> usize {
    match way {
        Way::Plain | Way::Counted(_) | Way::Small => 0,
        way => alignment(way).0,
    }
}

/// The parts of a block that are written and read: all of a usual one, and of a large one both ends
/// and the middle. The rest of it costs time and finds nothing more.
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
fn has(block: &Block, size: usize, range: std::ops::Range<usize>, byte: u8) -> bool {
    parts(size).into_iter().all(|part| {
        let start = part.start.max(range.start);
        let end = part.end.min(range.end).max(start);
        let bytes = unsafe { from_raw_parts((block.at + start) as *const u8, end - start) };
        // Each byte is the same as the one before: two slices are compared fast, also without
        // optimisation.
        bytes.first().map_or(true, |first| {
            *first == byte && bytes[1..] == bytes[..bytes.len() - 1]
        })
    })
}

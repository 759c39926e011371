//! Draws how full a heap is: it walks over all blocks and shows, per block size, which part of the memory is in
//! use. Holes between blocks (fragmentation) are memory that a program holds without using it.
//!
//!     cargo run --release --example occupancy [FILE.svg]
//!
//! The terminal gets a bar per block size; a file, if one is named, a picture with a square per block.

use mi_malloc_sys::*;
use std::collections::BTreeMap;
use std::ffi::c_void;
use std::ops::Range;

fn main() {
    // A program that has run for a while: the older a block, the likelier it is freed.
    const BLOCKS: u64 = 20_000;
    let heap = Heap::new();
    let mut random = Random(2026);
    let blocks: Vec<_> = (0..BLOCKS)
        .map(|_| heap.malloc(8 << random.below(8)))
        .collect();
    let mut live = Vec::new();
    for (birth, block) in (0..BLOCKS).zip(blocks) {
        if random.below(BLOCKS) < birth {
            live.push(block);
        } else {
            heap.free(block);
        }
    }

    let areas = heap.areas();
    print!("{}", chart(&areas));
    if let Some(path) = std::env::args_os().nth(1) {
        std::fs::write(&path, svg(&areas)).unwrap_or_else(|error| {
            eprintln!("{} cannot be written: {}", path.to_string_lossy(), error);
            std::process::exit(1);
        });
        println!("drawn in {}", path.to_string_lossy());
    }

    // The walk has met each live block once, and no other. A pointer may lie behind the beginning of its
    // block, if that has a guard page at its end.
    let mut met: Vec<Range<usize>> = areas.iter().flat_map(Area::blocks).collect();
    met.sort_unstable_by_key(|block| block.start);
    live.sort_unstable();
    assert_eq!(met.len(), live.len());
    for (block, pointer) in met.iter().zip(live) {
        assert!(
            block.contains(&(pointer as usize)),
            "{:p} is not in {:x?}",
            pointer,
            block
        );
    }
}

/// A line per block size, all areas of it together: `#` for nearly full, `.` for nearly empty,
/// `-` and `+` between.
fn chart(areas: &[Area]) -> String {
    let mut by_size: BTreeMap<usize, Vec<&Area>> = BTreeMap::new();
    for area in areas {
        by_size.entry(area.block_size).or_default().push(area);
    }
    let mut text = format!("{:>10}{:>8}{:>8}{:>7}\n", "block", "used", "of", "full");
    for (size, areas) in by_size {
        let slots: Vec<bool> = areas.iter().flat_map(|area| area.slots()).collect();
        let used = slots.iter().filter(|used| **used).count();
        let percent = 100 * used / slots.len().max(1);
        text += &format!(
            "{:>8} B{:>8}{:>8}{:>5} %  {}\n",
            size,
            used,
            slots.len(),
            percent,
            bar(&slots)
        );
    }
    text
}

fn bar(slots: &[bool]) -> String {
    const WIDTH: usize = 40;
    let width = WIDTH.min(slots.len());
    (0..width)
        .map(|column| {
            let part = &slots[column * slots.len() / width..(column + 1) * slots.len() / width];
            let used = part.iter().filter(|used| **used).count();
            match 100 * used / part.len() {
                90..=100 => '#',
                50..=89 => '+',
                10..=49 => '-',
                _ => '.',
            }
        })
        .collect()
}

/// A square per block: dark if it is in use, light if not. A row of squares per area, as long as it takes.
fn svg(areas: &[Area]) -> String {
    const SIDE: usize = 6;
    const PER_ROW: usize = 128;
    let mut squares = String::new();
    let mut row = 0;
    for area in areas {
        let slots = area.slots();
        for (at, used) in slots.iter().enumerate() {
            squares += &format!(
                "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{}\"/>\n",
                60 + SIDE * (at % PER_ROW),
                SIDE * (row + at / PER_ROW),
                SIDE - 1,
                SIDE - 1,
                if *used { "#264653" } else { "#d8e2dc" }
            );
        }
        squares += &format!(
            "<text x=\"0\" y=\"{}\" font-size=\"10\" font-family=\"sans-serif\">{} B</text>\n",
            SIDE * row + 8,
            area.block_size
        );
        row += slots.len() / PER_ROW + 2;
    }
    let (width, height) = (60 + SIDE * PER_ROW, SIDE * row);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\">\n{}</svg>\n",
        width, height, squares
    )
}

/// A piece of the heap, divided into blocks of one size.
struct Area {
    start: usize,
    block_size: usize,
    /// From one block to the next.
    stride: usize,
    capacity: usize,
    /// Which blocks are in use, by their number in the area.
    used: Vec<usize>,
}

impl Area {
    fn blocks(&self) -> Vec<Range<usize>> {
        let start = |number: usize| self.start + number * self.stride;
        self.used
            .iter()
            .map(|number| start(*number)..start(number + 1))
            .collect()
    }

    fn slots(&self) -> Vec<bool> {
        let mut slots = vec![false; self.capacity];
        for number in &self.used {
            slots[*number] = true;
        }
        slots
    }
}

struct Heap(*mut mi_heap_t);

impl Heap {
    fn new() -> Heap {
        // SAFETY: always safe to call.
        Heap(unsafe { mi_heap_new() })
    }

    fn malloc(&self, size: usize) -> *mut c_void {
        // SAFETY: the heap is live, and this thread's.
        let block = unsafe { mi_heap_malloc(self.0, size) };
        assert!(!block.is_null());
        block
    }

    fn free(&self, block: *mut c_void) {
        // SAFETY: a live block of this heap, which is forgotten here.
        unsafe { mi_free(block) }
    }

    /// Walks over the heap. Meanwhile nobody may allocate from it, which is why a program does best to look at
    /// heaps of its own, or (as here, without mimalloc as the global allocator) at a heap that its other
    /// data do not live in.
    fn areas(&self) -> Vec<Area> {
        let mut areas: Vec<Area> = Vec::new();
        let place: *mut Vec<Area> = &mut areas;
        // SAFETY: the heap is live and this thread's, and `visit` gets the vector that it expects.
        assert!(unsafe { mi_heap_visit_blocks(self.0, true, Some(visit), place.cast()) });
        areas.sort_by_key(|area| (area.block_size, area.start));
        areas
    }
}

impl Drop for Heap {
    fn drop(&mut self) {
        // SAFETY: the program ends, and uses no block any more.
        unsafe { mi_heap_destroy(self.0) }
    }
}

/// Called for each area, with no block, and then for each live block in it.
unsafe extern "C" fn visit(
    _heap: *const mi_heap_t,
    area: *const mi_heap_area_t,
    block: *mut c_void,
    _size: usize,
    areas: *mut c_void,
) -> bool {
    let (area, areas) = (&*area, &mut *areas.cast::<Vec<Area>>());
    if block.is_null() {
        areas.push(Area {
            start: area.blocks as usize,
            block_size: area.block_size,
            stride: area.full_block_size,
            capacity: area.committed / area.full_block_size,
            used: Vec::new(),
        });
    } else if let Some(last) = areas.last_mut() {
        last.used.push((block as usize - last.start) / last.stride);
    }
    true
}

/// Marsaglia's xorshift.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) % bound
    }
}

//! Draws how full a heap is: it visits all blocks and shows, per block size, which part of the memory is in
//! use. Holes between blocks (fragmentation) are memory that a program holds without using it.
//!
//!     cargo run --release --example occupancy [FILE.svg]
//!
//! It prints a bar per block size. If a file is named, it also draws a picture with a square per block.

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

    // The walk has visited each live block once, and no other. A pointer may be behind the start of its
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

/// A row per block size, all pages of it together, and what the signs of its bar mean.
fn chart(areas: &[Area]) -> String {
    let mut text = format!("{:>10}{:>8}{:>8}{:>7}\n", "block", "used", "of", "full");
    for (size, areas) in by_size(areas) {
        let (used, all) = totals(&areas);
        let slots: Vec<bool> = areas.iter().flat_map(|area| area.slots()).collect();
        text += &format!(
            "{:>8} B{:>8}{:>8}{:>5} %  {}\n",
            size,
            used,
            all,
            100 * used / all.max(1),
            bar(&slots)
        );
    }
    text + "by address, each sign for a part of the blocks: # 90 % and more in use, + 50 %, - 10 %, . less\n"
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

/// A picture with a legend, and a section for each block size: a square per block, and the squares of a page
/// together.
fn svg(areas: &[Area]) -> String {
    const SIDE: usize = 6; // of a square, with the gap to the next
    const LEFT: usize = 150; // where the squares begin; their labels are to the left
    const WIDTH: usize = 131; // two pages of 64 or one row of 128, and some gaps
    const PER_ROW: usize = 128;
    const USED: &str = "#264653";
    const FREE: &str = "#cfdcd4";
    let square = |x: usize, y: usize, fill: &str| {
        let side = SIDE - 1;
        format!("<rect x=\"{x}\" y=\"{y}\" width=\"{side}\" height=\"{side}\" fill=\"{fill}\"/>\n")
    };
    let text = |x: usize, y: usize, size: usize, text: &str| {
        format!("<text x=\"{x}\" y=\"{y}\" font-size=\"{size}\">{text}</text>\n")
    };

    let title = "Blocks of a heap by size, and which of them are in use";
    let mut body = text(10, 24, 16, title);
    body += &square(10, 39, USED);
    body += &text(20, 45, 11, "block in use");
    body += &square(110, 39, FREE);
    body += &text(120, 45, 11, "free block");
    body += &text(
        210,
        45,
        11,
        "by address, row by row; a gap separates the pages",
    );

    let mut y = 64;
    for (size, areas) in by_size(areas) {
        let (used, slots) = totals(&areas);
        body += &text(10, y + 9, 12, &format!("{size} B"));
        body += &text(10, y + 22, 10, &format!("{used} of {slots} in use"));
        let bottom_of_labels = y + 26;

        let (mut column, mut height) = (0, 0); // the position of the next page, and the highest page of the row
        for area in areas {
            let slots = area.slots();
            if column > 0 && column + slots.len().min(PER_ROW) > WIDTH {
                y += SIDE * height + 3;
                (column, height) = (0, 0);
            }
            for (at, used) in slots.iter().enumerate() {
                let x = LEFT + SIDE * (column + at % PER_ROW);
                let fill = if *used { USED } else { FREE };
                body += &square(x, y + SIDE * (at / PER_ROW), fill);
            }
            column += slots.len().min(PER_ROW) + 1;
            height = height.max((slots.len() + PER_ROW - 1) / PER_ROW);
        }
        y = (y + SIDE * height).max(bottom_of_labels) + 12;
    }

    let width = LEFT + SIDE * WIDTH + 10;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {y}\" font-family=\"sans-serif\">\n\
         <title>{title}</title>\n\
         <rect width=\"{width}\" height=\"{y}\" fill=\"white\"/>\n{body}</svg>\n"
    )
}

/// The areas of each block size, by address.
fn by_size(areas: &[Area]) -> BTreeMap<usize, Vec<&Area>> {
    let mut by_size: BTreeMap<usize, Vec<&Area>> = BTreeMap::new();
    for area in areas {
        by_size.entry(area.block_size).or_default().push(area);
    }
    by_size
}

/// Blocks in use, and all blocks.
fn totals(areas: &[&Area]) -> (usize, usize) {
    let used = areas.iter().map(|area| area.used.len()).sum();
    let slots = areas.iter().map(|area| area.capacity).sum();
    (used, slots)
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

    /// Walks over the heap. Meanwhile nothing may allocate from it, so a program should visit separate
    /// heaps only, or (as here, without mimalloc as the global allocator) a heap that does not hold its other
    /// data.
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

//! `MiMalloc` at its corners. It frees some blocks through an entry point that may only see blocks
//! of small pages, so the question is which blocks come there.
//!
//! Three judges: `MiMalloc` frees the blocks itself, which with a wrong block ends in a crash or in
//! another block's bytes; `mi_ufree` reports how large the block really was; and in debug builds
//! `mi_free_size` checks its arguments. (The sized free itself has an assertion for it, which
//! upstream leaves out of builds with guard pages, and so of its debug builds: the modes of
//! `checks/soak` have one without.)

use crate::memory::*;
use crate::mode;
use crate::respawn;
#[cfg(mi_v3)]
use crate::sampling;
use cty::c_int;
use mi_malloc_sys::*;
use std::alloc::{GlobalAlloc, Layout};
use std::ffi::c_void;
use std::mem::size_of;
use std::ptr::null_mut;
use std::sync::mpsc::channel;

/// No block in a small page is larger (`MI_SMALL_MAX_OBJ_SIZE`, from upstream's page of 64 KiB, or
/// 32 KiB on 32-bit).
const SMALL_BLOCK_MAX: usize = (size_of::<usize>() * 8192 - 4096) / 6;

/// Around each limit that `MiMalloc` or mimalloc knows.
fn sizes() -> Vec<usize> {
    let max = MI_SMALL_SIZE_MAX;
    let mut sizes: Vec<usize> = (0..=66).collect();
    sizes.extend([100, 127, 128, 129, 255, 256, 257, 511, 512, 513]);
    sizes.extend([max - 17, max - 16, max - 15, max - 8, max - 1, max, max + 1]);
    sizes.extend([2 * max - 1, 2 * max, 2 * max + 1, 4096, 5000]);
    sizes.extend([10_239, 10_240, 10_241, 65_536, 70_000, 600_000]);
    sizes
}

/// Of all alignments from 1 to 2 MiB.
fn layouts() -> Vec<Layout> {
    let mut layouts = Vec::new();
    for bits in 0..=21 {
        let align = 1 << bits;
        // Above 64 KiB (32 KiB on 32-bit) each block takes addresses of its own from the system, 32 MiB
        // of them on 32-bit; and upstream's full checks take their time. Then each alignment has other
        // sizes.
        let step = match align > 8192 * size_of::<usize>() {
            true if cfg!(target_pointer_width = "64") => 8,
            true => 48,
            false if mode::DEBUG => 5,
            false => 1,
        };
        for (index, size) in sizes().into_iter().enumerate() {
            if index % step == bits % step || size == align || size == MI_SMALL_SIZE_MAX {
                layouts.push(Layout::from_size_align(size, align).unwrap());
            }
        }
    }
    layouts
}

struct Block {
    at: usize,
    layout: Layout,
    byte: u8,
}

impl Block {
    fn new(layout: Layout, byte: u8) -> Block {
        let block = Block {
            at: unsafe { MiMalloc.alloc(layout) } as usize,
            layout,
            byte,
        };
        block.is_good();
        unsafe { fill(block.p(), layout.size(), byte) };
        block
    }

    fn zeroed(layout: Layout) -> Block {
        let block = Block {
            at: unsafe { MiMalloc.alloc_zeroed(layout) } as usize,
            layout,
            byte: 0,
        };
        block.is_good();
        block.is_intact(layout.size());
        block
    }

    fn p(&self) -> *mut c_void {
        self.at as *mut c_void
    }

    fn is_good(&self) {
        assert_ne!(self.at, 0, "{:?}", self.layout);
        assert!(
            is_aligned(self.p(), self.layout.align()),
            "{:?}",
            self.layout
        );
        let usable = unsafe { mi_usable_size(self.p()) };
        assert!(usable >= self.layout.size(), "{:?} {usable}", self.layout);
    }

    fn is_intact(&self, size: usize) {
        let holds = unsafe { holds(self.p(), size, self.byte) };
        assert!(holds, "{:?}: the bytes have changed", self.layout);
    }

    /// Whether it stayed where it was.
    fn resize(&mut self, size: usize) -> bool {
        let old = self.layout;
        self.is_intact(old.size());
        let p = unsafe { MiMalloc.realloc(self.p().cast(), old, size) } as usize;
        let stayed = p == self.at;
        self.at = p;
        self.layout = Layout::from_size_align(size, old.align()).unwrap();
        self.is_good();
        self.is_intact(old.size().min(size));
        unsafe { fill(self.p(), size, self.byte) };
        stayed
    }

    fn free(self, by: Judge) {
        self.is_intact(self.layout.size());
        let Block { at, layout, .. } = self;
        let p = at as *mut c_void;
        unsafe {
            match by {
                Judge::MiMalloc => MiMalloc.dealloc(p.cast(), layout),
                Judge::Measure => {
                    let mut size = 0;
                    mi_ufree(p, &mut size);
                    // Not so with a guard page, but then the entry point takes any block.
                    let fits = size <= SMALL_BLOCK_MAX || mode::GUARDED;
                    assert!(fits || !sized(layout), "{layout:?} is in {size} bytes");
                }
                Judge::Upstream if sized(layout) => mi_free_size(p, layout.size()),
                Judge::Upstream => mi_free(p),
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Judge {
    MiMalloc,
    Measure,
    Upstream,
}

const JUDGES: [Judge; 3] = [Judge::MiMalloc, Judge::Measure, Judge::Upstream];

/// Layouts whose blocks should lie in small pages: where the header says so of sized frees, and where
/// the alignment asks for nothing that a block has not anyway.
fn sized(layout: Layout) -> bool {
    let (size, align) = (layout.size(), layout.align());
    size <= MI_SMALL_SIZE_MAX && (align <= size || align <= natural_alignment(size.max(16)))
}

/// Upstream reports here what it does not stop for.
unsafe extern "C" fn fault(error: c_int, _: *mut c_void) {
    eprintln!("mimalloc reports the error {error}");
    std::process::abort();
}

/// Everything, under the circumstances of this process.
fn battery() {
    join();
    unsafe { mi_register_error(Some(fault), null_mut()) };
    each_byte_moves();
    for judge in JUDGES {
        each_layout(judge);
        many_of_a_layout(judge);
        shrinking(judge);
        growing(judge);
        step_by_step(judge);
        // v2.5.2 then looks for the padding that a block with a guard page has not, and reports an
        // overflow (`_mi_free_delayed_block`).
        let guards = std::env::var_os("MIMALLOC_GUARDED_SAMPLE_RATE").is_some();
        if !(cfg!(mi_v2) && mode::PADDING && mode::GUARDED && guards) {
            of_another_thread(judge);
        }
        of_a_finished_thread(judge);
    }
}

/// At the start of each thread: if there is a profiler, it is to see the thread at once.
fn join() {
    #[cfg(mi_v3)]
    sampling::join();
}

/// Many at the same time, freed in another order.
fn each_layout(judge: Judge) {
    let blocks: Vec<Block> = layouts()
        .into_iter()
        .enumerate()
        .map(|(index, layout)| Block::new(layout, index as u8))
        .collect();
    let (even, odd): (Vec<_>, Vec<_>) = blocks
        .into_iter()
        .enumerate()
        .partition(|(index, _)| index % 2 == 0);
    even.into_iter().for_each(|(_, block)| block.free(judge));
    // In what the others leave behind.
    let zeroed: Vec<Block> = layouts().into_iter().map(Block::zeroed).collect();
    odd.into_iter()
        .rev()
        .for_each(|(_, block)| block.free(judge));
    zeroed.into_iter().for_each(|block| block.free(judge));
}

/// So many of one size that they come from pages which have more: beyond the small sizes, where
/// upstream's pages become medium, large and huge; and small ones with an alignment.
fn many_of_a_layout(judge: Judge) {
    let sizes = [
        1025, 2000, 4096, 10_200, 10_241, 20_000, 65_536, 65_537, 100_000,
    ];
    let large = [200_000, 524_288, 524_289];
    let plain = sizes.iter().chain(&large).map(|&size| (size, 8));
    let small = [32, 64, 256, 1024].into_iter().flat_map(|align| {
        [1, align / 2, align - 1, align, align + 1, 3 * align].map(|size| (size, align))
    });
    for (size, align) in plain.chain(small) {
        let layout = Layout::from_size_align(size, align).unwrap();
        let count = (4_000_000 / size).clamp(8, 150);
        let mut blocks: Vec<Block> = (0..count).map(|i| Block::new(layout, i as u8)).collect();
        for round in 0..4 {
            // Every other, in a changing order, and new ones, also zeroed, in what they leave.
            let mut kept = Vec::new();
            for (index, block) in blocks.into_iter().enumerate() {
                match (index + round) % 2 {
                    0 => block.free(judge),
                    _ => kept.push(block),
                }
            }
            kept.reverse();
            while kept.len() < count {
                kept.push(Block::new(layout, kept.len() as u8 ^ 0x80));
                kept.push(Block::zeroed(layout));
            }
            blocks = kept;
        }
        blocks.into_iter().for_each(|block| block.free(judge));
    }
}

/// A block that shrinks in place stays among blocks of its old size.
fn shrinking(judge: Judge) {
    let mut stayed = 0;
    for layout in layouts() {
        let usable = |block: &Block| unsafe { mi_usable_size(block.p()) };
        let max = MI_SMALL_SIZE_MAX;
        // Once, to what is left by the rule that half of it stays in use, and to the limits.
        for target in 0..6 {
            let mut block = Block::new(layout, 0x5A);
            let half = (usable(&block) / 2).max(1);
            let target = [half - 1, half, half + 1, max - 1, max, max + 1][target];
            if target < layout.size() {
                stayed += usize::from(block.resize(target));
            }
            block.free(judge);
        }
        // And again and again.
        let mut block = Block::new(layout, 0xA5);
        while block.layout.size() > 1 {
            let size = block.layout.size();
            stayed += usize::from(block.resize(size / 2 + size / 8));
        }
        block.free(judge);
    }
    assert!(stayed > 100, "{stayed}");
}

fn growing(judge: Judge) {
    let mut stayed = 0;
    for layout in layouts() {
        let mut block = Block::new(layout, 0x33);
        let usable = unsafe { mi_usable_size(block.p()) };
        for size in [usable, usable + 1, 2 * usable, MI_SMALL_SIZE_MAX, 3000] {
            if size >= block.layout.size() {
                stayed += usize::from(block.resize(size));
            }
        }
        block.free(judge);
    }
    assert!(stayed > 100, "{stayed}");
}

/// As vectors and strings do, and by as much as a block may be larger than it was asked for.
fn step_by_step(judge: Judge) {
    type Step = fn(usize) -> usize;
    let steps: [Step; 4] = [
        |size| 2 * size,
        |size| size + size / 4 + 16,
        |size| size + size / 4 + 17,
        |size| size + 24,
    ];
    for align in [1, 8, 16, 64, 256, 4096] {
        for step in steps {
            let mut block = Block::new(Layout::from_size_align(3, align).unwrap(), 0x77);
            let (mut times, mut stayed) = (0, 0);
            while block.layout.size() < 5000 {
                stayed += usize::from(block.resize(step(block.layout.size())));
                times += 1;
            }
            assert!(stayed < times, "{align}: it never moved");
            block.free(judge);
        }
    }
}

/// Each byte arrives where it belongs, and none beyond: other blocks lie on both sides.
fn each_byte_moves() {
    let pattern = |at: usize| (at % 251) as u8 + 1;
    for align in [1, 16] {
        for used in (1..=300).chain([1000, 1024, 1025, 5000, 20_000]) {
            for size in [used + 1, used + 17, 2 * used, 2 * used + 1500, used + 9000] {
                let layout = |size| Layout::from_size_align(size, align).unwrap();
                let near: Vec<Block> = [used, size, used, size]
                    .map(|size| Block::new(layout(size), 0xFF))
                    .into();
                unsafe {
                    let p = MiMalloc.alloc(layout(used));
                    let more = [used, size].map(|size| Block::new(layout(size), 0xFF));
                    (0..used).for_each(|at| p.add(at).write(pattern(at)));
                    let p = MiMalloc.realloc(p, layout(used), size);
                    assert_eq!(p as usize % align, 0);
                    for at in 0..used {
                        assert_eq!(p.add(at).read(), pattern(at), "{used} -> {size}: {at}");
                    }
                    more.iter()
                        .for_each(|block| block.is_intact(block.layout.size()));
                    MiMalloc.dealloc(p, layout(size));
                    more.into_iter()
                        .for_each(|block| block.free(Judge::MiMalloc));
                }
                near.into_iter()
                    .for_each(|block| block.free(Judge::MiMalloc));
            }
        }
    }
}

/// The owner of the blocks lives, and goes on afterwards.
fn of_another_thread(judge: Judge) {
    let (give, blocks) = channel();
    let (tell, told) = channel();
    let owner = std::thread::spawn(move || {
        join();
        let all = || -> Vec<Block> { layouts().into_iter().map(|l| Block::new(l, 7)).collect() };
        give.send(all()).unwrap();
        let () = told.recv().unwrap();
        all().into_iter().for_each(|block| block.free(judge));
    });
    for (index, mut block) in blocks.recv().unwrap().into_iter().enumerate() {
        if index % 3 == 0 {
            block.resize((block.layout.size() / 2).max(1));
        }
        block.free(judge);
    }
    tell.send(()).unwrap();
    owner.join().unwrap();
}

fn of_a_finished_thread(judge: Judge) {
    let blocks = std::thread::spawn(|| -> Vec<Block> {
        join();
        layouts().into_iter().map(|l| Block::new(l, 9)).collect()
    });
    for (index, mut block) in blocks.join().unwrap().into_iter().enumerate() {
        if index % 3 == 0 {
            block.resize((block.layout.size() / 2).max(1));
        }
        block.free(judge);
    }
}

/// In the parent, runs the test `name` in a process with these variables; there, the battery.
fn under(name: &str, variables: &[(&str, &str)]) {
    if respawn::is_child() {
        #[cfg(mi_v3)]
        if respawn::argument() == "profiled" {
            sampling::start();
        }
        battery();
        #[cfg(mi_v3)]
        if respawn::argument() == "profiled" {
            assert!(sampling::taken() > 1000, "{}", sampling::taken());
        }
    } else {
        respawn::assert_child_passes(&format!("global_alloc::{name}"), name, variables);
    }
}

#[test]
fn plain() {
    under("plain", &[]);
}

/// A request that cannot be served leaves the block as it was, whether it is small or not.
#[test]
fn refused() {
    if !respawn::is_child() {
        respawn::assert_child_passes(
            "global_alloc::refused",
            "refused",
            &[("MIMALLOC_SHOW_ERRORS", "0")],
        );
        return;
    }
    let (_, held) = unsafe { too_much() };
    for align in [1, 16, 64, 4096] {
        for size in [1, 40, MI_SMALL_SIZE_MAX, 5000, 2_000_000] {
            let layout = Layout::from_size_align(size, align).unwrap();
            let block = Block::new(layout, 0x66);
            let most = isize::MAX as usize + 1 - align;
            for too_much in [most, most - 5000] {
                let p = unsafe { MiMalloc.realloc(block.p().cast(), layout, too_much) };
                assert!(p.is_null(), "{layout:?}");
                block.is_intact(size);
            }
            block.free(Judge::MiMalloc);
        }
    }
    held.into_iter().for_each(|p| unsafe { mi_free(p) });
}

/// In pages that lie in no arena. (On 32-bit v3 takes 32 MiB of addresses for each of them.)
#[cfg(any(mi_v2, target_pointer_width = "64"))]
#[test]
fn from_the_system() {
    under("from_the_system", &[("MIMALLOC_DISALLOW_ARENA_ALLOC", "1")]);
}

/// A guard page behind each block that can have one, in builds with guard pages.
#[test]
fn guarded() {
    under("guarded", &[("MIMALLOC_GUARDED_SAMPLE_RATE", "1")]);
}

/// Some blocks with a guard page among others without.
#[test]
fn sometimes_guarded() {
    let rate = if cfg!(mi_v3) { "3000" } else { "5" };
    let variables = [("MIMALLOC_GUARDED_SAMPLE_RATE", rate)];
    under("sometimes_guarded", &variables);
}

/// A block that a profiler samples is behind the profiler's data.
#[cfg(mi_v3)]
#[test]
fn profiled() {
    under("profiled", &[]);
}

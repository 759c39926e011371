use crate::random::Random;
use crate::Repetition;
use std::alloc::{alloc, dealloc, handle_alloc_error, Layout};

pub fn zeroed(_threads: usize) -> Repetition {
    Box::new(|| {
        let mut random = Random::new(6);
        let mut ring: Vec<Vec<u8>> = vec![Vec::new(); 32];
        let mut sum = 0u64;
        let mut take = |i: usize, size: usize| {
            let mut buffer = vec![0u8; size];
            // Dirty it, so that the next owner of the block needs it zeroed.
            for position in (0..size).step_by(1024) {
                sum += u64::from(buffer[position]);
                buffer[position] = 1;
            }
            let slot = i % ring.len();
            ring[slot] = buffer;
        };
        for i in 0..800_000 {
            take(i, random.size(64, 4 << 10));
        }
        for i in 0..10_000 {
            take(i, random.size(4 << 10, 256 << 10));
        }
        sum + ring.iter().map(|buffer| buffer.len() as u64).sum::<u64>()
    })
}

/// A block with a larger alignment, such as that of a SIMD buffer or a page table.
struct Aligned {
    start: *mut u8,
    layout: Layout,
}

impl Aligned {
    fn new(layout: Layout) -> Self {
        assert!(layout.size() > 0);
        // SAFETY: the size is not zero.
        let start = unsafe { alloc(layout) };
        if start.is_null() {
            handle_alloc_error(layout);
        }
        assert_eq!(start as usize % layout.align(), 0);
        // SAFETY: the block has at least one byte.
        unsafe { start.write(1) };
        Aligned { start, layout }
    }
}

impl Drop for Aligned {
    fn drop(&mut self) {
        // SAFETY: `new` allocated it with this layout.
        unsafe { dealloc(self.start, self.layout) };
    }
}

pub fn aligned(_threads: usize) -> Repetition {
    Box::new(|| {
        let mut random = Random::new(7);
        let mut ring: Vec<Option<Aligned>> = (0..256).map(|_| None).collect();
        let mut sum = 0u64;
        for i in 0..2_000_000 {
            // Cache lines and vector registers far more often than pages.
            let align = [32, 32, 32, 64, 64, 64, 64, 128, 256, 4096][random.below(10)];
            // Mostly a multiple of the alignment, sometimes not.
            let size = match random.below(4) {
                0 => 1 + random.below(align),
                _ => align * (1 + random.below(8)),
            };
            let layout = Layout::from_size_align(size, align).expect("small and a power of two");
            let slot = i % ring.len();
            ring[slot] = Some(Aligned::new(layout));
            sum += size as u64;
        }
        sum
    })
}

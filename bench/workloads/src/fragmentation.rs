use crate::random::Random;
use crate::Repetition;

/// A long-running program in miniature: the sizes that it needs drift from phase to phase, some blocks
/// of every phase live long, and in the end few remain, spread over all pages.
pub fn drift(_threads: usize) -> Repetition {
    const BLOCKS: usize = 200_000;
    const PHASES: [(usize, usize); 6] = [
        (16, 64),
        (64, 256),
        (24, 1024),
        (512, 4096),
        (32, 512),
        (256, 1024),
    ];
    let mut blocks: Vec<Vec<u8>> = vec![Vec::new(); BLOCKS];
    Box::new(move || {
        blocks.fill(Vec::new()); // what the repetition before had kept
        let mut random = Random::new(9);
        let mut sum = 0u64;
        for (low, high) in PHASES {
            for _ in 0..BLOCKS * 3 / 4 {
                let slot = random.below(BLOCKS);
                sum += blocks[slot].len() as u64;
                // Written to the last byte: only touched memory counts.
                blocks[slot] = vec![1; random.size(low, high)];
            }
        }
        for (i, block) in blocks.iter_mut().enumerate() {
            if i % 500 != 0 {
                sum += block.len() as u64;
                *block = Vec::new();
            }
        }
        sum
    })
}

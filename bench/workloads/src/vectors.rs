use crate::random::Random;
use crate::Repetition;

/// Allocates vectors of `low..=high` bytes, each of which lives until `alive` more have been allocated.
fn ring(count: usize, alive: usize, low: usize, high: usize) -> u64 {
    let mut random = Random::new(2);
    let mut ring: Vec<Vec<u64>> = vec![Vec::new(); alive];
    let mut sum = 0u64;
    for i in 0..count {
        let mut block = Vec::with_capacity(random.size(low, high) / 8);
        block.push(i as u64);
        let old = std::mem::replace(&mut ring[i % alive], block);
        sum = sum.wrapping_add(old.first().copied().unwrap_or(0));
    }
    sum
}

pub fn small(_threads: usize) -> Repetition {
    Box::new(|| ring(4_000_000, 256, 8, 1024))
}

pub fn large(_threads: usize) -> Repetition {
    Box::new(|| ring(2_000_000, 64, 1 << 10, 60 << 10))
}

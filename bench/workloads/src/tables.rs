use crate::random::Random;
use crate::Repetition;

/// Replaces random entries of a table: frees a block of one age and size, allocates one of another.
pub fn churn(table: &mut [Vec<u8>], random: &mut Random, operations: usize, largest: usize) -> u64 {
    let mut sum = 0u64;
    for i in 0..operations {
        let slot = random.below(table.len());
        let mut block = Vec::with_capacity(random.size(8, largest));
        block.push(i as u8);
        if let Some(&old) = table[slot].first() {
            sum = sum.wrapping_add(u64::from(old));
        }
        table[slot] = block;
    }
    sum
}

pub fn slots(_threads: usize) -> Repetition {
    Box::new(|| {
        let mut table = vec![Vec::new(); 50_000];
        churn(&mut table, &mut Random::new(1), 2_500_000, 1024)
    })
}

use crate::random::Random;
use crate::Repetition;
use std::hint::black_box;

/// Everything starts empty and grows step by step, so that most requests are `realloc`.
pub fn grow(_threads: usize) -> Repetition {
    Box::new(|| {
        let mut random = Random::new(5);
        let mut sum = 0u64;
        // Short strings, built word by word.
        for _ in 0..400_000 {
            let mut line = String::new();
            for _ in 0..random.below(16) {
                line.push_str(black_box("growing "));
            }
            sum += black_box(line).len() as u64;
        }
        // Many lists that grow at the same time, so that none has free space behind it.
        let mut lists: Vec<Vec<u32>> = vec![Vec::new(); 512];
        for i in 0..4_000_000u32 {
            let list = random.below(lists.len());
            lists[list].push(i);
        }
        sum += lists.iter().map(|list| list.len() as u64).sum::<u64>();
        // Some that grow large, one after the other.
        for _ in 0..100 {
            let mut list = Vec::new();
            for i in 0..20_000 + random.below(80_000) as u64 {
                list.push(i);
            }
            sum += black_box(list).len() as u64;
        }
        sum
    })
}

use crate::Repetition;
use std::hint::black_box;

pub fn one_by_one(_threads: usize) -> Repetition {
    Box::new(|| {
        let mut sum = 0u64;
        for i in 0..10_000_000u64 {
            let one = black_box(Box::new([i; 4]));
            sum = sum.wrapping_add(one[3]);
        }
        sum
    })
}

pub fn in_batches(_threads: usize) -> Repetition {
    const BATCH: usize = 2_000;
    fn fill<const N: usize>(boxes: &mut Vec<Box<[u64; N]>>, value: u64) -> u64 {
        boxes.clear();
        for i in 0..BATCH as u64 {
            boxes.push(Box::new([value + i; N]));
        }
        boxes.iter().map(|one| one[N - 1]).sum()
    }
    let mut b16 = Vec::with_capacity(BATCH);
    let mut b24 = Vec::with_capacity(BATCH);
    let mut b48 = Vec::with_capacity(BATCH);
    let mut b64 = Vec::with_capacity(BATCH);
    let mut b160 = Vec::with_capacity(BATCH);
    Box::new(move || {
        let mut sum = 0u64;
        for round in 0..1_000u64 {
            sum = sum.wrapping_add(fill::<2>(&mut b16, round));
            sum = sum.wrapping_add(fill::<3>(&mut b24, round));
            sum = sum.wrapping_add(fill::<6>(&mut b48, round));
            sum = sum.wrapping_add(fill::<8>(&mut b64, round));
            sum = sum.wrapping_add(fill::<20>(&mut b160, round));
        }
        // Free everything inside the repetition.
        b16.clear();
        b24.clear();
        b48.clear();
        b64.clear();
        b160.clear();
        sum
    })
}

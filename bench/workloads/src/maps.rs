use crate::random::Random;
use crate::Repetition;
use std::collections::BTreeMap;

pub fn btreemap(_threads: usize) -> Repetition {
    Box::new(|| {
        let mut random = Random::new(3);
        let mut map: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        let mut sum = 0u64;
        for i in 0..300_000u32 {
            let key = random.below(20_000);
            let key = format!("customer/{key}/orders");
            if i % 8 == 7 {
                sum += map.remove(&key).map_or(0, |list| list.len() as u64);
            } else {
                map.entry(key).or_default().push(i);
            }
        }
        sum + map.values().map(|list| list.len() as u64).sum::<u64>()
    })
}

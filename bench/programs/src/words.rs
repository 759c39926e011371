//! Counts words in four threads, each in a map of its own; the first thread puts the maps together.

use crate::{hash_of_pairs, paths, text};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

const THREADS: usize = 4;

type Counts = HashMap<String, u64>;

pub fn count(sources: &Path) -> u64 {
    let paths = paths(sources);
    let next = AtomicUsize::new(0);
    let counts: Vec<Counts> = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|_| scope.spawn(|| count_some(&paths, &next)))
            .collect();
        let counts = threads.into_iter().map(|thread| thread.join());
        counts.map(|one| one.expect("no panic")).collect()
    });
    let mut all = Counts::new();
    for (word, count) in counts.into_iter().flatten() {
        *all.entry(word).or_default() += count;
    }
    hash_of_pairs(all.into_iter())
}

/// Takes one file after the other, as long as there are some.
fn count_some(paths: &[PathBuf], next: &AtomicUsize) -> Counts {
    let mut counts = Counts::new();
    while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
        for word in text(path).split(|letter: char| !letter.is_alphanumeric()) {
            *counts.entry(word.to_lowercase()).or_default() += 1;
        }
    }
    counts
}

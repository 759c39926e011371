use crate::random::Random;
use crate::tables::churn;
use crate::Repetition;
use std::sync::mpsc::sync_channel;
use std::thread;

/// Half of the threads create messages, the other half read and free them.
pub fn pipeline(threads: usize) -> Repetition {
    // Batches, so that the allocator is measured and not the channel: after a batch, one thread usually waits for the
    // other, and waking it may take the system as long as 1,000 messages.
    const BATCHES: usize = 240;
    const BATCH: usize = 10_000;
    let pairs = (threads / 2).max(1);
    Box::new(move || {
        thread::scope(|scope| {
            let mut readers = Vec::new();
            for pair in 0..pairs as u64 {
                let (sender, receiver) = sync_channel::<Vec<Vec<u8>>>(1);
                scope.spawn(move || {
                    let mut random = Random::new(8 + pair);
                    for batch in 0..BATCHES {
                        let message = |_| {
                            let mut text = Vec::with_capacity(random.size(16, 512));
                            text.push(batch as u8);
                            text
                        };
                        let messages = (0..BATCH).map(message).collect();
                        sender
                            .send(messages)
                            .expect("the reader waits for the last message");
                    }
                });
                readers.push(scope.spawn(move || {
                    let text = |text: &Vec<u8>| u64::from(text[0]);
                    receiver
                        .iter()
                        .map(|messages| messages.iter().map(text).sum::<u64>())
                        .sum::<u64>()
                }));
            }
            readers
                .into_iter()
                .map(|reader| reader.join().expect("a reader does not panic"))
                .sum()
        })
    })
}

/// After Larson and Krishnan's server benchmark: a worker replaces blocks in its table for a
/// while and ends; a new thread takes over the table and frees what the old one allocated.
pub fn larson(threads: usize) -> Repetition {
    fn lineage(worker: u64) -> u64 {
        let mut table = vec![Vec::new(); 1_000];
        let mut sum = 0u64;
        for generation in 0..200 {
            let mut random = Random::new(1_000 * worker + generation);
            let part = thread::scope(|scope| {
                let work = scope.spawn(|| churn(&mut table, &mut random, 20_000, 512));
                work.join().expect("a worker does not panic")
            });
            sum = sum.wrapping_add(part);
        }
        sum
    }
    Box::new(move || {
        thread::scope(|scope| {
            let lineages: Vec<_> = (0..threads as u64)
                .map(|worker| scope.spawn(move || lineage(worker)))
                .collect();
            lineages
                .into_iter()
                .map(|one| one.join().expect("a lineage does not panic"))
                .sum()
        })
    })
}

/// The same amount of work in every thread: with enough processors, N threads take as long as one.
pub fn scale(threads: usize) -> Repetition {
    fn work(seed: u64) -> u64 {
        let mut table = vec![Vec::new(); 10_000];
        churn(&mut table, &mut Random::new(seed), 2_500_000, 512)
    }
    Box::new(move || {
        thread::scope(|scope| {
            let workers: Vec<_> = (0..threads as u64)
                .map(|worker| scope.spawn(move || work(worker)))
                .collect();
            workers
                .into_iter()
                .map(|worker| worker.join().expect("a worker does not panic"))
                .sum()
        })
    })
}

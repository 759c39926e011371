//! Blocks of 1 MiB to 1 GiB. Here most of the time goes into pages: copying them, zeroing them, returning them to
//! the system and faulting them in again.

use crate::random::Random;
use crate::{Group, Repetition};
use std::hint::black_box;
use std::io::{self, Read};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;
/// One write makes a whole page resident.
const PAGE: usize = 4 * KIB;

/// The sum of some entries of a large list: proves that the content survived, in negligible time.
fn sampled<T: Copy + Into<u64>>(list: &[T]) -> u64 {
    const STEP: usize = 64 * KIB;
    let entries = list.iter().step_by(STEP / size_of::<T>());
    let sum = entries.fold(0u64, |sum, &entry| sum.wrapping_add(entry.into()));
    sum.wrapping_add(list.len() as u64)
}

pub fn push(_threads: usize) -> Repetition {
    Box::new(|| {
        let mut list: Vec<u64> = Vec::new();
        for entry in 0..(512 * MIB / size_of::<u64>()) as u64 {
            list.push(entry);
        }
        sampled(black_box(&list))
    })
}

pub fn reserve_exact(_threads: usize) -> Repetition {
    const STEP: usize = 16 * MIB;
    Box::new(|| {
        let mut buffer: Vec<u8> = Vec::new();
        for step in 1..=32 {
            buffer.reserve_exact(STEP);
            buffer.resize(buffer.len() + STEP, step);
        }
        sampled(black_box(&buffer))
    })
}

/// A source whose length nobody knows, such as a pipe or a decoder: the reader has to grow its buffer.
struct Source {
    pattern: Vec<u8>,
    position: usize,
    end: usize,
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let pattern = &self.pattern[self.position % self.pattern.len()..];
        let count = pattern
            .len()
            .min(buffer.len())
            .min(self.end - self.position);
        buffer[..count].copy_from_slice(&pattern[..count]);
        self.position += count;
        Ok(count)
    }
}

pub fn read_to_end(_threads: usize) -> Repetition {
    let mut random = Random::new(10);
    let mut source = Source {
        pattern: (0..64 * KIB).map(|_| random.next() as u8).collect(),
        position: 0,
        end: 300 * MIB,
    };
    Box::new(move || {
        source.position = 0;
        let mut buffer = Vec::new();
        source
            .read_to_end(&mut buffer)
            .expect("this source does not fail");
        sampled(black_box(&buffer))
    })
}

/// One buffer at a time, as a decoder or a web server needs for each of its tasks.
pub fn fill(mib: usize, times: u8) -> Repetition {
    Box::new(move || {
        (1..=times)
            .map(|turn| sampled(black_box(&vec![turn; mib * MIB])))
            .sum()
    })
}

/// One buffer at a time, none of them of the same size, as of a program that loads one file after the other.
pub fn fill_varied(_threads: usize) -> Repetition {
    Box::new(|| {
        let mut random = Random::new(16);
        (1..=6_u8)
            .map(|turn| sampled(black_box(&vec![turn; random.size(100 * MIB, 600 * MIB)])))
            .sum()
    })
}

/// A buffer that turns out to be too small, as of a message whose length is estimated.
pub fn grow_once(_threads: usize) -> Repetition {
    Box::new(|| {
        (1..=8)
            .map(|turn| {
                let mut buffer: Vec<u8> = vec![turn; 40 * MIB];
                buffer.resize(90 * MIB, turn);
                sampled(black_box(&buffer))
            })
            .sum()
    })
}

/// From 1 to 300 MiB, small ones as likely as large ones.
fn zeroed(times: usize, seed: u64, mut each: impl FnMut(&mut [u8]) -> u64) -> u64 {
    let mut random = Random::new(seed);
    (0..times)
        .map(|_| {
            let mut buffer = vec![0u8; random.size(MIB, 300 * MIB)];
            each(black_box(&mut buffer)) + buffer.len() as u64
        })
        .sum()
}

pub fn zeroed_untouched(_threads: usize) -> Repetition {
    Box::new(|| zeroed(40, 11, |_| 0))
}

pub fn zeroed_touched(_threads: usize) -> Repetition {
    Box::new(|| {
        zeroed(20, 12, |buffer| {
            let mut sum = 0;
            for position in (0..buffer.len()).step_by(PAGE) {
                sum += u64::from(buffer[position]);
                // The next owner of this memory needs it zeroed.
                buffer[position] = 1;
            }
            sum
        })
    })
}

pub fn mixture(_threads: usize) -> Repetition {
    const LARGEST: usize = 32 * MIB;
    Box::new(|| {
        let mut random = Random::new(13);
        let mut buffers: Vec<Vec<u8>> = vec![Vec::new(); 16];
        let mut sum = 0u64;
        for turn in 0..200 {
            let slot = random.below(buffers.len());
            let mut buffer = vec![turn; random.size(64 * KIB, LARGEST)];
            if random.below(4) == 0 {
                buffer.resize((2 * buffer.len()).min(LARGEST), turn);
            }
            sum = sum.wrapping_add(sampled(&buffer));
            buffers[slot] = buffer;
        }
        sum
    })
}

/// An index in memory. Filling it is not timed; with huge pages behind it, a read misses the TLB
/// less often.
pub fn table(_threads: usize) -> Repetition {
    const ENTRIES: usize = 1024 * MIB / size_of::<u64>();
    let mut table: Vec<u64> = Vec::with_capacity(ENTRIES);
    let mut random = Random::new(14);
    table.extend((0..ENTRIES).map(|_| random.next()));
    Box::new(move || {
        let mut random = Random::new(15);
        let mut sum = 0u64;
        for _ in 0..10_000_000 {
            sum = sum.wrapping_add(table[random.below(ENTRIES)]);
        }
        sum
    })
}

/// What does an allocator retain of blocks that were never touched? 20,000 of them in one process.
pub fn untouched(_threads: usize) -> Repetition {
    const TIMES: usize = 20_000 / (1 + Group::Large.repetitions());
    Box::new(|| {
        (0..TIMES as u64)
            .map(|turn| {
                let block: Vec<u8> = Vec::with_capacity(300 * MIB);
                black_box(&block).len() as u64 + turn
            })
            .sum()
    })
}

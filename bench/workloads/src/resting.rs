//! Programs that do some work and then are idle. The driver reads the memory of an idle program from outside, so that
//! nothing in the program allocates or frees meanwhile.

mod server;

use crate::random::Random;
use std::any::Any;
use std::sync::mpsc::{channel, Sender};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

/// A program, up to the point where it becomes idle.
pub struct Resting {
    pub name: &'static str,
    /// One line for the table.
    pub about: &'static str,
    work: fn(Idle) -> Rest,
}

/// What a thread calls before it waits.
pub type Idle = fn();

/// The state of a program that has done its work.
pub struct Rest {
    /// Checksum of the work; must not depend on the allocator.
    pub checksum: u64,
    /// What the program still uses.
    pub bytes_in_use: usize,
    /// The program's data. Dropping it would be further work.
    _kept: Box<dyn Any>,
}

impl Resting {
    pub fn work(&self, idle: Idle) -> Rest {
        (self.work)(idle)
    }
}

/// All of them, in the order of the table.
pub const ALL: &[Resting] = &[
    Resting {
        name: "burst",
        about: "a pool of 8 threads: each takes 40 MiB of small blocks and frees them, three times",
        work: burst,
    },
    Resting {
        name: "remote",
        about: "8 threads take 40 MiB of small blocks each, another thread frees them all",
        work: remote,
    },
    Resting {
        name: "scatter",
        about: "300,000 blocks of 512 bytes, 1 and 2 KiB, of which a twentieth stays, at random",
        work: scatter,
    },
    Resting {
        name: "large",
        about: "64 buffers of 1 to 8 MiB",
        work: large,
    },
    Resting {
        name: "threads",
        about: "16 threads that take 20 MiB of small blocks each, free them and end",
        work: threads,
    },
    Resting {
        name: "server",
        about: "a server on loopback: 8 clients store 160 MiB, read it and remove all but 2 %",
        work: |idle| server::serve(HOLD, idle),
    },
];

/// The work of `server` without its pauses.
pub fn serve_at_once() -> u64 {
    server::serve(Duration::ZERO, || ()).checksum
}

/// The program of this name.
pub fn find(name: &str) -> Option<&'static Resting> {
    ALL.iter().find(|program| program.name == name)
}

const MIB: usize = 1 << 20;
/// How long blocks are in use, so that all threads have theirs at the same time and the plot shows it.
const HOLD: Duration = Duration::from_millis(300);

/// Blocks of 16 bytes to 4 KiB, this many bytes in total, each written to its end.
fn blocks(random: &mut Random, bytes: usize) -> Vec<Vec<u8>> {
    let mut blocks = Vec::new();
    let mut left = bytes;
    while left > 0 {
        let block = vec![1u8; 16 + random.below(4080)];
        left = left.saturating_sub(block.len());
        blocks.push(block);
    }
    blocks
}

fn bytes(blocks: &[Vec<u8>]) -> usize {
    blocks.iter().map(Vec::len).sum()
}

/// A request that needs many blocks at once, as in the pool of a compiler or a web server.
fn burst(idle: Idle) -> Rest {
    const WORKERS: u64 = 8;
    let barrier = Arc::new(Barrier::new(WORKERS as usize + 1));
    let (done, sums) = channel();
    for worker in 0..WORKERS {
        let (barrier, done) = (barrier.clone(), done.clone());
        thread::spawn(move || {
            let mut random = Random::new(20 + worker);
            loop {
                idle();
                barrier.wait(); // for work; in the end for ever
                let blocks = blocks(&mut random, 40 * MIB);
                barrier.wait(); // until all have theirs
                thread::sleep(HOLD);
                let sum = bytes(&blocks);
                drop(blocks);
                done.send(sum).expect("the program waits for its workers");
            }
        });
    }
    let mut checksum = 0;
    for _ in 0..3 {
        barrier.wait();
        barrier.wait();
        let sums = sums.iter().take(WORKERS as usize);
        checksum += sums.map(|sum| sum as u64).sum::<u64>();
    }
    Rest {
        checksum,
        bytes_in_use: 0,
        _kept: Box::new((barrier, sums)),
    }
}

fn remote(idle: Idle) -> Rest {
    const WORKERS: u64 = 8;
    let (made, all) = channel();
    let workers: Vec<Sender<()>> = (0..WORKERS)
        .map(|worker| {
            let (order, orders) = channel();
            let made = made.clone();
            thread::spawn(move || {
                let mut random = Random::new(30 + worker);
                for () in orders {
                    made.send(blocks(&mut random, 40 * MIB))
                        .expect("the program waits for its workers");
                    idle();
                }
            });
            order
        })
        .collect();
    for worker in &workers {
        worker.send(()).expect("a worker waits for orders");
    }
    let blocks: Vec<Vec<Vec<u8>>> = all.iter().take(workers.len()).collect();
    thread::sleep(HOLD);
    Rest {
        checksum: blocks.iter().map(|blocks| bytes(blocks) as u64).sum(),
        bytes_in_use: 0,
        _kept: Box::new(workers),
    }
}

fn scatter(_: Idle) -> Rest {
    let mut random = Random::new(60);
    let mut blocks: Vec<Vec<u8>> = (0..300_000)
        .map(|_| vec![1; 512 << random.below(3)])
        .collect();
    let checksum = bytes(&blocks) as u64;
    thread::sleep(HOLD);
    for block in &mut blocks {
        if random.below(20) != 0 {
            *block = Vec::new();
        }
    }
    Rest {
        checksum,
        bytes_in_use: bytes(&blocks) + size_of_val(&blocks[..]),
        _kept: Box::new(blocks),
    }
}

fn large(_: Idle) -> Rest {
    let buffers: Vec<Vec<u8>> = (0..64).map(|i| vec![1; MIB * (1 + i % 8)]).collect();
    thread::sleep(HOLD);
    Rest {
        checksum: bytes(&buffers) as u64,
        bytes_in_use: 0,
        _kept: Box::new(()),
    }
}

fn threads(_: Idle) -> Rest {
    const THREADS: u64 = 16;
    let barrier = Arc::new(Barrier::new(THREADS as usize));
    let threads: Vec<_> = (0..THREADS)
        .map(|thread| {
            let barrier = barrier.clone();
            thread::spawn(move || {
                let blocks = blocks(&mut Random::new(40 + thread), 20 * MIB);
                barrier.wait();
                thread::sleep(HOLD);
                bytes(&blocks) as u64
            })
        })
        .collect();
    let sums = threads
        .into_iter()
        .map(|thread| thread.join().expect("a thread does not panic"));
    Rest {
        checksum: sums.sum(),
        bytes_in_use: 0,
        _kept: Box::new(()),
    }
}

//! Memory inside free blocks goes back to the system although their pages have blocks in use (`src/free_blocks.c`).
//!
//! Each test runs in a process of its own: the calls look at all threads' pages, and the memory of the process is measured.
#![cfg(all(target_os = "linux", mi_v3))]

use mi_malloc_sys::*;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

#[allow(dead_code)]
#[path = "support/fork.rs"]
mod fork;
#[allow(dead_code)]
#[path = "support/mode.rs"]
mod mode;
#[allow(dead_code)]
#[path = "support/random.rs"]
mod random;
#[allow(dead_code)]
#[path = "support/resident.rs"]
mod resident;
#[allow(dead_code)]
#[path = "support/respawn.rs"]
mod respawn;
#[path = "support/stop.rs"]
mod stop;

use random::Random;
use resident::resident;
use respawn::alone;
use stop::Stop;

const MIB: usize = 1 << 20;
const SIZE: usize = 16 << 10;
const BLOCKS: usize = 64 * MIB / SIZE;
/// One in so many blocks stays, so that hardly any page becomes empty.
const STAYS: usize = 16;
const NOW: Duration = Duration::ZERO;

/// Debug builds and guard pages use the contents of free blocks. With larger pages of the system these blocks have hardly an
/// interior.
fn is_purged() -> bool {
    // SAFETY: it asks for a number.
    let page_size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    cfg!(mi_program_options) && !mode::DEBUG && !mode::GUARDED && page_size == 4096
}

/// Runs the test in a process of its own, where free blocks are purged.
fn alone_if_purged(test: impl FnOnce()) {
    if is_purged() {
        alone(test);
    } else {
        println!("not run: here no free blocks are purged");
    }
}

/// A block that is filled with its number.
struct Block {
    start: *mut u8,
    size: usize,
    fill: u8,
}

// SAFETY: the block belongs to this value, and any thread may free it.
unsafe impl Send for Block {}

impl Block {
    fn new(number: usize, size: usize) -> Block {
        // SAFETY: always safe to call; the block has this size.
        unsafe { Block::filled(mi_malloc(size).cast(), number, size) }
    }

    /// # Safety
    ///
    /// `start` is NULL or a block of this size, which the caller hands over.
    unsafe fn filled(start: *mut u8, number: usize, size: usize) -> Block {
        assert!(!start.is_null());
        let fill = (number % 251 + 1) as u8;
        // SAFETY: as the caller ensures.
        unsafe { start.write_bytes(fill, size) };
        Block { start, size, fill }
    }

    fn assert_intact(&self) {
        // SAFETY: the block is in use, and has this size.
        let bytes = unsafe { std::slice::from_raw_parts(self.start, self.size) };
        // All bytes are equal: `memcmp` is fast in a debug build, too.
        assert!(bytes[0] == self.fill && bytes[1..] == bytes[..self.size - 1]);
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: it is freed once.
        unsafe { mi_free(self.start.cast()) };
    }
}

fn blocks(count: usize) -> Vec<Block> {
    let block = |number| Block::new(number, SIZE);
    (0..count).map(block).collect()
}

/// Allocates blocks and frees most of them. Returns those that stay.
fn scattered() -> Vec<Block> {
    blocks(BLOCKS).into_iter().step_by(STAYS).collect()
}

fn purge(age: Duration) -> usize {
    // SAFETY: not in a callback.
    unsafe { purge_free_blocks(age) }
}

fn abandon() {
    // SAFETY: not in a callback.
    unsafe { abandon_pages() }
}

#[test]
fn blocks_that_stay_do_not_keep_the_memory_of_others() {
    alone(|| {
        let stay = scattered();
        let before = resident();
        assert_eq!(purge(NOW), 0, "the pages belong to this thread");
        abandon();
        let bytes = purge(NOW);
        if !is_purged() {
            assert_eq!(bytes, 0);
            return;
        }
        // Three quarters of a block of 16 KiB, and 15 of 16 blocks.
        assert!(bytes > 40 * MIB, "{bytes}");
        assert!(resident() + 40 * MIB < before, "{before} {}", resident());
        assert_eq!(purge(NOW), 0, "they have been purged");
        stay.iter().for_each(Block::assert_intact);

        // The free blocks are used again, and those that are to be zero are.
        let committed = resident();
        let more = blocks(BLOCKS / 2);
        assert!(resident() < committed + 40 * MIB);
        more.iter().chain(&stay).for_each(Block::assert_intact);
        for _ in 0..BLOCKS / 4 {
            // SAFETY: the block has this size, and is freed once.
            unsafe {
                let zeroed: *mut u8 = mi_zalloc(SIZE).cast();
                let bytes = std::slice::from_raw_parts_mut(zeroed, SIZE);
                assert!(bytes[0] == 0 && bytes[1..] == bytes[..SIZE - 1]);
                bytes.fill(7);
                mi_free(zeroed.cast());
            }
        }
        // What was in use meanwhile can be purged once more.
        drop(more);
        abandon();
        assert!(purge(NOW) > 10 * MIB);
        stay.iter().for_each(Block::assert_intact);
    });
}

#[test]
fn a_block_is_purged_when_it_was_free_for_so_long() {
    alone_if_purged(|| {
        let stay = scattered();
        abandon();
        let hour = Duration::from_secs(3600);
        assert_eq!(purge(hour), 0);
        assert_eq!(purge(hour), 0);
        let age = Duration::from_millis(200);
        thread::sleep(2 * age);
        assert!(purge(age) > 40 * MIB);
        drop(stay);

        // One that is in use in between starts anew.
        let stay = scattered();
        abandon();
        assert_eq!(purge(age), 0);
        thread::sleep(2 * age);
        drop(blocks(BLOCKS - BLOCKS / STAYS));
        abandon();
        let start = Instant::now();
        let bytes = purge(age);
        assert!(bytes < 10 * MIB || start.elapsed() > age, "{bytes}");
        drop(stay);
    });
}

/// The program's data may start behind the words in which a free block records that it was purged.
#[test]
fn aligned_blocks_are_purged_each_time() {
    alone_if_purged(|| {
        let stay = scattered();
        for _ in 0..3 {
            let block = |number| {
                // SAFETY: always safe to call; the block has this size.
                unsafe { Block::filled(mi_malloc_aligned(SIZE, 4096).cast(), number, SIZE) }
            };
            let blocks = (0..BLOCKS / 2).map(block).collect::<Vec<_>>();
            let stay: Vec<Block> = blocks.into_iter().step_by(STAYS).collect();
            let before = resident();
            abandon();
            assert!(purge(NOW) > 15 * MIB);
            assert!(resident() + 15 * MIB < before);
            stay.iter().for_each(Block::assert_intact);
        }
        stay.iter().for_each(Block::assert_intact);
    });
}

/// `purge_delay` below 0 forbids all purges.
#[test]
fn options_forbid_it() {
    alone(|| {
        for (option, value) in [
            (mi_option_purge_delay, -1),
            (mi_option_arena_purge_mult, -1),
            (mi_option_purge_decommits, 0),
        ] {
            // SAFETY: no other thread runs.
            let before = unsafe { mi_option_get(option) };
            unsafe { mi_option_set(option, value) };
            let stay = scattered();
            abandon();
            assert_eq!(purge(NOW), 0);
            stay.iter().for_each(Block::assert_intact);
            // SAFETY: as above.
            unsafe { mi_option_set(option, before) };
        }
    });
}

/// The pages of a thread that has ended are abandoned.
#[test]
fn memory_of_ended_threads_is_purged() {
    alone_if_purged(|| {
        let stay = thread::spawn(scattered).join().unwrap();
        assert!(purge(NOW) > 40 * MIB);
        stay.iter().for_each(Block::assert_intact);
    });
}

/// Threads allocate, free and pass on blocks of many sizes, and abandon their pages, while another one purges.
#[test]
fn threads_allocate_meanwhile() {
    alone(|| {
        const THREADS: usize = 4;
        const ROUNDS: usize = 15_000;
        let stop = AtomicBool::new(false);
        let purged = AtomicUsize::new(0);
        let (senders, receivers): (Vec<_>, Vec<_>) =
            (0..THREADS).map(|_| channel::<Block>()).unzip();
        thread::scope(|scope| {
            let at_end = Stop(&stop);
            let purger = scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    for age in [NOW, Duration::from_millis(1)] {
                        purged.fetch_add(purge(age), Ordering::Relaxed);
                    }
                }
            });
            let worker = |(number, receiver): (usize, std::sync::mpsc::Receiver<Block>)| {
                let next = senders[(number + 1) % THREADS].clone();
                scope.spawn(move || {
                    let mut random = Random::new(number as u64 + 1);
                    let mut held: Vec<Block> = Vec::new();
                    for round in 0..ROUNDS {
                        let size = SIZE + random.below(4 * SIZE);
                        let block = Block::new(round, size);
                        match random.below(8) {
                            0 => next.send(block).unwrap_or_default(),
                            1..=4 if held.len() < 200 => held.push(block),
                            _ => {}
                        }
                        if held.len() > 100 && random.below(2) == 0 {
                            let chosen = random.below(held.len());
                            held.swap_remove(chosen).assert_intact();
                        }
                        receiver.try_iter().for_each(|block| block.assert_intact());
                        if random.below(200) == 0 {
                            abandon();
                        }
                    }
                    held.iter().for_each(Block::assert_intact);
                })
            };
            let workers: Vec<_> = receivers.into_iter().enumerate().map(worker).collect();
            workers
                .into_iter()
                .for_each(|worker| worker.join().unwrap());
            drop(at_end);
            purger.join().unwrap();
        });
        assert_eq!(purged.into_inner() > 0, is_purged());
    });
}

/// A child has no thread that owns a page: it can use all of them.
#[test]
fn forks_meanwhile() {
    alone(|| {
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let _at_end = Stop(&stop);
            scope.spawn(|| {
                let stay = scattered();
                while !stop.load(Ordering::Relaxed) {
                    abandon();
                    purge(NOW);
                    // Some work for the next round.
                    drop(blocks(100));
                }
                stay.iter().for_each(Block::assert_intact);
            });
            for _ in 0..60 {
                assert!(fork::run(|| {
                    purge(NOW);
                    blocks(500).iter().for_each(Block::assert_intact);
                }));
            }
        });
    });
}

//! A cache that cannot outgrow its memory: the program maps 64 MiB, makes an arena of them, and binds a heap
//! to it. When the arena is full an allocation fails, and the cache evicts its oldest entries.
//!
//!     cargo run --release --example arena

#[cfg(not(unix))]
fn main() {
    println!("This example maps memory with mmap, which this system does not have.");
}

#[cfg(unix)]
fn main() {
    unix::main();
}

#[cfg(unix)]
mod unix {
    use mi_malloc_sys::*;
    use std::collections::VecDeque;
    use std::ops::Range;
    use std::{ptr, slice};

    const BUDGET: usize = 64 << 20;
    const TILES: u64 = 10_000;

    pub fn main() {
        // That an allocation fails is part of the plan here; debug builds would print it each time.
        // SAFETY: always safe to call.
        unsafe { mi_option_disable(mi_option_show_errors) };

        let memory = map(BUDGET);
        let mut cache = Cache::new(memory.clone());
        let (mut evicted, mut requested) = (0, 0);
        for number in 0..TILES {
            let tile = Tile::numbered(number);
            requested += tile.size;
            evicted += cache.put(tile);
        }
        let (tiles, bytes) = (cache.tiles.len(), cache.bytes());
        println!("arena of {} MiB at {:#x}", BUDGET >> 20, memory.start);
        println!(
            "{} tiles of {} MiB in all were put into the cache",
            TILES,
            requested >> 20
        );
        println!(
            "{} of them, {} MiB, are still in it; {} were evicted",
            tiles,
            bytes >> 20,
            evicted
        );
        assert_eq!(tiles as u64 + evicted, TILES);
        assert!(
            bytes <= BUDGET && bytes > BUDGET / 2,
            "the memory is put to use"
        );

        // Only the cache uses the arena: all other allocations are served from other memory.
        // SAFETY: an ordinary block, freed once.
        unsafe {
            let block = mi_malloc(1000);
            assert!(!memory.contains(&(block as usize)));
            mi_free(block);
        }
    }

    /// Maps `size` bytes, aligned so that mimalloc can use them from the first to the last.
    fn map(size: usize) -> Range<usize> {
        let alignment = alignment();
        // A reservation costs nothing: the system provides memory only for addresses that are touched.
        // SAFETY: a new mapping, at a place that the system chooses.
        let start = unsafe {
            libc::mmap(
                ptr::null_mut(),
                size.max(alignment) + alignment,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANON | libc::MAP_NORESERVE,
                -1,
                0,
            )
        };
        assert_ne!(
            start,
            libc::MAP_FAILED,
            "{}",
            std::io::Error::last_os_error()
        );
        let start = (start as usize + alignment - 1) / alignment * alignment;
        start..start + size
    }

    #[cfg(mi_v3)]
    fn alignment() -> usize {
        // SAFETY: always safe to call.
        unsafe { mi_arena_min_alignment() }
    }

    /// The unit of an arena in v2, which has no function that returns it.
    #[cfg(mi_v2)]
    fn alignment() -> usize {
        32 << 20
    }

    /// An entry of the cache, as one would decode it from a picture: some bytes, larger or smaller.
    struct Tile {
        number: u64,
        size: usize,
    }

    impl Tile {
        fn numbered(number: u64) -> Tile {
            let scattered = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
            Tile {
                number,
                size: 1000 + scattered as usize % 60_000,
            }
        }

        fn byte(&self) -> u8 {
            self.number as u8
        }
    }

    struct Cache {
        memory: Range<usize>,
        heap: *mut mi_heap_t,
        /// The oldest first.
        tiles: VecDeque<(Tile, *mut u8)>,
    }

    impl Cache {
        /// `memory` is the cache's from now on, and never unmapped.
        fn new(memory: Range<usize>) -> Cache {
            // The value for "no arena" differs between the major versions.
            let mut arena: mi_arena_id_t = unsafe { std::mem::zeroed() };
            let exclusive = true;
            // SAFETY: the memory is mapped, zero, and nobody else's.
            let heap = unsafe {
                let start = memory.start as *mut _;
                let (committed, pinned, zero, no_node) = (true, false, true, -1);
                assert!(mi_manage_os_memory_ex(
                    start,
                    memory.len(),
                    committed,
                    pinned,
                    zero,
                    no_node,
                    exclusive,
                    &mut arena
                ));
                mi_heap_new_in_arena(arena)
            };
            assert!(!heap.is_null());
            Cache {
                memory,
                heap,
                tiles: VecDeque::new(),
            }
        }

        /// Returns how many tiles were evicted.
        fn put(&mut self, tile: Tile) -> u64 {
            let mut evicted = 0;
            loop {
                // SAFETY: the heap is live, and this thread's.
                let block: *mut u8 = unsafe { mi_heap_malloc(self.heap, tile.size) }.cast();
                if !block.is_null() {
                    let end = block as usize + tile.size;
                    assert!(self.memory.start <= block as usize && end <= self.memory.end);
                    // SAFETY: the block has that size.
                    unsafe { block.write_bytes(tile.byte(), tile.size) };
                    self.tiles.push_back((tile, block));
                    return evicted;
                }
                self.evict();
                evicted += 1;
            }
        }

        fn evict(&mut self) {
            let (tile, block) = self
                .tiles
                .pop_front()
                .expect("a tile fits into an empty cache");
            // SAFETY: a live block, written when it was put in, and forgotten here.
            unsafe {
                let content = slice::from_raw_parts(block, tile.size);
                assert!(
                    content.iter().all(|byte| *byte == tile.byte()),
                    "a damaged tile"
                );
                mi_free(block.cast());
            }
        }

        fn bytes(&self) -> usize {
            self.tiles.iter().map(|(tile, _)| tile.size).sum()
        }
    }
}

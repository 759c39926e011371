//! Blocks of many MiB: how they grow, and which zeroes are written (`src/large.c`).
//!
//! Each test runs in a process of its own: it looks at the memory of the process, or changes what the system allows.
//!
//! A program of its own, because it takes long: few build modes run it (`xtask/src/modes.rs`).
#![cfg(all(target_os = "linux", target_pointer_width = "64", mi_v3))]

use mi_malloc_sys::*;
use std::alloc::{GlobalAlloc, Layout};

#[allow(dead_code)]
#[path = "support/mode.rs"]
mod mode;
#[allow(dead_code)]
#[path = "support/resident.rs"]
mod resident;
#[allow(dead_code)]
#[path = "support/respawn.rs"]
mod respawn;
#[path = "support/snapshot.rs"]
mod snapshot;

const MIB: usize = 1 << 20;
/// In MiB: a smaller block that grows is copied (`MI_MALLOC_SYS_LARGE`).
const LEAST_MOVED: usize = 32;
/// Whether `MiMalloc` has those of `src/global.c`.
const ENTRY_POINTS: bool = cfg!(any(mi_fast_path = "c", mi_fast_path = "rust"));

/// Upstream's assertions come with filling each block, and there are no entry points of our own. Both are to be
/// looked for in a build of the same name only.
fn runs() -> bool {
    if mode::DEBUG {
        println!("not run: upstream's debug builds write to all of each block");
    }
    !mode::DEBUG
}

fn in_child(name: &str, argument: &str, work: impl Fn()) {
    if respawn::is_child() {
        work();
    } else if runs() {
        respawn::assert_child_passes(name, argument, &[]);
    }
}

/// The same where `MiMalloc` has entry points of its own.
fn in_child_with_entry_points(name: &str, work: impl Fn()) {
    in_child(name, "", || {
        if !ENTRY_POINTS {
            return println!("not run: no entry points of our own");
        }
        work();
    });
}

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 8).unwrap()
}

/// A block through `MiMalloc` with a stamp in every 64 KiB, and on both of its ends.
struct Block {
    start: *mut u8,
    size: usize,
}

// SAFETY: a block of mimalloc may be used and freed by any thread, and this is its only owner.
unsafe impl Send for Block {}

impl Block {
    const STEP: usize = 64 << 10;

    fn new(size: usize) -> Block {
        // SAFETY: the size is not 0.
        let start = unsafe { MiMalloc.alloc(layout(size)) };
        assert!(!start.is_null());
        let mut block = Block { start, size };
        block.stamp(0);
        block
    }

    fn places(&self, from: usize) -> impl Iterator<Item = usize> {
        let last = self.size - 8;
        let inner = ((from + Self::STEP - 1) / Self::STEP..=(last - 8) / Self::STEP)
            .map(|i| i * Self::STEP);
        inner.chain([last])
    }

    fn stamp(&mut self, from: usize) {
        for place in self.places(from) {
            // SAFETY: eight bytes from any of the places on are inside the block.
            unsafe {
                self.start
                    .add(place)
                    .cast::<usize>()
                    .write_unaligned(!place)
            };
        }
    }

    /// Another size, for which all bytes that stay are looked at.
    fn resize(&mut self, size: usize) {
        let kept = self.size.min(size);
        // SAFETY: the block is alive and of this layout.
        let start = unsafe { MiMalloc.realloc(self.start, layout(self.size), size) };
        assert!(!start.is_null());
        self.start = start;
        for place in self.places(0).filter(|place| place + 8 <= kept) {
            // SAFETY: as above, within what was kept.
            let found = unsafe { start.add(place).cast::<usize>().read_unaligned() };
            assert_eq!(found, !place, "at {place} of {kept} bytes, now {size}");
        }
        self.size = size;
        // From the first place that was too near to the former end.
        self.stamp(kept.saturating_sub(16));
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: the block is alive and of this layout.
        unsafe { MiMalloc.dealloc(self.start, layout(self.size)) };
    }
}

/// Sizes that fit an arena, that fit none, and each step between them.
fn grow_and_shrink(steps: &[usize], most: usize) {
    for &step in steps {
        let mut block = Block::new(20 * MIB);
        let mut others = Vec::new();
        while block.size < most {
            block.resize(block.size + step);
            if others.len() < 8 {
                others.push(Block::new(17 * MIB));
            }
        }
        while block.size > 30 * MIB {
            block.resize(block.size * 2 / 3);
        }
        block.resize(10 * MIB);
        block.resize(100 * MIB);
    }
}

/// Whether the kernel moves memory and leaves its addresses mapped.
fn system_moves() -> bool {
    let size = 4096 * 16;
    // SAFETY: a new mapping, which nobody else knows.
    unsafe {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let old = libc::mmap(std::ptr::null_mut(), size, protection, flags, -1, 0);
        assert_ne!(old, libc::MAP_FAILED);
        let (may_move, dont_unmap) = (libc::MREMAP_MAYMOVE, 4);
        let anywhere = std::ptr::null_mut::<libc::c_void>();
        let moved = libc::mremap(old, size, size, may_move | dont_unmap, anywhere);
        let moved = moved != libc::MAP_FAILED;
        if !moved {
            println!("not run: the system moves no memory");
        }
        moved
    }
}

/// Whether large blocks are moved, by this build and on this system.
fn moves() -> bool {
    if !ENTRY_POINTS || cfg!(feature = "free_use_pagemap") {
        println!("not run: no entry points of our own");
        return false;
    }
    system_moves()
}

fn maps() -> usize {
    std::fs::read_to_string("/proc/self/maps")
        .unwrap()
        .lines()
        .count()
}

#[test]
fn bytes_survive_each_size() {
    in_child("bytes_survive_each_size", "", || {
        grow_and_shrink(&[50 * MIB + 12_345, 250 * MIB], 1200 * MIB);
    });
}

/// And no error is reported for what the program never asked for.
#[test]
fn limited_addresses_allow_what_fits() {
    in_child("limited_addresses_allow_what_fits", "", || {
        let mut block = Block::new(60 * MIB);
        let [space, _] = resident::memory();
        let most = libc::rlimit {
            rlim_cur: (space + 1000 * MIB) as libc::rlim_t,
            rlim_max: libc::RLIM_INFINITY,
        };
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &most) }, 0);
        block.resize(400 * MIB);
        drop(block);
    });
}

#[test]
fn a_growing_block_is_moved_and_not_copied() {
    in_child("a_growing_block_is_moved_and_not_copied", "", || {
        if !moves() {
            return;
        }
        let size = 300 * MIB; // fits no arena, out of which it would be copied
        let before = resident::resident();
        let mut block = Block::new(size);
        unsafe { block.start.write_bytes(1, size) };
        block.stamp(0);
        // Not `resize`, which writes to what is new: with huge pages all of it then is resident.
        block.start = unsafe { MiMalloc.realloc(block.start, layout(size), 600 * MIB) };
        let grown = resident::peak() - before;
        assert!(grown < size + 40 * MIB, "{grown} bytes at once");
        block.resize(600 * MIB);
        // In place, and back.
        let start = block.start;
        block.resize(700 * MIB);
        assert_eq!(block.start, start);
        block.resize(50 * MIB);
        assert_eq!(block.start, start);
        let left = resident::resident() - before;
        assert!(left < 70 * MIB, "{left} bytes are left");
    });
}

#[test]
fn moves_leave_no_mappings() {
    in_child("moves_leave_no_mappings", "", || {
        let mut number = 1_usize;
        let mut random = || {
            number ^= number << 13;
            number ^= number >> 7;
            number ^= number << 17;
            number
        };
        let mut blocks: Vec<Block> = Vec::new();
        let mut most = 0;
        let before = maps();
        for round in 0..240 {
            if blocks.len() == 16 {
                drop(blocks.swap_remove(random() % 16));
            }
            let size = (LEAST_MOVED + random() % 20) * MIB + random() % 5000;
            let mut block = Block::new(size);
            block.resize(size + 20 * MIB);
            if round % 10 == 0 {
                block.resize(size + 300 * MIB);
            }
            blocks.push(block);
            if round % 20 == 0 {
                most = most.max(maps());
            }
        }
        assert!(most < before + 16 * 8, "{before} mappings, then {most}");
        blocks.clear();
        // SAFETY: always allowed. Some mappings are kept for a while.
        unsafe { mi_malloc_sys::mi_collect(true) };
        let after = maps();
        // With mitigations or assertions upstream protects what it purges: a mapping for each such range.
        let ranges = if mode::SECURE || mode::DEBUG { 64 } else { 16 };
        assert!(after < before + ranges, "{before} mappings, then {after}");
    });
}

/// A filter of system calls that answers each `mremap` of more bytes with an error.
fn refuse_moves(error: cty::c_int, bytes: usize) {
    let statement = |code: u32, k: u32| libc::sock_filter {
        code: code as u16,
        jt: 0,
        jf: 0,
        k,
    };
    let load = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    let equal = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    let more = libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K;
    let answer = libc::BPF_RET | libc::BPF_K;
    // The lower half of the second argument.
    let size = if cfg!(target_endian = "big") { 28 } else { 24 };
    let mut filter = [
        statement(load, 0), // the number of the call
        libc::sock_filter {
            jf: 3,
            ..statement(equal, libc::SYS_mremap as u32)
        },
        statement(load, size),
        libc::sock_filter {
            jf: 1,
            ..statement(more, bytes as u32)
        },
        statement(answer, libc::SECCOMP_RET_ERRNO | error as u32),
        statement(answer, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_mut_ptr(),
    };
    // SAFETY: the program is one that the kernel checks, and lives as long as the calls.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        assert_eq!(
            libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &program),
            0
        );
    }
}

#[test]
fn a_refused_move_is_a_copy() {
    let name = "a_refused_move_is_a_copy";
    if respawn::is_child() {
        refuse_moves(respawn::argument().parse().unwrap(), 0);
        assert!(!system_moves());
        return grow_and_shrink(&[150 * MIB + 12_345], 450 * MIB);
    }
    if !runs() {
        return;
    }
    // Unknown to the kernel, forbidden, and errors that come late: there may be nothing at the new address then.
    for error in [
        libc::ENOSYS,
        libc::EPERM,
        libc::EINVAL,
        libc::ENOMEM,
        libc::EFAULT,
    ] {
        respawn::assert_child_passes(name, &error.to_string(), &[]);
    }
}

/// After a refusal the next hundred blocks are copied. Then blocks are moved again.
#[test]
fn moves_go_on_after_a_refused_one() {
    in_child("moves_go_on_after_a_refused_one", "", || {
        if !moves() {
            return;
        }
        refuse_moves(libc::EFAULT, 150 * MIB);
        let mut refused = Block::new(300 * MIB);
        refused.resize(700 * MIB);
        // Only a region has space to grow in place.
        let is_moved = || {
            let mut block = Block::new(40 * MIB);
            block.resize(80 * MIB);
            let start = block.start;
            block.resize(140 * MIB);
            block.start == start
        };
        assert!(!is_moved());
        for _ in 0..100 {
            let size = (LEAST_MOVED + 1) * MIB;
            // SAFETY: a block of this layout, of which the second call makes one of the other.
            unsafe {
                let start = MiMalloc.alloc(layout(size));
                let start = MiMalloc.realloc(start, layout(size), 2 * size);
                MiMalloc.dealloc(start, layout(2 * size));
            }
        }
        assert!(is_moved());
    });
}

/// Before Linux 6.17 the kernel refuses to move several mappings at once.
#[test]
fn a_block_in_several_mappings_keeps_its_bytes() {
    in_child("a_block_in_several_mappings_keeps_its_bytes", "", || {
        let mut block = Block::new(300 * MIB);
        let middle = (block.start as usize + 60 * MIB) & !4095;
        let advice = libc::MADV_DONTDUMP;
        assert_eq!(
            unsafe { libc::madvise(middle as *mut _, 4 * MIB, advice) },
            0
        );
        for _ in 0..4 {
            block.resize(block.size + 400 * MIB);
        }
    });
}

#[test]
fn other_threads_and_children_go_on_with_a_block() {
    in_child("other_threads_and_children_go_on_with_a_block", "", || {
        let mut block = Block::new(20 * MIB);
        for size in [60 * MIB, 600 * MIB, 1400 * MIB] {
            block = std::thread::spawn(move || {
                block.resize(size);
                block
            })
            .join()
            .unwrap();
        }
        // SAFETY: the child only uses this block, and ends at once.
        unsafe {
            let id = libc::fork();
            if id == 0 {
                block.resize(2500 * MIB);
                drop(block);
                libc::_exit(0);
            }
            let mut status = 1;
            assert_eq!(libc::waitpid(id, &mut status, 0), id);
            assert_eq!(status, 0);
        }
        block.resize(2000 * MIB);
    });
}

/// By each way to allocate them; and nothing beside them is cleared.
#[test]
fn zeroed_blocks_are_zero() {
    in_child("zeroed_blocks_are_zero", "", || {
        let sizes = [
            520 << 10,
            MIB,
            3 * MIB - 8,
            8 * MIB,
            10 * MIB + 1,
            24 * MIB + 4097,
            100 * MIB,
            300 * MIB,
        ];
        let aligned = |size| Layout::from_size_align(size, 1 << 16).unwrap();
        // SAFETY: the sizes are not 0.
        let by_global = |size| unsafe { MiMalloc.alloc_zeroed(layout(size)) };
        let by_c = |size| unsafe { mi_calloc(size, 1).cast() };
        let by_alignment = |size| unsafe { MiMalloc.alloc_zeroed(aligned(size)) };
        let ways: [&dyn Fn(usize) -> *mut u8; 3] = [&by_global, &by_c, &by_alignment];
        for size in sizes {
            for (way, zeroed) in ways.iter().enumerate() {
                for hole in [0, size / 3, size / 2] {
                    let mut near = vec![Block::new(MIB), Block::new(MIB)];
                    // SAFETY: each block is alive while it is used.
                    unsafe {
                        let dirty = MiMalloc.alloc(layout(size));
                        near.extend([Block::new(MIB), Block::new(MIB)]);
                        dirty.write_bytes(0xA5, size);
                        if hole > 0 {
                            let start = (dirty as usize + hole) & !4095;
                            let advice = libc::MADV_DONTNEED;
                            assert_eq!(libc::madvise(start as *mut _, 2 * hole / 3, advice), 0);
                        }
                        MiMalloc.dealloc(dirty, layout(size));
                        let zeroed = zeroed(size);
                        let bytes = std::slice::from_raw_parts(zeroed, size);
                        assert!(
                            bytes[0] == 0 && bytes[1..] == bytes[..size - 1],
                            "{size} {way} {hole}"
                        );
                        mi_free(zeroed.cast());
                    }
                    near.iter_mut().for_each(|block| block.resize(MIB));
                }
            }
        }
    });
}

#[test]
fn zeroes_of_the_system_are_not_written() {
    in_child_with_entry_points("zeroes_of_the_system_are_not_written", || {
        let size = 100 * MIB;
        // SAFETY: as above.
        unsafe {
            let dirty = MiMalloc.alloc(layout(size));
            dirty.write_bytes(0xA5, size);
            MiMalloc.dealloc(dirty, layout(size)); // purged at once, by its size
            let before = resident::resident();
            let zeroed = MiMalloc.alloc_zeroed(layout(size));
            let grown = resident::resident().saturating_sub(before);
            assert!(grown < 8 * MIB, "{grown} bytes of {size}");
            MiMalloc.dealloc(zeroed, layout(size));
        }
    });
}

/// Neither upstream's free list nor a zero makes the memory of a block resident.
#[test]
fn untouched_blocks_are_not_resident() {
    in_child_with_entry_points("untouched_blocks_are_not_resident", || {
        let round = || {
            for size in [MIB, 3 * MIB, 9 * MIB + 1, 33 * MIB, 100 * MIB, 300 * MIB] {
                // SAFETY: a block is freed with the layout that it was allocated with, or by C's function.
                unsafe {
                    let zeroed = MiMalloc.alloc_zeroed(layout(size));
                    let other = MiMalloc.alloc(layout(size));
                    let by_c = mi_calloc(1, size);
                    assert!(!zeroed.is_null() && !other.is_null() && !by_c.is_null());
                    MiMalloc.dealloc(zeroed, layout(size));
                    MiMalloc.dealloc(other, layout(size));
                    mi_free(by_c);
                }
            }
        };
        let before = resident::resident();
        round(); // also creates arenas, whose metadata may be in a huge page
        let first = resident::resident().saturating_sub(before);
        assert!(first < 5 * MIB, "{first} bytes");
        for _ in 0..20 {
            round();
        }
        let all = resident::resident().saturating_sub(before);
        assert!(
            all < first + MIB / 2,
            "{all} bytes, after the first round {first}"
        );
    });
}

/// A thread that has allocated small blocks merges its statistics when it has allocated so many bytes. The other thread's
/// snapshot shows whether a large block makes it do so.
#[test]
fn a_large_block_is_counted_without_a_merge() {
    in_child_with_entry_points("a_large_block_is_counted_without_a_merge", || {
        let counts = || {
            let stats = snapshot::stats();
            (stats.malloc_count.total, stats.allocated)
        };
        const SMALL: usize = 10_000;
        let (count, before) = counts();
        let of_thread = std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                // SAFETY: each block is freed once.
                unsafe {
                    let small: Vec<_> = (0..SMALL).map(|_| mi_malloc(64)).collect();
                    let large = mi_malloc(100 * MIB);
                    let with_block = scope.spawn(counts).join().unwrap();
                    mi_free(large);
                    let without_it = scope.spawn(counts).join().unwrap();
                    small.into_iter().for_each(|block| mi_free(block));
                    [with_block, without_it]
                }
            });
            thread.join().unwrap()
        });
        let size = 100 * MIB as i64;
        for (when, (now, blocks)) in ["allocated", "freed"].into_iter().zip(of_thread) {
            let live = if when == "freed" { 0 } else { size };
            assert!(now - count < SMALL as i64 / 2, "{when}: a merge");
            assert!(blocks.total - before.total >= size, "{when}: not counted");
            let current = blocks.current - before.current;
            assert!(
                (live..live + size / 2).contains(&current),
                "{when}: {current}"
            );
        }
        let (merged, _) = counts();
        assert!(merged - count >= SMALL as i64, "the thread has ended");
    });
}

//! Arenas: heaps that have all their memory in one range of addresses.

use allocator_api2::{boxed::Box, vec::Vec};
use mi_malloc::arena::ArenaError;
use mi_malloc::{Arena, Heap, MiMalloc};
use std::mem::MaybeUninit;

#[allow(dead_code)]
#[path = "support/mode.rs"]
mod mode;

/// How many bytes fit into a heap in `arena`, in blocks of slightly less than 64 KiB.
fn usable(arena: Arena) -> usize {
    Heap::scope_in(arena, |heap| {
        let heap = &*heap;
        let mut bytes = 0;
        let mut blocks = std::vec::Vec::new();
        loop {
            let mut block = Vec::<u8, _>::new_in(heap);
            if block.try_reserve_exact(60_000).is_err() {
                return bytes;
            }
            bytes += block.capacity();
            block.push(7);
            assert!(arena.contains(&block[0]) && heap.contains(&block[0]));
            blocks.push(block);
        }
    })
    .unwrap()
}

/// All of the arena is usable except its metadata; and again by the next heap, whatever was leaked.
fn serves_again_and_again(arena: Arena) {
    assert!(arena.size() % Arena::unit() == 0 && arena.size() > 0);
    assert_eq!(arena.start() as usize % Arena::alignment(), 0);
    let first = usable(arena);
    assert!(first > arena.size() / 2 && first <= arena.size(), "{first}");
    for _ in 0..5 {
        Heap::scope_in(arena, |heap| {
            for size in [10, 1000, 100_000, 1_000_000] {
                if mode::KEEPS_LEAKED {
                    break;
                }
                let bytes = heap.alloc_slice(&vec![7u8; size]).unwrap();
                assert!(arena.contains(bytes) && bytes[size - 1] == 7);
            }
        })
        .unwrap();
        let again = usable(arena);
        assert!(again * 10 > first * 9, "{again} after {first}");
    }
    // Other allocations do not use it.
    let others: std::vec::Vec<_> = (0..1000).map(|n| Box::new_in([n; 100], MiMalloc)).collect();
    assert!(others.iter().all(|other| !arena.contains(&**other)));
    Heap::scope(|heap| assert!(!arena.contains(heap.alloc(1).unwrap()))).unwrap();
    assert!(!arena.contains(&()));
}

#[test]
fn reserved() {
    let arena = Arena::reserve(Arena::unit() + 1).unwrap();
    assert_eq!(arena.size(), 2 * Arena::unit());
    serves_again_and_again(arena);
}

/// Whether the build has guard pages, which are not possible in memory that stays committed.
fn needs_guard_pages() -> bool {
    let needs = cfg!(all(mi_v3, feature = "secure_full"));
    if needs {
        println!("not run: a build with `secure_full` has no pages in memory of the program");
    }
    needs
}

/// Addresses only: the operating system commits memory when it is touched.
fn memory(size: usize) -> &'static mut [MaybeUninit<u8>] {
    let mut memory = std::vec::Vec::with_capacity(size);
    // SAFETY: what may be uninitialised needs no value.
    unsafe { memory.set_len(size) };
    std::vec::Vec::leak(memory)
}

#[test]
fn over_memory_of_the_program() {
    if needs_guard_pages() {
        return;
    }
    let size = 2 * Arena::alignment() + Arena::unit();
    let memory = memory(size);
    let range = memory.as_ptr_range();
    let arena = Arena::over(memory).unwrap();
    let start = arena.start().cast::<MaybeUninit<u8>>();
    assert!(range.contains(&start) && range.end as usize - start as usize >= arena.size());
    serves_again_and_again(arena);
}

/// What the program's memory contains does not matter, also where mimalloc has data of its pages: at each multiple of
/// the alignment.
#[test]
fn over_memory_that_is_not_zero() {
    if needs_guard_pages() {
        return;
    }
    let memory = memory(3 * Arena::alignment() + Arena::unit());
    let first = memory.as_ptr().align_offset(Arena::alignment());
    for start in (first..memory.len()).step_by(Arena::alignment()) {
        let end = memory.len().min(start + (4 << 20));
        memory[start..end].fill(MaybeUninit::new(0xa5));
    }
    let arena = Arena::over(memory).unwrap();
    Heap::scope_in(arena, |heap| {
        let heap = &*heap;
        // Beyond the first multiple, and without a use for most of the memory.
        let mut large = std::vec::Vec::new();
        let mut beyond = 0;
        while beyond < 4 {
            let mut block = Vec::<u8, _>::new_in(heap);
            if block.try_reserve_exact(Arena::unit() / 8).is_err() {
                break;
            }
            let offset = block.as_ptr() as usize - arena.start() as usize;
            beyond += usize::from(offset > Arena::alignment());
            large.push(block);
        }
        // The last ones make place for small blocks, which are freed in another order.
        large.truncate(large.len().saturating_sub(4));
        let mut small: std::vec::Vec<_> = (0..200_000)
            .map(|n: usize| Box::new_in([n; 4], heap))
            .collect();
        let far = small.iter().filter(|block| {
            &raw const block[0] as usize - arena.start() as usize > Arena::alignment()
        });
        assert!(cfg!(mi_v2) || far.count() > 1000);
        for n in 0..small.len() {
            small.swap(n, n * 7919 % 200_000);
        }
        drop(small.split_off(100_000));
        assert!(small.iter().all(|block| block[0] == block[3]));
    })
    .unwrap();
}

/// A range that begins where an arena may begin.
#[test]
fn over_aligned_memory() {
    if needs_guard_pages() {
        return;
    }
    let memory = memory(Arena::alignment() + 2 * Arena::unit());
    let lost = memory.as_ptr().align_offset(Arena::alignment());
    let arena = Arena::over(&mut memory[lost..][..Arena::unit()]).unwrap();
    assert_eq!(arena.size(), Arena::unit());
    serves_again_and_again(arena);
}

#[test]
fn memory_that_is_too_small() {
    for size in [0, 1, 1 << 20, Arena::unit() - 1] {
        let error = Arena::over(memory(size)).unwrap_err();
        let least = match error {
            ArenaError::TooSmall { least } => least,
            other => panic!("{other}"),
        };
        let text = error.to_string();
        assert!(text.contains(&format!("{} MiB", least >> 20)), "{text}");
        assert!(Arena::over(memory(least)).is_ok());
    }
}

#[test]
fn sizes_that_cannot_be_reserved() {
    for size in [usize::MAX, isize::MAX as usize, usize::MAX / 4] {
        assert_eq!(Arena::reserve(size), Err(ArenaError::OutOfMemory));
    }
}

#[test]
fn from_another_thread() {
    let arena = std::thread::spawn(|| Arena::reserve(1).unwrap())
        .join()
        .unwrap();
    assert_eq!(arena.size(), Arena::unit());
    let text = std::thread::spawn(move || {
        Heap::scope_in(arena, |heap| heap.alloc_str("text").unwrap().to_owned()).unwrap()
    })
    .join()
    .unwrap();
    assert_eq!(text, "text");
    // SAFETY: it is the id of an arena.
    assert_eq!(unsafe { Arena::from_raw(arena.as_raw()) }, arena);
}

//! `MiMalloc` and `Heap` as allocators: every layout, and the contents of a block after it changes its size.

use allocator_api2::alloc::Allocator;
use allocator_api2::{boxed::Box, vec::Vec};
use core::alloc::Layout;
use core::ptr::NonNull;
use mi_malloc::{Heap, MiMalloc};

const SIZES: [usize; 12] = [0, 1, 7, 8, 9, 24, 100, 1024, 1025, 9_000, 70_000, 600_000];
const ALIGNS: [usize; 9] = [1, 2, 8, 16, 32, 64, 4096, 1 << 16, 1 << 20];

fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).unwrap()
}

/// Asserts that the block fits the layout, and returns its bytes.
///
/// # Safety
/// The block is live, nothing else uses it, and its bytes are initialised.
unsafe fn bytes<'a>(block: NonNull<[u8]>, layout: Layout) -> &'a mut [u8] {
    assert_eq!(block.len(), layout.size());
    assert_eq!(block.cast::<u8>().as_ptr() as usize % layout.align(), 0);
    // SAFETY: the caller's promise.
    unsafe { &mut *block.as_ptr() }
}

/// Fast without optimisation too.
fn is_filled(bytes: &[u8], value: u8) -> bool {
    bytes.split_first().map_or(true, |(first, rest)| {
        *first == value && rest == &bytes[..rest.len()]
    })
}

fn every_layout(allocator: impl Allocator) {
    // Twice: the blocks of the second round were in use before, so they are not zero by chance.
    for _ in 0..2 {
        let mut blocks = std::vec::Vec::new();
        for size in SIZES {
            for align in ALIGNS {
                let layout = layout(size, align);
                let zeroed = allocator.allocate_zeroed(layout).unwrap();
                // SAFETY: the block is new, and all of it is zero.
                let block = unsafe { bytes(zeroed, layout) };
                assert!(is_filled(block, 0), "{layout:?}");
                block.fill(0xA7);
                let other = allocator.allocate(layout).unwrap();
                // SAFETY: as large as it says, and written before it is read.
                unsafe {
                    other.cast::<u8>().as_ptr().write_bytes(0x5C, size);
                    bytes(other, layout);
                }
                blocks.push((zeroed, layout, 0xA7));
                blocks.push((other, layout, 0x5C));
            }
        }
        for (block, layout, value) in blocks {
            // SAFETY: allocated above, filled, and not freed.
            unsafe {
                assert!(is_filled(bytes(block, layout), value));
                allocator.deallocate(block.cast(), layout);
            }
        }
    }
}

/// From each size to each other, with each change of alignment.
fn every_change(allocator: impl Allocator) {
    let sizes = [0, 1, 8, 24, 100, 1024, 1500, 70_000, 300_000];
    let aligns = [1, 8, 16, 64, 4096];
    let pairs = |of: &[usize]| -> std::vec::Vec<(usize, usize)> {
        of.iter()
            .flat_map(|a| of.iter().map(move |b| (*a, *b)))
            .collect()
    };
    for (old_size, new_size) in pairs(&sizes) {
        for (old_align, new_align) in pairs(&aligns) {
            for zeroed in [false, true] {
                let (old, new) = (layout(old_size, old_align), layout(new_size, new_align));
                let block = allocator.allocate(old).unwrap();
                // SAFETY: the block is used as its layout says, and then no more but by its new one.
                unsafe {
                    block.cast::<u8>().as_ptr().write_bytes(0x3B, old_size);
                    let block = block.cast();
                    let changed = if new_size < old_size {
                        allocator.shrink(block, old, new).unwrap()
                    } else if zeroed {
                        allocator.grow_zeroed(block, old, new).unwrap()
                    } else {
                        let grown = allocator.grow(block, old, new).unwrap();
                        let tail = grown.cast::<u8>().as_ptr().add(old_size);
                        tail.write_bytes(0, new_size - old_size);
                        grown
                    };
                    let contents = bytes(changed, new);
                    let kept = old_size.min(new_size);
                    assert!(is_filled(&contents[..kept], 0x3B), "{old:?} {new:?}");
                    assert!(is_filled(&contents[kept..], 0), "{old:?} {new:?}");
                    allocator.deallocate(changed.cast(), new);
                }
            }
        }
    }
}

/// A failed call does not change the block.
fn too_much(allocator: impl Allocator) {
    let small = layout(10, 1);
    let huge = layout(isize::MAX as usize, 1);
    assert!(allocator.allocate(huge).is_err());
    assert!(allocator.allocate_zeroed(huge).is_err());
    assert!(allocator
        .allocate(layout(1, 1 << (usize::BITS - 2)))
        .is_err());
    let block = allocator.allocate(small).unwrap();
    // SAFETY: the block is of this layout.
    unsafe {
        block.cast::<u8>().as_ptr().write_bytes(9, 10);
        assert!(allocator.grow(block.cast(), small, huge).is_err());
        assert!(allocator.grow_zeroed(block.cast(), small, huge).is_err());
        assert_eq!(bytes(block, small), [9; 10]);
        allocator.deallocate(block.cast(), small);
    }
    assert!(Vec::<u8, _>::new_in(allocator)
        .try_reserve(isize::MAX as usize)
        .is_err());
}

#[test]
fn layouts() {
    every_layout(MiMalloc);
    Heap::scope(|heap| every_layout(&*heap)).unwrap();
}

#[test]
fn changes() {
    every_change(MiMalloc);
    Heap::scope(|heap| every_change(&*heap)).unwrap();
}

#[test]
fn errors() {
    too_much(MiMalloc);
    Heap::scope(|heap| too_much(&*heap)).unwrap();
}

#[test]
fn mimalloc_for_a_collection() {
    let mut words = Vec::new_in(MiMalloc);
    words.extend((0..1000).map(|n| Box::new_in(n.to_string(), MiMalloc)));
    assert_eq!(*words[999], "999");
    let mut map =
        hashbrown::HashMap::with_hasher_in(hashbrown::DefaultHashBuilder::default(), MiMalloc);
    map.extend(words.iter().map(|word| (word.len(), word.as_str())));
    assert_eq!(map[&3], "999");
}

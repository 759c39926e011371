//! `MiMalloc` in builds with mitigations: damage is noticed for blocks of every size, wherever in a page they lie. On v3
//! the usual case is an entry point of our own, which has to pass on whatever is not usual. The kinds of damage, and
//! what comes of each, are in `tests/attacks.rs`.
//!
//! The test runs in a process of its own, because the error callback is the whole process's.

use crate::{respawn, visit};
use core::ffi::c_void;
use cty::c_int;
use mi_malloc_sys::*;
use std::alloc::{GlobalAlloc, Layout};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering::SeqCst};

const PADDING: usize = 8;

/// What a free block has at its start.
const LINK: usize = 8;

static ERRORS: AtomicUsize = AtomicUsize::new(0);
static LAST: AtomicI32 = AtomicI32::new(0);

unsafe extern "C" fn on_error(error: c_int, _argument: *mut c_void) {
    ERRORS.fetch_add(1, SeqCst);
    LAST.store(error, SeqCst);
}

/// The errors of what is done: how many, and the last one.
fn errors_of(act: impl FnOnce()) -> (usize, c_int) {
    ERRORS.store(0, SeqCst);
    LAST.store(0, SeqCst);
    act();
    (ERRORS.load(SeqCst), LAST.load(SeqCst))
}

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 1).unwrap()
}

fn alloc(size: usize, zeroed: bool) -> *mut u8 {
    let p = alloc_aligned(layout(size), zeroed);
    assert_eq!(unsafe { mi_usable_size(p.cast()) }, size);
    p
}

fn alloc_aligned(layout: Layout, zeroed: bool) -> *mut u8 {
    let p = unsafe {
        if zeroed {
            MiMalloc.alloc_zeroed(layout)
        } else {
            MiMalloc.alloc(layout)
        }
    };
    assert!(
        !p.is_null() && p as usize % layout.align() == 0,
        "{p:p} {layout:?}"
    );
    if zeroed {
        let bytes = unsafe { std::slice::from_raw_parts(p, layout.size()) };
        assert!(bytes.iter().all(|&byte| byte == 0), "{layout:?}");
    }
    unsafe { p.write_bytes(b'S', layout.size()) };
    p
}

fn free(p: *mut u8, size: usize) {
    unsafe { MiMalloc.dealloc(p, layout(size)) };
}

/// All small ones, and some of each larger kind of page.
fn sizes() -> impl Iterator<Item = usize> {
    let larger = [1, 100, 1000, 9000, 9001, 50_000, 100_000, 300_000];
    (1..=MI_SMALL_SIZE_MAX).chain(larger.map(|more| MI_SMALL_SIZE_MAX + more))
}

/// A page has neighbours of the block: on the odd turns fresh blocks, on the even ones used ones.
fn for_each_size(check: impl Fn(*mut u8, usize)) {
    unsafe { mi_register_error(Some(on_error), null_mut()) };
    for size in sizes() {
        for zeroed in [false, true] {
            let mut neighbours: Vec<_> = (0..7).map(|_| alloc(size, zeroed)).collect();
            check(neighbours.swap_remove(3), size);
            let sound = errors_of(|| neighbours.iter().for_each(|&p| free(p, size)));
            assert_eq!(sound, (0, 0), "{size}");
        }
    }
}

/// A double free. The page of a larger block may have been empty after the first one, and its memory be gone.
fn is_freed_again(p: *mut u8, layout: Layout) {
    let (count, last) = errors_of(|| unsafe { MiMalloc.dealloc(p, layout) });
    let is_larger = layout.size() + layout.align() - 1 > MI_SMALL_SIZE_MAX;
    let expected = last == libc::EAGAIN || last == libc::EFAULT && is_larger;
    assert!(
        count == 1 && expected,
        "{layout:?}: {count} errors, the last {last}"
    );
}

/// One after the other: they share the error callback.
#[test]
fn damage_is_noticed_for_every_size() {
    respawn::alone(|| {
        for_each_size(|p, size| {
            // The first byte of the padding, and with byte-precise checks the first one behind the block.
            let block = unsafe { mi_good_size(size) };
            let bytes = [block - PADDING, size];
            let count = if cfg!(feature = "secure_full") { 2 } else { 1 };
            for &byte in &bytes[..count] {
                let p = alloc(size, false);
                unsafe { p.add(byte).write_volatile(b'X') };
                assert_eq!(
                    errors_of(|| free(p, size)),
                    (1, libc::EFAULT),
                    "{size} {byte}"
                );
            }
            free(p, size);
        });

        // A distance from the padding to the end of the contents that cannot be.
        for_each_size(|p, size| unsafe {
            let distance = p.add(mi_good_size(size) - PADDING + 4).cast::<u32>();
            distance.write_unaligned((mi_good_size(size) - PADDING + 1) as u32);
            assert_eq!(errors_of(|| free(p, size)), (1, libc::EFAULT), "{size}");
        });

        for_each_size(|p, size| {
            free(p, size);
            is_freed_again(p, layout(size));
        });

        // A pointer into a block frees the block.
        for_each_size(|p, size| {
            for inside in [1, 8, 16, size / 2, size - 1] {
                if inside > 0 && inside < size {
                    // It may be the first block of a page, which the neighbour keeps.
                    let [q, neighbour] = [alloc(size, false), alloc(size, false)];
                    let middle = unsafe { q.add(inside) };
                    assert_eq!(errors_of(|| free(middle, size)), (0, 0), "{size} {inside}");
                    is_freed_again(q, layout(size));
                    free(neighbour, size);
                }
            }
            free(p, size);
        });

        // A list of free blocks that leads elsewhere.
        for_each_size(|p, size| {
            if size > MI_SMALL_SIZE_MAX {
                return free(p, size);
            }
            free(p, size);
            unsafe { p.cast::<usize>().write_unaligned(!0) };
            let mut blocks = Vec::new();
            let noticed = errors_of(|| {
                while ERRORS.load(SeqCst) == 0 && blocks.len() < 20_000 {
                    blocks.push(alloc(size, size % 2 == 0));
                }
            });
            assert_eq!(noticed, (1, libc::EFAULT), "{size}");
            assert_eq!(blocks.last(), Some(&p), "{size}");
            blocks.iter().for_each(|&p| free(p, size));
        });
    });
}

/// Where the padding of a block is, wherever in its block the pointer is.
fn padding_of(p: *mut u8) -> *mut u8 {
    let blocks = unsafe { visit::heap(mi_heap_main()) };
    let is_there = |area: &&mi_heap_area_t| {
        (area.blocks as usize..area.blocks as usize + area.committed).contains(&(p as usize))
    };
    let area = blocks.areas.iter().find(is_there).expect("no area");
    let offset = (p as usize - area.blocks as usize) % area.full_block_size;
    unsafe { p.add(area.full_block_size - offset - PADDING) }
}

/// Sizes that are naturally aligned with their padding, and others that are inside a larger block; small and large ones.
fn aligned_layouts() -> impl Iterator<Item = Layout> {
    let small = [1, 24, 100, 120, 128, 500, 504, 1000, 1016, 1020, 1024];
    let larger = [1030, 2040, 3000, 4088, 4096, 9000];
    let sizes = small.into_iter().chain(larger);
    sizes.flat_map(|size| {
        [32, 64, 128, 512, 4096].map(|align| Layout::from_size_align(size, align).unwrap())
    })
}

#[test]
fn damage_is_noticed_for_every_alignment() {
    respawn::alone(|| {
        unsafe { mi_register_error(Some(on_error), null_mut()) };
        for (layout, zeroed) in
            aligned_layouts().flat_map(|layout| [(layout, false), (layout, true)])
        {
            let free = |p| unsafe { MiMalloc.dealloc(p, layout) };
            // One of the other two is in the same page, which therefore remains when the block is free.
            let check = |check: &dyn Fn(*mut u8)| {
                let [before, p, after] = [(); 3].map(|_| alloc_aligned(layout, zeroed));
                if layout.align() <= 64 {
                    assert_eq!(unsafe { mi_usable_size(p.cast()) }, layout.size());
                }
                check(p);
                assert_eq!(errors_of(|| free(before)), (0, 0), "{layout:?}");
                assert_eq!(errors_of(|| free(after)), (0, 0), "{layout:?}");
            };
            check(&|p| {
                unsafe { padding_of(p).write_volatile(b'X') };
                assert_eq!(errors_of(|| free(p)), (1, libc::EFAULT), "{layout:?}");
            });
            if cfg!(feature = "secure_full") {
                check(&|p| {
                    unsafe { p.add(mi_usable_size(p.cast())).write_volatile(b'X') };
                    assert_eq!(errors_of(|| free(p)), (1, libc::EFAULT), "{layout:?}");
                });
            }
            check(&|p| {
                assert_eq!(errors_of(|| free(p)), (0, 0), "{layout:?}");
                is_freed_again(p, layout);
            });
            // A pointer into a block frees the block.
            check(&|p| {
                let middle = unsafe { p.add(layout.size() / 2) };
                assert_eq!(errors_of(|| free(middle)), (0, 0), "{layout:?}");
                is_freed_again(p, layout);
            });
        }
    });
}

/// A block that grows beyond its size class moves, and its padding is checked.
#[test]
fn damage_is_noticed_when_a_block_moves() {
    respawn::alone(|| {
        for_each_size(|p, size| {
            for new_size in [2 * size + 100, 10 * size + 5000] {
                let q = alloc(size, false);
                unsafe { padding_of(q).write_volatile(b'X') };
                let mut moved = null_mut();
                let noticed = errors_of(|| {
                    moved = unsafe { MiMalloc.realloc(q, layout(size), new_size) };
                });
                assert_eq!(noticed, (1, libc::EFAULT), "{size} {new_size}");
                assert_eq!(errors_of(|| free(moved, new_size)), (0, 0), "{size}");
            }
            // Nothing of a free block gets into the new one, which would have the link to the next free block.
            free(p, size);
            if size >= LINK {
                let link = unsafe { p.cast::<[u8; LINK]>().read_unaligned() };
                let mut moved = null_mut();
                let (count, _) = errors_of(|| {
                    moved = unsafe { MiMalloc.realloc(p, layout(size), 10 * size + 5000) };
                });
                assert_eq!(count, 1, "{size}");
                let start = unsafe { moved.cast::<[u8; LINK]>().read_unaligned() };
                assert!(start != link, "{size}");
                free(moved, 10 * size + 5000);
            }
        });
    });
}

/// Where a program says that more of a block is in use than it has, no more than the block is copied.
#[test]
fn no_more_is_copied_than_a_block_has() {
    respawn::alone(|| {
        for_each_size(|p, size| {
            let q = alloc(size, false);
            let wrong = layout(10 * size + 10_000);
            let new_size = 2 * size + 100;
            let mut moved = null_mut();
            let noticed = errors_of(|| {
                moved = unsafe { MiMalloc.realloc(q, wrong, new_size) };
            });
            assert_eq!(noticed, (0, 0), "{size}");
            let bytes = unsafe { std::slice::from_raw_parts(moved, size) };
            assert!(bytes.iter().all(|&byte| byte == b'S'), "{size}");
            assert_eq!(errors_of(|| free(moved, new_size)), (0, 0), "{size}");
            free(p, size);
        });
    });
}

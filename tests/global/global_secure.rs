//! `MiMalloc` in builds with mitigations: damage is noticed for blocks of every size, wherever in a page they lie. On v3
//! the usual case is an entry point of our own, which has to pass on whatever is not usual. The kinds of damage, and
//! what comes of each, are in `tests/attacks.rs`.
//!
//! The test runs in a process of its own, because the error callback is the whole process's.

use crate::respawn;
use core::ffi::c_void;
use cty::c_int;
use mi_malloc_sys::*;
use std::alloc::{GlobalAlloc, Layout};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering::SeqCst};

const PADDING: usize = 8;

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
    let p = unsafe {
        if zeroed {
            MiMalloc.alloc_zeroed(layout(size))
        } else {
            MiMalloc.alloc(layout(size))
        }
    };
    assert!(!p.is_null());
    assert_eq!(unsafe { mi_usable_size(p.cast()) }, size);
    if zeroed {
        let bytes = unsafe { std::slice::from_raw_parts(p, size) };
        assert!(bytes.iter().all(|&byte| byte == 0), "{size}");
    }
    unsafe { p.write_bytes(b'S', size) };
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
fn is_freed_again(p: *mut u8, size: usize) {
    let (count, last) = errors_of(|| free(p, size));
    let expected = last == libc::EAGAIN || last == libc::EFAULT && size > MI_SMALL_SIZE_MAX;
    assert!(
        count == 1 && expected,
        "{size}: {count} errors, the last {last}"
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
            is_freed_again(p, size);
        });

        // A pointer into a block frees the block.
        for_each_size(|p, size| {
            for inside in [1, 8, 16, size / 2, size - 1] {
                if inside > 0 && inside < size {
                    // It may be the first block of a page, which the neighbour keeps.
                    let [q, neighbour] = [alloc(size, false), alloc(size, false)];
                    let middle = unsafe { q.add(inside) };
                    assert_eq!(errors_of(|| free(middle, size)), (0, 0), "{size} {inside}");
                    is_freed_again(q, size);
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

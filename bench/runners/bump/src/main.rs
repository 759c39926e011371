//! The lower bound: returns the next bytes of a large region and never frees. No real allocator has
//! so little to do; one that is faster nevertheless wins by reusing memory that is still in
//! the cache.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use workloads::runner::{self, Hooks};

/// Address space only: the system provides memory as it is touched.
const REGION: usize = 16 << 30;
/// How much a thread takes from the region at a time.
const CHUNK: usize = 4 << 20;

struct Bump;

static START: AtomicUsize = AtomicUsize::new(0);
static NEXT_CHUNK: AtomicUsize = AtomicUsize::new(0);
static MARK: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// The free part of this thread's chunk, as offsets into the region.
    static FREE: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

fn start() -> usize {
    let start = START.load(Ordering::Acquire);
    if start != 0 {
        return start;
    }
    // The first allocation of a program comes before its first thread: no two get here.
    let (access, kind) = (
        libc::PROT_READ | libc::PROT_WRITE,
        libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
    );
    // SAFETY: a fresh mapping, wherever the system likes.
    let region = unsafe { libc::mmap(std::ptr::null_mut(), REGION, access, kind, -1, 0) };
    if region == libc::MAP_FAILED {
        return 0;
    }
    START.store(region as usize, Ordering::Release);
    region as usize
}

// SAFETY: no byte of the region is handed out twice between two resets.
unsafe impl GlobalAlloc for Bump {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let (free, end) = FREE.get();
        let at = (free + layout.align() - 1) & !(layout.align() - 1);
        let next = at + layout.size();
        if next <= end {
            FREE.set((next, end));
            return (START.load(Ordering::Relaxed) + at) as *mut u8;
        }
        fresh(layout)
    }

    #[inline]
    unsafe fn dealloc(&self, _block: *mut u8, _layout: Layout) {}
}

#[cold]
fn fresh(layout: Layout) -> *mut u8 {
    let start = start();
    let size = (layout.size() + layout.align()).next_multiple_of(CHUNK);
    let chunk = NEXT_CHUNK.fetch_add(size, Ordering::Relaxed);
    if start == 0 || chunk + size > REGION {
        return std::ptr::null_mut();
    }
    let at = chunk.next_multiple_of(layout.align());
    FREE.set((at + layout.size(), chunk + size));
    (start + at) as *mut u8
}

/// Remembers where the repetitions begin. Whatever the program keeps lies before it.
fn mark() {
    MARK.store(NEXT_CHUNK.load(Ordering::Relaxed), Ordering::Relaxed);
    reset();
}

/// Restarts from the mark: the memory of the previous repetition, which has freed all of it, is
/// reused. Otherwise the system's cost of fresh memory would dominate the measurement.
fn reset() {
    NEXT_CHUNK.store(MARK.load(Ordering::Relaxed), Ordering::Relaxed);
    FREE.set((0, 0));
}

#[global_allocator]
static GLOBAL: Bump = Bump;

fn main() -> std::process::ExitCode {
    runner::main(Hooks {
        mark: Some(mark),
        reset: Some(reset),
        ..Hooks::default()
    })
}

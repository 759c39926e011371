//! The places that allocate: a table of call stacks with what was sampled there.
//!
//! Samples arrive in the middle of allocations, on all threads. So the table has no lock, which a thread could hold
//! when it allocates, or a fork copy. It only grows: a site is added at the head of a list and stays.

use crate::sys;
use core::mem::{size_of, size_of_val};
use core::ptr;
use core::slice;
use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering::*};

/// How much something is, estimated from samples.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Weight {
    pub bytes: u64,
    /// In parts of an object, see [`Weight::PARTS`].
    parts: u64,
}

impl Weight {
    /// A sample often stands for one object and a half.
    const PARTS: f64 = 1024.0;

    pub fn new(bytes: f64, objects: f64) -> Weight {
        Weight {
            bytes: bytes.round() as u64,
            parts: (objects * Weight::PARTS).round() as u64,
        }
    }

    pub fn objects(self) -> u64 {
        (self.parts as f64 / Weight::PARTS).round() as u64
    }
}

/// A sum of weights.
#[derive(Debug, Default)]
struct Sum {
    bytes: AtomicU64,
    parts: AtomicU64,
}

impl Sum {
    fn add(&self, weight: Weight) {
        self.bytes.fetch_add(weight.bytes, Relaxed);
        self.parts.fetch_add(weight.parts, Relaxed);
    }

    fn subtract(&self, weight: Weight) {
        self.bytes.fetch_sub(weight.bytes, Relaxed);
        self.parts.fetch_sub(weight.parts, Relaxed);
    }

    fn clear(&self) {
        self.bytes.store(0, Relaxed);
        self.parts.store(0, Relaxed);
    }

    /// A reader may see the end of a block before its beginning: that is nothing, and not a huge number.
    fn get(&self) -> Weight {
        let positive = |number: u64| (number as i64).max(0) as u64;
        Weight {
            bytes: positive(self.bytes.load(Relaxed)),
            parts: positive(self.parts.load(Relaxed)),
        }
    }
}

/// A call stack, and what was sampled there.
pub struct Site {
    next: *const Site,
    /// The next one in the list of its heap, to which a site is added after the other list.
    next_of_heap: AtomicPtr<Site>,
    hash: usize,
    /// The address of a heap that can end before its blocks are freed; 0 for the main heap, which cannot.
    heap: usize,
    allocated: Sum,
    in_use: Sum,
    /// They are in the same block, behind the site.
    frames: *const usize,
    depth: usize,
}

impl Site {
    pub fn allocate(&self, weight: Weight) {
        self.allocated.add(weight);
        self.in_use.add(weight);
    }

    pub fn free(&self, weight: Weight) {
        self.in_use.subtract(weight);
    }

    pub fn allocated(&self) -> Weight {
        self.allocated.get()
    }

    pub fn in_use(&self) -> Weight {
        self.in_use.get()
    }

    pub fn frames(&self) -> &[usize] {
        // SAFETY: `make` wrote so many frames, and nobody changes or frees them.
        unsafe { slice::from_raw_parts(self.frames, self.depth) }
    }

    fn is(&self, hash: usize, heap: usize, frames: &[usize]) -> bool {
        self.hash == hash && self.heap == heap && self.frames() == frames
    }
}

const BUCKETS: usize = 4096;
const HEAP_BUCKETS: usize = 256;

pub struct Table {
    by_stack: [AtomicPtr<Site>; BUCKETS],
    by_heap: [AtomicPtr<Site>; HEAP_BUCKETS],
}

impl Table {
    pub const fn new() -> Table {
        #[allow(clippy::declare_interior_mutable_const)] // an initial value
        const EMPTY: AtomicPtr<Site> = AtomicPtr::new(ptr::null_mut());
        Table {
            by_stack: [EMPTY; BUCKETS],
            by_heap: [EMPTY; HEAP_BUCKETS],
        }
    }

    /// The site of a stack and a heap, which is added if it is new; `None` if memory has run out.
    pub fn site(&'static self, heap: usize, frames: &[usize]) -> Option<&'static Site> {
        let hash = frames.iter().fold(mix(heap), |hash, frame| {
            mix(hash.wrapping_mul(31).wrapping_add(*frame))
        });
        let bucket = &self.by_stack[hash % BUCKETS];
        let mut new: *mut Site = ptr::null_mut();
        // Acquire: what a site holds was written before it was added.
        let mut head = bucket.load(Acquire);
        loop {
            if let Some(found) =
                list(head, |site| site.next).find(|site| site.is(hash, heap, frames))
            {
                // SAFETY: not yet added, so it is this thread's alone; from `mi_malloc`, or NULL.
                unsafe { sys::mi_free(new.cast()) };
                return Some(found);
            }
            if new.is_null() {
                new = Site::make(hash, heap, frames)?;
            }
            // SAFETY: not yet added, so it is this thread's alone.
            unsafe { (*new).next = head };
            match bucket.compare_exchange_weak(head, new, AcqRel, Acquire) {
                Ok(_) => break,
                // Another thread has added a site, maybe this one.
                Err(other) => head = other,
            }
        }
        // SAFETY: a site that has been added stays for ever.
        let site = unsafe { &*new };
        if heap != 0 {
            let bucket = self.of_heap(heap);
            let mut head = bucket.load(Relaxed);
            loop {
                site.next_of_heap.store(head, Relaxed);
                match bucket.compare_exchange_weak(head, new, Release, Relaxed) {
                    Ok(_) => break,
                    Err(other) => head = other,
                }
            }
        }
        Some(site)
    }

    pub fn sites(&'static self) -> impl Iterator<Item = &'static Site> {
        self.by_stack
            .iter()
            .flat_map(|head| list(head.load(Acquire), |site| site.next))
    }

    /// Forgets the weights, not the sites.
    pub fn clear(&'static self) {
        for site in self.sites() {
            site.allocated.clear();
            site.in_use.clear();
        }
    }

    /// A heap has ended, and with it the blocks that were in use.
    pub fn end_heap(&'static self, heap: usize) {
        let head = self.of_heap(heap).load(Acquire);
        list(head, |site| site.next_of_heap.load(Acquire))
            .filter(|site| site.heap == heap)
            .for_each(|site| site.in_use.clear());
    }

    fn of_heap(&self, heap: usize) -> &AtomicPtr<Site> {
        &self.by_heap[mix(heap) % HEAP_BUCKETS]
    }
}

impl Site {
    /// In a block of mimalloc: the program's global allocator may be in the middle of something.
    fn make(hash: usize, heap: usize, frames: &[usize]) -> Option<*mut Site> {
        let depth = frames.len();
        // SAFETY: always safe to call; a block of this size has the alignment of a `Site`, and there is place for the
        // frames behind it.
        unsafe {
            let block = sys::mi_malloc(size_of::<Site>() + size_of_val(frames));
            let site = block.cast::<Site>();
            if site.is_null() {
                return None;
            }
            let behind = site.add(1).cast();
            ptr::copy_nonoverlapping(frames.as_ptr(), behind, depth);
            site.write(Site {
                next: ptr::null(),
                next_of_heap: AtomicPtr::new(ptr::null_mut()),
                hash,
                heap,
                allocated: Sum::default(),
                in_use: Sum::default(),
                frames: behind,
                depth,
            });
            Some(site)
        }
    }
}

/// The sites from `head` on.
fn list(
    head: *const Site,
    next: impl Fn(&Site) -> *const Site,
) -> impl Iterator<Item = &'static Site> {
    // SAFETY: what is in a list is a site that is never freed, or NULL.
    let site = move |site: *const Site| unsafe { site.as_ref() };
    core::iter::successors(site(head), move |found| site(next(found)))
}

/// Spreads what differs in a few bits over all of them.
fn mix(number: usize) -> usize {
    let mixed = (number as u64 ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed ^ mixed >> 29) as usize
}

#[cfg(test)]
mod tests {
    use super::{Table, Weight};
    use std::vec::Vec;

    #[test]
    fn a_stack_has_one_site() {
        static TABLE: Table = Table::new();
        let add = |_| {
            std::thread::spawn(|| {
                for round in 0..500 {
                    let site = TABLE.site(round % 2 * 64, &[round % 100, 7]).unwrap();
                    site.allocate(Weight::new(10.0, 1.0));
                }
            })
        };
        let threads: Vec<_> = (0..8).map(add).collect();
        threads.into_iter().for_each(|t| t.join().unwrap());
        assert_eq!(TABLE.sites().count(), 100);
        assert!(TABLE.sites().all(|site| site.in_use().bytes == 8 * 5 * 10));

        TABLE.end_heap(64);
        let in_use = |heap: usize| {
            TABLE
                .sites()
                .filter(|site| site.frames()[0] % 2 * 64 == heap)
                .map(|site| site.in_use().objects())
                .sum::<u64>()
        };
        assert_eq!([in_use(0), in_use(64)], [8 * 250, 0]);
        assert!(TABLE.sites().all(|site| site.allocated().objects() == 40));
        TABLE.clear();
        assert!(TABLE
            .sites()
            .all(|site| site.allocated() == Weight::default()));
    }

    #[test]
    fn less_than_nothing_is_nothing() {
        static TABLE: Table = Table::new();
        let site = TABLE.site(0, &[]).unwrap();
        site.free(Weight::new(3.0, 1.5));
        assert_eq!(site.in_use(), Weight::default());
        site.allocate(Weight::new(5.0, 3.5));
        assert_eq!((site.in_use().bytes, site.in_use().objects()), (2, 2));
    }
}

//! Heaps: the values in them, what a heap reports of its blocks, and how heaps end.

use allocator_api2::{boxed::Box, vec::Vec};
use hashbrown::{DefaultHashBuilder, HashMap};
use mi_malloc::{Heap, MiMalloc};
use std::cell::Cell;
use std::panic::{catch_unwind, AssertUnwindSafe};

#[allow(dead_code)]
#[path = "support/mode.rs"]
mod mode;

/// The blocks that are in use: start and size.
fn blocks(heap: &mut Heap) -> std::vec::Vec<(usize, usize)> {
    let mut blocks = std::vec::Vec::new();
    heap.visit_blocks(|block| blocks.push((block.start as usize, block.size)));
    blocks
}

#[test]
fn collections_live_in_a_heap() {
    Heap::scope(|heap| {
        {
            let heap = &*heap;
            let mut map = HashMap::with_hasher_in(DefaultHashBuilder::default(), heap);
            for n in 0..10_000u32 {
                let mut digits = Vec::new_in(heap);
                digits.extend(n.to_string().bytes());
                map.insert(n, Box::new_in(digits, heap));
            }
            for n in (0..10_000).step_by(2) {
                map.remove(&n);
            }
            assert_eq!(map.len(), 5000);
            for (n, digits) in &map {
                assert_eq!(digits.as_slice(), n.to_string().as_bytes());
                assert!(heap.contains(n));
                assert!(heap.contains(&digits[0]) && heap.contains(&**digits));
            }
        }
        // All of them were dropped, and left nothing.
        assert_eq!(blocks(heap), []);
    })
    .unwrap();
}

/// Values are dropped with their collections; leaked values are not dropped.
#[test]
fn destructors() {
    if mode::leaks_end_the_process() {
        return;
    }
    struct Counted<'a>(&'a Cell<u32>);
    impl Drop for Counted<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    let dropped = Cell::new(0);
    Heap::scope(|heap| {
        let heap = &*heap;
        let mut values = Vec::new_in(heap);
        values.extend((0..10).map(|_| Counted(&dropped)));
        drop(Box::new_in(Counted(&dropped), heap));
        assert_eq!(dropped.get(), 1);
        drop(values);
        assert_eq!(dropped.get(), 11);
        heap.alloc(Counted(&dropped)).unwrap();
        Box::leak(Box::new_in(Counted(&dropped), heap));
        std::mem::forget(Box::new_in(Counted(&dropped), heap));
    })
    .unwrap();
    assert_eq!(dropped.get(), 11);
}

#[test]
fn values_in_place() {
    if mode::leaks_end_the_process() {
        return;
    }
    #[repr(align(4096))]
    struct Page([u8; 4096]);
    Heap::scope(|heap| {
        let number = heap.alloc(7u64).unwrap();
        let other = heap.alloc(8u64).unwrap();
        std::mem::swap(number, other);
        assert_eq!((*number, *other), (8, 7));
        let page = heap.alloc(Page([1; 4096])).unwrap();
        assert_eq!(page as *const Page as usize % 4096, 0);
        assert_eq!(page.0[4095], 1);
        let text = heap.alloc_str("straße").unwrap();
        assert_eq!(text, "straße");
        let slice = heap.alloc_slice(&[1u16, 2, 3]).unwrap();
        slice[1] = 9;
        assert_eq!(slice, [1, 9, 3]);
        assert!(heap.contains(number) && heap.contains(text) && heap.contains(slice));
        // Values without size need no memory.
        heap.alloc(()).unwrap();
        assert_eq!(heap.alloc_str("").unwrap(), "");
        assert_eq!(heap.alloc_slice::<u64>(&[]).unwrap(), []);
        assert_eq!(blocks(heap).len(), 5);
    })
    .unwrap();
}

#[test]
fn what_a_heap_contains() {
    static STATIC: u64 = 7;
    Heap::scope(|heap| {
        Heap::scope(|other| {
            let (heap, other) = (&*heap, &*other);
            for size in [
                1,
                8,
                100,
                5_000,
                100_000,
                3_000_000,
                40_000_000,
                300_000_000,
            ] {
                let mut bytes = Vec::<u8, _>::with_capacity_in(size, heap);
                // v3 finds the heap of addresses in the first 4 MiB of a block.
                bytes.resize(size.min(3_900_000), 0);
                for value in [&bytes[0], &bytes[bytes.len() / 2], &bytes[bytes.len() - 1]] {
                    assert!(heap.contains(value), "{size}");
                    assert!(!other.contains(value), "{size}");
                }
                // The end of a block is not part of it; that memory may belong to anything.
                assert!(!heap.contains(&bytes[bytes.len()..]));
            }
            #[repr(align(65536))]
            struct Aligned(u8);
            let aligned = Box::new_in(Aligned(1), heap);
            assert!(heap.contains(&*aligned) && heap.contains(&aligned.0));
            let local = 7u64;
            let global = std::boxed::Box::new(7u64);
            let mimallocs = Box::new_in(7u64, MiMalloc);
            for outside in [&STATIC, &local, &global, &mimallocs] {
                assert!(!heap.contains(outside));
            }
            assert!(!heap.contains(&()));
        })
        .unwrap();
    })
    .unwrap();
}

#[test]
fn a_visit_finds_the_leaked_blocks() {
    if mode::leaks_end_the_process() {
        return;
    }
    Heap::scope(|heap| {
        assert_eq!(blocks(heap), []);
        let mut expected = std::vec::Vec::new();
        {
            let heap = &*heap;
            let kept: std::vec::Vec<_> = (0..3000usize)
                .map(|n| Vec::<u8, _>::with_capacity_in(1 + n * 7, heap))
                .collect();
            for (n, bytes) in kept.into_iter().enumerate() {
                if n % 3 == 0 {
                    expected.push((bytes.as_ptr() as usize, bytes.capacity()));
                    std::mem::forget(bytes);
                }
            }
            let large = Vec::<u8, _>::with_capacity_in(50_000_000, heap);
            expected.push((large.as_ptr() as usize, large.capacity()));
            std::mem::forget(large);
        }
        let mut seen = blocks(heap);
        seen.sort_unstable();
        expected.sort_unstable();
        assert_eq!(seen.len(), expected.len());
        for ((start, size), (leaked, requested)) in seen.iter().zip(&expected) {
            assert!(start <= leaked && leaked + requested <= start + size);
        }

        let mut used = 0;
        heap.visit_areas(|area| {
            assert!(area.committed <= area.reserved);
            assert!(area.used * area.block_size <= area.committed);
            let (from, to) = (area.start as usize, area.start as usize + area.committed);
            let inside = seen.iter().filter(|(start, _)| (from..to).contains(start));
            assert_eq!(inside.count(), area.used);
            used += area.used;
        });
        assert_eq!(used, seen.len());
    })
    .unwrap();
}

#[test]
fn a_visitor_allocates_elsewhere() {
    if mode::leaks_end_the_process() {
        return;
    }
    Heap::scope(|heap| {
        for n in 0..2000 {
            heap.alloc(n).unwrap();
        }
        Heap::scope(|other| {
            let mut seen = Vec::new_in(MiMalloc);
            heap.visit_blocks(|block| {
                seen.push(block.size);
                other.alloc(block.size).unwrap();
                Heap::scope(|third| *third.alloc(1).unwrap()).unwrap();
            });
            assert_eq!(seen.len(), 2000);
            assert_eq!(blocks(other).len(), 2000);
        })
        .unwrap();
    })
    .unwrap();
}

#[test]
fn a_visitor_panics() {
    if mode::leaks_end_the_process() {
        return;
    }
    Heap::scope(|heap| {
        for n in 0..100 {
            heap.alloc(n).unwrap();
        }
        for wanted in [1, 7, 100] {
            let mut calls = 0;
            let panic = catch_unwind(AssertUnwindSafe(|| {
                heap.visit_blocks(|_| {
                    calls += 1;
                    if calls == wanted {
                        std::panic::panic_any(calls);
                    }
                });
            }))
            .unwrap_err();
            assert_eq!((panic.downcast_ref(), calls), (Some(&wanted), wanted));
        }
        let panic = catch_unwind(AssertUnwindSafe(|| heap.visit_areas(|_| panic!("area"))));
        assert_eq!(panic.unwrap_err().downcast_ref(), Some(&"area"));
        // The heap is unchanged.
        heap.alloc(1).unwrap();
        assert_eq!(blocks(heap).len(), 101);
    })
    .unwrap();
}

#[test]
fn a_scope_panics() {
    if mode::leaks_end_the_process() {
        return;
    }
    let panic = catch_unwind(|| {
        Heap::scope(|heap| {
            let _bytes = Vec::<u8, _>::with_capacity_in(1000, &*heap);
            heap.alloc([1; 1000]).unwrap();
            panic!("scope");
        })
    });
    assert_eq!(panic.unwrap_err().downcast_ref(), Some(&"scope"));
}

#[test]
fn heaps_may_change_places() {
    if mode::leaks_end_the_process() {
        return;
    }
    Heap::scope(|outer| {
        outer.alloc(1).unwrap();
        Heap::scope(|inner| {
            inner.alloc(2).unwrap();
            inner.alloc(3).unwrap();
            std::mem::swap(outer, inner);
            assert_eq!((blocks(outer).len(), blocks(inner).len()), (2, 1));
        })
        .unwrap();
        let value = outer.alloc(4).unwrap();
        assert_eq!(*value, 4);
        assert_eq!(blocks(outer).len(), 3);
    })
    .unwrap();
}

#[test]
fn too_much() {
    Heap::scope(|heap| {
        let error = heap
            .alloc_slice(&std::vec![(); 10])
            .map(|units| units.len());
        assert_eq!(error, Ok(10));
        let mut bytes = Vec::<u8, _>::new_in(&*heap);
        assert!(bytes.try_reserve_exact(isize::MAX as usize).is_err());
        assert!(bytes.try_reserve_exact(1000).is_ok());
        heap.collect(false);
        heap.collect(true);
    })
    .unwrap();
}

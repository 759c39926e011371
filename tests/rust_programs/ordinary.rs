//! Ordinary Rust code with `MiMalloc` as this program's global allocator. (`tests/global/global_alloc.rs` calls it
//! by hand, at its corners.)

use core::ffi::c_void;
use mi_malloc_sys::*;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::mem::align_of;
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;

use crate::memory::is_aligned;
use crate::random::Random;

#[repr(align(64))]
#[derive(Clone, Copy, PartialEq, Debug)]
struct CacheLine(u32);

#[repr(align(4096))]
#[derive(Clone)]
struct OnItsOwnPage([u8; 5000]);

#[test]
fn blocks_are_mimallocs() {
    fn assert_is_mimallocs<T>(p: *const T, size: usize) {
        let p: *const c_void = p.cast();
        unsafe {
            assert!(mi_usable_size(p) >= size);
            #[cfg(mi_v3)]
            assert_eq!(mi_heap_of(p), mi_heap_main());
            #[cfg(mi_v2)]
            assert!(mi_heap_contains_block(mi_heap_get_default(), p));
        }
    }
    assert_is_mimallocs(&*Box::new(1_u8), 1);
    assert_is_mimallocs(&*Box::new([0_u64; 1000]), 8000);
    assert_is_mimallocs(&*Box::new(CacheLine(1)), 64);
    assert_is_mimallocs(String::from("text").as_ptr(), 4);
    assert_is_mimallocs(vec![0_u32; 100_000].as_ptr(), 400_000);
    // What does not live there.
    let on_the_stack = 1;
    #[allow(deprecated)]
    let is_in_heap = unsafe { mi_is_in_heap_region((&on_the_stack as *const i32).cast()) };
    assert!(!is_in_heap);
}

/// Inserts, grows, drops and checks, as `seed` wants it. Gives a sum over all that is left.
fn work(seed: u64) -> u64 {
    let mut random = Random::new(seed);
    let mut words = HashMap::new();
    let mut vectors = BTreeMap::new();
    let mut queue = VecDeque::new();
    for n in 0..20_000 {
        let key = random.below(3000);
        *words.entry(key).or_insert_with(String::new) += "word ";
        vectors.insert(key, vec![n; key % 300]);
        queue.push_back(CacheLine(n));
        if queue.len() > 500 {
            assert_eq!(queue.pop_front(), Some(CacheLine(n - 500)));
        }
        if n % 7 == 0 {
            words.remove(&random.below(3000));
            vectors.remove(&random.below(3000));
        }
    }
    for (key, vector) in &vectors {
        assert_eq!(vector.len(), key % 300);
        assert!(vector.windows(2).all(|pair| pair[0] == pair[1]));
    }
    for text in words.values() {
        assert!(text.split_terminator(' ').all(|word| word == "word"));
    }
    let numbers = vectors.values().flatten().map(|n| u64::from(*n));
    numbers.sum::<u64>() + words.values().map(|text| text.len() as u64).sum::<u64>()
}

#[test]
fn collections() {
    assert_eq!(work(1), work(1));
    assert_ne!(work(1), work(2));
}

#[test]
fn collections_on_several_threads() {
    let threads: Vec<_> = (0..4).map(|_| thread::spawn(|| work(3))).collect();
    let here = work(3);
    for thread in threads {
        assert_eq!(thread.join().unwrap(), here);
    }
}

/// What one thread makes, others change and drop, also after the thread has ended.
#[test]
fn values_that_go_from_thread_to_thread() {
    type Value = (usize, String, Vec<CacheLine>, Box<[u8]>);
    fn check(value: &Value, length: usize) {
        let (n, text, lines, bytes) = value;
        assert_eq!(*text, format!("number {n}"));
        assert_eq!(lines.len(), length);
        assert!(lines.iter().all(|line| line.0 as usize == *n));
        assert!(bytes.len() == n % 3000 && bytes.iter().all(|byte| *byte == *n as u8));
    }
    let (give, take) = mpsc::sync_channel::<Value>(100);
    let (pass, receive) = mpsc::channel();
    let maker = thread::spawn(move || {
        for n in 0..5000 {
            let bytes = vec![n as u8; n % 3000].into_boxed_slice();
            let lines = vec![CacheLine(n as u32); n % 20];
            give.send((n, format!("number {n}"), lines, bytes)).unwrap();
        }
    });
    let changer = thread::spawn(move || {
        for mut value in take {
            let n = value.0;
            check(&value, n % 20);
            value.2.push(CacheLine(n as u32));
            value.2.shrink_to_fit();
            if n % 2 == 0 {
                pass.send(value).unwrap();
            }
        }
    });
    maker.join().unwrap();
    changer.join().unwrap();
    let left: Vec<Value> = receive.iter().collect();
    assert_eq!(left.len(), 2500);
    for value in left {
        check(&value, value.0 % 20 + 1);
    }
}

#[test]
fn over_aligned_types() {
    let mut pages = vec![OnItsOwnPage([0; 5000])];
    for n in 1..40 {
        pages.push(OnItsOwnPage([n; 5000]));
    }
    for (n, page) in pages.iter().enumerate() {
        assert!(is_aligned(page, 4096));
        assert!(page.0.iter().all(|byte| *byte as usize == n));
    }
    pages.drain(..39);
    pages.shrink_to_fit();
    assert!(is_aligned(&pages[0], 4096) && pages[0].0 == [39; 5000]);

    let shared: Vec<_> = (0..100).map(|n| Rc::new(CacheLine(n))).collect();
    for (n, line) in shared.iter().enumerate() {
        assert!(is_aligned(&**line, 64) && line.0 as usize == n);
    }
}

/// Layouts that the compiler knows fold into code of their own.
#[test]
fn layouts_known_at_compile_time() {
    fn round<T: Copy + PartialEq>(value: T) {
        let boxes: Vec<Box<T>> = (0..100).map(|_| Box::new(value)).collect();
        for each in &boxes {
            assert!(is_aligned(&**each, align_of::<T>()) && **each == value);
        }
        let mut vector = vec![value; 100];
        for length in [60, 30, 10, 2, 1] {
            vector.truncate(length);
            vector.shrink_to_fit();
            assert!(is_aligned(vector.as_ptr(), align_of::<T>()));
            assert!(vector.iter().all(|each| *each == value));
        }
    }
    for _ in 0..20 {
        round(());
        round(1_u8);
        round(1_u16);
        round(1_u64);
        round(1_u128);
        round([1_u64; 3]);
        round(CacheLine(1));
        round([CacheLine(1); 16]);
        round([1_u8; MI_SMALL_SIZE_MAX - 1]);
        round([1_u8; MI_SMALL_SIZE_MAX]);
        round([1_u8; MI_SMALL_SIZE_MAX + 1]);
        round([1_u64; 2000]);
    }
}

/// Many pages full of one size, dropped in any order. (v3 gives up full pages.)
#[test]
fn full_pages() {
    fn round<T: Copy + PartialEq>(value: T) {
        let mut random = Random::new(5);
        let count = 400_000 / std::mem::size_of::<T>().max(16);
        let mut boxes: Vec<Box<T>> = (0..count).map(|_| Box::new(value)).collect();
        while !boxes.is_empty() {
            assert!(*boxes.swap_remove(random.below(boxes.len())) == value);
        }
    }
    round(1_u8);
    round(1_u64);
    round([1_u8; 24]);
    round([1_u8; 40]);
    round(CacheLine(1));
    round([1_u8; 1000]);
    round([1_u8; MI_SMALL_SIZE_MAX]);
    round([1_u8; 2000]);
    round([1_u64; 2000]);
}

#[test]
fn zeroed_vectors_are_zero_in_used_memory() {
    for length in [1, 7, 64, 1000, 1024, 1025, 9000, 100_000] {
        let used: Vec<Vec<u8>> = (0..200).map(|_| vec![0xFF; length]).collect();
        // Some live on, so that their pages do.
        let kept: Vec<Vec<u8>> = used.into_iter().step_by(5).collect();
        for _ in 0..200 {
            assert!(vec![0_u8; length].iter().all(|byte| *byte == 0), "{length}");
        }
        assert!(kept.iter().flatten().all(|byte| *byte == 0xFF), "{length}");
    }
}

#[test]
fn too_much_is_an_error_and_not_the_end() {
    let mut vector = vec![1_u8; 100];
    let most = isize::MAX as usize;
    // 32 bits have addresses for half of it, and for the whole, unless others hold them.
    let wide = cfg!(target_pointer_width = "64");
    let mut held = [Vec::<u8>::new(), Vec::new()];
    for other in held.iter_mut().filter(|_| !wide) {
        let _ = other.try_reserve_exact(most / 2);
    }
    let half = if wide { most / 2 } else { most };
    for more in [usize::MAX, most, most - 100, most - 5000, half] {
        assert!(vector.try_reserve(more).is_err(), "{more}");
        assert!(
            Vec::<CacheLine>::new().try_reserve(more / 64).is_err(),
            "{more}"
        );
    }
    drop(held);
    vector.try_reserve(1000).unwrap();
    assert_eq!(vector, [1; 100]);
}

/// A panic unwinds through values that free what they hold.
#[test]
fn panics_free_what_they_pass() {
    for depth in 0..50 {
        let result = thread::spawn(move || {
            fn deeper(depth: usize) -> usize {
                let held = vec![depth as u8; 100 * depth];
                let name = format!("depth {depth}");
                if depth == 0 {
                    std::panic::resume_unwind(Box::new(String::from("the bottom")));
                }
                deeper(depth - 1) + held.len() + name.len()
            }
            deeper(depth)
        })
        .join();
        let bottom = result.unwrap_err().downcast::<String>().unwrap();
        assert_eq!(*bottom, "the bottom");
    }
}

//! Heaps and threads. v3 only: a heap of v2 never leaves its thread, which the compiler ensures (`ui.rs`).
#![cfg(mi_v3)]

use allocator_api2::{boxed::Box, vec::Vec};
use mi_malloc::Heap;
use std::cell::RefCell;
use std::sync::mpsc;
use std::thread;

/// All threads allocate from one heap, and free what others allocated.
#[test]
fn threads_share_a_heap() {
    let heap = Heap::new().unwrap();
    let heap = &heap;
    const THREADS: usize = 4;
    let (senders, receivers): (std::vec::Vec<_>, std::vec::Vec<_>) =
        (0..THREADS).map(|_| mpsc::channel()).unzip();
    thread::scope(|scope| {
        for (index, receiver) in receivers.into_iter().enumerate() {
            let next = senders[(index + 1) % THREADS].clone();
            scope.spawn(move || {
                for n in 0..20_000usize {
                    let mut values = Vec::new_in(heap);
                    values.resize(1 + n % 300, n);
                    // A thread that has ended receives no more.
                    let _ = next.send(values);
                    if let Ok(values) = receiver.try_recv() {
                        assert!(values.iter().all(|value| *value == values[0]));
                        assert_eq!(values.len(), 1 + values[0] % 300);
                    }
                }
                drop(next);
                receiver
            });
        }
    });
}

/// The end of a scope of threads does not wait until the threads themselves have ended. Their end may free their part
/// of the heap while it is destroyed.
#[test]
fn a_heap_ends_while_its_threads_end() {
    for round in 0..2000usize {
        let heap = Heap::new().unwrap();
        thread::scope(|scope| {
            for index in 0..3 {
                let heap = &heap;
                scope.spawn(move || {
                    for n in 0..20usize {
                        let mut values = Vec::new_in(heap);
                        values.resize(1 + (n * 131 + round) % 2000, index);
                        if n % 2 == 0 {
                            std::mem::forget(values);
                        }
                    }
                });
            }
        });
        drop(heap);
    }
}

/// Threads that continue have used many heaps that no longer exist, some at the same addresses.
#[test]
fn threads_outlive_heaps() {
    use std::sync::Arc;
    let (senders, threads): (std::vec::Vec<_>, std::vec::Vec<_>) = (0..3usize)
        .map(|index| {
            let (sender, receiver) = mpsc::channel::<(Arc<Heap>, mpsc::Sender<usize>)>();
            let thread = thread::spawn(move || {
                for (heap, done) in receiver {
                    let mut values = Vec::new_in(&*heap);
                    values.resize(1000, index);
                    assert!(heap.contains(&values[999]));
                    let index = values[0];
                    drop(values);
                    drop(heap);
                    done.send(index).unwrap();
                }
            });
            (sender, thread)
        })
        .unzip();
    for _ in 0..2000 {
        let heap = Arc::new(Heap::new().unwrap());
        let (done, results) = mpsc::channel();
        for sender in &senders {
            sender.send((heap.clone(), done.clone())).unwrap();
        }
        drop((heap, done));
        assert_eq!(results.iter().sum::<usize>(), 3);
    }
    drop(senders);
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn another_thread_ends_it() {
    for _ in 0..100 {
        let heap = Heap::new().unwrap();
        let values: std::vec::Vec<_> = (0..1000).map(|n| *heap.alloc([n; 10]).unwrap()).collect();
        assert_eq!(values[999][9], 999);
        thread::spawn(move || drop(heap)).join().unwrap();
    }
}

/// A heap in a thread-local variable is dropped when the thread ends, with the blocks of other threads in it.
#[test]
fn a_heap_in_a_thread_local() {
    thread_local! {
        static HEAP: RefCell<Option<Heap>> = const { RefCell::new(None) };
    }
    for _ in 0..200 {
        thread::spawn(|| {
            HEAP.with(|heap| {
                let heap = &mut *heap.borrow_mut();
                let heap = &*heap.insert(Heap::new().unwrap());
                heap.alloc_slice(&[7; 1000]).unwrap();
                thread::scope(|scope| scope.spawn(|| *heap.alloc(8).unwrap()).join().unwrap());
            });
        })
        .join()
        .unwrap();
    }
}

/// A heap that was forgotten is never destroyed, and its blocks stay live. Its thread may end.
#[test]
fn a_forgotten_heap() {
    let (heap, numbers) = thread::spawn(|| {
        let heap: &'static Heap = std::boxed::Box::leak(std::boxed::Box::new(Heap::new().unwrap()));
        let numbers: &'static mut [u32] = heap.alloc_slice(&[1, 2, 3]).unwrap();
        (heap, numbers)
    })
    .join()
    .unwrap();
    numbers[0] = *Box::new_in(9, heap);
    assert_eq!(numbers, [9, 2, 3]);
    assert!(heap.contains(numbers));

    let heap = Heap::new().unwrap();
    let moved = Box::new_in(7, heap); // owns the heap
    let leaked: &'static mut i32 = Box::leak(moved);
    assert_eq!(*leaked, 7);
}

/// mimalloc's end of a thread is a destructor that the system calls. Destructors that run later may still use heaps:
/// they initialise mimalloc for the thread again.
#[cfg(unix)]
#[test]
fn a_heap_is_used_and_dropped_after_mimalloc_has_ended_the_thread() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static ENDED: AtomicUsize = AtomicUsize::new(0);

    /// The destructor's argument: a heap with a value in it, and a heap that continues to exist.
    struct Late {
        own: Heap,
        other: &'static Heap,
        values: Vec<u64, &'static Heap>,
        rounds: usize,
        key: libc::pthread_key_t,
    }
    unsafe extern "C" fn late(late: *mut libc::c_void) {
        // SAFETY: the key's values are these.
        let mut late = unsafe { std::boxed::Box::from_raw(late.cast::<Late>()) };
        late.values.extend(0..1000);
        late.own.alloc_slice(&[7; 1000]).unwrap();
        late.other.alloc(1).unwrap();
        late.rounds += 1;
        // The system calls destructors in rounds: in the second, mimalloc's has certainly run before.
        if late.rounds < 3 {
            let key = late.key;
            let late = std::boxed::Box::into_raw(late);
            // SAFETY: the key is live.
            assert_eq!(unsafe { libc::pthread_setspecific(key, late.cast()) }, 0);
        } else {
            assert_eq!(late.values.len(), 3000);
            assert_eq!(late.values[2999], 999);
            drop(late);
            ENDED.fetch_add(1, Ordering::Relaxed);
        }
    }
    let other: &'static Heap = std::boxed::Box::leak(std::boxed::Box::new(Heap::new().unwrap()));
    let mut key = 0;
    // SAFETY: the key may be written to.
    assert_eq!(unsafe { libc::pthread_key_create(&mut key, Some(late)) }, 0);
    for _ in 0..100 {
        thread::spawn(move || {
            let own = Heap::new().unwrap();
            own.alloc(1).unwrap();
            let late = std::boxed::Box::new(Late {
                own,
                other,
                values: Vec::new_in(other),
                rounds: 0,
                key,
            });
            let late = std::boxed::Box::into_raw(late);
            // SAFETY: the key is live.
            assert_eq!(unsafe { libc::pthread_setspecific(key, late.cast()) }, 0);
        })
        .join()
        .unwrap();
    }
    assert_eq!(ENDED.load(Ordering::Relaxed), 100);
}

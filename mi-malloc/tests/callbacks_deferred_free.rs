//! The deferred-free callback. A process has one, so there is one test.

use mi_malloc::callbacks::{self, DeferredFree};
use mi_malloc::sys;
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::Mutex;

#[global_allocator]
static GLOBAL: mi_malloc::MiMalloc = mi_malloc::MiMalloc;

/// Allocates off the fast path, several thousand times.
fn work() {
    let blocks: Vec<Vec<u8>> = (0..3000).map(|_| Vec::with_capacity(2000)).collect();
    assert!(blocks.iter().all(|block| block.capacity() >= 2000));
}

#[test]
fn deferred_blocks_are_freed() {
    static PUT_OFF: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    static LAST: Mutex<Option<DeferredFree>> = Mutex::new(None);
    thread_local!(static DEPTH: Cell<usize> = const { Cell::new(0) });

    *PUT_OFF.lock().unwrap() = (0..1000).map(|_| vec![1; 100]).collect();
    callbacks::on_deferred_free(|request| {
        // It is not entered again, though it allocates enough to cause a call.
        let _ = DEPTH.try_with(|depth| {
            assert_eq!(depth.replace(1), 0);
            work();
            depth.set(0);
        });
        CALLS.fetch_add(1, SeqCst);
        *LAST.lock().unwrap() = Some(request);
        PUT_OFF.lock().unwrap().clear();
    });
    work();
    assert!(CALLS.load(SeqCst) >= 1);
    assert!(PUT_OFF.lock().unwrap().is_empty());
    let first = LAST.lock().unwrap().take().unwrap();
    assert!(!first.force);
    unsafe { sys::mi_collect(true) };
    let second = LAST.lock().unwrap().take().unwrap();
    assert!(second.force);
    assert!(second.heartbeat > first.heartbeat);

    // Another thread calls it too, until it ends.
    let before = CALLS.load(SeqCst);
    std::thread::spawn(work).join().unwrap();
    assert!(CALLS.load(SeqCst) > before);

    // Threads run callbacks while these are replaced and removed.
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..200 {
                    work();
                    unsafe { sys::mi_collect(false) };
                }
            });
        }
        for number in 0..2_000_usize {
            let text = number.to_string();
            callbacks::on_deferred_free(move |_| {
                assert_eq!(text.parse(), Ok(number));
                CALLS.fetch_add(1, SeqCst);
            });
            if number % 3 == 0 {
                callbacks::remove_deferred_free();
            }
        }
    });

    callbacks::remove_deferred_free();
    let before = CALLS.load(SeqCst);
    work();
    unsafe { sys::mi_collect(true) };
    assert_eq!(CALLS.load(SeqCst), before);
}

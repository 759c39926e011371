//! The process ends while everything of this crate is in use: callbacks that allocate, a purging thread, heaps in a
//! static and in thread-local values. Whatever is dropped first, the others still work.
#![cfg(unix)]

use mi_malloc::options::purge_delay;
use mi_malloc::purge::{self, Background};
use mi_malloc::stats::Stats;
use mi_malloc::{callbacks, sys, Heap};
use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

#[allow(dead_code)]
#[path = "../../tests/support/respawn.rs"]
mod child;

#[global_allocator]
static GLOBAL: mi_malloc::MiMalloc = mi_malloc::MiMalloc;

static ERRORS: AtomicUsize = AtomicUsize::new(0);
static WORKED: AtomicUsize = AtomicUsize::new(0);

/// Uses each part of the crate.
fn work() {
    let errors = ERRORS.load(SeqCst);
    assert!(unsafe { sys::mi_malloc(usize::MAX) }.is_null());
    assert!(ERRORS.load(SeqCst) > errors);
    drop(vec![vec![1u8; 10_000]; 100]);
    let in_a_heap = Heap::scope(|heap| heap.alloc_slice(&[1u8; 100]).unwrap().len());
    assert_eq!(in_a_heap, Ok(100));
    #[cfg(mi_v3)]
    assert!(SHARED.with(|heap| heap.alloc(7).is_ok()));
    assert!(Stats::now().to_string().contains("committed"));
    purge_delay::set(purge_delay::get() + Duration::from_millis(1));
    purge::on_thread_idle();
    purge::now();
    WORKED.fetch_add(1, SeqCst);
}

/// Calls `work` when it is dropped.
struct Late;

impl Drop for Late {
    fn drop(&mut self) {
        work();
    }
}

/// A heap that every thread uses, and that is never dropped.
#[cfg(mi_v3)]
struct Shared(std::sync::Mutex<Option<&'static Heap>>);

#[cfg(mi_v3)]
static SHARED: Shared = Shared(std::sync::Mutex::new(None));

#[cfg(mi_v3)]
impl Shared {
    fn with<R>(&self, work: impl FnOnce(&Heap) -> R) -> R {
        let mut heap = self.0.lock().unwrap();
        work(heap.get_or_insert_with(|| Box::leak(Box::new(Heap::new().unwrap()))))
    }
}

thread_local! {
    static BEFORE: RefCell<Option<Late>> = const { RefCell::new(None) };
    static BACKGROUND: RefCell<Option<Background>> = const { RefCell::new(None) };
    static AFTER: RefCell<Option<Late>> = const { RefCell::new(None) };
}
#[cfg(mi_v3)]
thread_local!(static HEAP: RefCell<Option<Heap>> = const { RefCell::new(None) });

/// Depending on the system, destructors run in the order of the first uses, or in the reverse order.
fn fill() {
    BEFORE.with(|late| *late.borrow_mut() = Some(Late));
    let background = Background::start(Duration::from_micros(100)).unwrap();
    BACKGROUND.with(|held| *held.borrow_mut() = Some(background));
    #[cfg(mi_v3)]
    HEAP.with(|held| {
        let heap = Heap::new().unwrap();
        heap.alloc_slice(&[1u8; 100_000]).unwrap();
        *held.borrow_mut() = Some(heap);
    });
    AFTER.with(|late| *late.borrow_mut() = Some(Late));
    work();
}

extern "C" fn at_exit() {
    work();
    // In the threads, and here.
    let worked = WORKED.load(SeqCst);
    if worked < 2 * 3 + 2 {
        eprintln!("only {worked} of them worked");
        std::process::abort();
    }
    eprintln!("worked to the end");
}

#[test]
fn any_order_of_destructors() {
    if !child::is_child() {
        for how in ["return", "exit"] {
            let variables = [("MIMALLOC_SHOW_STATS", "1"), ("MIMALLOC_PURGE_DELAY", "1")];
            let output = child::run("any_order_of_destructors", how, &variables);
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{how}: {output:?}");
            assert!(said.contains("worked to the end"), "{how}: {said}");
        }
        return;
    }
    callbacks::on_error(|error| {
        assert!(!format!("{error:?}").is_empty());
        ERRORS.fetch_add(1, SeqCst);
    });
    callbacks::on_deferred_free(|_| drop(vec![1; 100]));
    callbacks::on_output(|text| assert!(text.to_string().len() < 100_000));
    for _ in 0..2 {
        std::thread::spawn(fill).join().unwrap();
    }
    assert_eq!(WORKED.load(SeqCst), 2 * 3);
    assert_eq!(unsafe { libc::atexit(at_exit) }, 0);
    fill();
    if child::argument() == "exit" {
        std::process::exit(0);
    }
}

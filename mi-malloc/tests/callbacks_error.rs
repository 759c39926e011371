//! The error callback. A process has one, so the tests run one after another.

use mi_malloc::callbacks::{self, Error};
use mi_malloc::{sys, MiMalloc};
use std::alloc::{GlobalAlloc, Layout};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[allow(dead_code)]
#[path = "../../tests/support/errno.rs"]
mod errno;

#[global_allocator]
static GLOBAL: MiMalloc = MiMalloc;

fn serialized() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Requests more than any block can have.
fn too_much() {
    assert!(unsafe { sys::mi_malloc(usize::MAX) }.is_null());
}

#[test]
fn it_receives_the_error() {
    let _guard = serialized();
    static LAST: Mutex<Option<Error>> = Mutex::new(None);
    static FIRST: Mutex<Option<Error>> = Mutex::new(None);
    callbacks::on_error(|error| {
        FIRST.lock().unwrap().get_or_insert(error);
        *LAST.lock().unwrap() = Some(error);
    });
    too_much();
    assert_eq!(FIRST.lock().unwrap().take(), Some(Error::TooLarge));
    // v2 tries again, and then reports that there is no memory.
    let last = if cfg!(mi_v2) {
        Error::OutOfMemory
    } else {
        Error::TooLarge
    };
    assert_eq!(*LAST.lock().unwrap(), Some(last));
    assert!(unsafe { sys::mi_malloc_aligned(100, 3) }.is_null());
    assert_eq!(*LAST.lock().unwrap(), Some(Error::Invalid));
    callbacks::remove_error();
}

#[test]
fn mimalloc_continues_as_without_a_callback() {
    let _guard = serialized();
    for register in [true, false] {
        callbacks::remove_error();
        if register {
            callbacks::on_error(|_| ());
        }
        errno::set(0);
        too_much();
        assert_eq!(errno::get(), libc::ENOMEM, "{register}");
    }
    callbacks::remove_error();
}

#[test]
fn it_captures_and_is_replaced_and_removed() {
    let _guard = serialized();
    let first = Arc::new(AtomicUsize::new(0));
    let second = Arc::new(AtomicUsize::new(0));
    let count = |counter: &Arc<AtomicUsize>| {
        let counter = counter.clone();
        callbacks::on_error(move |_| {
            counter.fetch_add(1, SeqCst);
        })
    };
    count(&first);
    too_much();
    let before = first.load(SeqCst);
    assert!(before >= 1);
    count(&second);
    too_much();
    assert_eq!(first.load(SeqCst), before);
    let after = second.load(SeqCst);
    assert!(after >= 1);
    callbacks::remove_error();
    too_much();
    assert_eq!((first.load(SeqCst), second.load(SeqCst)), (before, after));
    // No closure is freed that another thread could be running.
    assert_eq!(
        (Arc::strong_count(&first), Arc::strong_count(&second)),
        (2, 2)
    );
}

/// A callback that allocates is not entered again, even if the allocation fails with the same error.
#[test]
fn it_may_allocate() {
    let _guard = serialized();
    static DEPTH: AtomicUsize = AtomicUsize::new(0);
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    callbacks::on_error(|error| {
        assert_eq!(DEPTH.fetch_add(1, SeqCst), 0);
        let text = format!("{error}: {}", "x".repeat(10_000));
        assert!(text.len() > 10_000);
        too_much();
        CALLS.fetch_add(1, SeqCst);
        DEPTH.fetch_sub(1, SeqCst);
    });
    too_much();
    assert!(CALLS.load(SeqCst) >= 1);
    let before = CALLS.load(SeqCst);
    too_much();
    assert!(CALLS.load(SeqCst) > before);
    callbacks::remove_error();
}

/// A callback that replaces and removes itself.
#[test]
fn it_may_register() {
    let _guard = serialized();
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    callbacks::on_error(|_| {
        callbacks::on_error(|_| {
            CALLS.fetch_add(1, SeqCst);
            callbacks::remove_error();
        });
    });
    too_much();
    too_much();
    let calls = CALLS.load(SeqCst);
    assert_eq!(calls, 1);
    too_much();
    assert_eq!(CALLS.load(SeqCst), calls);
}

/// Threads run callbacks while another thread replaces and removes them.
#[test]
fn threads() {
    let _guard = serialized();
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    let layout = Layout::from_size_align(isize::MAX as usize - 64, 1).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..20_000 {
                    assert!(unsafe { GLOBAL.alloc(layout) }.is_null());
                }
            });
        }
        for number in 0..2_000 {
            // If the closure had been freed, the text would differ.
            let text = number.to_string();
            callbacks::on_error(move |_| {
                assert_eq!(text.parse(), Ok(number));
                CALLS.fetch_add(1, SeqCst);
            });
            if number % 3 == 0 {
                callbacks::remove_error();
            }
        }
    });
    assert!(CALLS.load(SeqCst) > 0);
    callbacks::remove_error();
}

#[test]
fn errors_describe_themselves() {
    assert_eq!(Error::OutOfMemory.to_string(), "out of memory");
    assert_eq!(Error::Other(7).to_string(), "error 7");
    fn is_error<E: std::error::Error + Send + Sync + 'static>(_: E) {}
    is_error(Error::Invalid);
}

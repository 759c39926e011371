//! The deferred-free callback, of which a process has one.

use crate::respawn;
use core::ffi::c_void;
use cty::c_ulonglong;
use mi_malloc_sys::*;
use std::cell::{Cell, RefCell};
use std::ptr::null_mut;

/// Calls on this thread are noted as long as this lives.
struct Listening;

impl Listening {
    fn start() -> Self {
        // A thread that has not allocated has nothing to collect, either.
        unsafe { mi_thread_init() };
        LISTENING.with(|listening| listening.set(true));
        Listening
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        LISTENING.with(|listening| listening.set(false));
    }
}

struct Call {
    force: bool,
    heartbeat: u64,
    argument: usize,
}

thread_local! {
    /// The calls on this thread.
    static CALLS: RefCell<Vec<Call>> = RefCell::default();
    // Has no destructor, so it can be read up to the thread's last breath.
    static LISTENING: Cell<bool> = const { Cell::new(false) };
}

fn calls() -> Vec<Call> {
    CALLS.with(|calls| calls.take())
}

/// Notes the call, and allocates enough to be called again if that could happen.
unsafe extern "C" fn note(force: bool, heartbeat: c_ulonglong, argument: *mut c_void) {
    if !LISTENING.with(Cell::get) {
        return;
    }
    CALLS.with(|calls| {
        let mut calls = calls
            .try_borrow_mut()
            .expect("the callback was entered again");
        calls.push(Call {
            force,
            heartbeat,
            argument: argument as usize,
        });
        work();
    });
}

/// Allocates by the slow way, which all but small blocks take, some thousand times.
unsafe fn work() {
    let blocks: Vec<_> = (0..3000).map(|_| mi_malloc(2000)).collect();
    for p in blocks {
        mi_free(p);
    }
}

#[test]
fn it_is_called_with_its_argument_while_a_thread_allocates() {
    respawn::alone(|| {
        let _listening = Listening::start();
        unsafe {
            mi_register_deferred_free(Some(note), 0x55 as *mut c_void);
            work();
            let first = calls();
            assert!(!first.is_empty());
            assert!(first.iter().all(|call| call.argument == 0x55));
            // Nobody asked for everything at once.
            assert!(first.iter().all(|call| !call.force));
            assert!(first.windows(2).all(|w| w[0].heartbeat < w[1].heartbeat));

            work();
            let second = calls();
            assert!(!second.is_empty());
            assert!(second[0].heartbeat > first[first.len() - 1].heartbeat);
            mi_register_deferred_free(None, null_mut());
        }
    });
}

#[test]
fn a_collection_calls_it() {
    respawn::alone(|| {
        let _listening = Listening::start();
        unsafe {
            mi_register_deferred_free(Some(note), null_mut());
            for force in [false, true, false, true] {
                mi_collect(force);
                let calls = calls();
                assert_eq!(calls.len(), 1);
                assert_eq!(calls[0].force, force);
            }
            mi_register_deferred_free(None, null_mut());
        }
    });
}

#[test]
fn each_thread_has_its_own_heartbeat() {
    respawn::alone(|| {
        let _listening = Listening::start();
        unsafe {
            mi_register_deferred_free(Some(note), null_mut());
            mi_collect(false);
            mi_collect(false);
            mi_collect(false);
            let here = calls();
            let there = std::thread::spawn(|| {
                let _listening = Listening::start();
                mi_thread_init();
                mi_collect(false);
                calls()
            })
            .join()
            .unwrap();
            assert!(there[0].heartbeat < here[2].heartbeat);
            mi_register_deferred_free(None, null_mut());
        }
    });
}

#[test]
fn it_can_be_replaced_and_removed() {
    respawn::alone(|| {
        let _listening = Listening::start();
        unsafe extern "C" fn other(_: bool, _: c_ulonglong, argument: *mut c_void) {
            if LISTENING.with(Cell::get) {
                *argument.cast::<usize>() += 1;
            }
        }
        unsafe {
            let mut count = 0_usize;
            let argument: *mut usize = &mut count;
            mi_register_deferred_free(Some(note), null_mut());
            mi_register_deferred_free(Some(other), argument.cast());
            mi_collect(false);
            assert_eq!(*argument, 1);
            mi_register_deferred_free(None, null_mut());
            mi_collect(true);
            work();
            assert_eq!(*argument, 1);
            assert!(calls().is_empty());
        }
    });
}

/// What it is for: blocks that the program has put off are freed.
#[test]
fn it_frees_what_was_put_off() {
    respawn::alone(|| {
        let _listening = Listening::start();
        unsafe extern "C" fn free_all(_: bool, _: c_ulonglong, put_off: *mut c_void) {
            // The list is this thread's.
            if LISTENING.with(Cell::get) {
                for p in (*put_off.cast::<Vec<*mut c_void>>()).drain(..) {
                    mi_free(p);
                }
            }
        }
        unsafe {
            let mut put_off: Vec<*mut c_void> = (0..1000).map(|_| mi_malloc(48)).collect();
            let argument: *mut Vec<*mut c_void> = &mut put_off;
            mi_register_deferred_free(Some(free_all), argument.cast());
            mi_collect(true);
            mi_register_deferred_free(None, null_mut());
            assert!((*argument).is_empty());
        }
    });
}

/// If the callback allocated then, v2 would make a new heap for the thread, and never free it.
#[test]
fn the_end_of_a_thread_does_not_call_it() {
    unsafe extern "C" fn allocate(_: bool, _: c_ulonglong, _: *mut c_void) {
        work();
    }
    fn threads() -> i64 {
        let mut stats = mi_stats_t::new();
        assert!(unsafe { mi_stats_get(&mut stats) });
        stats.threads.current
    }
    respawn::alone(|| {
        unsafe { mi_register_deferred_free(Some(allocate), null_mut()) };
        let before = threads();
        for _ in 0..20 {
            std::thread::spawn(|| unsafe { work() }).join().unwrap();
        }
        assert_eq!(threads(), before);
    });
}

//! The purging thread and the process: fork, the end of the process, and threads that cannot be started. Each test runs
//! in its own process.
#![cfg(target_os = "linux")]

#[allow(dead_code)]
#[path = "../../tests/support/respawn.rs"]
mod child;
#[path = "../../tests/support/fork.rs"]
mod fork;

use mi_malloc::purge::{self, Background};
use std::time::{Duration, Instant};

#[global_allocator]
static GLOBAL: mi_malloc::MiMalloc = mi_malloc::MiMalloc;

const EVERY: Duration = Duration::from_millis(1);

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

/// Whether a forked process reaches the end of `work`. If it hangs, its alarm ends it.
fn ends(work: impl FnOnce()) -> bool {
    fork::run(|| {
        // SAFETY: no pointers.
        unsafe { libc::alarm(20) };
        work();
    })
}

/// The fork may happen during a purge.
#[test]
fn a_forked_process_has_none_and_may_start_one() {
    if !child::is_child() {
        return drop(child::assert_child_passes(
            "a_forked_process_has_none_and_may_start_one",
            "fork",
            &[
                ("MIMALLOC_PURGE_DELAY", "1"),
                ("MIMALLOC_ARENA_PURGE_MULT", "1"),
            ],
        ));
    }
    let mut background = Some(Background::start(EVERY).unwrap());
    for round in 0..50 {
        drop(vec![vec![1u8; 300_000]; 20]);
        assert!(
            ends(|| {
                assert_eq!(threads(), 1);
                let old = background.take().unwrap();
                assert!(!old.is_running());
                let _ = old.report();
                if round % 2 == 0 {
                    // It neither waits for a thread that does not exist nor accesses it.
                    drop(old);
                    assert_eq!(threads(), 1);
                }
                let new = Background::start(EVERY).unwrap();
                assert!(new.is_running());
                assert_eq!(threads(), 2);
                let start = Instant::now();
                while new.report().rounds < 2 && start.elapsed() < Duration::from_secs(10) {
                    std::thread::sleep(EVERY);
                }
                assert!(new.report().rounds >= 2);
                purge::now();
                purge::on_thread_idle();
                drop(new);
            }),
            "child {}",
            round
        );
        // The parent still has its own.
        assert!(background.as_ref().unwrap().is_running());
    }
    let rounds = background.as_ref().unwrap().report().rounds;
    assert!(rounds > 0);
}

#[test]
fn a_thread_that_cannot_start_is_an_error() {
    if !child::is_child() {
        return drop(child::assert_child_passes(
            "a_thread_that_cannot_start_is_an_error",
            "limit",
            &[],
        ));
    }
    // No address space for a stack.
    let limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: libc::RLIM_INFINITY,
    };
    // SAFETY: `limit` is initialised.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &limit) }, 0);
    let error = Background::start(EVERY).map(drop);
    let limit = libc::rlimit {
        rlim_cur: libc::RLIM_INFINITY,
        ..limit
    };
    // SAFETY: as above.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &limit) }, 0);
    assert!(error.unwrap_err().raw_os_error().is_some());
    // The failure does not prevent the next start.
    drop(Background::start(EVERY).unwrap());
}

/// The process ends while the thread runs: its value is in a static, was forgotten, or is dropped after `main`.
#[test]
fn a_process_ends_with_it() {
    const TEST: &str = "a_process_ends_with_it";
    if !child::is_child() {
        for how in ["forgotten", "exit", "thread-local", "detached-drop"] {
            for _ in 0..10 {
                let variables = [
                    ("MIMALLOC_PURGE_DELAY", "1"),
                    ("MIMALLOC_ARENA_PURGE_MULT", "1"),
                ];
                match how {
                    "exit" => {
                        let output = child::run(TEST, how, &variables);
                        assert_eq!(output.status.code(), Some(7), "{:?}", output);
                    }
                    _ => drop(child::assert_child_passes(TEST, how, &variables)),
                }
            }
        }
        return;
    }
    let background = Background::start(Duration::from_micros(10)).unwrap();
    for _ in 0..20 {
        drop(vec![vec![1u8; 300_000]; 20]);
    }
    match child::argument().as_str() {
        "forgotten" => std::mem::forget(background),
        // Only the destructors of C run.
        "exit" => std::process::exit(7),
        // Dropped by the destructor of a thread-local variable, first and last in its thread.
        "thread-local" => {
            use std::cell::RefCell;
            thread_local!(static HELD: RefCell<Option<Background>> = const { RefCell::new(None) });
            std::thread::spawn(|| HELD.with(|held| *held.borrow_mut() = Some(background)))
                .join()
                .unwrap();
        }
        // Dropped by another thread that the process does not wait for.
        _ => drop(std::thread::spawn(|| drop(background))),
    }
}

/// A callback in the thread may drop the value, and does not wait for the end of its own thread.
#[test]
fn it_may_be_dropped_in_its_own_thread() {
    use std::ffi::{c_void, CStr};
    use std::os::raw::c_ulonglong;
    use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
    use std::sync::Mutex;

    static HELD: Mutex<Option<Background>> = Mutex::new(None);
    static DROPPED: AtomicBool = AtomicBool::new(false);

    extern "C" fn deferred_free(_force: bool, _heartbeat: c_ulonglong, _argument: *mut c_void) {
        // By the system's name, which needs no memory.
        let mut name = [0u8; 16];
        // SAFETY: the system writes at most sixteen bytes, the last of which is NUL.
        let name = unsafe {
            assert_eq!(libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr()), 0);
            CStr::from_ptr(name.as_ptr().cast())
        };
        if name.to_bytes() == b"mi-malloc purge" {
            if let Ok(mut held) = HELD.try_lock() {
                if held.take().is_some() {
                    DROPPED.store(true, SeqCst);
                }
            }
        }
    }

    if !child::is_child() {
        return drop(child::assert_child_passes(
            "it_may_be_dropped_in_its_own_thread",
            "callback",
            &[],
        ));
    }
    let before = threads(); // the thread sanitizer has one, too
    *HELD.lock().unwrap() = Some(Background::start(EVERY).unwrap());
    // SAFETY: the function is always there, and does not unwind.
    unsafe { mi_malloc::sys::mi_register_deferred_free(Some(deferred_free), std::ptr::null_mut()) };
    let start = Instant::now();
    while !DROPPED.load(SeqCst) && start.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(EVERY);
    }
    assert!(DROPPED.load(SeqCst));
    while threads() > before && start.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(EVERY);
    }
    assert_eq!(threads(), before);
}

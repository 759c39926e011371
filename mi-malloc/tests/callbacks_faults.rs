//! Callbacks in the presence of faults: they panic, memory is corrupted or exhausted, threads and the process end. Each
//! test runs in its own process.

use mi_malloc::{callbacks, sys};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

#[allow(dead_code)]
#[path = "../../tests/support/respawn.rs"]
mod child;
#[cfg(all(target_os = "linux", mi_v3))]
#[path = "../../tests/support/raw_thread.rs"]
mod raw_thread;

#[global_allocator]
static GLOBAL: mi_malloc::MiMalloc = mi_malloc::MiMalloc;

fn too_much() {
    assert!(unsafe { sys::mi_malloc(usize::MAX) }.is_null());
}

/// The panic's own message, that of this crate, and an abort: no destructor has run, and nothing was unwound.
fn aborts(name: &str) {
    let output = child::run(name, "", &[]);
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{err}");
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt;
        assert_eq!(output.status.signal(), Some(libc::SIGABRT), "{err}");
    }
    assert!(err.contains("a panic of the callback"), "{err}");
    assert!(err.contains("mi-malloc: a callback panicked"), "{err}");
    assert!(!err.contains("went on"), "{err}");
}

struct GoesOn;

impl Drop for GoesOn {
    fn drop(&mut self) {
        eprintln!("went on");
    }
}

#[test]
fn the_error_callback_panics() {
    if !child::is_child() {
        return aborts("the_error_callback_panics");
    }
    callbacks::on_error(|_| panic!("a panic of the callback"));
    let _goes_on = GoesOn;
    too_much();
}

#[test]
fn the_output_callback_panics() {
    if !child::is_child() {
        return aborts("the_output_callback_panics");
    }
    callbacks::on_output(|text| {
        if text.contains("purge_delay") {
            panic!("a panic of the callback")
        }
    });
    let _goes_on = GoesOn;
    unsafe { sys::mi_options_print() };
}

#[test]
fn the_deferred_free_callback_panics() {
    if !child::is_child() {
        return aborts("the_deferred_free_callback_panics");
    }
    callbacks::on_deferred_free(|_| panic!("a panic of the callback"));
    let _goes_on = GoesOn;
    drop(vec![1; 1000]);
    unsafe { sys::mi_collect(true) };
}

/// A callback does not disable the response of a build with `secure` to corrupted memory.
#[test]
fn memory_is_corrupted() {
    let looks_for_it = cfg!(any(
        feature = "secure",
        feature = "secure_full",
        feature = "debug",
        feature = "debug_full"
    ));
    if !looks_for_it {
        println!("not run: only a build with `secure` or `debug` looks for corrupted memory");
        return;
    }
    if !child::is_child() {
        let output = child::run("memory_is_corrupted", "", &[]);
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{err}");
        assert!(err.contains("reported: Corrupted"), "{err}");
        assert!(!err.contains("went on"), "{err}");
        return;
    }
    callbacks::on_error(|error| eprintln!("reported: {error:?}"));
    unsafe {
        let block = sys::mi_malloc(100).cast::<u8>();
        block.add(100).write_bytes(0x55, 12); // to the end of the block
        sys::mi_free(block.cast());
    }
    eprintln!("went on");
}

/// At the limit of the process's memory, the callback receives the error. It may allocate what is left, and fail.
#[cfg(target_os = "linux")]
#[test]
fn memory_runs_out() {
    if !child::is_child() {
        child::assert_child_passes("memory_runs_out", "", &[]);
        return;
    }
    static FAILED: AtomicUsize = AtomicUsize::new(0);
    static IN_CALLBACK: AtomicUsize = AtomicUsize::new(0);
    callbacks::on_error(|error| {
        if error == callbacks::Error::OutOfMemory {
            FAILED.fetch_add(1, SeqCst);
        }
        // A block as large as the one that just failed, and a small one, for which there is memory.
        if Vec::<u8>::new().try_reserve_exact(8 << 20).is_err() {
            IN_CALLBACK.fetch_add(1, SeqCst);
        }
        assert!(Vec::<u8>::new().try_reserve_exact(100).is_ok());
    });
    // This leaves memory for small blocks at the limit.
    drop((0..100).map(|_| vec![1_u8; 100]).collect::<Vec<_>>());
    let blocks = run_out_of_memory();
    assert!(FAILED.load(SeqCst) >= 1);
    assert!(IN_CALLBACK.load(SeqCst) >= 1);
    // The process continues.
    drop(blocks);
    let mut block = Vec::new();
    block.try_reserve_exact(8 << 20).expect("memory is free");
    block.resize(8 << 20, 1_u8);
    assert_eq!(block[1000], 1);
}

/// Limits the process's memory and allocates until an allocation fails.
#[cfg(target_os = "linux")]
fn run_out_of_memory() -> Vec<Vec<u8>> {
    let mut blocks: Vec<Vec<u8>> = Vec::with_capacity(1000);
    limit_memory();
    loop {
        let mut block = Vec::new();
        if block.try_reserve_exact(8 << 20).is_err() {
            return blocks;
        }
        blocks.push(block);
        assert!(blocks.len() < 1000, "there is no limit");
    }
}

/// Limits the process to 400 MiB of addresses more than it has.
#[cfg(target_os = "linux")]
fn limit_memory() {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = pages.split(' ').next().unwrap().parse().unwrap();
    let bytes = pages * 4096 + (400 << 20);
    let limit = libc::rlimit {
        rlim_cur: bytes,
        rlim_max: bytes,
    };
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &limit) }, 0);
}

/// Callbacks still work after thread-local values are destroyed, and after `main`.
#[test]
fn threads_and_the_process_end() {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    if !child::is_child() {
        let variables = [("MIMALLOC_SHOW_STATS", "1")];
        child::assert_child_passes("threads_and_the_process_end", "", &variables);
        return;
    }
    struct Late(Vec<u8>);
    impl Drop for Late {
        fn drop(&mut self) {
            too_much();
            self.0.resize(100_000, 1);
            unsafe { sys::mi_collect(true) };
        }
    }
    thread_local!(static LATE: Late = Late(vec![1; 100]));
    callbacks::on_error(|_| {
        CALLS.fetch_add(1, SeqCst);
    });
    callbacks::on_deferred_free(|_| drop(vec![1; 100]));
    // mimalloc prints its statistics here at the end of the process.
    callbacks::on_output(|text| assert!(text.len() < 100_000));
    LATE.with(|late| assert_eq!(late.0.len(), 100));
    for _ in 0..20 {
        std::thread::spawn(|| LATE.with(|late| assert_eq!(late.0.len(), 100)))
            .join()
            .unwrap();
    }
    assert!(CALLS.load(SeqCst) >= 20);
}

/// Ends this process with a message if `work` takes too long: a deadlock must not look like a slow test.
#[cfg(unix)]
fn within_a_minute(work: impl FnOnce()) {
    within_seconds(60, work);
}

#[cfg(unix)]
fn within_seconds(seconds: u32, work: impl FnOnce()) {
    // SAFETY: no pointers. The signal's default action ends the process.
    unsafe { libc::alarm(seconds) };
    work();
    // SAFETY: as above.
    unsafe { libc::alarm(0) };
}

/// What is registered and removed inside a callback is in force afterwards, for each kind, and none is called inside
/// itself. One of another kind is called.
#[cfg(unix)]
#[test]
fn callbacks_register_and_remove_inside_each_other() {
    static ERRORS: AtomicUsize = AtomicUsize::new(0);
    static PIECES: AtomicUsize = AtomicUsize::new(0);
    static REQUESTS: AtomicUsize = AtomicUsize::new(0);
    if !child::is_child() {
        let name = "callbacks_register_and_remove_inside_each_other";
        child::assert_child_passes(name, "", &[]);
        return;
    }
    let collect = || unsafe { sys::mi_collect(true) };
    let print = || unsafe { sys::mi_options_print() };
    within_a_minute(|| {
        // An error inside an output, output inside a deferred free, a deferred free inside an error.
        callbacks::on_output(|_| {
            PIECES.fetch_add(1, SeqCst);
            if ERRORS.load(SeqCst) == 0 {
                too_much();
            }
        });
        callbacks::on_error(move |_| {
            if ERRORS.fetch_add(1, SeqCst) == 0 {
                collect();
            }
        });
        callbacks::on_deferred_free(move |_| {
            if REQUESTS.fetch_add(1, SeqCst) == 0 {
                print();
            }
        });
        print();
        assert!(ERRORS.load(SeqCst) >= 1, "no error inside the output");
        assert!(REQUESTS.load(SeqCst) >= 1, "no request inside the error");

        // Each removes itself; the output's may be put back from outside only.
        let requests = || REQUESTS.load(SeqCst);
        callbacks::on_deferred_free(|_| {
            REQUESTS.fetch_add(1, SeqCst);
            callbacks::remove_deferred_free();
        });
        let before = requests();
        (0..3).for_each(|_| collect());
        assert_eq!(requests(), before + 1);
        // And registers its successor.
        callbacks::on_deferred_free(|_| {
            callbacks::on_deferred_free(|_| {
                REQUESTS.fetch_add(1000, SeqCst);
            })
        });
        (0..3).for_each(|_| collect());
        assert!(requests() >= 1000, "{}", requests());
        callbacks::remove_deferred_free();

        callbacks::on_output(|_| {
            PIECES.fetch_add(1, SeqCst);
            callbacks::remove_output();
        });
        print();
        let before = PIECES.load(SeqCst);
        print();
        assert_eq!(PIECES.load(SeqCst), before, "it was removed");
        callbacks::on_output(|_| {
            PIECES.fetch_add(1, SeqCst);
        });
        print();
        assert!(PIECES.load(SeqCst) > before, "it is there again");
        callbacks::remove_output();
    });
}

/// A value that a callback owns is dropped neither when it is replaced nor when it is removed, also by itself: another
/// thread may be in it.
#[test]
fn a_callback_that_removes_itself_is_not_dropped() {
    struct Owned;
    impl Drop for Owned {
        fn drop(&mut self) {
            eprintln!("dropped");
            std::process::abort();
        }
    }
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    if !child::is_child() {
        child::assert_child_passes("a_callback_that_removes_itself_is_not_dropped", "", &[]);
        return;
    }
    let owned = Owned;
    callbacks::on_error(move |_| {
        callbacks::remove_error();
        let _still_there = &owned;
        CALLS.fetch_add(1, SeqCst);
    });
    too_much();
    too_much();
    assert_eq!(CALLS.load(SeqCst), 1);
}

/// A panic that the callback itself catches is none.
#[test]
fn a_panic_may_be_caught_inside() {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    if !child::is_child() {
        let err = child::assert_child_passes("a_panic_may_be_caught_inside", "", &[]);
        assert!(err.contains("a panic of the callback"), "{err}");
        assert!(!err.contains("mi-malloc: a callback panicked"), "{err}");
        return;
    }
    callbacks::on_error(|_| {
        let caught = std::panic::catch_unwind(|| panic!("a panic of the callback"));
        assert!(caught.is_err());
        CALLS.fetch_add(1, SeqCst);
    });
    too_much();
    assert!(CALLS.load(SeqCst) >= 1);
}

/// The text that was printed before the first registration arrives under mimalloc's lock; a message about memory while
/// mimalloc reserves some. A callback that writes into memory which it has gets both.
#[cfg(target_os = "linux")]
#[test]
fn output_about_memory_goes_into_memory_that_is_there() {
    use std::sync::Mutex;
    static TEXT: Mutex<String> = Mutex::new(String::new());
    if !child::is_child() {
        let variables = [("MIMALLOC_SHOW_ERRORS", "1")];
        let name = "output_about_memory_goes_into_memory_that_is_there";
        child::assert_child_passes(name, "", &variables);
        return;
    }
    within_a_minute(|| {
        TEXT.lock().unwrap().reserve_exact(1 << 16);
        too_much();
        callbacks::on_output(|text| {
            let mut all = TEXT.lock().unwrap();
            if all.capacity() - all.len() >= text.len() {
                all.push_str(text);
            }
        });
        assert!(TEXT.lock().unwrap().contains("too large"));
        drop(run_out_of_memory());
        let text = std::mem::take(&mut *TEXT.lock().unwrap());
        assert!(text.contains("unable to allocate"), "{text}");
    });
}

/// What the page warns of: mimalloc reserves memory under a lock, and a callback that gets the message about it and
/// needs new memory waits for that lock. If this test fails, the page can say less. (On v2 this message comes without it.)
#[cfg(all(target_os = "linux", mi_v3))]
#[test]
fn output_about_memory_that_needs_memory_deadlocks() {
    if !child::is_child() {
        use std::os::unix::process::ExitStatusExt;
        let variables = [("MIMALLOC_SHOW_ERRORS", "1")];
        let name = "output_about_memory_that_needs_memory_deadlocks";
        let output = child::run(name, "", &variables);
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.signal(), Some(libc::SIGALRM), "{err}");
        // There may be memory for the first of these callbacks.
        assert!(err.trim_end().ends_with("in the callback"), "{err}");
        return;
    }
    callbacks::on_output(|text| {
        if text.contains("unable to allocate") {
            eprintln!("in the callback");
            unsafe { libc::alarm(3) };
            drop(Vec::<u8>::new().try_reserve_exact(8 << 20));
            unsafe { libc::alarm(0) };
            eprintln!("back from it");
        }
    });
    drop(run_out_of_memory());
}

/// What the page warns of, too: mimalloc allocates its data for a new thread under a lock, and calls the callback under
/// it if there is no memory. One that does not allocate is fine. If this test fails, the page can say less.
#[cfg(all(target_os = "linux", mi_v3))]
#[test]
fn memory_runs_out_in_new_threads() {
    use std::sync::atomic::AtomicBool;
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    static STARTED: AtomicUsize = AtomicUsize::new(0);
    static GO: AtomicBool = AtomicBool::new(false);
    static TRIED: AtomicUsize = AtomicUsize::new(0);
    /// For the data of some there are free blocks.
    const THREADS: usize = 50;
    fn wait_for_all(counter: &AtomicUsize) {
        while counter.load(SeqCst) < THREADS {
            std::thread::yield_now();
        }
    }
    if cfg!(feature = "debug_full") {
        println!("not run: with all of upstream's assertions it takes minutes");
        return;
    }
    if !child::is_child() {
        use std::os::unix::process::ExitStatusExt;
        let name = "memory_runs_out_in_new_threads";
        child::assert_child_passes(name, "counts", &[]);
        let output = child::run(name, "allocates", &[]);
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.signal(), Some(libc::SIGALRM), "{err}");
        return;
    }
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            std::thread::spawn(|| {
                raw_thread::run(|| {
                    STARTED.fetch_add(1, SeqCst);
                    while !GO.load(SeqCst) {
                        std::thread::yield_now();
                    }
                    unsafe { sys::mi_malloc(100) };
                    TRIED.fetch_add(1, SeqCst);
                    wait_for_all(&TRIED); // the end of a thread frees memory
                })
            })
        })
        .collect();
    wait_for_all(&STARTED);
    let allocates = child::argument() == "allocates";
    callbacks::on_error(move |_| {
        if GO.load(SeqCst) {
            CALLS.fetch_add(1, SeqCst);
            if allocates {
                drop(Vec::<u8>::new().try_reserve_exact(100));
            }
        }
    });
    let blocks = run_out_of_memory();
    for size in [1_000_000, 100_000, 8_000] {
        while !unsafe { sys::mi_malloc(size) }.is_null() {}
    }
    within_seconds(5, || {
        GO.store(true, SeqCst);
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
    });
    assert!(CALLS.load(SeqCst) >= 1);
    drop(blocks);
}

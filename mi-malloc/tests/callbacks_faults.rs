//! Callbacks in the presence of faults: they panic, memory is corrupted or exhausted, threads and the process end. Each
//! test runs in its own process.

use mi_malloc::{callbacks, sys};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

#[allow(dead_code)]
#[path = "../../tests/support/respawn.rs"]
mod child;

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
    if !child::is_this() {
        return aborts("the_error_callback_panics");
    }
    callbacks::on_error(|_| panic!("a panic of the callback"));
    let _goes_on = GoesOn;
    too_much();
}

#[test]
fn the_output_callback_panics() {
    if !child::is_this() {
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
    if !child::is_this() {
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
    if !cfg!(feature = "secure") {
        println!("not run: only a build with `secure` or `debug` looks for corrupted memory");
        return;
    }
    if !child::is_this() {
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
    if !child::is_this() {
        child::succeeds("memory_runs_out", "", &[]);
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
    let mut blocks: Vec<Vec<u8>> = Vec::with_capacity(1000);
    // This leaves memory for small blocks at the limit.
    drop((0..100).map(|_| vec![1_u8; 100]).collect::<Vec<_>>());
    limit_memory();
    loop {
        let mut block = Vec::new();
        if block.try_reserve_exact(8 << 20).is_err() {
            break;
        }
        blocks.push(block);
        assert!(blocks.len() < 1000, "there is no limit");
    }
    assert!(FAILED.load(SeqCst) >= 1);
    assert!(IN_CALLBACK.load(SeqCst) >= 1);
    // The process continues.
    drop(blocks);
    let mut block = Vec::new();
    block.try_reserve_exact(8 << 20).expect("memory is free");
    block.resize(8 << 20, 1_u8);
    assert_eq!(block[1000], 1);
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
    if !child::is_this() {
        let variables = [("MIMALLOC_SHOW_STATS", "1")];
        child::succeeds("threads_and_the_process_end", "", &variables);
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

//! Heap profiles (v3): their estimates, and what must not affect them.
#![cfg(mi_v3)]

use mi_malloc::profile::{self, Interval, Profile, Snapshot, StartError};
use mi_malloc::{sys, Heap, MiMalloc};
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::thread;

#[cfg(unix)]
#[path = "../../tests/support/fork.rs"]
mod fork;
#[allow(dead_code)]
#[path = "support/mode.rs"]
mod mode;
#[allow(dead_code)]
#[path = "../../tests/support/pprof.rs"]
mod pprof;
#[path = "../../tests/support/stop.rs"]
mod stop;

use stop::Stop;

#[global_allocator]
static GLOBAL: MiMalloc = MiMalloc;

/// One test at a time: a process has one profile.
fn serialized() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

const MIB: usize = 1 << 20;

fn start(bytes: usize) -> Profile {
    profile::start(Interval::bytes(bytes)).unwrap()
}

fn read(snapshot: &Snapshot) -> pprof::Profile {
    let mut message = Vec::new();
    snapshot.dump(&mut message).unwrap();
    pprof::message_with(&message, "space")
}

#[track_caller]
fn assert_about(found: u64, real: usize, percent: usize) {
    let wrong = (found as usize).abs_diff(real);
    assert!(
        wrong <= real * percent / 100,
        "{found} and not about {real}"
    );
}

fn blocks(count: usize, size: usize) -> Vec<Vec<u8>> {
    (0..count).map(|n| vec![n as u8; size]).collect()
}

/// Objects of about `size` bytes and more. The test's harness allocates as well, and one sampled block of 32
/// bytes is an estimate of 16,384 objects when a sample is taken every 512 KiB.
fn in_use_objects(profile: &pprof::Profile, size: usize) -> u64 {
    let samples = profile.samples.iter();
    samples
        .filter(|sample| 2 * sample.inuse_bytes > sample.inuse_objects * size as i64)
        .map(|sample| sample.inuse_objects as u64)
        .sum()
}

#[test]
fn estimates_of_all_sizes() {
    let _guard = serialized();
    for (count, size) in [
        (2_000_000, 32),
        (64_000, 1000),
        (8_000, 10_000),
        (640, 100_000),
        (16, 8 * MIB),
    ] {
        for interval in [1, 64 << 10, 512 << 10] {
            // A sample takes microseconds.
            let count = match interval {
                1 => (count / 16).max(16),
                _ => count,
            };
            let profile = start(interval);
            let kept = blocks(count, size);
            drop(blocks(count, size));
            let snapshot = profile.snapshot();
            let found = read(&snapshot);
            let sum = found.sum();
            // The vector of vectors is one block.
            let real = count * size + count * std::mem::size_of::<Vec<u8>>();
            // 64 MiB in steps of half a MiB are 128 samples, so 12 % is usual.
            assert_about(snapshot.in_use_bytes(), real, 40);
            assert_about(snapshot.allocated_bytes(), 2 * real, 30);
            assert_eq!(sum.inuse_bytes as u64, snapshot.in_use_bytes());
            assert_eq!(sum.alloc_bytes as u64, snapshot.allocated_bytes());
            assert_about(in_use_objects(&found, size), count, 45);
            drop(kept);
            // A few blocks of the test's own harness may be in use.
            assert!(profile.stop().in_use_bytes() < 4 * MIB as u64, "{size}");
        }
    }
}

/// What a thread did before the profile does not count.
#[test]
fn a_late_start() {
    let _guard = serialized();
    for _ in 0..20 {
        drop(blocks(1000, 100_000));
    }
    let profile = start(64 << 10);
    let kept = blocks(1000, 30_000);
    let snapshot = profile.stop();
    assert_about(snapshot.allocated_bytes(), 30_000_000, 20);
    drop(kept);
}

#[test]
fn stacks_contain_this_programs_functions() {
    let _guard = serialized();
    let profile = start(64 << 10);
    let kept = blocks(3000, 3000);
    let snapshot = profile.stop();
    let found = read(&snapshot);
    assert!(!found.samples.is_empty());
    let name = std::env::current_exe().unwrap();
    for sample in &found.samples {
        assert!(sample.stack.len() > 5, "{sample:?}");
    }
    if cfg!(target_os = "linux") {
        assert_eq!(found.mappings[0].file, name.to_str().unwrap());
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        for sample in &found.samples {
            let is_own = |frame: &u64| found.mapping_of(*frame) == name.to_str();
            assert!(sample.stack.iter().any(is_own), "{sample:?}");
        }
        // The system reports the same for each mapping of a file.
        let mut compared = 0;
        for mapping in found.mappings.iter().filter(|m| m.file.starts_with('/')) {
            let start = format!("{:x}-", mapping.start);
            let line = maps.lines().find(|line| line.starts_with(&start)).unwrap();
            let words: Vec<_> = line.split_whitespace().collect();
            assert!(words[1].contains('x'), "{line}");
            assert_eq!(
                u64::from_str_radix(words[2], 16),
                Ok(mapping.offset),
                "{line}"
            );
            let real = |file| std::fs::canonicalize(file).unwrap();
            assert_eq!(real(words[5]), real(&mapping.file));
            compared += 1;
        }
        assert!(compared >= 2, "{:?}", found.mappings);
    }
    assert_eq!(found.period, 64 << 10);
    drop(kept);
}

#[test]
fn one_at_a_time() {
    let _guard = serialized();
    let profile = start(MIB);
    assert_eq!(profile.interval().get(), MIB);
    let error = profile::start(Interval::default()).unwrap_err();
    assert_eq!(error, StartError::AlreadyRunning);
    // The first one continues.
    let kept = blocks(1000, 100_000);
    assert!(profile.snapshot().in_use_bytes() > 50_000_000);
    drop(profile);
    drop(start(1));

    // SAFETY: a profiler that lives until it is detached, and has no callback.
    unsafe {
        let other = Box::into_raw(Box::new(sys::mi_profiler_t::new()));
        assert!(sys::mi_profile(other));
        let error = profile::start(Interval::default()).unwrap_err();
        assert_eq!(error, StartError::OtherProfiler);
        assert!(error.to_string().contains("MIMALLOC_PROFILE"), "{error}");
        sys::mi_profile(std::ptr::null_mut());
        drop(Box::from_raw(other));
    }
    drop(start(1));
    drop(kept);
}

/// Blocks that an earlier profile sampled are freed: the new one does not count them.
#[test]
fn blocks_of_an_older_profile() {
    let _guard = serialized();
    let mut old = Vec::new();
    for _ in 0..3 {
        let profile = start(1);
        // On the same call stack, where the frees would be subtracted.
        let new = blocks(1000, 10_000);
        drop(std::mem::replace(&mut old, new));
        assert_about(profile.stop().in_use_bytes(), 10_000_000, 10);
    }
}

/// A profiler that was attached through the bindings leaves samples with its own data.
#[test]
fn samples_of_another_profiler() {
    use std::ffi::c_void;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    unsafe extern "C" fn on_alloc(
        _: *mut sys::mi_profiler_t,
        data: *mut sys::mi_profiler_sample_data_t,
        _: *mut c_void,
        _: usize,
        _: usize,
        _: u64,
        _: *mut sys::mi_heap_t,
    ) -> usize {
        // Small numbers, among which are those of profiles.
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Relaxed) % 300;
        // SAFETY: the data has that many bytes.
        unsafe {
            let place = std::ptr::addr_of_mut!((*data).user_data).cast::<usize>();
            for n in 0..(*data).user_data_size / std::mem::size_of::<usize>() {
                place.add(n).write(number);
            }
        }
        1
    }
    unsafe extern "C" fn on_free(
        _: *mut sys::mi_profiler_t,
        _: *mut sys::mi_profiler_sample_data_t,
        _: *mut c_void,
        _: *mut sys::mi_heap_t,
    ) {
    }

    let _guard = serialized();
    for sample_data_size in [8, 40, 1024] {
        let other = Box::into_raw(Box::new(sys::mi_profiler_t {
            sample_data_size,
            initial_sample_rate: 1,
            on_alloc: Some(on_alloc),
            on_free: Some(on_free),
            ..sys::mi_profiler_t::new()
        }));
        // SAFETY: the profiler is never freed.
        unsafe {
            assert!(sys::mi_profile(other));
            sys::mi_profiler_start(other);
        }
        let old = blocks(1000, 10_000);
        // SAFETY: as above.
        unsafe {
            sys::mi_profiler_stop(other);
            sys::mi_profile(std::ptr::null_mut());
        }
        let profile = start(1);
        let new = blocks(100, 10_000);
        drop(old);
        assert_about(profile.snapshot().in_use_bytes(), 1_000_000, 20);
        drop(new);
    }
}

/// Fails, panics, or allocates while it writes.
enum Writer {
    Fails,
    Panics,
    Allocates(Vec<Vec<u8>>),
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Writer::Fails => Err(io::Error::new(io::ErrorKind::Other, "the disk is full")),
            Writer::Panics => std::panic::resume_unwind(Box::new("a writer panics")),
            Writer::Allocates(kept) => {
                kept.push(bytes[..bytes.len().min(100)].to_vec());
                kept.extend(blocks(1, 50_000));
                Ok(bytes.len().min(100))
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn writers() {
    let _guard = serialized();
    let profile = start(1); // samples every allocation of a writer that can be sampled
    let kept = blocks(1000, 10_000);
    let error = profile.dump(Writer::Fails).unwrap_err();
    assert_eq!(error.to_string(), "the disk is full");
    let panic = thread::scope(|scope| scope.spawn(|| profile.dump(Writer::Panics)).join());
    assert!(panic.is_err());
    // Four threads write at the same time, and allocate between the pieces.
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..5 {
                    let mut writer = Writer::Allocates(Vec::new());
                    profile.dump(&mut writer).unwrap();
                    match writer {
                        Writer::Allocates(kept) => assert!(kept.len() > 20, "{}", kept.len()),
                        _ => unreachable!(),
                    }
                }
            });
        }
    });
    assert_about(profile.stop().in_use_bytes(), 10_000_000, 20);
    drop(kept);
}

/// The output of a writer holds a lock that other threads wait for while they allocate.
#[test]
fn a_lock_of_the_writer() {
    let _guard = serialized();
    let profile = start(1);
    let log = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                profile::include_thread();
                for n in 0..2000 {
                    log.lock().unwrap().extend(vec![n as u8; 2000]);
                }
            });
        }
        for _ in 0..20 {
            profile.dump(&mut *log.lock().unwrap()).unwrap();
        }
    });
    assert!(log.into_inner().unwrap().len() > 3 * 2000 * 2000);
}

#[test]
fn threads() {
    let _guard = serialized();
    let profile = start(64 << 10);
    // With such large blocks, a thread notices a profile late.
    let make = |is_included: bool| {
        thread::spawn(move || {
            if is_included {
                profile::include_thread();
            }
            blocks(200, 200_000)
        })
        .join()
        .unwrap()
    };
    let unnoticed = make(false);
    assert!(profile.snapshot().in_use_bytes() < 4 * MIB as u64);
    let kept = make(true);
    assert_about(profile.snapshot().in_use_bytes(), 40_000_000, 10);
    // Freed by this thread, and the other one has ended.
    drop((unnoticed, kept));
    assert!(profile.stop().in_use_bytes() < 2 * MIB as u64);

    if mode::DEBUG {
        println!(
            "not run: an assertion ends the process if a profile stops just as a block is sampled"
        );
        return;
    }
    // Starts, snapshots and stops while threads work.
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let _at_end = Stop(&stop);
        for _ in 0..4 {
            scope.spawn(|| {
                let mut kept = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    kept.push(blocks(20, 20_000));
                    if kept.len() > 50 {
                        kept.swap_remove(7);
                    }
                }
            });
        }
        for round in 0..50 {
            let profile = start(1 + round % 3 * 100_000);
            for _ in 0..3 {
                thread::sleep(std::time::Duration::from_millis(2));
                read(&profile.snapshot());
            }
            read(&profile.stop());
        }
    });
    profile::include_thread(); // no profile, no effect
}

/// What was leaked into a heap is freed with the heap.
#[test]
fn a_heap_ends_while_its_profile_runs() {
    let _guard = serialized();
    let profile = start(1);
    let fill = |heap: &Heap| {
        for _ in 0..5000 {
            heap.alloc_slice(&[1u8; 10_000]).unwrap();
        }
    };
    let stays = Heap::new().unwrap();
    fill(&stays);
    // A heap notices the profile after a thousand allocations, and a new one does again.
    assert_about(profile.snapshot().in_use_bytes(), 40_000_000, 10);
    for _ in 0..3 {
        let ends = Heap::new().unwrap();
        fill(&ends);
        assert_about(profile.snapshot().in_use_bytes(), 80_000_000, 10);
        drop(ends);
        assert_about(profile.snapshot().in_use_bytes(), 40_000_000, 10);
    }
    drop(stays);
    let snapshot = profile.stop();
    assert!(snapshot.in_use_bytes() < MIB as u64);
    assert_about(snapshot.allocated_bytes(), 4 * 40_000_000, 10);
}

#[cfg(unix)]
#[test]
fn fork() {
    let _guard = serialized();
    let profile = start(1);
    let kept = blocks(1000, 10_000);
    let stop = AtomicBool::new(false);
    // Forks happen while other threads take a sample. Not with upstream's full checks: its handler for the child walks the
    // free lists of pages that threads were changing, once without an end.
    let threads = if cfg!(feature = "debug_full") { 0 } else { 2 };
    let passed = thread::scope(|scope| {
        let _at_end = Stop(&stop);
        for _ in 0..threads {
            scope.spawn(|| {
                profile::include_thread();
                while !stop.load(Ordering::Relaxed) {
                    drop(blocks(1, 3000));
                }
            });
        }
        (0..20).all(|_| {
            fork::run(|| {
                let more = blocks(1000, 10_000);
                assert_about(profile.snapshot().in_use_bytes(), 20_000_000, 20);
                drop(more);
            })
        })
    });
    assert!(passed);
    assert_about(profile.stop().in_use_bytes(), 10_000_000, 20);
    drop(kept);
}

#[test]
fn intervals() {
    assert_eq!(Interval::default().get(), 512 << 10);
    assert_eq!(Interval::bytes(0), Interval::bytes(1));
    assert_eq!(Interval::bytes(usize::MAX).get(), 64 << 20);
}

/// The figures of the module's documentation:
/// `cargo test --release -p mi-malloc --test profile cost -- --ignored --nocapture`
#[test]
#[ignore = "measures"]
fn cost() {
    let _guard = serialized();
    for size in [32, 1000, 100_000] {
        let count = (1 << 30) / size.max(200);
        let round = || {
            let start = std::time::Instant::now();
            let mut kept: Vec<Vec<u8>> = (0..1000).map(|_| Vec::with_capacity(size)).collect();
            for n in 0..count {
                kept[n % 1000] = Vec::with_capacity(size);
            }
            std::hint::black_box(&kept);
            start.elapsed().as_nanos() as f64 / count as f64
        };
        let least = |n| (0..n).map(|_| round()).fold(f64::MAX, f64::min);
        print!("{size} bytes: {:.1} ns without", least(5));
        for interval in [512 << 10, 64 << 10] {
            let profile = start(interval);
            print!(", {:.1} every {} KiB", least(5), interval >> 10);
            drop(profile);
        }
        println!(", {:.1} afterwards", least(5));
    }
    let profile = start(1);
    let begin = std::time::Instant::now();
    let kept = blocks(20_000, 1 << 10);
    let all = begin.elapsed();
    println!("{} ns a sample", all.as_nanos() / kept.len() as u128);
    let begin = std::time::Instant::now();
    let bytes = {
        let mut out = Vec::new();
        profile.dump(&mut out).unwrap();
        out.len()
    };
    println!("{bytes} bytes in {:?}", begin.elapsed());
}

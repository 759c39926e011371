//! Which memory is returned to the system, and when. One test, because it measures the whole process and sets options.
#![allow(clippy::incompatible_msrv)] // only the library is for Rust 1.63
#![cfg(target_os = "linux")]

#[path = "../../tests/support/raw_thread.rs"]
mod first;
#[allow(dead_code)]
#[path = "../../tests/support/resident.rs"]
mod resident;

use mi_malloc::{purge, sys};
use resident::resident;
use std::hint::black_box;
use std::io::ErrorKind;
use std::thread::sleep;
use std::time::{Duration, Instant};

#[global_allocator]
static GLOBAL: mi_malloc::MiMalloc = mi_malloc::MiMalloc;

const MIB: usize = 1 << 20;
const TOTAL: usize = 200 * MIB;
/// On v2 a thread keeps two segments until it collects itself.
const LEFT: usize = if cfg!(mi_v3) { 20 * MIB } else { 80 * MIB };
const EVERY: Duration = Duration::from_millis(20);

/// Too small to be purged at once, and in pages of their own.
fn blocks(bytes: usize) -> Vec<Vec<u8>> {
    (0..bytes / 300_000).map(|_| vec![1; 300_000]).collect()
}

/// Whether `condition` becomes true within some seconds.
fn soon(condition: impl Fn() -> bool) -> bool {
    let start = Instant::now();
    while !condition() {
        if start.elapsed() > Duration::from_secs(10) {
            return false;
        }
        sleep(Duration::from_millis(10));
    }
    true
}

fn set_delay(milliseconds: i32) {
    // SAFETY: no other thread of this test is running.
    unsafe {
        sys::mi_option_set(sys::mi_option_purge_delay, milliseconds.into());
        sys::mi_option_set(sys::mi_option_arena_purge_mult, 1);
    }
}

#[test]
fn memory_is_returned() {
    // By default only whole ranges of 2 MiB are returned.
    #[cfg(mi_v3)]
    // SAFETY: no other thread of this test is running.
    unsafe {
        sys::mi_option_set(sys::mi_option_arena_purge_min_size, 64);
    }
    set_delay(3_600_000);
    now_returns_it_at_once();
    #[cfg(mi_v3)]
    an_idle_thread_returns_its_pages();
    idle_calls_are_limited();
    #[cfg(mi_v3)]
    free_blocks_of_an_idle_thread_are_purged();
    set_delay(200);
    the_thread_returns_what_is_due();
    the_thread_respects_the_delay();
    the_thread_returns_what_was_forgotten();
    errors_describe_the_problem();
    it_stops();
}

fn now_returns_it_at_once() {
    purge::now();
    let before = resident();
    drop(black_box(blocks(TOTAL)));
    assert!(resident() > before + TOTAL / 5 * 4);
    let returned = purge::now();
    assert!(resident() < before + LEFT, "{before} {}", resident());
    assert!(returned > (TOTAL / 5 * 4) as u64, "{returned}");
    // Nothing is left to purge. (v2 counts a range again that it has already purged.)
    #[cfg(mi_v3)]
    assert!(purge::now() < MIB as u64);

    // In a thread that has not allocated.
    drop(black_box(blocks(TOTAL)));
    first::run(|| assert!(purge::now() > 0));
    assert!(resident() < before + LEFT, "{before} {}", resident());
}

/// A thread retains up to three pages of each size.
#[cfg(mi_v3)]
fn an_idle_thread_returns_its_pages() {
    let (to_worker, orders) = std::sync::mpsc::channel::<fn()>();
    let (to_test, done) = std::sync::mpsc::channel();
    let worker = std::thread::spawn(move || {
        for order in orders {
            order();
            to_test.send(()).unwrap();
        }
    });
    let run = |order: fn()| {
        to_worker.send(order).unwrap();
        done.recv().unwrap();
    };
    run(|| {
        let sizes = (0..60).map(|step| (16.0 * 1.19f64.powi(step)) as usize);
        for size in sizes {
            drop(black_box(vec![vec![1u8; size]; 2 * MIB / size]));
        }
    });
    purge::now();
    // No other thread can return its pages.
    assert!(purge::now() < MIB as u64);
    let held = resident();
    // The thread has returned its pages to the arenas, and this thread purges them.
    run(purge::on_thread_idle);
    let returned = purge::now();
    assert!(returned > MIB as u64, "{returned}");
    assert!(resident() + MIB < held, "{held} {}", resident());
    drop(to_worker);
    worker.join().unwrap();
}

/// Blocks that stay do not keep the memory of the free ones beside them.
#[cfg(mi_v3)]
fn free_blocks_of_an_idle_thread_are_purged() {
    const SIZE: usize = 16 << 10;
    let blocks: Vec<_> = (0..TOTAL / SIZE).map(|_| vec![1u8; SIZE]).collect();
    let stay: Vec<_> = blocks.into_iter().step_by(20).collect();
    set_delay(200);
    let background = purge::Background::start(EVERY).unwrap();
    let before = resident();
    sleep(Duration::from_secs(1)); // longer than the pause after the last call
    assert!(resident() + TOTAL / 2 > before, "they are this thread's");
    purge::on_thread_idle();
    if cfg!(any(
        feature = "debug",
        feature = "debug_full",
        feature = "guarded"
    )) {
        return println!("not run: this build purges no free blocks");
    }
    assert!(soon(|| resident() + TOTAL / 2 < before));
    assert!(soon(|| background.report().bytes > (TOTAL / 2) as u64));
    assert!(stay.iter().all(|block| block == &[1; SIZE]));
}

/// Calls in quick succession only read the clock.
fn idle_calls_are_limited() {
    const CALLS: u32 = 10_000;
    // The minimum of many short rounds: other processes may use the processor meanwhile.
    let rounds = (0..100).map(|_| {
        let start = Instant::now();
        (0..CALLS).for_each(|_| purge::on_thread_idle());
        start.elapsed() / CALLS
    });
    let each = rounds.min().unwrap();
    println!("on_thread_idle: {each:?} each");
    // A call that collects takes more than a microsecond.
    assert!(each < Duration::from_nanos(500), "{each:?}");
}

fn the_thread_returns_what_is_due() {
    purge::now();
    let background = purge::Background::start(EVERY).unwrap();
    assert!(background.is_running());
    let before = resident();
    drop(black_box(blocks(TOTAL)));
    assert!(resident() > before + TOTAL / 5 * 4);
    assert!(soon(|| resident() < before + LEFT));
    assert!(soon(|| background.report().bytes > (TOTAL / 2) as u64));
    let report = background.report();
    assert!(report.purges > 0 && report.rounds >= report.purges);
    assert!(report.busy > Duration::ZERO && report.busy < Duration::from_secs(10));
}

/// Memory with a delay of an hour is retained, and a thread with nothing to do uses no time.
fn the_thread_respects_the_delay() {
    set_delay(3_600_000);
    purge::now();
    let before = resident();
    drop(black_box(blocks(TOTAL)));
    let background = purge::Background::start(EVERY).unwrap();
    sleep(Duration::from_secs(5));
    assert!(resident() > before + TOTAL / 5 * 4);
    let rounds = background.report().rounds;
    assert!((5..=12).contains(&rounds), "{rounds}");
    // From then on it wakes up every other second.
    sleep(Duration::from_secs(3));
    let more = background.report().rounds - rounds;
    assert!((1..=2).contains(&more), "{more}");
}

/// In an idle process, memory is returned even if mimalloc has recorded a wrong time: here, that it is due in an hour.
fn the_thread_returns_what_was_forgotten() {
    set_delay(3_600_000);
    purge::now();
    let before = resident();
    drop(black_box(blocks(TOTAL)));
    set_delay(200);
    let background = purge::Background::start(EVERY).unwrap();
    sleep(Duration::from_millis(1000));
    assert!(resident() > before + TOTAL / 5 * 4);
    assert!(soon(|| resident() < before + LEFT));
    assert!(soon(|| background.report().purges == 1));
}

fn errors_describe_the_problem() {
    let error = purge::Background::start(Duration::ZERO).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("`every`"), "{error}");
}

/// Dropping does not wait for the next round.
fn it_stops() {
    let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
    let before = threads();
    let background = purge::Background::start(Duration::from_secs(3600)).unwrap();
    assert_eq!(threads(), before + 1);
    assert!(soon(|| names().contains(&"mi-malloc purge".to_string())));
    let start = Instant::now();
    drop(background);
    assert!(start.elapsed() < Duration::from_secs(5));
    assert!(soon(|| threads() == before));
    // It can be started again at once, any number of times.
    for _ in 0..100 {
        drop(purge::Background::start(Duration::from_nanos(1)).unwrap());
        drop(purge::Background::start(Duration::MAX).unwrap());
    }
}

fn names() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")));
    names
        .flatten()
        .map(|name| name.trim().to_string())
        .collect()
}

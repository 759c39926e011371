//! Time and memory of the process.

#[cfg(target_os = "linux")]
use crate::resident::{peak, resident};
use crate::respawn;
use mi_malloc_sys::*;
use std::ptr::null_mut;
use std::time::{Duration, Instant};

#[derive(Clone, Copy, Debug, Default)]
struct Info {
    elapsed: usize,
    user: usize,
    system: usize,
    rss: usize,
    peak_rss: usize,
    commit: usize,
    peak_commit: usize,
    faults: usize,
}

fn info() -> Info {
    let mut info = Info::default();
    unsafe {
        mi_process_info(
            &mut info.elapsed,
            &mut info.user,
            &mut info.system,
            &mut info.rss,
            &mut info.peak_rss,
            &mut info.commit,
            &mut info.peak_commit,
            &mut info.faults,
        );
    }
    info
}

/// Of the operating system.
fn usage() -> libc::rusage {
    unsafe {
        let mut usage = std::mem::zeroed();
        assert_eq!(libc::getrusage(libc::RUSAGE_SELF, &mut usage), 0);
        usage
    }
}

fn milliseconds(time: libc::timeval) -> usize {
    time.tv_sec as usize * 1000 + time.tv_usec as usize / 1000
}

#[test]
fn time_and_memory() {
    const SIZE: usize = 50 << 20;
    #[cfg(target_os = "linux")]
    if respawn::is_child() && respawn::argument() == PEAK {
        eprintln!("peak_rss {} VmHWM {}", info().peak_rss, peak());
        return;
    }
    respawn::alone(|| {
        unsafe {
            mi_process_init();
            // Around the first look, at which the thread may have to wait.
            let earlier = Instant::now();
            let first = info();
            let start = Instant::now();

            // Some work, and memory that is touched.
            let p = mi_malloc(SIZE);
            let mut work = 0u64;
            while start.elapsed() < Duration::from_millis(200) {
                for index in 0..10_000u64 {
                    work = std::hint::black_box(work.wrapping_mul(31).wrapping_add(index));
                }
            }
            p.cast::<u8>().write_bytes(1, SIZE);
            let before = usage();
            let second = info();
            let after = usage();

            let passed = earlier.elapsed().as_millis() as usize;
            assert!(
                second.elapsed >= first.elapsed + 190,
                "{first:?} {second:?}"
            );
            assert!(
                second.elapsed <= first.elapsed + passed + 10,
                "{first:?} {second:?}"
            );
            assert!(second.user + second.system >= first.user + first.system);
            let between = |value: usize, from: libc::timeval, to: libc::timeval| {
                (milliseconds(from)..=milliseconds(to)).contains(&value)
            };
            assert!(
                between(second.user, before.ru_utime, after.ru_utime),
                "{second:?}"
            );
            assert!(
                between(second.system, before.ru_stime, after.ru_stime),
                "{second:?}"
            );
            let faults = before.ru_majflt as usize..=after.ru_majflt as usize;
            assert!(faults.contains(&second.faults), "{second:?}");
            let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
            let peak = before.ru_maxrss as usize * unit..=after.ru_maxrss as usize * unit;
            assert!(peak.contains(&second.peak_rss), "{second:?} {peak:?}");
            assert!(second.peak_rss >= SIZE);
            // v2 commits a whole arena at first, where the system overcommits.
            let new = if cfg!(mi_v3) { first.commit } else { 0 };
            assert!(second.commit >= new + SIZE, "{first:?} {second:?}");
            assert!(second.peak_commit >= second.commit);
            #[cfg(target_os = "linux")]
            assert_eq!(second.rss, second.commit);

            #[cfg(target_os = "linux")]
            let before = resident();
            mi_free(p);
            mi_collect(true);
            let third = info();
            // The memory is the system's again. (On Linux it may still count as committed: what release
            // builds purge there need not be committed again.)
            #[cfg(target_os = "linux")]
            assert!(resident() + SIZE / 2 < before);
            assert!(
                third.commit < second.commit + SIZE / 2,
                "{second:?} {third:?}"
            );
            assert!(third.peak_commit >= second.commit && third.peak_rss >= second.peak_rss);

            // None of the pointers is needed.
            let none = null_mut();
            mi_process_info(none, none, none, none, none, none, none, none);
            let mut user = 0;
            mi_process_info(none, &mut user, none, none, none, none, none, none);
            assert!(user >= third.user);
        }
        #[cfg(target_os = "linux")]
        {
            let ballast = std::hint::black_box(vec![1u8; LARGE]);
            peak_across_exec();
            drop(ballast);
        }
    });
}

#[cfg(target_os = "linux")]
const LARGE: usize = 256 << 20;

/// The argument of the small program that [`peak_across_exec`] starts.
#[cfg(target_os = "linux")]
const PEAK: &str = "peak";

/// A small program that this process starts while it has `LARGE` bytes: its `peak_rss` includes them.
#[cfg(target_os = "linux")]
fn peak_across_exec() {
    let said = respawn::assert_child_passes("process_info::time_and_memory", PEAK, &[]);
    let number = |name: &str| -> usize {
        let mut words = said.split_whitespace().skip_while(|word| *word != name);
        words.nth(1).unwrap().parse().unwrap()
    };
    assert!(number("peak_rss") >= LARGE, "{said}");
    assert!(number("VmHWM") < LARGE, "{said}");
}

//! The program around one allocator: `runner time <workload> [threads]` measures itself and prints
//! `key value` lines, `runner hot <operation> <count>` is for an instruction counter.

use crate::process::status_kib;
use crate::{hot, Repetition};
use std::hint::black_box;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Repetitions in one process after a warm-up one.
const REPETITIONS: usize = 5;

/// What an allocator may want to do besides allocating. Only the bump allocator does: it starts
/// over from `mark` before every repetition, which it can because a repetition frees all it took.
#[derive(Default)]
pub struct Hooks {
    /// Called once after the warm-up.
    pub mark: Option<fn()>,
    /// Called before each timed repetition.
    pub reset: Option<fn()>,
}

/// The whole of a runner's `main`.
pub fn main(hooks: Hooks) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["time", workload] => time(workload, 1, &hooks),
        ["time", workload, threads] => threads
            .parse()
            .map_err(drop)
            .and_then(|threads| time(workload, threads, &hooks)),
        ["hot", operation, count] => count
            .parse()
            .map_err(drop)
            .and_then(|count| run_hot(operation, count)),
        _ => Err(()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(()) => {
            eprintln!("usage: runner time <workload> [threads] | hot <operation> <count>");
            ExitCode::FAILURE
        }
    }
}

fn run_hot(operation: &str, count: u64) -> Result<(), ()> {
    hot::find(operation).ok_or(())?.run(count);
    Ok(())
}

fn time(name: &str, threads: usize, hooks: &Hooks) -> Result<(), ()> {
    let workload = crate::find(name).ok_or(())?;
    let mut repetition = (workload.prepare)(threads);
    let mut nanoseconds = Vec::with_capacity(REPETITIONS);
    let mut checksum = repetition();
    if let Some(mark) = hooks.mark {
        mark();
    }
    for _ in 0..REPETITIONS {
        if let Some(reset) = hooks.reset {
            reset();
        }
        let start = Instant::now();
        let sum = black_box(repetition());
        nanoseconds.push(start.elapsed().as_nanos());
        checksum = checksum.rotate_left(1) ^ sum;
    }
    // Read before anything below allocates.
    let peak = status_kib("VmHWM:");
    if workload.settles {
        idle(&mut repetition);
    }
    let rest = status_kib("VmRSS:");
    for time in nanoseconds {
        println!("nanoseconds {time}");
    }
    println!("checksum {checksum}");
    if let Some(peak) = peak {
        println!("peak_kib {peak}");
    }
    if let (true, Some(rest)) = (workload.settles, rest) {
        println!("rest_kib {rest}");
    }
    Ok(())
}

/// Some two seconds of a program that has little to do: allocators that give memory back only while
/// they are asked for some get their chance. The workload, and so what it keeps, stays alive. A
/// fixed number of turns, so that a busy machine does not change what is asked for.
fn idle(_workload: &mut Repetition) {
    for turn in 0..100_000 {
        let size = [32, 300, 3_000, 30_000][turn % 4];
        black_box(Vec::<u8>::with_capacity(size));
        if turn % 100 == 0 {
            sleep(Duration::from_millis(2));
        }
    }
}

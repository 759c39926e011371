//! The program around one allocator: `runner time <workload> [threads]` measures itself and prints
//! `key value` lines, `runner retained <workload> [threads]` prints when the work is done, and the memory
//! retained some time after that, `runner rest <program>` works, prints when it is done and is idle until its
//! input ends, `runner program <name> <folder>` does all of a whole program's work once, with input from this folder,
//! `runner hot <operation> <count>` is for an instruction counter.

use crate::process::{huge_pages_kib, status_kib};
use crate::{hot, programs, resting, Repetition, Workload};
use std::fs::File;
use std::hint::black_box;
use std::io::Read;
use std::path::Path;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long a program is idle before its memory is measured. Longer than the delays after which mimalloc
/// (4 s in v3) and jemalloc (10 s) purge.
pub const REST: Duration = Duration::from_secs(15);

/// What `retained` and `rest` print when their work is done: then the next program may start.
pub const WORKED: &str = "worked";

/// What an allocator may need to do besides allocating.
#[derive(Default)]
pub struct Hooks {
    /// Called by the main thread and by threads of [`resting`] before they wait.
    pub idle: Option<fn()>,
    // Of the bump allocator. It restarts from `mark` before every repetition, which it can because a repetition frees
    // everything it allocated.
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
        ["time", workload] => time(workload, "1", &hooks),
        ["time", workload, threads] => time(workload, threads, &hooks),
        ["retained", workload] => retained(workload, "1", &hooks),
        ["retained", workload, threads] => retained(workload, threads, &hooks),
        ["rest", program] => rest(program, &hooks),
        ["program", name, folder] => program(name, folder),
        ["hot", operation, count] => count
            .parse()
            .map_err(drop)
            .and_then(|count| run_hot(operation, count)),
        _ => Err(()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(()) => {
            eprintln!(
                "usage: runner time <workload> [threads] | retained <workload> [threads] | \
                 rest <program> | program <name> <folder> | hot <operation> <count>"
            );
            ExitCode::FAILURE
        }
    }
}

fn run_hot(operation: &str, count: u64) -> Result<(), ()> {
    hot::find(operation).ok_or(())?.run(count);
    Ok(())
}

/// A workload and its work for this number of threads, ready to be repeated.
fn prepare(workload: &str, threads: &str) -> Result<(&'static Workload, Repetition), ()> {
    let threads = threads.parse().map_err(drop)?;
    let workload = crate::find(workload).ok_or(())?;
    Ok((workload, (workload.prepare)(threads)))
}

/// All repetitions: their times in nanoseconds and a checksum of what they did.
fn work(repetitions: usize, repetition: &mut Repetition, hooks: &Hooks) -> (Vec<u128>, u64) {
    let mut nanoseconds = Vec::with_capacity(repetitions);
    let mut checksum = repetition();
    if let Some(mark) = hooks.mark {
        mark();
    }
    for _ in 0..repetitions {
        if let Some(reset) = hooks.reset {
            reset();
        }
        let start = Instant::now();
        let sum = black_box(repetition());
        nanoseconds.push(start.elapsed().as_nanos());
        checksum = checksum.rotate_left(1) ^ sum;
    }
    (nanoseconds, checksum)
}

fn time(workload: &str, threads: &str, hooks: &Hooks) -> Result<(), ()> {
    let before = status_kib("VmRSS:");
    let (workload, mut repetition) = prepare(workload, threads)?;
    let (nanoseconds, checksum) = work(workload.group.repetitions(), &mut repetition, hooks);
    // Read before anything below allocates.
    let peak = status_kib("VmHWM:");
    let huge_pages = if workload.huge_pages {
        huge_pages_kib()
    } else {
        None
    };
    drop(repetition);
    let after = status_kib("VmRSS:");
    for time in nanoseconds {
        println!("nanoseconds {time}");
    }
    println!("checksum {checksum}");
    if let Some(peak) = peak {
        println!("peak_kib {peak}");
    }
    if let Some(huge_pages) = huge_pages {
        println!("huge_kib {huge_pages}");
    }
    print_left(before, after);
    Ok(())
}

fn retained(workload: &str, threads: &str, hooks: &Hooks) -> Result<(), ()> {
    let (workload, mut repetition) = prepare(workload, threads)?;
    work(workload.group.repetitions(), &mut repetition, hooks);
    println!("{WORKED}");
    idle();
    if let Some(rest) = status_kib("VmRSS:") {
        println!("retained_kib {rest}");
    }
    // Everything that it keeps is allocated by now.
    drop(repetition);
    Ok(())
}

/// Light work: a chance to purge for allocators that purge only during allocations. A fixed number of
/// iterations, so that a busy machine does not change what is allocated.
fn idle() {
    const PAUSES: u32 = 1_000;
    const TURNS_EACH: usize = 100;
    for _ in 0..PAUSES {
        sleep(REST / PAUSES);
        for turn in 0..TURNS_EACH {
            let size = [32, 300, 3_000, 30_000][turn % 4];
            black_box(Vec::<u8>::with_capacity(size));
        }
    }
}

/// Works and then is idle: nothing runs in this program any more, except what its allocator itself may run.
fn rest(program: &str, hooks: &Hooks) -> Result<(), ()> {
    // Read without a buffer, which would need an allocation.
    let mut input = File::open("/dev/stdin").map_err(drop)?;
    let idle = hooks.idle.unwrap_or(|| ());
    let rest = resting::find(program).ok_or(())?.work(idle);
    println!("checksum {}", rest.checksum);
    println!("in_use_kib {}", rest.bytes_in_use / 1024);
    println!("{WORKED}");
    idle();
    // The measuring process holds the other end open.
    input.read(&mut [0]).map_err(drop)?;
    Ok(())
}

/// A whole program. Its time is that of the process, measured from outside.
fn program(name: &str, folder: &str) -> Result<(), ()> {
    let before = status_kib("VmRSS:");
    let checksum = programs::work(name, Path::new(folder)).ok_or(())?;
    // Read before anything below allocates.
    let (peak, after) = (status_kib("VmHWM:"), status_kib("VmRSS:"));
    println!("checksum {checksum}");
    if let Some(peak) = peak {
        println!("peak_kib {peak}");
    }
    print_left(before, after);
    Ok(())
}

/// Resident memory when everything has been freed.
fn print_left(before: Option<u64>, after: Option<u64>) {
    if let (Some(before), Some(after)) = (before, after) {
        println!("left_kib {}", after.saturating_sub(before));
    }
}

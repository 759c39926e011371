//! Runs programs of the model, in processes of their own, until they have called the allocator often enough.
//!
//! `soak <operations> [first seed]` runs all kinds; `soak <batch>`, with the text of a batch as a failure
//! prints it, runs that one in this process.

#[cfg(mi_v3)]
mod invariants;
#[cfg(all(mi_v3, target_os = "linux"))]
mod lost_purge;
#[path = "../../../tests/model/mod.rs"]
mod model;

use std::process::{Command, Output};
use std::time::Instant;

use model::program::Kind;
use model::run::Batch;

/// Steps of one program.
const LENGTH: usize = 20_000;

fn main() {
    #[cfg(mi_v3)]
    model::run::check_with(invariants::check);
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Ok(batch) = arguments.join(" ").parse::<Batch>() {
        return batch.execute();
    }
    let number = |index: usize| arguments.get(index).map(|word| word.parse::<u64>());
    let (operations, seed) = match (number(0), number(1)) {
        (Some(Ok(operations)), None) => (operations, 0),
        (Some(Ok(operations)), Some(Ok(seed))) => (operations, seed),
        _ => {
            eprintln!("usage: soak <operations> [first seed] | soak <batch>");
            std::process::exit(2);
        }
    };
    #[cfg(all(mi_v3, target_os = "linux"))]
    lost_purge::check();
    soak(operations, seed);
}

/// How a batch differs from a plain one.
#[derive(Clone, Copy, PartialEq)]
enum Variant {
    Plain,
    /// One thread executes all steps, so that no block is freed by another.
    SingleThread,
    /// With guard pages behind some blocks, in builds that have them, and on v3 with a profiler.
    Sampled,
    /// As `Sampled`, and the profiler is switched on and off.
    Switched,
}

/// All kinds in turn, each time with new seeds.
fn soak(operations: u64, mut seed: u64) {
    let start = Instant::now();
    let mut calls = 0;
    while calls < operations {
        for (kind, concurrency) in [
            (Kind::Raw, 1),
            (Kind::Rust, 1),
            (Kind::Mixed, 1),
            (Kind::Mixed, 4),
        ] {
            for variant in [
                Variant::Plain,
                Variant::SingleThread,
                Variant::Sampled,
                Variant::Switched,
            ] {
                let mut batch = Batch::new(kind, concurrency, seed..seed + 8 / concurrency, LENGTH);
                let sampled = variant == Variant::Sampled || variant == Variant::Switched;
                batch.profiled = sampled && cfg!(mi_v3);
                batch.switched = variant == Variant::Switched && cfg!(mi_v3);
                batch.first.single_thread = variant == Variant::SingleThread
                    || (sampled && model::GUARDED_BLOCKS_NEED_ONE_THREAD);
                if batch.first.single_thread && concurrency > 1 {
                    continue;
                }
                calls += model::run_and_shrink(&batch, |text| child(text, sampled));
                seed += batch.count;
            }
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    println!("{calls} operations in {seconds:.0} s, seeds up to {seed}: no fault");
}

/// This program once more. `sampled`: see [`Variant`].
fn child(batch: &str, sampled: bool) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(batch.split(' ')).env("RUST_BACKTRACE", "0");
    if sampled {
        // In bytes on v3, in blocks on v2.
        let rate = if cfg!(mi_v3) { "5000" } else { "20" };
        command.env("MIMALLOC_GUARDED_SAMPLE_RATE", rate);
    }
    command.output().unwrap()
}

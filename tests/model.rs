//! Random programs that allocate with the C functions and with `MiMalloc`, checked against a model.
//! `checks/soak` runs many more of them.
//!
//! A program of its own, because some builds run only this (`xtask/src/modes.rs`).

use std::panic::catch_unwind;

#[path = "model/mod.rs"]
mod model;
#[allow(dead_code)]
#[path = "support/respawn.rs"]
mod respawn;

use model::mode;
use model::program::Kind;
use model::run::Batch;

/// Steps of one program.
const LENGTH: usize = 3000;
/// Programs of one kind. With upstream's full checks a program takes about fifty times as long.
const COUNT: u64 = if mode::DEBUG { 2 } else { 40 };

/// Runs the test `name` in a child for each batch; in the child, runs the batch.
fn check(name: &str, batch: Batch, variables: &[(&str, &str)]) {
    if respawn::is_child() {
        respawn::argument().parse::<Batch>().unwrap().execute();
        return;
    }
    // A backtrace shows only this program's own calls, and costs time in each trial.
    let variables = [variables, &[("RUST_BACKTRACE", "0")]].concat();
    let calls = model::run_and_shrink(&batch, |text| respawn::run(name, text, &variables));
    // Most steps call the allocator: about one in four finds nothing to do.
    let steps = batch.count * batch.first.concurrency * batch.first.length as u64;
    assert!(calls > steps / 2, "{calls} calls in {steps} steps");
}

#[test]
fn c_functions() {
    let batch = Batch::new(Kind::Raw, 1, 0..COUNT, LENGTH);
    check("c_functions", batch, &[]);
}

#[test]
fn global_allocator() {
    let batch = Batch::new(Kind::Rust, 1, 0..COUNT, LENGTH);
    check("global_allocator", batch, &[]);
}

#[test]
fn both_on_one_heap() {
    let batch = Batch::new(Kind::Mixed, 1, 1000..1000 + COUNT, LENGTH);
    check("both_on_one_heap", batch, &[]);
}

#[test]
fn concurrent_programs() {
    let batch = Batch::new(Kind::Mixed, 4, 2000..2000 + COUNT / 2, LENGTH);
    check("concurrent_programs", batch, &[]);
}

/// Some blocks have a guard page behind them (where the build has guard pages), and on v3 some are
/// sampled by a profiler.
#[test]
fn sampled_blocks() {
    let mut batch = Batch::new(Kind::Mixed, 1, 3000..3000 + COUNT, LENGTH);
    batch.profiled = cfg!(mi_v3);
    batch.first.single_thread = model::GUARDED_BLOCKS_NEED_ONE_THREAD;
    // In bytes on v3, in blocks on v2.
    let rate = if cfg!(mi_v3) { "5000" } else { "20" };
    check(
        "sampled_blocks",
        batch,
        &[("MIMALLOC_GUARDED_SAMPLE_RATE", rate)],
    );
}

/// The model finds a fault, and a long program shrinks to the two steps that cause it.
#[test]
fn fault_is_found_and_shrunk() {
    let name = "fault_is_found_and_shrunk";
    let mut batch = Batch::new(Kind::Raw, 1, 7..9, 300);
    batch.first.faulty = true;
    if respawn::is_child() {
        return check(name, batch, &[]);
    }
    let message = catch_unwind(|| check(name, batch, &[])).unwrap_err();
    let message = message.downcast::<String>().unwrap();
    let steps = message.lines().filter(|line| line.contains(": Step {"));
    assert_eq!(steps.count(), 2, "{message}");
    assert!(message.contains("raw 1 7 1 300 "), "{message}");
    assert!(message.contains("overlaps another block"), "{message}");
}

//! Random programs of allocations, over the C functions and over `MiMalloc`, against a model of
//! what must hold. `checks/soak` runs many more of them.

use std::panic::catch_unwind;

#[path = "model/mod.rs"]
mod model;
#[allow(dead_code)]
#[path = "support/respawn.rs"]
mod respawn;

use model::mode;
use model::program::Kind;
use model::run::Lot;

/// Steps of one program.
const LENGTH: usize = 3000;
/// Programs of one kind. Upstream's full checks take about fifty times as long as none.
const COUNT: u64 = if mode::DEBUG { 2 } else { 40 };

/// Runs the test `name` again as a child for each lot, and in the child the lot.
fn prove(name: &str, lot: Lot, variables: &[(&str, &str)]) {
    if respawn::is_this() {
        respawn::argument().parse::<Lot>().unwrap().go();
        return;
    }
    // A trace of this program's own calls says nothing, and costs time in each trial.
    let variables = [variables, &[("RUST_BACKTRACE", "0")]].concat();
    let calls = model::prove(&lot, |text| respawn::run(name, text, &variables));
    // A program does something: about one step in four finds nothing to do.
    let steps = lot.count * lot.first.lanes * lot.first.length as u64;
    assert!(calls > steps / 2, "{calls} calls in {steps} steps");
}

#[test]
fn c_functions() {
    let lot = Lot::new(Kind::Raw, 1, 0..COUNT, LENGTH);
    prove("c_functions", lot, &[]);
}

#[test]
fn the_global_allocator() {
    let lot = Lot::new(Kind::Rust, 1, 0..COUNT, LENGTH);
    prove("the_global_allocator", lot, &[]);
}

#[test]
fn both_on_the_same_heap() {
    let lot = Lot::new(Kind::Mixed, 1, 1000..1000 + COUNT, LENGTH);
    prove("both_on_the_same_heap", lot, &[]);
}

#[test]
fn at_the_same_time() {
    let lot = Lot::new(Kind::Mixed, 4, 2000..2000 + COUNT / 2, LENGTH);
    prove("at_the_same_time", lot, &[]);
}

/// Some blocks have a guard page behind them (where the build has guard pages), and on v3 some are
/// sampled by a profiler.
#[test]
fn with_samples() {
    let mut lot = Lot::new(Kind::Mixed, 1, 3000..3000 + COUNT, LENGTH);
    lot.profiled = cfg!(mi_v3);
    lot.first.alone = model::GUARDS_WANT_ONE_THREAD;
    // In bytes on v3, in blocks on v2.
    let rate = if cfg!(mi_v3) { "5000" } else { "20" };
    prove(
        "with_samples",
        lot,
        &[("MIMALLOC_GUARDED_SAMPLE_RATE", rate)],
    );
}

/// The model does find faults, and a long program shrinks to the two steps that matter.
#[test]
fn a_fault_is_found_and_shrunk() {
    let name = "a_fault_is_found_and_shrunk";
    let mut lot = Lot::new(Kind::Raw, 1, 7..9, 300);
    lot.first.faulty = true;
    if respawn::is_this() {
        return prove(name, lot, &[]);
    }
    let message = catch_unwind(|| prove(name, lot, &[])).unwrap_err();
    let message = message.downcast::<String>().unwrap();
    let steps = message.lines().filter(|line| line.contains(": Step {"));
    assert_eq!(steps.count(), 2, "{message}");
    assert!(message.contains("raw 1 7 1 300 "), "{message}");
    assert!(message.contains("overlaps another block"), "{message}");
}

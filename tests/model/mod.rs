//! A model of the allocator, and the random programs that are run against both.
//!
//! A seed gives a [`program`]: steps that allocate, reallocate and free, on several threads. It is
//! [`run`] with the allocator and, step by step, with a [`shadow`] that knows what must hold. Each
//! run is a process of its own, since an allocator's faults kill processes; when one fails, the
//! parent [`shrink`]s its program by running parts of it, and prints what is left.

pub mod allocator;
pub mod program;
pub mod run;
#[cfg(mi_v3)]
mod sampling;
pub mod shadow;
pub mod shrink;

use std::process::Output;

use run::{Lot, Run};

#[path = "../support/heap.rs"]
mod heap;
#[path = "../support/mode.rs"]
#[allow(dead_code)]
pub mod mode;

/// Blocks with guard pages must be freed by their own thread: v2.5.2 looks for the padding that such
/// a block has not when another thread has freed it (`_mi_free_delayed_block`), reports a buffer
/// overflow and stops the program.
pub const GUARDS_WANT_ONE_THREAD: bool = cfg!(mi_v2) && mode::GUARDED && mode::PADDING;

/// Runs `lot` by `child`, which starts a process for the text of a lot. Gives the number of calls
/// of the allocator; panics with the shortest program found if one fails.
pub fn prove(lot: &Lot, child: impl Fn(&str) -> Output) -> u64 {
    let failed = |output: &Output| !output.status.success();
    let output = child(&lot.to_string());
    if !failed(&output) {
        return run::calls(&output.stdout).expect("the child did not come to its end");
    }
    let lot = match run::last(&output.stderr) {
        Some(lot) => lot,
        None => panic!("no run began: {}", text(&output)),
    };
    let run = &lot.first;
    if run.lanes > 1 {
        panic!(
            "{lot}: fails, perhaps not each time. {} programs ran at the same time, so none is \
             shrunk.\n{}",
            run.lanes,
            text(&output)
        );
    }
    let mut seen = output;
    let part = |kept: &[usize]| {
        lot.only(Run {
            kept: kept.to_vec(),
            ..run.clone()
        })
    };
    let kept = shrink::shrink(run.length, |kept| {
        let output = child(&part(kept).to_string());
        let fails = failed(&output);
        if fails {
            seen = output;
        }
        fails
    });
    let short = part(&kept);
    let steps: String = short
        .first
        .program()
        .iter()
        .map(|(number, step)| format!("  {number}: {step:?}\n"))
        .collect();
    panic!("{short}: fails:\n{steps}{}", text(&seen));
}

fn text(output: &Output) -> String {
    format!(
        "{}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

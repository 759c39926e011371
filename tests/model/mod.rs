//! A model of the allocator, and the random programs that are run against both.
//!
//! A seed determines a [`program`]: steps that allocate, reallocate and free, on several threads. A
//! [`run`] executes it with the allocator, and an [`oracle`] checks after each step what must hold.
//! Runs have a process of their own, since an allocator's faults kill processes. When one fails,
//! the parent [`shrink`]s its program by running parts of it, and prints the shortest that fails.

pub mod allocator;
pub mod oracle;
pub mod program;
pub mod run;
#[cfg(mi_v3)]
mod sampling;
pub mod shrink;

use std::process::Output;

use run::{Batch, Run};

#[path = "../support/heap.rs"]
mod heap;
#[path = "../support/mode.rs"]
#[allow(dead_code)]
pub mod mode;

/// Blocks with guard pages must be freed by their own thread. If another thread frees one, v2.5.2 reads padding
/// that such a block does not have (`_mi_free_delayed_block`), reports a buffer overflow and stops the program.
pub const GUARDED_BLOCKS_NEED_ONE_THREAD: bool = cfg!(mi_v2) && mode::GUARDED && mode::PADDING;

/// Runs `batch` in a process that `child` starts for the text of a batch. Returns the number of calls
/// of the allocator; panics with the shortest failing program found if one fails.
pub fn run_and_shrink(batch: &Batch, child: impl Fn(&str) -> Output) -> u64 {
    let failed = |output: &Output| !output.status.success();
    let output = child(&batch.to_string());
    if !failed(&output) {
        return run::calls(&output.stdout).expect("the child did not reach its end");
    }
    let batch = match run::last(&output.stderr) {
        Some(batch) => batch,
        None => panic!("no run was begun: {}", text(&output)),
    };
    let run = &batch.first;
    if run.concurrency > 1 {
        panic!(
            "{batch}: fails, perhaps not each time. {} programs ran at the same time, so none is \
             shrunk.\n{}",
            run.concurrency,
            text(&output)
        );
    }
    let mut seen = output;
    let part = |kept: &[usize]| {
        batch.only(Run {
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

//! Interprets bytes as a program of allocations, and runs it against the model of `tests/model`.
//!
//! The model's own tests choose likely steps at random; here libFuzzer searches for steps that reach
//! new code of the allocator.

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::Arc;

#[allow(dead_code)]
#[path = "../../tests/support/mode.rs"]
mod mode;
#[allow(dead_code)]
#[path = "../../tests/model/mod.rs"]
mod model;

use model::oracle::{self, Oracle, TransferPool};
use model::program::{Action, Family, FreeFunction, Request, Step, HEAPS, SLOTS};

/// The thread of libFuzzer, and a second one that is started and ends.
const MAIN: usize = 0;
const OTHER: usize = 1;

fuzz_target!(|bytes: &[u8]| {
    let pool = TransferPool::default();
    let mut oracle = Oracle::new(Arc::clone(&pool), false);
    let steps = steps(bytes);
    let mut number = 0;
    for part in steps.chunk_by(|a, b| a.thread == b.thread) {
        let start = number;
        number += part.len() + 1;
        if part[0].thread == MAIN {
            execute(&mut oracle, start, part);
        } else {
            let oracle = &mut oracle;
            let work = move || {
                execute(oracle, start, part);
                let action = Action::EndThread;
                execute(
                    oracle,
                    start + part.len(),
                    &[Step {
                        thread: OTHER,
                        action,
                    }],
                );
            };
            std::thread::scope(|scope| scope.spawn(work).join().unwrap());
        }
    }
    oracle.finish(MAIN);
    oracle::clear(&pool);
});

fn execute(oracle: &mut Oracle, start: usize, steps: &[Step]) {
    for (index, step) in steps.iter().enumerate() {
        oracle.step(start + index, *step);
    }
}

/// The bytes that determine the choices; zeros follow the last one.
struct Choices<'a>(std::slice::Iter<'a, u8>);

impl Choices<'_> {
    fn byte(&mut self) -> usize {
        self.0.next().copied().unwrap_or(0).into()
    }

    fn word(&mut self) -> usize {
        self.byte() << 8 | self.byte()
    }

    fn is(&mut self) -> bool {
        self.byte() & 1 == 1
    }
}

fn steps(bytes: &[u8]) -> Vec<Step> {
    let mut choices = Choices(bytes.iter());
    let mut steps = Vec::new();
    while choices.0.len() > 0 {
        let kind = choices.byte();
        let thread = if kind < 0xe0 { MAIN } else { OTHER };
        let action = action(kind % 16, &mut choices);
        steps.push(Step { thread, action });
    }
    steps
}

fn action(kind: usize, choices: &mut Choices) -> Action {
    match kind {
        // Allocations are frequent, or pages would never fill.
        0..=3 => Action::Allocate {
            slot: slot(choices),
            request: request(choices),
        },
        4..=5 => Action::Reallocate {
            slot: slot(choices),
            request: request(choices),
        },
        6 => Action::Expand {
            slot: slot(choices),
            size: size(choices),
        },
        7..=9 => Action::Free {
            slot: slot(choices),
            by: freeing(choices),
        },
        10 => Action::Check {
            slot: slot(choices),
        },
        11 => Action::Send {
            slot: slot(choices),
        },
        12 => Action::Receive {
            slot: slot(choices),
        },
        13 => Action::NewHeap {
            heap: choices.byte() % HEAPS,
        },
        14 => {
            let heap = choices.byte();
            if heap < 0x80 {
                Action::DeleteHeap { heap: heap % HEAPS }
            } else {
                Action::DestroyHeap { heap: heap % HEAPS }
            }
        }
        _ => Action::Collect {
            force: choices.is(),
        },
    }
}

fn slot(choices: &mut Choices) -> usize {
    choices.byte() % SLOTS
}

fn size(choices: &mut Choices) -> usize {
    let word = choices.word();
    match word >> 14 {
        0 => word & 0x7f,
        1 => word & 0x7ff,
        2 => word & 0x3fff,
        // Up to 2 MiB.
        _ => (word & 0x3fff) << 7,
    }
}

fn request(choices: &mut Choices) -> Request {
    let byte = choices.byte();
    Request {
        size: size(choices),
        zeroed: byte & 0x80 != 0,
        heap: if byte & 0x40 != 0 {
            Some((byte >> 4) % HEAPS)
        } else {
            None
        },
        family: match byte & 0xf {
            0..=3 => Family::Plain,
            4..=5 => Family::Small,
            6 => Family::Counted(1 + choices.byte() % 16),
            7..=9 => Family::Aligned(power(choices)),
            // Larger ones cannot have an offset.
            10 => Family::AlignedAt(power(choices).min(64 << 10), 8 * choices.byte()),
            _ => Family::Rust(power(choices)),
        },
    }
}

/// Up to 256 KiB.
fn power(choices: &mut Choices) -> usize {
    1 << (choices.byte() % 19)
}

fn freeing(choices: &mut Choices) -> FreeFunction {
    use FreeFunction::*;
    let all = [
        Free,
        Checked,
        ReportsSize,
        Size,
        Small,
        Aligned,
        SizeAligned,
        Constant,
    ];
    all[choices.byte() % all.len()]
}

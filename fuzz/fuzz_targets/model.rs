//! Bytes as a program of allocations, run against the model of `tests/model`.
//!
//! The random programs of the model's own tests are made of likely steps; here libFuzzer looks for
//! steps that reach new code of the allocator.

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::Arc;

#[allow(dead_code)]
#[path = "../../tests/support/mode.rs"]
mod mode;
#[allow(dead_code)]
#[path = "../../tests/model/mod.rs"]
mod model;

use model::program::{Action, Freeing, Step, Way, Wish, HEAPS, SLOTS};
use model::shadow::{self, Shadow, Shelf};

/// The thread of libFuzzer, and one that comes and goes.
const MAIN: usize = 0;
const OTHER: usize = 1;

fuzz_target!(|bytes: &[u8]| {
    let shelf = Shelf::default();
    let mut shadow = Shadow::new(Arc::clone(&shelf), false);
    let steps = steps(bytes);
    let mut number = 0;
    for turn in steps.chunk_by(|a, b| a.thread == b.thread) {
        let start = number;
        number += turn.len() + 1;
        if turn[0].thread == MAIN {
            take(&mut shadow, start, turn);
        } else {
            let shadow = &mut shadow;
            let work = move || {
                take(shadow, start, turn);
                let action = Action::EndThread;
                take(
                    shadow,
                    start + turn.len(),
                    &[Step {
                        thread: OTHER,
                        action,
                    }],
                );
            };
            std::thread::scope(|scope| scope.spawn(work).join().unwrap());
        }
    }
    shadow.end(MAIN);
    shadow::clear(&shelf);
});

fn take(shadow: &mut Shadow, start: usize, steps: &[Step]) {
    for (index, step) in steps.iter().enumerate() {
        shadow.step(start + index, *step);
    }
}

/// Bytes to choose by; after the last one there are only zeros.
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
        // Many steps in a row, or pages never fill.
        0..=3 => Action::Allocate {
            slot: slot(choices),
            wish: wish(choices),
        },
        4..=5 => Action::Reallocate {
            slot: slot(choices),
            wish: wish(choices),
        },
        6 => Action::Expand {
            slot: slot(choices),
            size: size(choices),
        },
        7..=9 => Action::Free {
            slot: slot(choices),
            by: freeing(choices),
        },
        10 => Action::Look {
            slot: slot(choices),
        },
        11 => Action::Give {
            slot: slot(choices),
        },
        12 => Action::Take {
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

fn wish(choices: &mut Choices) -> Wish {
    let byte = choices.byte();
    Wish {
        size: size(choices),
        zeroed: byte & 0x80 != 0,
        heap: if byte & 0x40 != 0 {
            Some((byte >> 4) % HEAPS)
        } else {
            None
        },
        way: match byte & 0xf {
            0..=3 => Way::Plain,
            4..=5 => Way::Small,
            6 => Way::Counted(1 + choices.byte() % 16),
            7..=9 => Way::Aligned(power(choices)),
            // Larger ones cannot have an offset.
            10 => Way::AlignedAt(power(choices).min(64 << 10), 8 * choices.byte()),
            _ => Way::Rust(power(choices)),
        },
    }
}

/// Up to 256 KiB.
fn power(choices: &mut Choices) -> usize {
    1 << (choices.byte() % 19)
}

fn freeing(choices: &mut Choices) -> Freeing {
    use Freeing::*;
    let all = [
        Free,
        Checked,
        Measuring,
        Size,
        Small,
        Aligned,
        SizeAligned,
        Constant,
    ];
    all[choices.byte() % all.len()]
}

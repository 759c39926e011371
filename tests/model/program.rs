//! The steps, which a seed determines.
//!
//! Each step is valid after any others (one that frees an empty slot does nothing), so any part of a
//! program is a program.

#[path = "../support/random.rs"]
mod random;

use random::Random;

/// The maximum number of live blocks. Enough to fill pages of small blocks.
pub const SLOTS: usize = 1500;
/// The maximum number of heaps besides the default one.
pub const HEAPS: usize = 4;
pub const THREADS: usize = 3;

#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// The thread that executes the step.
    pub thread: usize,
    pub action: Action,
}

#[derive(Clone, Copy, Debug)]
pub enum Action {
    /// Allocates a block for a slot; the block that was there is freed.
    Allocate {
        slot: usize,
        request: Request,
    },
    /// If the slot is empty, allocates.
    Reallocate {
        slot: usize,
        request: Request,
    },
    Expand {
        slot: usize,
        size: usize,
    },
    Free {
        slot: usize,
        by: FreeFunction,
    },
    Check {
        slot: usize,
    },
    /// Passes the block to any program that receives it.
    Send {
        slot: usize,
    },
    Receive {
        slot: usize,
    },
    /// Creates the heap if it does not exist.
    NewHeap {
        heap: usize,
    },
    DeleteHeap {
        heap: usize,
    },
    DestroyHeap {
        heap: usize,
    },
    Collect {
        force: bool,
    },
    /// The thread ends. The next step with its number starts another.
    EndThread,
}

/// The properties of a requested block.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    pub size: usize,
    pub family: Family,
    pub zeroed: bool,
    /// The number of the heap; `None` is the thread's default one.
    pub heap: Option<usize>,
}

/// The family of functions to call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    Plain,
    /// The size as a product with this count.
    Counted(usize),
    /// For small sizes; else as `Plain`.
    Small,
    Aligned(usize),
    /// Alignment and offset.
    AlignedAt(usize, usize),
    /// `MiMalloc` with a layout of this alignment.
    Rust(usize),
}

#[derive(Clone, Copy, Debug)]
pub enum FreeFunction {
    Free,
    Checked,
    /// Returns the size of the block.
    ReportsSize,
    Size,
    Small,
    Aligned,
    SizeAligned,
    /// With the size in words or the type known: v3's inline functions.
    Constant,
}

/// Which functions the steps call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The C functions.
    Raw,
    /// `MiMalloc` alone.
    Rust,
    /// Both, on the same heap.
    Mixed,
}

/// The generator that chooses steps.
struct StepRng(Random);

impl StepRng {
    fn new(seed: u64) -> StepRng {
        // Spreads the seeds: `Random` starts with similar numbers for similar seeds.
        StepRng(Random::new((seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)))
    }

    fn below(&mut self, end: usize) -> usize {
        self.0.below(end)
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn choose<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// A power of two of up to `2^bits`, each with the same probability.
    fn power_of_two(&mut self, bits: usize) -> usize {
        1 << self.below(bits + 1)
    }
}

/// The steps of `seed`, `length` of them.
pub fn steps(kind: Kind, seed: u64, length: usize) -> Vec<Step> {
    let mut rng = StepRng::new(seed);
    // Few slots reallocate the same blocks often; many slots fill pages.
    let slots = rng.choose(&[8, 100, SLOTS]);
    // Programs with one block size fill and empty whole pages.
    let usual = if rng.one_in(3) {
        Some(size(&mut rng).min(5000))
    } else {
        None
    };
    let mut thread = 0;
    (0..length)
        .map(|_| {
            // Several steps on the same thread, since a change of threads takes time.
            if rng.one_in(12) {
                thread = rng.below(THREADS);
            }
            let action = action(&mut rng, kind, slots, usual);
            Step { thread, action }
        })
        .collect()
}

fn action(rng: &mut StepRng, kind: Kind, slots: usize, usual: Option<usize>) -> Action {
    let slot = rng.below(slots);
    let request = Request {
        size: match usual {
            Some(size) if !rng.one_in(10) => size,
            _ => size(rng),
        },
        family: family(rng, kind),
        zeroed: rng.one_in(3),
        heap: if kind != Kind::Rust && rng.one_in(3) {
            Some(rng.below(HEAPS))
        } else {
            None
        },
    };
    match rng.below(1000) {
        0..=419 => Action::Allocate { slot, request },
        420..=599 => Action::Reallocate { slot, request },
        600..=629 => Action::Expand {
            slot,
            size: request.size,
        },
        630..=929 => Action::Free {
            slot,
            by: freeing(rng, kind),
        },
        930..=949 => Action::Check { slot },
        950..=964 => Action::Send { slot },
        965..=979 => Action::Receive { slot },
        980..=982 => Action::Collect {
            force: rng.one_in(4),
        },
        983..=984 => Action::EndThread,
        985..=992 if kind != Kind::Rust => Action::NewHeap {
            heap: rng.below(HEAPS),
        },
        993..=995 if kind != Kind::Rust => Action::DeleteHeap {
            heap: rng.below(HEAPS),
        },
        996..=997 if kind != Kind::Rust => Action::DestroyHeap {
            heap: rng.below(HEAPS),
        },
        _ => Action::Check { slot },
    }
}

/// Mostly small, as in programs; and the neighbours of every limit.
fn size(rng: &mut StepRng) -> usize {
    use mi_malloc_sys::MI_SMALL_SIZE_MAX;
    match rng.below(100) {
        0..=59 => rng.below(MI_SMALL_SIZE_MAX + 100),
        60..=69 => (rng.power_of_two(14) + rng.below(3)).saturating_sub(1),
        70..=79 => rng.choose(&[
            MI_SMALL_SIZE_MAX - 1,
            MI_SMALL_SIZE_MAX,
            MI_SMALL_SIZE_MAX + 1,
            2 * MI_SMALL_SIZE_MAX,
        ]),
        80..=93 => rng.below(16 << 10),
        94..=98 => rng.below(128 << 10),
        _ => (rng.power_of_two(21) + rng.below(3)).saturating_sub(1),
    }
}

fn alignment(rng: &mut StepRng) -> usize {
    // Beyond 64 KiB a block has its own mapping from the system, and is slow.
    let bits = rng.choose(&[4, 8, 10, 10, 10, 12, 12, 12]);
    if rng.one_in(50) {
        rng.power_of_two(18)
    } else {
        rng.power_of_two(bits)
    }
}

fn family(rng: &mut StepRng, kind: Kind) -> Family {
    let rust = match kind {
        Kind::Raw => false,
        Kind::Rust => true,
        Kind::Mixed => rng.one_in(2),
    };
    if rust {
        let usual = rng.choose(&[1, 2, 4, 8, 8, 8, 16]);
        return Family::Rust(if rng.one_in(3) { alignment(rng) } else { usual });
    }
    match rng.below(10) {
        0..=3 => Family::Plain,
        4 => Family::Counted(1 + rng.below(9)),
        5..=6 => Family::Small,
        7..=8 => Family::Aligned(alignment(rng)),
        _ => Family::AlignedAt(rng.power_of_two(12), 8 * rng.below(20)),
    }
}

fn freeing(rng: &mut StepRng, kind: Kind) -> FreeFunction {
    use FreeFunction::*;
    if kind == Kind::Rust {
        // `Oracle::free` frees the block as Rust does.
        return Free;
    }
    rng.choose(&[
        Free,
        Free,
        Checked,
        ReportsSize,
        Size,
        Size,
        Small,
        Small,
        Aligned,
        SizeAligned,
        Constant,
    ])
}

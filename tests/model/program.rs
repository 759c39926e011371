//! What is to be done: steps that a seed determines.
//!
//! A step means something whatever went before (freeing nothing does nothing), so any part of a
//! program is a program.

#[path = "../support/random.rs"]
mod random;

use random::Random;

/// How many blocks a program holds at most. Enough to fill pages of small blocks.
pub const SLOTS: usize = 1500;
/// How many heaps besides the default one.
pub const HEAPS: usize = 4;
pub const THREADS: usize = 3;

#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// The thread that takes the step.
    pub thread: usize,
    pub action: Action,
}

#[derive(Clone, Copy, Debug)]
pub enum Action {
    /// Puts a block into a slot; what was there is freed.
    Allocate {
        slot: usize,
        wish: Wish,
    },
    /// Of an empty slot, allocates.
    Reallocate {
        slot: usize,
        wish: Wish,
    },
    Expand {
        slot: usize,
        size: usize,
    },
    Free {
        slot: usize,
        by: Freeing,
    },
    Look {
        slot: usize,
    },
    /// Hands the block to whoever takes it.
    Give {
        slot: usize,
    },
    Take {
        slot: usize,
    },
    /// Makes a heap if there is none at this place.
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
    /// The thread ends; another one takes its number with its next step.
    EndThread,
}

/// What a block should be like.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    pub size: usize,
    pub way: Way,
    pub zeroed: bool,
    /// The number of the heap, or the thread's default one.
    pub heap: Option<usize>,
}

/// Which family of functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
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
pub enum Freeing {
    Free,
    Checked,
    /// Tells the size of the block.
    Measuring,
    Size,
    Small,
    Aligned,
    SizeAligned,
    /// With the size in words or the type known: v3's inline functions.
    Constant,
}

/// The choice of steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The C functions.
    Raw,
    /// `MiMalloc` alone.
    Rust,
    /// Both, on the same heap.
    Mixed,
}

/// Chooses.
struct Dice(Random);

impl Dice {
    fn new(seed: u64) -> Dice {
        // Far from each other, since `Random` starts alike with seeds that are alike.
        Dice(Random::new((seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)))
    }

    fn below(&mut self, end: usize) -> usize {
        self.0.below(end)
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// A power of two of up to `2^bits`, and as likely each of them.
    fn power(&mut self, bits: usize) -> usize {
        1 << self.below(bits + 1)
    }
}

/// The steps of `seed`, `length` of them.
pub fn steps(kind: Kind, seed: u64, length: usize) -> Vec<Step> {
    let mut dice = Dice::new(seed);
    // A few slots for much reallocation of the same blocks, or many for full pages.
    let slots = dice.of(&[8, 100, SLOTS]);
    // Programs of one size of block fill and empty whole pages.
    let usual = if dice.one_in(3) {
        Some(size(&mut dice).min(5000))
    } else {
        None
    };
    let mut thread = 0;
    (0..length)
        .map(|_| {
            // In runs, as a change of threads takes time.
            if dice.one_in(12) {
                thread = dice.below(THREADS);
            }
            let action = action(&mut dice, kind, slots, usual);
            Step { thread, action }
        })
        .collect()
}

fn action(dice: &mut Dice, kind: Kind, slots: usize, usual: Option<usize>) -> Action {
    let slot = dice.below(slots);
    let wish = Wish {
        size: match usual {
            Some(size) if !dice.one_in(10) => size,
            _ => size(dice),
        },
        way: way(dice, kind),
        zeroed: dice.one_in(3),
        heap: if kind != Kind::Rust && dice.one_in(3) {
            Some(dice.below(HEAPS))
        } else {
            None
        },
    };
    match dice.below(1000) {
        0..=419 => Action::Allocate { slot, wish },
        420..=599 => Action::Reallocate { slot, wish },
        600..=629 => Action::Expand {
            slot,
            size: wish.size,
        },
        630..=929 => Action::Free {
            slot,
            by: freeing(dice, kind),
        },
        930..=949 => Action::Look { slot },
        950..=964 => Action::Give { slot },
        965..=979 => Action::Take { slot },
        980..=982 => Action::Collect {
            force: dice.one_in(4),
        },
        983..=984 => Action::EndThread,
        985..=992 if kind != Kind::Rust => Action::NewHeap {
            heap: dice.below(HEAPS),
        },
        993..=995 if kind != Kind::Rust => Action::DeleteHeap {
            heap: dice.below(HEAPS),
        },
        996..=997 if kind != Kind::Rust => Action::DestroyHeap {
            heap: dice.below(HEAPS),
        },
        _ => Action::Look { slot },
    }
}

/// Small ones mostly, as in programs, and the neighbours of every limit.
fn size(dice: &mut Dice) -> usize {
    use mi_malloc_sys::MI_SMALL_SIZE_MAX;
    match dice.below(100) {
        0..=59 => dice.below(MI_SMALL_SIZE_MAX + 100),
        60..=69 => (dice.power(14) + dice.below(3)).saturating_sub(1),
        70..=79 => dice.of(&[
            MI_SMALL_SIZE_MAX - 1,
            MI_SMALL_SIZE_MAX,
            MI_SMALL_SIZE_MAX + 1,
            2 * MI_SMALL_SIZE_MAX,
        ]),
        80..=93 => dice.below(16 << 10),
        94..=98 => dice.below(128 << 10),
        _ => (dice.power(21) + dice.below(3)).saturating_sub(1),
    }
}

fn alignment(dice: &mut Dice) -> usize {
    // Beyond 64 KiB a block is memory of its own from the system, and slow.
    let bits = dice.of(&[4, 8, 10, 10, 10, 12, 12, 12]);
    if dice.one_in(50) {
        dice.power(18)
    } else {
        dice.power(bits)
    }
}

fn way(dice: &mut Dice, kind: Kind) -> Way {
    let rust = match kind {
        Kind::Raw => false,
        Kind::Rust => true,
        Kind::Mixed => dice.one_in(2),
    };
    if rust {
        let usual = dice.of(&[1, 2, 4, 8, 8, 8, 16]);
        return Way::Rust(if dice.one_in(3) {
            alignment(dice)
        } else {
            usual
        });
    }
    match dice.below(10) {
        0..=3 => Way::Plain,
        4 => Way::Counted(1 + dice.below(9)),
        5..=6 => Way::Small,
        7..=8 => Way::Aligned(alignment(dice)),
        _ => Way::AlignedAt(dice.power(12), 8 * dice.below(20)),
    }
}

fn freeing(dice: &mut Dice, kind: Kind) -> Freeing {
    use Freeing::*;
    if kind == Kind::Rust {
        // The block is freed as Rust does; see `Shadow::free`.
        return Free;
    }
    dice.of(&[
        Free,
        Free,
        Checked,
        Measuring,
        Size,
        Size,
        Small,
        Small,
        Aligned,
        SizeAligned,
        Constant,
    ])
}

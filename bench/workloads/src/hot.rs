//! The hot paths, each operation in a loop: for counting instructions, not for measuring time.

use std::alloc::{alloc, dealloc, Layout};
use std::hint::black_box;

/// An operation that allocates and frees what it allocated.
pub struct Operation {
    pub name: &'static str,
    pub about: &'static str,
    run: fn(count: u64),
}

impl Operation {
    pub fn run(&self, count: u64) {
        (self.run)(count);
    }
}

/// The loop without an operation; the driver subtracts its count from the others'.
pub const EMPTY: &str = "empty";

pub const ALL: &[Operation] = &[
    Operation {
        name: EMPTY,
        about: "the loop alone",
        run: empty,
    },
    Operation {
        name: "raw",
        about: "alloc and dealloc of 32 bytes, the layout constant",
        run: raw,
    },
    Operation {
        name: "box",
        about: "Box of 32 bytes",
        run: box_of_32,
    },
    Operation {
        name: "vec-80",
        about: "Vec of 80 bytes, its length not known at compile time",
        run: vec_80,
    },
    Operation {
        name: "zeroed",
        about: "zeroed Vec of 80 bytes, its length not known at compile time",
        run: zeroed,
    },
    Operation {
        name: "grow",
        about: "Vec of u64 pushed from 0 to 64 entries",
        run: grow,
    },
    Operation {
        name: "aligned",
        about: "128 bytes, aligned to 64",
        run: aligned,
    },
    Operation {
        name: "vec-4k",
        about: "Vec of 4 KiB",
        run: vec_4k,
    },
    Operation {
        name: "vec-32k",
        about: "Vec of 32 KiB",
        run: vec_32k,
    },
    Operation {
        name: "buffer",
        about: "Vec of 32 KiB, the only live block of its size",
        run: buffer,
    },
];

pub fn find(name: &str) -> Option<&'static Operation> {
    ALL.iter().find(|operation| operation.name == name)
}

/// Brings the size class of `take` into its usual state in a running program: it has a current page, and
/// one block stays allocated for as long as the result lives. Otherwise some allocators set up or
/// retire a page in every iteration of the loop. Not inlined, so that an operation's own code stays
/// readable in a disassembler.
#[inline(never)]
fn warm<T>(take: impl Fn() -> T) -> T {
    let mut blocks: Vec<T> = (0..32).map(|_| take()).collect();
    blocks.swap_remove(0)
}

fn empty(count: u64) {
    for i in 0..count {
        black_box(i);
    }
}

fn raw(count: u64) {
    let _neighbour = warm(|| Box::new([0u64; 4]));
    let layout = Layout::new::<[u64; 4]>();
    for _ in 0..count {
        // SAFETY: the size is not zero, and the block is freed with the layout that it was allocated with.
        // A null pointer would end the program in `dealloc`; nothing here runs out of memory.
        unsafe { dealloc(black_box(alloc(layout)), layout) };
    }
}

fn box_of_32(count: u64) {
    let _neighbour = warm(|| Box::new([0u64; 4]));
    for i in 0..count {
        black_box(Box::new([i; 4]));
    }
}

fn vec_80(count: u64) {
    let take = || Vec::<u64>::with_capacity(black_box(10));
    let _neighbour = warm(take);
    for _ in 0..count {
        black_box(take());
    }
}

fn zeroed(count: u64) {
    let take = || vec![0u64; black_box(10)];
    let _neighbour = warm(take);
    for _ in 0..count {
        black_box(take());
    }
}

fn grow(count: u64) {
    let take = || {
        let mut list = Vec::new();
        for entry in 0..64u64 {
            list.push(black_box(entry));
        }
        list
    };
    let _neighbour = warm(take);
    for _ in 0..count {
        black_box(take());
    }
}

fn aligned(count: u64) {
    #[repr(align(64))]
    struct Lines(#[allow(dead_code)] [u64; 16]);
    let _neighbour = warm(|| Box::new(Lines([0; 16])));
    let layout = Layout::new::<Lines>();
    for _ in 0..count {
        // SAFETY: as in `raw`.
        unsafe { dealloc(black_box(alloc(layout)), layout) };
    }
}

fn vec_4k(count: u64) {
    let take = || Vec::<u8>::with_capacity(black_box(4 << 10));
    let _neighbour = warm(take);
    for _ in 0..count {
        black_box(take());
    }
}

fn vec_32k(count: u64) {
    let take = || Vec::<u8>::with_capacity(black_box(32 << 10));
    let _neighbour = warm(take);
    for _ in 0..count {
        black_box(take());
    }
}

/// Not warmed up: a program may well have one block of a large size at a time.
fn buffer(count: u64) {
    for _ in 0..count {
        black_box(Vec::<u8>::with_capacity(black_box(32 << 10)));
    }
}

//! Aligned allocation.

use crate::memory::*;
use crate::mode;
use crate::respawn;
use core::ffi::c_void;
use mi_malloc_sys::*;
use std::ptr::null_mut;

/// Beyond it each block has memory of its own, and takes no offset.
#[cfg(mi_v3)]
const LARGE_ALIGNMENT: usize = 8192 * std::mem::size_of::<usize>();
#[cfg(mi_v2)]
const LARGE_ALIGNMENT: usize = if cfg!(target_pointer_width = "64") {
    16 << 20
} else {
    2 << 20
};

fn alignments(limit: usize) -> impl Iterator<Item = usize> {
    (0..usize::BITS)
        .map(|shift| 1 << shift)
        .take_while(move |alignment| *alignment <= limit)
}

/// What each function of the group makes of a request.
type Allocate = unsafe fn(usize, usize) -> *mut c_void;

#[test]
fn blocks_are_aligned_and_nobody_elses() {
    let functions: [(&str, Allocate, bool); 4] = [
        (
            "malloc",
            |size, alignment| unsafe { mi_malloc_aligned(size, alignment) },
            false,
        ),
        (
            "zalloc",
            |size, alignment| unsafe { mi_zalloc_aligned(size, alignment) },
            true,
        ),
        (
            "calloc",
            |size, alignment| unsafe { mi_calloc_aligned(1, size, alignment) },
            true,
        ),
        (
            "calloc of bytes",
            |size, alignment| unsafe { mi_calloc_aligned(size, 1, alignment) },
            true,
        ),
    ];
    for (name, allocate, zeroed) in functions {
        for size in SIZES {
            let blocks: Vec<_> = alignments(1 << 21)
                .enumerate()
                .map(|(n, alignment)| unsafe {
                    let p = allocate(size, alignment);
                    assert!(!p.is_null(), "{name} {size} {alignment}");
                    assert!(is_aligned(p, alignment), "{name} {size} {alignment}: {p:p}");
                    let usable = mi_usable_size(p);
                    assert!(usable >= size, "{name} {size} {alignment}: {usable}");
                    assert!(!zeroed || is_zero(p, size), "{name} {size} {alignment}");
                    fill(p, usable, n as u8);
                    (p, usable, n as u8)
                })
                .collect();
            for (p, usable, byte) in blocks {
                unsafe {
                    assert!(
                        holds(p, usable, byte),
                        "{name} {size}: {p:p} was written to"
                    );
                    mi_free(p);
                }
            }
        }
    }
}

#[test]
fn zeroed_blocks_are_zero_also_in_used_memory() {
    unsafe {
        for alignment in alignments(LARGE_ALIGNMENT * 2) {
            for size in [1, 8, 64, 100, 1024, 5000, 70_000] {
                for _ in 0..20 {
                    let p = mi_zalloc_aligned(size, alignment);
                    assert!(is_zero(p, size), "{size} {alignment}");
                    fill(p, mi_usable_size(p), 0xEE);
                    mi_free(p);
                }
            }
        }
    }
}

#[test]
fn the_byte_at_the_offset_is_aligned() {
    type AllocateAt = unsafe fn(usize, usize, usize) -> *mut c_void;
    let functions: [(&str, AllocateAt, bool); 3] = [
        (
            "malloc",
            |size, alignment, offset| unsafe { mi_malloc_aligned_at(size, alignment, offset) },
            false,
        ),
        (
            "zalloc",
            |size, alignment, offset| unsafe { mi_zalloc_aligned_at(size, alignment, offset) },
            true,
        ),
        (
            "calloc",
            |size, alignment, offset| unsafe { mi_calloc_aligned_at(1, size, alignment, offset) },
            true,
        ),
    ];
    for (name, allocate, zeroed) in functions {
        for alignment in alignments(LARGE_ALIGNMENT.min(1 << 21)) {
            for offset in [
                0,
                1,
                7,
                8,
                12,
                16,
                100,
                4096,
                alignment / 2,
                alignment,
                alignment + 1,
            ] {
                // Such a block starts between two words. A debug build takes its pointer for invalid
                // and stops the program.
                let between_words = offset % alignment.min(std::mem::size_of::<usize>()) != 0;
                if between_words && mode::DEBUG {
                    continue;
                }
                for size in [0, 1, 16, 100, 1000, 5000, 100_000] {
                    unsafe {
                        let p = allocate(size, alignment, offset);
                        let what = format!("{name} {size} {alignment} {offset}");
                        assert!(!p.is_null(), "{what}");
                        assert!(
                            is_aligned(p.cast::<u8>().wrapping_add(offset), alignment),
                            "{what}"
                        );
                        assert!(mi_usable_size(p) >= size, "{what}");
                        assert!(!zeroed || is_zero(p, size), "{what}");
                        fill(p, size, 0xC3);
                        mi_free(p);
                    }
                }
            }
        }
    }
}

#[test]
fn a_large_alignment_takes_no_offset() {
    unsafe {
        let alignment = LARGE_ALIGNMENT * 2;
        for offset in [1, 8, 4096, alignment] {
            assert!(
                mi_malloc_aligned_at(100, alignment, offset).is_null(),
                "{offset}"
            );
            assert!(
                mi_zalloc_aligned_at(100, alignment, offset).is_null(),
                "{offset}"
            );
            assert!(
                mi_calloc_aligned_at(1, 100, alignment, offset).is_null(),
                "{offset}"
            );
        }
        let p = mi_malloc_aligned_at(100, alignment, 0);
        assert!(!p.is_null() && is_aligned(p, alignment));
        mi_free(p);
    }
}

#[test]
fn the_largest_alignments() {
    unsafe {
        for alignment in alignments(FAR / 2) {
            let p = mi_malloc_aligned(5_000, alignment);
            assert!(!p.is_null() && is_aligned(p, alignment), "{alignment}");
            fill(p, 5_000, 1);
            mi_free(p);
        }
        let p = mi_malloc_aligned(5_000, FAR);
        assert_eq!(p.is_null(), cfg!(mi_v3));
        assert!(is_aligned(p, FAR));
        mi_free(p);
        assert!(mi_malloc_aligned(1, 1 << (usize::BITS - 1)).is_null());
    }
}

const NOT_POWERS_OF_TWO: [usize; 10] = [
    0,
    3,
    5,
    6,
    12,
    24,
    100,
    4095,
    LARGE_ALIGNMENT + 1,
    usize::MAX,
];

#[test]
fn bad_alignments_are_refused() {
    unsafe {
        for bad in NOT_POWERS_OF_TWO {
            for size in [0, 1, 8, 24, 1000, 100_000] {
                assert!(mi_malloc_aligned(size, bad).is_null(), "{size} {bad}");
                assert!(mi_zalloc_aligned(size, bad).is_null(), "{size} {bad}");
                assert!(mi_calloc_aligned(1, size, bad).is_null(), "{size} {bad}");
                assert!(mi_malloc_aligned_at(size, bad, 8).is_null(), "{size} {bad}");
                assert!(mi_zalloc_aligned_at(size, bad, 8).is_null(), "{size} {bad}");
                assert!(
                    mi_calloc_aligned_at(2, size, bad, 0).is_null(),
                    "{size} {bad}"
                );
            }
        }
    }
}

#[test]
fn too_much_is_refused() {
    unsafe {
        for alignment in alignments(LARGE_ALIGNMENT * 2) {
            // Below the limit. On 32 bits there may be addresses even for that, and v3.6.0 then writes to
            // memory that it has not, with a mere `mi_malloc` too.
            let below = [TOO_LARGE - 1, TOO_LARGE - alignment];
            let above = [
                TOO_LARGE,
                usize::MAX,
                usize::MAX - alignment,
                usize::MAX - alignment + 1,
            ];
            let wide = cfg!(target_pointer_width = "64");
            let below = below.into_iter().filter(|_| wide);
            for size in below.chain(above) {
                assert!(
                    mi_malloc_aligned(size, alignment).is_null(),
                    "{size} {alignment}"
                );
                assert!(
                    mi_zalloc_aligned(size, alignment).is_null(),
                    "{size} {alignment}"
                );
                assert!(
                    mi_malloc_aligned_at(size, alignment, 1).is_null(),
                    "{size} {alignment}"
                );
            }
            for (count, size) in [
                (2, TOO_LARGE),
                (usize::MAX, usize::MAX),
                (3, usize::MAX / 3 + 1),
                (1 << (usize::BITS / 2), 1 << (usize::BITS / 2)),
            ] {
                assert!(mi_calloc_aligned(count, size, alignment).is_null());
                assert!(mi_calloc_aligned_at(count, size, alignment, 0).is_null());
                assert!(mi_recalloc_aligned(null_mut(), count, size, alignment).is_null());
                assert!(mi_recalloc_aligned_at(null_mut(), count, size, alignment, 0).is_null());
            }
        }
    }
}

#[test]
fn realloc_keeps_alignment_and_contents() {
    let sizes = [
        0, 1, 8, 24, 100, 1000, 1024, 1025, 2049, 5000, 11_000, 70_000, 600_000,
    ];
    unsafe {
        for alignment in alignments(LARGE_ALIGNMENT.min(1 << 17) * 2) {
            for from in sizes {
                for to in sizes {
                    let p = mi_malloc_aligned(from, alignment);
                    fill(p, from, 0x5C);
                    let q = mi_realloc_aligned(p, to, alignment);
                    let what = format!("{from} -> {to} at {alignment}");
                    assert!(!q.is_null(), "{what}");
                    assert!(is_aligned(q, alignment), "{what}");
                    assert!(mi_usable_size(q) >= to, "{what}");
                    assert!(holds(q, from.min(to), 0x5C), "{what}");
                    mi_free(q);
                }
            }
        }
    }
}

#[test]
fn realloc_stays_only_if_it_is_aligned_and_half_is_used() {
    unsafe {
        for alignment in [16, 64, 4096, LARGE_ALIGNMENT * 2] {
            for size in [100, 1000, 5000, 100_000] {
                let p = mi_malloc_aligned(size, alignment);
                let usable = mi_usable_size(p);
                for same in [usable, usable - 1, usable - usable / 2] {
                    assert_eq!(
                        mi_realloc_aligned(p, same, alignment),
                        p,
                        "{size} {alignment}"
                    );
                }
                let q = mi_realloc_aligned(p, usable / 2 - 1, alignment);
                assert_ne!(q, p, "{size} {alignment}: more than half would lie waste");
                // A stricter alignment moves a block that does not happen to have it.
                let mut stricter = alignment;
                while is_aligned(q, stricter) {
                    stricter *= 2;
                }
                if stricter < FAR {
                    let p = mi_realloc_aligned(q, mi_usable_size(q), stricter);
                    assert_ne!(p, q);
                    assert!(is_aligned(p, stricter), "{size} {stricter}");
                    mi_free(p);
                } else {
                    mi_free(q);
                }
            }
        }
    }
}

#[test]
fn realloc_at_an_offset() {
    unsafe {
        for alignment in [8, 16, 32, 1024, 4096, LARGE_ALIGNMENT] {
            for offset in [0, 8, 24, 1000] {
                let mut p = null_mut();
                let mut old = 0;
                for size in [10, 200, 1024, 1500, 20_000, 300, 0, 77] {
                    p = mi_realloc_aligned_at(p, size, alignment, offset);
                    let what = format!("{old} -> {size} at {alignment} + {offset}");
                    assert!(!p.is_null(), "{what}");
                    assert!(
                        is_aligned(p.cast::<u8>().wrapping_add(offset), alignment),
                        "{what}"
                    );
                    assert!(mi_usable_size(p) >= size, "{what}");
                    assert!(holds(p, size.min(old), 0x21), "{what}");
                    fill(p, size, 0x21);
                    old = size;
                }
                mi_free(p);
            }
        }
        // A block that has to move is refused an offset with a large alignment, and stays.
        let p = mi_malloc(100);
        fill(p, 100, 5);
        assert!(mi_realloc_aligned_at(p, 5000, LARGE_ALIGNMENT * 2, 8).is_null());
        assert!(holds(p, 100, 5));
        mi_free(p);
    }
}

#[test]
fn realloc_of_nothing_and_failure() {
    unsafe {
        let p = mi_realloc_aligned(null_mut(), 100, 256);
        assert!(!p.is_null() && is_aligned(p, 256));
        fill(p, 100, 6);
        for alignment in [1, 8, 16, 256, LARGE_ALIGNMENT * 2] {
            for size in [TOO_LARGE, usize::MAX] {
                assert!(mi_realloc_aligned(p, size, alignment).is_null());
                assert!(mi_realloc_aligned_at(p, size, alignment, 0).is_null());
            }
            for (count, size) in [(2, TOO_LARGE), (usize::MAX, usize::MAX)] {
                assert!(mi_recalloc_aligned(p, count, size, alignment).is_null());
                assert!(mi_recalloc_aligned_at(p, count, size, alignment, 0).is_null());
            }
        }
        assert!(holds(p, 100, 6));
        let q = mi_realloc_aligned(p, 0, 256);
        assert!(!q.is_null() && is_aligned(q, 256));
        mi_free(q);
    }
}

/// A release build refuses; a debug build stops the program.
#[test]
fn realloc_with_a_bad_alignment() {
    let this = "aligned::realloc_with_a_bad_alignment";
    unsafe {
        if respawn::is_child() {
            let p = mi_malloc(100);
            match respawn::argument().as_str() {
                "aligned" => mi_realloc_aligned(p, 200, 24),
                _ => mi_realloc_aligned_at(p, 200, 24, 0),
            };
            return;
        }
        if mode::DEBUG {
            for argument in ["aligned", "aligned_at"] {
                let output = respawn::run(this, argument, &[]);
                let said = String::from_utf8_lossy(&output.stderr);
                assert!(!output.status.success());
                assert!(said.contains("mi_alignment_is_valid"), "{said}");
            }
            return;
        }
        let p = mi_malloc(100);
        fill(p, 100, 8);
        for bad in NOT_POWERS_OF_TWO {
            assert!(mi_realloc_aligned_at(p, 200, bad, 0).is_null(), "{bad}");
            assert!(mi_rezalloc_aligned_at(p, 200, bad, 0).is_null(), "{bad}");
            if bad > std::mem::size_of::<usize>() {
                assert!(mi_realloc_aligned(p, 200, bad).is_null(), "{bad}");
                assert!(mi_rezalloc_aligned(p, 200, bad).is_null(), "{bad}");
            }
        }
        assert!(holds(p, 100, 8));
        // What is not above the size of a pointer is not looked at.
        let p = mi_realloc_aligned(p, 200, 3);
        assert!(holds(p, 100, 8));
        mi_free(p);
    }
}

//! Where transparent huge pages are asked for, by `mi_option_allow_thp` (`src/huge_pages.h`).

use crate::mapping::{self, huge_pages, HugePages::*};
use crate::respawn;
use mi_malloc_sys::*;

const MIB: usize = 1 << 20;

/// With upstream's highest level of mitigations there are guard pages everywhere, and upstream asks for none.
const GUARD_PAGES: bool = cfg!(feature = "secure_full");

fn allow_thp() -> i64 {
    unsafe { mi_option_get(mi_option_allow_thp) as i64 }
}

/// Runs `work` in a child process for each value of the option, which may be "", the default.
fn with_each<Work: Fn()>(values: &[&str], work: Work) {
    if respawn::is_child() {
        return work();
    }
    if GUARD_PAGES {
        println!("not run: this build has guard pages where huge pages would be");
        return;
    }
    if !mapping::system_has_huge_pages() {
        return;
    }
    for &value in values {
        let variables = [("MIMALLOC_ALLOW_THP", value)];
        let name = respawn::name_of::<Work>();
        respawn::assert_child_passes(name, value, &variables[..usize::from(!value.is_empty())]);
    }
}

/// A block of `size` bytes. It is never freed.
fn block(size: usize) -> usize {
    let p = unsafe { mi_malloc(size) };
    assert!(!p.is_null());
    p as usize
}

#[cfg(all(mi_v3, target_pointer_width = "64", not(feature = "no_thp")))]
mod v3 {
    use super::*;
    use crate::resident;

    #[test]
    fn with_3_large_blocks_have_them_and_small_ones_do_not() {
        with_each(&["3", ""], || {
            assert_eq!(allow_thp(), 3);
            for size in [8, 1000, 20_000, 200_000, 3 * MIB] {
                assert_eq!(huge_pages(block(size)), Unwanted, "{size}");
            }
            // Inside an arena, and too large for one.
            for size in [16 * MIB, 100 * MIB, 400 * MIB] {
                let p = block(size);
                assert_eq!(huge_pages(p + 3 * MIB), Wanted, "{size}");
                assert_eq!(huge_pages(p + size - 5 * MIB), Wanted, "{size}");
            }
            // The blocks between are still without.
            assert_eq!(huge_pages(block(1000)), Unwanted);
        });
    }

    /// From some size of the heap on, the rest has them as well.
    #[test]
    fn with_3_a_large_heap_has_them() {
        with_each(&["3"], || {
            let blocks: Vec<_> = (0..100).map(|_| block(MIB)).collect();
            assert_eq!(huge_pages(blocks[0]), Unwanted);
            assert_eq!(huge_pages(blocks[99]), Wanted);
        });
    }

    /// In the first 64 MiB as well, once 16 MiB are resident, also if more was committed before.
    #[test]
    fn with_3_a_heap_that_has_grown_has_them() {
        with_each(&["3", ""], || {
            let untouched = unsafe { mi_malloc(400 * MIB) };
            let first = touched(2);
            unsafe { mi_free(untouched) };
            assert_eq!(huge_pages(touched(8)), Unwanted);
            assert_eq!(huge_pages(touched(14)), Wanted);
            assert_eq!(huge_pages(first), Unwanted);
        });
    }

    /// Memory that is committed and was never touched does not count.
    #[test]
    fn with_3_an_empty_heap_has_none() {
        if crate::mode::DEBUG {
            return println!("not run: a debug build reads zeroed blocks");
        }
        with_each(&["3", ""], || {
            (0..26).for_each(|_| assert!(!unsafe { mi_zalloc(MIB) }.is_null()));
            assert_eq!(huge_pages(touched(8)), Unwanted);
        });
    }

    /// Fills so many MiB with small blocks, and returns the last of them. They are never freed.
    fn touched(mib: usize) -> usize {
        const SIZE: usize = 1000;
        (0..mib * MIB / SIZE).fold(0, |_, _| {
            let p = block(SIZE);
            unsafe { (p as *mut u8).write_bytes(1, SIZE) };
            p
        })
    }

    #[test]
    fn with_1_and_2_all_have_them() {
        with_each(&["1", "2"], || {
            for size in [8, 20_000, 3 * MIB, 100 * MIB] {
                assert_eq!(huge_pages(block(size)), Wanted, "{size}");
            }
        });
    }

    /// With 2 a purge leaves huge pages whole.
    #[test]
    fn with_3_a_purge_goes_by_slices() {
        with_each(&["3", "2", ""], || unsafe {
            const SIZE: usize = 600 << 10; // no huge page is free if each second one of these is
            let blocks: Vec<_> = (0..100).map(|_| mi_malloc(SIZE)).collect();
            for p in &blocks {
                p.cast::<u8>().write_bytes(1, SIZE);
            }
            let before = resident::resident();
            blocks.iter().step_by(2).for_each(|p| mi_free(*p));
            mi_collect(true);
            let purged = before.saturating_sub(resident::resident());
            let by_slices = respawn::argument() != "2";
            assert_eq!(purged > 25 * SIZE, by_slices, "{purged} bytes");
        });
    }
}

/// mimalloc's memory has none, and that is no matter of the process: a program that it starts has its own.
#[test]
fn with_0_there_are_none_and_children_keep_theirs() {
    with_each(&["0"], || {
        assert_eq!(allow_thp(), 0);
        for size in [8, 20_000, 3 * MIB, 100 * MIB, 400 * MIB] {
            let p = block(size);
            assert_eq!(huge_pages(p), Unwanted, "{size}");
            assert_eq!(huge_pages(p + size - 1), Unwanted, "{size}");
        }
        let own = std::fs::read_to_string("/proc/self/status").unwrap();
        let cat = std::process::Command::new("cat")
            .arg("/proc/self/status")
            .output()
            .unwrap();
        let cat = String::from_utf8(cat.stdout).unwrap();
        for status in [own, cat] {
            match status
                .lines()
                .find_map(|line| line.strip_prefix("THP_enabled:"))
            {
                // Whoever started this test may have switched them off.
                Some(enabled) => assert_eq!(enabled.trim(), parent_has()),
                None => println!("not run: this kernel does not report THP_enabled"),
            }
        }
    });
}

/// What the parent has, a process with the default value of the option.
fn parent_has() -> &'static str {
    let parent = unsafe { libc::getppid() };
    let status = std::fs::read_to_string(format!("/proc/{parent}/status")).unwrap();
    match status
        .lines()
        .find_map(|line| line.strip_prefix("THP_enabled:"))
    {
        Some(text) if text.trim() == "0" => "0",
        _ => "1",
    }
}

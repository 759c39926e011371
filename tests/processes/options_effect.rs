//! What some options do, each in a process that starts with it.

use crate::mode;
#[cfg(target_os = "linux")]
use crate::resident;
use crate::respawn;
use mi_malloc_sys::*;

const MIB: usize = 1 << 20;

unsafe fn stats() -> mi_stats_t {
    #[cfg(mi_v2)]
    mi_stats_merge();
    let mut stats = mi_stats_t::new();
    assert!(mi_stats_get(&mut stats));
    stats
}

/// Under `override` the test itself needs memory.
#[cfg(not(feature = "override"))]
#[test]
fn no_memory_but_reserved() {
    // v2 goes on to reserve arenas unless an option forbids it.
    let variables = [
        ("MIMALLOC_DISALLOW_OS_ALLOC", "1"),
        ("MIMALLOC_ARENA_RESERVE", "0"),
    ];
    respawn::alone_with(&variables, || unsafe {
        mi_thread_init();
        assert!(mi_malloc(100_000).is_null());
        assert!(mi_zalloc(MIB).is_null());
        assert_eq!(mi_reserve_os_memory(64 * MIB, true, false), 0);
        let p = mi_malloc(100_000);
        assert!(!p.is_null());
        mi_free(p);
        assert!(mi_malloc(100 * MIB).is_null());
    });
}

#[test]
fn memory_reserved_at_the_start() {
    let variables = [("MIMALLOC_RESERVE_OS_MEMORY", "256M")];
    respawn::alone_with(&variables, || unsafe {
        let stats = stats();
        assert!(stats.arena_count.total >= 1);
        assert!(stats.reserved.current >= 256 * MIB as i64);
        assert!(stats.committed.current >= 256 * MIB as i64);
    });
}

#[test]
fn no_arenas() {
    respawn::alone_with(&[("MIMALLOC_DISALLOW_ARENA_ALLOC", "1")], || unsafe {
        let p = mi_malloc(3 * MIB);
        assert!(!p.is_null());
        assert_eq!(stats().arena_count.total, 0);
        mi_free(p);
    });
}

#[test]
fn arenas_of_a_given_size() {
    respawn::alone_with(&[("MIMALLOC_ARENA_RESERVE", "128M")], || unsafe {
        let p = mi_malloc(3 * MIB);
        let stats = stats();
        assert_eq!(stats.arena_count.total, 1);
        let reserved = stats.reserved.current as usize / MIB;
        assert!((128..256).contains(&reserved), "{reserved} MiB");
        mi_free(p);
    });
}

#[cfg(mi_v3)]
#[test]
fn the_largest_block_in_an_arena() {
    let variables = [("MIMALLOC_ARENA_MAX_OBJECT_SIZE", "8M")];
    respawn::alone_with(&variables, || unsafe {
        assert_eq!(mi_arena_max_object_size(), 8 * MIB);
        let before = stats().pages_os_allocated.current;
        let small = mi_malloc(4 * MIB);
        assert_eq!(stats().pages_os_allocated.current, before);
        let large = mi_malloc(9 * MIB);
        assert_eq!(stats().pages_os_allocated.current, before + 1);
        mi_free(small);
        mi_free(large);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn memory_is_kept_or_purged_at_once() {
    let name = "options_effect::memory_is_kept_or_purged_at_once";
    let work = || unsafe {
        let before = resident::resident();
        let blocks: Vec<_> = (0..200).map(|_| mi_zalloc(300_000)).collect();
        for p in &blocks {
            p.cast::<u8>().write_bytes(1, 300_000);
        }
        blocks.into_iter().for_each(|p| mi_free(p));
        // Forced, which a negative delay forbids all the same.
        let never = mi_option_get(mi_option_purge_delay) < 0;
        mi_collect(never);
        let kept = resident::resident() > before + 40_000_000;
        assert_eq!(kept, never);
    };
    if respawn::is_child() {
        return work();
    }
    respawn::assert_child_passes(name, "", &[("MIMALLOC_PURGE_DELAY", "-1")]);
    respawn::assert_child_passes(name, "", &[("MIMALLOC_PURGE_DELAY", "0")]);
}

/// The figures of the guide's page on memory: eight threads have blocks of 1 MiB each. With transparent
/// huge pages (2, the default, and 1) the 2 MiB around each touched byte are resident. Guard pages behind
/// each page keep huge pages away.
#[cfg(all(target_os = "linux", mi_v3, not(feature = "secure_full")))]
#[test]
fn huge_pages_fill_a_small_program() {
    let name = "options_effect::huge_pages_fill_a_small_program";
    if respawn::is_child() {
        let all = std::sync::Barrier::new(9);
        let mib = std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for n in 0..2000 {
                        let size = n % 1000 + 1;
                        unsafe { mi_malloc(size).cast::<u8>().write_bytes(1, size) };
                    }
                    all.wait();
                    all.wait();
                });
            }
            all.wait();
            let mib = resident::resident() >> 20;
            all.wait();
            mib
        });
        let maps = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
        let huge = maps
            .lines()
            .any(|line| line.starts_with("AnonHugePages:") && !line.trim_end().ends_with(" 0 kB"));
        eprintln!("resident: {mib} {huge}");
        return;
    }
    let resident = |value: &str| {
        let err = respawn::assert_child_passes(name, "", &[("MIMALLOC_ALLOW_THP", value)]);
        let line = err.lines().find_map(|line| line.strip_prefix("resident: "));
        let (mib, huge) = line.unwrap().split_once(' ').unwrap();
        (mib.parse::<usize>().unwrap(), huge == "true")
    };
    let (without, huge) = resident("0");
    assert!(!huge);
    for value in ["1", "2"] {
        let (with, huge) = resident(value);
        println!("allow_thp {value}: {with} MiB, 0: {without} MiB");
        if huge {
            assert!(without * 5 < with * 4, "{without} and {with} MiB");
        } else {
            println!("not run: this system has no free transparent huge pages");
        }
    }
    // Blocks so small lie in the part of the first arena that has none.
    let (with, huge) = resident("3");
    println!("allow_thp 3: {with} MiB, 0: {without} MiB");
    assert!(!huge || !cfg!(target_pointer_width = "64"));
}

/// Some failing requests.
fn fail() {
    for _ in 0..10 {
        assert!(unsafe { mi_malloc(usize::MAX) }.is_null());
    }
}

#[test]
fn error_messages() {
    if respawn::is_child() {
        return fail();
    }
    let count = |variables: &[(&str, &str)]| {
        let err = respawn::assert_child_passes("options_effect::error_messages", "", variables);
        err.matches("too large").count()
    };
    // v2 tries a second time before it gives up.
    let all = if cfg!(mi_v3) { 10 } else { 20 };
    assert_eq!(count(&[]), if mode::SHOWS_ERRORS { all } else { 0 });
    let shown = ("MIMALLOC_SHOW_ERRORS", "1");
    assert_eq!(count(&[shown]), all);
    assert_eq!(count(&[("MIMALLOC_SHOW_ERRORS", "0")]), 0);
    // So many; on v3 also the one that goes beyond.
    let limited = if cfg!(mi_v3) { 4 } else { 3 };
    assert_eq!(count(&[shown, ("MIMALLOC_MAX_ERRORS", "3")]), limited);
    assert_eq!(count(&[shown, ("MIMALLOC_MAX_ERRORS", "-1")]), all);
    assert_eq!(
        count(&[("MIMALLOC_VERBOSE", "1"), ("MIMALLOC_MAX_ERRORS", "3")]),
        all
    );
}

#[test]
fn what_is_shown_at_the_ends() {
    if respawn::is_child() {
        return unsafe { mi_free(mi_malloc(100)) };
    }
    let shows = |variables: &[(&str, &str)]| {
        let err = respawn::assert_child_passes(
            "options_effect::what_is_shown_at_the_ends",
            "",
            variables,
        );
        (
            err.contains("option 'show_stats'"),
            err.contains("peak rss"),
        )
    };
    assert_eq!(shows(&[]), (false, false));
    assert_eq!(shows(&[("MIMALLOC_SHOW_STATS", "1")]), (false, true));
    assert_eq!(shows(&[("MIMALLOC_VERBOSE", "1")]), (true, true));
}

#[test]
fn all_memory_is_destroyed_at_the_end() {
    // Under `override` the C library itself has blocks until the very end.
    if cfg!(feature = "override") {
        println!("not run: with `override` the process could not come to its end");
        return;
    }
    respawn::alone_with(&[("MIMALLOC_DESTROY_ON_EXIT", "1")], || unsafe {
        let heap = mi_heap_new();
        for size in [10, 1000, 100_000, 30 * MIB] {
            assert!(!mi_malloc(size).is_null());
            if mode::HEAPS_MAY_END_WITH_FULL_PAGES {
                assert!(!mi_heap_malloc(heap, size).is_null());
            }
        }
    });
}

/// What the first arena takes of the address space, as the guide says.
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
#[test]
fn address_space_of_the_first_arena() {
    let name = "options_effect::address_space_of_the_first_arena";
    if !respawn::is_child() {
        respawn::assert_child_passes(name, "1024", &[]);
        respawn::assert_child_passes(name, "64", &[("MIMALLOC_ARENA_RESERVE", "64MiB")]);
        return;
    }
    let arena: usize = respawn::argument().parse().unwrap();
    // SAFETY: any size, and the block is freed.
    let reserved = unsafe {
        mi_free(mi_malloc(100));
        stats().reserved.current as usize / MIB
    };
    // Beside it there is v3's map of pages.
    assert!((arena..arena + 20).contains(&reserved), "{reserved} MiB");
}

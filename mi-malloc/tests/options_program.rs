//! `options!` in a program: this one. It imports nothing for it.
#![deny(unused_imports)]

#[allow(dead_code)]
#[path = "../../tests/support/respawn.rs"]
mod child;

use mi_malloc::options;
use std::time::Duration;

#[global_allocator]
static GLOBAL: mi_malloc::MiMalloc = mi_malloc::MiMalloc;

const MIB: usize = 1 << 20;

mi_malloc::options! {
    purge_delay: Duration::from_micros(122_001),
    allow_thp: Thp::Never,
    arena_reserve: 96 * MIB,
    reserve_os_memory: 40 * MIB, // read only at process start
    max_warnings: None,
    arena_eager_commit: ArenaCommit::Whole,
}

#[test]
fn values_are_those_of_the_program() {
    assert_eq!(options::purge_delay::get(), Duration::from_millis(123));
    assert_eq!(options::allow_thp::get(), options::Thp::Never);
    assert_eq!(options::arena_reserve::get(), 96 * MIB);
    assert_eq!(options::reserve_os_memory::get(), 40 * MIB);
    assert_eq!(options::max_warnings::get(), None);
    assert_eq!(
        options::arena_eager_commit::get(),
        options::ArenaCommit::Whole
    );
    assert_eq!(options::max_errors::get(), Some(32)); // the build's
}

/// The memory was reserved before `main`.
#[test]
fn options_read_at_process_start_have_effect() {
    let mut stats = mi_malloc::sys::mi_stats_t::new();
    assert!(unsafe { mi_malloc::sys::mi_stats_get(&mut stats) });
    assert!(stats.reserved.total >= 40 * MIB as i64);
    assert!(stats.committed.total >= 40 * MIB as i64);
}

#[test]
fn the_environment_takes_precedence_and_is_reported() {
    use options::Source;
    if !child::is_child() {
        child::assert_child_passes(
            "the_environment_takes_precedence_and_is_reported",
            "",
            &[
                ("MIMALLOC_PURGE_DELAY", "-1"),
                ("MIMALLOC_ALLOW_THP", "7"),
                ("MIMALLOC_MAX_ERRORS", "12"),
                ("MIMALLOC_ARENA_RESERVE", "nonsense"),
            ],
        );
        return;
    }
    assert_eq!(options::purge_delay::get(), Duration::MAX);
    assert_eq!(options::purge_delay::source(), Some(Source::Environment));
    assert_eq!(options::allow_thp::get(), options::Thp::Allow);
    assert_eq!(options::max_errors::get(), Some(12));
    // A value that cannot be parsed leaves the program's value.
    assert_eq!(options::arena_reserve::get(), 96 * MIB);
    assert_eq!(options::arena_reserve::source(), Some(Source::Program));
    assert_eq!(options::os_tag::source(), Some(Source::Default));

    let text = options::all().to_string();
    for line in [
        "purge_delay                    environment  never",
        "arena_reserve                  program      96 MiB",
        "os_tag                         default      100",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}:\n{text}");
    }

    options::purge_delay::set(Duration::ZERO);
    assert_eq!(options::purge_delay::get(), Duration::ZERO);
    assert_eq!(options::purge_delay::source(), Some(Source::RunTime));
}

/// A thread sets options while others allocate, which read them.
#[test]
fn options_change_under_load() {
    if !child::is_child() {
        child::assert_child_passes("options_change_under_load", "", &[]);
        return;
    }
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for size in 0..5_000 {
                    let block = vec![1_u8; size * 7 % 100_000];
                    assert!(block.iter().all(|byte| *byte == 1));
                }
            });
        }
        for turn in 0..5_000_u64 {
            options::purge_delay::set(Duration::from_millis(turn % 3));
            options::purge_decommits::set(turn % 5 != 0);
            options::allow_thp::set([options::Thp::Never, options::Thp::Allow][turn as usize % 2]);
            options::arena_purge_mult::set(Some(turn as u32 % 4));
            options::disallow_arena_alloc::set(turn % 7 == 0);
            options::arena_eager_commit::set(options::ArenaCommit::OnDemand);
        }
    });
}

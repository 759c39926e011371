//! Options, set and read while the program runs: one test, because they belong to the whole process.

use mi_malloc::options::*;
use mi_malloc::{callbacks, sys};
use std::sync::Mutex;

#[global_allocator]
static GLOBAL: mi_malloc::MiMalloc = mi_malloc::MiMalloc;

#[test]
fn setting_and_reading() {
    every_option_is_listed();
    durations();
    sizes();
    numbers();
    choices();
    guarded_bounds();
    the_list();
    #[cfg(mi_v3)]
    v3();
    #[cfg(mi_v2)]
    v2();
}

/// The options that mimalloc itself lists, in the order of their numbers.
fn names() -> Vec<String> {
    static TEXT: Mutex<String> = Mutex::new(String::new());
    TEXT.lock().unwrap().reserve(1 << 16); // no allocation under the lock
    callbacks::on_output(|text| TEXT.lock().unwrap().push_str(text));
    unsafe { sys::mi_options_print() };
    callbacks::remove_output();
    let text = std::mem::take(&mut *TEXT.lock().unwrap());
    text.lines()
        .filter_map(|line| line.split("option '").nth(1)?.split('\'').next())
        .map(String::from)
        .collect()
}

/// Each name refers to the option of that name.
fn every_option_is_listed() {
    let names = names();
    assert_eq!(names.len(), sys::_mi_option_last as usize);
    let mut count = 0;
    for (number, name) in names.iter().enumerate() {
        let option = number as sys::mi_option_t;
        let entry = all().find(|entry| entry.name() == name);
        let entry = match entry {
            Some(entry) => entry,
            None => {
                assert!(name.starts_with("deprecated_"), "{name} is missing");
                continue;
            }
        };
        count += 1;
        unsafe {
            let before = (sys::mi_option_get(option), entry.source());
            assert_ne!(before.1, Some(Source::RunTime), "{name}");
            sys::mi_option_set(option, before.0 + 1);
            assert_eq!(entry.source(), Some(Source::RunTime), "{name}");
            sys::mi_option_set(option, before.0);
            assert_eq!(entry.source(), before.1, "{name}");
        }
    }
    assert_eq!(all().count(), count);
    assert_eq!(all().size_hint(), (count, Some(count)));
}

fn durations() {
    let raw = || unsafe { sys::mi_option_get(sys::mi_option_purge_delay) };
    for (duration, number) in [
        (Duration::ZERO, 0),
        (Duration::from_millis(1), 1),
        (Duration::from_secs(3), 3000),
        (Duration::MAX, -1),
    ] {
        purge_delay::set(duration);
        assert_eq!((raw(), purge_delay::get()), (number, duration));
    }
    // Rounded up: a short delay is not "at once".
    purge_delay::set(Duration::from_nanos(1));
    assert_eq!(raw(), 1);
    purge_delay::set(Duration::from_micros(2500));
    assert_eq!(raw(), 3);
    // So long that the product would overflow in C.
    let longest = Duration::from_millis((sys_long_max() >> factor_bits()) as u64);
    purge_delay::set(longest);
    assert_eq!(purge_delay::get(), longest);
    purge_delay::set(longest + Duration::from_nanos(1));
    assert_eq!(purge_delay::get(), Duration::MAX);
    arena_purge_mult::set(Some(u32::MAX));
    let factor = arena_purge_mult::get().unwrap();
    assert!((longest.as_millis() * u128::from(factor)) <= sys_long_max() as u128);
    arena_purge_mult::set(None);
    assert_eq!(arena_purge_mult::get(), None);
    // Other negative numbers.
    unsafe { sys::mi_option_set(sys::mi_option_purge_delay, -77) };
    assert_eq!(purge_delay::get(), Duration::MAX);

    retry_on_oom::set(Duration::MAX);
    assert_eq!(retry_on_oom::get(), longest);
    unsafe { sys::mi_option_set(sys::mi_option_retry_on_oom, -77) };
    assert_eq!(retry_on_oom::get(), Duration::ZERO);
}

fn sys_long_max() -> i128 {
    cty::c_long::MAX as i128
}

fn factor_bits() -> u32 {
    if cty::c_long::BITS == 64 {
        31
    } else {
        7
    }
}

fn sizes() {
    let raw = || unsafe { sys::mi_option_get(sys::mi_option_arena_reserve) };
    let before = arena_reserve::get();
    assert_eq!(before as i128, raw() as i128 * 1024);
    for (bytes, kib) in [(0, 0), (1, 1), (1024, 1), (1025, 2), (96 << 20, 96 << 10)] {
        arena_reserve::set(bytes);
        assert_eq!(raw(), kib);
        assert_eq!(arena_reserve::get(), kib as usize * 1024);
    }
    arena_reserve::set(usize::MAX);
    assert!(raw() > 0);
    unsafe { sys::mi_option_set(sys::mi_option_arena_reserve, -5) };
    assert_eq!(arena_reserve::get(), 0);
    unsafe { sys::mi_option_set(sys::mi_option_arena_reserve, cty::c_long::MAX) };
    let largest = (cty::c_long::MAX as usize).saturating_mul(1024);
    assert_eq!(arena_reserve::get(), largest);
    arena_reserve::set(before);
}

fn numbers() {
    generic_collect::set(123);
    assert_eq!(generic_collect::get(), 123);
    os_tag::set(u32::MAX);
    assert!(os_tag::get() >= i32::MAX as u32);
    guarded_sample_seed::set(Some(7));
    assert_eq!(guarded_sample_seed::get(), Some(7));
    guarded_sample_seed::set(Some(0));
    assert_eq!(guarded_sample_seed::get(), None);
    assert_eq!(max_errors::get(), Some(32));
    assert_eq!(reserve_huge_os_pages::get(), 0);
    assert_eq!(reserve_huge_os_pages_at::get(), None);
    assert_eq!(use_numa_nodes::get(), None);
    unsafe {
        sys::mi_option_set(sys::mi_option_max_errors, -3);
        sys::mi_option_set(sys::mi_option_use_numa_nodes, -3);
    }
    assert_eq!(max_errors::get(), None);
    assert_eq!(use_numa_nodes::get(), None);
    show_stats::set(true);
    assert!(show_stats::get());
    show_stats::set(false);
    assert!(!show_stats::get());
}

/// `get` after `number` was set.
fn with<T>(option: sys::mi_option_t, number: cty::c_long, get: fn() -> T) -> T {
    unsafe { sys::mi_option_set(option, number) };
    get()
}

fn choices() {
    for choice in [
        ArenaCommit::OnDemand,
        ArenaCommit::Whole,
        ArenaCommit::WholeIfOvercommit,
    ] {
        arena_eager_commit::set(choice);
        assert_eq!(arena_eager_commit::get(), choice);
    }
    let commit = |number| {
        with(
            sys::mi_option_arena_eager_commit,
            number,
            arena_eager_commit::get,
        )
    };
    assert_eq!(commit(7), ArenaCommit::OnDemand);
    assert_eq!(commit(2), ArenaCommit::WholeIfOvercommit);

    let at_exit = |number| with(sys::mi_option_destroy_on_exit, number, destroy_on_exit::get);
    assert_eq!(at_exit(1), AtExit::Destroy);
    assert_eq!(at_exit(-1), AtExit::Destroy);
    assert_eq!(at_exit(3), AtExit::Skip);
    assert_eq!(at_exit(0), AtExit::Keep);

    let thp = |number| with(sys::mi_option_allow_thp, number, allow_thp::get);
    let before = allow_thp::get();
    assert_eq!(thp(0), Thp::Never);
    assert_eq!(thp(7), Thp::Allow);
    assert_eq!(thp(-1), Thp::Allow);
    allow_thp::set(before);
    assert_eq!(allow_thp::get(), before);
    assert_eq!(Thp::Never.to_string(), "never");

    let loud = |number| with(sys::mi_option_verbose, number, verbose::get);
    assert_eq!(loud(9), Verbosity::Trace);
    assert_eq!(loud(-9), Verbosity::Verbose);
    verbose::set(Verbosity::Quiet);
    assert_eq!(verbose::get(), Verbosity::Quiet);
}

/// Each bound moves the other along.
fn guarded_bounds() {
    guarded_min::set(100);
    guarded_max::set(200);
    guarded_min::set(300);
    assert_eq!((guarded_min::get(), guarded_max::get()), (300, 300));
    guarded_max::set(50);
    assert_eq!((guarded_min::get(), guarded_max::get()), (50, 50));
}

fn the_list() {
    purge_delay::set(Duration::from_millis(1234));
    arena_reserve::set(96 << 20);
    let text = all().to_string();
    let line = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        let line = line.unwrap_or_else(|| panic!("{name}: {text}"));
        line.split_whitespace()
            .skip(1)
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(line("purge_delay "), "run time 1234 ms");
    assert_eq!(line("arena_reserve "), "run time 96 MiB");
    assert_eq!(line("os_tag").split(' ').next(), Some("run"));
    assert_eq!(line("purge_decommits "), "default on");
    assert_eq!(line("reserve_os_memory "), "default 0 B");
    assert_eq!(line("max_warnings "), "default 32");
    assert_eq!(text.lines().count(), all().count());
    let entry = all().find(|entry| entry.name() == "purge_delay").unwrap();
    assert_eq!(format!("{entry:?}"), "purge_delay: 1234 ms (run time)");
    for (bytes, shown) in [
        (3 << 10, "3 KiB"),
        (1536 << 20, "1536 MiB"),
        (2 << 30, "2 GiB"),
    ] {
        arena_reserve::set(bytes);
        assert!(
            all().any(|entry| entry.value().to_string() == shown),
            "{shown}"
        );
    }
}

#[cfg(mi_v3)]
fn v3() {
    arena_purge_min_size::set(Some(100));
    assert_eq!(arena_purge_min_size::get(), Some(1024));
    arena_purge_min_size::set(None);
    assert_eq!(arena_purge_min_size::get(), None);
    stats_merge_threshold::set(Some(1000)); // stored in bytes
    assert_eq!(stats_merge_threshold::get(), Some(1000));
    page_full_retain::set(None);
    assert_eq!(page_full_retain::get(), None);
    page_full_retain::set(Some(2));
    assert_eq!(profile_time_interval::get(), None);
    unsafe { sys::mi_option_set(sys::mi_option_profile_time_interval, 60) };
    assert_eq!(profile_time_interval::get(), Some(Duration::from_secs(60)));
    for choice in [Thp::Prefer, Thp::LargeBlocks, Thp::Allow] {
        allow_thp::set(choice);
        assert_eq!(allow_thp::get(), choice);
    }
    for (number, choice) in [
        (-2, Reclaim::Never),
        (-1, Reclaim::Never),
        (0, Reclaim::Own),
        (1, Reclaim::Any),
        (2, Reclaim::Own),
    ] {
        let reclaim = with(
            sys::mi_option_page_reclaim_on_free,
            number,
            page_reclaim_on_free::get,
        );
        assert_eq!(reclaim, choice, "{number}");
    }
    page_commit_on_demand::set(PageCommit::WholeIfOvercommit);
    assert_eq!(page_commit_on_demand::get(), PageCommit::WholeIfOvercommit);
    page_commit_on_demand::set(PageCommit::Whole);
    assert_eq!(max_vabits::get(), None);
    assert!(!unsafe_guarded_precise::get());
}

#[cfg(mi_v2)]
fn v2() {
    purge_extend_delay::set(Duration::from_millis(3));
    assert_eq!(purge_extend_delay::get(), Duration::from_millis(3));
    assert_eq!(target_segments_per_thread::get(), None);
    eager_commit::set(false);
    assert!(!eager_commit::get());
    assert!(!visit_abandoned::get());
    assert!(!guarded_precise::get());
    assert_eq!(eager_commit_delay::get(), 1);
}

//! `options!` in a program of its own: this one.

#[cfg(target_os = "linux")]
#[path = "support/mapping.rs"]
mod mapping;
#[allow(dead_code)]
#[path = "support/respawn.rs"]
mod respawn;
#[cfg(target_pointer_width = "64")]
#[path = "support/snapshot.rs"]
mod snapshot;
use mi_malloc_sys::*;

#[global_allocator]
static GLOBAL: MiMalloc = MiMalloc;

const KIB_PER_MIB: cty::c_long = 1024;

mi_malloc_sys::options! {
    mi_option_purge_delay = 123,
    mi_option_allow_thp = 0,
    mi_option_arena_reserve = 96 * KIB_PER_MIB,
    mi_option_max_warnings = 7,
}

/// In a child: prints the value of the option whose number is the argument.
#[test]
fn print_value() {
    if respawn::is_child() {
        let option = respawn::argument().parse().unwrap();
        println!("value={};", unsafe { mi_option_get(option) });
    }
}

fn value_with(option: mi_option_t, variables: &[(&str, &str)]) -> i64 {
    let output = respawn::run("print_value", &option.to_string(), variables);
    let out = String::from_utf8_lossy(&output.stdout);
    let value = out.split("value=").nth(1);
    let value = value.and_then(|rest| rest.split(';').next());
    value.unwrap_or_else(|| panic!("{out}")).parse().unwrap()
}

#[test]
fn values_are_those_of_the_program() {
    for (option, value) in [
        (mi_option_purge_delay, 123),
        (mi_option_allow_thp, 0),
        (mi_option_arena_reserve, 96 * 1024),
        (mi_option_max_warnings, 7),
        (mi_option_max_errors, 32), // the build's
    ] {
        assert_eq!(value_with(option, &[]), value, "option {option}");
    }
}

#[test]
fn the_environment_wins() {
    let delay = [("MIMALLOC_PURGE_DELAY", "5")];
    assert_eq!(value_with(mi_option_purge_delay, &delay), 5);
    let reserve = [("MIMALLOC_ARENA_RESERVE", "32M")];
    assert_eq!(value_with(mi_option_arena_reserve, &reserve), 32 * 1024);
    // A text that mimalloc does not understand leaves the program's value.
    let nonsense = [("MIMALLOC_PURGE_DELAY", "soon")];
    assert_eq!(value_with(mi_option_purge_delay, &nonsense), 123);
}

#[test]
fn a_size_is_in_the_unit_of_its_option() {
    let size = unsafe { mi_option_get_size(mi_option_arena_reserve) };
    assert_eq!(size, 96 << 20);
}

/// In a child: sets an option that the environment has not set, and one that it has.
#[test]
fn later_settings_win_as_usual() {
    if respawn::is_child() {
        unsafe {
            mi_option_set_default(mi_option_purge_delay, 11);
            assert_eq!(mi_option_get(mi_option_purge_delay), 11);
            mi_option_set_default(mi_option_max_warnings, 11);
            assert_eq!(mi_option_get(mi_option_max_warnings), 9);
            mi_option_set(mi_option_max_warnings, 12);
            assert_eq!(mi_option_get(mi_option_max_warnings), 12);
        }
        return;
    }
    respawn::assert_child_passes(
        "later_settings_win_as_usual",
        "",
        &[("MIMALLOC_MAX_WARNINGS", "9")],
    );
}

/// mimalloc reads `allow_thp` when it maps its memory, for the first time before `main`.
#[test]
#[cfg(target_os = "linux")]
fn an_option_that_is_read_at_process_start() {
    if mapping::system_has_huge_pages() {
        let block = Box::new([1u8; 100]);
        let address = block.as_ptr() as usize;
        assert_eq!(mapping::huge_pages(address), mapping::HugePages::Unwanted);
    }
}

/// The first arena is reserved for the first block, before `main`. Upstream's first one has 1 GiB.
#[test]
#[cfg(target_pointer_width = "64")]
fn the_first_arena_has_the_size_of_the_program() {
    if respawn::is_child() {
        let reserved = snapshot::stats().reserved.total;
        assert!(
            (96 << 20..200 << 20).contains(&reserved),
            "{} MiB are reserved",
            reserved >> 20
        );
        return;
    }
    let name = "the_first_arena_has_the_size_of_the_program";
    respawn::assert_child_passes(name, "", &[]);
}

/// In a child, with the variable of `max_warnings`: where values are from.
#[test]
fn sources() {
    use OptionSource::*;
    if !respawn::is_child() {
        let variables = [
            ("MIMALLOC_MAX_WARNINGS", "9"),
            ("MIMALLOC_ARENA_RESERVE", "nonsense"),
        ];
        respawn::assert_child_passes("sources", "", &variables);
        return;
    }
    assert_eq!(option_source(mi_option_purge_delay), Some(Program));
    assert_eq!(option_source(mi_option_arena_reserve), Some(Program));
    assert_eq!(option_source(mi_option_max_warnings), Some(Environment));
    assert_eq!(option_source(mi_option_max_errors), Some(Default));
    assert_eq!(option_source(-1), None);
    assert_eq!(option_source(_mi_option_last), None);
    unsafe {
        mi_option_set(mi_option_purge_delay, 11);
        mi_option_set(mi_option_max_warnings, 11);
        mi_option_set_default(mi_option_max_errors, 11);
    }
    for option in [
        mi_option_purge_delay,
        mi_option_max_warnings,
        mi_option_max_errors,
    ] {
        assert_eq!(option_source(option), Some(RunTime), "option {option}");
    }
}

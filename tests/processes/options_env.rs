//! Options from the environment, which mimalloc reads when a process starts: each in a child.

use crate::mode;
use crate::options::{Entry, Kind, OPTIONS};
use crate::respawn;
use mi_malloc_sys::*;

/// In a child: prints the value of the option whose number is the argument.
#[test]
fn print_value() {
    if respawn::is_child() {
        let option: mi_option_t = respawn::argument().parse().unwrap();
        println!("value={};", unsafe { mi_option_get(option) });
    }
}

/// The value in a process with the variables `variables`, and its standard error.
fn value(option: mi_option_t, variables: &[(&str, &str)]) -> (i64, String) {
    let output = respawn::run("options_env::print_value", &option.to_string(), variables);
    let out = String::from_utf8_lossy(&output.stdout);
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{variables:?}: {out}\n{err}");
    let printed = out
        .split("value=")
        .nth(1)
        .and_then(|rest| rest.split(';').next());
    (printed.expect("it printed no value").parse().unwrap(), err)
}

fn variable(name: &str) -> String {
    format!("MIMALLOC_{}", name.to_uppercase())
}

/// What `entry.number` becomes when it is the text of the variable.
fn kept(entry: &Entry) -> i64 {
    match entry.kind {
        Kind::Number | Kind::Bytes => entry.number,
        Kind::Kib => 1, // so many bytes, rounded up
    }
}

#[test]
fn the_table_is_complete() {
    for (index, entry) in OPTIONS.iter().enumerate() {
        assert_eq!(entry.option as usize, index, "{}", entry.name);
    }
}

#[test]
fn defaults() {
    for entry in &OPTIONS {
        assert_eq!(value(entry.option, &[]).0, entry.default, "{}", entry.name);
    }
}

#[test]
fn every_option_has_its_variable() {
    for entry in &OPTIONS {
        let text = entry.number.to_string();
        let (printed, _) = value(entry.option, &[(&variable(entry.name), &text)]);
        assert_eq!(printed, kept(entry), "{}", entry.name);
    }
}

#[test]
fn older_names() {
    for entry in OPTIONS.iter().filter(|entry| entry.older.is_some()) {
        let (older, newer) = (variable(entry.older.unwrap()), variable(entry.name));
        let text = entry.number.to_string();
        assert_eq!(
            value(entry.option, &[(&older, &text)]).0,
            kept(entry),
            "{older}"
        );
        // The newer name wins, and the use of the older one is worth a warning.
        let both = [(older.as_str(), "1"), (newer.as_str(), text.as_str())];
        assert_eq!(value(entry.option, &both).0, kept(entry), "{newer}");
        let verbose = [
            (older.as_str(), text.as_str()),
            ("MIMALLOC_SHOW_ERRORS", "1"),
        ];
        let (_, err) = value(entry.option, &verbose);
        assert!(
            err.contains(&format!("mimalloc_{}", entry.older.unwrap())),
            "{older}: {err}"
        );
    }
}

/// The value of an option without effect, from `text`.
fn number(text: &str) -> i64 {
    let name = "MIMALLOC_DEPRECATED_SEGMENT_CACHE";
    #[allow(deprecated)]
    value(mi_option_deprecated_segment_cache, &[(name, text)]).0
}

#[test]
fn words_for_yes_and_no() {
    for yes in ["1", "true", "TRUE", "yes", "Yes", "on", "oN", ""] {
        assert_eq!(number(yes), 1, "{yes}");
    }
    // An option that is on by default.
    for no in ["0", "false", "FALSE", "no", "No", "off", "oFF"] {
        let (printed, _) = value(
            mi_option_purge_decommits,
            &[("MIMALLOC_PURGE_DECOMMITS", no)],
        );
        assert_eq!(printed, 0, "{no}");
    }
}

#[test]
fn numbers() {
    assert_eq!(number("123456"), 123_456);
    assert_eq!(number("-77"), -77);
    let v3 = cfg!(mi_v3);
    assert_eq!(number("0x1F"), if v3 { 31 } else { 0 });
    assert_eq!(number("0X1f"), if v3 { 31 } else { 0 });
    // What is not understood leaves the default.
    for bad in [
        "12K",
        "1.5",
        "12 x",
        "two",
        "--1",
        "99999999999999999999999",
    ] {
        assert_eq!(number(bad), 0, "{bad}");
    }
    assert_eq!(number(&"1".repeat(65)), 0);
}

#[test]
fn case_and_place_of_the_name() {
    #[allow(deprecated)]
    let option = mi_option_deprecated_segment_cache;
    for name in [
        "mimalloc_deprecated_segment_cache",
        "Mimalloc_Deprecated_Segment_Cache",
    ] {
        assert_eq!(value(option, &[(name, "8")]).0, 8, "{name}");
    }
    for name in [
        "XMIMALLOC_DEPRECATED_SEGMENT_CACHE",
        "MIMALLOC_DEPRECATED_SEGMENT_CACHES",
    ] {
        assert_eq!(value(option, &[(name, "8")]).0, 0, "{name}");
    }
}

#[test]
fn a_text_that_is_not_understood_causes_a_warning() {
    let bad = ("MIMALLOC_PURGE_DELAY", "soon");
    let default = OPTIONS[mi_option_purge_delay as usize].default;
    let (printed, err) = value(mi_option_purge_delay, &[bad]);
    assert_eq!(printed, default);
    assert_eq!(err.contains("invalid value"), mode::SHOWS_ERRORS, "{err}");
    let (printed, err) = value(mi_option_purge_delay, &[bad, ("MIMALLOC_SHOW_ERRORS", "1")]);
    assert_eq!(printed, default);
    assert!(
        err.contains("mimalloc_purge_delay") && err.contains("invalid value"),
        "{err}"
    );
}

#[test]
fn sizes_in_kib() {
    let text = |text: &str| value(mi_option_arena_reserve, &[("MIMALLOC_ARENA_RESERVE", text)]).0;
    for (written, kib) in [
        ("65536", 64),
        ("65537", 65),
        ("100K", 100),
        ("100k", 100),
        ("100KB", 100),
        ("100KiB", 100),
        ("64M", 64 << 10),
        ("64MiB", 64 << 10),
        ("1G", 1 << 20),
        // These two are yes and no before they are numbers.
        ("1", 1),
        ("0", 0),
    ] {
        assert_eq!(text(written), kib, "{written}");
    }
    let default = OPTIONS[mi_option_arena_reserve as usize].default;
    // No block is larger than `PTRDIFF_MAX`, which v3 rounds up and v2 down. On 32 bits v3 does not
    // know the last letter.
    let (wide, v3) = (cfg!(target_pointer_width = "64"), cfg!(mi_v3));
    let most = (2 << 20) - i64::from(!v3);
    assert_eq!(text("8G"), if wide { 8 << 20 } else { most });
    let unknown = if v3 { default } else { most };
    assert_eq!(text("1T"), if wide { 1 << 30 } else { unknown });
    for bad in ["64X", "64KK", "64 M", "M64"] {
        assert_eq!(text(bad), default, "{bad}");
    }
}

#[cfg(mi_v3)]
#[test]
fn sizes_in_bytes() {
    let name = "MIMALLOC_STATS_MERGE_THRESHOLD";
    let text = |text: &str| value(mi_option_stats_merge_threshold, &[(name, text)]).0;
    for (written, bytes) in [
        ("5000", 5000),
        ("4K", 4096),
        ("3MiB", 3 << 20),
        ("1GB", 1 << 30),
        ("0x10", 16),
    ] {
        assert_eq!(text(written), bytes, "{written}");
    }
}

/// In a child: the program's own word is the strongest, and a default the weakest.
#[test]
fn the_program_and_the_environment() {
    if !respawn::is_child() {
        let variables = [("MIMALLOC_DEPRECATED_SEGMENT_CACHE", "30")];
        respawn::assert_child_passes(
            "options_env::the_program_and_the_environment",
            "",
            &variables,
        );
        return;
    }
    #[allow(deprecated)]
    let option = mi_option_deprecated_segment_cache;
    unsafe {
        assert_eq!(mi_option_get(option), 30);
        mi_option_set_default(option, 31);
        assert_eq!(mi_option_get(option), 30);
        mi_option_set(option, 32);
        assert_eq!(mi_option_get(option), 32);
        // The environment is read at the start only.
        std::env::set_var("MIMALLOC_DEPRECATED_SEGMENT_CACHE", "33");
        assert_eq!(mi_option_get(option), 32);
    }
}

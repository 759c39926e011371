//! Texts in and out: values of options, as the environment has them, and statistics written into
//! buffers of every size.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mi_malloc_sys::*;
use std::ffi::{c_char, c_int, c_long, c_void, CStr, CString};

// Of `static.c` beside this folder.
extern "C" {
    fn fuzz_name_of(option: c_int) -> *const c_char;
    fn fuzz_read(option: c_int, default: c_long) -> c_long;
}

unsafe extern "C" fn quiet(_message: *const c_char, _argument: *mut c_void) {}

fuzz_target!(|bytes: &[u8]| {
    match bytes {
        [kind, option, text @ ..] if *kind < 0x80 => read(c_int::from(*option), text),
        [kind, high, low, rest @ ..] => {
            write(*kind, usize::from(*high) << 8 | usize::from(*low), rest)
        }
        _ => {}
    }
});

const DEFAULT: c_long = 77;

/// The value of an option is what its text says, or its default.
fn read(option: c_int, text: &[u8]) {
    let option = option % _mi_option_last;
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    let value = CString::new(text).unwrap();
    unsafe {
        mi_register_output(Some(quiet), std::ptr::null_mut());
        let before = mi_option_get(option);
        let name = CStr::from_ptr(fuzz_name_of(option)).to_str().unwrap();
        let variable = CString::new(format!("MIMALLOC_{name}")).unwrap();
        assert_eq!(libc::setenv(variable.as_ptr(), value.as_ptr(), 1), 0);
        let found = fuzz_read(option, DEFAULT);
        libc::unsetenv(variable.as_ptr());
        mi_option_set(option, before);
        if let Some(meant) = meaning(&value.to_string_lossy().to_uppercase(), name) {
            let expected = meant.unwrap_or(DEFAULT);
            assert_eq!(found, expected, "{variable:?} is {value:?}");
        }
    }
}

/// What a text surely means: a number, or nothing and so the default. Texts that C's `strtol` has an
/// opinion on (spaces, signs, leading zeros, too many digits) are left to it.
fn meaning(text: &str, name: &str) -> Option<Option<c_long>> {
    match text {
        "" | "1" | "TRUE" | "YES" | "ON" => return Some(Some(1)),
        "0" | "FALSE" | "NO" | "OFF" => return Some(Some(0)),
        _ => {}
    }
    // Longer ones are cut off.
    if text.len() > 60 || !text.is_ascii() {
        return None;
    }
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    if digits == 0 {
        let is_word = unit.starts_with(|c: char| c.is_ascii_alphabetic());
        return if is_word { Some(None) } else { None };
    }
    if digits > 9 || text.starts_with('0') {
        return None;
    }
    let number: c_long = number.parse().unwrap();
    let kib = KIB.contains(&name);
    if !kib && !BYTES.contains(&name) {
        return Some(if unit.is_empty() { Some(number) } else { None });
    }
    let (factor, unit) = match unit.chars().next() {
        Some('K') => (1 << 10, &unit[1..]),
        Some('M') => (1 << 20, &unit[1..]),
        Some('G') => (1 << 30, &unit[1..]),
        Some('T') => (1 << 40, &unit[1..]),
        _ => (1, unit),
    };
    if !["", "B", "IB"].contains(&unit) {
        return Some(None);
    }
    let bytes = number.checked_mul(factor)?;
    Some(Some(if kib {
        bytes / 1024 + c_long::from(bytes % 1024 != 0)
    } else {
        bytes
    }))
}

#[cfg(mi_v3)]
const KIB: &[&str] = &[
    "reserve_os_memory",
    "arena_reserve",
    "arena_purge_min_size",
    "arena_purge_immediate_size",
    "arena_max_object_size",
];
#[cfg(mi_v3)]
const BYTES: &[&str] = &[
    "stats_merge_threshold",
    "profile_alloc_interval",
    "profile_inuse_interval",
    "profile_sample_rate",
];
#[cfg(mi_v2)]
const KIB: &[&str] = &["reserve_os_memory", "arena_reserve"];
#[cfg(mi_v2)]
const BYTES: &[&str] = &[];

/// Not one byte behind the buffer: it is the system allocator's, where the address sanitizer watches,
/// and has its exact size.
fn write(kind: u8, size: usize, rest: &[u8]) {
    let mut buffer = vec![0x55u8; size];
    let start: *mut c_char = buffer.as_mut_ptr().cast();
    // The numbers in the text become longer and shorter.
    let blocks: Vec<_> = rest
        .iter()
        .take(64)
        .map(|byte| unsafe { mi_malloc(1 << (byte % 24)) })
        .collect();
    let text = unsafe { text_into(kind, size, start) };
    if size == 0 {
        // No buffer, so the text is in a block of mimalloc's.
        if !text.is_null() {
            assert_ne!(text, start);
            let json = unsafe { CStr::from_ptr(text) }.to_bytes();
            assert!(json.starts_with(b"{") && json.ends_with(b"}\n"), "{json:?}");
            unsafe { mi_free(text.cast()) };
        }
    } else {
        assert!(text.is_null() || text == start);
        assert!(buffer.contains(&0), "a text without an end in {size} bytes");
    }
    for block in blocks {
        unsafe { mi_free(block) };
    }
}

unsafe fn text_into(kind: u8, size: usize, start: *mut c_char) -> *mut c_char {
    let start = if size == 0 {
        std::ptr::null_mut()
    } else {
        start
    };
    #[cfg(mi_v3)]
    match kind % 4 {
        1 => return mi_heap_stats_get_json(mi_heap_main(), size, start),
        2 => return mi_subproc_stats_get_json(mi_subproc_main(), size, start),
        3 => {
            let mut stats = mi_stats_t::new();
            stats.pages.total = i64::MIN + i64::from(kind);
            return mi_stats_as_json(&mut stats, size, start);
        }
        _ => {}
    }
    let _ = kind;
    mi_stats_get_json(size, start)
}

//! What each build mode catches of memory errors, and what an attacker gets where nothing is caught.
//!
//! `attacks/README.md` has a table for each major version: a row for each attack, a column for each mode. This test
//! runs every attack in a process of its own and compares what happened with the column of the mode that
//! it was built for. So the tables are what happens, "not caught" included.
//!
//! A program of its own, because it damages memory on purpose: no sanitizer runs it.

#![cfg(all(target_os = "linux", target_pointer_width = "64"))]

use core::ffi::c_void;
use cty::c_int;
use mi_malloc_sys::*;
use std::alloc::{GlobalAlloc, Layout};
use std::os::unix::process::ExitStatusExt;
use std::process::Output;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering::SeqCst};

#[allow(dead_code)]
#[path = "support/map.rs"]
mod map;
#[allow(dead_code)]
#[path = "support/memory.rs"]
mod memory;
#[allow(dead_code)]
#[path = "support/mode.rs"]
mod mode;
#[allow(dead_code)]
#[path = "support/respawn.rs"]
mod respawn;

/// An attack returns its outcome. If mimalloc reports it or the process dies, that counts instead.
type Attack = unsafe fn() -> &'static str;

const ATTACKS: [(&str, Attack); 13] = [
    ("double free", double_free),
    ("double free by another thread", double_free_elsewhere),
    ("free in the middle of a block", free_inside),
    ("free between two words", free_unaligned),
    ("free of foreign memory", free_foreign),
    ("free with too large a size", free_too_large),
    ("one byte behind the block", overflow_by_one),
    ("one byte into the spare bytes", overflow_into_slack),
    ("many bytes, to another page", overflow_far),
    ("one byte before the block", underflow),
    ("read after free", read_after_free),
    ("write after free", write_after_free),
    (
        "write after free by another thread",
        write_after_free_elsewhere,
    ),
];

// ---- The attacks.

/// A size that fills a block to its last byte, or up to the padding of eight bytes.
const SIZE: usize = if mode::PADDING { 40 } else { 48 };

/// More blocks of that size than a page of mimalloc has.
const MANY: usize = 4000;

/// Whether blocks come from `MiMalloc` and go there, and not from the C functions.
static BY_MIMALLOC: AtomicBool = AtomicBool::new(false);

unsafe fn allocate(size: usize) -> *mut u8 {
    if BY_MIMALLOC.load(SeqCst) {
        MiMalloc.alloc(layout(size))
    } else {
        mi_malloc(size).cast()
    }
}

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 1).unwrap()
}

unsafe fn block() -> *mut u8 {
    let p = allocate(SIZE);
    p.write_bytes(b'S', SIZE);
    p
}

unsafe fn free(p: *mut u8) {
    if BY_MIMALLOC.load(SeqCst) {
        MiMalloc.dealloc(p, layout(SIZE));
    } else {
        mi_free(p.cast());
    }
}

/// On a thread that has ended when this returns.
unsafe fn elsewhere(p: *mut u8, attack: unsafe fn(*mut u8)) {
    let p = p as usize;
    std::thread::spawn(move || attack(p as *mut u8))
        .join()
        .unwrap();
}

/// Whether two of the next blocks are one. They are not written to.
unsafe fn two_owners() -> &'static str {
    let mut blocks: Vec<usize> = (0..MANY).map(|_| allocate(SIZE) as usize).collect();
    blocks.sort_unstable();
    if blocks.windows(2).any(|pair| pair[0] == pair[1]) {
        "one block for two owners"
    } else {
        "unnoticed"
    }
}

unsafe fn double_free() -> &'static str {
    let p = block();
    free(p);
    free(p);
    two_owners()
}

unsafe fn double_free_elsewhere() -> &'static str {
    let p = block();
    free(p);
    elsewhere(p, |p| free(p));
    two_owners()
}

unsafe fn free_inside() -> &'static str {
    let p = block();
    free(p.add(16));
    let blocks: Vec<usize> = (0..MANY).map(|_| allocate(SIZE) as usize).collect();
    if blocks.contains(&(p as usize + 16)) {
        "a block that overlaps another"
    } else if blocks.contains(&(p as usize)) {
        "freed as a whole"
    } else {
        "unnoticed"
    }
}

unsafe fn free_unaligned() -> &'static str {
    let p = block();
    free(p.add(3));
    let blocks: Vec<usize> = (0..MANY).map(|_| allocate(SIZE) as usize).collect();
    if blocks.contains(&(p as usize + 3)) {
        "a block that overlaps another"
    } else if blocks.contains(&(p as usize)) {
        "freed as a whole"
    } else {
        "unnoticed"
    }
}

/// Memory that mimalloc never had, with nothing but zeros far around.
unsafe fn free_foreign() -> &'static str {
    const WIDE: usize = 1 << 30;
    let area: *mut u8 = map::map(WIDE, WIDE, libc::PROT_READ | libc::PROT_WRITE).cast();
    free(area.add(WIDE / 2 + 4096));
    "unnoticed"
}

unsafe fn free_too_large() -> &'static str {
    let p = block();
    if BY_MIMALLOC.load(SeqCst) {
        MiMalloc.dealloc(p, layout(3 * SIZE));
    } else {
        mi_free_size(p.cast(), 3 * SIZE);
    }
    "unnoticed"
}

unsafe fn overflow_by_one() -> &'static str {
    let blocks: Vec<*mut u8> = (0..100).map(|_| block()).collect();
    for p in &blocks {
        p.add(SIZE).write_volatile(b'X');
    }
    let hit = blocks.iter().any(|p| p.read_volatile() == b'X');
    blocks.into_iter().for_each(|p| free(p));
    if hit {
        "another block is overwritten"
    } else {
        "unnoticed"
    }
}

/// The size asked for ends before the block does.
unsafe fn overflow_into_slack() -> &'static str {
    let p: *mut u8 = allocate(SIZE + 1);
    p.add(SIZE + 1).write_volatile(b'X');
    free(p);
    "unnoticed"
}

/// From one page of mimalloc into another, which holds blocks of another size.
unsafe fn overflow_far() -> &'static str {
    let mut ends = [block(), allocate(20 * SIZE)];
    ends.sort_unstable();
    let [from, to] = ends;
    let mut p = from;
    while p <= to {
        p.write_volatile(b'X');
        p = p.add(64);
    }
    to.write_volatile(b'X');
    "another page is overwritten"
}

unsafe fn underflow() -> &'static str {
    let mut blocks: Vec<*mut u8> = (0..1000).map(|_| block()).collect();
    blocks.sort_unstable();
    // Two neighbours.
    let between = |pair: &[*mut u8]| pair[1] as usize - pair[0] as usize;
    let pair = blocks.windows(2).min_by_key(|pair| between(pair)).unwrap();
    let [victim, p] = [pair[0], pair[1]];
    p.sub(1).write_volatile(b'X');
    let hit = victim.add(SIZE - 1).read_volatile() == b'X';
    free(victim);
    if hit {
        "another block is overwritten"
    } else {
        "unnoticed"
    }
}

unsafe fn read_after_free() -> &'static str {
    let p = block();
    free(p);
    // The first words hold mimalloc's list of free blocks.
    if memory::holds(p.add(24).cast(), SIZE - 24, b'S') {
        "the old contents"
    } else {
        "wiped"
    }
}

/// What an attacker wants a block at.
static TARGET: [AtomicUsize; 64] = {
    #[allow(clippy::declare_interior_mutable_const)] // to repeat it; Rust 1.63 has no other way
    const ZERO: AtomicUsize = AtomicUsize::new(0);
    [ZERO; 64]
};

unsafe fn aim(p: *mut u8) {
    p.cast::<*const c_void>()
        .write_volatile(TARGET.as_ptr().cast());
}

unsafe fn any_address() -> &'static str {
    let target = TARGET.as_ptr() as usize;
    for _ in 0..MANY {
        if allocate(SIZE) as usize == target {
            return "a block at any address";
        }
    }
    "unnoticed"
}

unsafe fn write_after_free() -> &'static str {
    let p = block();
    free(p);
    aim(p);
    any_address()
}

unsafe fn write_after_free_elsewhere() -> &'static str {
    let p = block();
    elsewhere(p, |p| {
        free(p);
        aim(p);
    });
    any_address()
}

// ---- What happens.

static REPORTED: AtomicI32 = AtomicI32::new(0);

unsafe extern "C" fn on_error(error: c_int, _argument: *mut c_void) {
    // The first is the attack's; later ones may be consequences.
    let _ = REPORTED.compare_exchange(0, error, SeqCst, SeqCst);
}

fn name_of(error: c_int) -> &'static str {
    match error {
        libc::EAGAIN => "EAGAIN",
        libc::EFAULT => "EFAULT",
        libc::EINVAL => "EINVAL",
        _ => "another error",
    }
}

/// The child's part: attacks, reports the outcome, and ends before anything else uses the heap.
unsafe fn attack(attack: Attack) -> ! {
    // A thread's first block is always an ordinary one.
    mi_free(mi_malloc(1));
    let effect = attack();
    let said = match REPORTED.load(SeqCst) {
        0 => effect,
        error => name_of(error),
    };
    let line = [SAID, said, "\n"].concat();
    libc::write(1, line.as_ptr().cast(), line.len());
    libc::_exit(0)
}

const SAID: &str = "the attack gave: ";

fn outcome(output: &Output) -> String {
    match output.status.signal() {
        Some(libc::SIGSEGV) => return "SIGSEGV".to_string(),
        Some(libc::SIGABRT) => return "SIGABRT".to_string(),
        Some(other) => return format!("signal {other}"),
        None => {}
    }
    let out = String::from_utf8_lossy(&output.stdout);
    let said = out.split_once(SAID).map(|(_, rest)| rest.trim());
    said.unwrap_or_else(|| panic!("the child said nothing: {output:?}"))
        .to_string()
}

/// The child runs one attack, with or without the callback, and does not come back.
fn as_child() {
    if respawn::is_child() {
        let wanted = respawn::argument();
        let (_, function) = ATTACKS.iter().find(|(name, _)| *name == wanted).unwrap();
        unsafe { attack(*function) }
    }
}

/// With `guarded`, every block has a guard page.
const EVERY_BLOCK: &[(&str, &str)] = if cfg!(feature = "guarded") {
    &[
        ("MIMALLOC_GUARDED_SAMPLE_RATE", "1"),
        ("MIMALLOC_GUARDED_SAMPLE_SEED", "1"),
    ]
} else {
    &[]
};

/// What the tables say of this build: each attack with its outcome. None for a mixture of modes,
/// which they do not have.
fn expected() -> Option<Vec<(&'static str, &'static str)>> {
    let modes = [
        (
            "secure",
            cfg!(feature = "secure") && !cfg!(feature = "secure_full"),
        ),
        ("secure_full", cfg!(feature = "secure_full")),
        ("debug", mode::DEBUG),
        ("guarded", cfg!(feature = "guarded")),
    ];
    let mut on = modes.iter().filter(|(_, on)| *on).map(|(name, _)| *name);
    let mode = on.next().unwrap_or("default");
    if on.next().is_some() {
        return None;
    }
    let line = if cfg!(mi_v3) { "## v3" } else { "## v2" };
    let section = include_str!("attacks/README.md")
        .split_once(line)
        .unwrap()
        .1;
    let mut rows = section
        .lines()
        .skip_while(|text| !text.starts_with('|'))
        .take_while(|text| text.starts_with('|'))
        .map(|row| {
            row.trim_matches('|')
                .split('|')
                .map(str::trim)
                .collect::<Vec<_>>()
        });
    let header = rows.next().unwrap();
    let column = header.iter().position(|name| *name == mode).unwrap();
    Some(rows.skip(1).map(|row| (row[0], row[column])).collect())
}

#[test]
fn the_tables_are_right() {
    as_child_with_callback();
    compare("the_tables_are_right", |_| true);
}

/// With blocks of `MiMalloc`, whose entry points may be others than upstream's. Only the C functions compare a size.
#[test]
fn the_global_allocator_is_no_weaker() {
    BY_MIMALLOC.store(respawn::is_child(), SeqCst);
    as_child_with_callback();
    compare("the_global_allocator_is_no_weaker", |attack| {
        attack != "free with too large a size"
    });
}

fn compare(test: &str, is_compared: fn(&str) -> bool) {
    let expected: Vec<(&str, &str)> = match expected() {
        Some(expected) => expected
            .into_iter()
            .filter(|(a, _)| is_compared(a))
            .collect(),
        None => return println!("not run: the tables have no column for this mixture of modes"),
    };
    let happened: Vec<(&str, String)> = ATTACKS
        .iter()
        .filter(|(name, _)| is_compared(name))
        .map(|(name, _)| {
            let output = respawn::run(test, name, EVERY_BLOCK);
            (*name, outcome(&output))
        })
        .collect();
    let happened: Vec<(&str, &str)> = happened.iter().map(|(a, b)| (*a, b.as_str())).collect();
    assert_eq!(
        happened, expected,
        "happened on the left, the table on the right"
    );
}

fn as_child_with_callback() {
    if respawn::is_child() {
        unsafe { mi_register_error(Some(on_error), null_mut()) };
        as_child();
    }
}

/// Damaged memory is fatal (`EFAULT`) unless a callback decides otherwise, and the last thing that the
/// process does is to say so.
#[test]
fn without_a_callback_damage_ends_the_process() {
    let test = "without_a_callback_damage_ends_the_process";
    as_child();
    for (name, outcome_heard) in expected().unwrap_or_default() {
        if outcome_heard == "EFAULT" && mode::PADDING {
            let output = respawn::run(test, name, EVERY_BLOCK);
            assert_eq!(outcome(&output), "SIGABRT", "{name}");
            assert!(says(&output, &["buffer overflow", "corrupted"]), "{name}");

            let silenced = respawn::run(test, name, &[("MIMALLOC_SHOW_ERRORS", "0")]);
            assert_eq!(outcome(&silenced), "SIGABRT", "{name}");
            assert!(!says(&silenced, &[""]), "{name}");
        }
    }
}

/// A double free is ignored, and reported.
#[test]
fn without_a_callback_a_double_free_is_printed() {
    let test = "without_a_callback_a_double_free_is_printed";
    as_child();
    let attack = "double free";
    if expected().unwrap_or_default().contains(&(attack, "EAGAIN")) {
        let output = respawn::run(test, attack, EVERY_BLOCK);
        let what_is_printed = says(&output, &["double free detected"]);
        assert_eq!(what_is_printed, mode::SHOWS_ERRORS);
        assert_ne!(outcome(&output), "SIGABRT");
    }
}

/// Whether mimalloc prints an error with one of these texts.
fn says(output: &Output, texts: &[&str]) -> bool {
    let err = String::from_utf8_lossy(&output.stderr);
    let mut errors = err.lines().filter(|line| line.contains("mimalloc: error:"));
    errors.any(|line| texts.iter().any(|text| line.contains(text)))
}

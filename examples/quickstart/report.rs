//! What the program found, and the statistics of its allocator.

use crate::peak::peak_memory;
use crate::texts::Kinds;
use mi_malloc_sys::*;
use std::ffi::c_void;
use std::ptr;
use std::time::Duration;

pub fn summary(words: &[(String, u64)], kinds: &Kinds, threads: usize, time: Duration) -> String {
    let all: u64 = words.iter().map(|(_, count)| count).sum();
    format!(
        "{} words, {} of them different, in {} of text\n{}\n{} threads, {:.2} s\n",
        number(all as i64),
        number(words.len() as i64),
        bytes(kinds.bytes as i64),
        kinds,
        threads,
        time.as_secs_f64()
    )
}

pub fn top(words: &[(String, u64)], length: usize) -> String {
    words
        .iter()
        .take(length)
        .map(|(word, count)| format!("{:>12}  {}\n", number(*count as i64), word))
        .collect()
}

/// Shows that ordinary Rust values are in mimalloc's heap; an error if they are not.
pub fn residence(words: &[(String, u64)]) -> Result<String, String> {
    let boxed = Box::new([0u8; 100]);
    let local = 0u8;
    let places = [
        ("a Box of 100 bytes", address(&*boxed), true),
        ("the Vec of all words", address(&words[0]), true),
        (
            "the most frequent word",
            address(&words[0].0.as_bytes()[0]),
            true,
        ),
        ("a local variable", address(&local), false),
    ];
    let mut text = format!("mimalloc {}\n", version());
    for (what, place, expected) in places {
        // SAFETY: any address may be queried.
        let inside = unsafe { is_in_heap(place) };
        if inside != expected {
            return Err(format!("{} is in the wrong place: {:p}", what, place));
        }
        let place = if inside {
            // SAFETY: these three point to the start of live blocks, and mimalloc knows them.
            let size = unsafe { mi_usable_size(place) };
            format!("in its heap, in a block of {}", bytes(size as i64))
        } else {
            "not in its heap".to_string()
        };
        text += &format!("  {:<24}{}\n", what, place);
    }
    Ok(text)
}

fn address<T>(value: &T) -> *const c_void {
    (value as *const T).cast()
}

#[cfg(mi_v3)]
use mi_malloc_sys::mi_any_heap_contains as is_in_heap;
#[cfg(mi_v2)]
use mi_malloc_sys::mi_is_in_heap_region as is_in_heap;

/// 3.6.0 as 30600.
fn version() -> String {
    // SAFETY: always safe to call.
    let version = unsafe { mi_version() };
    format!(
        "{}.{}.{}",
        version / 10_000,
        version / 100 % 100,
        version % 100
    )
}

/// The allocator's own statistics, as a table.
pub fn statistics() -> Result<String, String> {
    let mut stats = mi_stats_t::new();
    // SAFETY: `stats` is initialised.
    if !unsafe {
        mi_collect(false); // a thread counts a page's blocks when it collects the page
        #[cfg(mi_v2)]
        mi_stats_merge(); // or v2 counts only threads that have ended
        mi_stats_get(&mut stats)
    } {
        return Err("mimalloc returns no statistics".to_string());
    }
    let rows = rows(&stats);
    let mut text = format!("{:<14}{:>12}{:>12}{:>12}\n", "", "total", "peak", "now");
    for row in &rows {
        text += &row.line();
    }
    text += if rows.iter().any(|row| row.total == 0) {
        NOT_COUNTED
    } else {
        COUNTED
    };
    Ok(text)
}

/// A line of the table. An unknown number is not shown as zero.
struct Row {
    name: &'static str,
    total: i64,
    peak_and_now: Option<(i64, i64)>,
    show: fn(i64) -> String,
}

impl Row {
    fn count(name: &'static str, count: mi_stat_count_t, show: fn(i64) -> String) -> Row {
        Row {
            name,
            total: count.total,
            peak_and_now: Some((count.peak, count.current)),
            show,
        }
    }

    fn total(name: &'static str, total: i64, show: fn(i64) -> String) -> Row {
        Row {
            name,
            total,
            peak_and_now: None,
            show,
        }
    }

    fn line(&self) -> String {
        let show = self.show;
        let [total, peak, now] = match self.peak_and_now {
            _ if self.total == 0 => ["-".to_string(), "-".to_string(), "-".to_string()],
            None => [show(self.total), String::new(), String::new()],
            Some((peak, now)) => [show(self.total), show(peak), show(now)],
        };
        format!("{:<14}{:>12}{:>12}{:>12}\n", self.name, total, peak, now)
    }
}

#[cfg(mi_v3)]
const NOT_COUNTED: &str = "- not counted: this mimalloc was built without MI_STATS\n";
#[cfg(mi_v3)]
const COUNTED: &str = "";

#[cfg(mi_v2)]
const NOT_COUNTED: &str = "- not counted: v2 does that with the feature `debug`\n";
#[cfg(mi_v2)]
const COUNTED: &str = "requested and allocated: blocks of up to 64 KiB only\n";

/// `malloc_requested` is left out: release builds of v3 count it in whole blocks, as `allocated`.
#[cfg(mi_v3)]
fn rows(stats: &mi_stats_t) -> Vec<Row> {
    vec![
        Row::count("allocated", stats.allocated, bytes),
        Row::total("blocks", stats.malloc_count.total, number),
        Row::count("committed", stats.committed, bytes),
        Row::count("reserved", stats.reserved, bytes),
        Row::count("pages", stats.pages, number),
        Row::count("threads", stats.threads, number),
    ]
}

/// v2 never counts `malloc_requested` down.
#[cfg(mi_v2)]
fn rows(stats: &mi_stats_t) -> Vec<Row> {
    vec![
        Row::total("requested", stats.malloc_requested.total, bytes),
        Row::count("allocated", stats.malloc_normal, bytes),
        Row::count("committed", stats.committed, bytes),
        Row::count("reserved", stats.reserved, bytes),
        Row::count("pages", stats.pages, number),
        Row::count("other threads", stats.threads, number),
    ]
}

pub fn process() -> String {
    let (mut elapsed, mut user, mut system) = (0, 0, 0);
    // SAFETY: these three can be written, and the other numbers are not wanted.
    unsafe {
        mi_process_info(
            &mut elapsed,
            &mut user,
            &mut system,
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
        );
    }
    let seconds = |milliseconds: usize| milliseconds as f64 / 1000.0;
    format!(
        "process time {:.2} s, processor time {:.2} s (user) and {:.2} s (system)\n\
         peak memory {}\n",
        seconds(elapsed),
        seconds(user),
        seconds(system),
        bytes(peak_memory() as i64)
    )
}

/// 1234567 as 1,234,567.
fn number(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::new();
    if number < 0 {
        text.push('-');
    }
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// 1536 as 1.5 KiB.
fn bytes(number: i64) -> String {
    let mut size = number as f64;
    let mut unit = "B";
    for larger in ["KiB", "MiB", "GiB", "TiB"] {
        if size.abs() < 1024.0 {
            break;
        }
        size /= 1024.0;
        unit = larger;
    }
    if unit == "B" {
        format!("{} B", number)
    } else {
        format!("{:.1} {}", size, unit)
    }
}

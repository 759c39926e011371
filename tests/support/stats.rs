//! The statistics as a struct and as JSON, brought to the same form.

#[path = "json.rs"]
pub mod json;

use json::Json;
use mi_malloc_sys::*;
use std::mem::size_of;

/// All numbers of the struct that the JSON has too, in the order of the fields.
pub fn numbers_of(stats: &mi_stats_t) -> Vec<i64> {
    let start: *const mi_stats_t = stats;
    let number = |from: *const u8, to: *const u8| -> Vec<i64> {
        let length = (to as usize - from as usize) / size_of::<i64>();
        unsafe { std::slice::from_raw_parts(from.cast(), length) }.to_vec()
    };
    let first = (&stats.pages as *const mi_stat_count_t).cast();
    let reserved = (&stats._stat_reserved as *const [mi_stat_count_t; 4]).cast();
    let bins = stats.malloc_bins.as_ptr().cast();
    let end = unsafe { start.add(1) }.cast();
    let mut numbers = number(first, reserved);
    numbers.extend(number(bins, end));
    numbers
}

/// The same numbers of the JSON.
pub fn numbers_in(json: &Json) -> Vec<i64> {
    fn count(json: &Json, numbers: &mut Vec<i64>) {
        numbers.extend(["total", "peak", "current"].map(|name| json.get(name).number()));
    }
    let mut numbers = Vec::new();
    for (name, value) in json.members() {
        match value {
            _ if ["stat_version", "mimalloc_version", "process"].contains(&name.as_str()) => {}
            Json::Number(number) => numbers.push(*number),
            Json::List(bins) => bins.iter().for_each(|bin| count(bin, &mut numbers)),
            other => count(other, &mut numbers),
        }
    }
    numbers
}

/// What is in the text and not in the struct.
pub fn assert_frame(json: &Json) {
    assert_eq!(json.get("stat_version").number(), MI_STAT_VERSION as i64);
    assert_eq!(
        json.get("mimalloc_version").number(),
        i64::from(unsafe { mi_version() })
    );
    let process = json.get("process");
    for name in ["elapsed_msecs", "user_msecs", "system_msecs", "page_faults"] {
        assert!(process.get(name).number() >= 0);
    }
    for name in ["rss", "commit"] {
        let peak = process.get(&format!("{name}_peak")).number();
        assert!(
            process.get(&format!("{name}_current")).number() >= 0 && peak > 0,
            "{name}"
        );
    }
    for bins in ["malloc_bins", "page_bins"] {
        let bins = json.get(bins).items();
        assert_eq!(bins.len(), MI_BIN_HUGE + 1);
        // The last one takes any size.
        let sizes: Vec<i64> = bins[1..MI_BIN_HUGE]
            .iter()
            .map(|bin| bin.get("block_size").number())
            .collect();
        assert!(sizes.windows(2).all(|pair| pair[0] < pair[1]), "{sizes:?}");
    }
}

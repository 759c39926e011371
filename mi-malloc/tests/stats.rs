//! The statistics of the process: one test, because they count everything in it.
#![allow(clippy::incompatible_msrv)] // only the library is for Rust 1.63

#[allow(dead_code)]
#[path = "../../tests/support/json.rs"]
mod json;
#[path = "../examples/metrics/prometheus.rs"]
mod prometheus;

use json::Json;
use mi_malloc::stats::{Row, Stats, Unit};
use std::collections::HashSet;
use std::hint::black_box;
use std::thread;

#[global_allocator]
static GLOBAL: mi_malloc::MiMalloc = mi_malloc::MiMalloc;

const MIB: i64 = 1 << 20;

#[test]
fn statistics() {
    // This is first: memory that other parts have freed may be reused, or returned to the system meanwhile.
    resident_memory_is_the_systems();
    blocks_are_counted();
    threads_are_counted();
    a_thread_merges_its_counts_when_it_ends();
    differences_are_of_each_number();
    json_has_the_same_numbers();
    the_table_has_the_same_numbers();
    the_metrics_have_the_same_numbers();
}

/// Blocks of a size that nothing else here uses.
fn blocks_are_counted() {
    let before = Stats::now();
    let blocks = vec![vec![1u8; 50_000]; 1000];
    let held = Stats::now().since(&before);
    drop(black_box(blocks));
    let after = Stats::now().since(&before);
    assert!(held.pages.current > 0 && held.pages.total > 0);
    assert!(after.pages.current < held.pages.current);
    let pages = |stats: &Stats| {
        let class = stats
            .size_classes()
            .find(|class| class.block_size >= Some(50_000));
        class.unwrap().pages
    };
    assert!(pages(&held).current > 0 && pages(&held).total >= pages(&held).current);
    assert!(pages(&after).current < pages(&held).current);
    #[cfg(mi_v3)]
    {
        // The list of the blocks too, and nothing else.
        assert_eq!(
            (held.blocks(), held.blocks_allocated, held.blocks_freed),
            (1001, 1001, 0)
        );
        assert_eq!((after.blocks(), after.blocks_allocated), (0, 1001));
        assert!(held.live.current >= 50_000_000 && held.live.current < 65_000_000);
        assert_eq!(held.live.current, held.live.total);
        assert_eq!(after.live.current, 0);
        assert!(held.requested >= 50_000_000 && held.requested <= held.live.total);
        let class = held
            .size_classes()
            .find(|class| class.blocks.current == 1000);
        let size = class.unwrap().block_size.unwrap();
        assert!((50_000..65_000).contains(&size), "{size}");
    }
}

fn threads_are_counted() {
    let before = Stats::now();
    let thread = thread::spawn(|| {
        drop(black_box(Box::new(1)));
        Stats::now()
    });
    let during = thread.join().unwrap().since(&before);
    let after = Stats::now().since(&before);
    assert_eq!((during.threads.current, during.threads.total), (1, 1));
    assert_eq!((after.threads.current, after.threads.total), (0, 1));
}

fn a_thread_merges_its_counts_when_it_ends() {
    let before = Stats::now();
    let blocks = thread::spawn(|| vec![vec![1u8; 30]; 500]).join().unwrap();
    let held = Stats::now().since(&before);
    assert!(held.pages.total > 0);
    #[cfg(mi_v3)]
    assert!(held.blocks() >= 501 && held.blocks() < 600, "{held}");
    drop(black_box(blocks));
    #[cfg(mi_v3)]
    assert!(Stats::now().since(&before).blocks() < 100);
}

/// Touched memory is resident, and memory that was only reserved is not.
fn resident_memory_is_the_systems() {
    let before = Stats::now();
    let block = black_box(vec![1u8; (200 * MIB) as usize]);
    let held = Stats::now();
    let change = held.since(&before);
    drop(block);
    if cfg!(any(target_os = "linux", windows, target_vendor = "apple")) {
        assert!(change.resident > Some(150 * MIB), "{change}");
        assert!(held.resident_peak >= held.resident);
        assert!(held.resident < Some(held.reserved.current));
    } else {
        assert_eq!((held.resident, held.resident_peak), (None, None));
    }
    assert!(held.committed.current >= 200 * MIB && held.committed.current <= held.reserved.current);
    assert!(held.committed.peak >= held.committed.current);
}

fn differences_are_of_each_number() {
    let (first, second) = (Stats::now(), Stats::now());
    let change = second.since(&first);
    for ((first, second), change) in first.rows().zip(second.rows()).zip(change.rows()) {
        assert_eq!((first.name, second.name), (change.name, change.name));
        for (first, second, change) in [
            (first.current, second.current, change.current),
            (first.peak, second.peak, change.peak),
            (first.total, second.total, change.total),
        ] {
            assert_eq!(first.is_some(), change.is_some());
            assert_eq!(
                change.unwrap_or(0),
                second.unwrap_or(0) - first.unwrap_or(0)
            );
        }
    }
    assert_eq!(first.since(&first).rows().filter(has_a_number).count(), 0);
    assert_eq!(first.since(&first).size_classes().count(), 0);
    assert!(first.rows().filter(has_a_number).count() > 7);
}

fn has_a_number(row: &Row) -> bool {
    [row.current, row.peak, row.total]
        .iter()
        .flatten()
        .any(|number| *number != 0)
}

fn json_has_the_same_numbers() {
    let stats = Stats::now();
    let json: Json = stats.to_json().parse().unwrap();
    let mut names = HashSet::new();
    for row in stats.rows() {
        assert!(names.insert(row.name));
        let member = json.get(row.name).members();
        let numbers = [
            ("current", row.current),
            ("peak", row.peak),
            ("total", row.total),
        ];
        let expected = numbers
            .iter()
            .filter_map(|(name, number)| Some((name.to_string(), Json::Number((*number)?))));
        assert_eq!(member, expected.collect::<Vec<_>>());
    }
    assert_eq!(json.members().len(), names.len() + 1);
    assert_eq!(
        json.get("committed").get("peak").number(),
        stats.committed.peak
    );
    let classes = json.get("size_classes").items();
    assert_eq!(classes.len(), stats.size_classes().count());
    assert!(classes.len() > 3);
    for (json, class) in classes.iter().zip(stats.size_classes()) {
        match class.block_size {
            Some(size) => assert_eq!(json.get("block_size").number(), size as i64),
            None => assert!(json.members().iter().all(|(name, _)| name != "block_size")),
        }
        assert_eq!(json.get("pages").get("total").number(), class.pages.total);
        #[cfg(mi_v3)]
        assert_eq!(
            json.get("blocks").get("current").number(),
            class.blocks.current
        );
    }
    // For a difference too, which has negative numbers and lacks some values.
    let change: Json = Stats::now().since(&stats).to_json().parse().unwrap();
    assert_eq!(change.members().len(), json.members().len());
}

fn the_table_has_the_same_numbers() {
    let stats = Stats::now();
    let table = stats.to_string();
    let lines: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(lines[0], ["current", "peak", "total"]);
    let shown = stats.rows().filter(has_a_number).count();
    assert_eq!(
        lines.len(),
        1 + shown + 1 + stats.size_classes().count(),
        "{table}"
    );
    let line = |name: &str| lines.iter().find(|line| line[0] == name).unwrap();
    assert_eq!(
        line("pages")[1..],
        [stats.pages.current, stats.pages.peak, stats.pages.total].map(|n| n.to_string())
    );
    assert_eq!(line("reserved").len(), 7, "{table}");
    assert!(line("reserved")[2].ends_with("iB"));
    // Aligned columns.
    let widths: HashSet<usize> = table.lines().take(1 + shown).map(str::len).collect();
    assert_eq!(widths.len(), 1, "{table}");
    println!("{table}");
}

/// Prometheus' text format: a help and a type before each metric, each sample once.
fn the_metrics_have_the_same_numbers() {
    let stats = Stats::now();
    let text = prometheus::page(&stats);
    let mut kinds = std::collections::HashMap::new();
    let mut helps = HashSet::new();
    let mut samples = std::collections::HashMap::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["#", "HELP", name, _, ..] => assert!(helps.insert(name), "{line}"),
            ["#", "TYPE", name, kind @ ("gauge" | "counter")] => {
                assert!(helps.contains(name), "{line}");
                assert!(kinds.insert(name, kind).is_none(), "{line}");
            }
            [sample, number] => {
                let name = sample.split('{').next().unwrap();
                assert!(
                    name.bytes()
                        .all(|byte| byte.is_ascii_lowercase() || byte == b'_'),
                    "{line}"
                );
                let kind = kinds.get(name).unwrap_or_else(|| panic!("{line}"));
                assert_eq!(*kind == "counter", name.ends_with("_total"), "{line}");
                assert!(
                    samples
                        .insert(sample, number.parse::<i64>().unwrap())
                        .is_none(),
                    "{line}"
                );
            }
            _ => panic!("{line}"),
        }
    }
    assert!(text.ends_with('\n'));
    assert_eq!(samples["mimalloc_committed_bytes"], stats.committed.current);
    assert_eq!(
        samples["mimalloc_committed_peak_bytes"],
        stats.committed.peak
    );
    assert_eq!(samples["mimalloc_purged_bytes_total"], stats.purged);
    assert_eq!(samples["mimalloc_threads"], stats.threads.current);
    let row = |name: &str| stats.rows().find(|row| row.name == name).unwrap();
    assert_eq!(row("threads").unit, Unit::Count);
    #[cfg(mi_v3)]
    assert!(samples
        .keys()
        .any(|sample| sample.starts_with("mimalloc_class_blocks{block_size=\"")));
}

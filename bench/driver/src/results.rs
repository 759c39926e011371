//! The results of a run, as they are written to `results.json`.

use crate::allocators::{self, Side};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use workloads::{programs, Group, Threads, Workload};

/// The conditions of a run, the same for time and for memory.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Head {
    /// Machine, compilers, date.
    pub facts: Vec<(String, String)>,
    pub rounds: usize,
    /// The allocators that ran, in the order of the tables.
    pub allocators: Vec<Ran>,
    /// The allocators that did not, and why.
    pub not_run: Vec<(String, String)>,
}

impl Head {
    pub fn fact(&self, name: &str) -> &str {
        let fact = self.facts.iter().find(|(key, _)| key == name);
        fact.map_or("", |(_, value)| value.as_str())
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Results {
    #[serde(flatten)]
    pub head: Head,
    pub rows: Vec<Row>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ran {
    pub id: String,
    pub title: String,
    pub versions: String,
}

/// A workload.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Row {
    pub workload: String,
    pub about: String,
    pub threads: usize,
    pub cells: BTreeMap<String, Cell>,
}

/// A workload with one allocator, over all rounds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Cell {
    pub median_ns: u64,
    #[serde(alias = "least_ns")]
    pub min_ns: u64,
    #[serde(alias = "most_ns")]
    pub max_ns: u64,
    pub peak_kib: u64,
    /// Resident some seconds after most was freed, if the workload measures that.
    #[serde(alias = "rest_kib")]
    pub retained_kib: Option<u64>,
    /// Resident as soon as everything was freed, minus what was before the work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_kib: Option<u64>,
    /// Resident memory in huge pages, while the workload holds its memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub huge_kib: Option<u64>,
    /// Of all threads of a whole process, user and system: the median.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processor_ns: Option<u64>,
}

impl Row {
    /// The workload of this row. For a scaling one, the row's name also has the number of threads.
    pub fn of(&self) -> Option<&'static Workload> {
        let name = &self.workload;
        workloads::find(name).or_else(|| workloads::find(name.rsplit_once('-')?.0))
    }

    pub fn is_scaling(&self) -> bool {
        self.of().is_some_and(|one| one.threads == Threads::Scaling)
    }

    pub fn uses_threads(&self) -> bool {
        self.threads > 1 && self.of().is_some_and(|one| one.threads != Threads::One)
    }

    /// Time of one allocator divided by another's.
    pub fn ratio(&self, one: &str, other: &str) -> Option<f64> {
        Some(self.cells.get(one)?.median_ns as f64 / self.cells.get(other)?.median_ns as f64)
    }

    /// The fastest of the other crates over mimalloc in this workload.
    pub fn best_mimalloc_peer(&self) -> Option<&str> {
        self.best(|side| side == Side::MimallocPeer)
    }

    /// The fastest of all allocators except this crate.
    pub fn best_peer(&self) -> Option<&str> {
        self.best(|side| matches!(side, Side::MimallocPeer | Side::Peer))
    }

    fn best(&self, wanted: fn(Side) -> bool) -> Option<&str> {
        self.cells
            .iter()
            .filter(|(id, _)| allocators::find(id).is_some_and(|allocator| wanted(allocator.side)))
            .min_by_key(|(_, cell)| cell.median_ns)
            .map(|(id, _)| id.as_str())
    }
}

impl Results {
    /// The rows that means are taken over: of the scaling rows only the one with all processors,
    /// so that one workload does not count several times.
    pub fn counted(&self) -> impl Iterator<Item = &Row> {
        let last = self
            .rows
            .iter()
            .filter(|row| row.is_scaling())
            .map(|row| row.threads)
            .max();
        self.rows
            .iter()
            .filter(move |row| !row.is_scaling() || Some(row.threads) == last)
    }

    /// Over the counted rows in which both ran.
    pub fn mean_ratio(&self, one: &str, other: &str) -> Option<f64> {
        geometric_mean(self.counted().filter_map(|row| row.ratio(one, other)))
    }

    /// With the minimum of the rounds in place of the median. Any disturbance makes a round longer, so on a busy
    /// machine the minimum is more reliable.
    pub fn of_the_minima(&self) -> Results {
        self.with(|cell| cell.min_ns)
    }

    /// With another figure in place of the median: ratios and means are then of that one.
    pub fn with(&self, figure: fn(&Cell) -> u64) -> Results {
        let mut other = self.clone();
        for row in &mut other.rows {
            for cell in row.cells.values_mut() {
                cell.median_ns = figure(cell);
            }
        }
        other
    }

    /// The same, with the other allocator chosen for each row.
    pub fn mean_ratio_to_best(&self, one: &str, best: fn(&Row) -> Option<&str>) -> Option<f64> {
        let ratios = self.counted().filter_map(|row| row.ratio(one, best(row)?));
        geometric_mean(ratios)
    }

    /// What a row stands for.
    pub fn measured(&self) -> &'static str {
        match self.group() {
            Group::Programs => "program",
            Group::Usual | Group::Large | Group::Idioms => "workload",
        }
    }

    /// With peak memory in place of the median.
    pub fn of_the_peaks(&self) -> Results {
        self.with(|cell| cell.peak_kib)
    }

    /// The rows are of one group.
    pub fn group(&self) -> Group {
        let first = self.rows.first();
        if first.is_some_and(|row| programs::find(&row.workload).is_some()) {
            return Group::Programs;
        }
        let workload = first.and_then(Row::of);
        workload.map_or(Group::Usual, |workload| workload.group)
    }
}

fn geometric_mean(ratios: impl Iterator<Item = f64>) -> Option<f64> {
    let logarithms: Vec<f64> = ratios.map(f64::ln).collect();
    if logarithms.is_empty() {
        return None;
    }
    Some((logarithms.iter().sum::<f64>() / logarithms.len() as f64).exp())
}

#[cfg(test)]
mod tests {
    use super::{geometric_mean, Results, Row};
    use serde_json::json;
    use workloads::Group;

    /// Also of a run that was published before fields were added or renamed.
    #[test]
    fn published_rows_know_their_workloads() {
        let published = include_str!("../../published/results.json");
        let results: Results = serde_json::from_str(published).expect("valid results");
        let of = |row: &Row| Some((row.of()?.name, row.uses_threads(), row.is_scaling()));
        let known: Vec<_> = results.rows.iter().map(of).collect();
        assert!(!known.contains(&None));
        assert!(known.contains(&Some(("box", false, false))));
        assert!(known.contains(&Some(("larson", true, false))));
        assert!(known.contains(&Some(("scale", true, true))));
        assert_eq!(results.group(), Group::Usual);
    }

    #[test]
    fn programs_are_compared_by_their_peaks_too() {
        let cell = |ns: u64, kib: u64| json!({ "median_ns": ns, "least_ns": ns, "most_ns": ns, "peak_kib": kib, "rest_kib": null });
        let cells =
            json!({ "v3": cell(10, 300), "mimalloc": cell(20, 100), "snmalloc": cell(5, 600) });
        let results: Results = serde_json::from_value(json!({
            "facts": [], "rounds": 1, "allocators": [], "not_run": [],
            "rows": [{ "workload": "pulldown-cmark", "about": "", "threads": 1, "cells": cells }],
        }))
        .expect("valid results");
        assert_eq!(results.group(), Group::Programs);
        let to_best = |results: &Results| {
            let row = &results.rows[0];
            let bests = [row.best_mimalloc_peer(), row.best_peer()];
            bests.map(|best| row.ratio("v3", best?))
        };
        assert_eq!(to_best(&results), [Some(0.5), Some(2.0)]);
        assert_eq!(to_best(&results.of_the_peaks()), [Some(3.0), Some(3.0)]);
    }

    #[test]
    fn the_mean_of_a_ratio_and_its_inverse_is_one() {
        let mean = geometric_mean([0.25, 4.0].into_iter()).expect("two ratios");
        assert!((mean - 1.0).abs() < 1e-12);
        assert_eq!(geometric_mean([].into_iter()), None);
    }
}

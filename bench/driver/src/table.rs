//! The results as Markdown.

use crate::allocators::{self, Side};
use crate::results::{Cell, Head, Results, Row};
use std::fmt::Write;
use workloads::Group;

/// The builds of this crate that are compared with every other allocator, and their names in the report.
const COMPARED: [(&str, &str); 3] = [
    ("v3", "ours"),
    ("lto", "ours with bitcode LTO"),
    ("large", "ours with bitcode LTO and large slices"),
];

type Best = fn(&Row) -> Option<&str>;

/// Each workload is also compared with the fastest allocator in it.
const BESTS: [(&str, Best); 2] = [
    ("best mimalloc peer", Row::best_mimalloc_peer),
    ("best of all others", Row::best_peer),
];

/// The whole report.
pub fn report(results: &Results) -> String {
    let title = match results.group() {
        Group::Usual => "# Benchmark results\n",
        Group::Large => "# Benchmark results: large blocks\n",
        Group::Idioms => "# Benchmark results: idioms\n",
        Group::Programs => "# Benchmark results: whole programs\n",
    };
    let mut parts = vec![
        title.to_string(),
        machine(&results.head, results.measured()),
        times(results),
        minima(results),
        processor(results),
    ];
    parts.extend(COMPARED.map(|(ours, name)| ratios_of_time(results, ours, name)));
    if results.group() == Group::Programs {
        parts.extend(COMPARED.map(|(ours, name)| ratios_of_peaks(results, ours, name)));
    }
    parts.extend([
        memory(results),
        left(results),
        huge_pages(results),
        scaling(results),
        slower(results),
        losses(results),
    ]);
    parts
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("\n")
}

pub fn machine(head: &Head, measured: &str) -> String {
    let mut text = String::new();
    for (name, value) in &head.facts {
        line(&mut text, format_args!("- {name}: {value}"));
    }
    line(
        &mut text,
        format_args!(
            "- rounds: {}, one process for each {measured} and allocator in each round",
            head.rounds
        ),
    );
    for ran in head
        .allocators
        .iter()
        .filter(|ran| !ran.versions.is_empty())
    {
        line(&mut text, format_args!("- {}: {}", ran.title, ran.versions));
    }
    for (id, reason) in &head.not_run {
        line(&mut text, format_args!("- **not run:** {id}: {reason}"));
    }
    text
}

fn times(results: &Results) -> String {
    let mut text = String::from(
        "## Time\n\nMilliseconds: median of the rounds, and half the difference between the slowest and the \
         fastest round as a percentage of it.\n\n",
    );
    header_of_allocators(&mut text, results);
    for row in &results.rows {
        let cells = results
            .head
            .allocators
            .iter()
            .map(|ran| match row.cells.get(&ran.id) {
                Some(cell) => format!("{:.1} ±{:.0}%", milliseconds(cell), spread(cell)),
                None => "does not fit".to_string(),
            });
        table_row(&mut text, &row.workload, cells);
    }
    text.push('\n');
    for row in &results.rows {
        let threads = if row.uses_threads() {
            format!(" ({} threads)", row.threads)
        } else {
            String::new()
        };
        line(
            &mut text,
            format_args!("- `{}`: {}{threads}", row.workload, row.about),
        );
    }
    text
}

/// Any disturbance makes a round longer: on a busy machine the minimum is more reliable.
fn minima(results: &Results) -> String {
    let mut text = String::from("## Minimum time\n\nMilliseconds: minimum of the rounds.\n\n");
    header_of_allocators(&mut text, results);
    for row in &results.of_the_minima().rows {
        let cells = results.head.allocators.iter().map(|ran| {
            let cell = row.cells.get(&ran.id);
            cell.map_or("–".to_string(), |cell| {
                format!("{:.1}", milliseconds(cell))
            })
        });
        table_row(&mut text, &row.workload, cells);
    }
    text
}

/// Of whole programs, which may have several threads.
fn processor(results: &Results) -> String {
    let known = |cell: &Cell| cell.processor_ns.is_some();
    if !results.rows.iter().any(|row| row.cells.values().any(known)) {
        return String::new();
    }
    let mut text = String::from(
        "## Processor time\n\nMilliseconds of all threads, user and system: median of the rounds.\n\n",
    );
    header_of_allocators(&mut text, results);
    for row in &results.rows {
        let cells = results.head.allocators.iter().map(|ran| {
            let time = row.cells.get(&ran.id).and_then(|cell| cell.processor_ns);
            time.map_or("–".to_string(), |time| {
                format!("{:.1}", time as f64 / 1e6)
            })
        });
        table_row(&mut text, &row.workload, cells);
    }
    text
}

fn ratios_of_time(results: &Results, ours: &str, name: &str) -> String {
    let title = format!("Time of {name} relative to others\n\nBelow 1, {name} is faster.");
    let minima = results.of_the_minima();
    let means = [
        ("**geometric mean**", results),
        ("**of the minima**", &minima),
    ];
    ratios(results, ours, &title, &means)
}

fn ratios_of_peaks(results: &Results, ours: &str, name: &str) -> String {
    let title = format!(
        "Peak memory of {name} relative to others\n\nBelow 1, {name} needs less. The best is the one that needs the least."
    );
    let peaks = results.of_the_peaks();
    ratios(&peaks, ours, &title, &[("**geometric mean**", &peaks)])
}

/// A row for each of the results, then their means.
fn ratios(results: &Results, ours: &str, title: &str, means: &[(&str, &Results)]) -> String {
    if !results.head.allocators.iter().any(|ran| ran.id == ours) {
        return String::new();
    }
    let others: Vec<_> = results
        .head
        .allocators
        .iter()
        .filter(|ran| ran.id != ours)
        .collect();
    let mut text = format!("## {title}\n\n");
    let titles = others.iter().map(|ran| ran.title.as_str());
    header(
        &mut text,
        results.measured(),
        BESTS.iter().map(|(title, _)| *title).chain(titles),
    );
    for row in &results.rows {
        let bests = BESTS.iter().map(|(_, best)| row.ratio(ours, best(row)?));
        let cells = others.iter().map(|ran| row.ratio(ours, &ran.id));
        table_row(&mut text, &row.workload, bests.chain(cells).map(ratio));
    }
    let cells_of_means = |results: &Results| -> Vec<String> {
        let bests = BESTS
            .iter()
            .map(|(_, best)| results.mean_ratio_to_best(ours, *best));
        let means = others.iter().map(|ran| results.mean_ratio(ours, &ran.id));
        bests
            .chain(means)
            .map(|mean| format!("**{}**", ratio(mean)))
            .collect()
    };
    for (first, results) in means {
        table_row(&mut text, first, cells_of_means(results).into_iter());
    }
    text
}

fn memory(results: &Results) -> String {
    let mut text = String::from("## Memory\n\nPeak resident memory in MiB, maximum of all rounds");
    let retains = |row: &Row| row.cells.values().any(|cell| cell.retained_kib.is_some());
    if results.rows.iter().any(retains) {
        let seconds = workloads::runner::REST.as_secs();
        text += &format!(
            "; `retained` is what remains resident {seconds} seconds after most was freed"
        );
    }
    text += ".\n\n";
    header_of_allocators(&mut text, results);
    for row in &results.rows {
        let peak = |cell: &Cell| Some(cell.peak_kib);
        memory_row(&mut text, results, row, &row.workload, peak);
        if retains(row) {
            let name = format!("{}, retained", row.workload);
            memory_row(&mut text, results, row, &name, |cell| cell.retained_kib);
        }
    }
    text
}

fn memory_row(
    text: &mut String,
    results: &Results,
    row: &Row,
    name: &str,
    figure: fn(&Cell) -> Option<u64>,
) {
    let cells = results.head.allocators.iter().map(|ran| {
        let kib = row.cells.get(&ran.id).and_then(figure);
        kib.map_or("–".to_string(), mib)
    });
    table_row(text, name, cells);
}

/// A table of one figure, for the workloads that have it.
fn memory_table(
    results: &Results,
    title_and_about: &str,
    figure: fn(&Cell) -> Option<u64>,
) -> String {
    let has = |row: &&Row| row.cells.values().any(|cell| figure(cell).is_some());
    let rows: Vec<&Row> = results.rows.iter().filter(has).collect();
    if rows.is_empty() {
        return String::new();
    }
    let mut text = format!("## {title_and_about}\n\n");
    header_of_allocators(&mut text, results);
    for row in rows {
        memory_row(&mut text, results, row, &row.workload, figure);
    }
    text
}

fn left(results: &Results) -> String {
    let when = match results.group() {
        Group::Programs => "when the work is done, before the process ends, minus what was resident before it",
        Group::Usual | Group::Large | Group::Idioms => {
            "as soon as all blocks of all repetitions have been freed, minus what was resident before the first"
        }
    };
    let title = format!(
        "Left behind\n\nResident memory {when}: MiB, maximum of all rounds. An allocator may retain memory for a while."
    );
    memory_table(results, &title, |cell| cell.left_kib)
}

fn huge_pages(results: &Results) -> String {
    memory_table(
        results,
        "Huge pages\n\nResident memory in huge pages while the workload holds its memory: MiB, median of all rounds.",
        |cell| cell.huge_kib,
    )
}

fn scaling(results: &Results) -> String {
    let rows: Vec<&Row> = results.rows.iter().filter(|row| row.is_scaling()).collect();
    let Some(single) = rows.iter().find(|row| row.threads == 1) else {
        return String::new();
    };
    let mut text = String::from(
        "## Scaling\n\nEvery thread does the same work: efficiency is the time with one thread as a \
         percentage of the time with all.\n\n",
    );
    let titles: Vec<String> = rows
        .iter()
        .map(|row| format!("{} threads", row.threads))
        .collect();
    header(&mut text, "allocator", titles.iter().map(String::as_str));
    for ran in &results.head.allocators {
        let cells =
            rows.iter().map(
                |row| match (single.cells.get(&ran.id), row.cells.get(&ran.id)) {
                    (Some(one), Some(all)) => {
                        let efficiency = 100.0 * one.median_ns as f64 / all.median_ns as f64;
                        format!("{:.1} ms, {efficiency:.0}%", milliseconds(all))
                    }
                    _ => "–".to_string(),
                },
            );
        table_row(&mut text, &ran.title, cells);
    }
    text
}

/// Where this crate is not the fastest, by the medians or by the minima: listed, so that nobody has to search the
/// tables for it.
fn slower(results: &Results) -> String {
    let measured = match results.group() {
        Group::Programs => "Programs",
        Group::Usual | Group::Large | Group::Idioms => "Workloads",
    };
    let mut text = format!("## {measured} in which another allocator is faster\n\n");
    let mut any = false;
    let minima = results.of_the_minima();
    for (ours, _) in COMPARED {
        for (row, row_of_minima) in results.rows.iter().zip(&minima.rows) {
            let (Some((median, best)), Some((min, best_of_minima))) =
                (to_best_peer(row, ours), to_best_peer(row_of_minima, ours))
            else {
                continue;
            };
            if median <= 1.0 && min <= 1.0 {
                continue;
            }
            any = true;
            line(
                &mut text,
                format_args!(
                    "- `{}`: {ours} takes {median:.2} of {best}, by the minima {min:.2} of {best_of_minima}",
                    row.workload,
                ),
            );
        }
    }
    if !any {
        text.push_str("None.\n");
    }
    text
}

/// Above this, code that is inlined takes longer than a call, or this crate longer than another one over mimalloc.
const GOAL: f64 = 1.02;

/// Where inlining costs time: the goal of the idioms.
fn losses(results: &Results) -> String {
    if results.group() != Group::Idioms {
        return String::new();
    }
    let mut text = format!(
        "## Workloads above {GOAL} of the same crate with calls, or of another crate over mimalloc\n\n"
    );
    let ids = results.head.allocators.iter().map(|ran| ran.id.as_str());
    let others: Vec<&str> = ids
        .filter(|id| {
            let other = allocators::find(id);
            other.is_some_and(|one| one.is_calls() || one.side == Side::MimallocPeer)
        })
        .collect();
    let minima = results.of_the_minima();
    let mut any = false;
    for (row, row_of_minima) in results.rows.iter().zip(&minima.rows) {
        for other in &others {
            let ratios = (row.ratio("v3", other), row_of_minima.ratio("v3", other));
            let (Some(median), Some(min)) = ratios else {
                continue;
            };
            if median > GOAL || min > GOAL {
                any = true;
                line(
                    &mut text,
                    format_args!(
                        "- `{}`: {median:.2} of {other}, by the minima {min:.2}",
                        row.workload
                    ),
                );
            }
        }
    }
    if !any {
        text.push_str("None.\n");
    }
    text
}

/// The time relative to the fastest allocator that is not this crate, and the name of that one.
fn to_best_peer<'a>(row: &'a Row, ours: &str) -> Option<(f64, &'a str)> {
    let best = row.best_peer()?;
    Some((row.ratio(ours, best)?, best))
}

fn ratio(ratio: Option<f64>) -> String {
    ratio.map_or("–".to_string(), |ratio| format!("{ratio:.2}"))
}

pub fn mib(kib: u64) -> String {
    format!("{:.1}", kib as f64 / 1024.0)
}

fn milliseconds(cell: &Cell) -> f64 {
    cell.median_ns as f64 / 1e6
}

fn spread(cell: &Cell) -> f64 {
    50.0 * (cell.max_ns - cell.min_ns) as f64 / cell.median_ns as f64
}

pub fn header<'a>(text: &mut String, first: &str, titles: impl Iterator<Item = &'a str>) {
    let titles: Vec<&str> = titles.collect();
    line(text, format_args!("| {first} | {} |", titles.join(" | ")));
    line(text, format_args!("|---|{}", "---:|".repeat(titles.len())));
}

/// For a table of workloads or programs, with a column for each allocator.
fn header_of_allocators(text: &mut String, results: &Results) {
    header(text, results.measured(), titles(&results.head));
}

pub fn titles(head: &Head) -> impl Iterator<Item = &str> {
    head.allocators.iter().map(|ran| ran.title.as_str())
}

pub fn table_row(text: &mut String, first: &str, cells: impl Iterator<Item = String>) {
    line(
        text,
        format_args!("| {first} | {} |", cells.collect::<Vec<_>>().join(" | ")),
    );
}

pub fn line(text: &mut String, arguments: std::fmt::Arguments) {
    writeln!(text, "{arguments}").expect("writing to a string cannot fail");
}

#[cfg(test)]
mod tests {
    use super::report;
    use crate::results::Results;
    use serde_json::json;

    #[test]
    fn what_misses_the_goal_of_the_idioms_is_listed() {
        let cell = |median: u64, min: u64| json!({ "median_ns": median, "min_ns": min, "max_ns": median, "peak_kib": 1, "retained_kib": null });
        let ran = |id: &str| json!({ "id": id, "title": id, "versions": "" });
        let mut json = json!({
            "facts": [], "rounds": 1, "not_run": [],
            "allocators": [ran("v3"), ran("calls"), ran("mimalloc"), ran("snmalloc")],
            "rows": [{ "workload": "lru", "about": "", "threads": 1, "cells": {
                "v3": cell(102, 100), "calls": cell(100, 97),
                "mimalloc": cell(100, 100), "snmalloc": cell(50, 50),
            } }],
        });
        let listed = |json: &serde_json::Value| {
            let results: Results = serde_json::from_value(json.clone()).expect("valid results");
            let report = report(&results);
            let (_, losses) = report.split_once("## Workloads above 1.02")?;
            let lines = losses.lines().skip(2);
            Some(lines.map(str::to_string).collect::<Vec<_>>())
        };
        let expected = "- `lru`: 1.02 of calls, by the minima 1.03";
        assert_eq!(listed(&json), Some(vec![expected.to_string()]));
        json["rows"][0]["cells"]["v3"] = cell(102, 98);
        assert_eq!(listed(&json), Some(vec!["None.".to_string()]));
        json["rows"][0]["workload"] = "box".into();
        assert_eq!(listed(&json), None);
    }
}

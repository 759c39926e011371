//! The results as Markdown.

use crate::results::{Cell, Results, Row};
use std::fmt::Write;

/// Those of ours that are compared with each of the others, and what they are called there.
const COMPARED: [(&str, &str); 3] = [
    ("v3", "ours"),
    ("lto", "ours with bitcode LTO"),
    ("large", "ours with bitcode LTO and large slices"),
];

/// The whole report.
pub fn report(results: &Results) -> String {
    let mut parts = vec![
        "# Benchmark results\n".to_string(),
        machine(results),
        times(results),
        least(results),
    ];
    parts.extend(COMPARED.map(|(ours, name)| ratios(results, ours, name)));
    parts.extend([memory(results), scaling(results), slower(results)]);
    parts
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("\n")
}

fn machine(results: &Results) -> String {
    let mut text = String::new();
    for (name, value) in &results.facts {
        line(&mut text, format_args!("- {name}: {value}"));
    }
    line(
        &mut text,
        format_args!(
            "- rounds: {}, one process for each workload and allocator in each round",
            results.rounds
        ),
    );
    for ran in results
        .allocators
        .iter()
        .filter(|ran| !ran.versions.is_empty())
    {
        line(&mut text, format_args!("- {}: {}", ran.title, ran.versions));
    }
    for (id, reason) in &results.not_run {
        line(&mut text, format_args!("- **not run:** {id}: {reason}"));
    }
    text
}

fn times(results: &Results) -> String {
    let mut text = String::from(
        "## Time\n\nMilliseconds: median over the rounds, and half of the distance between the \
         slowest and the fastest round in percent of it.\n\n",
    );
    header_of_allocators(&mut text, results);
    for row in &results.rows {
        let cells = results
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
        let threads = if row.threads > 1 && uses_threads(row) {
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

/// What disturbs a round makes it longer: on a busy machine this tells more.
fn least(results: &Results) -> String {
    let mut text = String::from("## Time of the least rounds\n\nMilliseconds.\n\n");
    header_of_allocators(&mut text, results);
    for row in &results.of_the_least().rows {
        let cells = results.allocators.iter().map(|ran| {
            let cell = row.cells.get(&ran.id);
            cell.map_or("–".to_string(), |cell| {
                format!("{:.1}", milliseconds(cell))
            })
        });
        table_row(&mut text, &row.workload, cells);
    }
    text
}

fn uses_threads(row: &Row) -> bool {
    row.is_scaling() || matches!(row.workload.as_str(), "pipeline" | "larson")
}

fn ratios(results: &Results, ours: &str, name: &str) -> String {
    if !results.allocators.iter().any(|ran| ran.id == ours) {
        return String::new();
    }
    let others: Vec<_> = results
        .allocators
        .iter()
        .filter(|ran| ran.id != ours)
        .collect();
    let mut text = format!("## Time of {name} in units of theirs\n\nBelow 1 ours is faster.\n\n");
    let titles = others.iter().map(|ran| ran.title.as_str());
    header(
        &mut text,
        "workload",
        std::iter::once("best mimalloc peer").chain(titles),
    );
    for row in &results.rows {
        let best = row
            .best_mimalloc_peer()
            .and_then(|best| row.ratio(ours, best));
        let cells = others.iter().map(|ran| row.ratio(ours, &ran.id));
        table_row(
            &mut text,
            &row.workload,
            std::iter::once(best).chain(cells).map(ratio),
        );
    }
    let means = |results: &Results| -> Vec<String> {
        let best = results.mean_ratio_to_best_mimalloc_peer(ours);
        let means = others.iter().map(|ran| results.mean_ratio(ours, &ran.id));
        std::iter::once(best)
            .chain(means)
            .map(|mean| format!("**{}**", ratio(mean)))
            .collect()
    };
    for (first, results) in [
        ("**geometric mean**", results),
        ("**of the least rounds**", &results.of_the_least()),
    ] {
        table_row(&mut text, first, means(results).into_iter());
    }
    text
}

fn memory(results: &Results) -> String {
    let mut text = format!(
        "## Memory\n\nPeak of resident memory in MiB, the largest of all rounds; `rest` is what is \
         still resident {} seconds after most was freed.\n\n",
        workloads::runner::REST.as_secs(),
    );
    header_of_allocators(&mut text, results);
    for row in &results.rows {
        let cells = |figure: fn(&Cell) -> Option<u64>| {
            results.allocators.iter().map(move |ran| {
                let kib = row.cells.get(&ran.id).and_then(figure);
                kib.map_or("–".to_string(), |kib| {
                    format!("{:.1}", kib as f64 / 1024.0)
                })
            })
        };
        table_row(&mut text, &row.workload, cells(|cell| Some(cell.peak_kib)));
        if row.cells.values().any(|cell| cell.rest_kib.is_some()) {
            table_row(
                &mut text,
                &format!("{}, rest", row.workload),
                cells(|cell| cell.rest_kib),
            );
        }
    }
    text
}

fn scaling(results: &Results) -> String {
    let rows: Vec<&Row> = results.rows.iter().filter(|row| row.is_scaling()).collect();
    let Some(single) = rows.iter().find(|row| row.threads == 1) else {
        return String::new();
    };
    let mut text = String::from(
        "## Scaling\n\nEvery thread does the same work: efficiency is the time of one thread in \
         percent of the time of all.\n\n",
    );
    let titles: Vec<String> = rows
        .iter()
        .map(|row| format!("{} threads", row.threads))
        .collect();
    header(&mut text, "allocator", titles.iter().map(String::as_str));
    for ran in &results.allocators {
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

/// Where ours does not win, by the medians or by the least rounds: said here, so that nobody has to search the
/// tables for it.
fn slower(results: &Results) -> String {
    let mut text = String::from("## Workloads in which another allocator is faster\n\n");
    let mut any = false;
    let least = results.of_the_least();
    for (ours, _) in COMPARED {
        for (row, least) in results.rows.iter().zip(&least.rows) {
            let (Some((median, best)), Some((least, best_of_least))) =
                (to_best_peer(row, ours), to_best_peer(least, ours))
            else {
                continue;
            };
            if median <= 1.0 && least <= 1.0 {
                continue;
            }
            any = true;
            line(
                &mut text,
                format_args!(
                    "- `{}`: {ours} takes {median:.2} of {best}, by the least rounds {least:.2} of {best_of_least}",
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

/// The time in units of the fastest that is not ours, and which that is.
fn to_best_peer<'a>(row: &'a Row, ours: &str) -> Option<(f64, &'a str)> {
    let best = row.best_peer()?;
    Some((row.ratio(ours, best)?, best))
}

fn ratio(ratio: Option<f64>) -> String {
    ratio.map_or("–".to_string(), |ratio| format!("{ratio:.2}"))
}

fn milliseconds(cell: &Cell) -> f64 {
    cell.median_ns as f64 / 1e6
}

fn spread(cell: &Cell) -> f64 {
    50.0 * (cell.most_ns - cell.least_ns) as f64 / cell.median_ns as f64
}

fn header<'a>(text: &mut String, first: &str, titles: impl Iterator<Item = &'a str>) {
    let titles: Vec<&str> = titles.collect();
    line(text, format_args!("| {first} | {} |", titles.join(" | ")));
    line(text, format_args!("|---|{}", "---:|".repeat(titles.len())));
}

/// For a table of workloads, with a column for each allocator.
fn header_of_allocators(text: &mut String, results: &Results) {
    let titles = results.allocators.iter().map(|ran| ran.title.as_str());
    header(text, "workload", titles);
}

fn table_row(text: &mut String, first: &str, cells: impl Iterator<Item = String>) {
    line(
        text,
        format_args!("| {first} | {} |", cells.collect::<Vec<_>>().join(" | ")),
    );
}

fn line(text: &mut String, arguments: std::fmt::Arguments) {
    writeln!(text, "{arguments}").expect("a string takes everything");
}

//! Instruction counts of the hot paths, by valgrind: deterministic figures, compared with those recorded
//! in `counts.json`.

use crate::allocators::{self, Allocator};
use crate::build;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use workloads::hot;

/// By operation and allocator.
type Counts = BTreeMap<String, BTreeMap<String, f64>>;

/// A count may exceed the recorded one by this share plus this many instructions: another C
/// compiler or a newer rustc places a few instructions differently.
const TOLERANCE: f64 = 0.05;
const SLACK: f64 = 2.0;

/// The builds of this crate that are compared with the recorded figures.
const WATCHED: &[&str] = &["v3", "v2", "secure"];

/// Iterations of the loop: the count of the short run is subtracted from the long one's, and with it
/// everything else that the program does.
const SHORT: u64 = 1_000;
const LONG: u64 = 11_000;

/// Compares with the recorded figures; a regression is an error.
pub fn check() -> Result<String, String> {
    let counts = count(&select(WATCHED)?, "release")?;
    let kept: Counts = serde_json::from_str(
        &fs::read_to_string(path()).map_err(|error| format!("{}: {error}", path()))?,
    )
    .map_err(|error| format!("{}: {error}", path()))?;
    let regressions = regressions(&counts, &kept);
    let table = table(&counts, WATCHED);
    if regressions.is_empty() {
        Ok(format!(
            "{table}\nNo regression from the figures in counts.json.\n"
        ))
    } else {
        Err(format!(
            "{table}\nRegressions from the figures in counts.json:\n{}",
            regressions.join("\n")
        ))
    }
}

/// Records the current figures.
pub fn update() -> Result<String, String> {
    let counts = count(&select(WATCHED)?, "release")?;
    let text = serde_json::to_string_pretty(&counts).map_err(|error| error.to_string())?;
    fs::write(path(), text + "\n").map_err(|error| format!("{}: {error}", path()))?;
    Ok(table(&counts, WATCHED))
}

/// The figures of other allocators or of another profile, for a table. Some do not run under valgrind: snmalloc reserves
/// more address space than valgrind allows.
pub fn compare(ids: &[&str], profile: &str) -> Result<String, String> {
    let mut counts = Counts::new();
    let mut not_counted = String::new();
    for allocator in select(ids)? {
        match count(&[allocator], profile) {
            Ok(more) => {
                for (operation, row) in more {
                    counts.entry(operation).or_default().extend(row);
                }
            }
            Err(reason) => {
                let first = reason.lines().next().unwrap_or_default();
                not_counted += &format!("not counted: {}: {first}\n", allocator.id);
            }
        }
    }
    Ok(table(&counts, ids) + &not_counted)
}

fn path() -> String {
    build::bench().join("counts.json").display().to_string()
}

fn select(ids: &[&str]) -> Result<Vec<&'static Allocator>, String> {
    ids.iter()
        .map(|id| allocators::find(id).ok_or(format!("no allocator {id}")))
        .collect()
}

fn count(allocators: &[&Allocator], profile: &str) -> Result<Counts, String> {
    let mut counts = Counts::new();
    for allocator in allocators {
        let program = build::build(allocator, profile)?;
        let empty = per_iteration(&program, hot::EMPTY)?;
        for operation in hot::ALL
            .iter()
            .filter(|operation| operation.name != hot::EMPTY)
        {
            let count = per_iteration(&program, operation.name)? - empty;
            let row = counts.entry(operation.name.to_string()).or_default();
            row.insert(allocator.id.to_string(), (count * 10.0).round() / 10.0);
        }
    }
    Ok(counts)
}

fn per_iteration(program: &Path, operation: &str) -> Result<f64, String> {
    let (short, long) = (
        total(program, operation, SHORT)?,
        total(program, operation, LONG)?,
    );
    if long < short {
        return Err(format!(
            "{operation}: {LONG} iterations needed fewer instructions than {SHORT}"
        ));
    }
    Ok((long - short) as f64 / (LONG - SHORT) as f64)
}

fn total(program: &Path, operation: &str, iterations: u64) -> Result<u64, String> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args(["hot", operation, &iterations.to_string()])
        .output()
        .map_err(|error| {
            format!("valgrind could not be started (Debian: apt-get install valgrind): {error}")
        })?;
    let text = String::from_utf8_lossy(&output.stderr);
    let collected = text
        .lines()
        .find_map(|line| line.split_once("Collected : "));
    match collected.and_then(|(_, count)| count.trim().parse().ok()) {
        Some(count) if output.status.success() => Ok(count),
        _ => Err(format!(
            "{operation} under valgrind: {}\n{text}",
            output.status
        )),
    }
}

/// Counts that exceed the recorded ones, or have none, as text.
fn regressions(counts: &Counts, kept: &Counts) -> Vec<String> {
    let mut lines = Vec::new();
    for (operation, row) in counts {
        for (allocator, &count) in row {
            match kept.get(operation).and_then(|row| row.get(allocator)) {
                None => lines.push(format!(
                    "{operation}, {allocator}: {count:.1}, no figure recorded"
                )),
                Some(&old) if count > old * (1.0 + TOLERANCE) + SLACK => {
                    lines.push(format!(
                        "{operation}, {allocator}: {count:.1} instructions, {old:.1} before"
                    ));
                }
                Some(_) => {}
            }
        }
    }
    lines
}

fn table(counts: &Counts, ids: &[&str]) -> String {
    let mut text = format!(
        "| instructions | {} |\n|---|{}\n",
        ids.join(" | "),
        "---:|".repeat(ids.len())
    );
    for operation in hot::ALL {
        let Some(row) = counts.get(operation.name) else {
            continue;
        };
        let cells: Vec<String> = ids
            .iter()
            .map(|&id| {
                row.get(id)
                    .map_or("–".to_string(), |count| format!("{count:.0}"))
            })
            .collect();
        text += &format!(
            "| {}: {} | {} |\n",
            operation.name,
            operation.about,
            cells.join(" | ")
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{regressions, Counts};

    fn counts(count: f64) -> Counts {
        let row = [("v3".to_string(), count)].into_iter().collect();
        [("box".to_string(), row)].into_iter().collect()
    }

    #[test]
    fn only_what_exceeds_the_tolerance_is_a_regression() {
        assert!(regressions(&counts(30.0), &counts(30.0)).is_empty());
        assert!(regressions(&counts(33.0), &counts(30.0)).is_empty());
        assert!(regressions(&counts(12.0), &counts(30.0)).is_empty());
        assert_eq!(regressions(&counts(34.0), &counts(30.0)).len(), 1);
        assert_eq!(regressions(&counts(30.0), &Counts::new()).len(), 1);
    }
}

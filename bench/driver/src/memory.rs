//! Measures idle programs: one process for each allocator, program and round. The driver reads resident memory from
//! outside, so that nothing runs in the process except what its allocator itself runs.

pub mod plot;
pub mod table;

use crate::allocators::Allocator;
use crate::measure::{kib, median, order, values};
use crate::results::Head;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::thread::{self, sleep, ScopedJoinHandle};
use std::time::{Duration, Instant};
use workloads::process;
use workloads::resting::Resting;
use workloads::runner;

/// Seconds after a program became idle. Measuring ends at the last.
pub const SECONDS: [u64; 3] = [1, 5, 30];

/// How often resident memory is read.
const STEP: Duration = Duration::from_millis(50);

/// No other program works until one has been idle for this time. Then others may start: they do not affect its
/// memory, only the moment at which an allocator's thread runs.
const UNDISTURBED: Duration = Duration::from_secs(6);

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Results {
    #[serde(flatten)]
    pub head: Head,
    /// The moments of the curves, in milliseconds after the program became idle.
    pub grid_ms: Vec<i64>,
    pub rows: Vec<Row>,
}

/// A program.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Row {
    pub program: String,
    pub about: String,
    /// What the program itself still uses.
    pub in_use_kib: u64,
    pub cells: BTreeMap<String, Cell>,
}

/// A program with one allocator, over all rounds. All figures are resident memory.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Cell {
    pub peak_kib: Figure,
    /// At [`SECONDS`].
    #[serde(alias = "rest_kib")]
    pub retained_kib: Vec<Figure>,
    /// Medians at the moments of the grid.
    pub curve_kib: Vec<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figure {
    pub median: u64,
    #[serde(alias = "least")]
    pub min: u64,
    #[serde(alias = "most")]
    pub max: u64,
}

impl Figure {
    /// Of one or more rounds.
    fn of(rounds: impl Iterator<Item = u64>) -> Figure {
        let mut rounds: Vec<u64> = rounds.collect();
        rounds.sort_unstable();
        Figure {
            median: median(&rounds),
            min: rounds[0],
            max: rounds[rounds.len() - 1],
        }
    }
}

impl Results {
    pub fn new(head: Head, rows: Vec<Row>) -> Results {
        Results {
            head,
            grid_ms: grid(),
            rows,
        }
    }
}

/// Four points a second during the first seconds, then one.
fn grid() -> Vec<i64> {
    let last = SECONDS[SECONDS.len() - 1] as i64;
    let dense = (-4..48).map(|quarter| quarter * 250);
    dense
        .chain((12..=last).map(|second| second * 1000))
        .collect()
}

/// What was measured of one process.
struct Sample {
    /// What the runner printed.
    text: String,
    peak_kib: u64,
    curve: Curve,
}

/// Resident memory in KiB, by milliseconds after the process became idle, in order.
struct Curve(Vec<(i64, u64)>);

impl Curve {
    /// The last figure read until then; 0 before the process has started.
    fn at(&self, moment: i64) -> u64 {
        let read = self.0.partition_point(|&(read, _)| read <= moment);
        read.checked_sub(1).map_or(0, |last| self.0[last].1)
    }
}

/// Measures all of `resting` with all of `programs`, in the order of [`crate::measure::order`].
pub fn measure(
    programs: &[(&'static Allocator, PathBuf)],
    resting: &[&'static Resting],
    rounds: usize,
) -> Result<Vec<Row>, String> {
    let mut samples: Vec<Vec<Vec<Sample>>> = resting
        .iter()
        .map(|_| programs.iter().map(|_| Vec::new()).collect())
        .collect();
    for round in 0..rounds {
        for (task, one) in resting.iter().enumerate() {
            eprintln!("round {} of {rounds}: {}", round + 1, one.name);
            let order = order(programs.len(), task, round);
            let seen = thread::scope(|scope| {
                let observe = |&index: &usize| {
                    let (allocator, program) = &programs[index];
                    let told = |error| format!("{} with {}: {error}", one.name, allocator.id);
                    let begun = Observed::begin(scope, program, one.name).map_err(told)?;
                    sleep(UNDISTURBED);
                    Ok((index, told, begun))
                };
                let begun: Vec<_> = order.iter().map(observe).collect::<Result<_, String>>()?;
                begun
                    .into_iter()
                    .map(|(index, told, begun)| Ok((index, begun.end().map_err(told)?)))
                    .collect::<Result<Vec<_>, String>>()
            })?;
            for (index, sample) in seen {
                samples[task][index].push(sample);
            }
        }
    }
    resting
        .iter()
        .zip(samples)
        .map(|(one, samples)| row(one, programs, &samples))
        .collect()
}

/// An idle process, and the thread that reads its memory.
struct Observed<'scope> {
    child: Child,
    text: String,
    reader: ScopedJoinHandle<'scope, Result<(u64, Curve), String>>,
}

impl<'scope> Observed<'scope> {
    /// Starts a process and waits until it is idle.
    fn begin<'env>(
        scope: &'scope thread::Scope<'scope, 'env>,
        program: &Path,
        resting: &str,
    ) -> Result<Self, String> {
        let mut child = Command::new(program)
            .args(["rest", resting])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("a process without its pipes".to_string());
        };
        let rests = Arc::new(OnceLock::new());
        let reader = {
            let (process, rests) = (child.id(), rests.clone());
            scope.spawn(move || read(process, &rests, input))
        };
        let mut text = String::new();
        for line in BufReader::new(output).lines() {
            let line = line.map_err(|error| error.to_string())?;
            if line == runner::WORKED {
                let _ = rests.set(Instant::now());
                break;
            }
            text += &(line + "\n");
        }
        Ok(Observed {
            child,
            text,
            reader,
        })
    }

    /// Waits until the idle time is over.
    fn end(mut self) -> Result<Sample, String> {
        let read = self.reader.join().expect("the reader does not panic");
        let status = self.child.wait().map_err(|error| error.to_string())?;
        if !status.success() {
            return Err(status.to_string());
        }
        let (peak_kib, curve) = read?;
        Ok(Sample {
            text: self.text,
            peak_kib,
            curve,
        })
    }
}

/// The resident memory of a process from its start to the end of its idle time, and the peak. The process ends when
/// `_input` is dropped.
fn read(
    process: u32,
    rests: &OnceLock<Instant>,
    _input: ChildStdin,
) -> Result<(u64, Curve), String> {
    let status = format!("/proc/{process}/status");
    let last = Duration::from_secs(SECONDS[SECONDS.len() - 1]);
    let mut read: Vec<(Instant, u64)> = Vec::new();
    loop {
        // The line is missing if the process has ended too early.
        let resident =
            process::kib(&status, "VmRSS:").ok_or("it ended before its idle time was over")?;
        read.push((Instant::now(), resident));
        if rests.get().is_some_and(|since| since.elapsed() > last) {
            break;
        }
        sleep(STEP);
    }
    let peak = process::kib(&status, "VmHWM:").ok_or("no peak: this needs Linux")?;
    let begin = *rests.get().ok_or("it did not become idle")?;
    let milliseconds = |moment: Instant| match moment.checked_duration_since(begin) {
        Some(after) => after.as_millis() as i64,
        None => -((begin - moment).as_millis() as i64),
    };
    let curve = read
        .into_iter()
        .map(|(moment, kib)| (milliseconds(moment), kib));
    Ok((peak, Curve(curve.collect())))
}

fn row(
    resting: &Resting,
    programs: &[(&'static Allocator, PathBuf)],
    samples: &[Vec<Sample>],
) -> Result<Row, String> {
    // All allocators must have done the same work.
    let mut done = samples
        .iter()
        .flatten()
        .map(|sample| values(&sample.text, "checksum"));
    let first = done.next().unwrap_or_default();
    if first.is_empty() || done.any(|checksum| checksum != first) {
        return Err(format!(
            "{}: the allocators disagree about the result",
            resting.name
        ));
    }
    let text = samples
        .iter()
        .flatten()
        .next()
        .map_or("", |sample| &sample.text);
    Ok(Row {
        program: resting.name.to_string(),
        about: resting.about.to_string(),
        in_use_kib: kib(text, "in_use_kib")?,
        cells: programs
            .iter()
            .zip(samples)
            .map(|((allocator, _), samples)| (allocator.id.to_string(), cell(samples)))
            .collect(),
    })
}

fn cell(samples: &[Sample]) -> Cell {
    let at = |moment| Figure::of(samples.iter().map(move |sample| sample.curve.at(moment)));
    Cell {
        peak_kib: Figure::of(samples.iter().map(|sample| sample.peak_kib)),
        retained_kib: SECONDS
            .iter()
            .map(|&seconds| at(1000 * seconds as i64))
            .collect(),
        curve_kib: grid().into_iter().map(|moment| at(moment).median).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::{grid, Curve, Figure};

    #[test]
    fn a_curve_has_its_last_figure_and_none_before_its_start() {
        let curve = Curve(vec![(-70, 5), (-20, 9), (30, 7)]);
        let at = [-100, -70, -21, 0, 29, 30, 900].map(|moment| curve.at(moment));
        assert_eq!(at, [0, 5, 5, 9, 9, 7, 7]);
    }

    #[test]
    fn the_grid_goes_from_before_rest_to_its_end_in_order() {
        let grid = grid();
        assert!(grid.is_sorted_by(|one, next| one < next));
        assert_eq!((grid[0], grid[4], grid[grid.len() - 1]), (-1000, 0, 30_000));
    }

    #[test]
    fn a_figure_says_how_far_the_rounds_are_apart() {
        let figure = Figure::of([30, 10, 11].into_iter());
        assert_eq!((figure.min, figure.median, figure.max), (10, 11, 30));
    }
}

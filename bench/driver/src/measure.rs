//! Runs the runners: one process for each allocator, workload and round.

use crate::allocators::{Allocator, Side};
use crate::machine;
use crate::results::{Cell, Row};
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use workloads::random::Random;
use workloads::{runner, Group, Threads, Workload};

/// What one process reported.
pub struct Sample {
    nanoseconds: u64,
    checksum: String,
    peak_kib: u64,
    left_kib: u64,
    huge_kib: Option<u64>,
    /// Of all its threads, where known.
    pub processor_ns: Option<u64>,
}

impl Sample {
    /// What a runner printed, and the time it took.
    pub fn read(text: &str, nanoseconds: u64) -> Result<Sample, String> {
        Ok(Sample {
            nanoseconds,
            checksum: values(text, "checksum")
                .first()
                .ok_or("the runner printed no checksum")?
                .to_string(),
            peak_kib: kib(text, "peak_kib")?,
            left_kib: kib(text, "left_kib")?,
            huge_kib: None,
            processor_ns: None,
        })
    }
}

/// A row of the table: a workload and its number of threads.
struct Task {
    name: String,
    workload: &'static Workload,
    threads: usize,
}

/// Measures all of `workloads` with all of `programs`.
pub fn measure(
    programs: &[(&'static Allocator, PathBuf)],
    workloads: &[&'static Workload],
    rounds: usize,
) -> Result<Vec<Row>, String> {
    let tasks: Vec<Task> = workloads
        .iter()
        .flat_map(|&workload| tasks(workload))
        .collect();
    let samples = interleaved(programs, &tasks, |task| &task.name, run, rounds)?;
    tasks
        .iter()
        .zip(samples)
        .map(|(task, samples)| {
            let row = Row {
                workload: task.name.clone(),
                about: task.workload.about.to_string(),
                threads: task.threads,
                cells: BTreeMap::new(),
            };
            let mut row = filled(row, task.workload.group, programs, samples)?;
            if task.workload.retains {
                measure_retained(programs, task, &mut row)?;
            }
            Ok(row)
        })
        .collect()
}

/// The order in which the allocators run a task in a round: another one each time, but the same in every run. What a
/// process leaves behind, such as pages that the system still has to merge, affects the next one, and rotated lists have
/// the same predecessors.
pub fn order(allocators: usize, task: usize, round: usize) -> Vec<usize> {
    let mut random = Random::new(1 + (round * 1000 + task) as u64);
    let mut order: Vec<usize> = (0..allocators).collect();
    for last in (1..allocators).rev() {
        order.swap(last, random.below(last + 1));
    }
    order
}

/// Samples by task and program. Rounds are the outer loop, so that slow phases of the machine affect all allocators.
pub fn interleaved<Task>(
    programs: &[(&'static Allocator, PathBuf)],
    tasks: &[Task],
    name: fn(&Task) -> &str,
    run: impl Fn(&Path, &Task) -> Result<Sample, String>,
    rounds: usize,
) -> Result<Vec<Vec<Vec<Sample>>>, String> {
    let mut samples: Vec<Vec<Vec<Sample>>> = tasks
        .iter()
        .map(|_| programs.iter().map(|_| Vec::new()).collect())
        .collect();
    for round in 0..rounds {
        for (task_index, task) in tasks.iter().enumerate() {
            let name = name(task);
            eprintln!("round {} of {rounds}: {name}", round + 1);
            for index in order(programs.len(), task_index, round) {
                let (allocator, program) = &programs[index];
                match run(program, task) {
                    Ok(sample) => samples[task_index][index].push(sample),
                    // The bump allocator never frees: some workloads do not fit into its region.
                    Err(_) if allocator.side == Side::Bound => {}
                    Err(error) => return Err(format!("{name} with {}: {error}", allocator.id)),
                }
            }
        }
    }
    Ok(samples)
}

fn tasks(workload: &'static Workload) -> Vec<Task> {
    let processors = machine::processors();
    let task = |name, threads| Task {
        name,
        workload,
        threads,
    };
    let name = workload.name.to_string();
    match workload.threads {
        Threads::One => vec![task(name, 1)],
        Threads::Several => vec![task(name, processors.clamp(2, 8))],
        Threads::Scaling => {
            let mut counts: Vec<usize> = (0..)
                .map(|power| 1 << power)
                .take_while(|&count| count <= processors)
                .collect();
            if !counts.contains(&processors) {
                counts.push(processors);
            }
            let named = |threads| task(format!("{name}-{threads}"), threads);
            counts.into_iter().map(named).collect()
        }
    }
}

fn run(program: &Path, task: &Task) -> Result<Sample, String> {
    let output = command(program, "time", task).output();
    let text = text(output)?;
    // Any disturbance makes a repetition longer: the shortest is the most accurate.
    let nanoseconds = values(&text, "nanoseconds")
        .iter()
        .filter_map(|value| value.parse().ok())
        .min()
        .ok_or("the runner printed no time")?;
    let mut sample = Sample::read(&text, nanoseconds)?;
    if task.workload.huge_pages {
        sample.huge_kib = Some(kib(&text, "huge_kib")?);
    }
    Ok(sample)
}

/// What an allocator purges depends on when it checks: the maximum of this many measurements counts.
const RESTS: usize = 3;

/// Measures the memory that each allocator retains some time after the work. The processes work one after the other, since
/// the moment at which mimalloc purges depends on the duration of the work. They idle at the same time, since idling takes most of
/// the time, and other processes do not affect the memory of an idle one.
fn measure_retained(
    programs: &[(&'static Allocator, PathBuf)],
    task: &Task,
    row: &mut Row,
) -> Result<(), String> {
    for turn in 1..=RESTS {
        eprintln!("retained memory, {turn} of {RESTS}: {}", task.name);
        let resting = programs
            .iter()
            .filter(|(allocator, _)| row.cells.contains_key(allocator.id))
            .map(|(allocator, program)| Ok((allocator.id, worked(program, task)?)))
            .collect::<io::Result<Vec<_>>>()
            .map_err(|error| format!("{}: {error}", task.name))?;
        for (id, child) in resting {
            let rest = text(child.wait_with_output())
                .and_then(|text| kib(&text, "retained_kib"))
                .map_err(|error| format!("{} with {id}: {error}", task.name))?;
            if let Some(cell) = row.cells.get_mut(id) {
                cell.retained_kib = cell.retained_kib.max(Some(rest));
            }
        }
    }
    Ok(())
}

/// A program that has done its work and is idle.
fn worked(program: &Path, task: &Task) -> io::Result<Child> {
    let mut child = command(program, "retained", task)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut line = [0; runner::WORKED.len() + 1];
    if let Some(output) = &mut child.stdout {
        // If it ends earlier, `wait_with_output` reports why.
        let _ = output.read_exact(&mut line);
    }
    Ok(child)
}

fn command(program: &Path, what: &str, task: &Task) -> Command {
    let mut command = Command::new(program);
    command.args([what, task.workload.name, &task.threads.to_string()]);
    command
}

/// What a runner printed.
pub fn text(output: io::Result<Output>) -> Result<String, String> {
    let output = output.map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(format!(
            "{}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

pub fn values<'t>(text: &'t str, key: &str) -> Vec<&'t str> {
    text.lines()
        .filter_map(|line| line.split_once(' '))
        .filter(|(name, _)| *name == key)
        .map(|(_, value)| value)
        .collect()
}

pub fn kib(text: &str, key: &str) -> Result<u64, String> {
    values(text, key)
        .first()
        .and_then(|value| value.parse().ok())
        .ok_or_else(|| format!("the runner printed no {key}: this needs Linux"))
}

/// The row with a cell for each program that has samples.
pub fn filled(
    row: Row,
    group: Group,
    programs: &[(&'static Allocator, PathBuf)],
    samples: Vec<Vec<Sample>>,
) -> Result<Row, String> {
    // All allocators must have done the same work.
    let mut checksums = samples.iter().flatten().map(|sample| &sample.checksum);
    if let Some(first) = checksums.next() {
        if checksums.any(|checksum| checksum != first) {
            return Err(format!(
                "{}: the allocators disagree about the result",
                row.workload
            ));
        }
    }
    let cells = programs
        .iter()
        .zip(samples)
        .filter(|(_, samples)| !samples.is_empty())
        .map(|((allocator, _), samples)| {
            let cell = cell(&samples, group);
            (allocator.id.to_string(), cell)
        })
        .collect();
    Ok(Row { cells, ..row })
}

fn cell(samples: &[Sample], group: Group) -> Cell {
    let sorted = |figure: fn(&Sample) -> Option<u64>| {
        let mut figures: Vec<u64> = samples.iter().filter_map(figure).collect();
        figures.sort_unstable();
        figures
    };
    let times = sorted(|sample| Some(sample.nanoseconds));
    let peaks = sorted(|sample| Some(sample.peak_kib));
    let left = sorted(|sample| Some(sample.left_kib));
    let huge = sorted(|sample| sample.huge_kib);
    let processor = sorted(|sample| sample.processor_ns);
    Cell {
        median_ns: median(&times),
        min_ns: times[0],
        max_ns: times[times.len() - 1],
        peak_kib: peaks[peaks.len() - 1],
        retained_kib: None,
        left_kib: matches!(group, Group::Large | Group::Programs).then(|| left[left.len() - 1]),
        huge_kib: (!huge.is_empty()).then(|| median(&huge)),
        processor_ns: (!processor.is_empty()).then(|| median(&processor)),
    }
}

/// The median of a sorted list that is not empty.
pub fn median(sorted: &[u64]) -> u64 {
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        (sorted[middle - 1] + sorted[middle]) / 2
    }
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn no_allocator_always_follows_the_same_one() {
        let orders: Vec<Vec<usize>> = (0..9)
            .flat_map(|round| (0..12).map(move |task| super::order(8, task, round)))
            .collect();
        for allocator in 0..8 {
            let before = |order: &Vec<usize>| {
                let at = order.iter().position(|&other| other == allocator)?;
                at.checked_sub(1).map(|at| order[at])
            };
            let mut times = [0; 8];
            orders
                .iter()
                .filter_map(before)
                .for_each(|other| times[other] += 1);
            let most = times.iter().max().unwrap();
            assert!(*most < orders.len() / 4, "{allocator}: {times:?}");
        }
    }

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(&[7]), 7);
        assert_eq!(median(&[1, 2, 90]), 2);
        assert_eq!(median(&[1, 2, 4, 90]), 3);
    }
}

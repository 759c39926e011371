//! Measures whole programs: one process for each allocator, program and round, from its start to its end.

mod input;

use crate::allocators::Allocator;
use crate::build;
use crate::measure::{filled, interleaved, text, Sample};
use crate::results::Row;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use workloads::programs::Program;
use workloads::Group;

/// Measures all of `whole` with all of `programs`.
pub fn measure(
    programs: &[(&'static Allocator, PathBuf)],
    whole: &[&'static Program],
    rounds: usize,
) -> Result<Vec<Row>, String> {
    let folder = build::bench().join("target").join("input");
    eprintln!("writing the input of programs");
    input::write(&folder)?;
    let samples = interleaved(
        programs,
        whole,
        |one| one.name,
        |program, one| run(program, one, &folder),
        rounds,
    )?;
    whole
        .iter()
        .zip(samples)
        .map(|(one, samples)| {
            let row = Row {
                workload: one.name.to_string(),
                about: one.about.to_string(),
                threads: 1,
                cells: BTreeMap::new(),
            };
            filled(row, Group::Programs, programs, samples)
        })
        .collect()
}

fn run(program: &Path, one: &Program, folder: &Path) -> Result<Sample, String> {
    let mut command = Command::new(program);
    command.args(["program", one.name]).arg(folder);
    let (before, start) = (processor_time(), Instant::now());
    let output = command.output();
    let elapsed = start.elapsed();
    // Of all processes that have ended: no other one was running.
    let used = processor_time().map_err(|error| error.to_string())?
        - before.map_err(|error| error.to_string())?;
    let mut sample = Sample::read(&text(output)?, elapsed.as_nanos() as u64)?;
    sample.processor_ns = Some(used.as_nanos() as u64);
    Ok(sample)
}

/// The processor time, user and system, of the processes that this one has started and awaited.
fn processor_time() -> io::Result<Duration> {
    // SAFETY: integers only, for which all bits zero are valid.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: `usage` is a `rusage` to be written to.
    if unsafe { libc::getrusage(libc::RUSAGE_CHILDREN, &mut usage) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let duration = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec as u64) + Duration::from_micros(time.tv_usec as u64)
    };
    Ok(duration(usage.ru_utime) + duration(usage.ru_stime))
}

//! Runs programs, each with its own oracle.

use std::fmt;
use std::panic::resume_unwind;
use std::str::FromStr;
use std::sync::mpsc::{channel, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use super::oracle::{self, Oracle, TransferPool};
use super::program::{self, Action, Kind, Step, THREADS};
#[cfg(mi_v3)]
use super::sampling;

/// Checks the allocator's data for the calling thread, and panics if it finds a fault. The argument: whether only
/// that thread executes the program's steps.
pub type Check = fn(bool);

static CHECK: Mutex<Option<Check>> = Mutex::new(None);

/// From now on runs also call `check`, which reads the allocator's internals (`checks/soak`).
#[allow(dead_code)]
pub fn check_with(check: Check) {
    *CHECK.lock().unwrap() = Some(check);
}

/// Steps from one call of it to the next, in a whole program.
const CHECK_EVERY: usize = 50;

/// Steps until the profiler is switched on or off.
#[cfg(mi_v3)]
const SWITCH_EVERY: usize = 1000;

/// The program of a seed, or several that run concurrently.
#[derive(Clone, Debug)]
pub struct Run {
    pub kind: Kind,
    /// How many programs run at the same time and pass blocks to each other.
    pub concurrency: u64,
    pub seed: u64,
    /// Steps of a whole program.
    pub length: usize,
    /// The numbers of the steps that are executed.
    pub kept: Vec<usize>,
    /// One thread executes all steps.
    pub single_thread: bool,
    /// The oracle makes mistakes on purpose.
    pub faulty: bool,
}

/// Runs of `count` consecutive seeds in one process.
#[derive(Clone, Debug)]
pub struct Batch {
    pub first: Run,
    pub count: u64,
    /// With a profiler (v3).
    pub profiled: bool,
    /// The profiler is switched on and off meanwhile.
    pub switched: bool,
}

impl Batch {
    pub fn new(kind: Kind, concurrency: u64, seeds: std::ops::Range<u64>, length: usize) -> Batch {
        let first = Run {
            kind,
            concurrency,
            seed: seeds.start,
            length,
            kept: (0..length).collect(),
            single_thread: false,
            faulty: false,
        };
        Batch {
            first,
            count: seeds.end - seeds.start,
            profiled: false,
            switched: false,
        }
    }

    /// A batch of one run, with the same profiler.
    pub fn only(&self, run: Run) -> Batch {
        Batch {
            first: run,
            count: 1,
            profiled: self.profiled,
            switched: self.switched,
        }
    }

    /// For the child. Prints each run before it begins, so that the parent knows which one failed.
    pub fn execute(&self) {
        #[cfg(mi_v3)]
        if self.profiled {
            sampling::start();
            sampling::switch_by_steps(self.switched);
        }
        let mut calls = 0;
        for index in 0..self.count {
            let run = Run {
                seed: self.first.seed + index,
                ..self.first.clone()
            };
            eprintln!("{BEGINS}{}", self.only(run.clone()));
            calls += run.execute();
        }
        // A part of a program may be too short for samples.
        #[cfg(mi_v3)]
        if self.profiled && self.first.kept.len() == self.first.length {
            assert!(sampling::taken() > self.count, "too few samples");
        }
        println!("\n{CALLS}{calls}");
    }
}

const BEGINS: &str = "begins: ";
const CALLS: &str = "calls: ";
const PROFILED: &str = "profiled";
const SWITCHED: &str = "switched";
const SINGLE_THREAD: &str = "single_thread";
const FAULTY: &str = "faulty";

/// The last run that a child began.
pub fn last(stderr: &[u8]) -> Option<Batch> {
    let text = String::from_utf8_lossy(stderr);
    let line = text
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix(BEGINS));
    Some(line?.parse().unwrap())
}

/// How many calls a child made, if it reached its end.
pub fn calls(stdout: &[u8]) -> Option<u64> {
    let text = String::from_utf8_lossy(stdout);
    let line = text.lines().find_map(|line| line.strip_prefix(CALLS));
    Some(line?.parse().unwrap())
}

impl Run {
    /// The steps to execute, with their numbers.
    pub fn program(&self) -> Vec<(usize, Step)> {
        self.program_of(0)
    }

    fn program_of(&self, index: u64) -> Vec<(usize, Step)> {
        let steps = program::steps(self.kind, self.seed ^ (index << 32), self.length);
        self.kept
            .iter()
            .map(|number| {
                let step = steps[*number];
                let thread = if self.single_thread { 0 } else { step.thread };
                (*number, Step { thread, ..step })
            })
            .collect()
    }

    fn execute(&self) -> u64 {
        let pool = TransferPool::default();
        let calls = if self.concurrency == 1 {
            self.run_program(&self.program(), &pool)
        } else {
            let threads: Vec<_> = (0..self.concurrency)
                .map(|number| {
                    let program = self.program_of(number);
                    let (run, pool) = (self.clone(), Arc::clone(&pool));
                    std::thread::spawn(move || run.run_program(&program, &pool))
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap_or_else(|fault| resume_unwind(fault)))
                .sum()
        };
        oracle::clear(&pool);
        calls
    }

    /// Runs one program. One of its threads runs at a time, so each run does the same.
    fn run_program(&self, program: &[(usize, Step)], pool: &TransferPool) -> u64 {
        let mut oracle = Box::new(Oracle::new(Arc::clone(pool), self.faulty));
        let check = *CHECK.lock().unwrap();
        let single_thread = self.single_thread && self.concurrency == 1;
        // A part of a program is short, and a fault should be found soon after its cause.
        let every = match self.kept.len() == self.length {
            true => CHECK_EVERY,
            false => 1,
        };
        let mut workers: [Option<Worker>; THREADS] = Default::default();
        let mut remaining = program;
        while let Some((_, first)) = remaining.first() {
            let thread = first.thread;
            let ends = |step: &Step| matches!(step.action, Action::EndThread);
            // The steps up to those of another thread, or up to the end of the thread.
            let goes_on = |pair: &&[(usize, Step)]| pair[1].1.thread == thread && !ends(&pair[0].1);
            let length = 1 + remaining.windows(2).take_while(goes_on).count();
            let (part, later) = remaining.split_at(length);
            remaining = later;
            let steps = part.to_vec();
            let work = move |oracle: &mut Oracle| {
                for (number, step) in &steps {
                    #[cfg(mi_v3)]
                    sampling::step(number % SWITCH_EVERY == 0);
                    oracle.step(*number, *step);
                    if let (Some(check), true) = (check, number % every == 0) {
                        check(single_thread);
                    }
                }
            };
            let worker = workers[thread].take().unwrap_or_else(Worker::new);
            let (worker, back) = worker.run(oracle, work);
            oracle = back;
            if ends(&part[length - 1].1) {
                worker.join();
            } else {
                workers[thread] = Some(worker);
            }
        }
        for (thread, worker) in workers.into_iter().enumerate() {
            let worker = worker.unwrap_or_else(Worker::new);
            let (worker, back) = worker.run(oracle, move |oracle| {
                oracle.finish(thread);
                if let Some(check) = check {
                    check(single_thread);
                }
            });
            oracle = back;
            worker.join();
        }
        assert!(oracle.is_empty(), "the oracle itself has lost a block");
        oracle.calls
    }
}

type Job = (Box<Oracle>, Box<dyn FnOnce(&mut Oracle) + Send>);

/// A thread that runs the jobs that it receives, each with the oracle.
struct Worker {
    jobs: Sender<Job>,
    done: Receiver<Box<Oracle>>,
    thread: JoinHandle<()>,
}

impl Worker {
    fn new() -> Worker {
        let (jobs, received) = channel::<Job>();
        let (results, done) = channel();
        let thread = std::thread::spawn(move || {
            #[cfg(mi_v3)]
            sampling::join();
            for (mut oracle, job) in received {
                job(&mut oracle);
                results.send(oracle).unwrap();
            }
        });
        Worker { jobs, done, thread }
    }

    fn run(
        self,
        oracle: Box<Oracle>,
        job: impl FnOnce(&mut Oracle) + Send + 'static,
    ) -> (Worker, Box<Oracle>) {
        self.jobs.send((oracle, Box::new(job))).unwrap();
        match self.done.recv() {
            Ok(oracle) => (self, oracle),
            // The thread has found a fault and reported it.
            Err(_) => resume_unwind(self.thread.join().unwrap_err()),
        }
    }

    fn join(self) {
        drop(self.jobs);
        self.thread.join().unwrap();
    }
}

/// `kind concurrency seed count length steps [profiled] [switched] [single_thread] [faulty]`, which is parsed to run the
/// same batch again.
impl fmt::Display for Batch {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let run = &self.first;
        let kind = match run.kind {
            Kind::Raw => "raw",
            Kind::Rust => "rust",
            Kind::Mixed => "mixed",
        };
        let (concurrency, seed, count, length) =
            (run.concurrency, run.seed, self.count, run.length);
        let kept = ranges(&run.kept);
        write!(f, "{kind} {concurrency} {seed} {count} {length} {kept}")?;
        for (is, word) in [
            (self.profiled, PROFILED),
            (self.switched, SWITCHED),
            (run.single_thread, SINGLE_THREAD),
            (run.faulty, FAULTY),
        ] {
            if is {
                write!(f, " {word}")?;
            }
        }
        Ok(())
    }
}

impl FromStr for Batch {
    type Err = String;

    fn from_str(text: &str) -> Result<Batch, String> {
        let words: Vec<&str> = text.split(' ').collect();
        let number = |index: usize| -> Result<u64, String> {
            let word = words.get(index).ok_or("too few words")?;
            word.parse().map_err(|_| format!("no number: {word}"))
        };
        let kind = match words[0] {
            "raw" => Kind::Raw,
            "rust" => Kind::Rust,
            "mixed" => Kind::Mixed,
            other => return Err(format!("no kind: {other}")),
        };
        let first = Run {
            kind,
            concurrency: number(1)?,
            seed: number(2)?,
            length: number(4)? as usize,
            kept: numbers(words.get(5).ok_or("too few words")?)?,
            single_thread: words[6..].contains(&SINGLE_THREAD),
            faulty: words[6..].contains(&FAULTY),
        };
        Ok(Batch {
            first,
            count: number(3)?,
            profiled: words[6..].contains(&PROFILED),
            switched: words[6..].contains(&SWITCHED),
        })
    }
}

/// `0-2,7` for 0, 1, 2 and 7.
fn ranges(numbers: &[usize]) -> String {
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, end)) if *end + 1 == *number => *end = *number,
            _ => ranges.push((*number, *number)),
        }
    }
    let texts = ranges.iter().map(|(start, end)| {
        if start == end {
            start.to_string()
        } else {
            format!("{start}-{end}")
        }
    });
    texts.collect::<Vec<_>>().join(",")
}

fn numbers(text: &str) -> Result<Vec<usize>, String> {
    let mut numbers = Vec::new();
    for range in text.split(',').filter(|range| !range.is_empty()) {
        let (start, end) = range.split_once('-').unwrap_or((range, range));
        let bound = |word: &str| {
            word.parse::<usize>()
                .map_err(|_| format!("no range: {range}"))
        };
        numbers.extend(bound(start)?..=bound(end)?);
    }
    Ok(numbers)
}

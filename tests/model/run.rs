//! Runs programs, each with a shadow of its own.

use std::fmt;
use std::panic::resume_unwind;
use std::str::FromStr;
use std::sync::mpsc::{channel, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use super::program::{self, Action, Kind, Step, THREADS};
#[cfg(mi_v3)]
use super::sampling;
use super::shadow::{self, Shadow, Shelf};

/// Looks at what the allocator keeps of the calling thread, and panics with a fault. It is told whether that thread alone
/// takes the program's steps.
pub type Check = fn(bool);

static CHECK: Mutex<Option<Check>> = Mutex::new(None);

/// From now on runs also call `check`, which looks at the allocator from inside (`checks/soak`).
#[allow(dead_code)]
pub fn check_with(check: Check) {
    *CHECK.lock().unwrap() = Some(check);
}

/// Steps from one such look to the next, in a whole program.
const CHECK_EVERY: usize = 50;

/// Steps until the profiler is switched on or off.
#[cfg(mi_v3)]
const SWITCH_EVERY: usize = 1000;

/// One seed's program, or several at the same time.
#[derive(Clone, Debug)]
pub struct Run {
    pub kind: Kind,
    /// How many programs run at the same time and hand each other blocks.
    pub lanes: u64,
    pub seed: u64,
    /// Steps of a whole program.
    pub length: usize,
    /// The numbers of the steps that are taken.
    pub kept: Vec<usize>,
    /// One thread takes all steps.
    pub alone: bool,
    /// The shadow makes mistakes.
    pub faulty: bool,
}

/// Runs of as many seeds in one process.
#[derive(Clone, Debug)]
pub struct Lot {
    pub first: Run,
    pub count: u64,
    /// With a profiler (v3).
    pub profiled: bool,
    /// Which is switched on and off meanwhile.
    pub switched: bool,
}

impl Lot {
    pub fn new(kind: Kind, lanes: u64, seeds: std::ops::Range<u64>, length: usize) -> Lot {
        let first = Run {
            kind,
            lanes,
            seed: seeds.start,
            length,
            kept: (0..length).collect(),
            alone: false,
            faulty: false,
        };
        Lot {
            first,
            count: seeds.end - seeds.start,
            profiled: false,
            switched: false,
        }
    }

    /// One run, in the same way.
    pub fn only(&self, run: Run) -> Lot {
        Lot {
            first: run,
            count: 1,
            profiled: self.profiled,
            switched: self.switched,
        }
    }

    /// In the child. Says where it is, so that the parent knows which run a fault was in.
    pub fn go(&self) {
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
            calls += run.go();
        }
        // A part of a program may be too short for samples.
        #[cfg(mi_v3)]
        if self.profiled && self.first.kept.len() == self.first.length {
            assert!(sampling::taken() > self.count, "hardly any samples");
        }
        println!("\n{CALLS}{calls}");
    }
}

const BEGINS: &str = "begins: ";
const CALLS: &str = "calls: ";
const PROFILED: &str = "profiled";
const SWITCHED: &str = "switched";
const ALONE: &str = "alone";
const FAULTY: &str = "faulty";

/// The last run that a child began.
pub fn last(stderr: &[u8]) -> Option<Lot> {
    let text = String::from_utf8_lossy(stderr);
    let line = text
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix(BEGINS));
    Some(line?.parse().unwrap())
}

/// How many calls a child made, if it came to its end.
pub fn calls(stdout: &[u8]) -> Option<u64> {
    let text = String::from_utf8_lossy(stdout);
    let line = text.lines().find_map(|line| line.strip_prefix(CALLS));
    Some(line?.parse().unwrap())
}

impl Run {
    /// The steps to take, with their numbers.
    pub fn program(&self) -> Vec<(usize, Step)> {
        self.program_of(0)
    }

    fn program_of(&self, lane: u64) -> Vec<(usize, Step)> {
        let steps = program::steps(self.kind, self.seed ^ (lane << 32), self.length);
        self.kept
            .iter()
            .map(|number| {
                let step = steps[*number];
                let thread = if self.alone { 0 } else { step.thread };
                (*number, Step { thread, ..step })
            })
            .collect()
    }

    fn go(&self) -> u64 {
        let shelf = Shelf::default();
        let calls = if self.lanes == 1 {
            self.lane(&self.program(), &shelf)
        } else {
            let lanes: Vec<_> = (0..self.lanes)
                .map(|number| {
                    let program = self.program_of(number);
                    let (run, shelf) = (self.clone(), Arc::clone(&shelf));
                    std::thread::spawn(move || run.lane(&program, &shelf))
                })
                .collect();
            lanes
                .into_iter()
                .map(|lane| lane.join().unwrap_or_else(|fault| resume_unwind(fault)))
                .sum()
        };
        shadow::clear(&shelf);
        calls
    }

    /// Runs one program. Its threads take turns, so it runs the same way each time.
    fn lane(&self, program: &[(usize, Step)], shelf: &Shelf) -> u64 {
        let mut shadow = Box::new(Shadow::new(Arc::clone(shelf), self.faulty));
        let check = *CHECK.lock().unwrap();
        let alone = self.alone && self.lanes == 1;
        // A part of a program is short, and what fails should be near.
        let every = match self.kept.len() == self.length {
            true => CHECK_EVERY,
            false => 1,
        };
        let mut hands: [Option<Hand>; THREADS] = Default::default();
        let mut rest = program;
        while let Some((_, first)) = rest.first() {
            let thread = first.thread;
            let ends = |step: &Step| matches!(step.action, Action::EndThread);
            // A turn is a thread's steps up to another thread's, or up to its end.
            let goes_on = |pair: &&[(usize, Step)]| pair[1].1.thread == thread && !ends(&pair[0].1);
            let length = 1 + rest.windows(2).take_while(goes_on).count();
            let (turn, later) = rest.split_at(length);
            rest = later;
            let steps = turn.to_vec();
            let work = move |shadow: &mut Shadow| {
                for (number, step) in &steps {
                    #[cfg(mi_v3)]
                    sampling::step(number % SWITCH_EVERY == 0);
                    shadow.step(*number, *step);
                    if let (Some(check), true) = (check, number % every == 0) {
                        check(alone);
                    }
                }
            };
            let hand = hands[thread].take().unwrap_or_else(Hand::new);
            let (hand, back) = hand.work(shadow, work);
            shadow = back;
            if ends(&turn[length - 1].1) {
                hand.end();
            } else {
                hands[thread] = Some(hand);
            }
        }
        for (thread, hand) in hands.into_iter().enumerate() {
            let hand = hand.unwrap_or_else(Hand::new);
            let (hand, back) = hand.work(shadow, move |shadow| {
                shadow.end(thread);
                if let Some(check) = check {
                    check(alone);
                }
            });
            shadow = back;
            hand.end();
        }
        assert!(shadow.is_empty(), "the shadow itself has lost a block");
        shadow.calls
    }
}

type Job = (Box<Shadow>, Box<dyn FnOnce(&mut Shadow) + Send>);

/// A thread that works on a shadow when it is given it.
struct Hand {
    jobs: Sender<Job>,
    done: Receiver<Box<Shadow>>,
    thread: JoinHandle<()>,
}

impl Hand {
    fn new() -> Hand {
        let (jobs, given) = channel::<Job>();
        let (give, done) = channel();
        let thread = std::thread::spawn(move || {
            #[cfg(mi_v3)]
            sampling::join();
            for (mut shadow, job) in given {
                job(&mut shadow);
                give.send(shadow).unwrap();
            }
        });
        Hand { jobs, done, thread }
    }

    fn work(
        self,
        shadow: Box<Shadow>,
        job: impl FnOnce(&mut Shadow) + Send + 'static,
    ) -> (Hand, Box<Shadow>) {
        self.jobs.send((shadow, Box::new(job))).unwrap();
        match self.done.recv() {
            Ok(shadow) => (self, shadow),
            // It has found a fault and said so.
            Err(_) => resume_unwind(self.thread.join().unwrap_err()),
        }
    }

    fn end(self) {
        drop(self.jobs);
        self.thread.join().unwrap();
    }
}

/// `kind lanes seed count length steps [profiled] [switched] [alone] [faulty]`, from which the same lot can be run again.
impl fmt::Display for Lot {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let run = &self.first;
        let kind = match run.kind {
            Kind::Raw => "raw",
            Kind::Rust => "rust",
            Kind::Mixed => "mixed",
        };
        let (lanes, seed, count, length) = (run.lanes, run.seed, self.count, run.length);
        let kept = ranges(&run.kept);
        write!(f, "{kind} {lanes} {seed} {count} {length} {kept}")?;
        for (is, word) in [
            (self.profiled, PROFILED),
            (self.switched, SWITCHED),
            (run.alone, ALONE),
            (run.faulty, FAULTY),
        ] {
            if is {
                write!(f, " {word}")?;
            }
        }
        Ok(())
    }
}

impl FromStr for Lot {
    type Err = String;

    fn from_str(text: &str) -> Result<Lot, String> {
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
            lanes: number(1)?,
            seed: number(2)?,
            length: number(4)? as usize,
            kept: numbers(words.get(5).ok_or("too few words")?)?,
            alone: words[6..].contains(&ALONE),
            faulty: words[6..].contains(&FAULTY),
        };
        Ok(Lot {
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

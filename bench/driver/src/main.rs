//! The benchmark's one command. `cargo run --release -- run` builds every runner, measures and
//! writes `results/`; `help` lists the other commands.

mod allocators;
mod build;
mod calls;
mod cost;
mod counts;
mod machine;
mod measure;
mod memory;
mod plot;
mod profile;
mod programs;
mod results;
mod table;

use allocators::{Allocator, Comparison};
use profile::Profile;
use results::{Head, Ran, Results};
use serde::de::DeserializeOwned;
use serde::Serialize;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use workloads::programs::Program;
use workloads::resting::{self, Resting};
use workloads::{Group, Workload};

const HELP: &str = "\
run [--rounds N] [--allocators a,b] [--workloads a,b] [--target TRIPLE] [--out FOLDER]
    builds all runners, measures them interleaved, and writes results.json, results.md and plot.svg
    (N: 7; TRIPLE: this machine's; FOLDER: bench/results)
large [the same options]
    the workloads with large blocks
    (N: 7; FOLDER: bench/results/large)
idioms [the same options] [--profile a,b]
    common ways to use small blocks, in programs that are compiled in several ways
    (N: 7; all profiles; FOLDER: bench/results/idioms, with a folder for each profile)
memory [--rounds N] [--allocators a,b] [--programs a,b] [--out FOLDER]
    memory over time of programs that have worked and then are idle
    (N: 3; FOLDER: bench/results/memory)
programs [the same options as memory]
    time and memory of whole programs that use well-known crates
    (N: 5; FOLDER: bench/results/programs)
report RESULTS.json
    rewrites results.md and plot.svg (and RESULTS.json in the present format)
counts
    instructions of the hot paths of both major versions, by valgrind; fails on a regression from counts.json
    (without valgrind it prints `not run` and does not fail)
counts --update
    writes counts.json
counts --allocators a,b [--profile dev]
    prints the counts of other allocators, or with Cargo's `dev` profile
calls
    checks in the machine code that no call remains in the fast path, with bitcode LTO and without
    (without objdump or clang it prints `not run` and does not fail)
cost [--rounds N] [--allocators a,b]
    time and number of crates for a clean build and for one with nothing changed
    (N: 3)
list
    the names of allocators, profiles, workloads and programs
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["run", options @ ..] => run(Group::Usual, options),
        ["large", options @ ..] => run(Group::Large, options),
        ["idioms", options @ ..] => run(Group::Idioms, options),
        ["memory", options @ ..] => memory(options),
        ["programs", options @ ..] => whole_programs(options),
        ["report", path] => report(path),
        ["counts"] => match machine::missing(&["valgrind"]) {
            Some(reason) => not_run(reason),
            None => counts::check().map(|text| print!("{text}")),
        },
        ["counts", "--update"] => counts::update().map(|text| print!("{text}")),
        ["counts", "--allocators", ids] => compare_counts(ids, "release"),
        ["counts", "--allocators", ids, "--profile", "dev"] => compare_counts(ids, "dev"),
        ["calls"] => calls(),
        ["cost", options @ ..] => cost(options),
        ["list"] => {
            list();
            Ok(())
        }
        _ => Err(HELP.to_string()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}

fn cost(arguments: &[&str]) -> Result<(), String> {
    let mut rounds = 3;
    let mut crates = cost::crates();
    for pair in arguments.chunks(2) {
        match named_value(pair)? {
            ("--rounds", value) => rounds = number_of_rounds(value)?,
            ("--allocators", value) => crates = listed_allocators(value)?,
            (name, _) => return Err(format!("no option {name} of cost\n{HELP}")),
        }
    }
    let known: Vec<&str> = cost::crates().iter().map(|one| one.id).collect();
    if let Some(other) = crates.iter().find(|one| !known.contains(&one.id)) {
        return Err(format!(
            "{} is not a crate of its own (these are: {})",
            other.id,
            known.join(", ")
        ));
    }
    cost::cost(&crates, rounds).map(|text| print!("{text}"))
}

fn compare_counts(ids: &str, profile: &str) -> Result<(), String> {
    let ids: Vec<&str> = ids.split(',').collect();
    counts::compare(&ids, profile).map(|text| print!("{text}"))
}

fn calls() -> Result<(), String> {
    if let Some(reason) = machine::missing(&["objdump"]) {
        return not_run(reason);
    }
    if cfg!(target_arch = "x86_64") {
        print!("{}", calls::check(&calls::PLAIN)?);
    } else {
        not_run("v3: its fast path is inlined on x86_64 only".to_string())?;
    }
    match machine::clang() {
        Ok(_) => print!("{}", calls::check(&calls::BITCODE_LTO)?),
        Err(reason) => not_run(reason)?,
    }
    Ok(())
}

/// A check whose tool is missing has no result, neither good nor bad.
fn not_run(reason: String) -> Result<(), String> {
    println!("not run: {reason}");
    Ok(())
}

fn list() {
    for allocator in allocators::ALL {
        println!("allocator {}", allocator.id);
    }
    for profile in profile::ALL {
        println!("profile of idioms {}: {}", profile.id, profile.about);
    }
    for (group, command) in [
        (Group::Usual, "run"),
        (Group::Large, "large"),
        (Group::Idioms, "idioms"),
    ] {
        for workload in workloads::of(group) {
            println!(
                "workload of {command} {}: {}",
                workload.name, workload.about
            );
        }
    }
    for program in resting::ALL {
        println!("program of memory {}: {}", program.name, program.about);
    }
    for program in workloads::programs::ALL {
        println!("program of programs {}: {}", program.name, program.about);
    }
}

fn named_value<'a>(pair: &[&'a str]) -> Result<(&'a str, &'a str), String> {
    match *pair {
        [name, value] => Ok((name, value)),
        _ => Err(format!("{} has no value\n{HELP}", pair[0])),
    }
}

fn number_of_rounds(value: &str) -> Result<usize, String> {
    let rounds = value.parse().ok().filter(|&rounds| rounds > 0);
    rounds.ok_or("rounds: a number".to_string())
}

fn listed_allocators(value: &str) -> Result<Vec<&'static Allocator>, String> {
    let find = |id| allocators::find(id).ok_or(format!("no allocator {id}"));
    value.split(',').map(find).collect()
}

struct Options<Measured: 'static> {
    rounds: usize,
    allocators: Vec<&'static Allocator>,
    /// Workloads or programs.
    measured: Vec<&'static Measured>,
    /// Each is a run of its own. Empty if there is no choice.
    profiles: Vec<&'static Profile>,
    /// Of the programs, if it is not the machine's own.
    target: Option<String>,
    out: PathBuf,
}

impl<Measured> Options<Measured> {
    /// Reads `arguments` over these defaults. The option `which` names what is measured.
    fn read(
        mut self,
        arguments: &[&str],
        which: &str,
        name_of: fn(&Measured) -> &'static str,
    ) -> Result<Self, String> {
        for pair in arguments.chunks(2) {
            let (name, value) = named_value(pair)?;
            match name {
                "--rounds" => self.rounds = number_of_rounds(value)?,
                "--allocators" => self.allocators = listed_allocators(value)?,
                "--profile" if !self.profiles.is_empty() => {
                    self.profiles = value
                        .split(',')
                        .map(|id| profile::find(id).ok_or(format!("no profile {id}")))
                        .collect::<Result<_, _>>()?;
                }
                "--target" => self.target = Some(value.to_string()),
                "--out" => self.out = PathBuf::from(value),
                _ if name == which => {
                    let find = |name| {
                        let mut all = self.measured.iter().copied();
                        all.find(|one| name_of(one) == name).ok_or(format!(
                            "{which}: {name} is not among them (all: cargo run -- list)"
                        ))
                    };
                    self.measured = value.split(',').map(find).collect::<Result<_, _>>()?;
                }
                _ => return Err(format!("no option {name}\n{HELP}")),
            }
        }
        Ok(self)
    }
}

fn run(group: Group, arguments: &[&str]) -> Result<(), String> {
    let results = build::bench().join("results");
    let (comparison, out) = match group {
        Group::Usual => (Comparison::Run, results),
        Group::Large => (Comparison::Large, results.join("large")),
        Group::Idioms => (Comparison::Idioms, results.join("idioms")),
        Group::Programs => return whole_programs(arguments),
    };
    let profiles = match group {
        Group::Idioms => profile::ALL.iter().collect(),
        _ => Vec::new(),
    };
    let options = Options::<Workload> {
        rounds: 7,
        allocators: allocators::of(comparison),
        measured: workloads::of(group).collect(),
        profiles,
        target: None,
        out,
    };
    let options = options.read(arguments, "--workloads", |workload| workload.name)?;
    if options.profiles.is_empty() {
        let (programs, head) = built(&options, build::build_for);
        let rows = measure::measure(&programs, &options.measured, options.rounds)?;
        return write(&Results { head, rows }, &options.out);
    }
    for profile in &options.profiles {
        let (programs, mut head) = built(&options, |allocator, triple| {
            build::build_as(profile, allocator, triple)
        });
        let fact = format!("{}: {}", profile.id, profile.about);
        head.facts.push(("Cargo's profile".to_string(), fact));
        let rows = measure::measure(&programs, &options.measured, options.rounds)?;
        write(&Results { head, rows }, &options.out.join(profile.id))?;
    }
    Ok(())
}

fn memory(arguments: &[&str]) -> Result<(), String> {
    let options = Options::<Resting> {
        rounds: 3,
        allocators: allocators::of(Comparison::Memory),
        measured: resting::ALL.iter().collect(),
        profiles: Vec::new(),
        target: None,
        out: build::bench().join("results").join("memory"),
    };
    let options = options.read(arguments, "--programs", |program| program.name)?;
    let (programs, head) = built(&options, build::build_for);
    let rows = memory::measure(&programs, &options.measured, options.rounds)?;
    write(&memory::Results::new(head, rows), &options.out)
}

fn whole_programs(arguments: &[&str]) -> Result<(), String> {
    let options = Options::<Program> {
        rounds: 5,
        allocators: allocators::of(Comparison::Programs),
        measured: workloads::programs::ALL.iter().collect(),
        profiles: Vec::new(),
        target: None,
        out: build::bench().join("results").join("programs"),
    };
    let options = options.read(arguments, "--programs", |program| program.name)?;
    let (programs, head) = built(&options, build::build_with_programs);
    let rows = programs::measure(&programs, &options.measured, options.rounds)?;
    write(&Results { head, rows }, &options.out)
}

/// The programs of those allocators that can be built here, and what the report says about all of them.
fn built<Measured>(
    options: &Options<Measured>,
    build: impl Fn(&Allocator, Option<&str>) -> Result<PathBuf, String>,
) -> (Vec<(&'static Allocator, PathBuf)>, Head) {
    let mut programs = Vec::new();
    let mut not_run = Vec::new();
    let target = options.target.as_deref();
    for &allocator in &options.allocators {
        eprintln!("building {}", allocator.id);
        match build(allocator, target) {
            Ok(program) => programs.push((allocator, program)),
            Err(reason) => {
                eprintln!("not run: {}: {reason}", allocator.id);
                not_run.push((allocator.id.to_string(), reason));
            }
        }
    }
    let ran = programs.iter().map(|(allocator, _)| Ran {
        id: allocator.id.to_string(),
        title: allocator.title.to_string(),
        versions: machine::versions(allocator),
    });
    let mut facts = machine::facts();
    facts.extend(target.map(|triple| ("target".to_string(), triple.to_string())));
    let head = Head {
        facts,
        rounds: options.rounds,
        allocators: ran.collect(),
        not_run,
    };
    (programs, head)
}

/// What is written as JSON, and from that as tables and a picture.
trait Report: Serialize + DeserializeOwned {
    fn tables(&self) -> String;
    fn picture(&self) -> String;
}

impl Report for Results {
    fn tables(&self) -> String {
        table::report(self)
    }

    fn picture(&self) -> String {
        plot::svg(self)
    }
}

impl Report for memory::Results {
    fn tables(&self) -> String {
        memory::table::report(self)
    }

    fn picture(&self) -> String {
        memory::plot::svg(self)
    }
}

fn report(path: &str) -> Result<(), String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    let folder = Path::new(path).parent().unwrap_or(Path::new(""));
    // Only those of programs at rest have curves, and so a grid.
    let json: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| format!("{path}: {error}"))?;
    let done = if json.get("grid_ms").is_some() {
        serde_json::from_value(json).map(|results: memory::Results| write(&results, folder))
    } else {
        serde_json::from_value(json).map(|results: Results| write(&results, folder))
    };
    done.map_err(|error| format!("{path}: {error}"))?
}

fn write(results: &impl Report, folder: &Path) -> Result<(), String> {
    let tables = results.tables();
    let json = serde_json::to_string_pretty(results).map_err(|error| error.to_string())? + "\n";
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for (name, text) in [
        ("results.json", &json),
        ("results.md", &tables),
        ("plot.svg", &results.picture()),
    ] {
        let path = folder.join(name);
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    print!("{tables}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{allocators, profile, resting, Options};
    use std::path::PathBuf;
    use workloads::{programs, Threads, Workload};

    #[test]
    fn only_idioms_have_a_choice_of_profiles() {
        let read = |profiles, arguments: &[&str]| {
            let options = Options::<Workload> {
                rounds: 7,
                allocators: Vec::new(),
                measured: Vec::new(),
                profiles,
                target: None,
                out: PathBuf::new(),
            };
            let options = options.read(arguments, "--workloads", |workload| workload.name)?;
            Ok::<_, String>(options.profiles.iter().map(|one| one.id).collect())
        };
        let all = || profile::ALL.iter().collect();
        let chosen: Result<Vec<_>, _> = read(all(), &["--profile", "size,lto"]);
        assert_eq!(chosen, Ok(vec!["size", "lto"]));
        assert!(read(all(), &["--profile", "debug"]).is_err());
        assert!(read(Vec::new(), &["--profile", "size"]).is_err());
    }

    /// A figure whose workload or allocator nobody describes means little.
    #[test]
    fn the_readme_describes_everything_that_is_measured() {
        let readme = include_str!("../../README.md");
        let workloads = workloads::ALL.iter().map(|one| match one.threads {
            Threads::Scaling => format!("{}-N", one.name),
            _ => one.name.to_string(),
        });
        let others = resting::ALL.iter().map(|one| one.name);
        let others = others.chain(programs::ALL.iter().map(|one| one.name));
        let others = others.chain(allocators::ALL.iter().map(|one| one.id));
        let others = others.chain(profile::ALL.iter().map(|one| one.id));
        for name in workloads.chain(others.map(str::to_string)) {
            let is_described = readme
                .lines()
                .filter(|line| line.starts_with("| `"))
                .any(|line| {
                    let names = line.split('|').nth(1).unwrap_or("");
                    names.contains(&format!("`{name}`"))
                });
            assert!(is_described, "no table of bench/README.md has {name}");
        }
    }
}

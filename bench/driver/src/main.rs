//! The benchmark's one command. `cargo run --release -- run` builds every runner, measures and
//! writes `results/`; `help` tells the rest.

mod allocators;
mod build;
mod calls;
mod cost;
mod counts;
mod machine;
mod measure;
mod plot;
mod results;
mod table;

use allocators::Allocator;
use results::{Ran, Results};
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use workloads::Workload;

const HELP: &str = "\
run [--rounds N] [--allocators a,b] [--workloads a,b] [--out FOLDER]
    builds all runners, measures them interleaved, and writes results.json, results.md and plot.svg
    (N: 7; FOLDER: bench/results)
report RESULTS.json
    writes results.md and plot.svg again
counts
    instructions of the hot paths of both lines, by valgrind; fails if one is worse than counts.json
    (without valgrind it says so, and does not fail)
counts --update
    writes counts.json
counts --allocators a,b [--profile dev]
    prints those of other allocators, or of Cargo's other profile
calls
    checks in the programs' code that no call is left in the fast path, with bitcode LTO and without
    (without objdump or clang it says so, and does not fail)
cost
    time and number of crates of a clean build and of a build with nothing to do
list
    the names of allocators and workloads
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["run", options @ ..] => run(options),
        ["report", path] => report(path),
        ["counts"] => match machine::missing(&["valgrind"]) {
            Some(reason) => not_run(reason),
            None => counts::check().map(|text| print!("{text}")),
        },
        ["counts", "--update"] => counts::update().map(|text| print!("{text}")),
        ["counts", "--allocators", ids] => compare_counts(ids, "release"),
        ["counts", "--allocators", ids, "--profile", "dev"] => compare_counts(ids, "dev"),
        ["calls"] => calls(),
        ["cost"] => cost::cost().map(|text| print!("{text}")),
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
        not_run("v3: its fast path is in line on x86_64 only".to_string())?;
    }
    match machine::clang() {
        Ok(_) => print!("{}", calls::check(&calls::BITCODE_LTO)?),
        Err(reason) => not_run(reason)?,
    }
    Ok(())
}

/// A check whose tool is not on this machine has found nothing, neither good nor bad.
fn not_run(reason: String) -> Result<(), String> {
    println!("not run: {reason}");
    Ok(())
}

fn list() {
    for allocator in allocators::ALL {
        println!("allocator {}", allocator.id);
    }
    for workload in workloads::ALL {
        println!("workload {}: {}", workload.name, workload.about);
    }
}

struct Options {
    rounds: usize,
    allocators: Vec<&'static Allocator>,
    workloads: Vec<&'static Workload>,
    out: PathBuf,
}

fn options(arguments: &[&str]) -> Result<Options, String> {
    let mut options = Options {
        rounds: 7,
        allocators: allocators::ALL.iter().collect(),
        workloads: workloads::ALL.iter().collect(),
        out: build::bench().join("results"),
    };
    for pair in arguments.chunks(2) {
        let &[name, value] = pair else {
            return Err(format!("{} has no value\n{HELP}", pair[0]));
        };
        match name {
            "--rounds" => {
                options.rounds = value
                    .parse()
                    .ok()
                    .filter(|&rounds| rounds > 0)
                    .ok_or("rounds: a number")?;
            }
            "--allocators" => {
                options.allocators = value
                    .split(',')
                    .map(|id| allocators::find(id).ok_or(format!("no allocator {id}")))
                    .collect::<Result<_, _>>()?;
            }
            "--workloads" => {
                options.workloads = value
                    .split(',')
                    .map(|name| workloads::find(name).ok_or(format!("no workload {name}")))
                    .collect::<Result<_, _>>()?;
            }
            "--out" => options.out = PathBuf::from(value),
            _ => return Err(format!("no option {name}\n{HELP}")),
        }
    }
    Ok(options)
}

fn run(arguments: &[&str]) -> Result<(), String> {
    let options = options(arguments)?;
    let mut programs = Vec::new();
    let mut not_run = Vec::new();
    for allocator in options.allocators {
        eprintln!("building {}", allocator.id);
        match build::build(allocator, "release") {
            Ok(program) => programs.push((allocator, program)),
            Err(reason) => {
                eprintln!("not run: {}: {reason}", allocator.id);
                not_run.push((allocator.id.to_string(), reason));
            }
        }
    }
    let rows = measure::measure(&programs, &options.workloads, options.rounds)?;
    let ran = programs.iter().map(|(allocator, _)| Ran {
        id: allocator.id.to_string(),
        title: allocator.title.to_string(),
        versions: machine::versions(allocator),
    });
    let results = Results {
        facts: machine::facts(),
        rounds: options.rounds,
        allocators: ran.collect(),
        not_run,
        rows,
    };
    write(&results, &options.out)
}

fn report(path: &str) -> Result<(), String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    let results: Results =
        serde_json::from_str(&text).map_err(|error| format!("{path}: {error}"))?;
    let folder = PathBuf::from(path)
        .parent()
        .map(PathBuf::from)
        .unwrap_or_default();
    write(&results, &folder)
}

fn write(results: &Results, folder: &PathBuf) -> Result<(), String> {
    let report = table::report(results);
    let json = serde_json::to_string_pretty(results).map_err(|error| error.to_string())? + "\n";
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for (name, text) in [
        ("results.json", &json),
        ("results.md", &report),
        ("plot.svg", &plot::svg(results)),
    ] {
        let path = folder.join(name);
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    print!("{report}");
    Ok(())
}

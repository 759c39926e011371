//! Runs upstream's programs in the mode that this was built for, and prints one line for each:
//! `PROGRAM <tab> passed …`, `left out: why`, `known: what` (a fault of upstream's own) or `FAILED`. Of
//! what failed, standard error has the end of the output.

#[allow(dead_code)]
mod programs;

use programs::{Program, GUARDED, OVERRIDE, PROGRAMS, V2};
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, ExitCode, ExitStatus};
use std::thread::sleep;
use std::time::{Duration, Instant};

fn main() -> ExitCode {
    let mut failed = false;
    for program in &PROGRAMS {
        let result = match programs::left_out(program, option_env!("TSAN").is_some()) {
            Some(reason) => rightly_left_out(program).map(|()| format!("left out: {reason}")),
            None => run(program),
        };
        match result {
            Ok(cell) => println!("{}\t{cell}", program.name),
            Err(reason) => {
                failed = true;
                println!("{}\tFAILED", program.name);
                eprintln!("{}: {reason}", program.name);
            }
        }
    }
    ExitCode::from(u8::from(failed))
}

/// A name that v2 lacks must really be absent: a later release may bring it.
fn rightly_left_out(program: &Program) -> Result<(), String> {
    if let (true, programs::OnV2::Lacks(name)) = (V2, &program.on_v2) {
        let include = Path::new(env!("INCLUDE"));
        for folder in [include.to_path_buf(), include.with_file_name("src")] {
            if mentions(&folder, name).map_err(|error| error.to_string())? {
                return Err(format!("v2 does have {name}: run the program"));
            }
        }
    }
    Ok(())
}

fn mentions(folder: &Path, name: &str) -> std::io::Result<bool> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let found = if path.is_dir() {
            mentions(&path, name)?
        } else {
            // Some of upstream's files are not in UTF-8.
            let bytes = fs::read(&path)?;
            bytes
                .windows(name.len())
                .any(|part| part == name.as_bytes())
        };
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The settings of upstream's tests in upstream's build.
fn environment(program: &Program) -> &'static [(&'static str, &'static str)] {
    let profiles = ["profile", "pprof", "stress-pprof"].contains(&program.name);
    match program.name {
        "stress-static" => &[("MIMALLOC_VERBOSE", "1"), ("MIMALLOC_SHOW_STATS", "1")],
        _ if GUARDED && !profiles => &[("MIMALLOC_GUARDED_SAMPLE_RATE", "1024")],
        "stress-heaps" => &[
            ("MIMALLOC_ARENA_EAGER_COMMIT", "0"),
            ("MIMALLOC_PAGE_COMMIT_ON_DEMAND", "0"),
        ],
        _ => &[],
    }
}

/// Upstream's full load, which takes minutes.
const FULL: bool = cfg!(feature = "full");

/// Threads, load and rounds of a release build. (Upstream's build also defines `MI_GUARDED` as 0, which
/// its stress test treats as guard pages, and then uses 8, 25 and 10.)
const FULL_STRESS: [&str; 3] = ["32", "50", "50"];

fn run(program: &Program) -> Result<String, String> {
    let programs = Path::new(env!("PROGRAMS"));
    let folder = programs.join(format!("{}.run", program.name));
    let profile = folder.join("profile"); // where the profiling tests write
    fs::create_dir_all(profile).map_err(|error| error.to_string())?;
    let log = folder.join("log");
    let output = File::create(&log).map_err(|error| error.to_string())?;

    let mut command = Command::new(programs.join(program.name));
    for (name, _) in std::env::vars_os() {
        if name
            .to_string_lossy()
            .to_uppercase()
            .starts_with("MIMALLOC_")
        {
            command.env_remove(name);
        }
    }
    if FULL && program.name.starts_with("stress") {
        command.args(FULL_STRESS);
    }
    command
        .current_dir(&folder)
        .envs(environment(program).iter().copied())
        .stderr(output.try_clone().map_err(|error| error.to_string())?)
        .stdout(output);
    let limit = Duration::from_secs(if FULL { 3600 } else { 600 });
    let status = wait(&mut command, limit)?;
    let text = String::from_utf8_lossy(&fs::read(&log).unwrap_or_default()).into_owned();
    judge(program, status, &text).map_err(|reason| format!("{reason}\n{}", last_lines(&text)))
}

fn wait(command: &mut Command, limit: Duration) -> Result<ExitStatus, String> {
    let start = Instant::now();
    let mut child = command
        .spawn()
        .map_err(|error| format!("{command:?}: {error}"))?;
    loop {
        if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
            return Ok(status);
        }
        if start.elapsed() > limit {
            let _ = child.kill();
            let _ = child.wait();
            return Err(format!("still running after {} s", limit.as_secs()));
        }
        sleep(Duration::from_millis(20));
    }
}

/// A program that counts its checks must have counted some; one with a known fault must have that fault.
fn judge(program: &Program, status: ExitStatus, text: &str) -> Result<String, String> {
    if let Some(known) = programs::known(program) {
        let missing = known.output.iter().find(|part| !text.contains(**part));
        return match missing {
            None if !status.success() => Ok(format!("known: {}", known.reason)),
            _ => Err(format!("{status}, without the known fault: {missing:?}")),
        };
    }
    if !status.success() {
        return Err(status.to_string());
    }
    let count = |label: &str| -> Option<u32> {
        let line = text
            .lines()
            .rev()
            .find_map(|line| line.strip_prefix(label))?;
        line.trim_start_matches([' ', ':']).parse().ok()
    };
    if program.name.starts_with("stress") || program.name == "fork" {
        if program.name == "stress-static" && OVERRIDE && !text.contains("mimalloc: ") {
            return Err("mimalloc says nothing, so malloc was not overridden".to_string());
        }
        return Ok("passed".to_string());
    }
    match (count("succeeded"), count("failed")) {
        (Some(succeeded), Some(0)) if succeeded > 0 => Ok(format!("passed {succeeded}")),
        other => Err(format!("no good count of its checks: {other:?}")),
    }
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}

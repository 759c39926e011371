//! The machine and its tools, without which a figure means nothing.

use crate::allocators::Allocator;
use crate::build;
use std::fs;
use std::process::Command;

/// Name and value, for the header of the report.
pub fn facts() -> Vec<(String, String)> {
    let fact = |name: &str, value: Option<String>| {
        (
            name.to_string(),
            value.unwrap_or_else(|| "unknown".to_string()),
        )
    };
    vec![
        fact("processor", processor()),
        fact("processors used", Some(processors().to_string())),
        fact("memory", meminfo("MemTotal:")),
        fact("system", output("uname", &["-srm"])),
        fact(
            "transparent huge pages",
            first_line("/sys/kernel/mm/transparent_hugepage/enabled"),
        ),
        fact("rustc", output("rustc", &["--version"])),
        fact("C compiler", output("cc", &["--version"])),
        fact(
            "C compiler of bitcode LTO",
            clang()
                .ok()
                .and_then(|clang| output(&clang, &["--version"])),
        ),
        fact("date", output("date", &["-u", "+%Y-%m-%d"])),
    ]
}

pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, |count| count.get())
}

/// A message about the first of these programs that is missing.
pub fn missing(programs: &[&str]) -> Option<String> {
    let program = programs
        .iter()
        .find(|program| output(program, &["--version"]).is_none())?;
    Some(format!("{program} could not be started"))
}

/// The target of this machine's compiler.
pub fn host() -> Result<String, String> {
    rustc("host: ")
}

/// The newest installed clang whose bitcode rustc's LLVM can read: an LLVM reads its own and older releases'.
pub fn clang() -> Result<String, String> {
    let llvm = rustc("LLVM version: ")?;
    let newest: u32 = llvm
        .split('.')
        .next()
        .and_then(|major| major.parse().ok())
        .ok_or_else(|| format!("no number in rustc's LLVM version {llvm}"))?;
    (14..=newest)
        .rev()
        .map(|major| format!("clang-{major}"))
        .find(|clang| output(clang, &["--version"]).is_some())
        .ok_or_else(|| format!("no clang-14 to clang-{newest} on this machine"))
}

/// Names and versions of an allocator's packages, from its runner's `Cargo.lock`.
pub fn versions(allocator: &Allocator) -> String {
    let lock =
        fs::read_to_string(build::runner_folder(allocator).join("Cargo.lock")).unwrap_or_default();
    let version = |name: &str| -> Option<String> {
        let entry = lock.split(&format!("name = \"{name}\"\n")).nth(1)?;
        Some(
            entry
                .strip_prefix("version = \"")?
                .split('"')
                .next()?
                .to_string(),
        )
    };
    allocator
        .packages
        .iter()
        .filter_map(|name| Some(format!("{name} {}", version(name)?)))
        .collect::<Vec<_>>()
        .join(", ")
}

fn rustc(key: &str) -> Result<String, String> {
    let output = Command::new("rustc")
        .arg("-vV")
        .output()
        .map_err(|error| format!("rustc could not be started: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines()
        .find_map(|line| line.strip_prefix(key))
        .map(str::to_string)
        .ok_or_else(|| format!("rustc -vV does not say {key}"))
}

fn processor() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split(':').nth(1)?.trim().to_string())
}

fn meminfo(key: &str) -> Option<String> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|line| line.starts_with(key))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(format!("{:.0} GiB", kib / f64::from(1 << 20)))
}

fn first_line(path: &str) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.lines().next()?.to_string())
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    if !output.status.success() {
        return None;
    }
    Some(
        String::from_utf8_lossy(&output.stdout)
            .lines()
            .next()?
            .to_string(),
    )
}

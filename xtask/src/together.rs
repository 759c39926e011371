//! Several checks, two at a time: most of them use one processor for much of their time.
//!
//! Two that build in the same folder do not run at the same time. The output of each is printed in one piece when it has
//! ended. A failure ends all, and so does a check that does not end.

use crate::checks;
use crate::session::Session;
use crate::step::{root, Step};
use std::env;
use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Separates checks in a command.
pub const AND: &str = "+";

const AT_A_TIME: usize = 2;

/// Three times what the longest check takes. What takes longer hangs.
const LIMIT: Duration = Duration::from_secs(30 * 60);

/// A check with its arguments.
#[derive(Debug)]
struct Call {
    words: Vec<String>,
    /// Where Cargo builds, if it does.
    folder: Option<PathBuf>,
}

struct Running {
    name: String,
    folder: Option<PathBuf>,
    start: Instant,
    output: PathBuf,
    session: Session,
}

/// Runs the checks that [`AND`] separates, the first ones first. An error names the one that failed.
pub fn run(words: &[String]) -> Result<(), String> {
    let mut waiting = calls(words)?;
    let mut running = Vec::new();
    let start = Instant::now();
    loop {
        while let Some(index) = next(&waiting, &folders(&running)) {
            let started = Running::start(waiting.remove(index))?;
            println!("==> [{}] {} starts", time(start), started.name);
            running.push(started);
        }
        if running.is_empty() {
            return Ok(());
        }
        let (ended, status) = first_to_end(&mut running, LIMIT)?;
        let name = &ended.name;
        println!(
            "\n==> [{}] {name}, after {}",
            time(start),
            time(ended.start)
        );
        ended.print()?;
        let failure = match status {
            Some(status) if status.success() => continue,
            Some(status) => format!("`{name}` failed: {status}"),
            None => {
                let minutes = LIMIT.as_secs() / 60;
                format!(
                    "`{name}` did not end within {minutes} minutes:\n{}",
                    ended.session.processes()
                )
            }
        };
        let others = running
            .iter()
            .map(|other| format!("\n`{}` was stopped.", other.name));
        return Err(failure + &others.collect::<String>());
    }
}

/// The first one that ends, with its status, or that reaches the limit.
fn first_to_end(
    running: &mut Vec<Running>,
    limit: Duration,
) -> Result<(Running, Option<ExitStatus>), String> {
    loop {
        for index in 0..running.len() {
            let status = running[index].session.try_wait();
            let status = status.map_err(|error| error.to_string())?;
            if status.is_some() || running[index].start.elapsed() > limit {
                return Ok((running.remove(index), status));
            }
        }
        sleep(Duration::from_millis(50));
    }
}

impl Running {
    fn start(call: Call) -> Result<Running, String> {
        let name = format!("cargo xtask {}", call.words.join(" "));
        let folder = root().join("target/xtask");
        let output = folder.join(call.words.join("-").replace('/', "-") + ".log");
        let start = || {
            fs::create_dir_all(&folder)?;
            let file = File::create(&output)?;
            let mut command = Session::command(&env::current_exe()?.to_string_lossy());
            command.args(&call.words).stdout(file.try_clone()?);
            Session::start(command.stderr(file))
        };
        let session = start().map_err(|error| format!("`{name}` does not start: {error}"))?;
        Ok(Running {
            name,
            folder: call.folder,
            start: Instant::now(),
            output,
            session,
        })
    }

    fn print(&self) -> Result<(), String> {
        let print = || io::copy(&mut File::open(&self.output)?, &mut io::stdout().lock());
        let failed = |error| format!("{}: {error}", self.output.display());
        print().map(|_| ()).map_err(failed)
    }
}

fn calls(words: &[String]) -> Result<Vec<Call>, String> {
    let calls = words.split(|word| word == AND);
    calls
        .map(|words| {
            let (name, arguments) = words
                .split_first()
                .ok_or_else(|| format!("Name a check before and after each `{AND}`."))?;
            let steps = checks::named(name)?.steps(arguments)?;
            Ok(Call {
                words: words.to_vec(),
                folder: steps.iter().find_map(Step::builds_in).cloned(),
            })
        })
        .collect()
}

fn folders(running: &[Running]) -> Vec<&Option<PathBuf>> {
    running.iter().map(|other| &other.folder).collect()
}

/// The first call that may run beside those that build in these folders.
fn next(waiting: &[Call], running: &[&Option<PathBuf>]) -> Option<usize> {
    let is_free = |call: &Call| call.folder.is_none() || !running.contains(&&call.folder);
    let all = if running.len() < AT_A_TIME {
        waiting
    } else {
        &[]
    };
    all.iter().position(is_free)
}

fn time(start: Instant) -> String {
    let seconds = start.elapsed().as_secs();
    format!("{}m{:02}s", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_ends_or_reaches_the_limit() {
        let running = |seconds: &str| Running {
            name: format!("sleep {seconds}"),
            folder: None,
            start: Instant::now(),
            output: PathBuf::new(),
            session: Session::start(Session::command("sleep").arg(seconds)).unwrap(),
        };
        let mut both = vec![running("600"), running("0")];
        let (first, status) = first_to_end(&mut both, Duration::from_secs(60)).unwrap();
        assert_eq!(first.name, "sleep 0");
        assert!(status.unwrap().success());
        let (second, status) = first_to_end(&mut both, Duration::from_millis(10)).unwrap();
        assert!(status.is_none());
        let processes = second.session.processes();
        assert!(processes.contains("sleep 600"), "{processes}");
    }

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_string).collect()
    }

    #[test]
    fn checks_that_build_in_one_folder_run_one_after_the_other() {
        let text = "lint + test + soak 9 + upstream + bench counts + bench calls";
        let calls = calls(&words(text)).unwrap();
        assert_eq!(calls[2].words, ["soak", "9"]);
        let after = |running: &[usize], waiting: usize| {
            let folders: Vec<_> = running.iter().map(|index| &calls[*index].folder).collect();
            next(&calls[waiting..], &folders).map(|index| waiting + index)
        };
        assert_eq!(after(&[], 0), Some(0));
        assert_eq!(after(&[0], 1), Some(2));
        assert_eq!(after(&[2], 3), Some(3));
        assert_eq!(after(&[0], 4), Some(4));
        assert_eq!(after(&[4], 5), None);
        assert_eq!(after(&[0, 2], 3), None);
        assert_eq!(after(&[], 6), None);
    }

    #[test]
    fn each_part_names_a_check() {
        let wrong = [
            ("shell + v4", "`v4`"),
            ("shell +", "`+`"),
            ("lint now + shell", "`now`"),
        ];
        for (text, part) in wrong {
            let reason = calls(&words(text)).unwrap_err();
            assert!(reason.contains(part), "{reason}");
        }
    }
}

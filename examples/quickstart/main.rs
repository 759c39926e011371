//! Counts words in several threads with mimalloc as the global allocator, and then prints the
//! allocator's statistics.
//!
//!     cargo run --release --example quickstart [PATH...]
//!
//! The two lines below are all that a program needs. The rest uses `HashMap`, `String`, `Vec` and
//! threads as any program does; only `report.rs` and `peak.rs` call mimalloc.

mod arguments;
#[path = "../support/peak.rs"]
mod peak;
mod progress;
mod report;
mod texts;
mod words;

#[global_allocator]
static GLOBAL: mi_malloc_sys::MiMalloc = mi_malloc_sys::MiMalloc;

use std::io::{self, Write};
use std::process::ExitCode;
use std::thread;
use std::time::Instant;

fn main() -> ExitCode {
    let answer = match arguments::parse(std::env::args_os().skip(1)) {
        Ok(arguments::Wish::Help) => Ok(arguments::HELP.to_string()),
        Ok(arguments::Wish::Count(paths)) => count(&paths),
        Err(reason) => {
            eprintln!("quickstart: {}\n\n{}", reason, arguments::HELP);
            return ExitCode::from(2);
        }
    };
    match answer.and_then(|text| print(&text)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("quickstart: {}", reason);
            ExitCode::FAILURE
        }
    }
}

/// The whole job: the report on the texts under `paths`.
fn count(paths: &[std::path::PathBuf]) -> Result<String, String> {
    let start = Instant::now();
    let files = texts::find(paths)?;
    let mut progress = progress::Progress::new(files.iter().map(|file| file.size).sum());
    let mut kinds = texts::Kinds::default();

    // At least two, so that on any machine some blocks are freed by another thread than their own.
    let threads = thread::available_parallelism().map_or(2, |cores| cores.get().max(2));
    let counter = words::Counter::new(threads);
    for file in &files {
        if let Some(text) = texts::read(file, &mut kinds)? {
            counter.add(&text);
        }
        progress.advance(file.size);
    }
    let counts = counter.finish();
    drop(progress);

    if counts.is_empty() {
        return Err(format!(
            "there is no text in {}: {}",
            texts::list(paths),
            kinds
        ));
    }
    let words = words::ranked(counts);
    Ok(format!(
        "{}\n{}\n{}\n{}\n{}",
        report::summary(&words, &kinds, threads, start.elapsed()),
        report::top(&words, 10),
        report::residence(&words)?,
        report::statistics()?,
        report::process()
    ))
}

/// The reader of the output may stop early, as `head` does; that is no failure.
fn print(text: &str) -> Result<(), String> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(format!("the report cannot be written: {}", error))
        }
        _ => Ok(()),
    }
}

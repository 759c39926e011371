//! The one way to every check of this repository: `cargo xtask` lists them, `cargo xtask NAME` runs one.

mod checks;
mod modes;
mod step;

use checks::{Check, CHECKS};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((name, rest)) = arguments.split_first() else {
        print!("{}", list());
        return ExitCode::SUCCESS;
    };
    match run(name, rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}

fn run(name: &str, arguments: &[String]) -> Result<(), String> {
    let check = checks::find(name)
        .ok_or_else(|| format!("There is no check `{name}`. The checks are:\n\n{}", list()))?;
    for step in check.steps(arguments)? {
        step.run()?;
    }
    Ok(())
}

fn list() -> String {
    let line = |check: &Check| format!("{:<14}{}\n", check.name, check.shows);
    let mut text = String::from("cargo xtask CHECK [ARGUMENT..]\n\n");
    text.extend(CHECKS.iter().map(line));
    text + "\nCONTRIBUTING.md lists what each needs.\n"
}

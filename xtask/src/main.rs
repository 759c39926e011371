//! The one way to every check of this repository: `cargo xtask` lists them, `cargo xtask NAME` runs one,
//! `cargo xtask NAME + NAME` several.

mod checks;
mod modes;
mod session;
mod step;
mod together;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((name, rest)) = arguments.split_first() else {
        print!("{}", checks::list());
        return ExitCode::SUCCESS;
    };
    let result = if arguments.iter().any(|word| word == together::AND) {
        together::run(&arguments)
    } else {
        run(name, rest)
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}

fn run(name: &str, arguments: &[String]) -> Result<(), String> {
    for step in checks::named(name)?.steps(arguments)? {
        step.run()?;
    }
    Ok(())
}

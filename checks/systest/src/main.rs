//! Checks the major version that this program was built for. `run` checks both.
//!
//! `--write-api` writes the snapshot of the public surface instead.
//! With `--strict`, a check that cannot run is a failure.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use systest::exceptions::EXCEPTIONS;
use systest::{Subject, cfgs_of, check, crate_root, headers, snapshot};

// Links the crate: bindings that cannot be linked need not be compared.
use mi_malloc_sys as _;

const MAJOR: &str = env!("SYSTEST_MAJOR");

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    match run(has("--write-api"), has("--strict")) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(reason) => {
            eprintln!("{MAJOR}: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn run(write_api: bool, strict: bool) -> Result<bool, String> {
    if write_api {
        let api = snapshot::of_crate(MAJOR)?;
        let file = snapshot::file(MAJOR);
        std::fs::write(&file, &api).map_err(|error| format!("{}: {error}", file.display()))?;
        println!(
            "{MAJOR}: wrote {} lines to checks/api/{MAJOR}.txt",
            api.lines().count()
        );
        return Ok(true);
    }
    let report = check(&subject()?)?;
    println!("{report}\n");
    Ok(report.faults().count() == 0 && (!strict || report.checks_not_run() == 0))
}

/// The crate as it was built for this program, against the headers of the C that was built.
fn subject() -> Result<Subject, String> {
    let include = PathBuf::from(env!("SYSTEST_INCLUDE"));
    let archive = Path::new(env!("SYSTEST_ROOT")).join("libmimalloc.a");
    // target/debug/systest: next to what is compiled for the tests.
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let target = program
        .ancestors()
        .nth(2)
        .ok_or("this program is in no target folder")?;
    Ok(Subject {
        name: MAJOR.into(),
        version: concat!("mimalloc ", env!("SYSTEST_VERSION")).into(),
        crate_root: crate_root(),
        cfgs: cfgs_of(MAJOR),
        headers: headers(&include)?,
        include,
        archive: archive.exists().then_some(archive),
        exceptions: EXCEPTIONS
            .iter()
            .filter(|e| e.majors.contains(&MAJOR))
            .collect(),
        scratch: target.join("tmp").join(MAJOR),
    })
}

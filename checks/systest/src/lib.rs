//! Checks bindings against the headers that they bind. See the README of this package.

pub mod abi;
pub mod c_api;
pub mod c_compiler;
pub mod c_types;
pub mod compare;
pub mod dependency;
pub mod exceptions;
pub mod fault;
pub mod macros;
pub mod numbers;
pub mod object;
pub mod question;
pub mod report;
pub mod run;
pub mod rust_api;
pub mod rust_compiler;
pub mod snapshot;
pub mod source;
pub mod text;

use crate::abi::{ABIS, Abi};
use crate::dependency::Dependency;
use crate::exceptions::{Exception, UNREAD_HEADERS};
use crate::question::Question;
use crate::report::{Place, Report};
use crate::rust_compiler::RustCompiler;
use crate::source::{Cfg, Surface};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is checked: a crate against headers.
pub struct Subject {
    /// For messages, and the major version for which exceptions are chosen.
    pub name: String,
    /// The version of what is bound, for messages.
    pub version: String,
    /// The crate's root module.
    pub crate_root: PathBuf,
    /// What its build script passes as `--cfg`, such as `mi_v3`.
    pub cfgs: Vec<String>,
    pub include: PathBuf,
    pub headers: Vec<String>,
    /// The built library, for its symbols.
    pub archive: Option<PathBuf>,
    pub exceptions: Vec<&'static Exception>,
    /// A folder for temporary files.
    pub scratch: PathBuf,
}

/// The root module of the crate that this package is for.
pub fn crate_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../src/lib.rs")
}

/// What that crate's build script passes as `--cfg` for a major version of upstream, without code of its own for
/// `MiMalloc`.
pub fn cfgs_of(major: &str) -> Vec<String> {
    vec![
        format!("mi_{major}"),
        "mi_fast_path=\"upstream\"".to_string(),
    ]
}

/// The public surface of a crate, for the compiler of this machine.
pub fn surface(crate_root: &Path, cfgs: &[String]) -> Result<Surface, String> {
    let printed = run::output(Command::new("rustc").args(["--print", "cfg"]))?;
    let cfg = Cfg::parse(printed.lines().chain(cfgs.iter().map(String::as_str)));
    Ok(source::read(crate_root, &cfg))
}

/// The headers of a folder that are to be read.
pub fn headers(include: &Path) -> Result<Vec<String>, String> {
    let entries = std::fs::read_dir(include)
        .map_err(|error| format!("no headers in {}: {error}", include.display()))?;
    let names = entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned());
    let unread = |name: &String| UNREAD_HEADERS.iter().any(|(unread, _)| unread == name);
    let mut names: Vec<String> = names
        .filter(|name| name.starts_with("mimalloc") && name.ends_with(".h") && !unread(name))
        .collect();
    names.sort();
    Ok(names)
}

/// Runs every check.
pub fn check(subject: &Subject) -> Result<Report, String> {
    run::create_folder(&subject.scratch)?;
    let header = c_api::c_api(&subject.include, &subject.headers)?;
    let surface = surface(&subject.crate_root, &subject.cfgs)?;
    let binding = rust_api::rust_api(&surface);
    let mut report = Report::new(subject);
    let symbols = match &subject.archive {
        Some(archive) => Some(object::symbols(archive)?),
        None => {
            report.not_run("symbols of the library", "there is no archive");
            None
        }
    };
    let comparison = compare::compare(&header, &binding, &subject.exceptions, symbols.as_ref());
    report.comparison(&comparison);
    let dependencies = Dependency::all()?;
    for abi in ABIS {
        check_abi(
            subject,
            abi,
            &comparison.questions,
            &dependencies,
            &mut report,
        )?;
    }
    Ok(report)
}

/// Queries the compilers for one ABI, and records where their answers differ.
fn check_abi(
    subject: &Subject,
    abi: &Abi,
    questions: &[Question],
    dependencies: &[Dependency],
    report: &mut Report,
) -> Result<(), String> {
    let Subject {
        include,
        headers,
        scratch,
        ..
    } = subject;
    let rust = match RustCompiler::find(abi.target, scratch, &scratch.with_file_name("core")) {
        Ok(rust) => rust,
        Err(reason) => {
            report.not_run(abi.target, &reason);
            return Ok(());
        }
    };
    for Dependency {
        name,
        root,
        edition,
    } in dependencies
    {
        rust.metadata(name, edition, root, &[], &[])?;
    }
    let externs: Vec<&str> = dependencies.iter().map(|d| d.name.as_str()).collect();
    rust.metadata(
        "subject",
        "2021",
        &subject.crate_root,
        &externs,
        &subject.cfgs,
    )?;
    let rust_answers = numbers::ask_rust(questions, &rust, &externs)?;
    for family in abi.c_compilers {
        let place = Place {
            target: abi.target,
            compiler: family.name,
        };
        let compiler = match family.find(scratch) {
            Ok(compiler) => compiler,
            Err(reason) => {
                report.not_run(&place.to_string(), &reason);
                continue;
            }
        };
        let c_answers = numbers::ask_c(questions, &compiler, include, headers, scratch)?;
        let answers = c_answers.into_iter().zip(&rust_answers);
        let faults = questions
            .iter()
            .zip(answers)
            .filter_map(|(q, (c, rust))| q.judge(c, *rust));
        report.compiled(
            place,
            questions,
            faults.collect(),
            &compiler.version(),
            &rust.version,
        );
    }
    Ok(())
}

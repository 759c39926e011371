//! One command of a check.

use crate::session::Session;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Starts the command beside another one two seconds later, with low priority. Cargo locks its folder while it compiles:
/// the other one must get the lock first, and needs it briefly if all is compiled.
const IN_BACKGROUND: &str = r#"sleep 2 && exec nice -n 19 "$@""#;

/// A program with its arguments, variables and folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    program: String,
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
    folder: PathBuf,
    needs: Option<String>,
    beside: Option<Box<Step>>,
}

/// The repository.
pub fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask
        .parent()
        .expect("xtask is in the repository")
        .to_path_buf()
}

impl Step {
    /// A program that runs in the root of the repository; a path with a slash is one of its scripts.
    pub fn new(program: &str) -> Step {
        Step {
            program: program.to_string(),
            arguments: Vec::new(),
            variables: Vec::new(),
            folder: root(),
            needs: None,
            beside: None,
        }
    }

    /// `cargo` with these words.
    pub fn cargo(words: &str) -> Step {
        Step::new("cargo").words(words)
    }

    /// Adds arguments, separated by spaces.
    pub fn words(mut self, words: &str) -> Step {
        self.arguments
            .extend(words.split_whitespace().map(str::to_string));
        self
    }

    /// Adds arguments as they are.
    pub fn arguments(mut self, arguments: &[String]) -> Step {
        self.arguments.extend_from_slice(arguments);
        self
    }

    /// Sets a variable.
    pub fn variable(mut self, name: &str, value: &str) -> Step {
        self.variables.push((name.to_string(), value.to_string()));
        self
    }

    /// Skips the command, with a message, where this program does not start.
    pub fn needs(mut self, program: &str) -> Step {
        self.needs = Some(program.to_string());
        self
    }

    /// Runs it in a folder of the repository.
    pub fn within(mut self, folder: &str) -> Step {
        self.folder = root().join(folder);
        self
    }

    /// Runs another command at the same time, with low priority and without its output. The other does work in advance,
    /// for a step that runs later and reports its failure, so it may fail here.
    pub fn beside(mut self, other: Option<Step>) -> Step {
        self.beside = other.map(Box::new);
        self
    }

    /// The compilation that a `cargo test` starts with, if it may run beside another step. It must not replace the
    /// programs of that step: Cargo's names for them depend on features and profile, not on the variables that the C is
    /// compiled with.
    pub fn compilation_beside(&self, other: &Step) -> Option<Step> {
        let is_test =
            self.program == "cargo" && self.arguments.first().is_some_and(|a| a == "test");
        let is_doc = self.arguments.iter().any(|argument| argument == "--doc");
        let replaces = self.build() == other.build() && self.for_the_c() != other.for_the_c();
        if !is_test || is_doc || replaces {
            return None;
        }
        let mut step = self.clone();
        let end = step.arguments.iter().position(|argument| argument == "--");
        step.arguments.truncate(end.unwrap_or(usize::MAX));
        Some(step.words("--no-run"))
    }

    /// Features and profile.
    fn build(&self) -> (Option<&String>, bool) {
        let mut words = self.arguments.iter();
        let is_release = words.clone().any(|word| word == "--release");
        words.find(|word| *word == "--features");
        (words.next(), is_release)
    }

    fn for_the_c(&self) -> Vec<&(String, String)> {
        let is_for_the_c = |name: &str| name == "CFLAGS" || name == "MIMALLOC_SYS_DEFINES";
        let variables = self.variables.iter();
        variables.filter(|(name, _)| is_for_the_c(name)).collect()
    }

    /// The folder in which this is a command of Cargo, if it is one: Cargo locks its target folder while it builds.
    pub fn builds_in(&self) -> Option<&PathBuf> {
        (self.program == "cargo").then_some(&self.folder)
    }

    /// Prints the command and runs it. An error names the command that failed; then what runs beside it ends too.
    pub fn run(&self) -> Result<(), String> {
        let beside = self.beside.as_ref().map(|step| step.in_background());
        self.run_alone()?;
        // What fails here fails again in the later step, which reports it. It does nothing where it does not start.
        if let Some(Ok(mut session)) = beside {
            let _ = session.wait();
        }
        Ok(())
    }

    fn in_background(&self) -> std::io::Result<Session> {
        let mut command = Session::command("sh");
        command
            .args(["-c", IN_BACKGROUND, "sh", &self.program])
            .args(&self.arguments)
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Session::start(&mut command)
    }

    fn run_alone(&self) -> Result<(), String> {
        if let Some(program) = self.needs.as_deref().filter(|program| !starts(program)) {
            println!("not run: {program} does not start: {self}");
            return Ok(());
        }
        println!("--> {self}");
        let program = if self.program.contains('/') {
            self.folder.join(&self.program)
        } else {
            PathBuf::from(&self.program)
        };
        let status = Command::new(program)
            .args(&self.arguments)
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.folder)
            .status()
            .map_err(|error| format!("`{self}` does not start: {error}"))?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("`{self}` failed: {status}"))
        }
    }
}

/// As it would be typed in the repository.
impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        for (name, value) in &self.variables {
            write!(f, "{name}={} ", quoted(value))?;
        }
        write!(f, "{}", self.program)?;
        self.arguments
            .iter()
            .try_for_each(|argument| write!(f, " {}", quoted(argument)))
    }
}

fn starts(program: &str) -> bool {
    let mut command = Command::new(program);
    command
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok()
}

fn quoted(word: &str) -> String {
    if word.is_empty() || word.contains(|c: char| c.is_whitespace() || "\"';$".contains(c)) {
        format!("'{}'", word.replace('\'', r"'\''"))
    } else {
        word.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    #[test]
    fn a_step_reads_as_it_is_typed() {
        let step = Step::cargo("test --release")
            .variable("CFLAGS", "-O2 -g")
            .arguments(&["large slices".to_string()]);
        assert_eq!(
            step.to_string(),
            "CFLAGS='-O2 -g' cargo test --release 'large slices'"
        );
    }

    #[test]
    fn the_compilation_of_a_test() {
        let other = Step::cargo("test --release");
        let beside = |step: &Step, other: &Step| {
            let compilation = step.compilation_beside(other);
            compilation.map(|step| step.to_string())
        };
        let step = Step::cargo("test --features v2 --test host -- a:: b::").variable("A", "1");
        let compilation = "A=1 cargo test --features v2 --test host --no-run";
        assert_eq!(beside(&step, &other), Some(compilation.to_string()));
        assert_eq!(beside(&Step::cargo("build --examples"), &other), None);
        assert_eq!(beside(&Step::cargo("test --doc"), &other), None);

        let flags = |words: &str, flags: &str| Step::cargo(words).variable("CFLAGS", flags);
        let release = flags("test --release --test a", "-O1");
        assert_eq!(beside(&release, &other), None);
        assert_eq!(beside(&other, &release), None);
        assert_eq!(beside(&release, &flags("test --release", "-O2")), None);
        assert!(beside(&release, &flags("test --release", "-O1")).is_some());
        assert!(beside(&release, &Step::cargo("test")).is_some());
        assert!(beside(&release, &Step::cargo("test --release --features v2")).is_some());
    }

    /// What runs beside a step decides nothing, and does not go on after a failure.
    #[test]
    fn what_runs_beside_a_step() {
        let beside = |words: &str, other: &str| Step::cargo(words).beside(Some(Step::new(other)));
        assert_eq!(beside("--version", "no-such-program").run(), Ok(()));
        assert!(beside("no-such-command", "no-such-program").run().is_err());
        let start = Instant::now();
        let endless = Step::new("sleep").words("600");
        let fails = Step::new("sh").words("-c false").beside(Some(endless));
        assert!(fails.run().is_err());
        assert!(start.elapsed() < Duration::from_secs(60));
    }

    #[test]
    fn a_failure_names_the_command() {
        let reason = Step::cargo("no-such-command").run().unwrap_err();
        assert!(
            reason.contains("`cargo no-such-command` failed"),
            "{reason}"
        );
        let reason = Step::new("no-such-program").run().unwrap_err();
        assert!(reason.contains("no-such-program"), "{reason}");
        let step = Step::cargo("no-such-command").needs("no-such-program");
        assert_eq!(step.run(), Ok(()));
    }
}

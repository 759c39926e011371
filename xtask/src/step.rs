//! One command of a check.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A program with its arguments, variables and folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    program: String,
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
    folder: PathBuf,
    needs: Option<String>,
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

    /// Prints the command and runs it. An error names the command that failed.
    pub fn run(&self) -> Result<(), String> {
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

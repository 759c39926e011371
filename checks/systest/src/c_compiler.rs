//! Finds and runs a C compiler.

use crate::abi::CFamily;
use crate::run;
use std::path::Path;
use std::process::Command;

/// A C compiler that works.
pub struct CCompiler {
    command: &'static str,
}

impl CFamily {
    /// The first command that compiles a file with the headers that mimalloc includes.
    pub fn find(&self, scratch: &Path) -> Result<CCompiler, String> {
        let mut reasons = Vec::new();
        for command in self.commands {
            let compiler = CCompiler { command };
            let trial = "#include <assert.h>\n#include <stdint.h>\n#include <string.h>\n";
            match compiler.compile(trial, None, scratch) {
                Ok(_) => return Ok(compiler),
                Err(said) => reasons.push(format!("`{command}`: {}", essence(&said))),
            }
        }
        Err(reasons.join("; "))
    }
}

impl CCompiler {
    fn command(&self) -> Command {
        let mut words = self.command.split(' ');
        let mut command = Command::new(words.next().expect("a command has a program"));
        command.args(words);
        command
    }

    pub fn version(&self) -> String {
        let output = run::output(self.command().arg("--version"));
        output
            .ok()
            .and_then(|text| text.lines().next().map(String::from))
            .unwrap_or_default()
    }

    /// Compiles C to an object file and returns its content.
    pub fn compile(
        &self,
        source: &str,
        include: Option<&Path>,
        scratch: &Path,
    ) -> Result<Vec<u8>, String> {
        let object = scratch.join("numbers-c.o");
        let mut command = self.command();
        command.args(["-std=gnu11", "-w", "-c", "-x", "c", "-"]);
        command.arg("-o").arg(&object);
        if let Some(include) = include {
            command.arg("-I").arg(include);
        }
        run::with_input(&mut command, source)?;
        std::fs::read(&object).map_err(|error| format!("{}: {error}", object.display()))
    }
}

/// The line with the error in a compiler's output.
fn essence(said: &str) -> &str {
    let error = said.lines().find(|line| line.contains("error:"));
    error.or(said.lines().next()).unwrap_or_default()
}

//! Finds and runs a Rust compiler for a target, if necessary with a `core` compiled from source.

use crate::run;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A Rust compiler together with the `core` of one target.
pub struct RustCompiler {
    program: &'static str,
    target: &'static str,
    /// The folder for compiled crates.
    folder: PathBuf,
    /// Where `core` is, if it was compiled here.
    core: Option<PathBuf>,
    pub version: String,
}

/// The compiler of `cargo`, and Debian's, which comes with the source of `core` (package `rust-src`).
const RUST_COMPILERS: &[&str] = &["rustc", "/usr/bin/rustc"];

impl RustCompiler {
    /// The first compiler that has the target's `core`, or can compile it.
    ///
    /// A compiled `core` is kept in `cache`, everything else is written to `scratch`.
    pub fn find(target: &'static str, scratch: &Path, cache: &Path) -> Result<Self, String> {
        let mut reasons = Vec::new();
        for program in RUST_COMPILERS {
            match RustCompiler::new(program, target, scratch, cache) {
                Ok(compiler) => return Ok(compiler),
                Err(reason) => reasons.push(reason),
            }
        }
        Err(reasons.join("; "))
    }

    fn new(
        program: &'static str,
        target: &'static str,
        scratch: &Path,
        cache: &Path,
    ) -> Result<Self, String> {
        let print = |arguments: &[&str]| {
            let output = run::output(Command::new(program).args(arguments));
            output.map(|text| text.trim().to_string())
        };
        let version = print(&["-V"])?;
        let mut compiler = RustCompiler {
            program,
            target,
            folder: scratch.join(target),
            core: None,
            version,
        };
        run::create_folder(&compiler.folder)?;
        let installed = print(&["--print", "target-libdir", "--target", target])?;
        if !has_core(Path::new(&installed)) {
            let sysroot = PathBuf::from(print(&["--print", "sysroot"])?);
            let source = sysroot.join("lib/rustlib/src/rust/library/core");
            if !source.exists() {
                return Err(format!(
                    "{program} has neither `core` for {target} nor its source"
                ));
            }
            let name = compiler
                .version
                .replace(|c: char| !c.is_alphanumeric(), "-");
            compiler.core = Some(cache.join(format!("{name}-{target}")));
            compiler.compile_core(&source)?;
        }
        Ok(compiler)
    }

    /// Metadata of `core` is enough: the numbers are constants, and no machine code is generated.
    fn compile_core(&self, source: &Path) -> Result<(), String> {
        let folder = self.core.as_ref().expect("there is a folder for it");
        if folder.join("libcore.rmeta").exists() {
            return Ok(());
        }
        run::create_folder(folder)?;
        // `core` does not need it, but the compiler adds it to all other crates that are `no_std`.
        let stub = folder.join("compiler_builtins.rs");
        let text = "#![feature(no_core, compiler_builtins)]\n#![compiler_builtins]\n#![no_core]\n";
        std::fs::write(&stub, text).map_err(|error| format!("{}: {error}", stub.display()))?;
        let core = source.join("src/lib.rs");
        for (name, root) in [("compiler_builtins", stub), ("core", core)] {
            let mut command = self.command(name, "2021", &[]);
            command.env("RUSTC_BOOTSTRAP", "1"); // `core` uses unstable features
            command.arg("--emit=metadata").arg(root);
            command.arg("--out-dir").arg(folder);
            run::output(&mut command)?;
        }
        Ok(())
    }

    /// Compiles a crate as far as others need for its types and constants.
    pub fn metadata(
        &self,
        name: &str,
        edition: &str,
        root: &Path,
        externs: &[&str],
        cfgs: &[String],
    ) -> Result<(), String> {
        let mut command = self.command(name, edition, externs);
        command.arg("--emit=metadata").arg(root);
        command.arg("--out-dir").arg(&self.folder);
        for cfg in cfgs {
            command.args(["--cfg", cfg]);
        }
        run::output(&mut command).map(drop)
    }

    /// Compiles Rust to an object file and returns its content.
    pub fn object(&self, source: &str, externs: &[&str]) -> Result<Vec<u8>, String> {
        let object = self.folder.join("numbers-rust.o");
        let mut command = self.command("numbers", "2021", externs);
        command.arg("--emit=obj").arg("-o").arg(&object).arg("-");
        run::with_input(&mut command, source)?;
        std::fs::read(&object).map_err(|error| format!("{}: {error}", object.display()))
    }

    fn command(&self, name: &str, edition: &str, externs: &[&str]) -> Command {
        let mut command = Command::new(self.program);
        command.args(["--crate-type=lib", "--cap-lints=allow", "-Cpanic=abort"]);
        command.args(["--crate-name", name, "--edition", edition]);
        command.args(["--target", self.target]);
        command.arg("-L").arg(&self.folder);
        for name in externs {
            let file = self.folder.join(format!("lib{name}.rmeta"));
            command.arg("--extern");
            command.arg(format!("{name}={}", file.display()));
        }
        if let Some(core) = &self.core {
            command.arg("-L").arg(core);
        }
        if name == "numbers" && minor_version(&self.version) < 65 {
            // Pointer subtraction in constants is stable since 1.65.
            command.env("RUSTC_BOOTSTRAP", "1");
            command.arg("-Zcrate-attr=feature(const_ptr_offset_from)");
        }
        command
    }
}

/// 63 for `rustc 1.63.0`.
fn minor_version(version: &str) -> u32 {
    let minor = version.split('.').nth(1);
    minor
        .and_then(|minor| minor.parse().ok())
        .unwrap_or(u32::MAX)
}

fn has_core(folder: &Path) -> bool {
    let mut entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.any(|entry| entry.file_name().to_string_lossy().starts_with("libcore-"))
}

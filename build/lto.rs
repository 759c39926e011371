//! `MIMALLOC_SYS_LTO`: the C as LLVM bitcode, which the linker optimises together with the Rust code.
//!
//! Three conditions must hold: rustc leaves bitcode too (`-Clinker-plugin-lto`), the C compiler is a
//! clang whose bitcode rustc's LLVM can read, and the linker is lld, with that LLVM or a newer one.
//! The linker itself reports the last; the others are decided here.

use super::config::{Config, Target};
use super::plan::Plan;
use super::platform;

/// The LLVM of the oldest Rust that this crate supports. An older clang is not looked for.
const OLDEST: u32 = 14;

pub fn bitcode(config: &Config, plan: &mut Plan) -> Result<(), String> {
    // Both sides must be of one kind: the linker accepts a mixture, but does not inline between them.
    let flag = match config.lto.as_deref() {
        None => return Ok(()),
        Some("thin") => "-flto=thin",
        Some("fat") => "-flto=full",
        Some(other) => {
            return Err(format!(
                "MIMALLOC_SYS_LTO is `{}`, and only `thin` and `fat` are known.\n\
                 Set it to the kind that the Rust code is linked with, or unset it.",
                other
            ))
        }
    };
    if !is_elf(&config.target) {
        return Err(format!(
            "MIMALLOC_SYS_LTO is for targets whose programs are ELF files (Linux, Android, the BSDs), \
             and {} is none.\n\
             Unset it, or set it in its form for the target that it is meant for.",
            config.target.triple
        ));
    }
    if !leaves_bitcode(&config.rust_flags) {
        return Err(
            "MIMALLOC_SYS_LTO is set, but rustc does not leave bitcode for the linker.\n\
             Set RUSTFLAGS=-Clinker-plugin-lto as well, or unset MIMALLOC_SYS_LTO."
                .to_string(),
        );
    }
    plan.flag(flag);
    plan.bitcode = true;
    if has_static_tls(&config.target, plan) {
        plan.define("MI_MALLOC_SYS_STATIC_TLS", 1);
    }
    Ok(())
}

/// Whether a thread-local variable of the C is at a fixed offset from the thread pointer, so that assembly in
/// `src/thread.h` reads it; otherwise a function that is never inlined does. Other systems' C compilers may emulate
/// thread-local variables.
fn has_static_tls(target: &Target, plan: &Plan) -> bool {
    let initial_exec = plan
        .flags
        .iter()
        .any(|flag| flag.text == platform::INITIAL_EXEC);
    target.os == "linux"
        && initial_exec
        && (target.env == "gnu" || platform::is_static_musl(target))
}

/// Whether programs of the target are ELF files. The linkers of other systems read at best their own compiler's bitcode.
pub fn is_elf(target: &Target) -> bool {
    let others = ["emscripten", "cygwin", "aix"];
    target.unix && !platform::apple(target) && !others.contains(&target.os.as_str())
}

/// rustc accepts `-C` joined and apart, and a path of a linker's plug-in as the value.
fn leaves_bitcode(rust_flags: &[String]) -> bool {
    rust_flags.iter().any(|flag| {
        let option = flag
            .trim_start_matches("--codegen=")
            .trim_start_matches("-C");
        match option.strip_prefix("linker-plugin-lto") {
            Some("") => true,
            Some(value) => {
                value.starts_with('=') && !["=n", "=no", "=off", "=false"].contains(&value)
            }
            None => false,
        }
    })
}

/// The names under which to look for a clang, the best first.
pub fn candidates(llvm: u32) -> Vec<String> {
    let numbered = (OLDEST..=llvm)
        .rev()
        .map(|major| format!("clang-{}", major));
    numbered.chain(Some("clang".to_string())).collect()
}

/// `LLVM version: 22.1.2`, from `rustc -vV`.
pub fn llvm_of_rustc(text: &str) -> Option<u32> {
    major_after(text, "LLVM version: ")
}

/// `Debian clang version 19.1.7 (3+b1)`, from `clang --version`.
pub fn llvm_of_clang(text: &str) -> Option<u32> {
    major_after(text, "clang version ")
}

fn major_after(text: &str, key: &str) -> Option<u32> {
    let rest = &text[text.find(key)? + key.len()..];
    rest.split(|c: char| !c.is_ascii_digit())
        .next()?
        .parse()
        .ok()
}

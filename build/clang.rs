//! Finds a clang whose bitcode this rustc can read.

use super::env;
use super::lto;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The clang to use in place of `compiler`, or `None` if that is a suitable one already.
pub fn for_bitcode(compiler: &cc::Tool) -> Result<Option<PathBuf>, String> {
    let llvm = llvm_of_rustc()?;
    if compiler.is_like_clang() {
        return match version(compiler.path()) {
            Some(major) if major > llvm => Err(newer(compiler.path(), major, llvm)),
            _ => Ok(None),
        };
    }
    let names = lto::candidates(llvm);
    let found = names
        .iter()
        .find_map(|name| Some((PathBuf::from(name), version(Path::new(name))?)));
    match found {
        Some((clang, major)) if major > llvm => Err(newer(&clang, major, llvm)),
        Some((clang, _)) => Ok(Some(clang)),
        None => Err(format!(
            "MIMALLOC_SYS_LTO needs clang, and there is none among {}.\n\
             Install one that is not newer than LLVM {}, which this rustc has \
             (Debian and Ubuntu: `apt-get install clang`), or name yours in CC.",
            names.join(", "),
            llvm
        )),
    }
}

fn newer(clang: &Path, major: u32, llvm: u32) -> String {
    format!(
        "MIMALLOC_SYS_LTO: {} writes the bitcode of LLVM {}, and this rustc reads that of LLVM {} and older.\n\
         Name an older clang in CC (or CC_<target>), or take a newer Rust.",
        clang.display(),
        major,
        llvm
    )
}

fn llvm_of_rustc() -> Result<u32, String> {
    let rustc = env::rustc_program();
    said(Path::new(&rustc), "-vV")
        .and_then(|text| lto::llvm_of_rustc(&text))
        .ok_or_else(|| {
            format!(
                "MIMALLOC_SYS_LTO: `{} -vV` names no LLVM version, which a clang's could be compared with.\n\
                 Use a rustc that compiles with LLVM, or unset the variable.",
                rustc
            )
        })
}

fn version(clang: &Path) -> Option<u32> {
    lto::llvm_of_clang(&said(clang, "--version")?)
}

fn said(program: &Path, argument: &str) -> Option<String> {
    let output = Command::new(program).arg(argument).output().ok()?;
    String::from_utf8(output.stdout).ok()
}

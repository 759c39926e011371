//! Whether link-time optimisation has put the allocator's fast path into its callers: the code of
//! `hot::raw`, which allocates and frees 32 bytes in a loop, may call nothing but the slow paths.

use crate::allocators;
use crate::build;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The function, as its name is mangled.
const FUNCTION: &str = "3hot3raw";

/// What may be called: a fresh page, an empty page, a block of another thread, and what the
/// function itself does once before its loop or when it panics.
const SLOW: &[&str] = &[
    "_mi_malloc_generic",
    "_mi_page_retire",
    "mi_free_small_nonnull",
    "warm",
    "_Unwind_Resume",
];

/// What only the fast paths call: it stands in the function when they do. Without this, a free
/// that is one call of `mi_free_small_nonnull` would pass for its slow path.
const OF_THE_FAST_PATHS: &[&str] = &["_mi_malloc_generic", "_mi_page_retire"];

/// Checks the program of the runner with bitcode LTO, or another one.
pub fn check(program: Option<&str>) -> Result<String, String> {
    let program = match program {
        Some(path) => PathBuf::from(path),
        None => build::build(
            allocators::find("lto").ok_or("no allocator lto")?,
            "release",
        )?,
    };
    judge(&calls(&disassembly(&program)?)?)
}

fn judge(calls: &[String]) -> Result<String, String> {
    for wanted in OF_THE_FAST_PATHS {
        if !calls.iter().any(|call| call.contains(wanted)) {
            return Err(format!(
                "A fast path is not in line: {wanted} is not called. Calls: {}",
                calls.join(", ")
            ));
        }
    }
    let fast: Vec<&str> = calls
        .iter()
        .map(String::as_str)
        .filter(|call| !SLOW.iter().any(|slow| call.contains(slow)))
        .collect();
    if fast.is_empty() {
        Ok(format!(
            "No call is left in the fast path. The slow ones: {}.\n",
            calls.join(", ")
        ))
    } else {
        Err(format!("The fast path still calls: {}", fast.join(", ")))
    }
}

fn disassembly(program: &Path) -> Result<String, String> {
    let output = Command::new("objdump")
        .args(["--disassemble", "--no-show-raw-insn"])
        .arg(program)
        .output()
        .map_err(|error| {
            format!("objdump does not start (Debian: apt-get install binutils): {error}")
        })?;
    if !output.status.success() {
        return Err(format!(
            "objdump: {}",
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The targets of the calls and of the jumps out of the function, each once.
fn calls(disassembly: &str) -> Result<Vec<String>, String> {
    let mut lines = disassembly.lines();
    let head = lines
        .find(|line| line.ends_with(">:") && line.contains(FUNCTION))
        .ok_or("the program has no function hot::raw of its own")?;
    let name = head
        .split(['<', '>'])
        .nth(1)
        .ok_or("a function without a name")?;
    let mut calls: Vec<String> = lines
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split('\t').nth(1))
        .filter(|code| code.starts_with("call") || code.starts_with('j'))
        .map(|code| code.split(['<', '>']).nth(1).unwrap_or(code).to_string())
        .filter(|target| !target.starts_with(name))
        .collect();
    calls.sort();
    calls.dedup();
    Ok(calls)
}

#[cfg(test)]
mod tests {
    use super::{calls, judge};

    const CODE: &str = "\
0000000000001000 <_ZN9workloads3hot3raw17hE>:
    1000:\tpush   %rbx
    1001:\tcall   2000 <malloc>
    1006:\tjne    1001 <_ZN9workloads3hot3raw17hE+0x1>
    1008:\tcall   *%r12
    100b:\tjmp    3000 <free>

0000000000001010 <other>:
    1010:\tcall   4000 <elsewhere>
";

    #[test]
    fn calls_and_jumps_out_of_the_function_are_found() {
        assert_eq!(
            calls(CODE),
            Ok(vec![
                "call   *%r12".to_string(),
                "free".to_string(),
                "malloc".to_string()
            ])
        );
        assert!(calls("").is_err());
    }

    #[test]
    fn a_fast_path_that_is_a_call_is_found() {
        let judge = |calls: &[&str]| {
            judge(
                &calls
                    .iter()
                    .map(|call| call.to_string())
                    .collect::<Vec<_>>(),
            )
        };
        assert!(judge(&[
            "_mi_malloc_generic",
            "_mi_page_retire",
            "mi_free_small_nonnull"
        ])
        .is_ok());
        assert!(judge(&["_mi_malloc_generic", "mi_free_small_nonnull"]).is_err());
        assert!(judge(&["_mi_malloc_generic", "_mi_page_retire", "mi_wmalloc_small"]).is_err());
        assert!(judge(&["_mi_malloc_generic", "_mi_page_retire", "call   *%r12"]).is_err());
    }
}

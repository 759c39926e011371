//! Whether the allocator's fast paths are inlined: the code of `hot::raw` and `hot::aligned`,
//! which allocate and free a block in a loop, may call nothing except the slow paths.

use crate::allocators;
use crate::build;
use std::path::Path;
use std::process::Command;

/// What the function itself calls, once before its loop or when it panics.
const OF_THE_LOOP: &[&str] = &["warm", "_Unwind_Resume"];

/// A runner whose fast paths are inlined.
pub struct Inlined {
    pub id: &'static str,
    places: &'static [Place],
}

struct Place {
    /// As in its mangled name.
    function: &'static str,
    /// Slow paths that only the fast paths call, so that these calls show that the fast paths are inlined: a
    /// fresh page, an empty page. Otherwise, a free that is one call of `mi_free_small_nonnull` would be taken
    /// for its slow path.
    of_the_fast_paths: &'static [&'static str],
    /// Others: a block of another thread.
    other_slow: &'static [&'static str],
}

const RAW: &str = "3hot3raw";
const ALIGNED: &str = "3hot7aligned";

/// By the Rust code of `src/global/inlined.rs`.
pub const PLAIN: Inlined = Inlined {
    id: "v3",
    places: &[
        Place {
            function: RAW,
            of_the_fast_paths: &["malloc_small_slow", "inlined6retire"],
            other_slow: &["free_slow"],
        },
        Place {
            function: ALIGNED,
            of_the_fast_paths: &["malloc_small_aligned_slow", "inlined6retire"],
            other_slow: &["free_slow"],
        },
    ],
};

pub const BITCODE_LTO: Inlined = Inlined {
    id: "lto",
    places: &[
        Place {
            function: RAW,
            of_the_fast_paths: &["_mi_malloc_generic", "mi_malloc_sys_retire"],
            other_slow: &["mi_free_small_nonnull"],
        },
        Place {
            function: ALIGNED,
            of_the_fast_paths: &["mi_malloc_sys_natural_slow", "mi_malloc_sys_retire"],
            other_slow: &["mi_malloc_sys_free_general"],
        },
    ],
};

/// Builds the runner and inspects its code.
pub fn check(inlined: &Inlined) -> Result<String, String> {
    let allocator = allocators::find(inlined.id).ok_or(format!("no allocator {}", inlined.id))?;
    let program = build::build(allocator, "release")?;
    let code = disassembly(&program)?;
    let of = |place| judge(inlined.id, place, &calls(place, &code)?);
    inlined.places.iter().map(of).collect()
}

fn judge(id: &str, place: &Place, calls: &[String]) -> Result<String, String> {
    let name = place.function;
    for wanted in place.of_the_fast_paths {
        if !calls.iter().any(|call| call.contains(wanted)) {
            return Err(format!(
                "{id}, {name}: a fast path is not inlined: {wanted} is not called. Calls: {}",
                calls.join(", ")
            ));
        }
    }
    let may = |call: &str| {
        let slow = place.of_the_fast_paths.iter().chain(place.other_slow);
        slow.chain(OF_THE_LOOP).any(|slow| call.contains(slow))
    };
    let fast: Vec<&str> = calls
        .iter()
        .map(String::as_str)
        .filter(|call| !may(call))
        .collect();
    if fast.is_empty() {
        Ok(format!(
            "{id}, {name}: no call remains in the fast path. Slow paths: {}.\n",
            calls.join(", ")
        ))
    } else {
        Err(format!(
            "{id}, {name}: the fast path still calls: {}",
            fast.join(", ")
        ))
    }
}

fn disassembly(program: &Path) -> Result<String, String> {
    let output = Command::new("objdump")
        .args(["--disassemble", "--no-show-raw-insn"])
        .arg(program)
        .output()
        .map_err(|error| {
            format!("objdump could not be started (Debian: apt-get install binutils): {error}")
        })?;
    if !output.status.success() {
        return Err(format!(
            "objdump: {}",
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The targets of calls and of jumps out of the function, each once.
fn calls(place: &Place, disassembly: &str) -> Result<Vec<String>, String> {
    let mut lines = disassembly.lines();
    let head = lines
        .find(|line| line.ends_with(">:") && line.contains(place.function))
        .ok_or_else(|| format!("the program has no function {} of its own", place.function))?;
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
    use super::{calls, judge, BITCODE_LTO, PLAIN};

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
            calls(&PLAIN.places[0], CODE),
            Ok(vec![
                "call   *%r12".to_string(),
                "free".to_string(),
                "malloc".to_string()
            ])
        );
        assert!(calls(&PLAIN.places[1], CODE).is_err());
    }

    #[test]
    fn a_fast_path_that_is_a_call_is_found() {
        let passes = |place, calls: &[&str]| {
            let calls: Vec<String> = calls.iter().map(|call| call.to_string()).collect();
            judge("v3", place, &calls).is_ok()
        };
        let [raw, aligned] = BITCODE_LTO.places else {
            panic!("two functions");
        };
        let (new, empty, other) = (
            "_mi_malloc_generic",
            "mi_malloc_sys_retire",
            "mi_free_small_nonnull",
        );
        assert!(passes(raw, &[new, empty, other]));
        assert!(!passes(raw, &[new, other]));
        assert!(!passes(raw, &[new, empty, "mi_wmalloc_small"]));
        assert!(!passes(raw, &[new, empty, "call   *%r12"]));
        let new = "mi_malloc_sys_natural_slow";
        let other = "mi_malloc_sys_free_general";
        assert!(passes(aligned, &[new, empty, other]));
        assert!(!passes(aligned, &[new, other]));
        assert!(!passes(
            aligned,
            &["mi_malloc_sys_malloc_small_aligned", empty, other]
        ));

        let [raw, aligned] = PLAIN.places else {
            panic!("two functions");
        };
        let empty = "_ZN13mi_malloc_sys6global7inlined6retire17hE";
        assert!(passes(
            raw,
            &["malloc_small_slow", empty, "free_slow", "warm"]
        ));
        assert!(!passes(raw, &["malloc_small_slow", "free_slow"]));
        assert!(!passes(raw, &["malloc_small_slow", empty, "call   *%r12"]));
        assert!(passes(aligned, &["malloc_small_aligned_slow", empty]));
        assert!(!passes(
            aligned,
            &["malloc_small_aligned_slow", "free_slow"]
        ));
    }
}

//! What rustc knows of a target and Cargo does not pass on.

use super::config::Target;
use std::process::Command;

/// Whether rustc, which `cfgs` queries, links musl into every program for this target.
///
/// Cargo passes on only what all kinds of crates have in common, and proc macros are never static: build scripts learn
/// of this feature only if it was requested. Where the host is another target, no proc macro is built for this one.
pub fn links_musl(target: &Target, host: &str, cfgs: impl FnOnce() -> Option<String>) -> bool {
    target.os == "linux"
        && target.env == "musl"
        && target.triple != host
        && cfgs().map_or(false, |text| {
            text.lines()
                .any(|line| line == r#"target_feature="crt-static""#)
        })
}

/// The answer to `rustc --print cfg`, with the flags that the crate is compiled with.
pub fn cfgs(rustc: &str, target: &str, flags: &[String]) -> Option<String> {
    let output = Command::new(rustc)
        .args(["--print", "cfg", "--target", target])
        .args(flags.iter().filter(|flag| !flag.is_empty()))
        .output()
        .ok()?;
    String::from_utf8(output.stdout).ok()
}

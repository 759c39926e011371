//! Passes to the crate which major version of mimalloc it is built on: `#[cfg(mi_v3)]` or `#[cfg(mi_v2)]`.

use std::{env, process::Command};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if knows_check_cfg() {
        println!("cargo:rustc-check-cfg=cfg(mi_v3)");
        println!("cargo:rustc-check-cfg=cfg(mi_v2)");
    }
    // From the build script of mi-malloc-sys, which decides.
    let version = env::var("DEP_MIMALLOC_LINE").expect("mi-malloc-sys says which version it is");
    println!("cargo:rustc-cfg=mi_{}", version);
}

/// Cargo 1.80 and later; older ones take the directive for metadata and warn.
fn knows_check_cfg() -> bool {
    let cargo = env::var_os("CARGO").expect("Cargo sets CARGO");
    let output = Command::new(cargo).arg("--version").output();
    let version = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let minor = version.ok().and_then(|version| {
        let number = version.split_whitespace().nth(1)?;
        number.split('.').nth(1)?.parse::<u32>().ok()
    });
    minor.map_or(false, |minor| minor >= 80)
}

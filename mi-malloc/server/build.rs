//! Which major version of mimalloc, as in mi-malloc itself: v2 has no profiler. A server for one of them needs none of
//! this.

use std::env::var_os;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-check-cfg=cfg(mi_v3)");
    if var_os("CARGO_FEATURE_V3").is_some() || var_os("CARGO_FEATURE_V2").is_none() {
        println!("cargo:rustc-cfg=mi_v3");
    }
}

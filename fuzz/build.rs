//! Tells the code here which major version it is built for, as the crate's own build does (`cfg(mi_v3)`).

fn main() {
    let major = std::env::var("DEP_MIMALLOC_LINE").expect("mi-malloc-sys reports it");
    println!("cargo:rustc-check-cfg=cfg(mi_v2, mi_v3)");
    println!("cargo:rustc-cfg=mi_{major}");
}

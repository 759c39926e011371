//! Tells the code here which line it is built for, as the crate's own build does (`cfg(line)`).

fn main() {
    let line = std::env::var("DEP_MIMALLOC_LINE").expect("mi-malloc-sys tells its line");
    println!("cargo:rustc-check-cfg=cfg(line, values(\"v2\", \"v3\"))");
    println!("cargo:rustc-cfg=mi_{line}");
}

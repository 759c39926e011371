//! Tells the model which line it is linked with, as in the crate's own tests.

fn main() {
    let line = std::env::var("DEP_MIMALLOC_LINE").unwrap();
    println!("cargo:rustc-cfg=line=\"{line}\"");
}

//! Passes on what the crate's build script reports about the C that it has built.

fn main() {
    for (variable, metadata) in [
        ("SYSTEST_INCLUDE", "DEP_MIMALLOC_INCLUDE"),
        ("SYSTEST_MAJOR", "DEP_MIMALLOC_LINE"),
        ("SYSTEST_ROOT", "DEP_MIMALLOC_ROOT"),
        ("SYSTEST_VERSION", "DEP_MIMALLOC_VERSION"),
    ] {
        // A system library has no `root`.
        let value = std::env::var(metadata).unwrap_or_default();
        println!("cargo::rustc-env={variable}={value}");
    }
}

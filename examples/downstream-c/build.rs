//! Compiles this crate's own C and C++ against the headers of the mimalloc that Cargo links.

fn main() {
    // From mi-malloc-sys, as metadata of its `links = "mimalloc"`: the folder of mimalloc.h.
    let include = std::env::var_os("DEP_MIMALLOC_INCLUDE").expect("a dependency on mi-malloc-sys");
    cc::Build::new()
        .file("src/names.c")
        .include(&include)
        .compile("names");
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .file("src/primes.cpp")
        .include(&include)
        .compile("primes");
    for file in ["build.rs", "src/names.c", "src/primes.cpp"] {
        println!("cargo:rerun-if-changed={}", file);
    }
}

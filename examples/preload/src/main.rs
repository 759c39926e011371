//! Runs any program of the system on mimalloc, which prints its statistics at the end.
//!
//!     cargo build --release --manifest-path examples/preload/Cargo.toml
//!     examples/preload/target/release/preload git log
//!
//! By hand it is `LD_PRELOAD=.../libmimalloc_preload.so MIMALLOC_SHOW_STATS=1 git log`.
//!
//! Programs that close standard error when they end (GNU's core utilities do) run as well, but their
//! statistics are lost.

use std::process::{exit, Command};

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("preload: only Linux has LD_PRELOAD in this form");
    exit(1);
}

#[cfg(target_os = "linux")]
fn main() {
    use std::os::unix::process::CommandExt;

    let mut arguments = std::env::args_os().skip(1);
    let program = arguments.next().unwrap_or_else(|| {
        eprintln!("Usage: preload PROGRAM [ARGUMENT...]");
        exit(2);
    });
    let library = std::env::current_exe()
        .map(|path| path.with_file_name("libmimalloc_preload.so"))
        .expect("a program knows where it is");
    if !library.is_file() {
        // The loader would only warn, and run the program on its usual allocator.
        eprintln!("preload: {} is not there", library.display());
        exit(1);
    }
    let error = Command::new(&program)
        .args(arguments)
        .env("LD_PRELOAD", library)
        .env("MIMALLOC_SHOW_STATS", "1")
        .exec(); // returns only if it fails
    eprintln!(
        "preload: {} cannot be run: {}",
        program.to_string_lossy(),
        error
    );
    exit(1);
}

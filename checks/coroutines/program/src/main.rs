//! `program`: the checks. `program LIBRARY`: those of the library, which is loaded with `dlopen`.
//! Prints `passed` and the number of checks at its end.

use std::ffi::{CStr, CString};
use std::process::exit;

fn main() {
    let passed = match std::env::args().nth(1) {
        None => checks::run(),
        Some(path) => of_library(&path),
    };
    if passed == 0 {
        exit(1);
    }
    println!("passed {}", passed);
}

fn of_library(path: &str) -> usize {
    let path = CString::new(path).expect("a path without NUL");
    // SAFETY: both strings end with NUL. The library's initialisers are Rust's and mimalloc's.
    let function = unsafe {
        let library = libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL);
        if library.is_null() {
            eprintln!("{}", CStr::from_ptr(libc::dlerror()).to_string_lossy());
            exit(1);
        }
        libc::dlsym(library, b"run_checks\0".as_ptr().cast())
    };
    assert!(!function.is_null(), "the library has no run_checks");
    // SAFETY: this is the function's type in `plugin`.
    let run: extern "C" fn() -> usize = unsafe { std::mem::transmute(function) };
    run()
}

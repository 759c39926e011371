//! `options!` in other kinds of programs, and what must not compile or link. Cargo builds them here, as packages of
//! their own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const MIMALLOC: &str =
    "#[global_allocator] static GLOBAL: mi_malloc_sys::MiMalloc = mi_malloc_sys::MiMalloc;\n";

const OPTIONS: &str = "mi_malloc_sys::options! { mi_option_purge_delay = 123 }\n";

/// The default of `mi_option_purge_delay`, in milliseconds.
const PURGE_DELAY: &str = if cfg!(mi_v2) { "10" } else { "50" };

/// Prints the value.
const MAIN: &str = r#"
fn main() {
    let delay = unsafe { mi_malloc_sys::mi_option_get(mi_malloc_sys::mi_option_purge_delay) };
    println!("{delay};");
}
"#;

/// A package beside others that share their built dependencies.
struct Package {
    root: PathBuf,
    manifest: String,
}

impl Package {
    /// `name` is also that of the program or library.
    fn new(name: &str, source: &str) -> Package {
        let root = folder().join("packages").join(name);
        if root.exists() {
            fs::remove_dir_all(&root).unwrap();
        }
        fs::create_dir_all(root.join("src")).unwrap();
        let file = if source.contains("fn main") {
            "src/main.rs"
        } else {
            "src/lib.rs"
        };
        fs::write(root.join(file), source).unwrap();
        let version = if cfg!(mi_v2) { "v2" } else { "v3" };
        let manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\
             [workspace]\n\
             [dependencies]\n\
             mi-malloc-sys = {{ path = {:?}, features = [\"{version}\"] }}\n",
            env!("CARGO_MANIFEST_DIR"),
        );
        Package { root, manifest }
    }

    fn feature(mut self, feature: &str) -> Package {
        let list = "features = [";
        self.manifest = self
            .manifest
            .replace(list, &format!("{list}\"{feature}\", "));
        self
    }

    /// Built apart from the packages without this feature, which has no effect: else the C would be compiled again each
    /// time that the variables of the builds alternate.
    fn apart(self) -> Package {
        self.feature("extended")
    }

    fn depends_on(mut self, other: &Package) -> Package {
        other.write_manifest();
        let name = other.root.file_name().unwrap().to_str().unwrap();
        self.manifest += &format!("{name} = {{ path = {:?} }}\n", other.root);
        self
    }

    fn crate_type(mut self, kind: &str) -> Package {
        self.manifest += &format!("[lib]\ncrate-type = [\"{kind}\"]\n");
        self
    }

    fn write_manifest(&self) {
        fs::write(self.root.join("Cargo.toml"), &self.manifest).unwrap();
        // The versions of this package's own lock file: nothing is fetched.
        let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock");
        fs::copy(lock, self.root.join("Cargo.lock")).unwrap();
    }

    fn cargo(&self, command: &str, variables: &[(&str, &str)]) -> Output {
        self.write_manifest();
        // The caller's options, and one that compiles mimalloc in a quarter of the time.
        let cflags = std::env::var("CFLAGS").unwrap_or_default() + " -O0";
        Command::new(env!("CARGO"))
            .args([command, "--quiet", "--offline"])
            .current_dir(&self.root)
            .env("CFLAGS", cflags)
            .env("CARGO_TARGET_DIR", folder().join("target"))
            .envs(variables.iter().copied())
            .output()
            .unwrap()
    }

    fn runs(&self, variables: &[(&str, &str)]) -> String {
        good(self.cargo("run", variables))
    }

    fn builds(&self, variables: &[(&str, &str)]) {
        good(self.cargo("build", variables));
    }

    fn fails(&self, variables: &[(&str, &str)]) -> String {
        let output = self.cargo("build", variables);
        let printed = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "it built:\n{printed}");
        printed
    }
}

fn folder() -> PathBuf {
    let version = if cfg!(mi_v2) { "v2" } else { "v3" };
    Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("program-options")
        .join(version)
}

fn good(output: Output) -> String {
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{}\n{printed}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    printed
}

/// Rust's own kinds of link-time optimisation, each of which treats the symbol differently. The first is none, as in the
/// other tests: without optimisation, `false` means what `off` means.
const LTO: [&str; 3] = ["false", "thin", "fat"];

#[test]
fn in_the_program_and_in_one_of_its_libraries() {
    let program = Package::new("plain", &[MIMALLOC, OPTIONS, MAIN].concat());
    let library = Package::new("with_options", OPTIONS);
    let user = ["use with_options as _;\n", MIMALLOC, MAIN].concat();
    let user = Package::new("of_library", &user).depends_on(&library);
    for lto in LTO {
        let lto = [("CARGO_PROFILE_DEV_LTO", lto)];
        assert_eq!(program.runs(&lto), "123;\n", "{lto:?}");
        assert_eq!(user.runs(&lto), "123;\n", "{lto:?}");
    }
}

#[test]
fn two_are_a_link_error() {
    let library = Package::new("has_options", OPTIONS);
    let program = ["use has_options as _;\n", MIMALLOC, OPTIONS, MAIN].concat();
    let program = Package::new("has_them_too", &program).depends_on(&library);
    for lto in LTO {
        let printed = program.fails(&[("CARGO_PROFILE_DEV_LTO", lto)]);
        let symbol = "mi_malloc_sys_program_";
        assert!(printed.contains(symbol), "{lto}: {printed}");
    }
}

#[test]
fn invalid_options_do_not_compile() {
    let fails = |name: &str, options: &str, message: &str| {
        let options = format!("mi_malloc_sys::options! {{ {options} }}\n");
        let printed = Package::new(name, &[&options, MAIN].concat()).fails(&[]);
        assert!(
            printed.contains(message),
            "{message:?} is not in:\n{printed}"
        );
    };
    fails(
        "unknown",
        "mi_option_purge_dely = 1",
        "mi_option_purge_dely",
    );
    let other_version = if cfg!(mi_v2) {
        "mi_option_arena_purge_min_size"
    } else {
        "mi_option_abandoned_page_purge"
    };
    fails(
        "other_version",
        &format!("{other_version} = 1"),
        other_version,
    );
    fails(
        "no_option",
        "_mi_option_last = 1",
        "not the constant of an option",
    );
    fails(
        "twice",
        "mi_option_verbose = 1, mi_option_verbose = 0",
        "the same option is set twice",
    );
    fails("no_number", "mi_option_verbose = true", "mismatched types");
}

/// clang 14 assumes the value of a weak constant.
#[test]
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn with_clang() {
    let mut compilers = ["clang-14", "clang"].iter().filter(|compiler| {
        let output = Command::new(compiler).arg("--version").output();
        output.map_or(false, |output| output.status.success())
    });
    let Some(compiler) = compilers.next() else {
        assert!(std::env::var_os("CI").is_none(), "no clang");
        println!("not run: there is no clang");
        return;
    };
    let program = Package::new("by_clang", &[MIMALLOC, OPTIONS, MAIN].concat()).apart();
    let variables = [("CC", *compiler), ("CFLAGS", "-O2")];
    assert_eq!(program.runs(&variables), "123;\n");
}

/// It is unknown whether another source tree would read the program's options.
#[test]
fn another_source_tree_has_no_such_macro() {
    let package = Package::new("another_tree", &[OPTIONS, MAIN].concat()).apart();
    let printed = package.fails(&[("MIMALLOC_SYS_SOURCE_DIR", env!("MIMALLOC_SYS_SOURCES"))]);
    let message = "mi_malloc_sys::options! has no effect in this build";
    assert!(printed.contains(message), "{printed}");
}

/// As the changelog and the manual state.
#[test]
#[cfg(mi_v3)]
fn definitions_restore_upstreams_delays() {
    let main = r#"
        use mi_malloc_sys::*;
        fn main() {
            let get = |option| unsafe { mi_option_get(option) };
            println!("{} {};", get(mi_option_purge_delay), get(mi_option_arena_purge_mult));
        }
    "#;
    let package = Package::new("upstreams_delays", main).apart();
    for (definitions, delays) in [
        ("", format!("{PURGE_DELAY} 1;\n").as_str()),
        (
            "MI_DEFAULT_PURGE_DELAY=1000;MI_DEFAULT_ARENA_PURGE_MULT=4",
            "1000 4;\n",
        ),
        ("MI_MALLOC_SYS_NO_REUSE=1", "1000 4;\n"),
    ] {
        let got = package.runs(&[("MIMALLOC_SYS_DEFINES", definitions)]);
        assert_eq!(got, delays, "{definitions}");
    }
}

#[test]
#[cfg(unix)]
fn with_override() {
    // A block that an initialiser of the program allocates before `main`, and before the initialisers of Rust.
    let program = r#"
        use mi_malloc_sys as _;
        extern "C" { fn malloc(size: usize) -> *mut std::ffi::c_void; }
        static EARLY: std::sync::atomic::AtomicI64 = std::sync::atomic::AtomicI64::new(0);
        extern "C" fn early() {
            unsafe { malloc(100) };
            let delay = unsafe { mi_malloc_sys::mi_option_get(mi_malloc_sys::mi_option_purge_delay) };
            EARLY.store(delay as i64, std::sync::atomic::Ordering::SeqCst);
        }
        #[used]
        #[cfg_attr(target_vendor = "apple", link_section = "__DATA,__mod_init_func")]
        #[cfg_attr(not(target_vendor = "apple"), link_section = ".init_array.00001")]
        static INIT: extern "C" fn() = early;
        fn main() {
            println!("{};", EARLY.load(std::sync::atomic::Ordering::SeqCst));
        }
    "#;
    let program = Package::new("overriding", &[OPTIONS, program].concat()).feature("override");
    assert_eq!(program.runs(&[]), "123;\n");
}

#[test]
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn in_a_static_program() {
    let program = Package::new("static_program", &[MIMALLOC, OPTIONS, MAIN].concat());
    let flags = [("RUSTFLAGS", "-Ctarget-feature=+crt-static")];
    assert_eq!(program.runs(&flags), "123;\n");
}

/// The program and the library each have their own mimalloc and options.
#[test]
#[cfg(target_os = "linux")]
fn in_a_shared_library() {
    let library = r#"
        #[no_mangle]
        pub extern "C" fn delay() -> i64 {
            unsafe { mi_malloc_sys::mi_option_get(mi_malloc_sys::mi_option_purge_delay) as i64 }
        }
    "#;
    let options = "mi_malloc_sys::options! { mi_option_purge_delay = 45 }\n";
    let with =
        Package::new("shared_with", &[MIMALLOC, options, library].concat()).crate_type("cdylib");
    let without =
        Package::new("shared_without", &[MIMALLOC, library].concat()).crate_type("cdylib");
    let host = r#"
        extern "C" {
            fn dlopen(name: *const i8, flags: i32) -> *mut std::ffi::c_void;
            fn dlsym(library: *mut std::ffi::c_void, name: *const i8) -> *mut std::ffi::c_void;
        }
        fn main() {
            for path in std::env::args().skip(1) {
                let path = std::ffi::CString::new(path).unwrap();
                unsafe {
                    let library = dlopen(path.as_ptr().cast(), 2);
                    assert!(!library.is_null());
                    let delay = dlsym(library, c"delay".as_ptr().cast());
                    let delay: extern "C" fn() -> i64 = std::mem::transmute(delay);
                    println!("{};", delay());
                }
            }
            println!("{};", unsafe { mi_malloc_sys::mi_option_get(mi_malloc_sys::mi_option_purge_delay) });
        }
    "#;
    let host = Package::new("host", &[MIMALLOC, OPTIONS, host].concat());
    for package in [&with, &without, &host] {
        package.builds(&[]);
    }
    let built = folder().join("target/debug");
    let output = Command::new(built.join("host"))
        .arg(built.join("libshared_with.so"))
        .arg(built.join("libshared_without.so"))
        .output()
        .unwrap();
    // The build's default in the library without options.
    let expected = format!("45;\n{PURGE_DELAY};\n123;\n");
    assert_eq!(good(output), expected);
}

#[test]
#[cfg(target_os = "linux")]
fn in_a_static_library_of_a_c_program() {
    let library = r#"
        #[no_mangle]
        pub extern "C" fn delay() -> i64 {
            let boxed = Box::new(1i64);
            *boxed * unsafe { mi_malloc_sys::mi_option_get(mi_malloc_sys::mi_option_purge_delay) as i64 }
        }
    "#;
    let library = Package::new("static_library", &[MIMALLOC, OPTIONS, library].concat())
        .crate_type("staticlib");
    library.builds(&[]);
    let built = folder().join("target/debug");
    let source = library.root.join("main.c");
    fs::write(
        &source,
        "#include <stdio.h>\nlong long delay(void);\nint main(void) { printf(\"%lld;\\n\", delay()); return 0; }\n",
    )
    .unwrap();
    let program = library.root.join("program");
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_string());
    let output = Command::new(compiler)
        .arg("-o")
        .arg(&program)
        .arg(&source)
        .arg(built.join("libstatic_library.a"))
        .args(["-lpthread", "-ldl", "-lrt", "-lm", "-lgcc_s", "-lutil"])
        .output()
        .unwrap();
    good(output);
    assert_eq!(good(Command::new(&program).output().unwrap()), "123;\n");
}

//! Uses of `options!` that must not compile, and the compiler's messages. Cargo checks packages of their own here, which
//! depend on `mi-malloc` alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn cargo(name: &str, source: &str) -> Output {
    let version = if cfg!(mi_v2) { "v2" } else { "v3" };
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("options-errors");
    let folder = folder.join(version);
    let root: PathBuf = folder.join(name);
    fs::create_dir_all(root.join("src")).unwrap();
    fs::write(root.join("src/main.rs"), source).unwrap();
    let manifest = format!(
        "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[workspace]\n\
         [dependencies]\nmi-malloc = {{ path = {:?}, features = [\"{version}\"] }}\n",
        env!("CARGO_MANIFEST_DIR"),
    );
    fs::write(root.join("Cargo.toml"), manifest).unwrap();
    // The versions of the repository's own lock file: nothing is fetched.
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock");
    fs::copy(lock, root.join("Cargo.lock")).unwrap();
    // The caller's options, and one that compiles mimalloc in a quarter of the time.
    let cflags = std::env::var("CFLAGS").unwrap_or_default() + " -O0";
    Command::new(env!("CARGO"))
        .args(["check", "--quiet", "--offline"])
        .current_dir(&root)
        .env("CFLAGS", cflags)
        .env("CARGO_TARGET_DIR", folder.join("target"))
        .output()
        .unwrap()
}

/// What the compiler prints for a program: nothing if there is no error.
fn compiler_output(name: &str, source: &str) -> String {
    let output = cargo(name, source);
    let compiler_output = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(
        output.status.success(),
        compiler_output.is_empty(),
        "{name}: {compiler_output}"
    );
    compiler_output
}

/// `options! { options }` in a program.
fn options(name: &str, options: &str) -> String {
    compiler_output(
        name,
        &format!("mi_malloc::options! {{ {options} }}\nfn main() {{}}\n"),
    )
}

#[test]
fn errors_are_clear() {
    // Without an import and without a warning; also if unsafe code is denied, without the last comma, and with no options.
    let good = "#![deny(warnings, unsafe_code)]\n\
                mi_malloc::options! { purge_delay: Duration::from_millis(100), allow_thp: Thp::Never }\n\
                fn main() {}\n";
    assert_eq!(compiler_output("good", good), "");
    assert_eq!(options("empty", ""), "");

    let unknown = options("unknown", "purge_dely: Duration::ZERO");
    assert!(
        unknown.contains("could not find `purge_dely` in `options`")
            || unknown.contains("cannot find `purge_dely` in `options`"),
        "{unknown}"
    );
    let other_version = if cfg!(mi_v2) {
        "page_max_candidates"
    } else {
        "eager_commit_delay"
    };
    let other = options("other_version", &format!("{other_version}: 1"));
    assert!(other.contains(other_version), "{other}");

    let wrong = options("wrong_type", "purge_delay: 100");
    assert!(
        wrong.contains("expected `Duration`, found integer"),
        "{wrong}"
    );
    let wrong = options("wrong_choice", "allow_thp: true");
    assert!(wrong.contains("expected `Thp`, found `bool`"), "{wrong}");

    let twice = options("twice", "max_errors: None, max_errors: None");
    assert!(twice.contains("the same option is set twice"), "{twice}");
    let dangerous = options("dangerous", "destroy_on_exit: AtExit::Destroy");
    assert!(
        dangerous.contains("this option can break memory safety"),
        "{dangerous}"
    );

    let late = "fn main() { mi_malloc::options::reserve_os_memory::set(1) }\n";
    let late = compiler_output("late", late);
    assert!(
        late.contains(
            "cannot find function `set` in module `mi_malloc::options::reserve_os_memory`"
        ),
        "{late}"
    );
}

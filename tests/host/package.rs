//! Builds of copies of this package: what their build script prints, and whether it ran.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Not 3.6.0: for that release the build adds C that needs the real source tree.
pub const V3: u32 = 30601;
pub const V2: u32 = 20502;

/// A copy of this package.
pub struct Package {
    pub root: PathBuf,
    /// For files of one test.
    pub own: PathBuf,
}

impl Package {
    /// A copy for tests that build it with different variables and change no file of it: its build script is compiled
    /// once for all.
    pub fn shared(name: &str) -> Package {
        static ROOT: OnceLock<PathBuf> = OnceLock::new();
        let root = ROOT.get_or_init(|| Package::new("shared").root);
        let own = root.join("own").join(name);
        fs::create_dir_all(&own).unwrap();
        Package {
            root: root.clone(),
            own,
        }
    }

    /// A copy that a test may change.
    pub fn new(name: &str) -> Package {
        let root = folder().join(name);
        if root.exists() {
            fs::remove_dir_all(&root).unwrap();
        }
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        for part in ["Cargo.toml", "Cargo.lock", "build.rs", "build", "src"] {
            copy(&here.join(part), &root.join(part));
        }
        // Each copy has its own version: for Cargo, copies that differ only in their folder are one package.
        for file in ["Cargo.toml", "Cargo.lock"] {
            let text = fs::read_to_string(root.join(file)).unwrap();
            let (number, upstream) = env!("CARGO_PKG_VERSION").split_once('+').unwrap();
            let ours = format!("version = \"{}+{}\"\n", number, upstream);
            assert!(text.contains(&ours), "{} has no {}", file, ours);
            let other = format!("version = \"{}-{}+{}\"\n", number, name, upstream);
            let copied = text.replace(&ours, &other);
            fs::write(root.join(file), copied).unwrap();
        }
        for part in ["pin", "vendor/Cargo.toml", "vendor/src"] {
            copy(
                &here.join("c_src").join(part),
                &root.join("c_src").join(part),
            );
        }
        leave_workspace(&root);
        let own = root.clone();
        Package { root, own }
    }

    /// The part of a mimalloc tree that a build script reads.
    pub fn stand_in(&self, version: u32) -> PathBuf {
        let tree = self.own.join("stand-in").join(version.to_string());
        fs::create_dir_all(tree.join("include")).unwrap();
        fs::create_dir_all(tree.join("src")).unwrap();
        let header = format!("#define MI_MALLOC_VERSION {}\n", version);
        fs::write(tree.join("include/mimalloc.h"), header).unwrap();
        let code = format!("int mi_version(void) {{ return {}; }}\n", version);
        fs::write(tree.join("src/static.c"), code).unwrap();
        tree
    }

    /// A folder with the dependencies of this package, and those of further manifests.
    pub fn vendor(&self, manifests: &[&Path]) -> PathBuf {
        let folder = self.root.join("packages");
        let mut command = Command::new(env!("CARGO"));
        command.args(["vendor", "--offline", "--locked", "--quiet"]);
        for manifest in manifests {
            command.arg("--sync").arg(manifest);
        }
        let status = command
            .arg(&folder)
            .current_dir(&self.root)
            .status()
            .unwrap();
        assert!(
            status.success(),
            "the dependencies of this very test could not be vendored"
        );
        folder
    }

    /// The compiled build script itself.
    pub fn build_script(&self) -> PathBuf {
        let output = Command::new(env!("CARGO"))
            .args(["check", "--lib", "--offline", "--locked", "--quiet"])
            .arg("--message-format=json")
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", target())
            .env("DOCS_RS", "1") // it need not compile the C
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let artifact = text
            .lines()
            .find(|line| line.contains("\"custom-build\"") && line.contains("/mi-malloc-sys-"))
            .unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&output.stderr)));
        let files = artifact.split("\"filenames\":[\"").nth(1).unwrap();
        PathBuf::from(files.split('"').next().unwrap())
    }

    /// The files and folders whose change makes Cargo run the build script again, as the last run of this copy printed them.
    pub fn watched(&self) -> Vec<PathBuf> {
        let scripts = fs::read_dir(target().join("debug/build")).unwrap();
        let watched = |output: &Path| -> Vec<PathBuf> {
            let text = fs::read_to_string(output).unwrap();
            let lines = text.lines();
            let paths = lines.filter_map(|line| line.strip_prefix("cargo:rerun-if-changed="));
            paths.map(PathBuf::from).collect()
        };
        // The folder may have outputs of another compiler, too.
        let outputs = scripts.filter_map(|script| {
            let output = script.unwrap().path().join("output");
            let written = fs::metadata(&output).ok()?.modified().unwrap();
            let paths = watched(&output);
            let is_own = paths.iter().any(|path| path.starts_with(&self.root));
            is_own.then_some((written, paths))
        });
        let last = outputs.max_by_key(|(written, _)| *written);
        last.expect("the build script printed no path of this copy")
            .1
    }

    pub fn builder(&self) -> Builder<'_> {
        Builder {
            root: &self.root,
            variables: Vec::new(),
            features: String::new(),
            offline: true,
        }
    }

    pub fn with(&self, name: &str, value: impl AsRef<OsStr>) -> Builder<'_> {
        self.builder().with(name, value)
    }
}

/// A way to build a package.
#[derive(Clone)]
pub struct Builder<'a> {
    root: &'a Path,
    variables: Vec<(String, OsString)>,
    features: String,
    offline: bool,
}

impl Builder<'_> {
    pub fn with(&self, name: &str, value: impl AsRef<OsStr>) -> Self {
        let mut builder = self.clone();
        builder
            .variables
            .push((name.to_string(), value.as_ref().to_os_string()));
        builder
    }

    pub fn features(&self, features: &str) -> Self {
        Builder {
            features: features.to_string(),
            ..self.clone()
        }
    }

    /// Without the argument `--offline`.
    pub fn online(&self) -> Self {
        Builder {
            offline: false,
            ..self.clone()
        }
    }

    /// The same for a package in another folder, such as a dependent.
    pub fn of<'b>(&self, root: &'b Path) -> Builder<'b> {
        Builder {
            root,
            variables: self.variables.clone(),
            features: self.features.clone(),
            offline: self.offline,
        }
    }

    pub fn run(&self) -> Printed {
        let mut command = Command::new(env!("CARGO"));
        command
            .args(["check", "--lib", "--locked", "--features", &self.features])
            .args(Some("--offline").filter(|_| self.offline))
            .current_dir(self.root)
            .env("CFLAGS", "-O0") // compiles mimalloc in a quarter of the time
            .env("CARGO_TARGET_DIR", target());
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if name.contains("MIMALLOC_SYS") || name == "DOCS_RS" {
                command.env_remove(&*name);
            }
        }
        let output = command
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .output()
            .unwrap();
        Printed {
            text: String::from_utf8_lossy(&output.stderr).into_owned(),
            success: output.status.success(),
        }
    }

    pub fn fails(&self) -> Printed {
        let printed = self.run();
        assert!(!printed.success, "it built:\n{}", printed.text);
        assert!(
            !printed.text.contains("panicked"),
            "it panicked:\n{}",
            printed.text
        );
        printed
    }

    pub fn builds(&self) -> Printed {
        let printed = self.run();
        assert!(printed.success, "it did not build:\n{}", printed.text);
        printed
    }

    pub fn builds_again(&self) {
        let printed = self.run();
        assert!(
            printed.success && printed.did_work(),
            "it was not built again:\n{}",
            printed.text
        );
    }

    pub fn is_fresh(&self) {
        let printed = self.run();
        assert!(
            printed.success && !printed.did_work(),
            "it was built again:\n{}",
            printed.text
        );
    }
}

/// What Cargo printed.
pub struct Printed {
    pub text: String,
    pub success: bool,
}

impl Printed {
    pub fn all_of(&self, parts: &[&str]) {
        for part in parts {
            assert!(
                self.text.contains(part),
                "`{}` is not in:\n{}",
                part,
                self.text
            );
        }
    }

    pub fn did_work(&self) -> bool {
        self.text.contains("Compiling mi-malloc-sys")
            || self.text.contains("Checking mi-malloc-sys")
    }
}

/// The copy is a workspace of its own, without `mi-malloc` and its dependencies.
fn leave_workspace(root: &Path) {
    let manifest = root.join("Cargo.toml");
    let text = fs::read_to_string(&manifest).unwrap();
    let is_members = |line: &&str| line.starts_with("members = ");
    assert_eq!(text.lines().filter(is_members).count(), 1);
    let alone: String = text
        .lines()
        .filter(|line| !is_members(line))
        .flat_map(|line| [line, "\n"])
        .collect();
    fs::write(&manifest, alone).unwrap();
    // This keeps the versions in the lock file, and only removes packages.
    let status = Command::new(env!("CARGO"))
        .args(["update", "--workspace", "--offline", "--quiet"])
        .current_dir(root)
        .status()
        .unwrap();
    assert!(status.success(), "the lock file could not be shortened");
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("build-script")
}

/// Shared by all copies, so that their dependencies are built once.
fn target() -> PathBuf {
    folder().join("target")
}

/// Writes the same bytes, so that the file is newer than any build before.
pub fn rewrite(path: &Path) {
    let bytes = fs::read(path).unwrap();
    fs::write(path, bytes).unwrap();
}

/// A shell script in place of a program.
#[cfg(unix)]
pub fn stand_in_program(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// All files below a folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else {
            files.push(path);
        }
    }
    files
}

fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        for entry in fs::read_dir(from).unwrap() {
            let name = entry.unwrap().file_name();
            copy(&from.join(&name), &to.join(&name));
        }
    } else {
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
    }
}

pub fn host() -> String {
    let output = Command::new(std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into()))
        .arg("-vV")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .find_map(|line| line.strip_prefix("host: "))
        .unwrap()
        .to_string()
}

//! The checks: what each shows and how it runs.

use crate::modes;
use crate::step::Step;

/// A check, with its name for `cargo xtask`.
pub struct Check {
    pub name: &'static str,
    /// What it shows, in a line.
    pub shows: &'static str,
    pub commands: Commands,
}

/// What a check runs, in order.
pub enum Commands {
    /// A script of this repository, with the arguments that follow the name of the check.
    Script(&'static str),
    /// The same commands each time; it takes no argument.
    Fixed(fn() -> Vec<Step>),
    /// Commands that depend on the arguments.
    Chosen(fn(&[String]) -> Result<Vec<Step>, String>),
}

impl Check {
    pub fn steps(&self, arguments: &[String]) -> Result<Vec<Step>, String> {
        match (&self.commands, arguments) {
            (Commands::Script(path), _) => Ok(vec![Step::new(path).arguments(arguments)]),
            (Commands::Fixed(steps), []) => Ok(steps()),
            (Commands::Fixed(_), [first, ..]) => {
                Err(format!("This check takes no argument: `{first}`."))
            }
            (Commands::Chosen(steps), _) => steps(arguments),
        }
    }
}

pub const CHECKS: &[Check] = &[
    Check {
        name: "test",
        shows: "the crates do what they say: the README's two commands",
        commands: Commands::Fixed(readme),
    },
    Check {
        name: "lint",
        shows: "format, clippy for both major versions in both profiles, and a newer C compiler",
        commands: Commands::Fixed(lint),
    },
    Check {
        name: "doc",
        shows: "links of the documentation hold, and the pages of docs.rs",
        commands: Commands::Fixed(doc),
    },
    Check {
        name: "modes",
        shows: "the tests in every build mode, in a reduced set (--fast), or in the named one: v2,secure",
        commands: Commands::Chosen(modes::steps),
    },
    Check {
        name: "nightly",
        shows: "the `Allocator` trait of nightly compilers",
        commands: Commands::Fixed(nightly),
    },
    Check {
        name: "soak",
        shows: "random operations against a model, and mimalloc's own invariants",
        commands: Commands::Script("checks/soak/run"),
    },
    Check {
        name: "upstream",
        shows: "upstream's own C tests",
        commands: Commands::Script("checks/upstream/run"),
    },
    Check {
        name: "coroutines",
        shows: "coroutines that change threads, in each kind of link-time optimisation",
        commands: Commands::Script("checks/coroutines/run"),
    },
    Check {
        name: "systest",
        shows: "bindings and headers agree; --write-api records the public surface",
        commands: Commands::Script("checks/systest/run"),
    },
    Check {
        name: "package",
        shows: "the packed crates: size, files, offline, odd paths, the oldest Rust",
        commands: Commands::Script("checks/package/check"),
    },
    Check {
        name: "semver",
        shows: "the versions match what changed since the last tag",
        commands: Commands::Script("checks/semver/check"),
    },
    Check {
        name: "platforms",
        shows: "the crate compiles and runs on every platform that one Linux machine reaches",
        commands: Commands::Script("checks/platforms/run"),
    },
    Check {
        name: "sanitizers",
        shows: "the tests under asan, tsan and valgrind, or what is named: asan mi-malloc v2",
        commands: Commands::Script("checks/sanitizers/run"),
    },
    Check {
        name: "miri",
        shows: "the parts of mi-malloc that call no C have no undefined behaviour",
        commands: Commands::Script("checks/miri/run"),
    },
    Check {
        name: "deny",
        shows:
            "licences, sources and vulnerabilities of dependencies; or what is named: licenses bans",
        commands: Commands::Chosen(deny),
    },
    Check {
        name: "downstream",
        shows: "other crates and programs work with these two after a rename",
        commands: Commands::Script("checks/downstream/run"),
    },
    Check {
        name: "fuzz",
        shows: "libFuzzer finds nothing",
        commands: Commands::Script("fuzz/run"),
    },
    Check {
        name: "bench",
        shows: "time, memory and instructions: run, large, idioms, memory, programs, counts, calls, cost",
        commands: Commands::Chosen(bench),
    },
    Check {
        name: "shell",
        shows: "shellcheck finds nothing in the scripts",
        commands: Commands::Script("checks/shell/check"),
    },
    Check {
        name: "upgrade",
        shows: "moves to a new upstream release, and reports what the bindings lack then",
        commands: Commands::Script("c_src/upgrade"),
    },
];

fn find(name: &str) -> Option<&'static Check> {
    CHECKS.iter().find(|check| check.name == name)
}

/// The check of this name, or an error that lists all.
pub fn named(name: &str) -> Result<&'static Check, String> {
    let unknown = || format!("There is no check `{name}`. The checks are:\n\n{}", list());
    find(name).ok_or_else(unknown)
}

pub fn list() -> String {
    let line = |check: &Check| format!("{:<14}{}\n", check.name, check.shows);
    let mut text = String::from(
        "cargo xtask CHECK [ARGUMENT..]           one check\n\
         cargo xtask CHECK [ARGUMENT..] + CHECK.. several, two at a time\n\n",
    );
    text.extend(CHECKS.iter().map(line));
    text + "\nCONTRIBUTING.md lists what each needs.\n"
}

fn readme() -> Vec<Step> {
    vec![
        Step::cargo("run --release --example quickstart"),
        Step::cargo("test --workspace"),
    ]
}

fn bench(arguments: &[String]) -> Result<Vec<Step>, String> {
    let driver = Step::cargo("run --release --locked --").within("bench/driver");
    Ok(vec![driver.arguments(arguments)])
}

fn deny(arguments: &[String]) -> Result<Vec<Step>, String> {
    let check = Step::cargo("deny --workspace check").needs("cargo-deny");
    Ok(vec![check.arguments(arguments)])
}

fn lint() -> Vec<Step> {
    let mut steps = vec![Step::cargo("fmt --check")];
    // v3 is the default. Without its feature, Cargo uses what `cargo test` has built.
    for features in ["", "--features v2"] {
        steps.push(
            Step::cargo("clippy --workspace --all-targets")
                .words(features)
                .words("-- -D warnings"),
        );
        // Includes the Rust code that only an optimised build has.
        let release = Step::cargo("clippy --release").words(features);
        steps.push(release.words("-- -D warnings"));
        // Newer compilers refuse C that gcc 12 accepts: calls of functions that are not declared. They do so before they
        // optimise.
        for profile in ["dev", "release"] {
            steps.push(
                Step::cargo("build")
                    .words(features)
                    .words("--profile")
                    .words(profile)
                    .needs("clang-19")
                    .variable("CC", "clang-19")
                    .variable("CFLAGS", "-O0")
                    .variable("CARGO_TARGET_DIR", "target/clang"),
            );
        }
    }
    steps.push(Step::cargo(
        "clippy -p mi-malloc --no-default-features -- -D warnings",
    ));
    steps
}

fn doc() -> Vec<Step> {
    let mut steps = Vec::new();
    for features in ["", "--features v2"] {
        let doc = Step::cargo("doc --workspace --no-deps").words(features);
        steps.push(doc.variable("RUSTDOCFLAGS", "-D warnings"));
    }
    // The page of mi-malloc-sys has both major versions.
    steps.push(Step::new("checks/docs/check"));
    steps
}

fn nightly() -> Vec<Step> {
    let test = |words: &str| {
        Step::cargo("test -p mi-malloc --features allocator_api")
            .words(words)
            .variable("RUSTC_BOOTSTRAP", "1")
    };
    vec![
        test("--test allocator_api --test allocator"),
        test("--doc heap"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::step::root;
    use std::fs;

    /// CONTRIBUTING.md has a row for each check, and .ci/run calls only checks that exist.
    #[test]
    fn documents_name_the_checks() {
        let text = fs::read_to_string(root().join("CONTRIBUTING.md")).unwrap();
        for check in CHECKS {
            let row = format!("| `cargo xtask {}", check.name);
            assert!(text.contains(&row), "CONTRIBUTING.md: {row}");
        }
        let named = text
            .lines()
            .filter_map(|line| line.strip_prefix("| `cargo xtask "));
        for row in named {
            let name = row.split(|c: char| !c.is_alphanumeric()).next().unwrap();
            assert!(find(name).is_some(), "CONTRIBUTING.md: {name}");
        }
        let ci = fs::read_to_string(root().join(".ci/run")).unwrap();
        let (_, list) = ci.split_once("\nchecks=(\n").unwrap();
        let (list, _) = list.split_once("\n)\n").unwrap();
        let lines = list.lines().map(str::trim);
        let called: Vec<&str> = lines
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.trim_start_matches("+ ").split(' ').next())
            .collect();
        assert!(called.len() > 10, "{called:?}");
        for name in called {
            assert!(find(name).is_some(), ".ci/run: {name}");
        }
    }

    /// Each script exists.
    #[test]
    fn scripts_exist() {
        for check in CHECKS {
            for step in check.steps(&[]).unwrap() {
                let text = step.to_string();
                let program = text.split(' ').find(|word| !word.contains('=')).unwrap();
                if program.contains('/') {
                    assert!(root().join(program).is_file(), "{program}");
                }
            }
        }
    }

    #[test]
    fn checks_without_arguments_refuse_one() {
        let reason = find("lint")
            .unwrap()
            .steps(&["now".to_string()])
            .unwrap_err();
        assert!(reason.contains("`now`"), "{reason}");
    }
}

//! The build modes that the tests run in, and which test programs depend on the mode.
//!
//! While the tests of a mode run, the test programs of the next one are compiled: many tests wait, and the compiler of
//! the C is a single process.

use crate::step::{root, Step};
use std::fs;

/// Features that can be combined.
const TOGETHER: &str = "local_dynamic_tls,no_thp,skip_collect_on_exit,extended,arena,cty";

/// Features that change what is built: each is a mode, for both major versions.
const FEATURES: &[&str] = &[
    "secure",
    "secure_full",
    "debug_full",
    "guarded",
    "override",
    TOGETHER,
];

/// Those of the reduced set (`--fast`). CONTRIBUTING.md, "Build modes", has the reason for each that is left out.
const FAST_FEATURES: &[&str] = &[
    "secure_full",
    "debug_full",
    "guarded",
    OVERRIDE_AND_TOGETHER,
];

const OVERRIDE_AND_TOGETHER: &str =
    "override,local_dynamic_tls,no_thp,skip_collect_on_exit,extended,arena,cty";

/// Test programs that no mode changes.
const HOST: &str = "host";

/// Test programs that take long: they run where the mode matters to them.
const LONG: &[&str] = &["faults_fork_locks", "large", "mappings", "reuse"];

/// Of that program, one of the tests that build programs with options: what these test is the same in both major versions.
const OPTIONS_BUILD: &str = "program_options_builds::with_override";

/// Of `mi-malloc`: these build packages of their own, or need a nightly feature or an example.
const SAFE_HOST: &[&str] = &[
    "allocator_api",
    "options_errors",
    "profile_names",
    "two_copies",
    "ui",
];

/// The tests of `MiMalloc`.
const GLOBAL: &str = "--test global --test rust_programs";

/// The tests in every build mode but the plain one, in the reduced set of modes (`--fast`), or in one mode, `v2,secure`.
pub fn steps(arguments: &[String]) -> Result<Vec<Step>, String> {
    let all = all()?;
    match arguments {
        [] => Ok(chosen(all, |set| set != Set::Fast)),
        [option] if option == "--fast" => Ok(chosen(all, |set| set != Set::Full)),
        [name] => {
            let names: Vec<String> = all.iter().map(|mode| mode.name.clone()).collect();
            let found = all.into_iter().find(|mode| mode.name == *name);
            let steps = found.map(|mode| chosen(vec![mode], |_| true));
            steps.ok_or_else(|| {
                format!(
                    "There is no mode `{name}`. The modes are:\n{}",
                    names.join("\n")
                )
            })
        }
        _ => Err("Name one mode, `--fast` for the reduced set, or nothing for all.".to_string()),
    }
}

/// The steps of the sets that are asked for, each with a compilation of the next.
fn chosen(modes: Vec<Mode>, wanted: impl Fn(Set) -> bool) -> Vec<Step> {
    let steps = modes.into_iter().flat_map(|mode| mode.steps);
    let steps: Vec<Step> = steps
        .filter(|(set, _)| wanted(*set))
        .map(|(_, step)| step)
        .collect();
    let next = |index: usize| steps.get(index + 1)?.compilation_beside(&steps[index]);
    (0..steps.len())
        .map(|index| steps[index].clone().beside(next(index)))
        .collect()
}

/// What runs a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Set {
    /// With `--fast` and without.
    Both,
    /// Only a run of every mode.
    Full,
    /// Only `--fast`.
    Fast,
}

struct Mode {
    name: String,
    steps: Vec<(Set, Step)>,
}

impl Mode {
    fn new(name: &str) -> Mode {
        Mode {
            name: name.to_string(),
            steps: Vec::new(),
        }
    }

    fn step(mut self, set: Set, step: Step) -> Mode {
        self.steps.push((set, step));
        self
    }
}

fn all() -> Result<Vec<Mode>, String> {
    let own = programs("tests")?;
    let tests = selected(&own, |name| name != HOST && !LONG.contains(&name));
    let long = selected(&own, |name| LONG.contains(&name));
    let safe = programs("mi-malloc/tests")?;
    // With its unit tests.
    let safe_tests = "--lib ".to_string() + &selected(&safe, |name| !SAFE_HOST.contains(&name));
    let safe_in_modes = "--lib ".to_string()
        + &selected(&safe, |name| {
            !SAFE_HOST.contains(&name) && !name.starts_with("options") && !name.starts_with("purge")
        });
    // Without debug information the programs are compiled and linked faster.
    let cargo = |words: &str| Step::cargo(words).variable("CARGO_PROFILE_DEV_DEBUG", "0");
    let both = Set::Both;
    let mut modes = vec![
        Mode::new("v2")
            .step(both, cargo("build --features v2 --examples"))
            .step(
                both,
                cargo("test --features v2 --test faults_fork_locks").words(&tests),
            )
            .step(
                both,
                cargo("test --features v2 --test host --").words(&format!(
                    "{OPTIONS_BUILD} inlined:: quickstart:: examples:: example_packages::"
                )),
            )
            .step(
                Set::Full,
                cargo("test --features v2 --test host -- program_options_builds:: --skip")
                    .words(OPTIONS_BUILD),
            )
            .step(both, cargo("test --workspace --features v2 --doc"))
            .step(
                both,
                cargo("test -p mi-malloc --features v2 --test ui --test two_copies")
                    .words(&safe_tests),
            ),
        Mode::new("v3,release")
            .step(Set::Full, cargo("build --release --examples"))
            .step(both, cargo("test --release").words(&tests))
            // Large blocks are the business of the C, which is compiled with the same flags in both profiles.
            .step(
                Set::Full,
                cargo("test --release --test large --test mappings --test reuse"),
            )
            .step(both, cargo("test --release --test host -- inlined::"))
            .step(
                Set::Full,
                cargo("test --release --test host -- quickstart:: examples::"),
            )
            .step(
                both,
                cargo("test -p mi-malloc --release").words(&safe_tests),
            )
            // The other size of slices that the Rust code for small blocks supports.
            .step(
                both,
                cargo("test --release --test model")
                    .words(GLOBAL)
                    .variable("MIMALLOC_SYS_DEFINES", "MI_ARENA_SLICE_SHIFT=17"),
            )
            // Slices so small that a small block may be in a page of another size.
            .step(
                Set::Full,
                cargo("test --release --test global samples_with_much_data")
                    .variable("MIMALLOC_SYS_DEFINES", "MI_ARENA_SLICE_SHIFT=14"),
            ),
        Mode::new("v2,release").step(both, cargo("test --release --features v2").words(&tests)),
    ];
    for major in ["v3", "v2"] {
        let combined = [OVERRIDE_AND_TOGETHER];
        for features in FEATURES.iter().chain(&combined) {
            let name = format!("{major},{features}");
            let set = match (
                FEATURES.contains(features),
                FAST_FEATURES.contains(features),
            ) {
                (true, true) => Set::Both,
                (true, false) => Set::Full,
                (false, _) => Set::Fast,
            };
            // Without assertions the C is compiled with -O3 in each profile, which takes twice the time of -O1 and is what
            // the modes above test. With assertions it follows the profile, and is several times slower without optimisation.
            let cargo = |words: &str| cargo(words).variable("CFLAGS", "-O1");
            let test = cargo("test --features").words(&name).words(&tests);
            let mut mode = Mode::new(&name).step(set, test);
            if matches!(
                name.as_str(),
                "v3,secure_full" | "v3,debug_full" | "v2,debug_full"
            ) {
                let safe = cargo("test -p mi-malloc --features").words(&name);
                mode = mode.step(set, safe.words(&safe_in_modes));
            }
            let test = cargo("test --features").words(&name);
            match (major, *features) {
                ("v3", "override") => mode = mode.step(set, test.words(&long)),
                ("v3", OVERRIDE_AND_TOGETHER) => {
                    mode = mode.step(set, test.words("--test faults_fork_locks"));
                }
                _ => {}
            }
            modes.push(mode);
        }
    }
    modes.push(
        Mode::new("assertions")
            // In this profile it is `debug`, which `debug_full` includes.
            .step(
                both,
                cargo("test --features debug_in_debug --test global global_alloc::"),
            )
            .step(
                both,
                cargo("test --features debug_in_debug --test processes options_set::"),
            )
            // Upstream asserts the sizes of frees only in builds without guard pages.
            .step(
                both,
                cargo("test --features debug_full --test global global_alloc::")
                    .variable("MIMALLOC_SYS_DEFINES", "MI_GUARDED=0"),
            )
            // `MiMalloc`'s own entry points under upstream's full checks, which no feature has together: where blocks
            // are checked, the entry points are upstream's. With large pages, as in all other builds with assertions.
            .step(
                both,
                cargo("test").words(GLOBAL).variable(
                    "CFLAGS",
                    "-DMI_DEBUG=3 -DMI_PADDING=0 -DMI_GUARDED=0 -UMI_ENABLE_LARGE_PAGES",
                ),
            ),
    );
    Ok(modes)
}

/// The test programs of a folder: its files, and its folders with a `main.rs`.
fn programs(folder: &str) -> Result<Vec<String>, String> {
    let unreadable = |error| format!("{folder}: {error}");
    let mut names = Vec::new();
    for entry in fs::read_dir(root().join(folder)).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let is_program = match path.extension() {
            Some(extension) => extension == "rs",
            None => path.join("main.rs").is_file(),
        };
        if let (true, Some(name)) = (is_program, path.file_stem()) {
            names.push(name.to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn selected(programs: &[String], chosen: impl Fn(&str) -> bool) -> String {
    let chosen = programs.iter().filter(|name| chosen(name.as_str()));
    chosen.map(|name| format!("--test {name} ")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The programs named here exist: one that was renamed would be left out silently.
    #[test]
    fn named_programs_exist() {
        let there = programs("tests").unwrap();
        for name in LONG.iter().chain([&HOST]) {
            assert!(there.iter().any(|program| program == name), "{name}");
        }
        for name in GLOBAL.split_whitespace().filter(|word| *word != "--test") {
            assert!(there.iter().any(|program| program == name), "{name}");
        }
        let there = programs("mi-malloc/tests").unwrap();
        for name in SAFE_HOST {
            assert!(there.iter().any(|program| program == name), "{name}");
        }
    }

    #[test]
    fn every_mode_runs_every_program_that_it_may_change() {
        let programs = programs("tests").unwrap();
        assert!(programs.len() > 15, "{programs:?}");
        for mode in all()
            .unwrap()
            .iter()
            .filter(|mode| mode.name != "assertions")
        {
            for left_out in [Set::Fast, Set::Full] {
                let steps = mode.steps.iter().filter(|(set, _)| *set != left_out);
                let commands: String = steps.map(|(_, step)| format!("{step} ")).collect();
                let is_run = !commands.is_empty(); // a mode may belong to one set
                for program in programs.iter().filter(|name| is_run && *name != HOST) {
                    let is_there = commands.contains(&format!("--test {program} "));
                    assert!(
                        is_there || LONG.contains(&program.as_str()),
                        "{}: {program}",
                        mode.name
                    );
                }
            }
        }
    }

    /// A full run has every mode of its own; the reduced set still has every feature, on each major version.
    #[test]
    fn the_reduced_set_has_every_feature() {
        assert_eq!(OVERRIDE_AND_TOGETHER, format!("override,{TOGETHER}"));
        let commands = |arguments: &[String]| -> Vec<String> {
            let steps = steps(arguments).unwrap();
            steps.iter().map(Step::to_string).collect()
        };
        let (full, fast) = (commands(&[]), commands(&["--fast".to_string()]));
        // `secure_full` includes `secure` (Cargo.toml).
        let has = |commands: &[String], major: &str, feature: &str| {
            commands.iter().any(|command| {
                let (_, named) = command.split_once("--features ").unwrap_or_default();
                let named = named.split(' ').next().unwrap_or_default();
                let mut names = named.split(',');
                names.next() == Some(major)
                    && names
                        .any(|name| name == feature || (name, feature) == ("secure_full", "secure"))
            })
        };
        for major in ["v3", "v2"] {
            for features in FEATURES {
                let alone = format!("--features {major},{features} ");
                assert!(
                    full.iter().any(|command| command.contains(&alone)),
                    "{alone}"
                );
                for feature in features.split(',') {
                    assert!(has(&fast, major, feature), "{major}: {feature}");
                }
            }
            assert!(!has(&fast, major, "debug_in_debug"));
        }
        assert!(fast.len() < full.len());
    }

    #[test]
    fn an_unknown_mode_is_an_error_that_names_all() {
        let reason = steps(&["v4".to_string()]).unwrap_err();
        assert!(
            reason.contains("`v4`") && reason.contains("v2,secure_full"),
            "{reason}"
        );
        assert!(!steps(&["v2,secure_full".to_string()]).unwrap().is_empty());
    }
}

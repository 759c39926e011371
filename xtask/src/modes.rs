//! The build modes that the tests run in, and which test programs depend on the mode.

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

/// Test programs that no mode changes.
const HOST: &str = "host";

/// Test programs that take long: they run where the mode matters to them.
const LONG: &[&str] = &["faults_fork_locks", "large", "reuse"];

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

/// The tests in every build mode but the plain one, or those of one mode, `v2,secure`.
pub fn steps(arguments: &[String]) -> Result<Vec<Step>, String> {
    let all = all()?;
    match arguments {
        [] => Ok(all.into_iter().flat_map(|mode| mode.steps).collect()),
        [name] => {
            let names: Vec<String> = all.iter().map(|mode| mode.name.clone()).collect();
            let found = all.into_iter().find(|mode| mode.name == *name);
            found.map(|mode| mode.steps).ok_or_else(|| {
                format!(
                    "There is no mode `{name}`. The modes are:\n{}",
                    names.join("\n")
                )
            })
        }
        _ => Err("Name one mode, or none for all.".to_string()),
    }
}

struct Mode {
    name: String,
    steps: Vec<Step>,
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
    let mode = |name: &str, steps: Vec<Step>| Mode {
        name: name.to_string(),
        steps,
    };
    let cargo = Step::cargo;
    let mut modes = vec![
        mode(
            "v2",
            vec![
                cargo("build --features v2 --examples"),
                cargo("test --features v2 --test faults_fork_locks").words(&tests),
                cargo("test --features v2 --test host --").words(
                    "program_options_builds:: inlined:: quickstart:: examples:: example_packages::",
                ),
                cargo("test --workspace --features v2 --doc"),
                cargo("test -p mi-malloc --features v2 --test ui --test two_copies")
                    .words(&safe_tests),
            ],
        ),
        mode(
            "v3,release",
            vec![
                cargo("build --release --examples"),
                cargo("test --release --test large --test reuse").words(&tests),
                cargo("test --release --test host -- inlined:: quickstart:: examples::"),
                cargo("test -p mi-malloc --release").words(&safe_tests),
                // The other size of slices that the Rust code for small blocks supports.
                cargo("test --release --test model")
                    .words(GLOBAL)
                    .variable("MIMALLOC_SYS_DEFINES", "MI_ARENA_SLICE_SHIFT=17"),
                // Slices so small that a small block may be in a page of another size.
                cargo("test --release --test global samples_with_much_data")
                    .variable("MIMALLOC_SYS_DEFINES", "MI_ARENA_SLICE_SHIFT=14"),
            ],
        ),
        mode(
            "v2,release",
            vec![cargo("test --release --features v2").words(&tests)],
        ),
    ];
    // Without debug information the programs link in half the time.
    let quick = |words: &str| cargo(words).variable("CARGO_PROFILE_DEV_DEBUG", "0");
    for major in ["v3", "v2"] {
        for features in FEATURES {
            let name = format!("{major},{features}");
            let mut steps = vec![quick("test --features").words(&name).words(&tests)];
            if matches!(
                name.as_str(),
                "v3,secure_full" | "v3,debug_full" | "v2,debug_full"
            ) {
                let safe = quick("test -p mi-malloc --features").words(&name);
                steps.push(safe.words(&safe_in_modes));
            }
            if name == "v3,override" {
                steps.push(quick("test --features").words(&name).words(&long));
            }
            modes.push(Mode { name, steps });
        }
    }
    modes.push(mode(
        "assertions",
        vec![
            // In this profile it is `debug`, which `debug_full` includes.
            quick("test --features debug_in_debug --test global global_alloc::"),
            quick("test --features debug_in_debug --test processes options_set::"),
            // Upstream asserts the sizes of frees only in builds without guard pages.
            quick("test --features debug_full --test global global_alloc::")
                .variable("MIMALLOC_SYS_DEFINES", "MI_GUARDED=0"),
            // `MiMalloc`'s own entry points under upstream's full checks, which no feature has together: where
            // blocks are checked, the entry points are upstream's.
            quick("test")
                .words(GLOBAL)
                .variable("CFLAGS", "-DMI_DEBUG=3 -DMI_PADDING=0 -DMI_GUARDED=0"),
        ],
    ));
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
            let commands: String = mode.steps.iter().map(|step| format!("{step} ")).collect();
            for program in programs.iter().filter(|name| *name != HOST) {
                let is_there = commands.contains(&format!("--test {program} "));
                assert!(
                    is_there || LONG.contains(&program.as_str()),
                    "{}: {program}",
                    mode.name
                );
            }
        }
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

//! The translation units of the C, and the parts that `src/upstream.c` makes of upstream's files.

use crate::build::config::{Config, Features, Major};
use crate::build::plan;
use crate::build::units::{self, Unit};
use crate::build::version::{Release, Version};
use crate::default_config::for_linux;

fn units(config: &Config, is_msvc: bool) -> Vec<Unit> {
    let plan = plan::decide(config).unwrap();
    let files = units::own_files(config.major, &plan, plan.fast_path.code);
    units::of_files(config.major, &plan, &files, is_msvc)
}

fn whole(file: Option<&'static str>) -> Vec<Unit> {
    vec![Unit { file, part: None }]
}

fn parts(first: &'static str, second: &'static str) -> Vec<Unit> {
    let unit = |file, part| Unit {
        file: Some(file),
        part: Some(part),
    };
    vec![unit(first, 1), unit(second, 2)]
}

#[test]
fn the_pinned_v3_has_two_units() {
    let v3 = for_linux(Major::V3);
    assert_eq!(units(&v3, false), parts("src/global.c", "src/fork.c"));
    let with = |features| Config {
        features,
        ..for_linux(Major::V3)
    };
    let secure = with(Features {
        secure: true,
        ..Features::default()
    });
    assert_eq!(units(&secure, false), parts("src/secure.c", "src/fork.c"));
    let debug = with(Features {
        debug: true,
        ..Features::default()
    });
    assert_eq!(units(&debug, false), parts("src/upstream.c", "src/fork.c"));
    let mut windows = with(Features {
        debug: true,
        ..Features::default()
    });
    windows.target.os = "windows".into();
    windows.target.unix = false;
    windows.target.triple = "x86_64-pc-windows-gnu".into();
    assert_eq!(
        units(&windows, false),
        parts("src/upstream.c", "src/fork.c")
    );
}

#[test]
fn all_others_have_one() {
    let v3 = for_linux(Major::V3);
    assert_eq!(units(&v3, true), whole(Some("src/global.c")));
    let v2 = for_linux(Major::V2);
    assert_eq!(units(&v2, false), whole(Some("src/fork.c")));
    let bitcode = Config {
        lto: Some("fat".into()),
        opt_level: "3".into(),
        rust_flags: vec!["-Clinker-plugin-lto".into()],
        ..for_linux(Major::V3)
    };
    assert_eq!(units(&bitcode, false), whole(Some("src/global.c")));
    let checkout = Config {
        release: Some(Release {
            version: Version::supported(Major::V3),
            is_pinned: false,
        }),
        ..for_linux(Major::V3)
    };
    assert_eq!(units(&checkout, false), whole(None));
}

#[cfg(mi_v3)]
mod parts_of_upstream {
    use super::{for_linux, plan, Major};
    #[cfg(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu"))]
    use crate::inlined::definitions;
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    fn sources() -> &'static Path {
        Path::new(env!("MIMALLOC_SYS_SOURCES"))
    }

    /// The C files that a text includes.
    fn included(text: &str) -> Vec<&str> {
        text.lines()
            .filter_map(|line| line.strip_prefix("#include \""))
            .filter_map(|rest| rest.split('"').next())
            .filter(|file| file.ends_with(".c"))
            .collect()
    }

    #[test]
    fn each_file_is_in_one_part() {
        let upstream = fs::read_to_string(sources().join("src/static.c")).unwrap();
        let own = include_str!("../../src/upstream.c");
        let (_, lists) = own.split_once("#if MI_MALLOC_SYS_PART == 1\n").unwrap();
        let (lists, _) = lists.split_once("#else\n").unwrap();
        let (first, second) = lists.split_once("#elif MI_MALLOC_SYS_PART == 2\n").unwrap();
        let [mut all, mut both] = [included(&upstream), included(first)];
        assert!(!both.is_empty());
        both.extend(included(second));
        all.sort_unstable();
        both.sort_unstable();
        assert_eq!(both, all);
    }

    /// A variable of a header would exist in each part, and each would see only its own. Upstream's headers have none,
    /// since upstream compiles its files one by one too.
    #[cfg(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu"))]
    #[test]
    fn no_variable_is_in_both_parts() {
        let variables = |file: &str, part: u8| -> BTreeSet<String> {
            let assembly = compiler_output(file, part, &["-S", "-w", "-fdata-sections", "-o", "-"]);
            assembly
                .lines()
                .filter_map(|line| line.trim().strip_prefix(".type\t"))
                .filter_map(|rest| rest.strip_suffix(", @object"))
                .filter_map(|name| name.split('.').next()) // without the number of a function's static variable
                .filter(|name| name.starts_with("mi_malloc_sys_"))
                .map(str::to_string)
                .collect()
        };
        let first = variables("src/global.c", 1);
        let second = variables("src/fork.c", 2);
        assert!(first.contains("mi_malloc_sys_moves_to_skip"), "{first:?}");
        assert!(second.contains("mi_malloc_sys_kept"), "{second:?}");
        let both: Vec<&String> = first.intersection(&second).collect();
        assert!(both.is_empty(), "{both:?}");
    }

    /// Newer compilers refuse a call of a function that is not declared.
    #[cfg(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu"))]
    #[test]
    fn each_part_declares_what_it_calls() {
        for definition in [
            "USUAL",
            "MI_MALLOC_SYS_NO_REUSE",
            "MI_MALLOC_SYS_NO_MOVES",
            "MI_MALLOC_SYS_UPSTREAM_THP",
            "MI_MALLOC_SYS_NO_ATFORK",
        ] {
            for (file, part) in [
                ("src/global.c", 1),
                ("src/secure.c", 1),
                ("src/upstream.c", 1),
                ("src/fork.c", 2),
            ] {
                compiler_output(
                    file,
                    part,
                    &[
                        "-fsyntax-only",
                        "-Werror=implicit-function-declaration",
                        &format!("-D{definition}=1"),
                    ],
                );
            }
        }
    }

    /// What the compiler prints for a file as a part of a usual build.
    #[cfg(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu"))]
    fn compiler_output(file: &str, part: u8, options: &[&str]) -> String {
        let plan = plan::decide(&for_linux(Major::V3)).unwrap();
        let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".into());
        let output = std::process::Command::new(compiler)
            .arg("-I")
            .arg(sources().join("include"))
            .arg("-I")
            .arg(sources().join("src"))
            .args(definitions(&plan))
            .arg(format!("-DMI_MALLOC_SYS_PART={part}"))
            .args(options)
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(file))
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{file} {options:?}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

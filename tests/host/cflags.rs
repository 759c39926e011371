//! `CFLAGS` and similar variables, which override the options of this package: how the build responds, and that
//! programs and shared libraries still link and run.

use crate::build::arguments::{self, Adaptation};
use crate::build::config::{Config, Major, Target};
use crate::build::fast_path::Code;
use crate::build::object::{self, Object};
use crate::build::plan;
use crate::default_config;
use crate::folder::Folder;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn linux(arch: &str) -> Config {
    let target = Target {
        arch: arch.into(),
        os: "linux".into(),
        env: "gnu".into(),
        triple: format!("{arch}-unknown-linux-gnu"),
        unix: true,
        ..Target::default()
    };
    Config {
        opt_level: "3".into(),
        ..default_config::config(&target, Major::V3)
    }
}

/// The code for `MiMalloc` of a usual build.
const RUST: Code = Code::Rust {
    large_slices: false,
};

/// What becomes of the plan with a compiler that receives the plan's own options, as from `cc`, and then others.
fn adapted(config: &Config, others: &str) -> Result<Adaptation, String> {
    let plan = plan::decide(config).unwrap();
    let mut arguments = vec!["-O3".to_string(), "-fPIC".into()];
    if config.target.arch == "x86_64" {
        arguments.push("-m64".into());
    }
    arguments.extend(plan.flags.iter().map(|flag| flag.text.clone()));
    arguments.extend(plan.defines.iter().map(|define| match &define.value {
        Some(value) => format!("-D{}={}", define.name, value),
        None => format!("-D{}", define.name),
    }));
    arguments.extend(others.split_whitespace().map(str::to_string));
    arguments::adapt(config, &plan, &arguments)
}

/// What is added behind the user's options, each with a warning.
#[test]
fn options_that_are_overridden() {
    for (options, appended) in [
        ("", ""),
        // As Debian, Fedora and Arch set them.
        ("-g -O2 -fstack-protector-strong -fcf-protection -D_FORTIFY_SOURCE=3 -fstack-clash-protection", ""),
        ("-O2 -flto=auto -ffat-lto-objects -fexceptions -Wp,-D_GLIBCXX_ASSERTIONS", "-fno-lto"),
        ("-march=x86-64 -fno-plt -fno-omit-frame-pointer -mno-omit-leaf-frame-pointer", ""),
        ("-flto", "-fno-lto"),
        ("-flto=thin", "-fno-lto"),
        ("-flto=4 -flto-partition=none", "-fno-lto"),
        ("-flto -fno-lto", ""),
        ("-fno-lto -flto", "-fno-lto"),
        ("-flto-partition=none", ""),
        ("-fPIE", "-fPIC"),
        ("-fno-pic", "-fPIC"),
        ("-fno-pie -fpic", ""),
        ("-std=c89", "-std=gnu11"),
        ("-ansi", "-std=gnu11"),
        ("-std=iso9899:1990", "-std=gnu11"),
        ("-std=c89 -std=c11", ""),
        ("-std=gnu99", ""),
        ("-std=c++17", "-std=gnu11"),
        ("-fgnu89-inline", "-fno-gnu89-inline"),
        ("-fgnu89-inline -fno-gnu89-inline", ""),
        ("-x c++", "-xc"),
        ("-xc++", "-xc"),
        ("-x c++ -x c", ""),
        ("-DMI_MALLOC_OVERRIDE", "-fno-builtin-malloc"),
        ("-DMI_MALLOC_OVERRIDE -fno-builtin", ""),
        ("-DMI_MALLOC_OVERRIDE -fno-builtin -fbuiltin", "-fno-builtin-malloc"),
        ("-DMI_MALLOC_OVERRIDE -fno-builtin -femulated-tls", "-fno-emulated-tls"),
        ("-fno-lto -fPIE -flto -std=c90", "-fno-lto -fPIC -std=gnu11"),
        // Options that affect neither linking nor calls.
        ("-O0 -pg -finstrument-functions -funsigned-char -fvisibility=default -mtls-dialect=gnu2 -Werror", ""),
        ("-femulated-tls -ftls-model=global-dynamic -mcmodel=large -UNDEBUG", ""),
    ] {
        let got = adapted(&linux("x86_64"), options).unwrap();
        assert_eq!(got.appended.join(" "), appended, "{options}");
        assert_eq!(got.warnings.len(), got.appended.len(), "{options}");
    }
}

/// The object may be intermediate code though no argument requests it. The build corrects that once.
#[test]
fn link_time_optimisation_of_a_wrapper() {
    let plan = plan::decide(&linux("x86_64")).unwrap();
    let mut got = adapted(&linux("x86_64"), "-fno-lto").unwrap();
    assert!(arguments::end_link_time(&plan, &mut got));
    assert_eq!(got.appended, ["-fno-lto"]);
    assert!(!arguments::end_link_time(&plan, &mut got));
    let mut got = adapted(&linux("x86_64"), "-flto").unwrap();
    assert!(!arguments::end_link_time(&plan, &mut got));
}

/// If rustc receives another model, `cc` passes it to the C compiler too.
#[test]
fn a_relocation_model_of_rustcs() {
    let config = Config {
        rust_flags: vec!["-Crelocation-model=static".into()],
        ..linux("x86_64")
    };
    assert!(adapted(&config, "-fno-pic").unwrap().appended.is_empty());
}

#[test]
fn link_time_optimisation_that_is_requested() {
    let config = |kind: &str| Config {
        lto: Some(kind.into()),
        rust_flags: vec!["-Clinker-plugin-lto".into()],
        ..linux("x86_64")
    };
    for (kind, options, appended) in [
        ("thin", "", ""),
        ("thin", "-flto=thin", ""),
        ("thin", "-fno-lto", "-flto=thin"),
        ("thin", "-flto", "-flto=thin"),
        ("fat", "-flto=thin", "-flto=full"),
        ("fat", "-flto-partition=none", ""),
    ] {
        let got = adapted(&config(kind), options).unwrap();
        assert_eq!(got.appended.join(" "), appended, "{kind} {options}");
    }
}

#[test]
fn options_that_are_refused() {
    for (arch, options, refused) in [
        ("x86_64", "-m32", "-m32"),
        ("x86_64", "-m32 -m64", ""),
        ("x86_64", "-mx32", "-mx32"),
        ("x86", "-m64", "-m64"),
        ("x86", "-m32", ""),
        ("aarch64", "-mabi=lp64", ""),
        ("x86_64", "-fshort-enums", "-fshort-enums"),
        ("x86_64", "-fshort-enums -fno-short-enums", ""),
        ("x86_64", "-fshort-wchar", "-fshort-wchar"),
        ("x86_64", "-fpack-struct=4", "-fpack-struct=4"),
        ("x86_64", "-mabi=ms", "-mabi=ms"),
        ("x86_64", "-mabi=sysv", ""),
        ("x86", "-mregparm=3", "-mregparm=3"),
        ("x86", "-mregparm=3 -mregparm=0", ""),
        ("x86_64", "-fleading-underscore", "-fleading-underscore"),
    ] {
        match adapted(&linux(arch), options) {
            Ok(_) => assert_eq!(refused, "", "{arch} {options}"),
            Err(reason) => {
                let expected = format!("gets `{refused}`");
                assert!(reason.contains(&expected), "{arch} {options}: {reason}");
            }
        }
    }
}

/// Definitions determine what `MiMalloc` may do, whichever variable they come from.
#[test]
fn definitions_of_cflags() {
    for (options, exact_size) in [
        ("", false),
        ("-DMI_PADDING=1", true),
        ("-DMI_PADDING", true),
        ("-D MI_PADDING=1", true),
        ("-DMI_PADDING=1 -U MI_PADDING", false),
        ("-DMI_SECURE=4", true),
        ("-DMI_DEBUG=3", true),
        ("-DMI_DEBUG=3 -DMI_PADDING=0 -DMI_GUARDED=0", false),
        ("-UMI_GUARDED -DMI_GUARDED=1", true),
        ("-UNDEBUG", false),
        ("-UNDEBUG -UMI_BUILD_RELEASE", true),
        ("-DMI_XMALLOC=1", false),
    ] {
        let got = adapted(&linux("x86_64"), options).unwrap();
        let expected = match exact_size {
            true => Code::Upstream { exact_size },
            false => RUST,
        };
        assert_eq!(got.fast_path.code, expected, "{options}");
    }
}

/// Whether `src/singleton_pages.h` still retains pages.
#[test]
fn definitions_of_cflags_and_retained_pages() {
    for (options, retained) in [
        ("", true),
        ("-DMI_XMALLOC=1", true),
        ("-DMI_ENABLE_LARGE_PAGES=0", true),
        ("-DMI_ENABLE_LARGE_PAGES=1", false),
        ("-DMI_DEBUG=3 -DMI_PADDING=0 -DMI_GUARDED=0", false),
        ("-UNDEBUG -UMI_BUILD_RELEASE", false),
        ("-DMI_PADDING=1", false),
        ("-UMI_PROFILE -DMI_PROFILE=2", false),
        ("-UMI_STATS -DMI_STATS=2", false),
        ("-DMI_MALLOC_SYS_NO_REUSE", false),
    ] {
        let got = adapted(&linux("x86_64"), options).unwrap();
        assert_eq!(got.retained_pages, retained, "{options}");
    }
    let mut v2 = linux("x86_64");
    v2.major = Major::V2;
    assert!(!adapted(&v2, "").unwrap().retained_pages);
}

#[test]
fn mitigations_that_cflags_disable() {
    let secure = || {
        let mut config = linux("x86_64");
        config.features.secure = true;
        config
    };
    let upstream = Code::Upstream { exact_size: false };
    for (options, expected) in [
        ("-DMI_SECURE=4", Code::Secure),
        ("-DMI_SECURE=4 -UMI_SECURE -DMI_SECURE=0", upstream),
        ("-DMI_SECURE=4 -UMI_SECURE", upstream),
    ] {
        let got = adapted(&secure(), options).unwrap();
        assert_eq!(got.fast_path.code, expected, "{options}");
    }
}

#[test]
fn code_that_calls_a_runtime() {
    let sanitized = Config {
        sanitizers: vec!["address".into()],
        ..linux("x86_64")
    };
    for (config, options, named) in [
        (linux("x86_64"), "-fsanitize=address", "-fsanitize=address"),
        (
            linux("x86_64"),
            "-fsanitize=address,undefined -fno-sanitize=address",
            "-fsanitize=undefined",
        ),
        (linux("x86_64"), "-fsanitize=address -fno-sanitize=all", ""),
        (sanitized, "-fsanitize=address", ""),
        (linux("x86_64"), "--coverage", "--coverage"),
    ] {
        let got = adapted(&config, options).unwrap();
        let said = &got.warnings;
        assert_eq!(said.len(), usize::from(!named.is_empty()), "{options}");
        for warning in said {
            let link = format!("-Clink-arg={named}");
            assert!(warning.ends_with(&link), "{options}: {warning}");
        }
        let sanitizer = named.contains("sanitize") || !config.sanitizers.is_empty();
        assert_eq!(got.fast_path.code == RUST, !sanitizer, "{options}");
    }
}

/// Objects by this machine's compiler.
#[test]
fn what_an_object_shows() {
    let folder = Folder::new("cflags-objects");
    let source = folder.join("some.c");
    let code = "_Thread_local int *here;\nint *mi_version(void) { return here; }\n\
                static int own(void) { return 1; }\nint (*pointer)(void) = own;\nint other(void);\nint (*further)(void) = other;\n";
    fs::write(&source, code).unwrap();
    let compile = |options: &str| {
        let output = folder.join("some.o");
        let done = Command::new("gcc")
            .args(["-c", "-fPIC", "-o"])
            .arg(&output)
            .args(options.split_whitespace())
            .arg(&source)
            .output();
        match done {
            Ok(done) if done.status.success() => Some(fs::read(output).unwrap()),
            Ok(done) => panic!("{}", String::from_utf8_lossy(&done.stderr)),
            Err(_) => None,
        }
    };
    let bytes = match compile("-ftls-model=initial-exec -g") {
        Some(bytes) => bytes,
        None => {
            println!("not run: there is no gcc");
            return;
        }
    };
    let elf = |options: &str| match object::object(&compile(options).unwrap()) {
        Object::Elf(elf) => elf,
        other => panic!("{options}: {other:?}"),
    };
    let found = object::object(&bytes);
    assert!(found.has_initial_exec("here") && !found.has_initial_exec("there"));
    let initial = elf("-ftls-model=initial-exec -g");
    assert_eq!(initial.functions, ["mi_version"]);
    assert_eq!(initial.thread_locals, ["here"]);
    assert!(!initial.dynamic_tls && !initial.slim);
    assert!(object::is_for(
        &initial,
        &linux(std::env::consts::ARCH).target
    ));
    for arch in ["x86", "arm", "s390x", "riscv64"] {
        assert!(!object::is_for(&initial, &linux(arch).target), "{arch}");
    }
    assert!(object::is_for(&initial, &linux("unheard-of").target));
    assert!(elf("-ftls-model=global-dynamic").dynamic_tls);
    assert!(elf("-flto -fno-fat-lto-objects").slim);
    assert!(!elf("-flto -ffat-lto-objects").slim);
    assert!(!elf("-flto -fno-lto").slim);

    // In an archive, behind its tables.
    let member = |name: &str, bytes: &[u8]| {
        let mut member = format!("{name:<48}{:<10}`\n", bytes.len()).into_bytes();
        member.extend(bytes);
        member.resize(member.len() + bytes.len() % 2, b'\n');
        member
    };
    let archive = [
        b"!<arch>\n".to_vec(),
        member("/", b"odd"),
        member("some.o/", &bytes),
    ]
    .concat();
    assert_eq!(object::of_archive(&archive), found);
    // Each of its objects counts.
    let dynamic = compile("-ftls-model=global-dynamic -Dhere=elsewhere").unwrap();
    let two = [archive.clone(), member("other.o/", &dynamic)].concat();
    match object::of_archive(&two) {
        Object::Elf(both) => {
            assert_eq!(both.thread_locals, ["here", "elsewhere"]);
            assert!(both.dynamic_tls && !both.slim);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(object::object(b"BC\xC0\xDE rest"), Object::Bitcode);
    // A truncated file is not an object, and causes no panic.
    for length in 0..bytes.len() {
        let _ = object::object(&bytes[..length]);
    }
    assert_eq!(object::of_archive(&archive[..100]), Object::Other);
    assert_eq!(object::of_archive(b""), Object::Other);
}

/// A build of `checks/platforms/program` and `plugin`, and its expected result.
struct Row {
    options: &'static str,
    /// Other variables.
    with: &'static [(&'static str, &'static str)],
    /// Rust code serves small blocks, which needs thread-locals at a fixed offset.
    inlined: bool,
    /// Its description in the build's output.
    fast_path: &'static str,
    /// The plug-in uses such thread-locals, in the space that the program has for them.
    fixed: bool,
}

const fn row(options: &'static str, inlined: bool, fixed: bool) -> Row {
    Row {
        options,
        with: &[],
        inlined,
        fast_path: if inlined { "Rust code" } else { "(" },
        fixed,
    }
}

/// A definition under which the C compiler does not confirm what the Rust code assumes, and its reason.
const NOT_CONFIRMED: (&str, &str) = if cfg!(mi_v2) {
    (
        "-DMI_STAT=1 -O0",
        "(src/global/inlined_v2.c: #error \"blocks are counted one by one\")",
    )
} else {
    (
        "-DMI_STATS=2 -O0",
        "(src/global/inlined.c: #error \"blocks are counted or sampled one by one\")",
    )
};

/// The compiler that the crate is built with, usually gcc.
#[test]
fn programs_with_the_usual_compiler() {
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    let distribution = "-g -O2 -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fstack-clash-protection -flto -ffat-lto-objects";
    run(
        &compiler,
        &[
            row(
                "-O1 -flto -fno-pic -std=c89 -fgnu89-inline -fvisibility=default",
                true,
                true,
            ),
            row(distribution, true, true),
            Row {
                fast_path:
                    "(the object's thread-local variables are not of the model initial-exec)",
                ..row("-ftls-model=global-dynamic -fPIE -O0", false, false)
            },
            Row {
                fast_path: NOT_CONFIRMED.1,
                ..row(NOT_CONFIRMED.0, false, true)
            },
        ],
    );
}

/// `checks/platforms/run cflags` runs it, if there is a clang.
#[test]
#[ignore = "needs clang and lld: checks/platforms/run cflags"]
fn programs_with_clang() {
    let compiler = std::env::var("CC").unwrap_or_else(|_| "clang-19".into());
    const PLUG_IN: (&str, &str) = ("RUSTFLAGS", "-Clinker-plugin-lto");
    run(
        &compiler,
        &[
            row("-flto", true, true),
            row("-flto=thin -fPIE", true, true),
            row("-femulated-tls", false, false),
            row("-ftls-model=local-dynamic", false, false),
            Row {
                with: &[PLUG_IN], // then `cc` requests bitcode
                ..row("", true, true)
            },
            Row {
                with: &[PLUG_IN, ("MIMALLOC_SYS_LTO", "thin")],
                ..row("-fno-lto -O0", false, true)
            },
            Row {
                with: &[PLUG_IN, ("MIMALLOC_SYS_LTO", "thin")],
                ..row("-flto=full -femulated-tls", false, true)
            },
        ],
    );
}

fn run(compiler: &str, rows: &[Row]) {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("checks/platforms/Cargo.toml");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cflags");
    let major = if cfg!(mi_v2) { "v2" } else { "v3" };
    for row in rows {
        let about = format!("{} {} {:?}", compiler, row.options, row.with);
        let output = Command::new(env!("CARGO"))
            .args(["build", "--release", "--locked", "--manifest-path"])
            .arg(&manifest)
            .args(["-p", "program", "-p", "plugin", "-p", "host"])
            .args(["--features", major, "--message-format", "json"])
            .env("CARGO_TARGET_DIR", &target)
            .env("CC", compiler)
            .env("CFLAGS", format!("-O1 {}", row.options)) // compiles mimalloc in half of the time
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .envs(row.with.iter().copied())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{about}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let printed = String::from_utf8(output.stdout).unwrap();
        let script = printed
            .lines()
            .find(|line| line.contains("build-script-executed") && line.contains("mi-malloc-sys"));
        let script = script.unwrap();
        let is_rust = script.contains(r#""mi_fast_path=\"rust\"""#);
        assert_eq!(is_rust, row.inlined, "{about}");
        let fast_path = fast_path(script);
        assert!(fast_path.contains(row.fast_path), "{about}: {fast_path}");
        let release = target.join("release");
        let plugin = release.join("libplugin.so");
        succeeds(Command::new(release.join("program")), &about);
        let mut host = Command::new(release.join("host"));
        host.arg(&plugin).arg("copies");
        succeeds(host, &about);
        assert_eq!(has_fixed_thread_locals(&plugin), row.fixed, "{about}");
    }
}

/// The line about the fast path in the output of a build script that Cargo reports.
fn fast_path(script: &str) -> String {
    let (_, out_dir) = script.split_once("\"out_dir\":\"").unwrap();
    let out_dir = out_dir.split('"').next().unwrap();
    let output = fs::read_to_string(Path::new(out_dir).join("../output")).unwrap();
    let mut lines = output
        .lines()
        .filter(|line| line.starts_with("fast path: "));
    let line = lines.next().unwrap().to_string();
    assert_eq!(lines.next(), None, "{output}");
    line
}

fn succeeds(mut program: Command, about: &str) {
    let output = program.output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success() && printed.lines().any(|line| line.starts_with("passed ")),
        "{about}: {program:?}\n{printed}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A flag of the library shows this to the loader (`DF_STATIC_TLS`).
fn has_fixed_thread_locals(library: &PathBuf) -> bool {
    let bytes = fs::read(library).unwrap();
    let number = |at: usize, size: usize| {
        let mut number = [0; 8];
        number[..size].copy_from_slice(&bytes[at..at + size]);
        u64::from_le_bytes(number) as usize
    };
    let (headers, each, count) = (number(32, 8), number(54, 2), number(56, 2));
    let dynamic = (0..count)
        .map(|index| headers + index * each)
        .find(|at| number(*at, 4) == 2)
        .unwrap();
    let (start, size) = (number(dynamic + 8, 8), number(dynamic + 32, 8));
    (start..start + size)
        .step_by(16)
        .any(|at| number(at, 8) == 30 && number(at + 8, 8) & 16 != 0)
}

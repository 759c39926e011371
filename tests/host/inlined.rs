//! Compiles `src/global/inlined.c`, and for v2 `inlined_v2.c`, with upstream's headers. The C compiler accepts it with
//! the definitions of a usual build, and refuses it if a definition changes upstream's internals from what `inlined.rs`
//! or `inlined_v2.rs` assumes. Also checks what `src/global.c` derives from upstream's constants.

use crate::build::config::{Config, Define, Major};
use crate::build::fast_path::{self, Code};
use crate::build::plan::{self, Plan};
use crate::default_config;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

fn usual_build() -> Config {
    Config {
        opt_level: "3".into(),
        ..default_config::for_linux(MAJOR)
    }
}

const MAJOR: Major = if cfg!(mi_v2) { Major::V2 } else { Major::V3 };

/// The C that the compiler checks, and the Rust code whose assumptions it contains.
const INLINED: [&str; 2] = if cfg!(mi_v2) {
    ["src/global/inlined_v2.c", "src/global/inlined_v2.rs"]
} else {
    ["src/global/inlined.c", "src/global/inlined.rs"]
};

/// The definitions of a plan, as arguments of the compiler.
pub fn definitions(plan: &Plan) -> Vec<String> {
    let argument = |define: &Define| {
        let value = define.value.as_deref().unwrap_or("1");
        format!("-D{}={}", define.name, value)
    };
    plan.defines.iter().map(argument).collect()
}

/// What the compiler prints for the file with the definitions of a usual build and others after them: nothing, if
/// it accepts it.
fn compiler_message(others: &[&str]) -> String {
    compiler_message_with(&usual_build(), others)
}

fn compiler_message_with(config: &Config, others: &[&str]) -> String {
    compiler_message_for("", INLINED[0], config, others)
}

/// What it prints for a file that is followed by some lines of C.
fn compiler_message_for(lines: &str, file: &str, config: &Config, others: &[&str]) -> String {
    let sources = Path::new(env!("MIMALLOC_SYS_SOURCES"));
    let plan = plan::decide(config).unwrap();
    assert!(matches!(plan.fast_path.code, Code::Rust { .. }));
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    let mut child = Command::new(compiler)
        .args(["-fsyntax-only", "-w", "-I"])
        .arg(sources.join("include"))
        .arg("-I")
        .arg(sources.join("src"))
        .args(definitions(&plan))
        .args(others)
        .args(["-x", "c", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let text = format!("#include \"{}\"\n{}", file.display(), lines);
    let mut input = child.stdin.take().unwrap();
    input.write_all(text.as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    let printed = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(printed.is_empty(), output.status.success(), "{}", printed);
    printed
}

/// Each row: definitions, and what the compiler prints for them.
fn assert_compiler_messages(rows: &[(&str, &str)]) {
    for (others, expected) in rows {
        let others: Vec<&str> = others.split(' ').collect();
        let printed = compiler_message(&others);
        assert!(printed.contains(expected), "{:?}: {}", others, printed);
    }
}

#[test]
fn a_usual_build_has_the_layout_that_rust_assumes() {
    assert_eq!(compiler_message(&[]), "");
    assert_eq!(compiler_message(&["-DMI_SHOW_ERRORS=1", "-O0"]), "");
}

/// The reason in the build's output.
#[test]
fn the_assertion_that_failed_is_named() {
    let reason = |printed: &str| fast_path::failed_assertion(INLINED[0], printed);
    let message = reason(&compiler_message(&["-DMI_DEBUG=1"]));
    let expected = format!("{}: #error \"blocks are checked\"", INLINED[0]);
    assert!(message.starts_with(&expected), "{message}");
    let lines = "_Static_assert(sizeof(mi_page_t) == 1, \"another size\");\n";
    let message = reason(&compiler_message_for(
        lines,
        INLINED[0],
        &usual_build(),
        &[],
    ));
    assert!(message.contains("\"another size\""), "{message}");
    // Other compilers and languages.
    assert_eq!(
        reason("\nx.c:1: Fehler: y\n"),
        format!("{}: x.c:1: Fehler: y", INLINED[0])
    );
    assert_eq!(
        reason(""),
        format!("{}: the compiler refuses it", INLINED[0])
    );
}

#[cfg(mi_v2)]
#[test]
fn other_layouts_are_refused() {
    assert_compiler_messages(&[
        ("-DMI_DEBUG=1", "blocks are checked"),
        ("-DMI_SECURE=4", "blocks are checked"),
        ("-DMI_PADDING=1", "blocks are checked"),
        ("-DMI_GUARDED=1", "blocks are checked"),
        ("-DMI_ENCODE_FREELIST=1", "blocks are checked"),
        ("-DMI_TSAN=1", "blocks are checked"),
        ("-DMI_STAT=1", "blocks are counted one by one"),
        ("-DMI_TLS_SLOT=5", "heaps are found"),
        ("-DMI_TLS_RECURSE_GUARD=1", "heaps are found"),
        ("-DMI_PRIM_THREAD_ID=number", "threads are identified"),
        ("-DMI_SEGMENT_SLICE_SHIFT=17", "segments have another size"),
        ("-DMI_SEGMENT_SHIFT=26", "segments have another size"),
    ]);
}

/// The numbers of `inlined_v2.rs` are those of `inlined_v2.c`.
#[cfg(mi_v2)]
#[test]
fn rust_has_the_numbers_that_c_confirms() {
    let text = |name| std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name));
    let [c, rust] = INLINED.map(|name| text(name).unwrap());
    for (in_c, in_rust) in [
        ("sizeof(mi_slice_t) == 96,", "const META_SIZE: usize = 96;"),
        (
            "AT(mi_segment_t, thread_id, 0x118);",
            "const THREAD_ID_OFFSET: usize = 0x118;",
        ),
        (
            "AT(mi_segment_t, slices, 0x120);",
            "const SLICES_OFFSET: usize = 0x120;",
        ),
        (
            "AT(mi_heap_t, pages_free_direct, 0x100);",
            "const PAGES_FREE_DIRECT_OFFSET: usize = 0x100;",
        ),
        (
            "MI_SEGMENT_SIZE == 32 * MI_MiB",
            "const SEGMENT_SIZE: usize = 32 << 20;",
        ),
        (
            "MI_SEGMENT_SLICE_SIZE == 64 * MI_KiB",
            "const SLICE_SIZE: usize = 64 << 10;",
        ),
    ] {
        assert!(c.contains(in_c) && rust.contains(in_rust), "{in_rust}");
    }
}

/// Twice the usual size is supported too, if a definition of the plan sets it: only then the Rust code has it.
#[cfg(mi_v3)]
#[test]
fn slices_of_another_size() {
    let with = |shift: &str| Config {
        defines: vec![Define {
            name: "MI_ARENA_SLICE_SHIFT".into(),
            value: Some(shift.into()),
        }],
        ..usual_build()
    };
    for (shift, large) in [("16", false), ("17", true)] {
        let plan = plan::decide(&with(shift)).unwrap();
        assert_eq!(plan.is_on(fast_path::LARGE_SLICES), large);
        assert_eq!(compiler_message_with(&with(shift), &[]), "");
    }
    let usual = ["-UMI_ARENA_SLICE_SHIFT"];
    for printed in [
        compiler_message_with(&with("15"), &[]),
        compiler_message_with(&with("18"), &[]),
        compiler_message_with(&with("17"), &usual),
    ] {
        assert!(
            printed.contains("small pages have another size"),
            "{}",
            printed
        );
    }
}

#[cfg(mi_v3)]
#[test]
fn other_layouts_are_refused() {
    assert_compiler_messages(&[
        ("-DMI_DEBUG=1", "blocks are checked"),
        ("-DMI_SECURE=4", "blocks are checked"),
        ("-DMI_PADDING=1", "blocks are checked"),
        ("-UMI_GUARDED -DMI_GUARDED=1", "blocks are checked"),
        ("-DMI_ENCODE_FREELIST=1", "blocks are checked"),
        ("-DMI_TSAN=1", "blocks are checked"),
        ("-UMI_STATS -DMI_STATS=2", "counted or sampled one by one"),
        (
            "-UMI_PROFILE -DMI_PROFILE=2",
            "counted or sampled one by one",
        ),
        ("-DMI_QSBR=1", "a page that becomes empty"),
        ("-DMI_TLS_MODEL_PTHREADS=1", "theaps are found"),
        ("-DMI_TLS_RECURSE_GUARD=1", "theaps are found"),
        ("-DMI_PRIM_THREAD_ID=number", "threads are identified"),
        ("-DMI_FREE_USE_PAGEMAP=1", "pages are found"),
        (
            "-UMI_OPT_FREE_SMALL -DMI_OPT_FREE_SMALL=1",
            "pages are found",
        ),
        ("-DMI_ARENA_SLICE_SHIFT=17", "small pages have another size"),
    ]);
}

/// The fields of `inlined.rs`, in Rust's order and of Rust's sizes, are upstream's of the same names.
#[test]
fn rust_has_the_fields_where_c_has_them() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(INLINED[1]);
    let text = std::fs::read_to_string(file).unwrap();
    let assertions = |fields: &[(String, usize)]| {
        let mut offset: usize = 0;
        let mut assertions = String::new();
        for (name, size) in fields {
            if ["bits", "zero_and_retire"].contains(&name.as_str()) {
                offset = offset.next_multiple_of(*size) + size; // bit fields, which have no offset
                continue;
            }
            // As `repr(C)` lays them out.
            offset = (offset + size - 1) / size * size;
            assertions += &format!(
                "_Static_assert(offsetof(mi_page_t, {name}) == {offset} && sizeof(((mi_page_t*)0)->{name}) == {size}, \
                 \"{name}\");\n"
            );
            offset += size;
        }
        assertions
    };
    let of = |fields: &[(String, usize)]| {
        let lines = assertions(fields);
        compiler_message_for(&lines, INLINED[0], &usual_build(), &[])
    };
    let fields = fields_of(&text, "Page");
    assert!(fields.len() >= 10, "{fields:?}");
    assert_eq!(of(&fields), "");

    // The comparison can fail.
    for index in 1..fields.len() {
        let mut wrong = fields.clone();
        wrong.swap(index - 1, index);
        assert!(of(&wrong).contains("static assertion failed"), "{wrong:?}");
    }
}

/// Names and sizes of the fields of a struct in Rust's source text.
fn fields_of(text: &str, name: &str) -> Vec<(String, usize)> {
    let start = text.find(&format!("#[repr(C)]\nstruct {name} {{")).unwrap();
    let body = &text[start..];
    let body = &body[..body.find("\n}").unwrap()];
    body.lines()
        .skip(2)
        .map(str::trim)
        .filter(|line| !line.starts_with("//"))
        .map(|line| {
            let (name, kind) = line.trim_end_matches(',').split_once(": ").unwrap();
            let size = match kind {
                "u8" => 1,
                "u16" => 2,
                "u32" => 4,
                "u64" | "usize" | "AtomicUsize" => 8,
                pointer if pointer.starts_with("*mut ") => 8,
                other => panic!("a field of type {other}"),
            };
            // `self` is a keyword in Rust.
            (name.trim_end_matches('_').to_string(), size)
        })
        .collect()
}

/// Where the constants do not fit, `global.c` and `secure.c` use upstream's functions.
#[cfg(mi_v3)]
#[test]
fn constants_that_do_not_fit_turn_fast_paths_off() {
    let is_on = |condition: &str, definitions: &[&str]| {
        let lines = format!("#if !({condition})\n#error \"is off\"\n#endif");
        let printed = compiler_message_for(&lines, "src/global.c", &usual_build(), definitions);
        assert!(
            printed.is_empty() || printed.contains("is off"),
            "{printed}"
        );
        printed.is_empty()
    };
    for shift in 14..=19 {
        let definition = format!("-DMI_ARENA_SLICE_SHIFT={shift}");
        let in_small_page = is_on("MI_MALLOC_SYS_IN_SMALL_PAGE", &[&definition]);
        assert_eq!(in_small_page, shift > 14, "{definition}");
    }
    let short = |definitions: &[&str]| is_on("MI_MALLOC_SYS_HAVE_FAST_PATH", definitions);
    assert!(short(&[]));
    assert!(short(&["-DMI_MAX_ALIGN_SIZE=32"]));
    assert!(short(&[
        "-UMI_ENABLE_LARGE_PAGES",
        "-DMI_ENABLE_LARGE_PAGES=1"
    ]));
    for other in [
        "-UMI_STATS -DMI_STATS=2",
        "-UMI_PROFILE -DMI_PROFILE=2",
        "-DMI_PADDING=1",
        "-DMI_SECURE=4",
    ] {
        let definitions: Vec<&str> = other.split(' ').collect();
        assert!(!short(&definitions), "{other}");
    }
    let secure = |definitions: &str| {
        let lines = "#if !MI_MALLOC_SYS_SECURE\n#error \"is off\"\n#endif";
        let definitions: Vec<&str> = definitions.split_whitespace().collect();
        let printed = compiler_message_for(lines, "src/secure.c", &usual_build(), &definitions);
        assert!(
            printed.is_empty() || printed.contains("is off"),
            "{printed}"
        );
        printed.is_empty()
    };
    for level in ["3", "4", "5"] {
        assert!(secure(&format!("-DMI_SECURE={level}")), "{level}");
    }
    assert!(secure("-DMI_SECURE=4 -UMI_GUARDED -DMI_GUARDED=1"));
    // With pages in the page map.
    assert!(secure("-DMI_SECURE=4 -DMI_FREE_USE_PAGEMAP=1"));
    assert!(secure("-DMI_SECURE=4 -DMI_FREE_IS_CHECKED=1"));
    for other in [
        "",
        "-DMI_SECURE=2",
        "-DMI_SECURE=4 -DMI_PADDING=0",
        "-DMI_SECURE=4 -DMI_DEBUG=1",
        "-DMI_SECURE=4 -UMI_STATS -DMI_STATS=2",
        "-DMI_SECURE=4 -DMI_MAX_ALIGN_SIZE=32",
    ] {
        assert!(!secure(other), "{other}");
    }
    let printed = compiler_message_for(
        "",
        "src/global.c",
        &usual_build(),
        &["-DMI_MAX_ALIGN_SIZE=8"],
    );
    assert!(printed.contains("aligned to 16 bytes"), "{printed}");
}

//! The checks can fail: the fixture has one fault of each kind, and every one is reported by name.

use std::path::{Path, PathBuf};
use std::process::Command;
use systest::exceptions::{Exception, Side};
use systest::{Subject, check, run};

/// The item, a word that the report must contain for it, and the ABIs that show the fault.
const EVERYWHERE: &str = "";
#[rustfmt::skip] // one line for each
const FAULTS: &[(&str, &str, &str)] = &[
    // Only in the header.
    ("FX_MISSING_VALUE", "#define FX_MISSING_VALUE 1", EVERYWHERE),
    ("fx_fields_t.dropped", "int dropped", EVERYWHERE),
    ("fx_missing", "void fx_missing(void* p)", EVERYWHERE),
    ("fx_missing_t", "typedef struct fx_missing_s", EVERYWHERE),
    // Only in the bindings.
    ("fx_fields_t.invented", "no such field", EVERYWHERE),
    ("fx_stale", "no header declares it", EVERYWHERE),
    // Different.
    ("FX_WRONG_VALUE", "the value is -7 in C and 7 in Rust", EVERYWHERE),
    ("fx_aligned_t", "the alignment is 8 in C and 4 in Rust", "i686"),
    ("fx_aligned_t", "the size is 16 in C and 12 in Rust", "i686"),
    ("fx_aligned_t.total", "the offset is 8 in C and 4 in Rust", "i686"),
    ("fx_another_kind", "of another kind", EVERYWHERE),
    ("fx_extern_inline", "is inline in the header", EVERYWHERE),
    ("fx_mode_wrong_type", "is of type c_int instead of fx_mode_t", EVERYWHERE),
    ("fx_mode_wrong_value", "the value is 5 in C and 1 in Rust", EVERYWHERE),
    ("fx_not_in_the_table", "`i16` has no C type in the table", EVERYWHERE),
    ("fx_order_t.first", "the offset is 0 in C and 4 in Rust", EVERYWHERE),
    ("fx_order_t.second", "the offset is 4 in C and 0 in Rust", EVERYWHERE),
    ("fx_replaced_in_vain", "the library defines it", EVERYWHERE),
    ("fx_repr_t", "is not `repr(C)`", EVERYWHERE),
    ("fx_sign_t.seen", "header: int64_t seen; binding: uint64_t seen", EVERYWHERE),
    ("fx_undefined", "the library does not define it", EVERYWHERE),
    ("fx_wrong_argument", "binding: void fx_wrong_argument(size_t)", EVERYWHERE),
    ("fx_wrong_argument_on_32_bits", "binding: void fx_wrong_argument_on_32_bits(size_t)", "i686 windows"),
    ("fx_wrong_arity", "binding: void fx_wrong_arity(void *)", EVERYWHERE),
    ("fx_wrong_callback", "binding: void fx_wrong_callback(fx_right_fun **)", EVERYWHERE),
    ("fx_wrong_constness", "binding: void fx_wrong_constness(void *)", EVERYWHERE),
    ("fx_wrong_fun", "binding: bool fx_wrong_fun(fx_opaque_t *, size_t, void *)", EVERYWHERE),
    ("fx_wrong_id_t", "binding: void *fx_wrong_id_t", EVERYWHERE),
    ("fx_wrong_inline", "binding: size_t fx_wrong_inline(int)", EVERYWHERE),
    ("fx_wrong_order", "parameter `alignment` is number 2 in the header and 1", EVERYWHERE),
    ("fx_wrong_result", "binding: int fx_wrong_result(void *)", EVERYWHERE),
    ("fx_wrong_result_tp", "returns something else", EVERYWHERE),
    ("fx_wrong_tp", "binding: void *fx_wrong_tp(void *, int, size_t)", EVERYWHERE),
    // A fault without a counterpart in the header.
    ("fx_excepted_in_vain", "is not needed any more", EVERYWHERE),
    ("fx_gone", "is not needed any more", EVERYWHERE),
];

const fn exception(name: &'static str) -> Exception {
    Exception {
        majors: &[],
        side: Side::Header,
        name,
        reason: "for the test",
    }
}

static EXCEPTIONS: [Exception; 4] = [
    exception("FIXTURE_H"),
    exception("fx_excepted"),
    exception("fx_excepted_in_vain"),
    exception("fx_gone"),
];

#[test]
fn every_fault_is_reported_and_nothing_else() {
    let scratch = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("fixture");
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixture");
    let subject = Subject {
        name: "fixture".into(),
        version: "of no version".into(),
        crate_root: fixture.join("fixture.rs"),
        cfgs: vec!["line=\"fixture\"".into()],
        archive: Some(library(&fixture, &scratch)),
        include: fixture,
        headers: vec!["fixture.h".into()],
        exceptions: EXCEPTIONS.iter().collect(),
        scratch,
    };
    let report = check(&subject).unwrap();
    println!("{report}");

    let mut expected: Vec<&(&str, &str, &str)> = FAULTS.iter().collect();
    let mut unexpected = Vec::new();
    for (fault, places) in report.faults() {
        let place = expected
            .iter()
            .position(|(name, text, _)| *name == fault.name && fault.text.contains(text));
        match place {
            Some(place) => {
                let (_, _, abis) = expected.remove(place);
                let shown_elsewhere = places.iter().find(|place| {
                    *abis != EVERYWHERE && !abis.split(' ').any(|abi| place.target.contains(abi))
                });
                assert_eq!(shown_elsewhere, None, "{}", fault.name);
            }
            None => unexpected.push(format!("{}: {}", fault.name, fault.text)),
        }
    }
    // A fault that only a foreign ABI shows is not found where the compilers for it are missing.
    expected.retain(|(_, _, abis)| *abis == EVERYWHERE || report.checks_not_run() == 0);
    assert!(expected.is_empty(), "not reported: {expected:#?}");
    assert!(
        unexpected.is_empty(),
        "reported without cause: {unexpected:#?}"
    );
}

/// Compiles fixture.c into an archive.
fn library(fixture: &Path, scratch: &Path) -> PathBuf {
    std::fs::create_dir_all(scratch).unwrap();
    let (object, archive) = (scratch.join("fixture.o"), scratch.join("libfixture.a"));
    let source = fixture.join("fixture.c");
    run::output(
        Command::new("gcc")
            .arg("-c")
            .arg(&source)
            .arg("-o")
            .arg(&object),
    )
    .unwrap();
    run::output(Command::new("ar").arg("rcs").arg(&archive).arg(&object)).unwrap();
    archive
}

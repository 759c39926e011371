//! The C that this crate compiles is upstream's, byte for byte: every file is compared with the
//! list in `c_src/`, and the list with a second package that carries the same releases.

use mimalloc_vendor::{list, witness, Fault};
use std::fs;
use std::path::Path;

#[cfg(mi_v3)]
const MAJOR: &str = "v3";
#[cfg(mi_v2)]
const MAJOR: &str = "v2";

/// What is compiled and what dependents read. (The witness carries no tests.)
const PARTS: [&str; 3] = ["LICENSE", "include", "src"];

fn sources() -> &'static Path {
    Path::new(env!("MIMALLOC_SYS_SOURCES"))
}

/// The user's own source tree need not be upstream's release.
fn is_own_checkout() -> bool {
    let own = std::env::var_os("MIMALLOC_SYS_SOURCE_DIR").is_some();
    if own {
        println!("not run: MIMALLOC_SYS_SOURCE_DIR names other sources than the pinned ones");
    }
    own
}

#[test]
fn what_was_compiled_is_as_listed() {
    if is_own_checkout() {
        return;
    }
    let list = list(MAJOR).unwrap();
    assert!(
        list.0.keys().any(|path| path == "src/static.c"),
        "the list is of something else"
    );
    assert_eq!(list.faults(sources(), &PARTS).unwrap(), []);
}

#[test]
fn an_altered_a_missing_and_a_new_file_are_found() {
    if is_own_checkout() {
        return;
    }
    let tree = Path::new(env!("CARGO_TARGET_TMPDIR")).join("provenance-altered");
    let _ = fs::remove_dir_all(&tree);
    let list = list(MAJOR).unwrap();
    for path in list.0.keys().filter(|path| sources().join(path).exists()) {
        let to = tree.join(path);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(sources().join(path), to).unwrap();
    }
    assert_eq!(list.faults(&tree, &PARTS).unwrap(), []);

    let mut code = fs::read(tree.join("src/static.c")).unwrap();
    code.push(b'\n');
    fs::write(tree.join("src/static.c"), code).unwrap();
    fs::remove_file(tree.join("include/mimalloc.h")).unwrap();
    fs::write(tree.join("src/extra.c"), "").unwrap();
    let expected = [
        Fault::Missing("include/mimalloc.h".into()),
        Fault::Altered("src/static.c".into()),
        Fault::Unlisted("src/extra.c".into()),
    ];
    assert_eq!(list.faults(&tree, &PARTS).unwrap(), expected);
}

#[test]
fn the_second_witness_agrees() {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join("provenance-witness");
    let package = match witness().fetch(&scratch) {
        Ok(package) => package,
        Err(reason) => {
            // Only the network can be missing here, which does not mean that the sources are wrong; CI has one.
            assert!(std::env::var_os("CI").is_none(), "{reason}");
            println!("not run: the second package could not be fetched: {reason}");
            return;
        }
    };
    for major in ["v3", "v2"] {
        let faults = list(major)
            .unwrap()
            .faults(&witness().major(&package, major), &PARTS);
        assert_eq!(faults.unwrap(), [], "{major}");
    }
}

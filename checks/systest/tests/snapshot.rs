//! The public surface of each major version is the one that checks/api records.

use systest::snapshot::{difference, file, of_crate};

fn compare(major: &str) {
    let recorded = std::fs::read_to_string(file(major)).unwrap();
    let difference = difference(&recorded, &of_crate(major).unwrap());
    assert!(
        difference.is_empty(),
        "the public surface of {major} is not that of checks/api/{major}.txt:\n{}\n\
         If this is meant, run checks/systest/run --write-api",
        difference.join("\n")
    );
}

#[test]
fn v3_is_as_recorded() {
    compare("v3");
}

#[test]
fn v2_is_as_recorded() {
    compare("v2");
}

#[test]
fn a_change_is_seen() {
    let recorded = "const A: usize = 1\nextern \"C\" fn a()\n";
    assert_eq!(difference(recorded, recorded), [""; 0]);
    let changed = "const A: usize = 2\nextern \"C\" fn a()\n";
    assert_eq!(
        difference(recorded, changed),
        ["- const A: usize = 1", "+ const A: usize = 2"]
    );
    let moved = "extern \"C\" fn a()\nconst A: usize = 1\n";
    assert_eq!(
        difference(recorded, moved),
        ["the same lines in another order"]
    );
}

//! Every public item is on a page of the guide, so each new binding has a group.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn every_item_has_a_page() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let pages: Vec<String> = rust_files(&src.join("guide"))
        .iter()
        .map(|page| fs::read_to_string(page).unwrap())
        .collect();
    let shown: BTreeSet<String> = pages.iter().flat_map(|page| imports(page)).collect();
    let of_v2 = imports(&fs::read_to_string(src.join("v2.rs")).unwrap());

    let mut items = 0;
    let mut missing = Vec::new();
    for file in rust_files(&src) {
        let group = file.file_stem().unwrap().to_string_lossy();
        if ["lib", "guide", "v2"].contains(&&*group) {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        let mut texts = vec![text.clone()];
        // Items of only one major version are in the group too, if the group re-exports them.
        for version in ["v2", "v3"] {
            let part = src.join(&*group).join(format!("{}.rs", version));
            if part.exists() {
                texts.push(fs::read_to_string(part).unwrap());
                let exported = format!("pub use self::{}::*;", version);
                assert!(text.contains(&exported), "not in {:?}: {}", file, exported);
                if version == "v2" {
                    let path = format!("{}::v2::*", group);
                    assert!(of_v2.contains(&path), "not in src/v2.rs: {}", path);
                }
            }
        }
        for item in texts.iter().flat_map(|text| public_items(text)) {
            items += 1;
            let path = format!("{}::{}", group, item);
            if !shown.contains(&path) && !shown.contains(&format!("{}::*", group)) {
                missing.push(path);
            }
        }
    }
    assert!(items > 400, "only {} items were found", items);
    assert!(missing.is_empty(), "on no page: {:#?}", missing);
}

/// What a page re-exports: `pub use crate::heap::{a, b};` is `heap::a` and `heap::b`.
fn imports(page: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for statement in page.split("pub use crate::").skip(1) {
        let statement = statement.split(';').next().unwrap();
        match statement.split_once('{') {
            None => paths.push(statement.to_string()),
            Some((module, list)) => paths.extend(
                list.trim_end_matches('}')
                    .split(',')
                    .map(str::trim)
                    .filter(|name| !name.is_empty())
                    .map(|name| format!("{}{}", module, name)),
            ),
        }
    }
    paths
}

/// Names at the outermost level, and functions of `extern` blocks, which rustfmt indents.
fn public_items(text: &str) -> Vec<&str> {
    const KEYWORDS: [&str; 7] = [
        "    pub fn ",
        "pub fn ",
        "pub unsafe fn ",
        "pub const fn ",
        "pub type ",
        "pub struct ",
        "pub const ",
    ];
    text.lines()
        .filter_map(|line| {
            let keyword = KEYWORDS
                .iter()
                .find(|keyword| line.starts_with(**keyword))?;
            let end = |c: char| !(c.is_alphanumeric() || c == '_');
            line[keyword.len()..].split(end).next()
        })
        .collect()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .map_or(false, |extension| extension == "rs")
        })
        .collect();
    files.sort();
    files
}

//! Every public item is on a page of the guide: a new binding must find its group.

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

    let mut items = 0;
    let mut homeless = Vec::new();
    for (folder, prefix) in [("", ""), ("v2", "v2::"), ("v3", "v3::")] {
        for file in rust_files(&src.join(folder)) {
            let room = format!("{}{}", prefix, file.file_stem().unwrap().to_string_lossy());
            if room == "lib" || room == "guide" {
                continue;
            }
            for item in public_items(&fs::read_to_string(file).unwrap()) {
                items += 1;
                let path = format!("{}::{}", room, item);
                if !shown.contains(&path) && !shown.contains(&format!("{}::*", room)) {
                    homeless.push(path);
                }
            }
        }
    }
    assert!(items > 400, "only {} items were found", items);
    assert!(homeless.is_empty(), "on no page: {:#?}", homeless);
}

/// What a page re-exports: `pub use crate::v3::{a, options::*};` is `v3::a` and `v3::options::*`.
fn imports(page: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for statement in page.split("pub use crate::").skip(1) {
        let statement = statement.split(';').next().unwrap();
        match statement.split_once('{') {
            None => paths.push(statement.to_string()),
            Some((room, list)) => paths.extend(
                list.trim_end_matches('}')
                    .split(',')
                    .map(str::trim)
                    .filter(|name| !name.is_empty())
                    .map(|name| format!("{}{}", room, name)),
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

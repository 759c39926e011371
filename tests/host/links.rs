//! Links of the README and of `docs/`: their targets must exist for each reader. The README is shown by
//! registries and by docs.rs, where no path of the repository exists; the pages are read as files and as
//! part of the documentation.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

const MANUAL: &str = "https://docs.rs/mi-malloc-sys/latest/mi_malloc_sys/guide/";
const SOURCE: &str = "https://docs.rs/crate/mi-malloc-sys/latest/source/";

#[test]
fn the_readme_links_to_pages_and_packed_files() {
    let text = read("README.md");
    let packed = packed_files();
    let links = links(&text);
    assert!(links.len() > 10, "{links:?}");
    for link in links {
        assert_eq!(wrong_in_readme(&link, &text, &packed), None, "{link}");
    }
    // The check can fail.
    for link in [
        "docs/building.md",
        "#no-such-heading",
        "https://docs.rs/mi-malloc-sys/latest/mi_malloc_sys/guide/nothing/index.html",
        "https://docs.rs/mi-malloc-sys/latest/mi_malloc_sys/guide/building/index.html#nothing",
        "https://docs.rs/crate/mi-malloc-sys/latest/source/tests/host/links.rs",
    ] {
        assert!(wrong_in_readme(link, &text, &packed).is_some(), "{link}");
    }
}

/// The README of `mi-malloc`, whose pages are its modules.
#[test]
fn the_readme_of_the_safe_crate_links_to_pages() {
    let text = read("mi-malloc/README.md");
    let packed = packed_files();
    let links = links(&text);
    assert!(links.len() > 10, "{links:?}");
    for link in links {
        assert_eq!(wrong_in_safe_readme(&link, &text, &packed), None, "{link}");
    }
    for link in [
        "CHANGELOG.md",
        "https://docs.rs/mi-malloc/latest/mi_malloc/nothing/index.html",
        "https://docs.rs/crate/mi-malloc/latest/source/tests/ui.rs",
        "https://example.com",
    ] {
        let wrong = wrong_in_safe_readme(link, &text, &packed);
        assert!(wrong.is_some(), "{link}");
    }
}

fn wrong_in_safe_readme(link: &str, text: &str, packed: &BTreeSet<String>) -> Option<String> {
    let folder = root().join("mi-malloc");
    if let Some(page) = link.strip_prefix("https://docs.rs/mi-malloc/latest/mi_malloc/") {
        let module = page.strip_suffix("/index.html")?;
        let line = format!("pub mod {module};");
        let is_there = read("mi-malloc/src/lib.rs").lines().any(|l| l == line);
        return Some("no such module".into()).filter(|_| !is_there);
    }
    if let Some(file) = link.strip_prefix("https://docs.rs/crate/mi-malloc/latest/source/") {
        let is_packed = ["README.md", "LICENSE", "CHANGELOG.md"].contains(&file);
        let is_there = is_packed && folder.join(file).is_file();
        return Some("not in the package".into()).filter(|_| !is_there);
    }
    if !link.starts_with("https://docs.rs/") {
        return Some("not a page of docs.rs".into());
    }
    wrong_in_readme(link, text, packed)
}

/// `src/guide/` includes a page of the manual, and redefines the links whose targets differ there.
#[test]
fn pages_have_valid_links_as_files_and_in_the_manual() {
    let packed = packed_files();
    for name in pages() {
        let path = format!("docs/{name}.md");
        let text = read(&path);
        assert!(text.starts_with("# "), "{path} has no title");
        assert!(packed.contains(&path), "{path}");
        let guide = read(&format!("src/guide/{name}.rs"));
        let definitions = definitions(&text);
        for link in links(&text) {
            if link.starts_with("https://") {
                continue;
            }
            if let Some(anchor) = link.strip_prefix('#') {
                assert!(anchors(&text).contains(anchor), "{path}: {link}");
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = Path::new("docs").join(file);
            assert!(root().join(&target).is_file(), "{path}: {link}");
            if !anchor.is_empty() {
                let target = read(target.to_str().unwrap());
                assert!(anchors(&target).contains(anchor), "{path}: {link}");
            }
            let label = definitions.iter().find(|(_, to)| **to == link);
            let label = label
                .unwrap_or_else(|| panic!("{path}: {link} needs a definition"))
                .0;
            assert!(
                guide.contains(&format!("\"[{label}]: ")),
                "src/guide/{name}.rs does not define [{label}]"
            );
        }
    }
}

/// Other texts that are read as files.
#[test]
fn other_texts_link_to_files() {
    for path in [
        "CONTRIBUTING.md",
        "SECURITY.md",
        "CHANGELOG.md",
        "mi-malloc/CHANGELOG.md",
        "c_src/README.md",
        "bench/README.md",
    ] {
        let text = read(path);
        assert!(text.starts_with("# "), "{path} has no title");
        let folder = Path::new(path).parent().unwrap();
        for link in links(&text) {
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            if file.starts_with("https://") {
                continue;
            }
            let target = if file.is_empty() {
                path.into()
            } else {
                folder.join(file)
            };
            assert!(root().join(&target).exists(), "{path}: {link}");
            if !anchor.is_empty() {
                let text = read(target.to_str().unwrap());
                assert!(anchors(&text).contains(anchor), "{path}: {link}");
            }
        }
    }
}

/// Each name that only v2 has.
#[test]
fn the_page_on_versions_is_complete() {
    let page = read("docs/versions.md");
    let named = |line: &str| names(&read(&format!("checks/api/{line}.txt")));
    let (v2, v3) = (named("v2"), named("v3"));
    let missing: Vec<&String> = v2
        .difference(&v3)
        .filter(|name| !page.contains(&format!("`{name}`")))
        .collect();
    assert!(v2.len() > 200 && v2.difference(&v3).count() > 15);
    assert!(missing.is_empty(), "{missing:?}");
    // The names in the column of v3 exist.
    for row in page.lines().filter(|line| line.starts_with("| `mi_")) {
        let column = row.split('|').nth(2).unwrap();
        for name in column.split('`').skip(1).step_by(2) {
            let name = name.split('(').next().unwrap();
            assert!(
                !name.starts_with("mi_") || v3.contains(name) || v2.contains(name),
                "{name}"
            );
        }
    }
}

/// Compares the packages that this one depends on with the list for those who must trust them.
#[test]
fn security_names_every_dependency() {
    let text = read("SECURITY.md");
    let sentence = text
        .lines()
        .find(|line| line.contains("ependencies:"))
        .unwrap();
    let sentence = sentence.split(". ").next().unwrap();
    let listed: BTreeSet<&str> = sentence.split('`').skip(1).step_by(2).collect();
    let lock = read("Cargo.lock");
    let mut of = BTreeMap::new();
    for package in lock.split("[[package]]").skip(1) {
        let quoted: Vec<&str> = package.split('"').skip(1).step_by(2).collect();
        let needs = package.split("dependencies = [").nth(1).unwrap_or("");
        let needs: Vec<&str> = needs.split('"').skip(1).step_by(2).collect();
        of.insert(quoted[0], needs);
    }
    let mut found = BTreeSet::new();
    let mut open: Vec<&str> = of["mi-malloc-sys"].clone();
    while let Some(name) = open.pop() {
        if name != "mimalloc-vendor" && found.insert(name) {
            open.extend(&of[name]);
        }
    }
    assert_eq!(listed, found);
}

fn wrong_in_readme(link: &str, text: &str, packed: &BTreeSet<String>) -> Option<String> {
    if let Some(anchor) = link.strip_prefix('#') {
        return Some("no such heading".into()).filter(|_| !anchors(text).contains(anchor));
    }
    if let Some(file) = link.strip_prefix(SOURCE) {
        return Some("not in the package".into()).filter(|_| !packed.contains(file));
    }
    if let Some(page) = link.strip_prefix(MANUAL) {
        let (page, anchor) = page.split_once('#').unwrap_or((page, ""));
        let name = page.strip_suffix("/index.html")?;
        let guide = root().join("src/guide").join(name).with_extension("rs");
        if !guide.is_file() {
            return Some("no such page".into());
        }
        let missing =
            !anchor.is_empty() && !anchors(&read(&format!("docs/{name}.md"))).contains(anchor);
        return Some("no such heading".into()).filter(|_| missing);
    }
    Some("a path of the repository".into()).filter(|_| !link.starts_with("https://"))
}

/// Targets of all links, in the text and in definitions, outside code blocks.
fn links(text: &str) -> Vec<String> {
    let inline = prose(text).flat_map(|line| line.split("](").skip(1));
    let mut links: Vec<String> = inline
        .map(|rest| rest.split(')').next().unwrap().to_string())
        .collect();
    links.extend(definitions(text).into_values());
    links
}

/// `[label]: target`
fn definitions(text: &str) -> BTreeMap<String, String> {
    prose(text)
        .filter_map(|line| line.strip_prefix('[')?.split_once("]: "))
        .map(|(label, target)| (label.to_string(), target.to_string()))
        .collect()
}

/// The anchors of headings.
fn anchors(text: &str) -> BTreeSet<String> {
    prose(text)
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            line.trim_start_matches('#')
                .trim()
                .to_lowercase()
                .chars()
                .filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c))
                .map(|c| if c == ' ' { '-' } else { c })
                .collect()
        })
        .collect()
}

/// Lines outside code blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut is_code = false;
    text.lines().filter(move |line| {
        let is_fence = line.starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}

fn pages() -> Vec<String> {
    let entries = fs::read_dir(root().join("docs")).unwrap();
    entries
        .map(|entry| entry.unwrap().path())
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_string())
        .collect()
}

/// Names of a recorded public surface.
fn names(api: &str) -> BTreeSet<String> {
    api.split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .filter(|word| word.starts_with("mi_"))
        .map(str::to_string)
        .collect()
}

fn packed_files() -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["package", "--list", "--allow-dirty", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    let list = String::from_utf8(output.stdout).unwrap();
    list.lines().map(str::to_string).collect()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

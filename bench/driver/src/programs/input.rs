//! The programs' input: the sources of the packages that the programs consist of, as Cargo unpacked them, and files
//! from a generator with a fixed seed. The bytes are the same on every machine, as long as `programs/Cargo.lock` is.

use crate::build;
use serde_json::Value;
use std::collections::HashSet;
use std::fmt::Write;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use workloads::json;
use workloads::programs::{DOCUMENTS, PAGES, PICTURE, RECORDS, ROWS, SOURCES};
use workloads::random::Random;

/// Size of the sources: whole packages, as long as they fit.
const SOURCE_BYTES: u64 = 16 << 20;
/// The same for documents and the comments of sources, which are only a part of these.
const DOCUMENT_BYTES: u64 = 64 << 20;
/// One in this many source files becomes an HTML page.
const FILES_PER_PAGE: usize = 8;
const RECORD_COUNT: usize = 60_000;
const ROW_COUNT: usize = 500_000;
const CITIES: usize = 900;
const ARTICLES: usize = 40;
/// In pixels.
const PICTURE_SIZE: (usize, usize) = (3000, 2000);

/// Other platforms may have other packages, but the input must be the same.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";

/// Writes all files to `folder`.
pub fn write(folder: &Path) -> Result<(), String> {
    let packages = packages()?;
    let failed = |error: io::Error| format!("{}: {error}", folder.display());
    let sources = sources(&packages, SOURCE_BYTES).map_err(failed)?;
    let mut documents = Vec::new();
    for package in &packages {
        documents.extend(files(package, "md").map_err(failed)?);
    }
    documents.extend(self::sources(&packages, DOCUMENT_BYTES).map_err(failed)?);
    let pages = pages(&sources, &folder.join("pages")).map_err(failed)?;
    for (name, bytes) in [
        (SOURCES, list(&sources)),
        (DOCUMENTS, list(&documents)),
        (PAGES, list(&pages)),
        (RECORDS, json::text(RECORD_COUNT).into_bytes()),
        (ROWS, rows().into_bytes()),
        (PICTURE, picture()),
    ] {
        fs::write(folder.join(name), bytes).map_err(failed)?;
    }
    Ok(())
}

fn list(paths: &[PathBuf]) -> Vec<u8> {
    let lines = paths.iter().map(|path| format!("{}\n", path.display()));
    lines.collect::<String>().into_bytes()
}

/// The folders of the packages that `programs` is made of, by name and version.
fn packages() -> Result<Vec<PathBuf>, String> {
    let output = Command::new("cargo")
        .args(["metadata", "--locked", "--format-version", "1"])
        .args(["--filter-platform", PLATFORM])
        .current_dir(build::bench().join("programs"))
        .output()
        .map_err(|error| format!("cargo could not be started: {error}"))?;
    if !output.status.success() {
        return Err(format!(
            "cargo metadata: {}",
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    let metadata: Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("output of cargo metadata: {error}"))?;
    of_metadata(&metadata).ok_or("cargo metadata lists no packages".to_string())
}

fn of_metadata(metadata: &Value) -> Option<Vec<PathBuf>> {
    // Packages for other platforms are listed too, but not resolved.
    let nodes = metadata["resolve"]["nodes"].as_array()?;
    let used: HashSet<&str> = nodes
        .iter()
        .filter_map(|node| node["id"].as_str())
        .collect();
    let mut packages: Vec<(&str, &str, PathBuf)> = metadata["packages"]
        .as_array()?
        .iter()
        .filter(|package| !package["source"].is_null())
        .filter(|package| package["id"].as_str().is_some_and(|id| used.contains(id)))
        .map(|package| {
            let manifest = Path::new(package["manifest_path"].as_str()?);
            let folder = manifest.parent()?.to_path_buf();
            Some((
                package["name"].as_str()?,
                package["version"].as_str()?,
                folder,
            ))
        })
        .collect::<Option<_>>()?;
    packages.sort();
    Some(packages.into_iter().map(|(_, _, folder)| folder).collect())
}

/// The source files of those packages that fit into so many bytes.
fn sources(packages: &[PathBuf], most: u64) -> io::Result<Vec<PathBuf>> {
    let mut sources = Vec::new();
    let mut bytes = 0;
    for package in packages {
        let files = files(&package.join("src"), "rs")?;
        let sizes = files.iter().map(|file| Ok(fs::metadata(file)?.len()));
        let size: u64 = sizes.sum::<io::Result<u64>>()?;
        if bytes + size <= most {
            bytes += size;
            sources.extend(files);
        }
    }
    Ok(sources)
}

/// The files below `folder`, if it is there, that have this extension and are text, in the order of their paths.
fn files(folder: &Path, extension: &str) -> io::Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<_>>()?;
    entries.sort();
    let mut found = Vec::new();
    for path in entries {
        if path.is_dir() {
            found.extend(files(&path, extension)?);
        } else if path.extension().is_some_and(|one| one == extension)
            && std::str::from_utf8(&fs::read(&path)?).is_ok()
        {
            found.push(path);
        }
    }
    Ok(found)
}

/// Writes source files as HTML.
fn pages(sources: &[PathBuf], folder: &Path) -> io::Result<Vec<PathBuf>> {
    fs::create_dir_all(folder)?;
    let mut pages = Vec::new();
    for (number, source) in sources.iter().step_by(FILES_PER_PAGE).enumerate() {
        let path = folder.join(format!("{number:04}.html"));
        let name = source.file_name().unwrap_or_default().to_string_lossy();
        fs::write(&path, page(&name, &fs::read_to_string(source)?))?;
        pages.push(path);
    }
    Ok(pages)
}

/// A source file as in a viewer: a table of lines, in which capitalised names are links and other words have
/// a class.
fn page(name: &str, source: &str) -> String {
    let mut page = format!(
        "<!doctype html>\n<html lang=en><head><meta charset=utf-8><title>{name}</title></head>\n<body>\n\
         <h1>{name}</h1>\n<table class=\"source\">\n"
    );
    for (line, text) in (1..).zip(source.lines()) {
        add(
            &mut page,
            format_args!("<tr id=\"L{line}\"><td class=\"number\"><a href=\"#L{line}\">{line}</a><td class=\"code\">"),
        );
        let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let end = rest
                .find(|letter| is_word(letter) != is_word(first))
                .unwrap_or(rest.len());
            let (part, after) = rest.split_at(end);
            match first {
                'A'..='Z' => add(
                    &mut page,
                    format_args!("<a class=\"name\" href=\"/names/{part}.html?from={name}&amp;line={line}\">{part}</a>"),
                ),
                'a'..='z' => add(&mut page, format_args!("<span class=\"word\">{part}</span>")),
                _ => page += &part.replace('&', "&amp;").replace('<', "&lt;"),
            }
            rest = after;
        }
        page += "</td></tr>\n";
    }
    page + "</table>\n</body></html>\n"
}

/// A table as exported from a database.
fn rows() -> String {
    let mut random = Random::new(41);
    let mut rows = String::from("id,city,article,count,price,remark\n");
    for id in 0..ROW_COUNT {
        let (city, article) = (random.below(CITIES), random.below(ARTICLES));
        let (count, price) = (1 + random.below(20), random.below(100_000) as f64 / 100.0);
        add(
            &mut rows,
            format_args!("{id},City No. {city},article-{article},{count},{price},"),
        );
        for word in 0..1 + random.below(8) {
            let space = if word > 0 { " " } else { "" };
            add(
                &mut rows,
                format_args!("{space}{:x}", random.size(16, 1 << 40)),
            );
        }
        rows.push('\n');
    }
    rows
}

/// A picture in PPM format: slowly changing colours, with edges and noise.
fn picture() -> Vec<u8> {
    let mut random = Random::new(42);
    let (width, height) = PICTURE_SIZE;
    let mut picture = format!("P6\n{width} {height}\n255\n").into_bytes();
    for y in 0..height {
        for x in 0..width {
            let edge = 40 * ((x / 97 + y / 61) % 3);
            let noise = random.below(12);
            let slow = [
                x * 120 / width,
                y * 120 / height,
                (x + y) * 120 / (width + height),
            ];
            picture.extend(slow.map(|slow| (slow + edge + noise) as u8));
        }
    }
    picture
}

fn add(text: &mut String, arguments: std::fmt::Arguments) {
    text.write_fmt(arguments)
        .expect("writing to a string cannot fail");
}

#[cfg(test)]
mod tests {
    use super::{of_metadata, page, PathBuf};
    use serde_json::json;

    #[test]
    fn packages_are_those_of_the_registry_that_are_resolved() {
        let package = |name: &str, source: Option<&str>| {
            json!({ "id": name, "name": name, "version": "1.0.0", "source": source,
                    "manifest_path": format!("/r/{name}/Cargo.toml") })
        };
        let metadata = json!({
            "packages": [package("b", Some("r")), package("a", Some("r")), package("own", None), package("other", Some("r"))],
            "resolve": { "nodes": [{ "id": "own" }, { "id": "a" }, { "id": "b" }] },
        });
        let folders = of_metadata(&metadata).expect("metadata");
        assert_eq!(folders, [PathBuf::from("/r/a"), PathBuf::from("/r/b")]);
        assert_eq!(of_metadata(&json!({})), None);
    }

    #[test]
    fn a_page_shows_all_of_its_source() {
        let page = page("a.rs", "let X_1 = b<&é>;\n");
        assert!(page.contains(
            "<span class=\"word\">let</span> <a class=\"name\" href=\"/names/X_1.html?from=a.rs&amp;line=1\">X_1</a> = \
             <span class=\"word\">b</span>&lt;&amp;é>;</td>"
        ), "{page}");
    }
}

//! Whole programs: what a process does from its start to its end, measured from outside. What they do stands in the
//! package `programs`, which is compiled for a runner only with the feature of that name.

/// A program.
pub struct Program {
    pub name: &'static str,
    /// One line for the table.
    pub about: &'static str,
    /// The file of the input folder that it reads.
    pub input: &'static str,
}

/// The paths of Rust source files, one a line.
pub const SOURCES: &str = "sources.txt";
/// The paths of Markdown files and of the same source files.
pub const DOCUMENTS: &str = "documents.txt";
/// The paths of HTML pages.
pub const PAGES: &str = "pages.txt";
pub const RECORDS: &str = "records.json";
pub const ROWS: &str = "rows.csv";
pub const PICTURE: &str = "picture.ppm";
const NOTHING: &str = "";

/// All of them, in the order of the table. None has the name of a workload: rows are told apart by it.
pub const ALL: &[Program] = &[
    Program {
        name: "syn",
        about: "parses Rust source and counts its names",
        input: SOURCES,
    },
    Program {
        name: "serde_json",
        about: "JSON to values and back, then to records, sorted, and back",
        input: RECORDS,
    },
    Program {
        name: "scraper",
        about: "parses HTML pages and collects links and texts by CSS selectors",
        input: PAGES,
    },
    Program {
        name: "pulldown-cmark",
        about: "renders Markdown documents and the comments of Rust source",
        input: DOCUMENTS,
    },
    Program {
        name: "fst",
        about: "a search index over Rust source, by stems, and fuzzy queries to it",
        input: SOURCES,
    },
    Program {
        name: "csv",
        about: "groups the rows of a table by two columns and takes medians",
        input: ROWS,
    },
    Program {
        name: "rhai",
        about: "a script over the lines of a table: maps, arrays, strings, closures",
        input: ROWS,
    },
    Program {
        name: "regex",
        about: "a set of patterns over the lines of Rust source, with captures",
        input: SOURCES,
    },
    Program {
        name: "image",
        about: "decodes a JPEG picture, scales, turns and blurs it, stores it as PNG and JPEG",
        input: PICTURE,
    },
    Program {
        name: "minijinja",
        about: "writes HTML pages of records by a template",
        input: RECORDS,
    },
    Program {
        name: "words",
        about: "counts the words of Rust source in four threads",
        input: SOURCES,
    },
    Program {
        name: "server",
        about: "a server on loopback: 8 clients store 160 MiB, read it and remove all but 2 %",
        input: NOTHING,
    },
];

/// The program of this name.
pub fn find(name: &str) -> Option<&'static Program> {
    ALL.iter().find(|program| program.name == name)
}

/// Does all of a program's work, with input from this folder. A checksum of it.
#[cfg(feature = "programs")]
pub fn work(name: &str, folder: &std::path::Path) -> Option<u64> {
    let work: fn(&std::path::Path) -> u64 = match name {
        "syn" => ::programs::source::parse,
        "serde_json" => ::programs::json::round_trip,
        "scraper" => ::programs::pages::crawl,
        "pulldown-cmark" => ::programs::markdown::render,
        "fst" => ::programs::index::search,
        "csv" => ::programs::groups::medians,
        "rhai" => ::programs::script::run,
        "regex" => ::programs::patterns::search,
        "image" => ::programs::pictures::thumbnails,
        "minijinja" => ::programs::templates::render,
        "words" => ::programs::words::count,
        "server" => |_| crate::resting::serve_at_once(),
        _ => return None,
    };
    Some(work(&folder.join(find(name)?.input)))
}

#[cfg(not(feature = "programs"))]
pub fn work(_name: &str, _folder: &std::path::Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::ALL;
    use std::collections::HashSet;

    #[test]
    fn rows_are_told_apart_by_name() {
        let names: HashSet<&str> = ALL.iter().map(|program| program.name).collect();
        assert_eq!(names.len(), ALL.len());
        assert!(names.iter().all(|name| crate::find(name).is_none()));
    }
}

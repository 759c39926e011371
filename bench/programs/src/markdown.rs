//! Renders Markdown with `pulldown-cmark`, with a list of its headings and its text for a search: documents, and the
//! comments that document Rust source.

use crate::{hash, paths, text};
use pulldown_cmark::{html, Event, Options, Parser, Tag, TagEnd};
use std::collections::BTreeMap;
use std::path::Path;

struct Page {
    html: String,
    headings: Vec<String>,
    words: Vec<String>,
}

pub fn render(documents: &Path) -> u64 {
    let mut rendered: BTreeMap<String, Vec<Page>> = BTreeMap::new();
    let mut links: BTreeMap<String, u64> = BTreeMap::new();
    for path in paths(documents) {
        let text = text(&path);
        let parts = if path.extension().is_some_and(|extension| extension == "md") {
            vec![text]
        } else {
            comments(&text)
        };
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let pages = rendered.entry(name.into_owned()).or_default();
        pages.extend(parts.iter().map(|part| page(part, &mut links)));
    }
    let pages = rendered.values().flatten().map(|page| {
        let counts = page.headings.join(" ").len() + page.words.len();
        hash(page.html.as_bytes()) ^ counts as u64
    });
    let links = links
        .iter()
        .map(|(link, count)| hash(link.as_bytes()) ^ count);
    // Files of the same name stay in the order of the list.
    pages
        .chain(links)
        .fold(0, |sum: u64, one| sum.rotate_left(1) ^ one)
}

/// The comments `///` and `//!`, each with all of its lines.
fn comments(source: &str) -> Vec<String> {
    let mut comments = Vec::new();
    let mut comment = String::new();
    for line in source.lines().map(str::trim_start) {
        let text = line.strip_prefix("///").or(line.strip_prefix("//!"));
        if let Some(text) = text {
            comment += text.strip_prefix(' ').unwrap_or(text);
            comment.push('\n');
        } else if !comment.is_empty() {
            comments.push(std::mem::take(&mut comment));
        }
    }
    comments
}

fn page(markdown: &str, links: &mut BTreeMap<String, u64>) -> Page {
    // Kept for later use, without the text that they come from.
    let events: Vec<Event<'static>> = Parser::new_ext(markdown, Options::all())
        .map(Event::into_static)
        .collect();
    let (mut headings, mut words) = (Vec::new(), Vec::new());
    let mut heading = None;
    for event in &events {
        match event {
            Event::Start(Tag::Link { dest_url, .. }) => {
                *links.entry(dest_url.to_string()).or_default() += 1;
            }
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::End(TagEnd::Heading(_)) => headings.extend(heading.take()),
            Event::Text(text) | Event::Code(text) => {
                if let Some(heading) = &mut heading {
                    *heading += text;
                }
                words.extend(text.split_whitespace().map(str::to_lowercase));
            }
            _ => {}
        }
    }
    let mut html = String::new();
    html::push_html(&mut html, events.into_iter());
    Page {
        html,
        headings,
        words,
    }
}

//! Parses HTML pages with `scraper` and collects their links and texts, as a crawler does.

use crate::{hash_of_pairs, paths, text};
use scraper::{Html, Selector};
use std::collections::HashMap;
use std::path::Path;

pub fn crawl(pages: &Path) -> u64 {
    let select = |selector| Selector::parse(selector).expect("a CSS selector");
    let (links, headings, cells) = (select("a[href]"), select("h1"), select("table td.code"));
    let mut targets: HashMap<String, u64> = HashMap::new();
    let mut texts: Vec<(String, u64)> = Vec::new();
    for path in paths(pages) {
        let page = Html::parse_document(&text(&path));
        for link in page.select(&links) {
            let target = link.value().attr("href").unwrap_or_default();
            *targets.entry(target.to_string()).or_default() += 1;
        }
        let title: String = page.select(&headings).flat_map(|one| one.text()).collect();
        let lines: Vec<String> = page
            .select(&cells)
            .map(|cell| cell.text().collect::<String>())
            .collect();
        texts.push((title, lines.join("\n").len() as u64));
    }
    hash_of_pairs(targets.into_iter()).wrapping_add(hash_of_pairs(texts.into_iter()))
}

//! Searches the lines of source text for a set of patterns (`regex`), and takes apart the lines that have one.

use crate::{hash_of_pairs, paths, text};
use regex::{Captures, Regex, RegexSet};
use std::collections::HashMap;
use std::path::Path;

const PATTERNS: &[&str] = &[
    r"^\s*(?:pub(?:\([a-z]+\))?\s+)?(?:const\s+|unsafe\s+|async\s+)*fn\s+(\w+)",
    r"^\s*(?:pub(?:\([a-z]+\))?\s+)?struct\s+(\w+)",
    r"^\s*(?:pub(?:\([a-z]+\))?\s+)?enum\s+(\w+)",
    r"^\s*(?:unsafe\s+)?impl(?:<[^>]*>)?\s+(?:(\S+)\s+for\s+)?(\w+)",
    r"^\s*use\s+([\w:]+)(?:::\{([^}]*)\})?;",
    r"#\[cfg\((.+)\)\]",
    r#"feature\s*=\s*"([^"]+)""#,
    r"\b(0x[0-9a-fA-F_]+)(u8|u16|u32|u64|usize|i32)?\b",
    r"\b(\d+\.\d+)(f32|f64)?\b",
    r#"https?://([\w.-]+)(/[^\s)>"]*)?"#,
    r"//[/!]\s+#\s+(.+)$",
    r"\b(TODO|FIXME|XXX|HACK)\b:?\s*(.*)$",
    r"\b(\w+)!\s*[(\[{]",
    r"\b(\w+)\.(unwrap|expect)\(",
    r"\bdyn\s+([\w:]+)",
    r"\b(\w+)::<([^>]+)>",
    r"'([a-z]\w*)\b(?:\s*:\s*'(\w+))?",
    r"(?i)\b(error|warning|panic)s?\b",
    r"-> *(?:Result|Option)<([^>]+)>",
    r"^\s*(\w+):\s+([\w<>:&' ]+),$",
];

pub fn search(sources: &Path) -> u64 {
    let set = RegexSet::new(PATTERNS).expect("patterns");
    let each: Vec<Regex> = PATTERNS
        .iter()
        .map(|pattern| Regex::new(pattern).expect("a pattern"))
        .collect();
    let number = Regex::new(r"\b\d+\b").expect("a pattern");
    let mut found: HashMap<String, u64> = HashMap::new();
    let mut replaced = 0;
    // Half of the files: searching text is slower than parsing it.
    for path in paths(sources).iter().step_by(2) {
        let text = text(path);
        for line in text.lines() {
            for index in &set.matches(line) {
                for captures in each[index].captures_iter(line) {
                    for group in captures.iter().skip(1).flatten() {
                        let key = format!("{index} {}", group.as_str());
                        *found.entry(key).or_default() += 1;
                    }
                }
            }
        }
        let doubled = number.replace_all(&text, |captures: &Captures| captures[0].repeat(2));
        replaced += doubled.len() as u64;
    }
    hash_of_pairs(found.into_iter()).wrapping_add(replaced)
}

//! Texts that are taken apart into many small strings or nodes.

use crate::random::Random;
use crate::Repetition;
use std::fmt::Write;
use std::rc::Rc;

/// A value of a settings file: a quoted string, or a list of words.
enum Setting {
    Text(String),
    Words(Vec<String>),
}

/// Sections with names and settings, in the order of the text.
type Settings = Vec<(String, Vec<(String, Setting)>)>;

fn parse(text: &str) -> Settings {
    let mut sections: Settings = Vec::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or("").trim();
        if let Some(name) = line.strip_prefix('[') {
            sections.push((name.trim_end_matches(']').to_lowercase(), Vec::new()));
        } else if let (Some((name, value)), Some(section)) =
            (line.split_once('='), sections.last_mut())
        {
            let value = value.trim();
            let setting = match value.strip_prefix('"') {
                Some(quoted) => Setting::Text(unescaped(quoted)),
                None => Setting::Words(value.split(',').map(|word| word.trim().into()).collect()),
            };
            section.1.push((name.trim().replace('-', "_"), setting));
        }
    }
    sections
}

/// To the closing quote.
fn unescaped(quoted: &str) -> String {
    let mut text = String::new();
    let mut characters = quoted.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => break,
            '\\' => match characters.next() {
                Some('n') => text.push('\n'),
                Some(other) => text.push(other),
                None => {}
            },
            _ => text.push(character),
        }
    }
    text
}

fn written(settings: &Settings) -> String {
    let mut text = String::new();
    for (name, section) in settings {
        text += &format!("[{name}]\n");
        for (name, setting) in section {
            let value = match setting {
                Setting::Text(text) => {
                    format!("\"{}\"", text.replace('"', "\\\"").replace('\n', "\\n"))
                }
                Setting::Words(words) => words.join(", "),
            };
            text += &format!("{name} = {value}\n");
        }
    }
    text
}

/// Settings that are read, written and read again.
pub fn settings(_threads: usize) -> Repetition {
    let mut random = Random::new(28);
    let mut text = String::new();
    for section in 0..400 {
        writeln!(text, "[Section-{section}]").expect("a string takes everything");
        for setting in 0..random.below(20) {
            let length = random.size(1, 8);
            let value = match random.below(2) {
                0 => format!("\"{}\"", "a \\\"quoted\\\" word\\n".repeat(length)),
                _ => vec!["first"; length].join(" ,second-word-of-some-length, "),
            };
            writeln!(text, "name-of-{setting} = {value}   # why")
                .expect("a string takes everything");
        }
    }
    Box::new(move || {
        let mut sum = 0u64;
        for _ in 0..20 {
            let settings = parse(&written(&parse(&text)));
            for (name, section) in &settings {
                sum = sum.wrapping_add(name.len() as u64);
                for (name, setting) in section {
                    let length = match setting {
                        Setting::Text(text) => text.len(),
                        Setting::Words(words) => words.iter().map(String::len).sum(),
                    };
                    sum = sum
                        .wrapping_mul(31)
                        .wrapping_add((name.len() * length) as u64);
                }
            }
        }
        sum
    })
}

/// A regular expression that is matched by its derivatives: what has to follow after a byte is another one.
#[derive(PartialEq, Eq)]
enum Regex {
    Nothing,
    Empty,
    Any,
    Byte(u8),
    Then(Rc<Regex>, Rc<Regex>),
    Either(Rc<Regex>, Rc<Regex>),
    Star(Rc<Regex>),
}

use Regex::{Any, Byte, Either, Empty, Nothing, Star, Then};

fn then(first: Rc<Regex>, second: Rc<Regex>) -> Rc<Regex> {
    match (&*first, &*second) {
        (Nothing, _) | (_, Empty) => first,
        (_, Nothing) | (Empty, _) => second,
        _ => Rc::new(Then(first, second)),
    }
}

/// Without the same alternative twice: otherwise derivatives would grow with each byte.
fn either(first: Rc<Regex>, second: Rc<Regex>) -> Rc<Regex> {
    match (&*first, &*second) {
        (Nothing, _) => second,
        (_, Nothing) => first,
        (Either(left, right), _) => either(left.clone(), either(right.clone(), second)),
        (_, Either(left, rest)) if first != *left => {
            let rest = either(first, rest.clone());
            Rc::new(Either(left.clone(), rest))
        }
        (_, Either(..)) => second,
        _ if first == second => first,
        _ => Rc::new(Either(first, second)),
    }
}

impl Regex {
    /// Literal bytes, `.`, `*`, `+`, `?`, `|` and parentheses.
    fn new(pattern: &str) -> Rc<Regex> {
        alternatives(&mut pattern.as_bytes())
    }

    fn may_be_empty(&self) -> bool {
        match self {
            Nothing | Any | Byte(_) => false,
            Empty | Star(_) => true,
            Then(first, second) => first.may_be_empty() && second.may_be_empty(),
            Either(first, second) => first.may_be_empty() || second.may_be_empty(),
        }
    }

    fn after(self: &Rc<Regex>, byte: u8) -> Rc<Regex> {
        match &**self {
            Nothing | Empty => Rc::new(Nothing),
            Any => Rc::new(Empty),
            Byte(expected) => Rc::new(if *expected == byte { Empty } else { Nothing }),
            Then(first, second) => {
                let after_first = then(first.after(byte), second.clone());
                if first.may_be_empty() {
                    either(after_first, second.after(byte))
                } else {
                    after_first
                }
            }
            Either(first, second) => either(first.after(byte), second.after(byte)),
            Star(repeated) => then(repeated.after(byte), self.clone()),
        }
    }

    fn matches(self: &Rc<Regex>, text: &str) -> bool {
        let mut rest = self.clone();
        for byte in text.bytes() {
            rest = rest.after(byte);
            if *rest == Nothing {
                return false;
            }
        }
        rest.may_be_empty()
    }
}

fn alternatives(pattern: &mut &[u8]) -> Rc<Regex> {
    let first = sequence(pattern);
    match pattern {
        [b'|', rest @ ..] => {
            *pattern = rest;
            either(first, alternatives(pattern))
        }
        _ => first,
    }
}

/// To the end of the pattern, of the alternative or of the group.
fn sequence(pattern: &mut &[u8]) -> Rc<Regex> {
    let mut parts = Rc::new(Empty);
    while let [byte, rest @ ..] = *pattern {
        if matches!(byte, b'|' | b')') {
            break;
        }
        *pattern = rest;
        let mut part = match byte {
            b'(' => {
                let group = alternatives(pattern);
                *pattern = pattern.strip_prefix(b")").unwrap_or(pattern);
                group
            }
            b'.' => Rc::new(Any),
            _ => Rc::new(Byte(*byte)),
        };
        if let [sign @ (b'*' | b'+' | b'?'), rest @ ..] = *pattern {
            *pattern = rest;
            part = match sign {
                b'*' => Rc::new(Star(part)),
                b'+' => then(part.clone(), Rc::new(Star(part))),
                _ => either(part, Rc::new(Empty)),
            };
        }
        parts = then(parts, part);
    }
    parts
}

/// Words against patterns; each pattern is parsed for each part of the text.
pub fn derivatives(_threads: usize) -> Repetition {
    const PATTERNS: [&str; 5] = [
        "(a|b)*abb",
        "a.*(b|cc)+",
        "(ab|ba|c)*",
        ".*(abc|cab).*",
        "(a+b+)+c?(a|(bc)*)",
    ];
    let mut random = Random::new(29);
    let words: Vec<String> = (0..20_000)
        .map(|_| {
            let length = random.size(2, 24);
            let mut letter = || char::from(b"aabbc"[random.below(5)]);
            (0..length).map(|_| letter()).collect()
        })
        .collect();
    Box::new(move || {
        let mut sum = 0u64;
        for part in words.chunks(100) {
            for pattern in PATTERNS {
                let regex = Regex::new(pattern);
                for word in part {
                    sum = sum.wrapping_mul(3) + u64::from(regex.matches(word));
                }
            }
        }
        sum
    })
}

#[cfg(test)]
mod tests {
    use super::{parse, written, Regex};

    #[test]
    fn settings_survive_being_written() {
        let text = "[one]\na = \"x \\\"y\\\"\\n\"\nb_c = 1, 2\n[two]\n";
        assert_eq!(written(&parse(text)), text);
        let loose = "[One]\n a=\"x \\\"y\\\"\\n\" # why\n\nb-c = 1 ,2\n[two]";
        assert_eq!(written(&parse(loose)), text);
    }

    #[test]
    fn a_regular_expression_matches_whole_texts() {
        for (pattern, matched, not_matched) in [
            ("(a|b)*abb", "babb", "abba"),
            ("a.*(b|cc)+", "axccb", "axc"),
            ("(ab|ba|c)*", "abcba", "abb"),
            (".*(abc|cab).*", "xxcabx", "acb"),
            ("a+b?", "aa", "b"),
            ("|ab", "", "a"),
        ] {
            let regex = Regex::new(pattern);
            assert!(regex.matches(matched), "{pattern}: {matched}");
            assert!(!regex.matches(not_matched), "{pattern}: {not_matched}");
        }
    }
}

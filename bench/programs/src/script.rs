//! Runs a script over the lines of a table with `rhai`.

use crate::{hash, text};
use rhai::{Array, Engine, Scope};
use std::path::Path;

/// Lines that the script sees.
const LINES: usize = 30_000;

/// Sums by city in maps of maps, a list of words by length, and a report as text.
const SCRIPT: &str = r#"
    fn parsed(line) {
        let fields = line.split(",");
        #{ city: fields[1], article: fields[2], total: parse_float(fields[3]) * parse_float(fields[4]), words: fields[5].split(" ") }
    }

    let cities = #{};
    let by_length = [];
    for line in lines {
        let row = parsed(line);
        if !(row.city in cities) {
            cities[row.city] = #{ count: 0, total: 0.0, articles: #{} };
        }
        let city = cities[row.city];
        city.count += 1;
        city.total += row.total;
        city.articles[row.article] = (city.articles[row.article] ?? 0) + 1;
        cities[row.city] = city;
        for word in row.words {
            while by_length.len <= word.len { by_length.push([]); }
            by_length[word.len].push(word);
        }
    }

    let names = cities.keys();
    names.sort();
    let report = "";
    for name in names {
        let city = cities[name];
        let often = [];
        for article in city.articles.keys() {
            if city.articles[article] > 1 { often.push(article); }
        }
        often.sort();
        let listed = often.reduce(|text, one| text + " " + one, "");
        report += `${name}: ${city.count} rows, ${city.total.to_int()} (${listed})` + "\n";
    }
    for words in by_length {
        let hexadecimal = words.filter(|word| word.contains("a") || word.contains("f"));
        report += `${words.len} ${hexadecimal.len} `;
    }
    report
"#;

pub fn run(rows: &Path) -> u64 {
    let lines: Array = text(rows)
        .lines()
        .skip(1)
        .take(LINES)
        .map(|line| line.to_string().into())
        .collect();
    let mut scope = Scope::new();
    scope.push("lines", lines);
    let engine = Engine::new();
    let report: String = engine
        .eval_with_scope(&mut scope, SCRIPT)
        .unwrap_or_else(|error| panic!("{error}"));
    hash(report.as_bytes())
}

//! Groups the rows of a table by two columns (`csv`) and writes a table of their medians.

use crate::hash;
use std::collections::HashMap;
use std::path::Path;

pub fn medians(rows: &Path) -> u64 {
    let mut reader = csv::Reader::from_path(rows).expect("the driver wrote rows");
    let mut groups: HashMap<(String, String), Vec<f64>> = HashMap::new();
    for row in reader.records() {
        let row = row.expect("rows of one length");
        let group = (row[1].to_string(), row[2].to_string());
        let number = |column: usize| -> f64 { row[column].parse().expect("a number") };
        groups.entry(group).or_default().push(number(3) * number(4));
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_unstable_by(|one, other| one.0.cmp(&other.0));
    let mut writer = csv::Writer::from_writer(Vec::new());
    for ((city, article), mut totals) in groups {
        totals.sort_unstable_by(f64::total_cmp);
        let median = totals[totals.len() / 2];
        let (count, median) = (totals.len().to_string(), format!("{median:.2}"));
        let written = writer.write_record([city, article, count, median]);
        written.expect("memory takes everything");
    }
    hash(&writer.into_inner().expect("memory takes everything"))
}

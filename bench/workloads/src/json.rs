use crate::random::Random;
use crate::Repetition;
use serde_json::Value;
use std::fmt::Write;

/// Records of nested objects, lists and strings of many lengths, some 300 bytes each.
pub fn text(records: usize) -> String {
    let mut random = Random::new(4);
    let mut text = String::from("[");
    for id in 0..records {
        if id > 0 {
            text.push(',');
        }
        let name = "Ada Lovelace, Countess and analyst"
            .get(..3 + random.below(31))
            .unwrap_or("Ada");
        let note = "lorem ipsum ".repeat(random.below(12));
        let active = random.below(2) == 0;
        let score = random.below(100_000) as f64 / 64.0;
        write!(
            text,
            r#"{{"id":{id},"name":"{name}","active":{active},"score":{score},"note":"{note}","tags":["#
        )
        .expect("a string takes everything");
        for tag in 0..random.below(8) {
            let comma = if tag > 0 { "," } else { "" };
            write!(text, r#"{comma}"tag-{}""#, random.below(1000))
                .expect("a string takes everything");
        }
        write!(
            text,
            r#"],"address":{{"street":"{} Main Street","city":"Springfield","zip":null,"position":[{},{}]}}}}"#,
            random.below(1000),
            random.below(180),
            random.below(90)
        )
        .expect("a string takes everything");
    }
    text.push(']');
    text
}

fn weight(value: &Value) -> u64 {
    match value {
        Value::Null | Value::Bool(_) => 1,
        Value::Number(number) => number.as_u64().unwrap_or(1),
        Value::String(string) => string.len() as u64,
        Value::Array(list) => list.iter().map(weight).sum(),
        Value::Object(fields) => fields.values().map(weight).sum(),
    }
}

pub fn parse(_threads: usize) -> Repetition {
    let text = text(3_500);
    Box::new(move || {
        (0..20)
            .map(|_| weight(&serde_json::from_str(&text).expect("our own text is JSON")))
            .sum()
    })
}

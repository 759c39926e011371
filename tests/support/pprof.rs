//! Reads the two kinds of files that the built-in profiler writes, as far as a test looks at them: the
//! text of gperftools' heap profiler, and the `Profile` message of pprof (its `profile.proto`).

use std::collections::HashMap;

#[derive(Debug, Default)]
pub struct Profile {
    pub samples: Vec<Sample>,
    pub mappings: Vec<Mapping>,
    /// Nanoseconds; only in the message.
    pub time: i64,
    pub duration: i64,
    pub period: i64,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Mapping {
    pub start: u64,
    pub end: u64,
    /// Of the file, where the mapping starts.
    pub offset: u64,
    pub file: String,
}

#[derive(Debug, Default, Clone, PartialEq)]
pub struct Sample {
    pub alloc_objects: i64,
    pub alloc_bytes: i64,
    pub inuse_objects: i64,
    pub inuse_bytes: i64,
    /// The call stack, the innermost first.
    pub stack: Vec<u64>,
    pub thread: Option<i64>,
}

impl Profile {
    pub fn sum(&self) -> Sample {
        let mut sum = Sample::default();
        for sample in &self.samples {
            sum.alloc_objects += sample.alloc_objects;
            sum.alloc_bytes += sample.alloc_bytes;
            sum.inuse_objects += sample.inuse_objects;
            sum.inuse_bytes += sample.inuse_bytes;
        }
        sum
    }

    pub fn mapping_of(&self, address: u64) -> Option<&str> {
        self.mappings
            .iter()
            .find(|mapping| (mapping.start..mapping.end).contains(&address))
            .map(|mapping| mapping.file.as_str())
    }
}

/// Four numbers: `inuse: bytes [ alloc: bytes ] @` and then what follows.
fn row(line: &str) -> (Sample, &str) {
    let (numbers, rest) = line.split_once('@').expect("no @");
    let numbers: Vec<i64> = numbers
        .split(|c: char| !c.is_ascii_digit())
        .filter(|part| !part.is_empty())
        .map(|part| part.parse().unwrap())
        .collect();
    assert_eq!(numbers.len(), 4, "{line}");
    let sample = Sample {
        inuse_objects: numbers[0],
        inuse_bytes: numbers[1],
        alloc_objects: numbers[2],
        alloc_bytes: numbers[3],
        ..Sample::default()
    };
    (sample, rest.trim())
}

pub fn text(text: &str) -> Profile {
    let mut profile = Profile::default();
    let (samples, maps) = text
        .split_once("MAPPED_LIBRARIES:\n")
        .expect("no mapped libraries");
    let mut lines = samples.lines().filter(|line| !line.trim().is_empty());
    let head = lines
        .next()
        .unwrap()
        .strip_prefix("heap profile:")
        .expect("no heap profile");
    let (total, kind) = row(head);
    assert_eq!(kind, "heapprofile");
    for line in lines {
        let (sample, stack) = row(line);
        let stack = stack
            .split_whitespace()
            .map(|address| u64::from_str_radix(address.trim_start_matches("0x"), 16).unwrap())
            .collect();
        profile.samples.push(Sample { stack, ..sample });
    }
    assert_eq!(profile.sum(), total);
    for line in maps.lines().filter(|line| !line.is_empty()) {
        let (range, rest) = line.split_once(' ').unwrap();
        let (from, to) = range.split_once('-').unwrap();
        let number = |hex| u64::from_str_radix(hex, 16).unwrap();
        let file = rest.find('/').map_or("", |at| &rest[at..]);
        profile.mappings.push(Mapping {
            start: number(from),
            end: number(to),
            offset: rest.split_whitespace().nth(1).map_or(0, number),
            file: file.to_string(),
        });
    }
    profile
}

/// A field of a message: its number and value.
enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl<'a> Value<'a> {
    fn number(&self) -> u64 {
        match self {
            Value::Number(number) => *number,
            Value::Bytes(_) => panic!("bytes instead of a number"),
        }
    }

    fn bytes(&self) -> &'a [u8] {
        match self {
            Value::Bytes(bytes) => bytes,
            Value::Number(_) => panic!("a number instead of bytes"),
        }
    }
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first().expect("the message is cut off");
        *bytes = rest;
        value |= u64::from(first & 0x7F) << shift;
        if first & 0x80 == 0 {
            return value;
        }
    }
    panic!("a number without end");
}

fn fields(mut bytes: &[u8]) -> Vec<(u64, Value<'_>)> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes);
        let value = match tag & 7 {
            0 => Value::Number(varint(&mut bytes)),
            2 => {
                let length = varint(&mut bytes) as usize;
                let (value, rest) = bytes.split_at(length);
                bytes = rest;
                Value::Bytes(value)
            }
            wire => panic!("wire type {wire}"),
        };
        fields.push((tag >> 3, value));
    }
    fields
}

/// The number of a field, 0 when it is left out.
fn number(fields: &[(u64, Value)], field: u64) -> u64 {
    fields
        .iter()
        .find(|(number, _)| *number == field)
        .map_or(0, |(_, value)| value.number())
}

fn packed(mut bytes: &[u8]) -> Vec<u64> {
    let mut numbers = Vec::new();
    while !bytes.is_empty() {
        numbers.push(varint(&mut bytes));
    }
    numbers
}

pub fn message(bytes: &[u8]) -> Profile {
    message_with(bytes, "bytes")
}

/// A message whose values of bytes are called `alloc_` and `inuse_` with this ending.
pub fn message_with(bytes: &[u8], ending: &str) -> Profile {
    let all = fields(bytes);
    let each = |field: u64| {
        all.iter()
            .filter(move |(number, _)| *number == field)
            .map(|(_, value)| value.bytes())
    };
    let strings: Vec<&str> = each(6)
        .map(|bytes| std::str::from_utf8(bytes).unwrap())
        .collect();
    assert_eq!(strings[0], "");
    let string = |fields: &[(u64, Value)], field| strings[number(fields, field) as usize];

    // What the four values of a sample are.
    let types: Vec<(&str, &str)> = each(1)
        .map(|bytes| {
            let fields = fields(bytes);
            (string(&fields, 1), string(&fields, 2))
        })
        .collect();
    let bytes_of = |kind| format!("{kind}_{ending}");
    let expected = [
        ("alloc_objects", "count"),
        (&*bytes_of("alloc"), "bytes"),
        ("inuse_objects", "count"),
        (&*bytes_of("inuse"), "bytes"),
    ];
    assert_eq!(types, expected);
    let period = fields(each(11).next().expect("no period type"));
    assert_eq!((string(&period, 1), string(&period, 2)), ("space", "bytes"));

    let mut profile = Profile {
        time: number(&all, 9) as i64,
        duration: number(&all, 10) as i64,
        period: number(&all, 12) as i64,
        ..Profile::default()
    };
    let mut mappings = HashMap::new();
    for bytes in each(3) {
        let fields = fields(bytes);
        let range = (number(&fields, 2), number(&fields, 3));
        assert!(range.0 < range.1);
        let id = number(&fields, 1);
        assert!(id != 0 && mappings.insert(id, range).is_none());
        profile.mappings.push(Mapping {
            start: range.0,
            end: range.1,
            offset: number(&fields, 4),
            file: string(&fields, 5).to_string(),
        });
    }
    let mut locations = HashMap::new();
    for bytes in each(4) {
        let fields = fields(bytes);
        let (id, mapping, address) = (number(&fields, 1), number(&fields, 2), number(&fields, 3));
        assert!(id != 0 && locations.insert(id, address).is_none());
        if mapping != 0 {
            let (from, to) = mappings[&mapping];
            assert!((from..to).contains(&address));
        }
    }
    for bytes in each(2) {
        let mut sample = Sample::default();
        for (field, value) in fields(bytes) {
            match field {
                1 => {
                    sample.stack = packed(value.bytes())
                        .iter()
                        .map(|id| locations[id])
                        .collect()
                }
                2 => {
                    let values = packed(value.bytes());
                    assert_eq!(values.len(), 4);
                    sample.alloc_objects = values[0] as i64;
                    sample.alloc_bytes = values[1] as i64;
                    sample.inuse_objects = values[2] as i64;
                    sample.inuse_bytes = values[3] as i64;
                }
                3 => {
                    let fields = fields(value.bytes());
                    assert_eq!(string(&fields, 1), "thread");
                    sample.thread = Some(number(&fields, 3) as i64);
                }
                _ => panic!("field {field} of a sample"),
            }
        }
        profile.samples.push(sample);
    }
    profile
}

//! The format of pprof: a `Profile` message in Google's Protocol Buffers. The numbers of fields are those of its
//! `profile.proto`.

use super::modules::Module;
use std::collections::HashMap;
use std::string::String;
use std::vec::Vec;

/// What a profile says, before it is a message.
pub struct Profile<'a> {
    pub samples: Vec<Sample<'a>>,
    pub modules: Vec<Module>,
    /// Bytes from sample to sample.
    pub period: u64,
    /// Since 1970.
    pub time_nanoseconds: u64,
    pub duration_nanoseconds: u64,
}

pub struct Sample<'a> {
    /// The innermost first.
    pub frames: &'a [usize],
    /// As in `VALUES`.
    pub values: [u64; 4],
}

/// Names and units, which are those of Go's heap profiles: tools know them. The last one is what a viewer shows first.
const VALUES: [(&str, &str); 4] = [
    ("alloc_objects", "count"),
    ("alloc_space", "bytes"),
    ("inuse_objects", "count"),
    ("inuse_space", "bytes"),
];

/// Functions that viewers leave out, with all that they call: the allocator, and so the profiler. A regular expression for
/// whole names.
const DROPPED: &str = ".*GlobalAlloc.*|.*__rust_(alloc|alloc_zeroed|realloc)|_?mi_[a-z0-9_]+|\
                       malloc|calloc|realloc|operator new.*";

impl Profile<'_> {
    pub fn encode(&self) -> Vec<u8> {
        let mut strings = Strings::default();
        let mut profile = Message::default();
        let value_type = |(name, unit): (&str, &str), strings: &mut Strings| {
            let mut message = Message::default();
            message.number(1, strings.index(name));
            message.number(2, strings.index(unit));
            message
        };
        for value in VALUES {
            profile.message(1, &value_type(value, &mut strings));
        }
        let mut ids = HashMap::new();
        for sample in &self.samples {
            let mut message = Message::default();
            message.packed(
                1,
                sample.frames.iter().map(|frame| {
                    let new = ids.len() as u64 + 1;
                    *ids.entry(*frame).or_insert(new)
                }),
            );
            message.packed(2, sample.values.iter().copied());
            profile.message(2, &message);
        }
        for (index, module) in self.modules.iter().enumerate() {
            let mut message = Message::default();
            message.number(1, index as u64 + 1);
            message.number(2, module.start as u64);
            message.number(3, module.end as u64);
            message.number(4, module.offset);
            message.number(5, strings.index(&module.file));
            message.number(6, strings.index(&module.build_id));
            profile.message(3, &message);
        }
        for (address, id) in ids {
            let is_in = |module: &Module| (module.start..module.end).contains(&address);
            let module = self.modules.iter().position(is_in);
            let mut message = Message::default();
            message.number(1, id);
            message.number(2, module.map_or(0, |index| index as u64 + 1));
            message.number(3, address as u64);
            profile.message(4, &message);
        }
        profile.number(7, strings.index(DROPPED));
        profile.number(9, self.time_nanoseconds);
        profile.number(10, self.duration_nanoseconds);
        profile.message(11, &value_type(("space", "bytes"), &mut strings));
        profile.number(12, self.period);
        profile.number(14, strings.index(VALUES[3].0));
        profile.bytes(6, b""); // the string 0
        for string in &strings.list {
            profile.bytes(6, string.as_bytes());
        }
        profile.0
    }
}

/// The texts of a message, which refers to them by numbers; 0 is the empty one.
#[derive(Default)]
struct Strings {
    list: Vec<String>,
}

impl Strings {
    fn index(&mut self, text: &str) -> u64 {
        if text.is_empty() {
            return 0;
        }
        let found = self.list.iter().position(|string| string == text);
        found.unwrap_or_else(|| {
            self.list.push(text.into());
            self.list.len() - 1
        }) as u64
            + 1
    }
}

#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn number(&mut self, field: u64, number: u64) {
        self.varint(field << 3);
        self.varint(number);
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
    }

    fn message(&mut self, field: u64, message: &Message) {
        self.bytes(field, &message.0);
    }

    fn packed(&mut self, field: u64, numbers: impl Iterator<Item = u64>) {
        let mut content = Message::default();
        numbers.for_each(|number| content.varint(number));
        self.message(field, &content);
    }

    /// Seven bits a byte, the lowest first; the eighth bit says that more follow.
    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }
}

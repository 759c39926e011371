//! Corrects the files of mimalloc's profiler, so that `pprof` finds the right names.
//!
//! Neither function calls mimalloc: copy this file into a program that writes profiles.

use std::collections::HashMap;

/// Corrects a `.pb` file: keeps the mappings that hold code, and adds the file offset of each.
///
/// `maps` is the text of `/proc/self/maps` (Linux), of the same process and with the same libraries loaded. mimalloc
/// 3.6.0 writes no offsets, and pprof treats a missing one as 0. The names are then those of other functions,
/// unless the linker placed the code so that addresses and offsets agree.
pub fn with_file_offsets(profile: &[u8], maps: &str) -> Vec<u8> {
    let maps: HashMap<u64, Map> = maps.lines().filter_map(Map::parse).collect();
    let mut mended = Vec::with_capacity(profile.len());
    for field in fields(profile) {
        // The numbers of the fields are those of pprof's `profile.proto`.
        let mapping = match field.value {
            Value::Bytes(mapping) if field.number == 3 => mapping,
            _ => {
                mended.extend_from_slice(field.whole);
                continue;
            }
        };
        let start = numbers(mapping, 2).first().copied().unwrap_or(0);
        match maps.get(&start) {
            // The first mapping that pprof sees should be the code of the program itself.
            Some(map) if !map.executable => {}
            Some(map) => {
                let mut mapping = mapping.to_vec();
                put_varint(&mut mapping, 4 << 3); // `file_offset`, a number
                put_varint(&mut mapping, map.offset);
                put_varint(&mut mended, 3 << 3 | 2);
                put_varint(&mut mended, mapping.len() as u64);
                mended.extend(mapping);
            }
            None => mended.extend_from_slice(field.whole),
        }
    }
    mended
}

/// Corrects a `.heap` file: its call stacks are in upper-case hexadecimal digits, which neither `pprof` nor gperftools'
/// `google-pprof` recognises as addresses.
pub fn with_lower_case_addresses(profile: &str) -> String {
    let end = profile
        .find("\nMAPPED_LIBRARIES:\n")
        .unwrap_or(profile.len());
    let (stacks, mapped) = profile.split_at(end);
    stacks.to_ascii_lowercase() + mapped
}

/// A line of `/proc/self/maps`.
struct Map {
    executable: bool,
    offset: u64,
}

impl Map {
    /// The start address, and what is known of the mapping: `55d0c0de0000-55d0c0df0000 r-xp 00012000 ...`.
    fn parse(line: &str) -> Option<(u64, Map)> {
        let mut words = line.split_whitespace();
        let (start, _) = words.next()?.split_once('-')?;
        let executable = words.next()?.contains('x');
        let offset = u64::from_str_radix(words.next()?, 16).ok()?;
        let start = u64::from_str_radix(start, 16).ok()?;
        Some((start, Map { executable, offset }))
    }
}

/// A field of a message in Google's Protocol Buffers, as far as a profile needs them.
pub struct Field<'a> {
    pub number: u64,
    pub value: Value<'a>,
    /// With its key and length.
    whole: &'a [u8],
}

pub enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of a message, in their order.
pub fn fields(mut message: &[u8]) -> impl Iterator<Item = Field<'_>> {
    std::iter::from_fn(move || {
        if message.is_empty() {
            return None;
        }
        let start = message;
        let key = varint(&mut message);
        let value = match key & 7 {
            0 => Value::Number(varint(&mut message)),
            2 => {
                let length = varint(&mut message) as usize;
                let (bytes, rest) = message.split_at(length);
                message = rest;
                Value::Bytes(bytes)
            }
            other => panic!("a profile has no values of wire type {}", other),
        };
        Some(Field {
            number: key >> 3,
            value,
            whole: &start[..start.len() - message.len()],
        })
    })
}

/// All numbers of the field `wanted`, written one by one or packed.
pub fn numbers(message: &[u8], wanted: u64) -> Vec<u64> {
    let mut numbers = Vec::new();
    for field in fields(message) {
        match field.value {
            _ if field.number != wanted => {}
            Value::Number(number) => numbers.push(number),
            Value::Bytes(mut packed) => {
                while !packed.is_empty() {
                    numbers.push(varint(&mut packed));
                }
            }
        }
    }
    numbers
}

/// Seven bits a byte, the lowest first; the eighth bit says that more follow.
fn varint(bytes: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first().expect("a complete number");
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return number;
        }
    }
    panic!("a number of more than 64 bits");
}

fn put_varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

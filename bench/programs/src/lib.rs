//! Whole programs that use well-known crates, for the benchmark. Each reads its input from a file, or from the files of a
//! list of paths, does its work once and returns a checksum that depends neither on the allocator nor on the order
//! of a hash map.

pub mod groups;
pub mod index;
pub mod json;
pub mod markdown;
pub mod pages;
pub mod patterns;
pub mod pictures;
pub mod script;
pub mod source;
pub mod templates;
pub mod words;

use std::fs;
use std::path::{Path, PathBuf};

/// What the driver wrote.
fn text(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The files that `list` names, one per line.
fn paths(list: &Path) -> Vec<PathBuf> {
    text(list).lines().map(PathBuf::from).collect()
}

/// Of some bytes, the same in each process.
fn hash(bytes: &[u8]) -> u64 {
    let step = |hash: u64, &byte: &u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

/// Of pairs in any order.
fn hash_of_pairs<K: AsRef<[u8]>>(pairs: impl Iterator<Item = (K, u64)>) -> u64 {
    pairs.fold(0, |sum, (key, value)| {
        sum.wrapping_add(hash(key.as_ref()).wrapping_mul(value | 1))
    })
}

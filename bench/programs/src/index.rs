//! A search index: words by their stems (`rust-stemmers`) with their positions, in a finite state
//! transducer (`fst`), and queries with one wrong letter.

use crate::{hash, paths, text};
use fst::automaton::Levenshtein;
use fst::{IntoStreamer, Map, Streamer};
use rust_stemmers::{Algorithm, Stemmer};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// One in this many stems is a query.
const QUERIES: usize = 400;

/// Document, and the position of the word in it.
type Places = Vec<(u32, Vec<u32>)>;

pub fn search(sources: &Path) -> u64 {
    let stemmer = Stemmer::create(Algorithm::English);
    let mut places: BTreeMap<String, Places> = BTreeMap::new();
    for (document, path) in paths(sources).iter().enumerate() {
        for (stem, positions) in positions(&text(path), &stemmer) {
            let places = places.entry(stem).or_default();
            places.push((document as u32, positions));
        }
    }
    let stems = places.keys().zip(0..);
    let map = Map::from_iter(stems).expect("stems come in order");
    let lists: Vec<Places> = places.values().cloned().collect();

    let asked = places.keys().step_by(places.len() / QUERIES + 1);
    asked.fold(lists.len() as u64, |sum, stem| {
        sum.rotate_left(1) ^ answer(stem, &map, &lists)
    })
}

/// The stems of one document.
fn positions(text: &str, stemmer: &Stemmer) -> HashMap<String, Vec<u32>> {
    let mut positions: HashMap<String, Vec<u32>> = HashMap::new();
    let words = text
        .split(|letter: char| !letter.is_alphabetic())
        .filter(|word| (3..=24).contains(&word.len()));
    for (position, word) in words.enumerate() {
        let word = word.to_lowercase();
        let stem = stemmer.stem(&word).into_owned();
        positions.entry(stem).or_default().push(position as u32);
    }
    positions
}

/// The ten best documents, in which words like `stem` are the most frequent.
fn answer(stem: &str, map: &Map<Vec<u8>>, lists: &[Places]) -> u64 {
    let Ok(alike) = Levenshtein::new(stem, 1) else {
        return 0;
    };
    let mut scores: HashMap<u32, u64> = HashMap::new();
    let mut stream = map.search(alike).into_stream();
    while let Some((_, list)) = stream.next() {
        for (document, positions) in &lists[list as usize] {
            *scores.entry(*document).or_default() += positions.len() as u64;
        }
    }
    let mut best: Vec<(u64, u32)> = scores
        .into_iter()
        .map(|(one, score)| (score, one))
        .collect();
    best.sort_unstable_by(|one, other| other.cmp(one));
    best.truncate(10);
    hash(format!("{stem} {best:?}").as_bytes())
}

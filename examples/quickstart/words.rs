//! Cuts text into words, and counts them on several threads.

use std::collections::HashMap;
use std::sync::mpsc::{sync_channel, Receiver, SyncSender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

pub type Counts = HashMap<String, u64>;

/// Bytes that a thread counts at a time, so that one large file keeps all threads busy.
const PIECE: usize = 64 * 1024;

/// Threads that count: `add` passes text to them, `finish` returns all counts.
pub struct Counter {
    pieces: SyncSender<String>,
    workers: Vec<JoinHandle<Counts>>,
}

impl Counter {
    pub fn new(threads: usize) -> Counter {
        // The bound keeps a fast reader from piling up text in memory.
        let (pieces, queue) = sync_channel(4 * threads);
        let queue = Arc::new(Mutex::new(queue));
        let workers = (0..threads)
            .map(|_| {
                let queue = Arc::clone(&queue);
                thread::spawn(move || work(&queue))
            })
            .collect();
        Counter { pieces, workers }
    }

    pub fn add(&self, text: &str) {
        for piece in pieces(text, PIECE) {
            self.pieces
                .send(piece.to_string())
                .expect("workers listen until the sender is dropped");
        }
    }

    pub fn finish(self) -> Counts {
        drop(self.pieces);
        let mut all = Counts::new();
        for worker in self.workers {
            for (word, count) in worker.join().expect("counting does not panic") {
                *all.entry(word).or_insert(0) += count;
            }
        }
        all
    }
}

fn work(queue: &Mutex<Receiver<String>>) -> Counts {
    let mut counts = Counts::new();
    loop {
        // A statement of its own, so that the lock is free again while this thread counts.
        let piece = queue.lock().expect("receiving does not panic").recv();
        match piece {
            Ok(text) => {
                for word in words(&text) {
                    *counts.entry(word).or_insert(0) += 1;
                }
            }
            Err(_) => return counts, // all is read
        }
    }
}

/// Pieces of at least `size` bytes (except the last), cut at white space and so never within a word.
fn pieces(mut text: &str, size: usize) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let is_space = |byte: &u8| byte.is_ascii_whitespace();
        let end = match text.as_bytes().get(size..) {
            Some(rest) => rest
                .iter()
                .position(is_space)
                .map_or(text.len(), |at| size + at),
            None => text.len(),
        };
        let (piece, rest) = text.split_at(end);
        text = rest;
        Some(piece).filter(|piece| !piece.is_empty())
    })
}

/// The words of a text in lower case. A word is letters, digits, underscores, and apostrophes within,
/// and begins with a letter or an underscore.
fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    let apostrophe = |c: char| c == '\'' || c == '’';
    text.split(move |c: char| !(c.is_alphanumeric() || c == '_' || apostrophe(c)))
        .map(move |word| word.trim_matches(apostrophe))
        .filter(|word| word.starts_with(|c: char| c.is_alphabetic() || c == '_'))
        .map(str::to_lowercase)
}

/// The most frequent word first, and words of equal count by name.
pub fn ranked(counts: Counts) -> Vec<(String, u64)> {
    let mut words: Vec<(String, u64)> = counts.into_iter().collect();
    words.sort_by(|(a, a_count), (b, b_count)| b_count.cmp(a_count).then_with(|| a.cmp(b)));
    words
}

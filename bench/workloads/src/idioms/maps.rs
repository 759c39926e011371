//! Hash maps whose keys and values are blocks of their own.

use crate::random::Random;
use crate::Repetition;
use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::rc::{Rc, Weak};

/// Without the random keys of the default hasher: each process has the same collisions.
type Map<K, V> = HashMap<K, V, BuildHasherDefault<DefaultHasher>>;

/// The map owns the entries; they are linked in the order of their last use.
struct Lru {
    entries: Map<Rc<str>, Rc<Entry>>,
    newest: Weak<Entry>,
    oldest: Weak<Entry>,
    capacity: usize,
}

struct Entry {
    key: Rc<str>,
    value: Vec<u8>,
    newer: RefCell<Weak<Entry>>,
    older: RefCell<Weak<Entry>>,
}

impl Lru {
    fn new(capacity: usize) -> Lru {
        Lru {
            entries: Map::default(),
            newest: Weak::new(),
            oldest: Weak::new(),
            capacity,
        }
    }

    fn get(&mut self, key: &str) -> Option<Rc<Entry>> {
        let entry = self.entries.get(key)?.clone();
        self.unlink(&entry);
        self.link(&entry);
        Some(entry)
    }

    /// The key must be new.
    fn insert(&mut self, key: &str, value: Vec<u8>) {
        if self.entries.len() == self.capacity {
            if let Some(oldest) = self.oldest.upgrade() {
                self.unlink(&oldest);
                self.entries.remove(&oldest.key);
            }
        }
        let key: Rc<str> = key.into();
        let entry = Rc::new(Entry {
            key: key.clone(),
            value,
            newer: RefCell::default(),
            older: RefCell::default(),
        });
        self.link(&entry);
        self.entries.insert(key, entry);
    }

    /// As the newest.
    fn link(&mut self, entry: &Rc<Entry>) {
        match self.newest.upgrade() {
            Some(newest) => *newest.newer.borrow_mut() = Rc::downgrade(entry),
            None => self.oldest = Rc::downgrade(entry),
        }
        *entry.older.borrow_mut() = std::mem::replace(&mut self.newest, Rc::downgrade(entry));
    }

    fn unlink(&mut self, entry: &Entry) {
        let (newer, older) = (entry.newer.take(), entry.older.take());
        match newer.upgrade() {
            Some(newer) => *newer.older.borrow_mut() = older.clone(),
            None => self.newest = older.clone(),
        }
        match older.upgrade() {
            Some(older) => *older.newer.borrow_mut() = newer,
            None => self.oldest = newer,
        }
    }
}

/// A cache in front of something slow: more than a third of the requests miss.
pub fn lru(_threads: usize) -> Repetition {
    Box::new(|| {
        let mut random = Random::new(20);
        let mut cache = Lru::new(4_000);
        let mut sum = 0u64;
        for _ in 0..300_000 {
            // Some keys are more frequent than others.
            let bound = 1 + random.below(10_000);
            let key = format!("/catalogue/item/{}", random.below(bound));
            match cache.get(&key) {
                Some(entry) => sum = sum.wrapping_add(entry.value.len() as u64),
                None => {
                    let value = vec![1; random.size(16, 512)];
                    cache.insert(&key, value);
                    sum = sum.rotate_left(1);
                }
            }
        }
        sum
    })
}

/// Names to small numbers, and back.
#[derive(Default)]
struct Interner {
    numbers: Map<Rc<str>, usize>,
    names: Vec<Rc<str>>,
}

impl Interner {
    fn intern(&mut self, name: &str) -> usize {
        if let Some(&number) = self.numbers.get(name) {
            return number;
        }
        let name: Rc<str> = name.into();
        self.numbers.insert(name.clone(), self.names.len());
        self.names.push(name);
        self.names.len() - 1
    }
}

/// A compiler's names: those of the source, and those that it makes of them.
pub fn interner(_threads: usize) -> Repetition {
    let mut random = Random::new(21);
    let letters = b"etaoinshrdlucmfwypvbgkjqxz_";
    let names: Vec<String> = (0..15_000)
        .map(|_| {
            let length = random.size(2, 24);
            let mut letter = || char::from(letters[random.below(letters.len())]);
            (0..length).map(|_| letter()).collect()
        })
        .collect();
    Box::new(move || {
        let mut random = Random::new(22);
        let mut sum = 0u64;
        for _module in 0..8 {
            let mut interner = Interner::default();
            let mut scope = 0;
            for _ in 0..60_000 {
                let name = &names[random.below(names.len())];
                let number = interner.intern(name);
                sum = sum.wrapping_add(number as u64);
                match random.below(8) {
                    0 => scope = number,
                    1 => {
                        let path = format!("{}::{name}", interner.names[scope]);
                        sum = sum.wrapping_add(interner.intern(&path) as u64);
                    }
                    _ => {}
                }
            }
            let bytes: usize = interner.names.iter().map(|name| name.len()).sum();
            sum = sum.rotate_left(1) ^ bytes as u64;
        }
        sum
    })
}

/// Attributes of events: a map for each, most of them with a few entries.
pub fn small_maps(_threads: usize) -> Repetition {
    const NAMES: [&str; 12] = [
        "id", "host", "path", "user", "agent", "method", "status", "length", "duration",
        "referrer", "session", "language",
    ];
    const ALIVE: usize = 256;
    Box::new(|| {
        let mut random = Random::new(23);
        let mut events: VecDeque<Map<String, u64>> = VecDeque::with_capacity(ALIVE + 1);
        let mut sum = 0u64;
        for number in 0..200_000 {
            let mut event = match events.back() {
                // Like the one before, as far as it goes.
                Some(last) if number % 4 == 0 => last.clone(),
                _ => Map::default(),
            };
            for _ in 0..random.size(1, NAMES.len()) {
                let name = NAMES[random.below(NAMES.len())];
                *event.entry(name.to_string()).or_default() += number;
            }
            sum = sum.wrapping_add(event.get("status").copied().unwrap_or(1));
            events.push_back(event);
            if events.len() > ALIVE {
                let oldest = events.pop_front().unwrap_or_default();
                // In whatever order.
                sum = sum.wrapping_add(oldest.into_values().sum());
            }
        }
        sum
    })
}

#[cfg(test)]
mod tests {
    use super::{Interner, Lru};

    #[test]
    fn what_was_used_least_recently_leaves_the_cache() {
        let mut cache = Lru::new(2);
        cache.insert("a", vec![1]);
        cache.insert("b", vec![2]);
        assert!(cache.get("a").is_some());
        cache.insert("c", vec![3]);
        assert!(cache.get("b").is_none());
        let value = |entry: Option<std::rc::Rc<super::Entry>>| entry.map(|entry| entry.value[0]);
        assert_eq!(value(cache.get("c")), Some(3));
        assert_eq!(value(cache.get("a")), Some(1));
        cache.insert("d", vec![4]);
        assert!(cache.get("c").is_none());
        assert_eq!(cache.entries.len(), 2);
    }

    #[test]
    fn a_name_has_one_number() {
        let mut interner = Interner::default();
        assert_eq!(["a", "b", "a"].map(|name| interner.intern(name)), [0, 1, 0]);
        assert_eq!(&*interner.names[1], "b");
    }
}

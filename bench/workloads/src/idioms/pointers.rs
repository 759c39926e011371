//! Reference counts and boxes behind which the data is.

use crate::random::Random;
use crate::Repetition;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

struct Node {
    number: usize,
    to: RefCell<Vec<Rc<Node>>>,
    from: RefCell<Vec<Weak<Node>>>,
}

/// Edges lead to higher numbers only, so that there are no cycles and everything is freed.
fn random_graph(size: usize, edges: usize, random: &mut Random) -> Vec<Rc<Node>> {
    let node = |number| Node {
        number,
        to: RefCell::default(),
        from: RefCell::default(),
    };
    let nodes: Vec<_> = (0..size).map(|number| Rc::new(node(number))).collect();
    for (number, node) in nodes.iter().enumerate().take(size - 1) {
        for _ in 0..1 + random.below(2 * edges - 1) {
            let to = number + 1 + random.below((size - number - 1).min(100));
            node.to.borrow_mut().push(nodes[to].clone());
            nodes[to].from.borrow_mut().push(Rc::downgrade(node));
        }
    }
    nodes
}

/// A path of a search: paths with the same beginning share it.
struct Path {
    node: Rc<Node>,
    before: Option<Rc<Path>>,
}

/// Breadth first: the numbers on the shortest path, added.
fn search(start: &Rc<Node>, end: usize, size: usize) -> usize {
    let path = |node: &Rc<Node>, before| {
        let node = node.clone();
        Rc::new(Path { node, before })
    };
    let mut seen = vec![false; size];
    let mut paths = VecDeque::from([path(start, None)]);
    while let Some(first) = paths.pop_front() {
        if first.node.number == end {
            let steps = std::iter::successors(Some(&*first), |path| path.before.as_deref());
            return steps.map(|path| path.node.number).sum();
        }
        for next in first.node.to.borrow().iter() {
            if !std::mem::replace(&mut seen[next.number], true) {
                paths.push_back(path(next, Some(first.clone())));
            }
        }
    }
    0
}

/// Built, searched, and taken apart in random order.
pub fn graph(_threads: usize) -> Repetition {
    const SIZE: usize = 10_000;
    Box::new(|| {
        let mut random = Random::new(24);
        let mut sum = 0u64;
        for _ in 0..20 {
            let mut nodes = random_graph(SIZE, 3, &mut random);
            for _ in 0..8 {
                let start = random.below(SIZE / 2);
                let end = start + random.below(SIZE / 2);
                sum = sum.wrapping_add(search(&nodes[start], end, SIZE) as u64);
            }
            while !nodes.is_empty() {
                let node = nodes.swap_remove(random.below(nodes.len()));
                // Nothing leads to it any more.
                for from in node.from.take().iter().filter_map(Weak::upgrade) {
                    from.to.borrow_mut().retain(|to| !Rc::ptr_eq(to, &node));
                    sum = sum.wrapping_add(from.number as u64);
                }
            }
        }
        sum
    })
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    group: u8,
    name: Box<str>,
}

/// Lists of boxed keys: by their own order, then by another one that is computed of each.
pub fn sort_boxed(_threads: usize) -> Repetition {
    Box::new(|| {
        let mut random = Random::new(25);
        let mut sum = 0u64;
        for _ in 0..6 {
            let mut key = || Key {
                group: random.below(8) as u8,
                name: format!("Key-{:x}", random.below(1 << 20)).into(),
            };
            let mut keys: Vec<Box<Key>> = (0..30_000).map(|_| Box::new(key())).collect();
            keys.sort();
            keys.dedup();
            sum = sum.wrapping_add(keys.len() as u64);
            keys.sort_by_cached_key(|key| {
                let reversed: String = key.name.chars().rev().collect();
                reversed.to_uppercase().into_boxed_str()
            });
            for (place, key) in keys.iter().enumerate().step_by(100) {
                sum = sum.wrapping_add((place * key.name.len()) as u64 + u64::from(key.group));
            }
        }
        sum
    })
}

#[cfg(test)]
mod tests {
    use super::{random_graph, search, Random};
    use std::rc::{Rc, Weak};

    #[test]
    fn the_path_is_found_and_everything_is_freed() {
        let mut random = Random::new(1);
        let nodes = random_graph(3, 1, &mut random);
        nodes[0].to.borrow_mut().push(nodes[1].clone());
        assert_eq!(search(&nodes[0], 1, 3), 1);
        assert_eq!(search(&nodes[2], 0, 3), 0);
        let seen: Vec<_> = nodes.iter().map(Rc::downgrade).collect();
        drop(nodes);
        assert!(seen.iter().all(|node| Weak::upgrade(node).is_none()));
    }
}

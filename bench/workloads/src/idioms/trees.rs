//! Trees of small nodes, which are built, visited and dropped by recursion.

use crate::random::Random;
use crate::Repetition;
use std::hint::black_box;
use std::rc::Rc;

/// The smallest node with two children. Unlike those of `trees`, a leaf is a block too.
enum Tree {
    Leaf,
    Node(Box<Tree>, Box<Tree>),
}

impl Tree {
    fn new(depth: u32) -> Tree {
        match depth {
            0 => Tree::Leaf,
            _ => Tree::Node(
                Box::new(Tree::new(depth - 1)),
                Box::new(Tree::new(depth - 1)),
            ),
        }
    }

    fn nodes(&self) -> u64 {
        match self {
            Tree::Leaf => 1,
            Tree::Node(left, right) => 1 + left.nodes() + right.nodes(),
        }
    }
}

pub fn recursion(_threads: usize) -> Repetition {
    Box::new(|| (0..40).map(|_| black_box(Tree::new(16)).nodes()).sum())
}

/// An expression of numbers and variables, whose values wrap.
#[derive(Clone)]
enum Expression {
    Number(i64),
    Variable(usize),
    Sum(Box<Expression>, Box<Expression>),
    Product(Box<Expression>, Box<Expression>),
    Negation(Box<Expression>),
}

use Expression::{Negation, Number, Product, Sum, Variable};

const VARIABLES: usize = 3;

impl Expression {
    fn random(depth: u32, random: &mut Random) -> Box<Expression> {
        let mut operand = || Expression::random(depth - 1, random);
        Box::new(if depth == 0 {
            match random.below(2) {
                0 => Number(random.below(4) as i64),
                _ => Variable(random.below(VARIABLES)),
            }
        } else {
            let (left, right) = (operand(), operand());
            match random.below(7) {
                0..=2 => Sum(left, right),
                3..=5 => Product(left, right),
                _ => Sum(left, Box::new(Negation(right))),
            }
        })
    }

    fn value(&self, variables: &[i64; VARIABLES]) -> i64 {
        match self {
            Number(number) => *number,
            Variable(index) => variables[*index],
            Sum(left, right) => left.value(variables).wrapping_add(right.value(variables)),
            Product(left, right) => left.value(variables).wrapping_mul(right.value(variables)),
            Negation(operand) => operand.value(variables).wrapping_neg(),
        }
    }

    fn derivative(&self, variable: usize) -> Box<Expression> {
        Box::new(match self {
            Number(_) => Number(0),
            Variable(index) => Number(i64::from(*index == variable)),
            Sum(left, right) => Sum(left.derivative(variable), right.derivative(variable)),
            Product(left, right) => Sum(
                Box::new(Product(left.derivative(variable), right.clone())),
                Box::new(Product(left.clone(), right.derivative(variable))),
            ),
            Negation(operand) => Negation(operand.derivative(variable)),
        })
    }

    /// The same value with fewer nodes. Those that remain are moved or replaced, as a compiler's passes do it.
    // Operands are boxes, and move as such where they remain.
    #[allow(clippy::boxed_local)]
    fn simplified(self: Box<Expression>) -> Box<Expression> {
        match *self {
            Sum(left, right) => match (left.simplified(), right.simplified()) {
                (left, right) if matches!(*left, Number(0)) => right,
                (left, right) if matches!(*right, Number(0)) => left,
                (left, right) => Box::new(match (&*left, &*right) {
                    (Number(left), Number(right)) => Number(left.wrapping_add(*right)),
                    _ => Sum(left, right),
                }),
            },
            Product(left, right) => match (left.simplified(), right.simplified()) {
                (zero, _) | (_, zero) if matches!(*zero, Number(0)) => zero,
                (left, right) if matches!(*left, Number(1)) => right,
                (left, right) if matches!(*right, Number(1)) => left,
                (left, right) => Box::new(match (&*left, &*right) {
                    (Number(left), Number(right)) => Number(left.wrapping_mul(*right)),
                    _ => Product(left, right),
                }),
            },
            Negation(operand) => match *operand.simplified() {
                Number(number) => Box::new(Number(number.wrapping_neg())),
                Negation(operand) => operand,
                operand => Box::new(Negation(Box::new(operand))),
            },
            leaf => Box::new(leaf),
        }
    }
}

/// Derivatives of expressions, simplified without an arena.
pub fn rewrite(_threads: usize) -> Repetition {
    Box::new(|| {
        let mut random = Random::new(26);
        let mut sum = 0u64;
        for turn in 0..250 {
            let expression = Expression::random(9, &mut random).simplified();
            for variable in 0..VARIABLES {
                let derivative = expression.derivative(variable).simplified();
                sum = sum.rotate_left(1) ^ derivative.value(&[turn, 2, 3]) as u64;
            }
        }
        sum
    })
}

/// A map that shares what two versions have in common: a treap, ordered by key and, as a heap, by a hash of it.
type Version = Option<Rc<Node>>;

#[derive(Clone)]
struct Node {
    key: u64,
    value: u64,
    left: Version,
    right: Version,
}

impl Node {
    fn priority(&self) -> u64 {
        self.key.wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }
}

fn get(version: &Version, key: u64) -> Option<u64> {
    let mut next = version.as_ref();
    while let Some(node) = next {
        next = match key {
            _ if key < node.key => node.left.as_ref(),
            _ if key > node.key => node.right.as_ref(),
            _ => return Some(node.value),
        };
    }
    None
}

fn insert(version: &Version, key: u64, value: u64) -> Node {
    let Some(node) = version else {
        return Node {
            key,
            value,
            left: None,
            right: None,
        };
    };
    let mut node = Node::clone(node);
    if key == node.key {
        node.value = value;
    } else if key < node.key {
        let mut left = insert(&node.left, key, value);
        if left.priority() > node.priority() {
            node.left = left.right.take();
            left.right = Some(Rc::new(node));
            return left;
        }
        node.left = Some(Rc::new(left));
    } else {
        let mut right = insert(&node.right, key, value);
        if right.priority() > node.priority() {
            node.right = right.left.take();
            right.left = Some(Rc::new(node));
            return right;
        }
        node.right = Some(Rc::new(right));
    }
    node
}

fn remove(version: &Version, key: u64) -> Version {
    let mut node = Node::clone(version.as_ref()?);
    if key == node.key {
        return joined(&node.left, &node.right);
    } else if key < node.key {
        node.left = remove(&node.left, key);
    } else {
        node.right = remove(&node.right, key);
    }
    Some(Rc::new(node))
}

/// All keys of the left one are lower.
fn joined(left: &Version, right: &Version) -> Version {
    let (Some(low), Some(high)) = (left, right) else {
        return left.as_ref().or(right.as_ref()).cloned();
    };
    let mut node;
    if low.priority() > high.priority() {
        node = Node::clone(low);
        node.right = joined(&low.right, right);
    } else {
        node = Node::clone(high);
        node.left = joined(left, &high.left);
    }
    Some(Rc::new(node))
}

/// The last versions stay alive, as for an editor's undo.
pub fn persistent(_threads: usize) -> Repetition {
    const KEYS: usize = 4_000;
    Box::new(|| {
        let mut random = Random::new(27);
        let mut versions: Vec<Version> = vec![None; 64];
        let mut sum = 0u64;
        for turn in 0..150_000 {
            let (now, next) = (turn % versions.len(), (turn + 1) % versions.len());
            let key = random.below(KEYS) as u64;
            let version = if random.below(4) == 0 {
                remove(&versions[now], key)
            } else {
                Some(Rc::new(insert(&versions[now], key, turn as u64)))
            };
            versions[next] = version;
            let some = &versions[random.below(versions.len())];
            sum = sum.wrapping_add(get(some, random.below(KEYS) as u64).unwrap_or(1));
        }
        sum
    })
}

#[cfg(test)]
mod tests {
    use super::{get, insert, remove, Expression, Random, Rc, Version};
    use std::collections::BTreeMap;

    #[test]
    fn a_simpler_expression_has_the_same_value() {
        let mut random = Random::new(1);
        for _ in 0..100 {
            let expression = Expression::random(6, &mut random);
            let variables = [2, -3, 5];
            let value = expression.value(&variables);
            assert_eq!(expression.simplified().value(&variables), value);
        }
    }

    #[test]
    fn the_derivative_of_a_square() {
        use super::{Product, Variable};
        let square = Product(Box::new(Variable(0)), Box::new(Variable(0)));
        assert_eq!(square.derivative(0).simplified().value(&[7, 0, 0]), 14);
        assert_eq!(square.derivative(1).simplified().value(&[7, 0, 0]), 0);
    }

    #[test]
    fn versions_are_maps_that_do_not_change() {
        let mut random = Random::new(1);
        let mut versions: Vec<(Version, BTreeMap<u64, u64>)> = vec![(None, BTreeMap::new())];
        for turn in 0..300 {
            let (version, mut map) = versions[versions.len() - 1].clone();
            let key = random.below(40) as u64;
            if turn % 3 == 0 {
                map.remove(&key);
                versions.push((remove(&version, key), map));
            } else {
                map.insert(key, turn);
                versions.push((Some(Rc::new(insert(&version, key, turn))), map));
            }
        }
        for (version, map) in &versions {
            for key in 0..40 {
                assert_eq!(get(version, key), map.get(&key).copied());
            }
        }
    }
}

//! A language runtime with a thread-local heap per thread: each parser thread keeps a pointer to its heap and
//! allocates from it without a look-up. The trees go to the evaluating thread, which frees them.
//!
//!     cargo run --release --example thread_runtime
//!
//! On v3 one heap (of the program) has a part for each thread, a "theap". On v2 each thread has a heap of
//! its own from the start; v3's names work there, too.

use mi_malloc_sys::*;
use std::sync::mpsc::{sync_channel, Receiver, SyncSender};
use std::thread;

const PARSERS: u64 = 4;
const EXPRESSIONS: u64 = 5_000; // per parser

fn main() {
    let heap = line::ProgramHeap::new();
    let (trees, parsed) = sync_channel(64);
    let parsers: Vec<_> = (0..PARSERS)
        .map(|number| {
            let trees = trees.clone();
            thread::spawn(move || parse_all(number, heap, &trees))
        })
        .collect();
    drop(trees);

    let (expressions, nodes) = evaluate_all(&parsed);
    for parser in parsers {
        parser.join().expect("the expressions are well-formed");
    }
    println!(
        "{} threads parsed {} expressions of {} nodes",
        PARSERS, expressions, nodes
    );
    assert_eq!(expressions, PARSERS * EXPRESSIONS);
    line::finish(heap, nodes);
}

fn parse_all(number: u64, heap: line::ProgramHeap, trees: &SyncSender<Tree>) {
    let thread = Thread {
        theap: heap.theap(),
    };
    for seed in 0..EXPRESSIONS {
        let (text, expected) = expression(&mut Random(1 + number * EXPRESSIONS + seed), 6);
        let mut rest = text.bytes();
        let root = thread.parse(&mut rest);
        assert_eq!(rest.next(), None);
        trees
            .send(Tree { root, expected })
            .expect("the evaluating thread listens to the end");
    }
}

fn evaluate_all(parsed: &Receiver<Tree>) -> (u64, u64) {
    let (mut expressions, mut nodes) = (0, 0);
    for tree in parsed {
        // SAFETY: the tree was handed over, so it is used here only, and once.
        let value = unsafe { evaluate(tree.root, &mut nodes) };
        assert_eq!(value, tree.expected);
        expressions += 1;
    }
    (expressions, nodes)
}

/// The state of a runtime's thread, which a runtime passes from function to function anyway.
struct Thread {
    theap: *mut mi_theap_t,
}

impl Thread {
    /// A digit, or `(a+b)`, `(a-b)`, `(a*b)` of such.
    fn parse(&self, text: &mut impl Iterator<Item = u8>) -> *mut Node {
        let first = text.next().expect("a digit or a parenthesis");
        if first != b'(' {
            return self.node(Node::Number(i64::from(first - b'0')));
        }
        let left = self.parse(text);
        let operator = text.next().expect("an operator");
        let right = self.parse(text);
        assert_eq!(text.next(), Some(b')'));
        self.node(Node::Operation(operator, left, right))
    }

    fn node(&self, node: Node) -> *mut Node {
        // SAFETY: this thread's heap, and a block of the right size and alignment.
        unsafe {
            let block: *mut Node = line::malloc_node(self.theap);
            assert!(!block.is_null(), "out of memory");
            block.write(node);
            block
        }
    }
}

enum Node {
    Number(i64),
    Operation(u8, *mut Node, *mut Node),
}

/// The value of the tree, whose nodes are counted and freed on the way.
unsafe fn evaluate(node: *mut Node, nodes: &mut u64) -> i64 {
    let value = match *node {
        Node::Number(number) => number,
        Node::Operation(operator, left, right) => {
            let (left, right) = (evaluate(left, nodes), evaluate(right, nodes));
            apply(operator, left, right)
        }
    };
    line::free_node(node);
    *nodes += 1;
    value
}

fn apply(operator: u8, left: i64, right: i64) -> i64 {
    match operator {
        b'+' => left.wrapping_add(right),
        b'-' => left.wrapping_sub(right),
        _ => left.wrapping_mul(right),
    }
}

/// A tree that one thread passes to another.
struct Tree {
    root: *mut Node,
    expected: i64,
}

// SAFETY: the sending thread keeps no pointer into it, and any thread may free a block.
unsafe impl Send for Tree {}

/// One heap for the program; each thread has a part of it.
#[cfg(mi_v3)]
mod line {
    use super::*;

    #[derive(Clone, Copy)]
    pub struct ProgramHeap(*mut mi_heap_t);

    // SAFETY: on v3 all threads may allocate from a heap.
    unsafe impl Send for ProgramHeap {}

    impl ProgramHeap {
        pub fn new() -> ProgramHeap {
            // SAFETY: always safe to call.
            ProgramHeap(unsafe { mi_heap_new() })
        }

        pub fn theap(self) -> *mut mi_theap_t {
            // SAFETY: the heap is live until all threads have ended.
            unsafe { mi_heap_theap(self.0) }
        }
    }

    pub(super) unsafe fn malloc_node(theap: *mut mi_theap_t) -> *mut Node {
        mi_theap_malloc_csize(theap, std::mem::size_of::<Node>()).cast()
    }

    pub(super) unsafe fn free_node(node: *mut Node) {
        mi_free_csize_nonnull(node.cast(), std::mem::size_of::<Node>());
    }

    /// The heap counts what all threads allocated from it, and freed.
    pub(super) fn finish(heap: ProgramHeap, nodes: u64) {
        let mut stats = mi_stats_t::new();
        // SAFETY: the heap is live, its threads have ended, and `stats` is initialised.
        unsafe {
            assert!(mi_heap_stats_get(heap.0, &mut stats));
            mi_heap_delete(heap.0);
        }
        println!("the heap allocated {} blocks", stats.malloc_count.total);
        assert_eq!(stats.malloc_count.total as u64, nodes);
    }
}

/// The heap that each thread has.
#[cfg(mi_v2)]
mod line {
    use super::*;

    #[derive(Clone, Copy)]
    pub struct ProgramHeap;

    impl ProgramHeap {
        pub fn new() -> ProgramHeap {
            ProgramHeap
        }

        pub fn theap(self) -> *mut mi_theap_t {
            // SAFETY: always safe to call.
            unsafe {
                mi_thread_init(); // before that it is a placeholder
                mi_theap_get_default()
            }
        }
    }

    pub(super) unsafe fn malloc_node(theap: *mut mi_theap_t) -> *mut Node {
        mi_theap_malloc_small(theap, std::mem::size_of::<Node>()).cast()
    }

    pub(super) unsafe fn free_node(node: *mut Node) {
        mi_free_small(node.cast());
    }

    pub(super) fn finish(_heap: ProgramHeap, _nodes: u64) {}
}

/// A random expression and its value.
fn expression(random: &mut Random, depth: u32) -> (String, i64) {
    if depth == 0 || random.below(8) == 0 {
        let digit = random.below(10);
        return (digit.to_string(), digit as i64);
    }
    let (left, left_value) = expression(random, depth - 1);
    let operator = b"+-*"[random.below(3) as usize];
    let (right, right_value) = expression(random, depth - 1);
    (
        format!("({}{}{})", left, char::from(operator), right),
        apply(operator, left_value, right_value),
    )
}

/// Marsaglia's xorshift.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) % bound
    }
}

use crate::Repetition;

/// The shape of the Computer Language Benchmarks Game's "binary-trees".
struct Tree {
    children: Option<(Box<Tree>, Box<Tree>)>,
}

impl Tree {
    fn new(depth: u32) -> Tree {
        let child = |depth| Box::new(Tree::new(depth));
        Tree {
            children: (depth > 0).then(|| (child(depth - 1), child(depth - 1))),
        }
    }

    fn nodes(&self) -> u64 {
        1 + self
            .children
            .as_ref()
            .map_or(0, |(left, right)| left.nodes() + right.nodes())
    }
}

pub fn binary_trees(_threads: usize) -> Repetition {
    const DEEPEST: u32 = 16;
    Box::new(|| {
        let long_lived = Tree::new(DEEPEST);
        let mut sum = 0;
        for depth in (4..=DEEPEST).step_by(4) {
            for _ in 0..1 << (DEEPEST - depth + 4) {
                sum += Tree::new(depth).nodes();
            }
        }
        sum + long_lived.nodes()
    })
}

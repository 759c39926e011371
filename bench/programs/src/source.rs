//! Parses Rust source with `syn` and counts the names in it, as a linter does.

use crate::{hash_of_pairs, paths, text};
use std::collections::HashMap;
use std::path::Path;
use syn::visit::{self, Visit};
use syn::{Expr, Ident};

#[derive(Default)]
struct Counts {
    files: u64,
    expressions: u64,
    names: HashMap<String, u64>,
}

impl<'ast> Visit<'ast> for Counts {
    fn visit_expr(&mut self, expression: &'ast Expr) {
        self.expressions += 1;
        visit::visit_expr(self, expression);
    }

    fn visit_ident(&mut self, name: &'ast Ident) {
        *self.names.entry(name.to_string()).or_default() += 1;
    }
}

pub fn parse(sources: &Path) -> u64 {
    let mut counts = Counts::default();
    for path in paths(sources) {
        // Some files are included in others and are not valid Rust by themselves.
        if let Ok(file) = syn::parse_file(&text(&path)) {
            counts.files += 1;
            counts.visit_file(&file);
        }
    }
    let names = hash_of_pairs(counts.names.into_iter());
    names
        .wrapping_add(counts.files << 32)
        .wrapping_add(counts.expressions)
}

//! The readable report of a check.

use crate::Subject;
use crate::compare::{Comparison, Count};
use crate::fault::{Fault, Sort};
use crate::question::{About, Question};
use std::collections::BTreeMap;
use std::fmt;

/// An ABI and the C compiler that was queried about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    pub target: &'static str,
    pub compiler: &'static str,
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        write!(out, "{}, {}", self.target, self.compiler)
    }
}

pub struct Report {
    name: String,
    version: String,
    include: String,
    counts: String,
    stages: Vec<String>,
    not_run: Vec<(String, String)>,
    /// Each fault with the ABIs that show it; none for faults that need no compiler.
    faults: BTreeMap<Fault, Vec<Place>>,
    places: Vec<Place>,
}

impl Report {
    pub fn new(subject: &Subject) -> Report {
        Report {
            name: subject.name.clone(),
            version: subject.version.clone(),
            include: subject.include.display().to_string(),
            counts: String::new(),
            stages: Vec::new(),
            not_run: Vec::new(),
            faults: BTreeMap::new(),
            places: Vec::new(),
        }
    }

    pub fn not_run(&mut self, what: &str, why: &str) {
        self.not_run.push((what.into(), why.into()));
    }

    fn stage(&mut self, text: String) {
        self.stages.push(text);
    }

    pub fn comparison(&mut self, comparison: &Comparison) {
        let count = |(count, number): (&Count, &usize)| plural(*number, words(*count));
        let counts: Vec<String> = comparison.counts.iter().map(count).collect();
        self.counts = counts.join(", ");
        self.stage(format!(
            "exceptions, each with its reason: {}",
            comparison.exceptions
        ));
        if comparison.linked > 0 {
            let linked = comparison.linked;
            self.stage(format!(
                "extern functions whose symbol the library defines: {linked}"
            ));
        }
        if !comparison.replaced.is_empty() {
            let names = comparison.replaced.join(", ");
            self.stage(format!(
                "Rust functions where the library has no symbol: {names}"
            ));
        }
        for fault in &comparison.faults {
            self.faults.entry(fault.clone()).or_default();
        }
    }

    pub fn compiled(
        &mut self,
        place: Place,
        questions: &[Question],
        faults: Vec<Fault>,
        c_version: &str,
        rust_version: &str,
    ) {
        let is_type = |question: &&Question| matches!(question.about, About::Type { .. });
        let types = questions.iter().filter(is_type).count();
        let numbers = questions.len() - types;
        self.stage(format!(
            "{place}: {types} types and {numbers} numbers compared"
        ));
        self.stage(format!("  by {c_version} and {rust_version}"));
        for fault in faults {
            self.faults.entry(fault).or_default().push(place.clone());
        }
        self.places.push(place);
    }

    pub fn faults(&self) -> impl Iterator<Item = (&Fault, &[Place])> {
        self.faults
            .iter()
            .map(|(fault, places)| (fault, places.as_slice()))
    }

    pub fn checks_not_run(&self) -> usize {
        self.not_run.len()
    }

    /// Names the places, unless they are all or none: ` [i686-unknown-linux-gnu]`.
    fn where_(&self, places: &[Place]) -> String {
        if places.is_empty() || places.len() == self.places.len() {
            return String::new();
        }
        let of_target = |target| {
            self.places
                .iter()
                .filter(move |place| place.target == target)
        };
        let name = |place: &Place| match of_target(place.target).all(|p| places.contains(p)) {
            true => place.target.to_string(),
            false => place.to_string(),
        };
        let mut names: Vec<String> = places.iter().map(name).collect();
        names.dedup();
        format!(" [{}]", names.join("; "))
    }
}

fn words(count: Count) -> &'static str {
    match count {
        Count::Functions => "function",
        Count::InlineFunctions => "inline function",
        Count::TypedMacros => "typed macro",
        Count::FunctionMacros => "function macro",
        Count::Types => "type",
        Count::EnumConstants => "enum constant",
        Count::MacroConstants => "macro constant",
    }
}

fn plural(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

fn heading(sort: Sort) -> &'static str {
    match sort {
        Sort::HeaderOnly => "only in the headers (a newer upstream has added it)",
        Sort::BindingOnly => "only in the bindings (a newer upstream has dropped it)",
        Sort::Differs => "different (a newer upstream has changed it)",
        Sort::Other => "wrong in this repository",
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        writeln!(
            out,
            "{}: {}, headers in {}",
            self.name, self.version, self.include
        )?;
        for stage in &self.stages {
            writeln!(out, "  {stage}")?;
        }
        for (what, why) in &self.not_run {
            writeln!(out, "  not run: {what}: {why}")?;
        }
        let mut last = None;
        for (fault, places) in &self.faults {
            if last != Some(fault.sort) {
                writeln!(out, "  {}:", heading(fault.sort))?;
                last = Some(fault.sort);
            }
            write!(out, "    {}: {}", fault.name, fault.text)?;
            writeln!(out, "{}", self.where_(places))?;
        }
        let faults = plural(self.faults.len(), "fault");
        write!(out, "{}: {}; {faults}", self.name, self.counts)?;
        match self.not_run.len() {
            0 => Ok(()),
            count => write!(out, "; {} not run", plural(count, "check")),
        }
    }
}

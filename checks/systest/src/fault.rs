//! The kinds of faults.

/// A fault, with the name of its item.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    pub sort: Sort,
    pub name: String,
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sort {
    /// Seen from a newer header: added.
    HeaderOnly,
    /// Seen from a newer header: dropped.
    BindingOnly,
    /// Seen from a newer header: changed.
    Differs,
    /// A fault in the exception list, or in the crate's source.
    Other,
}

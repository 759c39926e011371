//! What can be wrong.

/// Something that is wrong, under the name of the item that it is wrong with.
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
    /// The exception list, or the crate's source, is wrong by itself.
    Other,
}

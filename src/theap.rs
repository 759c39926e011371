//! Thread-local heaps: the part that one thread has of a heap, for programs that keep the pointer and save
//! looking it up. On v2 a heap is one thread's anyway, and some of the names are aliases.

#[cfg(any(mi_v2, docsrs))]
pub(crate) mod v2;
#[cfg(mi_v3)]
mod v3;

#[cfg(mi_v2)]
pub use self::v2::*;
#[cfg(mi_v3)]
pub use self::v3::*;

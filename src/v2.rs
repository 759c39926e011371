//! What v2 has in another form than v3, and what only v2 has.
//!
//! In a program these items are at the crate's root, if it is built with the feature `v2`.

pub use crate::alloc::v2::*;
pub use crate::analysis::v2::*;
pub use crate::arena::v2::*;
pub use crate::extended::v2::*;
pub use crate::heap::v2::*;
pub use crate::options::v2::*;
pub use crate::posix::v2::*;
pub use crate::stats::v2::*;
pub use crate::subproc::v2::*;
pub use crate::theap::v2::*;

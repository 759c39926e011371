//! Bindings to the [mimalloc](https://github.com/microsoft/mimalloc) allocator.
#![no_std]
#![deny(missing_docs)]
// The names are the C header's.
#![allow(non_camel_case_types, non_upper_case_globals)]

mod aligned;
mod alloc;
mod analysis;
mod arena;
mod cpp;
mod extended;
mod global;
mod heap;
mod options;
mod posix;
mod stats;
mod subproc;
mod typed;
mod types;
mod zeroinit;

#[cfg(line = "v3")]
mod csize;
#[cfg(line = "v3")]
mod profile;
#[cfg(line = "v3")]
mod theap;

#[cfg(line = "v2")]
mod v2;
#[cfg(line = "v3")]
mod v3;

pub use crate::aligned::*;
pub use crate::alloc::*;
pub use crate::analysis::*;
pub use crate::arena::*;
pub use crate::cpp::*;
pub use crate::extended::*;
pub use crate::global::*;
pub use crate::heap::*;
pub use crate::options::*;
pub use crate::posix::*;
pub use crate::stats::*;
pub use crate::subproc::*;
pub use crate::typed::*;
pub use crate::types::*;
pub use crate::zeroinit::*;

#[cfg(line = "v3")]
pub use crate::{csize::*, profile::*, theap::*, v3::*};

#[cfg(line = "v2")]
pub use crate::v2::*;

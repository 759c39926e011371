//! mimalloc for Rust: Microsoft's [mimalloc](https://github.com/microsoft/mimalloc) built from
//! source by Cargo alone, all of its functions, and [`MiMalloc`], which makes it the allocator of a
//! Rust program.
//!
//! ```
//! #[global_allocator]
//! static GLOBAL: mi_malloc_sys::MiMalloc = mi_malloc_sys::MiMalloc;
//! # fn main() {}
//! ```
//!
//! That is all most programs need. The rest of this crate is for those that want more of their
//! allocator: a heap for each request that is freed at once, memory of their own as an arena,
//! statistics, a heap profile, the `malloc` of the C code they link.
//!
//! Names, arguments and their order are the C header's, and everything is at the crate's root.
//! Functions that call C are `unsafe`. The `# Safety` section of each says what must hold, or that
//! nothing must.
//!
//! # The groups
//!
//! Each has a page in the [`guide`], with an introduction, an example and the list of its items.
//!
//! | group | for |
//! |---|---|
//! | [`MiMalloc`](guide::global) | every `Box`, `Vec` and `String` of the program |
//! | [basic](guide::alloc) | `malloc`, `calloc`, `realloc`, `free` and copies of strings |
//! | [extended](guide::extended) | small and zeroed blocks, block sizes, errors, output, start and end of threads |
//! | [aligned](guide::aligned) | blocks at a multiple of any power of two |
//! | [zeroed](guide::zeroed) | reallocation that keeps new bytes zero |
//! | [typed](guide::typed) | the same with a type instead of a size |
//! | [constant sizes](guide::csize) | v3: sizes known when the program is compiled |
//! | [heaps](guide::heaps) | sets of blocks that are freed at once |
//! | [analysis](guide::analysis) | which heap a pointer is of; visiting all blocks |
//! | [arenas](guide::arenas) | large areas of memory: reserved, or the program's own |
//! | [subprocesses](guide::subprocesses) | parts of a program that share no memory |
//! | [theaps](guide::theaps) | one thread's part of a heap, for language runtimes |
//! | [options](guide::options) | what can be set while the program runs, and by its environment |
//! | [statistics](guide::statistics) | what the allocator did: as numbers, text or JSON |
//! | [profiling](guide::profiling) | v3: which code allocated what, as a file for `pprof` |
//! | [POSIX](guide::posix) | `posix_memalign`, `memalign`, `reallocarray`, and their Windows counterparts |
//! | [C++](guide::cpp) | the forms of `new` |
//!
//! And pages on the whole: [the build](guide::building), [its errors](guide::errors),
//! [threads](guide::threads), [how memory is returned to the system](guide::memory),
//! [platforms and tests](guide::platforms), [performance](guide::performance),
//! [example programs](guide::examples), and [moving from v2 to v3](guide::versions).
//!
//! # v3 and v2
//!
//! mimalloc is developed in two major versions. v3 (3.6.0 here) is the default; the feature `v2`
//! selects the older v2 (2.5.2 here). They share most of their functions. Where one behaves
//! differently, the function's text says so. A build has the items of one of them only.
#![cfg_attr(
    docsrs,
    doc = "\nThis page shows v3. Items marked `v3` exist in v3 only. The module [`v2`] shows what v2 has in another form, and marks with `v2` what exists in v2 only; in a build of v2 all of it is at the root. `v3` is the default, so the feature of that name need not be set. A library that needs v3 sets it, and gets v3 even if another package enables `v2`."
)]
#![cfg_attr(
    all(mi_v3, not(docsrs)),
    doc = "\nThis documentation was made for v3; `cargo doc --features mi-malloc-sys/v2` makes that of v2."
)]
#![cfg_attr(
    mi_v2,
    doc = "\nThis documentation was made for v2; without the feature `v2` it is that of v3."
)]
//!
//! # In short
//!
//! * **Features** choose how the C is built: `secure`, `debug`, `guarded`, `override` and others. A
//!   few **variables** serve whoever builds: another source tree, the system's library, further
//!   definitions. The tables are on the page on [the build](guide::building).
//! * **Options** are set when the program runs: `MIMALLOC_PURGE_DELAY=0 program`, or
//!   [`mi_option_set`]. Each constant `mi_option_…` documents its unit, default and variable.
//! * **Memory** that is freed is returned to the operating system after a delay, and only during a
//!   later call: see [memory](guide::memory) if your program holds more than you expect.
//! * **Any thread may free any block.** What else threads may do is on the page on
//!   [threads](guide::threads).
//! * **Blocks of [`MiMalloc`] are ordinary blocks of mimalloc**: [`mi_usable_size`] and [`mi_free`]
//!   take them, and C code that is linked to this library may free them.
#![no_std]
#![deny(missing_docs, unsafe_op_in_unsafe_fn)]
// No example uses what upstream has deprecated.
#![doc(test(attr(deny(deprecated))))]
// The names are the C header's.
#![allow(non_camel_case_types, non_upper_case_globals)]
// The marks for what exists in one major version only; docs.rs builds with nightly. They are written
// at each item: those that rustdoc derives from `cfg` would also mark what differs between the two.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(docsrs, doc(auto_cfg = false))]

// The bindings, one module for each group. What only one major version has of a group, or has in another form, is in
// the group's modules `v3` and `v2`, which the group re-exports.
mod aligned;
mod alloc;
mod analysis;
mod arena;
mod cpp;
mod extended;
mod free_blocks;
mod global;
mod heap;
mod opaque;
mod options;
mod posix;
mod program_options;
mod stats;
mod subproc;
mod theap;
mod typed;
mod zeroinit;

#[cfg(mi_v3)]
mod csize;
#[cfg(mi_v3)]
mod profile;

// docs.rs builds v3, and shows beside it what v2 has instead: the groups' modules `v2` are there too, under their
// own path because the names collide.
#[cfg(all(docsrs, mi_v3))]
pub mod v2;

// The manual is no part of the compiled crate.
#[cfg(doc)]
pub mod guide;

pub use crate::aligned::*;
pub use crate::alloc::*;
pub use crate::analysis::*;
pub use crate::arena::*;
pub use crate::cpp::*;
pub use crate::extended::*;
pub use crate::free_blocks::*;
pub use crate::global::*;
pub use crate::heap::*;
pub use crate::options::*;
pub use crate::posix::*;
pub use crate::program_options::{option_source, OptionSource, ProgramOption, ProgramOptions};
pub use crate::stats::*;
pub use crate::subproc::*;
pub use crate::theap::*;
pub use crate::typed::*;
pub use crate::zeroinit::*;

#[cfg(mi_v3)]
pub use crate::{csize::*, profile::*};

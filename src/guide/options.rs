//! Options: what can be set while the program runs, and by its environment.
//!
//! A user sets them without touching the program:
//!
//! ```sh
//! MIMALLOC_VERBOSE=1 MIMALLOC_PURGE_DELAY=0 program
//! ```
//!
//! The program's author compiles them into the program, once:
//!
//! ```
//! mi_malloc_sys::options! {
//!     mi_option_purge_delay = 100,
//!     mi_option_allow_thp = 0,
//! }
//! # fn main() {}
//! ```
//!
//! These are in force before the first allocation, and the environment overrides them: see
//! [`options!`](crate::options!). While the program runs, it sets options with these functions:
//!
//! ```
//! use mi_malloc_sys::{
//!     mi_option_get, mi_option_purge_delay, mi_option_set, mi_option_set_default,
//!     mi_option_show_errors,
//! };
//!
//! unsafe {
//!     mi_option_set(mi_option_purge_delay, 0); // overrides the environment
//!     assert_eq!(mi_option_get(mi_option_purge_delay), 0);
//!
//!     mi_option_set_default(mi_option_show_errors, 1); // the environment overrides it
//! }
//! ```
//!
//! Each constant says what the option does, its unit, its default in this major version, and its variable,
//! which is `MIMALLOC_` and the name in capitals. How values are written, and which source wins, is
//! documented at [`mi_option_t`].
//!
//! Most options decide at the moment of use, so set them early. Some are read once, when mimalloc
//! starts, before `main`: those are for [`options!`](crate::options!) and the environment, and their text says so.
//!
//! Where a value is from, the environment for example, [`option_source`] knows.
//!
//! Write the constants, not numbers: the major versions number the options differently.

#[doc(inline)]
pub use crate::options::*;
#[doc(no_inline)]
pub use crate::program_options::*;

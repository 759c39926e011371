//! The build script's decisions, for all tests of this program. Of modules with some effects the tests call only
//! the rest.

#[allow(dead_code)]
#[path = "../../build/pure.rs"]
mod pure;
pub use pure::*;

#[allow(dead_code)]
#[path = "../../build/fetch.rs"]
pub mod fetch;
#[allow(dead_code)]
#[path = "../../build/parent.rs"]
pub mod parent;
#[path = "../../build/rustc.rs"]
pub mod rustc;

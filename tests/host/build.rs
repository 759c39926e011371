//! The build script's decisions, for all tests of this program. In modules that also have effects, the tests call
//! only the functions without.

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

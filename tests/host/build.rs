//! The build script's decisions, for all tests of this program. Of modules with some effects the tests call only
//! the rest.

#[path = "../../build/arch.rs"]
pub mod arch;
#[allow(dead_code)]
#[path = "../../build/arguments.rs"]
pub mod arguments;
#[path = "../../build/config.rs"]
pub mod config;
#[allow(dead_code)]
#[path = "../../build/fetch.rs"]
pub mod fetch;
#[path = "../../build/lto.rs"]
pub mod lto;
#[path = "../../build/modes.rs"]
pub mod modes;
#[allow(dead_code)]
#[path = "../../build/object.rs"]
pub mod object;
#[allow(dead_code)]
#[path = "../../build/parent.rs"]
pub mod parent;
#[path = "../../build/plan.rs"]
pub mod plan;
#[path = "../../build/platform.rs"]
pub mod platform;
#[path = "../../build/rustc.rs"]
pub mod rustc;
#[path = "../../build/tools.rs"]
pub mod tools;
#[path = "../../build/version.rs"]
pub mod version;

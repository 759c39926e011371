//! The part of the build script without effects: no environment, no file, no process. The build script mounts it, and so
//! does each test that checks what it decides.

pub mod arch;
pub mod arguments;
pub mod config;
pub mod fast_path;
pub mod instrumentation;
pub mod lto;
pub mod modes;
pub mod object;
pub mod plan;
pub mod platform;
pub mod units;
pub mod version;

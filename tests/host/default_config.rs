//! The configuration of a build without special settings.

use crate::build::config::{Config, Features, Major, Target};

pub fn config(target: &Target, major: Major) -> Config {
    Config {
        major,
        target: target.clone(),
        features: Features::default(),
        debug_assertions: false,
        opt_level: "0".into(),
        sanitizers: vec![],
        track: None,
        lto: None,
        rust_flags: vec![],
        defines: vec![],
        atomic: None,
        release: None,
    }
}

/// The same for x86_64 Linux with glibc.
pub fn for_linux(major: Major) -> Config {
    let target = Target {
        arch: "x86_64".into(),
        os: "linux".into(),
        env: "gnu".into(),
        triple: "x86_64-unknown-linux-gnu".into(),
        unix: true,
        ..Target::default()
    };
    config(&target, major)
}

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

#![doc = include_str!("../../docs/versions.md")]

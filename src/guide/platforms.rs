#![doc = include_str!("../../docs/platforms.md")]

#![doc = include_str!("../../docs/building.md")]

#![doc = "[slices]: super::building#large-slices"]
#![doc = ""]
#![doc = include_str!("../../docs/performance.md")]

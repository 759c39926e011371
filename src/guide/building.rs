// Of two definitions of a link the first counts. The file has its own, for who reads it as a file.
#![doc = "[lto-errors]: super::errors#link-time-optimisation"]
#![doc = "[overridden]: super::errors#an-option-of-cflags-is-overridden"]
#![doc = "[fork]: super::threads#fork"]
#![doc = ""]
#![doc = include_str!("../../docs/building.md")]

// Of two definitions of a link the first counts. The file has its own, for who reads it as a file.
#![doc = "[fast-path]: super::building#without-a-call"]
#![doc = "[lto]: super::building#link-time-optimisation"]
#![doc = "[found]: super::building#where-the-c-comes-from"]
#![doc = ""]
#![doc = include_str!("../../docs/errors.md")]

//! Where does the memory go? mimalloc's own profiler (v3) samples allocations with their call stacks and
//! writes a file that `pprof` reads.
//!
//!     CARGO_PROFILE_RELEASE_DEBUG=1 cargo run --release --example heap_profile -- NAME
//!     go tool pprof -top target/release/examples/heap_profile NAME.0001.pb
//!
//! (Debug information is for `pprof`, which else finds no names for the addresses.) For a whole program no
//! code is needed: `MIMALLOC_PROFILE=NAME program` writes the file when the program ends.

#[cfg(line = "v2")]
fn main() {
    println!("This example needs v3: v2 has no profiler.");
}

#[cfg(line = "v3")]
fn main() {
    v3::main();
}

#[cfg(line = "v3")]
mod v3 {
    use super::protobuf::{fields, numbers, Value};
    use mi_malloc_sys::*;
    use std::ffi::CString;
    use std::path::{Path, PathBuf};
    use std::{fs, ptr};

    #[global_allocator]
    static GLOBAL: MiMalloc = MiMalloc;

    /// A sample each so many bytes on average: small here, to see much of a short program.
    const RATE: usize = 4096;

    pub fn main() {
        let name = match std::env::args_os().nth(1) {
            Some(name) => PathBuf::from(name),
            None => std::env::temp_dir().join(format!("heap_profile-{}", std::process::id())),
        };
        // The extension says which format; a number and the format's own extension replace it.
        let held = profile(&name.with_extension("pb"));
        let file = name.with_extension("0001.pb");
        let found = Profile::read(&read(&file));
        let [_, allocated, _, in_use] = found.sums;
        println!("{}: {} call stacks", file.display(), found.stacks);
        println!(
            "{:>12} bytes of the sampled blocks were allocated, {} are in use",
            allocated, in_use
        );
        println!("{:>12} bytes are really in use", held);
        assert_eq!(
            found.kinds,
            [
                "alloc_objects",
                "alloc_bytes",
                "inuse_objects",
                "inuse_bytes"
            ]
        );
        assert!(found.stacks >= 2, "`cache` and `parse` at least");
        // Samples are a part of all blocks: a good part of the large ones, and never more than there is.
        assert!(held as i64 / 10 < in_use && in_use < held as i64 + 100_000);
        assert!(allocated > in_use);

        profile(&name.with_extension("text"));
        let file = name.with_extension("0001.heap");
        let text = String::from_utf8(read(&file)).expect("the text format is ASCII");
        println!(
            "{}: {}",
            file.display(),
            text.lines().next().unwrap_or_default()
        );
        assert!(text.starts_with("heap profile: ") && text.contains("@ heapprofile\n"));
        assert!(
            text.contains("\nMAPPED_LIBRARIES:\n"),
            "or addresses have no names"
        );
    }

    /// Runs the program under the profiler, and returns how many bytes are in use at its end.
    fn profile(name: &Path) -> usize {
        let name = CString::new(name.to_string_lossy().as_bytes()).expect("a name without NUL");
        // SAFETY: the name is a C string, and the profiler is never deleted: samples that are in use refer to it.
        unsafe {
            let profiler = mi_pprof_profiler_new(RATE, name.as_ptr(), 0, 0, 0);
            assert!(!profiler.is_null(), "out of memory");
            assert!(mi_profile(profiler));
            mi_profiler_start(profiler);
            let kept = cache();
            assert!(parse() > 0);
            mi_profiler_stop(profiler);
            mi_profiler_snapshot(profiler);
            mi_profile(ptr::null_mut());
            kept.iter().map(Vec::capacity).sum()
        }
    }

    fn read(file: &Path) -> Vec<u8> {
        fs::read(file).unwrap_or_else(|error| {
            eprintln!("{} was not written: {}", file.display(), error);
            std::process::exit(1);
        })
    }

    /// Memory that stays: most of what is in use.
    #[inline(never)]
    fn cache() -> Vec<Vec<u8>> {
        (0..2000).map(|n| vec![n as u8; 5000]).collect()
    }

    /// Memory that comes and goes: most of what is allocated.
    #[inline(never)]
    fn parse() -> usize {
        (0..200_000)
            .map(|n| format!("line {} of the text", n).len())
            .sum()
    }
    /// What a viewer makes of the file; the numbers of the fields are those of pprof's `profile.proto`.
    struct Profile {
        /// What the numbers of a sample mean.
        kinds: Vec<String>,
        stacks: usize,
        sums: [i64; 4],
    }

    impl Profile {
        fn read(bytes: &[u8]) -> Profile {
            let mut strings = Vec::new();
            let mut kinds = Vec::new();
            let (mut stacks, mut sums) = (0, [0; 4]);
            for (field, value) in fields(bytes) {
                match (field, value) {
                    (1, Value::Bytes(sample_type)) => kinds.push(first_number(sample_type, 1)),
                    (2, Value::Bytes(sample)) => {
                        stacks += 1;
                        let values: Vec<u64> = numbers(sample, 2);
                        assert_eq!(values.len(), sums.len());
                        for (sum, value) in sums.iter_mut().zip(values) {
                            *sum += value as i64;
                        }
                    }
                    (6, Value::Bytes(string)) => strings.push(String::from_utf8_lossy(string)),
                    _ => {}
                }
            }
            let kinds = kinds
                .iter()
                .map(|at| strings[*at as usize].to_string())
                .collect();
            Profile {
                kinds,
                stacks,
                sums,
            }
        }
    }

    fn first_number(message: &[u8], field: u64) -> u64 {
        numbers(message, field)[0]
    }
}

/// As much of Google's Protocol Buffers as a profile needs.
#[cfg(line = "v3")]
mod protobuf {
    pub enum Value<'a> {
        Number(u64),
        Bytes(&'a [u8]),
    }

    /// The fields of a message, with their numbers.
    pub fn fields(mut message: &[u8]) -> impl Iterator<Item = (u64, Value<'_>)> {
        std::iter::from_fn(move || {
            if message.is_empty() {
                return None;
            }
            let key = varint(&mut message);
            let value = match key & 7 {
                0 => Value::Number(varint(&mut message)),
                2 => {
                    let length = varint(&mut message) as usize;
                    let (bytes, rest) = message.split_at(length);
                    message = rest;
                    Value::Bytes(bytes)
                }
                other => panic!("a profile has no values of wire type {}", other),
            };
            Some((key >> 3, value))
        })
    }

    /// All numbers of the field `wanted`, written one by one or packed.
    pub fn numbers(message: &[u8], wanted: u64) -> Vec<u64> {
        let mut numbers = Vec::new();
        for (field, value) in fields(message) {
            match value {
                _ if field != wanted => {}
                Value::Number(number) => numbers.push(number),
                Value::Bytes(mut packed) => {
                    while !packed.is_empty() {
                        numbers.push(varint(&mut packed));
                    }
                }
            }
        }
        numbers
    }

    /// Seven bits a byte, the lowest first; the eighth says that more follow.
    fn varint(bytes: &mut &[u8]) -> u64 {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = bytes.split_first().expect("a complete number");
            *bytes = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return number;
            }
        }
        panic!("a number of more than 64 bits");
    }
}

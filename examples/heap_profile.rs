//! Where does the memory go? mimalloc's own profiler (v3) samples allocations with their call stacks and
//! writes files that `pprof` reads.
//!
//!     cargo run --release --example heap_profile -- NAME
//!     pprof -top -cum NAME.0001.pb                # Google's: go install github.com/google/pprof@latest
//!     google-pprof --text --cum target/release/examples/heap_profile NAME.0001.heap       # gperftools'
//!
//! With the files as mimalloc writes them, `pprof` shows the names of other functions. So this program corrects them,
//! see `support/pprof_file.rs`. The names are in the program's symbols; for lines and inlined functions, set
//! `CARGO_PROFILE_RELEASE_DEBUG=1`.
//!
//! For a whole program no code is needed, but a flag for the linker: see the page on profiling in the manual.

#[cfg(mi_v2)]
fn main() {
    println!("This example needs v3: v2 has no profiler.");
}

#[cfg(mi_v3)]
#[path = "support/pprof_file.rs"]
mod pprof_file;

#[cfg(mi_v3)]
fn main() {
    v3::main();
}

#[cfg(mi_v3)]
mod v3 {
    use super::pprof_file::{self, fields, numbers, Value};
    use mi_malloc_sys::*;
    use std::ffi::CString;
    use std::path::{Path, PathBuf};
    use std::{fs, ptr};

    #[global_allocator]
    static GLOBAL: MiMalloc = MiMalloc;

    /// The average number of bytes from one sample to the next: few, for many samples of a short program.
    const RATE: usize = 4096;

    pub fn main() {
        let name = match std::env::args_os().nth(1) {
            Some(name) => PathBuf::from(name),
            None => std::env::temp_dir().join(format!("heap_profile-{}", std::process::id())),
        };
        // The extension selects the format; a number and the format's own extension replace it.
        let in_use = profile(&name.with_extension("pb"));
        let file = name.with_extension("0001.pb");
        let mended = mended(&read(&file));
        write(&file, &mended);
        let found = Profile::read(&mended);
        let [_, sampled, _, sampled_in_use] = found.sums;
        println!("{}: {} call stacks", file.display(), found.stacks);
        println!(
            "{:>12} bytes in sampled blocks, {} of them in use",
            sampled, sampled_in_use
        );
        println!("{:>12} bytes really in use", in_use);
        assert_eq!(
            found.kinds,
            [
                "alloc_objects",
                "alloc_bytes",
                "inuse_objects",
                "inuse_bytes"
            ]
        );
        assert!(found.stacks >= 2, "`fill_cache` and `parse_lines` at least");
        // The sums are those of the sampled blocks alone, and not scaled up.
        assert!(in_use as i64 / 10 < sampled_in_use && sampled_in_use < in_use as i64 + 100_000);
        assert!(sampled > sampled_in_use);

        profile(&name.with_extension("text"));
        let file = name.with_extension("0001.heap");
        let text = String::from_utf8(read(&file)).expect("stacks and names of files");
        let text = pprof_file::with_lower_case_addresses(&text);
        write(&file, text.as_bytes());
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
            let kept = fill_cache();
            assert!(parse_lines() > 0);
            mi_profiler_stop(profiler);
            mi_profiler_snapshot(profiler);
            mi_profile(ptr::null_mut());
            kept.iter().map(Vec::capacity).sum()
        }
    }

    /// Adds the file offsets, which only Linux needs: elsewhere a mapping is a whole file.
    fn mended(profile: &[u8]) -> Vec<u8> {
        if cfg!(target_os = "linux") {
            let maps = read(Path::new("/proc/self/maps"));
            pprof_file::with_file_offsets(profile, &String::from_utf8_lossy(&maps))
        } else {
            profile.to_vec()
        }
    }

    fn read(file: &Path) -> Vec<u8> {
        fs::read(file).unwrap_or_else(|error| fail(file, "read", error))
    }

    fn write(file: &Path, content: &[u8]) {
        fs::write(file, content).unwrap_or_else(|error| fail(file, "written", error))
    }

    fn fail(file: &Path, what: &str, error: std::io::Error) -> ! {
        eprintln!("{} cannot be {}: {}", file.display(), what, error);
        std::process::exit(1);
    }

    /// Memory that is retained: all of what is in use.
    #[inline(never)]
    fn fill_cache() -> Vec<Vec<u8>> {
        let mut entries = Vec::new();
        for n in 0..2000 {
            entries.push(vec![n as u8; 5000]);
        }
        entries
    }

    /// Memory that is freed again: most of what is allocated.
    #[inline(never)]
    fn parse_lines() -> usize {
        let mut length = 0;
        for n in 0..10_000 {
            let line = "word ".repeat(1000 + n % 100);
            length += line.trim_end().len();
        }
        length
    }

    /// What a viewer reads from the file; the numbers of the fields are those of pprof's `profile.proto`.
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
            for field in fields(bytes) {
                match (field.number, field.value) {
                    (1, Value::Bytes(sample_type)) => kinds.push(numbers(sample_type, 1)[0]),
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
}

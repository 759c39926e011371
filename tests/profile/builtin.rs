//! The built-in profiler (v3): its files are profiles, and they show what was allocated. Each test runs in a
//! process of its own: a process makes one snapshot at a time, and leaves out another.

use crate::folder::Folder;
use crate::pprof::{self, Profile};
#[cfg(target_os = "linux")]
use crate::pprof_file;
use crate::respawn;
use mi_malloc_sys::*;
use std::ffi::CString;
use std::fs;
use std::path::Path;
use std::ptr::null;

fn files(folder: &Path) -> Vec<String> {
    let name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| name(entry.unwrap()))
        .collect();
    names.sort();
    names
}

unsafe fn profiler(
    file: &Path,
    alloc_interval: usize,
    inuse_interval: usize,
) -> *mut mi_profiler_t {
    let file = CString::new(file.to_str().unwrap()).unwrap();
    // 0 samples at every chance, and a block of 300 KB is one.
    let profiler = mi_pprof_profiler_new(0, file.as_ptr(), alloc_interval, inuse_interval, 0);
    assert!(!profiler.is_null());
    profiler
}

const SIZE: usize = 300_000;

/// Makes a heap sample, allocates `kept + freed` blocks, and returns the kept ones.
#[inline(never)]
unsafe fn work(heap: *mut mi_heap_t, kept: usize, freed: usize) -> Vec<*mut core::ffi::c_void> {
    let mut blocks: Vec<_> = (0..kept + freed)
        .map(|_| mi_heap_malloc(heap, SIZE))
        .collect();
    blocks.drain(kept..).for_each(|p| mi_free(p));
    blocks
}

/// Samples nothing any more, so that the numbers do not change.
unsafe fn stop(heap: *mut mi_heap_t, profiler: *mut mi_profiler_t) {
    assert!(mi_profiler_stop(profiler));
    assert!(mi_heap_profile(heap, std::ptr::null_mut()));
    mi_pprof_profiler_delete(profiler);
}

/// The heap takes notice of a started profiler only after some allocations.
unsafe fn attached(profiler: *mut mi_profiler_t) -> *mut mi_heap_t {
    let heap = mi_heap_new();
    assert!(mi_heap_profile(heap, profiler));
    assert!(!mi_profiler_start(profiler));
    for _ in 0..1200 {
        mi_free(mi_heap_malloc(heap, SIZE));
    }
    heap
}

/// What `new` has beyond `old`, where both have the same shape.
fn assert_difference(old: &Profile, new: &Profile, allocated: i64, in_use: i64) {
    let (old, new) = (old.sum(), new.sum());
    let size = SIZE as i64;
    assert_eq!(new.alloc_objects - old.alloc_objects, allocated);
    assert_eq!(new.alloc_bytes - old.alloc_bytes, allocated * size);
    assert_eq!(new.inuse_objects - old.inuse_objects, in_use);
    assert_eq!(new.inuse_bytes - old.inuse_bytes, in_use * size);
}

/// The stacks lead through this very program.
fn assert_stacks(profile: &Profile) {
    let own = std::env::current_exe().unwrap();
    let own = own.to_str().unwrap();
    assert!(!profile.samples.is_empty());
    for sample in &profile.samples {
        assert!(sample.stack.len() > 2, "{sample:?}");
        let here = |address: &u64| profile.mapping_of(*address) == Some(own);
        assert!(sample.stack.iter().any(here), "{sample:?}");
    }
}

#[test]
fn the_text_form() {
    respawn::alone(|| {
        let folder = Folder::new("profile-builtin-text");
        unsafe {
            let profiler = profiler(&folder.join("my.profile.heap"), 0, 0);
            let heap = attached(profiler);
            let read = |number: usize| {
                mi_profiler_snapshot(profiler);
                let name = format!("my.profile.{number:04}.heap");
                pprof::text(&fs::read_to_string(folder.join(name)).unwrap())
            };
            let before = read(1);
            let kept = work(heap, 30, 70);
            let after = read(2);
            assert_difference(&before, &after, 100, 30);
            assert_stacks(&after);
            assert!(after.samples.len() > before.samples.len());
            kept.into_iter().for_each(|p| mi_free(p));
            let empty = read(3);
            assert_difference(&before, &empty, 100, 0);
            assert_eq!(
                files(&folder),
                [
                    "my.profile.0001.heap",
                    "my.profile.0002.heap",
                    "my.profile.0003.heap"
                ]
            );
            stop(heap, profiler);
            mi_heap_delete(heap);
        }
    });
}

#[test]
fn the_message() {
    respawn::alone(|| {
        let folder = Folder::new("profile-builtin-message");
        unsafe {
            let profiler = profiler(&folder.join("profile"), 0, 0);
            let heap = attached(profiler);
            let read = |number: usize| {
                mi_profiler_snapshot(profiler);
                pprof::message(&fs::read(folder.join(format!("profile.{number:04}.pb"))).unwrap())
            };
            let before = read(1);
            let kept = work(heap, 30, 70);
            // Another thread's samples stand for themselves, even on the same way.
            let address = heap as usize;
            let others = std::thread::spawn(move || {
                let heap = address as *mut mi_heap_t;
                for _ in 0..1200 {
                    mi_free(mi_heap_malloc(heap, SIZE));
                }
                work(heap, 5, 0)
                    .into_iter()
                    .map(|p| p as usize)
                    .collect::<Vec<_>>()
            })
            .join()
            .unwrap();
            let after = read(2);
            assert_stacks(&after);
            let threads: std::collections::HashSet<_> = after
                .samples
                .iter()
                .map(|sample| sample.thread.expect("no thread"))
                .collect();
            assert_eq!(threads.len(), 2);
            let (old, new) = (before.sum(), after.sum());
            assert_eq!(new.inuse_objects - old.inuse_objects, 35);
            assert_eq!(new.inuse_bytes - old.inuse_bytes, 35 * SIZE as i64);
            assert!(new.alloc_objects - old.alloc_objects >= 105);

            let now = std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .unwrap();
            assert!(
                now.as_nanos() as i64 - after.time < 60_000_000_000,
                "{}",
                after.time
            );
            assert!(after.duration >= before.duration && after.duration < 60_000_000_000);
            assert!(after
                .mappings
                .iter()
                .any(|mapping| mapping.file.contains("libc")));
            kept.into_iter().for_each(|p| mi_free(p));
            others
                .into_iter()
                .for_each(|p| mi_free(p as *mut core::ffi::c_void));
            assert_eq!(read(3).sum().inuse_objects, old.inuse_objects);
            stop(heap, profiler);
            mi_heap_delete(heap);
        }
    });
}

/// What the files lack for the right names, and that the example adds it. (`tests/host/examples.rs` asks a viewer.)
#[cfg(target_os = "linux")]
#[test]
fn mended_files() {
    respawn::alone(|| {
        let folder = Folder::new("profile-builtin-mended");
        let written = |extension: &str| unsafe {
            let profiler = profiler(&folder.join(format!("p.{extension}")), 0, 0);
            let heap = attached(profiler);
            let kept = work(heap, 30, 70);
            mi_profiler_snapshot(profiler);
            kept.into_iter().for_each(|p| mi_free(p));
            stop(heap, profiler);
            mi_heap_delete(heap);
            fs::read(folder.join(format!("p.0001.{extension}"))).unwrap()
        };

        let file = written("pb");
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        let original = pprof::message(&file);
        let mended = pprof::message(&pprof_file::with_file_offsets(&file, &maps));
        assert_eq!(mended.samples, original.samples);
        assert_stacks(&mended);
        assert!(
            original.mappings.iter().all(|mapping| mapping.offset == 0),
            "mimalloc writes file offsets, so that its files need not be mended"
        );
        let code: Vec<&str> = maps
            .lines()
            .filter(|line| line.contains(" r-xp ") && line.contains('/'))
            .collect();
        assert!(code.len() > 1);
        let found: Vec<String> = mended
            .mappings
            .iter()
            .map(|mapping| {
                let pprof::Mapping {
                    start,
                    end,
                    offset,
                    file,
                } = mapping;
                format!("{start:x}-{end:x} r-xp {offset:08x} {file}")
            })
            .collect();
        let expected: Vec<String> = code
            .iter()
            .map(|line| {
                let words: Vec<&str> = line.split_whitespace().collect();
                format!("{} {} {} {}", words[0], words[1], words[2], words[5])
            })
            .collect();
        assert_eq!(found, expected);
        assert!(mended.mappings.iter().any(|mapping| mapping.offset > 0));

        let file = String::from_utf8(written("heap")).unwrap();
        let mended = pprof_file::with_lower_case_addresses(&file);
        assert_eq!(pprof::text(&mended).samples, pprof::text(&file).samples);
        let [stacks, mapped] = [&file, &mended].map(|text| text.split_once("MAPPED").unwrap());
        assert_eq!(stacks.1, mapped.1);
        assert_eq!(stacks.0.to_ascii_lowercase(), mapped.0);
        assert_ne!(
            stacks.0, mapped.0,
            "mimalloc writes addresses as viewers read them"
        );
    });
}

#[test]
fn names_of_files() {
    respawn::alone(|| {
        let folder = Folder::new("profile-builtin-names");
        unsafe {
            for (name, expected) in [
                ("a", "a.0001.pb"),
                ("b.heap", "b.0001.heap"),
                ("c.text", "c.0001.heap"),
                ("d.pb", "d.0001.pb"),
                ("e.f.other", "e.f.0001.pb"),
            ] {
                let profiler = profiler(&folder.join(name), 0, 0);
                mi_profiler_snapshot(profiler);
                mi_pprof_profiler_delete(profiler);
                assert!(
                    files(&folder).contains(&expected.to_string()),
                    "{:?}",
                    files(&folder)
                );
            }
            let count = files(&folder).len();
            assert_eq!(count, 5);
            // Without a name nothing is written; a place where nothing can be written does no harm.
            let silent = mi_pprof_profiler_new(0, null(), 0, 0, 0);
            mi_profiler_snapshot(silent);
            mi_pprof_profiler_delete(silent);
            let nowhere = profiler(&folder.join("no/such/folder/x"), 0, 0);
            mi_profiler_snapshot(nowhere);
            mi_pprof_profiler_delete(nowhere);
            assert_eq!(files(&folder).len(), count);
            mi_pprof_profiler_delete(std::ptr::null_mut());
        }
    });
}

#[cfg(unix)]
#[test]
fn files_are_the_owners_alone() {
    respawn::alone(|| {
        use std::os::unix::fs::{symlink, PermissionsExt};
        let folder = Folder::new("profile-builtin-owner");
        unsafe {
            let profiler = profiler(&folder.join("x.heap"), 0, 0);
            mi_profiler_snapshot(profiler);
            let mode = fs::metadata(folder.join("x.0001.heap"))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600);
            // A link is not followed.
            fs::write(folder.join("precious"), "precious").unwrap();
            symlink(folder.join("precious"), folder.join("x.0002.heap")).unwrap();
            mi_profiler_snapshot(profiler);
            assert_eq!(
                fs::read_to_string(folder.join("precious")).unwrap(),
                "precious"
            );
            mi_pprof_profiler_delete(profiler);
        }
    });
}

/// Snapshots that come by themselves.
#[test]
fn intervals() {
    respawn::alone(|| {
        unsafe {
            // Each time 30 MB have been allocated.
            let by_bytes = Folder::new("profile-builtin-by-bytes");
            let profiler_ = profiler(&by_bytes.join("p"), 30_000_000, 0);
            let heap = attached(profiler_);
            let before = files(&by_bytes).len();
            for _ in 0..10 {
                work(heap, 0, 100);
            }
            let made = files(&by_bytes).len() - before;
            assert!((9..=11).contains(&made), "{made}");
            stop(heap, profiler_);
            mi_heap_delete(heap);

            // Each time 30 MB more are in use; what is freed again does not count.
            let by_use = Folder::new("profile-builtin-by-use");
            let profiler_ = profiler(&by_use.join("p"), 0, 30_000_000);
            let heap = attached(profiler_);
            assert_eq!(files(&by_use).len(), 0);
            let kept = work(heap, 450, 0);
            let made = files(&by_use).len();
            assert!((4..=5).contains(&made), "{made}");
            work(heap, 0, 10);
            assert_eq!(files(&by_use).len(), made);
            kept.into_iter().for_each(|p| mi_free(p));
            stop(heap, profiler_);
            mi_heap_delete(heap);
        }
    });
}

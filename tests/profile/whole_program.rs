//! Profiling the whole program (v3): at its own request, and by the environment alone. In children, because
//! it concerns every allocation of the process.

use crate::folder::Folder;
use crate::pprof;
use crate::respawn;
use mi_malloc_sys::*;
use std::ffi::CString;
use std::fs;
use std::path::PathBuf;
use std::ptr::null_mut;

const SIZE: usize = 250_000;

/// Blocks of one size, some of which stay.
unsafe fn work() {
    for index in 0..4000 {
        let p = mi_malloc(SIZE);
        if index % 40 != 0 {
            mi_free(p);
        }
    }
}

#[test]
fn the_whole_program() {
    if !respawn::is_child() {
        let folder = Folder::new("profile-main-program");
        respawn::assert_child_passes(
            "whole_program::the_whole_program",
            folder.to_str().unwrap(),
            &[],
        );
        return;
    }
    let folder = PathBuf::from(respawn::argument());
    let name = CString::new(folder.join("all.heap").to_str().unwrap()).unwrap();
    unsafe {
        let profiler = mi_pprof_profiler_new(0, name.as_ptr(), 0, 0, 0);
        assert!(mi_profile(profiler));
        assert!(!mi_profile(profiler));
        assert!(!mi_profiler_start(profiler));
        // This thread takes notice at once, and a heap that is made later is profiled too.
        work();
        let heap = mi_heap_new();
        let in_heap: Vec<_> = (0..2000).map(|_| mi_heap_malloc(heap, SIZE + 1)).collect();
        mi_profiler_snapshot(profiler);
        assert!(mi_profiler_stop(profiler));
        assert!(mi_profile(null_mut()));
        mi_pprof_profiler_delete(profiler);
        let text = fs::read_to_string(folder.join("all.0001.heap")).unwrap();
        let profile = pprof::text(&text);
        let of_size = |size: usize| {
            let has =
                |sample: &&pprof::Sample| sample.alloc_bytes == sample.alloc_objects * size as i64;
            let samples: Vec<_> = profile.samples.iter().filter(has).collect();
            let sum = |value: fn(&pprof::Sample) -> i64| -> i64 {
                samples.iter().map(|sample| value(sample)).sum()
            };
            (
                sum(|sample| sample.alloc_objects),
                sum(|sample| sample.inuse_objects),
            )
        };
        let (allocated, in_use) = of_size(SIZE);
        assert!(
            allocated > 3500 && allocated <= 4000,
            "{allocated}\n{text:.2000}"
        );
        assert!(in_use > 80 && in_use <= 100, "{in_use}");
        let (allocated, in_use) = of_size(SIZE + 1);
        assert!(allocated > 500 && allocated <= 2000, "{allocated}");
        assert_eq!(in_use, allocated);
        in_heap.into_iter().for_each(|p| mi_free(p));
        mi_heap_delete(heap);
    }
}

/// Only the environment requests it.
#[test]
fn by_the_environment() {
    if respawn::is_child() {
        unsafe { work() };
        return;
    }
    let folder = Folder::new("profile-main-environment");
    let run = |name: &str, more: &[(&str, &str)]| {
        let file = folder.join(name);
        let mut variables = vec![("MIMALLOC_PROFILE", file.to_str().unwrap())];
        variables.extend(more);
        respawn::assert_child_passes("whole_program::by_the_environment", "", &variables);
        let mut files: Vec<_> = fs::read_dir(&*folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        let start = name.split('.').next().unwrap().to_string();
        files.retain(|file| {
            file.file_name()
                .unwrap()
                .to_str()
                .unwrap()
                .starts_with(&start)
        });
        files
    };
    // One snapshot, at the end of the process.
    let files = run("a", &[("MIMALLOC_PROFILE_SAMPLE_RATE", "1")]);
    assert_eq!(files, [folder.join("a.0001.pb")]);
    let profile = pprof::message(&fs::read(&files[0]).unwrap());
    assert_eq!(profile.period, 1);
    let sum = profile.sum();
    assert!(sum.alloc_bytes >= 900 * SIZE as i64, "{sum:?}");
    assert!(
        sum.inuse_objects > 20 && sum.inuse_bytes < sum.alloc_bytes / 5,
        "{sum:?}"
    );

    // A sample for each 10 MB, or 100 of 1 GB, at random.
    let variables = [
        ("MIMALLOC_PROFILE_SAMPLE_RATE", "10M"),
        ("MIMALLOC_PROFILE_ALLOC_INTERVAL", "0"),
    ];
    let files = run("b.heap", &variables);
    assert_eq!(files, [folder.join("b.0001.heap")]);
    let profile = pprof::text(&fs::read_to_string(&files[0]).unwrap());
    let sampled = profile.sum().alloc_objects;
    assert!((30..300).contains(&sampled), "{sampled}");

    // And on the way, each 200 MB.
    let variables = [
        ("MIMALLOC_PROFILE_SAMPLE_RATE", "100K"),
        ("MIMALLOC_PROFILE_ALLOC_INTERVAL", "200M"),
    ];
    let files = run("c", &variables);
    assert!((5..=6).contains(&files.len()), "{files:?}");
    for file in files {
        assert_eq!(pprof::message(&fs::read(file).unwrap()).period, 100 << 10);
    }
}

//! The basic interface: malloc and its family.

use crate::errno;
use crate::memory::*;
use crate::mode;
use core::ffi::c_void;
use cty::c_char;
use mi_malloc_sys::*;
use std::collections::HashSet;
use std::ffi::{CStr, CString};
use std::ptr::null_mut;

#[test]
fn malloc_returns_aligned_memory_that_nobody_else_has() {
    unsafe {
        let blocks: Vec<_> = (0..3)
            .flat_map(|_| SIZES)
            .enumerate()
            .map(|(n, size)| {
                let p = mi_malloc(size);
                assert!(!p.is_null(), "{size}");
                assert!(is_aligned(p, natural_alignment(size)), "{size}: {p:p}");
                let usable = mi_usable_size(p);
                assert!(usable >= size, "{size}: {usable}");
                let byte = n as u8;
                fill(p, usable, byte);
                (p, usable, byte)
            })
            .collect();
        for &(p, usable, byte) in &blocks {
            assert!(holds(p, usable, byte), "another block wrote into {p:p}");
        }
        for (p, _, _) in blocks {
            mi_free(p);
        }
    }
}

#[test]
fn blocks_of_size_zero_are_unique() {
    unsafe {
        let blocks: Vec<_> = (0..1000).map(|_| mi_malloc(0)).collect();
        let distinct: HashSet<_> = blocks.iter().collect();
        assert!(!distinct.contains(&null_mut()));
        assert_eq!(distinct.len(), blocks.len());
        for p in blocks {
            mi_free(p);
        }
    }
}

#[test]
fn too_much_is_refused() {
    unsafe {
        for size in [
            TOO_LARGE,
            TOO_LARGE + 1,
            usize::MAX - 16,
            usize::MAX - 7,
            usize::MAX,
        ] {
            assert!(mi_malloc(size).is_null(), "{size}");
            assert!(mi_calloc(1, size).is_null(), "{size}");
            assert!(mi_calloc(size, 1).is_null(), "{size}");
            assert!(mi_realloc(null_mut(), size).is_null(), "{size}");
        }
        // The allocator goes on.
        let p = mi_malloc(100);
        fill(p, 100, 1);
        mi_free(p);
    }
}

#[test]
#[cfg(target_pointer_width = "64")]
fn more_than_any_machine_has_is_refused() {
    unsafe {
        for shift in [1, 2, 3, 8] {
            let size = TOO_LARGE >> shift;
            assert!(mi_malloc(size).is_null(), "{size}");
            assert!(mi_calloc(size / 4096, 4096).is_null(), "{size}");
        }
    }
}

#[test]
fn calloc_multiplies_without_overflow() {
    unsafe {
        let half = 1_usize << (usize::BITS / 2);
        for (count, size) in [
            (2, TOO_LARGE),
            (TOO_LARGE, 2),
            (half, half),
            (half + 1, half + 1),
            (usize::MAX, usize::MAX),
            (3, usize::MAX / 3 + 1),   // wraps to a small number
            (16, usize::MAX / 16 + 2), // the same
        ] {
            assert!(mi_calloc(count, size).is_null(), "{count} * {size}");
        }
        for (count, size) in [(0, usize::MAX), (usize::MAX, 0), (0, 0)] {
            let p = mi_calloc(count, size);
            assert!(
                !p.is_null(),
                "{count} * {size} is nothing, which can be allocated"
            );
            mi_free(p);
        }
        let p = mi_calloc(7, 13);
        assert!(mi_usable_size(p) >= 91);
        assert!(is_zero(p, 91));
        mi_free(p);
    }
}

#[test]
fn calloc_is_zero_also_in_used_memory() {
    unsafe {
        for size in SIZES {
            if size == 0 {
                continue;
            }
            // A block comes back when those of its page that were never used are used up.
            let two_pages = if size < 5_000 { 2 << 16 } else { 2 << 19 };
            let count = 10 + two_pages / size.clamp(8, 1 << 19);
            let blocks: Vec<_> = (0..count).map(|_| mi_malloc(size)).collect();
            // Every other block lives on, so that the page of the freed one stays.
            let used: HashSet<_> = blocks.iter().copied().step_by(2).collect();
            for p in &used {
                fill(*p, mi_usable_size(*p), 0xA5);
                mi_free(*p);
            }
            let zeroed: Vec<_> = (0..count).map(|_| mi_calloc(1, size)).collect();
            for p in &zeroed {
                assert!(is_zero(*p, size), "{size}: {p:p}");
            }
            // Otherwise nothing was shown. (Memory of a page of its own goes back to the system.)
            let again = zeroed.iter().filter(|p| used.contains(*p)).count();
            assert!(again > 0 || size > 16_384, "{size}: no block came back");
            for p in zeroed {
                mi_free(p);
            }
            for p in blocks.iter().skip(1).step_by(2) {
                mi_free(*p);
            }
        }
    }
}

#[test]
fn realloc_keeps_what_fits() {
    let pattern: Vec<u8> = (0..SIZES[SIZES.len() - 1]).map(|n| n as u8).collect();
    unsafe {
        for from in SIZES {
            for to in SIZES {
                let p = mi_malloc(from);
                bytes(p, from).copy_from_slice(&pattern[..from]);
                let q = mi_realloc(p, to);
                assert!(!q.is_null(), "{from} -> {to}");
                assert!(is_aligned(q, natural_alignment(to)), "{from} -> {to}");
                assert!(mi_usable_size(q) >= to, "{from} -> {to}");
                let kept = from.min(to);
                assert!(*bytes(q, kept) == pattern[..kept], "{from} -> {to}");
                mi_free(q);
            }
        }
    }
}

#[test]
fn realloc_stays_where_the_block_fits_and_half_of_it_is_used() {
    unsafe {
        for size in SIZES {
            let p = mi_malloc(size);
            let usable = mi_usable_size(p);
            if usable < 4 {
                continue;
            }
            for same in [usable, usable - 1, usable / 2 + 1] {
                assert_eq!(mi_realloc(p, same), p, "{size}: {usable} -> {same}");
                assert_eq!(mi_usable_size(p), usable);
            }
            let less = usable / 2 - 1;
            let q = mi_realloc(p, less);
            assert_ne!(q, p, "{size}: {usable} -> {less}");
            mi_free(q);

            let p = mi_malloc(size);
            let q = mi_realloc(p, mi_usable_size(p) + 1);
            assert_ne!(q, p, "{size}: it cannot have grown in place");
            mi_free(q);
        }
    }
}

#[test]
fn realloc_of_nothing_and_to_nothing() {
    unsafe {
        let p = mi_realloc(null_mut(), 100);
        fill(p, 100, 1);
        let q = mi_realloc(p, 0);
        assert!(!q.is_null());
        let p = mi_realloc(q, 50);
        fill(p, 50, 2);
        mi_free(p);
        let p = mi_realloc(null_mut(), 0);
        assert!(!p.is_null());
        mi_free(p);
    }
}

#[test]
fn realloc_that_fails_leaves_the_block() {
    unsafe {
        let p = mi_malloc(1000);
        fill(p, 1000, 7);
        for size in [TOO_LARGE, usize::MAX] {
            assert!(mi_realloc(p, size).is_null());
            assert!(holds(p, 1000, 7));
        }
        mi_free(p);
    }
}

#[test]
fn expand_takes_what_the_block_has() {
    unsafe {
        assert!(mi_expand(null_mut(), 1).is_null());
        for size in SIZES {
            let p = mi_malloc(size);
            fill(p, size, 9);
            let usable = mi_usable_size(p);
            for (to, fits) in [(usable, true), (usable + 1, false), (0, true), (size, true)] {
                // Padding begins where the requested size ends.
                let expected = if fits && !mode::PADDING {
                    p
                } else {
                    null_mut()
                };
                assert_eq!(mi_expand(p, to), expected, "{size}: {usable} -> {to}");
            }
            assert_eq!(mi_usable_size(p), usable);
            assert!(holds(p, size, 9));
            mi_free(p);
        }
    }
}

#[test]
fn free_of_nothing() {
    unsafe { mi_free(null_mut()) };
}

#[test]
fn any_thread_frees() {
    unsafe {
        for size in SIZES {
            let blocks: Vec<usize> = (0..20).map(|_| mi_malloc(size) as usize).collect();
            for p in &blocks {
                fill(*p as *mut c_void, size, 3);
            }
            std::thread::spawn(move || {
                for p in blocks {
                    let p = p as *mut c_void;
                    assert!(holds(p, size, 3));
                    mi_free(p);
                }
            })
            .join()
            .unwrap();
        }
    }
}

#[test]
fn strdup_copies_up_to_the_nul() {
    unsafe {
        assert!(mi_strdup(null_mut()).is_null());
        for length in [0, 1, 7, 8, 15, 16, 1000, 1023, 1024, 100_000] {
            let text = CString::new(vec![b'x'; length]).unwrap();
            let copy = mi_strdup(text.as_ptr());
            assert_ne!(copy as *const c_char, text.as_ptr());
            assert_eq!(CStr::from_ptr(copy), text.as_c_str());
            assert!(mi_usable_size(copy.cast()) > length);
            mi_free(copy.cast());
        }
    }
}

#[test]
fn strndup_ends_at_its_limit_or_the_nul() {
    unsafe {
        assert!(mi_strndup(null_mut(), 5).is_null());
        let text = CString::new("mimalloc").unwrap();
        for (limit, expected) in [
            (0, ""),
            (3, "mim"),
            (8, "mimalloc"),
            (usize::MAX, "mimalloc"),
        ] {
            let copy = mi_strndup(text.as_ptr(), limit);
            assert_eq!(CStr::from_ptr(copy).to_str(), Ok(expected));
            mi_free(copy.cast());
        }
        // No NUL within the limit: nothing beyond is read.
        let raw = *b"abc";
        let copy = mi_strndup(raw.as_ptr().cast(), 3);
        assert_eq!(CStr::from_ptr(copy).to_str(), Ok("abc"));
        mi_free(copy.cast());
    }
}

#[test]
#[cfg(unix)]
fn realpath_resolves_links_and_dots() {
    use std::os::unix::ffi::OsStrExt;
    let folder =
        std::env::temp_dir().join(format!("mi-malloc-sys-realpath-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("real")).unwrap();
    std::os::unix::fs::symlink("real", folder.join("link")).unwrap();
    let c_string =
        |path: &std::path::Path| CString::new(path.as_os_str().as_bytes().to_vec()).unwrap();
    let asked = c_string(&folder.join("link/../link/."));
    let expected = c_string(&folder.canonicalize().unwrap().join("real"));
    unsafe {
        let resolved = mi_realpath(asked.as_ptr(), null_mut());
        assert!(!resolved.is_null());
        assert_eq!(CStr::from_ptr(resolved), expected.as_c_str());
        mi_free(resolved.cast());

        let mut room = vec![0 as c_char; libc::PATH_MAX as usize];
        let resolved = mi_realpath(asked.as_ptr(), room.as_mut_ptr());
        assert_eq!(resolved, room.as_mut_ptr());
        assert_eq!(CStr::from_ptr(resolved), expected.as_c_str());

        let nowhere = c_string(&folder.join("nowhere"));
        for room in [null_mut(), room.as_mut_ptr()] {
            errno::set(0);
            assert!(mi_realpath(nowhere.as_ptr(), room).is_null());
            assert_eq!(errno::get(), libc::ENOENT);
        }
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_refusal_sets_errno() {
    unsafe {
        // The start of a thread asks the system for things that it may not have.
        mi_thread_init();
        for size in [TOO_LARGE, usize::MAX] {
            errno::set(0);
            assert!(mi_malloc(size).is_null());
            assert_eq!(errno::get(), libc::ENOMEM, "{size}");
        }
        // Another value stays.
        errno::set(libc::EIO);
        assert!(mi_malloc(usize::MAX).is_null());
        assert_eq!(errno::get(), libc::EIO);
        errno::set(0);
        assert!(mi_malloc_aligned(8, 3).is_null());
        assert_eq!(errno::get(), libc::EINVAL);
    }
}

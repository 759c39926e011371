//! Functions of POSIX, Unix, BSD and Windows, and the checked functions that take foreign pointers.

use crate::errno;
use crate::memory::*;
use crate::mode;
use crate::respawn;
use core::ffi::c_void;
use libc::{wchar_t, EINVAL, ENOMEM, EOVERFLOW};
use mi_malloc_sys::*;
use std::ffi::{CStr, CString};
use std::mem::size_of;
use std::ptr::{null, null_mut};

/// What no function may write over when it fails.
const UNTOUCHED: *mut c_void = 0x1234 as *mut c_void;

#[cfg(unix)]
fn system_page() -> usize {
    unsafe { libc::sysconf(libc::_SC_PAGESIZE) as usize }
}

#[test]
fn posix_memalign_aligns() {
    unsafe {
        for shift in size_of::<usize>().trailing_zeros()..=21 {
            for size in [0, 1, 8, 100, 1024, 5000, 100_000] {
                let mut p = UNTOUCHED;
                assert_eq!(
                    mi_posix_memalign(&mut p, 1 << shift, size),
                    0,
                    "{size} {shift}"
                );
                assert!(p != UNTOUCHED && !p.is_null(), "{size} {shift}");
                assert!(is_aligned(p, 1 << shift), "{size} {shift}: {p:p}");
                assert!(mi_usable_size(p) >= size, "{size} {shift}");
                fill(p, size, 1);
                mi_free(p);
            }
        }
    }
}

#[test]
fn posix_memalign_says_what_is_wrong() {
    unsafe {
        assert_eq!(mi_posix_memalign(null_mut(), 16, 100), EINVAL);
        let mut p = UNTOUCHED;
        let below_a_pointer = size_of::<usize>() / 2;
        for bad in [0, 1, 2, below_a_pointer, 3, 24, 48, 4095, usize::MAX] {
            assert_eq!(mi_posix_memalign(&mut p, bad, 100), EINVAL, "{bad}");
            assert_eq!(p, UNTOUCHED, "{bad}");
        }
        for size in [TOO_LARGE, usize::MAX, usize::MAX - 4096] {
            assert_eq!(mi_posix_memalign(&mut p, 64, size), ENOMEM, "{size}");
            assert_eq!(p, UNTOUCHED, "{size}");
        }
    }
}

#[test]
fn memalign_and_aligned_alloc_turn_the_arguments() {
    unsafe {
        for allocate in [
            mi_memalign as unsafe extern "C" fn(usize, usize) -> *mut c_void,
            mi_aligned_alloc,
        ] {
            for alignment in [1, 2, 16, 64, 4096, 1 << 20] {
                // Not a multiple of the alignment, too.
                for size in [0, 1, 24, 100, 4096, 10_001] {
                    let p = allocate(alignment, size);
                    assert!(
                        !p.is_null() && is_aligned(p, alignment),
                        "{size} {alignment}"
                    );
                    assert!(mi_usable_size(p) >= size, "{size} {alignment}");
                    fill(p, size, 2);
                    mi_free(p);
                }
            }
            assert!(allocate(0, 100).is_null());
            assert!(allocate(24, 100).is_null());
            assert!(allocate(64, TOO_LARGE).is_null());
            assert!(allocate(64, usize::MAX).is_null());
        }
    }
}

#[test]
#[cfg(unix)]
fn whole_pages_of_the_system() {
    let page = system_page();
    unsafe {
        for size in [0, 1, 100, page - 1, page, page + 1, 10 * page + 1] {
            let p = mi_valloc(size);
            assert!(!p.is_null() && is_aligned(p, page), "{size}");
            assert!(mi_usable_size(p) >= size);
            fill(p, size, 3);
            mi_free(p);

            let rounded = (size + page - 1) / page * page;
            let p = mi_pvalloc(size);
            assert!(!p.is_null() && is_aligned(p, page), "{size}");
            assert!(mi_usable_size(p) >= rounded, "{size}");
            fill(p, rounded, 4);
            mi_free(p);
        }
        // Rounding up must not wrap around to nothing.
        for size in [TOO_LARGE, usize::MAX - page, usize::MAX - 1, usize::MAX] {
            assert!(mi_valloc(size).is_null(), "{size}");
            assert!(mi_pvalloc(size).is_null(), "{size}");
        }
    }
}

#[test]
fn good_size_by_another_name() {
    for size in SIZES {
        unsafe { assert_eq!(mi_malloc_good_size(size), mi_good_size(size)) };
    }
}

#[test]
fn expand_sets_errno() {
    unsafe {
        let p = mi_malloc(100);
        let usable = mi_usable_size(p);
        errno::set(0);
        if mode::PADDING {
            assert!(mi__expand(p, usable).is_null());
            assert_eq!(errno::get(), ENOMEM);
        } else {
            assert_eq!(mi__expand(p, usable), p);
            assert_eq!(errno::get(), 0);
        }
        errno::set(0);
        assert!(mi__expand(p, usable + 1).is_null());
        assert_eq!(errno::get(), ENOMEM);
        errno::set(0);
        assert!(mi__expand(null_mut(), 1).is_null());
        assert_eq!(errno::get(), ENOMEM);
        mi_free(p);
    }
}

const OVERFLOWING: [(usize, usize); 5] = [
    (2, TOO_LARGE),
    (usize::MAX, usize::MAX),
    (3, usize::MAX / 3 + 1),
    (usize::MAX / 16 + 2, 16),
    (1 << (usize::BITS / 2), 1 << (usize::BITS / 2)),
];

#[test]
fn reallocarray_says_why_it_fails() {
    unsafe {
        let p = mi_reallocarray(null_mut(), 10, 10);
        fill(p, 100, 5);
        let p = mi_reallocarray(p, 100, 30);
        assert!(mi_usable_size(p) >= 3000);
        assert!(holds(p, 100, 5));
        for (count, size) in OVERFLOWING {
            errno::set(0);
            assert!(
                mi_reallocarray(p, count, size).is_null(),
                "{count} * {size}"
            );
            assert_eq!(errno::get(), EOVERFLOW, "{count} * {size}");
        }
        errno::set(0);
        assert!(mi_reallocarray(p, TOO_LARGE / 4, 4).is_null());
        assert_eq!(errno::get(), ENOMEM);
        assert!(holds(p, 100, 5));
        let p = mi_reallocarray(p, 0, 100);
        assert!(!p.is_null());
        mi_free(p);
    }
}

#[test]
fn reallocarr_goes_through_the_pointer() {
    unsafe {
        let mut p: *mut c_void = null_mut();
        let at: *mut *mut c_void = &mut p;
        assert_eq!(mi_reallocarr(at.cast(), 10, 10), 0);
        fill(p, 100, 6);
        assert_eq!(mi_reallocarr(at.cast(), 1000, 10), 0);
        assert!(mi_usable_size(p) >= 10_000);
        assert!(holds(p, 100, 6));

        let before = p;
        for (count, size) in OVERFLOWING {
            errno::set(0);
            assert_eq!(
                mi_reallocarr(at.cast(), count, size),
                EOVERFLOW,
                "{count} * {size}"
            );
            assert_eq!(errno::get(), EOVERFLOW);
        }
        errno::set(0);
        assert_eq!(mi_reallocarr(at.cast(), TOO_LARGE / 4, 4), ENOMEM);
        assert_eq!(errno::get(), ENOMEM);
        assert_eq!(p, before);
        assert!(holds(p, 100, 6));

        assert_eq!(mi_reallocarr(at.cast(), 0, 10), 0);
        assert!(p.is_null(), "the block is freed");
        assert_eq!(mi_reallocarr(at.cast(), 0, 10), 0);
        assert!(p.is_null());
    }
}

/// A release build refuses; a debug build stops the program.
#[test]
fn reallocarr_with_bad_arguments() {
    let this = "posix::reallocarr_with_bad_arguments";
    unsafe {
        let mut p = mi_malloc(10);
        let at: *mut *mut c_void = &mut p;
        if respawn::is_child() {
            if respawn::argument() == "null" {
                mi_reallocarr(null_mut(), 1, 1);
            } else {
                mi_reallocarr(at.cast(), 1, 0);
            }
        } else if mode::DEBUG {
            for (argument, assertion) in [("null", "ptrp != NULL"), ("size", "size != 0")] {
                let output = respawn::run(this, argument, &[]);
                let said = String::from_utf8_lossy(&output.stderr);
                assert!(!output.status.success(), "{argument}");
                assert!(said.contains(assertion), "{said}");
            }
        } else {
            for (at, count, size) in [(null_mut(), 1, 1), (at.cast(), 1, 0), (at.cast(), 0, 0)] {
                errno::set(0);
                assert_eq!(mi_reallocarr(at, count, size), EINVAL);
                assert_eq!(errno::get(), EINVAL);
            }
            assert!(!p.is_null());
        }
        mi_free(p);
    }
}

#[test]
fn aligned_recalloc_of_microsoft() {
    unsafe {
        let mut p = null_mut();
        let mut q = null_mut();
        let mut old = 0;
        for count in [1, 10, 100, 1000, 20_000] {
            p = mi_aligned_recalloc(p, count, 3, 128);
            q = mi_aligned_offset_recalloc(q, count, 3, 128, 40);
            assert!(!p.is_null() && is_aligned(p, 128), "{count}");
            assert!(
                !q.is_null() && is_aligned(q.cast::<u8>().wrapping_add(40), 128),
                "{count}"
            );
            for block in [p, q] {
                assert!(holds(block, old, 7), "{count}");
                assert!(
                    is_zero(block.cast::<u8>().add(old).cast(), 3 * count - old),
                    "{count}"
                );
                fill(block, 3 * count, 7);
            }
            old = 3 * count;
        }
        for (count, size) in OVERFLOWING {
            assert!(mi_aligned_recalloc(p, count, size, 128).is_null());
            assert!(mi_aligned_offset_recalloc(q, count, size, 128, 40).is_null());
        }
        assert!(holds(p, old, 7) && holds(q, old, 7));
        mi_free(p);
        mi_free(q);
    }
}

/// A freed block comes back to a thread that goes on allocating in its page.
unsafe fn comes_back(p: *mut c_void, size: usize, alignment: usize) -> bool {
    let blocks: Vec<_> = (0..10_000)
        .map(|_| mi_malloc_aligned(size, alignment))
        .collect();
    let found = blocks.contains(&p);
    for p in blocks {
        mi_free(p);
    }
    found
}

#[test]
fn free_of_a_known_size() {
    unsafe {
        mi_free_size(null_mut(), 0);
        mi_free_size(null_mut(), 100);
        mi_free_size_aligned(null_mut(), 100, 16);
        mi_free_aligned(null_mut(), 16);
        for size in SIZES {
            let p = mi_malloc(size);
            fill(p, size, 8);
            mi_free_size(p, size);
        }
        for (size, alignment) in [
            (8, 8),
            (100, 8),
            (64, 64),
            (100, 64),
            (1000, 512),
            (1024, 1024),
            (MI_SMALL_SIZE_MAX, 32),
            (MI_SMALL_SIZE_MAX + 1, 32),
            (16, 256),
            (1, 4096),
            (100, 1 << 18),
            (70_000, 8192),
        ] {
            for free in [
                (|p, size, alignment| mi_free_size_aligned(p, size, alignment))
                    as unsafe fn(*mut c_void, usize, usize),
                |p, _, alignment| mi_free_aligned(p, alignment),
            ] {
                for _ in 0..100 {
                    let p = mi_malloc_aligned(size, alignment);
                    fill(p, size, 9);
                    free(p, size, alignment);
                }
                if size <= MI_SMALL_SIZE_MAX && alignment <= size {
                    let neighbour = mi_malloc_aligned(size, alignment);
                    let p = mi_malloc_aligned(size, alignment);
                    free(p, size, alignment);
                    assert!(comes_back(p, size, alignment), "{size} {alignment}");
                    mi_free(neighbour);
                }
            }
        }
    }
}

#[test]
fn any_thread_frees_by_size() {
    for (size, alignment) in [(8, 8), (100, 64), (1024, 1024), (5000, 16), (10, 4096)] {
        let blocks: Vec<usize> = (0..500)
            .map(|_| unsafe { mi_malloc_aligned(size, alignment) as usize })
            .collect();
        let free_all = move || unsafe {
            for (n, p) in blocks.into_iter().enumerate() {
                fill(p as *mut c_void, size, 1);
                if n % 2 == 0 && alignment <= size {
                    mi_free_size(p as *mut c_void, size);
                } else {
                    mi_free_size_aligned(p as *mut c_void, size, alignment);
                }
            }
        };
        std::thread::spawn(free_all).join().unwrap();
    }
}

#[test]
fn the_environment_is_copied() {
    let this = "posix::the_environment_is_copied";
    if !respawn::is_child() {
        respawn::assert_child_passes(
            this,
            "",
            &[("MI_TEST_VALUE", "value"), ("MI_TEST_EMPTY", "")],
        );
        return;
    }
    unsafe {
        for (name, expected) in [
            ("MI_TEST_VALUE", Some("value")),
            ("MI_TEST_EMPTY", Some("")),
            ("MI_TEST_ABSENT", None),
        ] {
            let name = CString::new(name).unwrap();
            let mut copy = UNTOUCHED.cast();
            let mut size = 99;
            assert_eq!(mi_dupenv_s(&mut copy, &mut size, name.as_ptr()), 0);
            assert_eq!(size, expected.map_or(0, |text| text.len() + 1));
            match expected {
                Some(text) => {
                    assert_eq!(CStr::from_ptr(copy).to_str(), Ok(text));
                    assert!(mi_usable_size(copy.cast()) >= size);
                    mi_free(copy.cast());
                    // The size is not needed.
                    assert_eq!(mi_dupenv_s(&mut copy, null_mut(), name.as_ptr()), 0);
                    assert_eq!(CStr::from_ptr(copy).to_str(), Ok(text));
                    mi_free(copy.cast());
                }
                None => assert!(copy.is_null()),
            }
        }
    }
}

#[test]
fn the_environment_needs_a_name_and_a_place() {
    unsafe {
        let name = CString::new("PATH").unwrap();
        let mut copy = UNTOUCHED.cast();
        let mut size = 99;
        assert_eq!(mi_dupenv_s(null_mut(), &mut size, name.as_ptr()), EINVAL);
        assert_eq!(size, 0);
        size = 99;
        assert_eq!(mi_dupenv_s(&mut copy, &mut size, null()), EINVAL);
        assert_eq!(size, 0);
        assert_eq!(copy, UNTOUCHED.cast());
    }
}

#[test]
#[cfg(not(windows))]
fn the_wide_environment_is_windows() {
    let name: Vec<wchar_t> = "PATH\0".chars().map(|c| c as wchar_t).collect();
    unsafe {
        let mut copy = UNTOUCHED.cast();
        let mut size = 99;
        assert_eq!(mi_wdupenv_s(&mut copy, &mut size, name.as_ptr()), EINVAL);
        assert!(copy.is_null());
        assert_eq!(size, 0);
        assert_eq!(mi_wdupenv_s(null_mut(), null_mut(), name.as_ptr()), EINVAL);
        assert_eq!(mi_wdupenv_s(&mut copy, null_mut(), null()), EINVAL);
    }
}

#[test]
fn wide_and_multibyte_strings() {
    unsafe {
        assert!(mi_wcsdup(null()).is_null());
        assert!(mi_mbsdup(null()).is_null());
        for length in [0, 1, 3, 255, 256, 5000] {
            let mut wide: Vec<wchar_t> = (0..length).map(|n| 0x20AC + n as wchar_t).collect();
            wide.push(0);
            let copy = mi_wcsdup(wide.as_ptr());
            assert_ne!(copy as *const wchar_t, wide.as_ptr());
            assert_eq!(std::slice::from_raw_parts(copy, wide.len()), &wide[..]);
            assert!(mi_usable_size(copy.cast()) >= wide.len() * size_of::<wchar_t>());
            mi_free(copy.cast());

            let mut bytes = "é".repeat(length).into_bytes();
            bytes.push(0);
            let copy = mi_mbsdup(bytes.as_ptr());
            assert_eq!(std::slice::from_raw_parts(copy, bytes.len()), &bytes[..]);
            mi_free(copy.cast());
        }
    }
}

#[test]
fn sizes_of_blocks_by_other_names() {
    unsafe {
        assert_eq!(mi_malloc_size(null()), 0);
        assert_eq!(mi_malloc_usable_size(null()), 0);
        for size in SIZES {
            let p = mi_malloc(size);
            assert_eq!(mi_malloc_size(p), mi_usable_size(p));
            assert_eq!(mi_malloc_usable_size(p), mi_usable_size(p));
            mi_free(p);
        }
    }
}

/// Memory that is not mimalloc's, each of another kind.
fn foreign() -> Vec<*mut c_void> {
    static STATIC: u64 = 0;
    let on_the_stack = 0_u64;
    let function: fn() -> Vec<*mut c_void> = foreign;
    let pointers = [&STATIC as *const u64, &on_the_stack, function as *const u64];
    pointers.iter().map(|p| *p as *mut c_void).collect()
}

#[test]
#[cfg(mi_v3)]
fn checked_functions_know_foreign_pointers() {
    unsafe {
        assert!(!mi_cfree(null_mut()));
        for p in foreign() {
            assert!(!mi_cfree(p));
            assert_eq!(mi_malloc_size(p), 0);
            assert_eq!(mi_malloc_usable_size(p), 0);
        }
        let neighbour = mi_malloc(100);
        let p = mi_malloc(100);
        assert!(mi_cfree(p));
        assert!(comes_back(p, 100, 8));
        mi_free(neighbour);
    }
}

#[test]
#[cfg(mi_v2)]
fn checked_free_knows_foreign_pointers() {
    unsafe {
        mi_cfree(null_mut());
        for p in foreign() {
            mi_cfree(p);
        }
        let neighbour = mi_malloc(100);
        let p = mi_malloc(100);
        mi_cfree(p);
        assert!(comes_back(p, 100, 8));
        mi_free(neighbour);
    }
}

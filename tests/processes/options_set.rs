//! Options, set and read by the program: one test, because they belong to the whole process and mimalloc
//! reads them without synchronisation.
#![allow(deprecated)] // an option without effect can be set freely

use crate::mode;
use crate::respawn;
use mi_malloc_sys::*;

#[test]
fn setting_and_reading() {
    respawn::alone(|| unsafe {
        values();
        switches();
        sizes();
        limits();
        defaults();
        guarded_bounds();
        unknown();
        legacy_names();
    });
}

const INERT: mi_option_t = mi_option_deprecated_segment_cache;

unsafe fn values() {
    for value in [5, -5, 0, 1, cty::c_long::MAX, cty::c_long::MIN] {
        mi_option_set(INERT, value);
        assert_eq!(mi_option_get(INERT), value);
        assert_eq!(mi_option_is_enabled(INERT), value != 0);
    }
}

unsafe fn switches() {
    mi_option_set(INERT, 7);
    mi_option_disable(INERT);
    assert_eq!(
        (mi_option_get(INERT), mi_option_is_enabled(INERT)),
        (0, false)
    );
    mi_option_enable(INERT);
    assert_eq!(
        (mi_option_get(INERT), mi_option_is_enabled(INERT)),
        (1, true)
    );
    mi_option_set_enabled(INERT, false);
    assert_eq!(mi_option_get(INERT), 0);
    mi_option_set_enabled(INERT, true);
    assert_eq!(mi_option_get(INERT), 1);
}

unsafe fn sizes() {
    let option = mi_option_arena_reserve;
    let before = mi_option_get(option);
    assert_eq!(mi_option_get_size(option), before as usize * 1024);
    mi_option_set(option, 3000);
    assert_eq!(mi_option_get(option), 3000);
    assert_eq!(mi_option_get_size(option), 3000 * 1024);
    mi_option_set(option, -1);
    assert_eq!((mi_option_get(option), mi_option_get_size(option)), (-1, 0));
    // Too large to be a size: the largest that the major version knows.
    mi_option_set(option, cty::c_long::MAX);
    let largest = mi_option_get_size(option);
    if cfg!(mi_v3) {
        assert_eq!(largest, isize::MAX as usize);
    } else {
        assert!(largest > usize::MAX / (1 << 17) && largest <= isize::MAX as usize);
    }
    mi_option_set(option, before);
    // No size in KiB: given as it is.
    mi_option_set(INERT, 3000);
    assert_eq!(mi_option_get_size(INERT), 3000);
    mi_option_set(INERT, -1);
    assert_eq!(mi_option_get_size(INERT), 0);
}

unsafe fn limits() {
    for (value, min, max, expected) in [
        (5, 1, 10, 5),
        (0, 1, 10, 1),
        (-3, -2, 10, -2),
        (11, 1, 10, 10),
        (10, 1, 10, 10),
    ] {
        mi_option_set(INERT, value);
        assert_eq!(mi_option_get_clamp(INERT, min, max), expected);
        assert_eq!(mi_option_get(INERT), value);
    }
}

unsafe fn defaults() {
    // What was set is no default any more.
    mi_option_set(INERT, 20);
    mi_option_set_default(INERT, 21);
    assert_eq!(mi_option_get(INERT), 20);
    mi_option_set_enabled_default(INERT, true);
    assert_eq!(mi_option_get(INERT), 20);

    let option = mi_option_deprecated_page_reset;
    assert_eq!(mi_option_get(option), 0);
    mi_option_set_enabled_default(option, true);
    assert_eq!(mi_option_get(option), 1);
    mi_option_set_default(option, 22);
    assert_eq!(mi_option_get(option), 22);
    mi_option_set_enabled_default(option, false);
    assert_eq!(mi_option_get(option), 0);
    mi_option_set(option, 0);
    mi_option_set_default(option, 23);
    assert_eq!(mi_option_get(option), 0);
}

/// Each pulls the other along.
unsafe fn guarded_bounds() {
    let bounds = || {
        (
            mi_option_get(mi_option_guarded_min),
            mi_option_get(mi_option_guarded_max),
        )
    };
    mi_option_set(mi_option_guarded_min, 100);
    mi_option_set(mi_option_guarded_max, 200);
    assert_eq!(bounds(), (100, 200));
    mi_option_set(mi_option_guarded_min, 300);
    assert_eq!(bounds(), (300, 300));
    mi_option_set(mi_option_guarded_max, 50);
    assert_eq!(bounds(), (50, 50));
}

unsafe fn unknown() {
    if mode::DEBUG {
        return; // a debug build stops the program
    }
    for option in [-1, _mi_option_last, _mi_option_last + 1000] {
        mi_option_set(option, 5);
        mi_option_set_default(option, 5);
        assert_eq!(mi_option_get(option), 0);
        assert!(!mi_option_is_enabled(option));
        assert_eq!(mi_option_get_size(option), 0);
    }
}

unsafe fn legacy_names() {
    assert_eq!(mi_option_large_os_pages, mi_option_allow_large_os_pages);
    assert_eq!(mi_option_eager_region_commit, mi_option_arena_eager_commit);
    assert_eq!(mi_option_reset_decommits, mi_option_purge_decommits);
    assert_eq!(mi_option_reset_delay, mi_option_purge_delay);
    assert_eq!(mi_option_limit_os_alloc, mi_option_disallow_os_alloc);
    #[cfg(mi_v3)]
    assert_eq!(mi_option_minimal_purge_size, mi_option_arena_purge_min_size);
    #[cfg(mi_v2)]
    assert_eq!(
        mi_option_abandoned_page_reset,
        mi_option_abandoned_page_purge
    );
}

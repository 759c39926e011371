//! What the types can do, for wrappers: compared, hashed and made.

use core::fmt::Debug;
use core::hash::Hash;
use mi_malloc_sys::*;

fn is_a_value<T: Debug + Copy + Eq + Hash>() {}

fn has_a_default<T: Default>() {}

#[test]
fn values_compare_and_hash() {
    is_a_value::<mi_stats_t>();
    is_a_value::<mi_stat_count_t>();
    is_a_value::<mi_stat_counter_t>();
    is_a_value::<mi_heap_area_t>();
    is_a_value::<mi_subproc_id_t>();
    is_a_value::<mi_arena_id_t>();
    has_a_default::<mi_stats_t>();
    has_a_default::<mi_stat_count_t>();
    has_a_default::<mi_stat_counter_t>();
    has_a_default::<MiMalloc>();

    let mut stats = mi_stats_t::new();
    assert_eq!(stats, mi_stats_t::default());
    stats.page_bins[MI_BIN_HUGE].peak = 1; // one of the last fields
    assert_ne!(stats, mi_stats_t::new());
}

/// A profiler in a `static`, as a wrapper may have it, with nothing but what it sets itself.
#[cfg(mi_v3)]
#[test]
fn a_profiler_is_made_without_naming_each_field() {
    const PROFILER: mi_profiler_t = mi_profiler_t {
        initial_sample_rate: 1,
        ..mi_profiler_t::new()
    };
    let mut profiler = PROFILER;
    assert!(profiler.on_alloc.is_none() && mi_profiler_t::default().reserved.is_null());
    unsafe {
        let heap = mi_heap_new();
        assert!(mi_heap_profile(heap, &mut profiler));
        mi_heap_profile(heap, core::ptr::null_mut());
        mi_heap_delete(heap);
    }
}

/// For functions that want an arena, on both major versions.
#[test]
fn no_arena() {
    unsafe {
        let mut size = 1;
        assert!(mi_arena_area(MI_ARENA_ID_NONE, &mut size).is_null());
        let heap = mi_heap_new_in_arena(MI_ARENA_ID_NONE);
        let p = mi_heap_malloc(heap, 100);
        assert!(!p.is_null());
        mi_free(p);
        mi_heap_delete(heap);
    }
}

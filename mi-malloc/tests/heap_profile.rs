//! A heap that ends while a profiler runs (v3).
#![cfg(mi_v3)]

use allocator_api2::vec::Vec;
use mi_malloc::{sys, Heap};

#[test]
fn a_heap_ends_while_its_profile_runs() {
    let path = std::env::temp_dir().join(format!("mi-malloc-heap-{}.pb", std::process::id()));
    let name = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
    // SAFETY: the name is a string; the profiler is detached before it is freed, and no other thread uses it.
    unsafe {
        let profiler = sys::mi_pprof_profiler_new(1, name.as_ptr(), 0, 0, 0);
        assert!(!profiler.is_null());
        let before = Heap::new().unwrap();
        assert!(sys::mi_profile(profiler));
        assert!(!sys::mi_profiler_start(profiler)); // it was not running before
        for round in 0..20 {
            Heap::scope(|heap| {
                {
                    let heap = &*heap;
                    let mut kept = std::vec::Vec::new();
                    // A heap notices a profiler only after a thousand allocations.
                    for n in 1..2000usize {
                        let mut values = Vec::new_in(heap);
                        values.resize(1 + n % 100, round);
                        before.alloc(n).unwrap();
                        if n % 4 == 0 {
                            std::mem::forget(values);
                        } else {
                            kept.push(values);
                        }
                    }
                    assert!(kept
                        .iter()
                        .all(|values| values.iter().all(|value| *value == round)));
                    assert!(kept.iter().all(|values| heap.contains(&values[0])));
                }
                let mut left = 0;
                heap.visit_blocks(|_| left += 1);
                assert_eq!(left, 499);
            })
            .unwrap();
        }
        sys::mi_profiler_snapshot(profiler);
        drop(before);
        sys::mi_profiler_snapshot(profiler);
        assert!(sys::mi_profiler_stop(profiler));
        sys::mi_profile(core::ptr::null_mut());
        sys::mi_pprof_profiler_delete(profiler);
    }
    for number in 1..=2 {
        let file = path.with_extension(format!("{number:04}.pb"));
        assert!(std::fs::metadata(&file).unwrap().len() > 0);
        std::fs::remove_file(file).unwrap();
    }
}

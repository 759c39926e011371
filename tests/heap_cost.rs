//! What a heap costs in memory, and how many there can be: the figures of the guide's page on heaps.
//!
//! A program of its own, whose measurements other tests would disturb.

#[allow(dead_code)]
#[path = "support/mode.rs"]
mod mode;
#[cfg(target_os = "linux")]
#[allow(dead_code)]
#[path = "support/resident.rs"]
mod resident;
#[cfg(target_os = "linux")]
#[allow(dead_code)]
#[path = "support/respawn.rs"]
mod respawn;

use mi_malloc_sys::*;

/// In a process of its own, whose memory it measures. Assertions and guard pages take more.
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
#[test]
fn memory_of_a_heap() {
    const HEAPS: usize = 200;
    const KIB: usize = 1024;
    if !respawn::is_child() {
        respawn::assert_child_passes("memory_of_a_heap", "", &[]);
        return;
    }
    let mut heaps = Vec::with_capacity(HEAPS);
    let weighed = |used: &mut dyn FnMut()| {
        let before = resident::resident();
        used();
        resident::resident().saturating_sub(before) / HEAPS
    };
    unsafe {
        mi_free(mi_malloc(1));
        let made = weighed(&mut || heaps.extend((0..HEAPS).map(|_| mi_heap_new())));
        let used = weighed(&mut || {
            for &heap in &heaps {
                mi_heap_malloc(heap, 100).cast::<u8>().write(1);
            }
        });
        heaps.into_iter().for_each(|heap| mi_heap_destroy(heap));
        if mode::DEBUG || mode::GUARDED || mode::PADDING {
            println!("not run: the bounds are those of a build without checks");
            return;
        }
        if cfg!(mi_v3) {
            assert!(made < 20 * KIB, "{made}");
            // A table of the arena's pages, and a page: all of it, if huge pages are on. The table is smaller where large
            // blocks have no size classes.
            let least = if cfg!(mi_retained_pages) { 100 } else { 150 };
            assert!((least * KIB..300 * KIB).contains(&used), "{used}");
        } else {
            assert!(made < 20 * KIB, "{made}");
            assert!((4 * KIB..100 * KIB).contains(&used), "{used}");
        }
    }
}

/// v3 has a thread-local slot for each heap, of which it makes 1024 at a time while their index fits
/// into 16 bits (12 on 32-bit). A debug build stops the program when they end.
#[cfg(mi_v3)]
#[test]
fn number_of_heaps() {
    use std::sync::atomic::{AtomicI32, Ordering};

    static ERROR: AtomicI32 = AtomicI32::new(0);
    unsafe extern "C" fn note(error: std::os::raw::c_int, _: *mut core::ffi::c_void) {
        ERROR.store(error, Ordering::Relaxed);
    }
    const MOST: usize = if cfg!(target_pointer_width = "64") {
        64_512
    } else {
        3_072
    };
    if mode::DEBUG {
        println!("not run: upstream's assertion stops the program");
        return;
    }
    let mut heaps = Vec::with_capacity(MOST);
    unsafe {
        for n in 0..MOST {
            let heap = mi_heap_new();
            assert!(!heap.is_null(), "heap {n}");
            heaps.push(heap);
        }
        mi_register_error(Some(note), core::ptr::null_mut());
        assert!(mi_heap_new().is_null());
        mi_register_error(None, core::ptr::null_mut());
        assert_eq!(ERROR.load(Ordering::Relaxed), libc::EFAULT);

        // When one ends another can be made, which is as good as any.
        mi_heap_delete(heaps.pop().unwrap());
        let heap = mi_heap_new();
        assert!(!heap.is_null());
        heaps.push(heap);
        let p = mi_heap_malloc(heap, 100);
        assert_eq!(mi_heap_of(p), heap);
        heaps.into_iter().for_each(|heap| mi_heap_destroy(heap));
    }
}

/// Prints the times of the guide's page, which depend on the machine:
/// `cargo test --release --test heap_cost -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn time_of_a_heap() {
    const ROUNDS: u32 = 2000;
    let measured = |work: &dyn Fn()| {
        let round = |_| {
            let start = std::time::Instant::now();
            (0..ROUNDS).for_each(|_| work());
            start.elapsed() / ROUNDS
        };
        (0..9).map(round).min().unwrap()
    };
    let unused = measured(&|| unsafe { mi_heap_destroy(mi_heap_new()) });
    let used = measured(&|| unsafe {
        let heap = mi_heap_new();
        mi_heap_malloc(heap, 100).cast::<u8>().write(1);
        mi_heap_destroy(heap);
    });
    println!("made and destroyed: {unused:?}; with a block: {used:?}");
}

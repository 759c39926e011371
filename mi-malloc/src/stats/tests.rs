//! What other modules rely on and no external test can reach.

extern crate std;

#[cfg(mi_v3)]
use super::Stats;
use super::{block_size, MI_BIN_HUGE};
use crate::sys;

#[test]
fn block_sizes_are_those_of_the_allocator() {
    // Builds that check blocks (`secure`, `debug`) have eight bytes of padding behind each.
    // SAFETY: always safe to call.
    let padding = if unsafe { sys::mi_good_size(16) } == 16 {
        0
    } else {
        8
    };
    let mut last = 0;
    for bin in 1..MI_BIN_HUGE {
        let size = block_size(bin).unwrap();
        assert!(size > last, "{} {}", bin, size);
        last = size;
        // A block of a class has its size, padding included. Where blocks are aligned to two words, odd small classes
        // are not used; and classes beyond a limit are rounded to the system's pages instead.
        if size % (2 * core::mem::size_of::<usize>()) == 0 && size <= 32 << 10 {
            // SAFETY: always safe to call.
            let good = unsafe { sys::mi_good_size(size - padding) };
            assert_eq!(good, size, "bin {}", bin);
        }
    }
    assert_eq!(block_size(MI_BIN_HUGE), None);
}

#[cfg(mi_v3)]
#[test]
fn a_heap_counts_its_blocks() {
    // SAFETY: the heap lives until it is destroyed, and its blocks are not used.
    unsafe {
        let heap = sys::mi_heap_new();
        let empty = Stats::of_heap(heap);
        assert_eq!((empty.blocks(), empty.live.current), (0, 0));
        for _ in 0..100 {
            assert!(!sys::mi_heap_malloc(heap, 1000).is_null());
        }
        let stats = Stats::of_heap(heap);
        assert_eq!(stats.since(&empty).blocks(), 100);
        assert!(stats.live.current >= 100_000 && stats.live.current < 130_000);
        assert_eq!(stats.resident, None);
        let classes: std::vec::Vec<_> = stats.size_classes().collect();
        assert_eq!(classes.len(), 1);
        assert_eq!(classes[0].blocks.current, 100);
        assert!(classes[0].block_size >= Some(1000) && classes[0].pages.current > 0);
        sys::mi_heap_destroy(heap);
        // The main heap, by its short name.
        assert!(Stats::of_heap(core::ptr::null_mut()).pages.total > 0);
    }
}

#[cfg(mi_v3)]
#[test]
fn a_subprocess_counts_its_memory() {
    struct Id(sys::mi_subproc_id_t);
    // SAFETY: any thread may use the id.
    unsafe impl Send for Id {}

    // SAFETY: the subprocess lives until its thread has ended.
    let id = unsafe { sys::mi_subproc_new() };
    let sent = Id(id);
    std::thread::spawn(move || {
        let Id(id) = { sent };
        // SAFETY: the thread joins first of all, and frees what it allocates.
        unsafe {
            let empty = Stats::of_subprocess(id);
            assert_eq!((empty.blocks(), empty.threads.current), (0, 0));
            sys::mi_subproc_add_current_thread(id);
            let block = sys::mi_malloc(1000);
            let stats = Stats::of_subprocess(id);
            assert_eq!((stats.blocks(), stats.threads.current), (1, 1));
            assert!(stats.reserved.current > 0 && stats.committed.current > 0);
            sys::mi_free(block);
        }
    })
    .join()
    .unwrap();
    // SAFETY: nothing of the subprocess is used any more; the main one always lives.
    unsafe {
        sys::mi_subproc_destroy(id);
        assert!(Stats::of_subprocess(sys::mi_subproc_main()).threads.current > 0);
    }
}

#[cfg(all(feature = "std", any(target_os = "linux", target_os = "android")))]
#[test]
fn a_program_may_have_any_name() {
    let status = b"Name:\t\xd0\xbf\xd1\nVmHWM:\t  12 kB\nVmRSS:\t  10 kB\n";
    assert_eq!(super::resident_in(status), Some((10 << 10, 12 << 10)));
    assert_eq!(super::resident_in(b"Name:\tzombie\n"), None);
}

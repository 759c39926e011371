//! Arenas: where heaps take their pages from.

use crate::map;
use crate::visitor;
use core::ffi::c_void;
use mi_malloc_sys::*;
use std::ptr::null_mut;

const MIB: usize = 1 << 20;

/// v3's unit of memory (`MI_ARENA_SLICE_SIZE`): 64 KiB, or 32 KiB on 32-bit.
const SLICE: usize = 8192 * std::mem::size_of::<usize>();

const NONE: mi_arena_id_t = MI_ARENA_ID_NONE;

/// An id that no arena has, to see that it is overwritten.
#[cfg(mi_v3)]
const UNSET: mi_arena_id_t = 1 as mi_arena_id_t;
#[cfg(mi_v2)]
const UNSET: mi_arena_id_t = 1000;

/// Of the two numbers that mean none on v2.
fn is_none(id: mi_arena_id_t) -> bool {
    #[cfg(mi_v3)]
    return id.is_null();
    #[cfg(mi_v2)]
    return id == 0 || id == -1;
}

/// On v2 a thread that has not yet used mimalloc crashes when it reserves memory: the choice of an
/// address takes a random number from the thread's heap, which is still the constant empty one.
fn init() {
    unsafe { mi_thread_init() };
}

/// A new arena in which only heaps made for it allocate.
unsafe fn reserve_exclusive(size: usize, commit: bool) -> mi_arena_id_t {
    let mut id = UNSET;
    let result = mi_reserve_os_memory_ex(size, commit, false, true, &mut id);
    assert_eq!(result, 0);
    id
}

/// How arenas are aligned, and how large the smallest is.
#[cfg(mi_v3)]
fn units() -> (usize, usize) {
    unsafe { (mi_arena_min_alignment(), mi_arena_min_size()) }
}
#[cfg(mi_v2)]
fn units() -> (usize, usize) {
    // A segment.
    let unit = if cfg!(target_pointer_width = "64") {
        32 * MIB
    } else {
        4 * MIB
    };
    (unit, unit)
}

#[derive(Clone, Copy, Debug)]
struct Area {
    start: usize,
    size: usize,
}

impl Area {
    unsafe fn of(id: mi_arena_id_t) -> Area {
        let mut size = 0;
        let start = mi_arena_area(id, &mut size);
        Area {
            start: start as usize,
            size,
        }
    }

    fn holds(self, p: *const c_void, size: usize) -> bool {
        self.start <= p as usize && p as usize + size <= self.start + self.size
    }
}

/// Fills a heap that is bound to the arena `id`: all of it is there, and when the arena is full
/// allocations fail.
unsafe fn fill(id: mi_arena_id_t, area: Area) {
    let heap = mi_heap_new_in_arena(id);
    assert!(!heap.is_null());
    let small = [1, 64, 1000, 1025, 50_000, 300_000].map(|size| {
        let p = mi_heap_malloc(heap, size);
        assert!(!p.is_null() && area.holds(p, size), "{size}");
        p.cast::<u8>().write_bytes(1, size);
        p
    });
    let mut large = Vec::new();
    loop {
        let p = mi_heap_malloc(heap, MIB);
        if p.is_null() {
            break;
        }
        assert!(area.holds(p, MIB));
        p.cast::<u8>().write_bytes(2, 100);
        p.cast::<u8>().add(MIB - 100).write_bytes(2, 100);
        large.push(p);
        assert!(large.len() * MIB < area.size);
    }
    assert!(
        large.len() * MIB > area.size / 2,
        "{} of {area:?}",
        large.len()
    );
    // The full heap does not turn to other memory, while others have plenty.
    assert!(mi_heap_malloc(heap, 8 * MIB).is_null());
    assert!(mi_heap_zalloc(heap, 8 * MIB).is_null());
    mi_free(mi_malloc(8 * MIB));
    for area_of_heap in visitor::heap(heap).areas {
        assert!(area.holds(area_of_heap.blocks, area_of_heap.reserved));
    }
    // What is freed can be allocated again.
    let count = large.len();
    large.drain(..).for_each(|p| mi_free(p));
    mi_heap_collect(heap, true);
    for _ in 0..count / 2 {
        let p = mi_heap_zalloc(heap, MIB);
        assert!(!p.is_null() && area.holds(p, MIB));
        large.push(p);
    }
    large.into_iter().chain(small).for_each(|p| mi_free(p));
    mi_heap_delete(heap);
}

#[test]
fn reserved_memory() {
    init();
    for commit in [false, true] {
        unsafe {
            let id = reserve_exclusive(64 * MIB, commit);
            assert!(!is_none(id));
            let area = Area::of(id);
            assert_eq!(area.start % units().0, 0);
            assert_eq!(area.size, 64 * MIB);
            fill(id, area);
        }
    }
}

#[test]
fn memory_of_the_program() {
    init();
    let (align, _) = units();
    let access = libc::PROT_READ | libc::PROT_WRITE;
    // Without access it must be committed first.
    for (access, committed) in [(access, true), (libc::PROT_NONE, false)] {
        let start = map::map(256 * MIB, align, access);
        let mut id = UNSET;
        unsafe {
            assert!(mi_manage_os_memory_ex(
                start,
                256 * MIB,
                committed,
                false,
                true,
                -1,
                true,
                &mut id
            ));
            let area = Area::of(id);
            assert_eq!((area.start, area.size), (start as usize, 256 * MIB));
            fill(id, area);
        }
    }
}

#[test]
fn memory_that_is_not_aligned() {
    init();
    let (align, unit) = units();
    let start = map::map(4 * align, align, libc::PROT_READ | libc::PROT_WRITE) as usize;
    let mut id = UNSET;
    unsafe {
        // The arena starts at the next multiple, and ends with the last whole unit.
        assert!(mi_manage_os_memory_ex(
            (start + 4096) as *mut c_void,
            3 * align + unit / 2,
            true,
            false,
            true,
            -1,
            true,
            &mut id
        ));
        let area = Area::of(id);
        assert_eq!((area.start, area.size), (start + align, 2 * align));
        let heap = mi_heap_new_in_arena(id);
        let p = mi_heap_malloc(heap, 100);
        assert!(area.holds(p, 100));
        mi_free(p);
        mi_heap_delete(heap);
    }
}

#[test]
fn memory_of_which_nothing_can_be_made() {
    init();
    let (align, unit) = units();
    let start = map::map(align, align, libc::PROT_READ | libc::PROT_WRITE);
    let mut id = UNSET;
    unsafe {
        let manage =
            |start, size, id| mi_manage_os_memory_ex(start, size, true, false, true, -1, true, id);
        assert!(!manage(start, unit - 1, &mut id));
        assert!(is_none(id));
        // What is left behind the next multiple is too little.
        id = UNSET;
        assert!(!manage((start as usize + 1) as *mut c_void, unit, &mut id));
        assert!(is_none(id));
        assert!(!mi_manage_os_memory(start, unit - 1, true, false, true, -1));

        for size in [0, usize::MAX / 2 + 1, usize::MAX] {
            id = UNSET;
            assert_eq!(mi_reserve_os_memory(size, false, false), libc::ENOMEM);
            let result = mi_reserve_os_memory_ex(size, false, false, false, &mut id);
            assert_eq!(result, libc::ENOMEM, "{size:x}");
            assert!(is_none(id));
        }
    }
}

#[test]
fn sizes_are_rounded() {
    init();
    let (_, unit) = units();
    let size = 2 * unit + 1;
    unsafe {
        let id = reserve_exclusive(size, false);
        let expected = if cfg!(mi_v3) { 2 * unit } else { 3 * unit };
        assert_eq!(Area::of(id).size, expected);
    }
}

#[test]
fn no_arena() {
    init();
    let mut size = 1;
    unsafe {
        assert!(mi_arena_area(NONE, &mut size).is_null());
        assert_eq!(size, 0);
        assert!(mi_arena_area(NONE, null_mut()).is_null());
        #[cfg(mi_v2)]
        for id in [-1, 999] {
            size = 1;
            assert!(mi_arena_area(id, &mut size).is_null());
            assert_eq!(size, 0);
        }
        #[cfg(mi_v3)]
        assert!(!mi_arena_contains(NONE, (&size as *const usize).cast()));
        // A heap without an arena is like any other.
        let heap = mi_heap_new_in_arena(NONE);
        let p = mi_heap_malloc(heap, 40 * MIB);
        assert!(!p.is_null());
        mi_free(p);
        mi_heap_delete(heap);
    }
}

/// Only a heap made for it allocates in an exclusive arena.
#[test]
fn an_exclusive_arena() {
    init();
    unsafe {
        let id = reserve_exclusive(64 * MIB, false);
        let area = Area::of(id);
        let ours = mi_heap_new_in_arena(id);
        let other = mi_heap_new();
        for index in 1..200 {
            let size = index * 500;
            let p = mi_heap_malloc(ours, size);
            assert!(area.holds(p, size));
            for p in [mi_malloc(size), mi_heap_malloc(other, size)] {
                assert!(!area.holds(p, 1));
                mi_free(p);
            }
            mi_free(p);
        }
        mi_heap_delete(other);
        // The blocks of a deleted heap stay where they are.
        let p = mi_heap_malloc(ours, 3000);
        p.cast::<u8>().write_bytes(5, 3000);
        mi_heap_delete(ours);
        assert!(area.holds(p, 3000));
        assert!(std::slice::from_raw_parts(p.cast::<u8>(), 3000)
            .iter()
            .all(|byte| *byte == 5));
        mi_free(p);
    }
}

/// Large alignments take memory of their own, which a heap bound to an arena does not allocate.
#[test]
fn large_alignments_in_an_arena() {
    init();
    unsafe {
        let id = reserve_exclusive(128 * MIB, true);
        let area = Area::of(id);
        let heap = mi_heap_new_in_arena(id);
        // v3: a slice of an arena; v2: half a segment.
        let limit = match (cfg!(mi_v3), cfg!(target_pointer_width = "64")) {
            (true, _) => SLICE,
            (false, true) => 16 * MIB,
            (false, false) => 2 * MIB,
        };
        for align in [64, 4096, SLICE] {
            let p = mi_heap_malloc_aligned(heap, 100, align);
            assert!(!p.is_null() && area.holds(p, 100), "{align}");
            assert_eq!(p as usize % align, 0);
            mi_free(p);
        }
        assert!(mi_heap_malloc_aligned(heap, 100, 2 * limit).is_null());
        let p = mi_malloc_aligned(100, 2 * limit);
        assert!(!p.is_null() && p as usize % (2 * limit) == 0);
        mi_free(p);
        mi_heap_delete(heap);
    }
}

#[test]
fn huge_pages() {
    init();
    unsafe {
        assert_eq!(mi_reserve_huge_os_pages_interleave(0, 0, 0), 0);
        assert_eq!(mi_reserve_huge_os_pages_at(0, -1, 0), 0);
        let mut reserved = 7;
        #[allow(deprecated)]
        let result = mi_reserve_huge_os_pages(0, 0.5, &mut reserved);
        assert_eq!((result, reserved), (0, 0));
        let mut id = UNSET;
        assert_eq!(mi_reserve_huge_os_pages_at_ex(0, 0, 0, true, &mut id), 0);
        assert!(is_none(id));
        // Few machines have one free.
        id = UNSET;
        match mi_reserve_huge_os_pages_at_ex(1, 0, 100, true, &mut id) {
            0 => assert_eq!(Area::of(id).size, 1 << 30),
            error => {
                assert_eq!(error, libc::ENOMEM);
                assert!(is_none(id));
            }
        }
    }
}

#[cfg(mi_v3)]
#[test]
fn what_an_arena_contains() {
    init();
    unsafe {
        let (align, unit) = units();
        assert!(align.is_power_of_two() && unit.is_power_of_two() && unit <= align);
        if cfg!(target_pointer_width = "64") {
            assert_eq!((align, unit), (256 * MIB, 32 * MIB));
        }
        let largest = mi_arena_max_object_size();
        assert!(largest >= unit && largest % SLICE == 0, "{largest}");

        // Larger than one arena can be aligned at: the rest are parts of the first.
        let size = 2 * align;
        let id = reserve_exclusive(size, false);
        let other = reserve_exclusive(unit, false);
        let area = Area::of(id);
        assert_eq!(area.size, size);
        let at = |address: usize| mi_arena_contains(id, address as *const c_void);
        assert!(at(area.start) && at(area.start + align) && at(area.start + size - 1));
        assert!(!at(area.start - 1) && !at(area.start + size) && !at(0));
        assert!(!mi_arena_contains(other, area.start as *const c_void));
        assert!(!mi_arena_contains(NONE, area.start as *const c_void));
        assert!(!mi_arena_contains(id, std::ptr::null()));
        let heap = mi_heap_new_in_arena(id);
        let p = mi_heap_malloc(heap, 10 * MIB);
        assert!(mi_arena_contains(id, p) && !mi_arena_contains(other, p));
        mi_heap_destroy(heap);
        // A block that no arena takes is not had from elsewhere.
        let heap = mi_heap_new_in_arena(id);
        assert!(mi_heap_malloc(heap, largest + 1).is_null());
        mi_heap_delete(heap);
        let p = mi_malloc(largest + 1);
        assert!(mi_usable_size(p) > largest);
        mi_free(p);
    }
}

/// The program commits the memory of its arena itself.
#[cfg(mi_v3)]
#[test]
fn memory_that_the_program_commits() {
    init();
    use std::sync::atomic::{AtomicUsize, Ordering};

    struct Commits {
        start: usize,
        size: usize,
        calls: AtomicUsize,
        bytes: AtomicUsize,
        outside: AtomicUsize,
    }
    unsafe extern "C" fn commit(
        commit: bool,
        start: *mut c_void,
        size: usize,
        is_zero: *mut bool,
        commits: *mut c_void,
    ) -> bool {
        let commits = &*commits.cast::<Commits>();
        let from = start as usize;
        if from < commits.start || from + size > commits.start + commits.size {
            commits.outside.fetch_add(1, Ordering::Relaxed);
        }
        if !commit {
            return false; // it stays as it is
        }
        commits.calls.fetch_add(1, Ordering::Relaxed);
        commits.bytes.fetch_add(size, Ordering::Relaxed);
        if !is_zero.is_null() {
            *is_zero = false;
        }
        libc::mprotect(start, size, libc::PROT_READ | libc::PROT_WRITE) == 0
    }

    let (align, _) = units();
    let start = map::map(align, align, libc::PROT_NONE);
    let commits: &'static Commits = Box::leak(Box::new(Commits {
        start: start as usize,
        size: align,
        calls: AtomicUsize::new(0),
        bytes: AtomicUsize::new(0),
        outside: AtomicUsize::new(0),
    }));
    let argument = (commits as *const Commits as *mut Commits).cast();
    let mut id = UNSET;
    unsafe {
        assert!(mi_manage_memory(
            start,
            align,
            false,
            false,
            false,
            -1,
            true,
            Some(commit),
            argument,
            &mut id
        ));
        assert_eq!(Area::of(id).start, start as usize);
        let heap = mi_heap_new_in_arena(id);
        let before = commits.bytes.load(Ordering::Relaxed);
        let p = mi_heap_zalloc(heap, 10 * MIB);
        assert!(mi_arena_contains(id, p));
        assert!(std::slice::from_raw_parts(p.cast::<u8>(), 10 * MIB)
            .iter()
            .all(|byte| *byte == 0));
        p.cast::<u8>().write_bytes(3, 10 * MIB);
        assert!(commits.bytes.load(Ordering::Relaxed) >= before + 10 * MIB);
        mi_free(p);
        mi_heap_destroy(heap);
        assert!(commits.calls.load(Ordering::Relaxed) >= 2);
        assert_eq!(commits.outside.load(Ordering::Relaxed), 0);

        // With a commit that always fails there is no arena.
        unsafe extern "C" fn refuse(
            _: bool,
            _: *mut c_void,
            _: usize,
            _: *mut bool,
            _: *mut c_void,
        ) -> bool {
            false
        }
        let start = map::map(align, align, libc::PROT_NONE);
        id = UNSET;
        assert!(!mi_manage_memory(
            start,
            align,
            false,
            false,
            false,
            -1,
            true,
            Some(refuse),
            null_mut(),
            &mut id
        ));
        assert!(is_none(id));
    }
}

//! A custom profiler (v3): the sampled blocks are reported to it, and nothing else.

use crate::mode;
use crate::raw_thread;
use core::ffi::c_void;
use mi_malloc_sys::*;
use std::collections::HashMap;
use std::ptr::null_mut;
use std::slice::from_raw_parts_mut;
use std::sync::Mutex;

/// What the profiler keeps beside each sampled block.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
struct Note {
    ptr: usize,
    size: usize,
    heap: usize,
}

#[derive(Default)]
struct Seen {
    /// Sampled blocks that are alive.
    alive: HashMap<usize, usize>,
    allocs: usize,
    frees: usize,
    bytes: usize,
    /// Bytes that the samples stand for.
    stands_for: u64,
    snapshots: usize,
    data_sizes: Vec<usize>,
    faults: Vec<String>,
}

/// As the documentation requires: the profiler first, then the program's own fields.
#[repr(C)]
struct Mine {
    profiler: mi_profiler_t,
    seen: Mutex<Seen>,
    next_rate: usize,
}

impl Mine {
    fn new(data: usize, rate: usize) -> Box<Mine> {
        Box::new(Mine {
            profiler: mi_profiler_t {
                sample_data_size: data,
                initial_sample_rate: rate,
                on_alloc: Some(on_alloc),
                on_free: Some(on_free),
                on_snapshot: Some(on_snapshot),
                ..mi_profiler_t::new()
            },
            seen: Mutex::default(),
            next_rate: 0,
        })
    }

    fn pointer(&mut self) -> *mut mi_profiler_t {
        let this: *mut Mine = self;
        this.cast()
    }

    fn take(&self) -> Seen {
        let mut seen = self.seen.lock().unwrap();
        assert_eq!(seen.faults, [] as [&str; 0]);
        std::mem::take(&mut seen)
    }
}

/// Under `override` the map's own blocks come from the main heap, which no test here samples.
unsafe extern "C" fn on_alloc(
    profiler: *mut mi_profiler_t,
    data: *mut mi_profiler_sample_data_t,
    ptr: *mut c_void,
    requested_size: usize,
    bytes_sample_rate: usize,
    bytes_since_last_sample: u64,
    heap: *mut mi_heap_t,
) -> usize {
    let mine = &*profiler.cast::<Mine>();
    let mut seen = mine.seen.lock().unwrap();
    seen.allocs += 1;
    seen.bytes += requested_size;
    seen.stands_for += bytes_since_last_sample;
    if bytes_sample_rate == 0 || bytes_since_last_sample < requested_size as u64 {
        seen.faults
            .push(format!("{bytes_since_last_sample} since the last sample"));
    }
    if mi_heap_of(ptr) != heap {
        seen.faults.push(format!("{ptr:p} is not of {heap:p}"));
    }
    if !data.is_null() {
        let size = (*data).user_data_size;
        seen.data_sizes.push(size);
        if size >= std::mem::size_of::<Note>() {
            let note = Note {
                ptr: ptr as usize,
                size: requested_size,
                heap: heap as usize,
            };
            let user_data = core::ptr::addr_of_mut!((*data).user_data);
            user_data.cast::<u8>().write_bytes(0xDD, size);
            user_data.cast::<Note>().write(note);
        }
        if seen.alive.insert(ptr as usize, requested_size).is_some() {
            seen.faults.push(format!("{ptr:p} is alive already"));
        }
    }
    mine.next_rate
}

unsafe extern "C" fn on_free(
    profiler: *mut mi_profiler_t,
    data: *mut mi_profiler_sample_data_t,
    ptr: *mut c_void,
    heap: *mut mi_heap_t,
) {
    let mine = &*profiler.cast::<Mine>();
    let mut seen = mine.seen.lock().unwrap();
    seen.frees += 1;
    // A block that was over-allocated for its alignment was sampled before the pointer moved up.
    let mut sampled = ptr as usize;
    if (*data).user_data_size >= NOTE {
        let note = core::ptr::addr_of!((*data).user_data).cast::<Note>().read();
        sampled = note.ptr;
        let requested = seen.alive.get(&sampled).copied();
        let is_inside = (note.ptr..note.ptr + note.size).contains(&(ptr as usize));
        if requested != Some(note.size) || note.heap != heap as usize || !is_inside {
            seen.faults
                .push(format!("{note:?} for {ptr:p} of {heap:p}"));
        }
    }
    if seen.alive.remove(&sampled).is_none() {
        seen.faults.push(format!("{ptr:p} was not sampled"));
    }
}

unsafe extern "C" fn on_snapshot(profiler: *mut mi_profiler_t) {
    (*profiler.cast::<Mine>()).seen.lock().unwrap().snapshots += 1;
}

const NOTE: usize = std::mem::size_of::<Note>();

/// A heap to which `mine` is attached, and running.
unsafe fn profiled(mine: &mut Mine) -> *mut mi_heap_t {
    let heap = mi_heap_new();
    assert!(mi_heap_profile(heap, mine.pointer()));
    assert!(!mi_profiler_start(mine.pointer()));
    heap
}

/// Ends the heap and the profiler. (Live blocks would move to the main heap.)
unsafe fn finish(heap: *mut mi_heap_t, mine: &mut Mine) {
    mi_profiler_stop(mine.pointer());
    assert!(mi_heap_profile(heap, null_mut()));
    mi_heap_delete(heap);
}

/// The page of the sampled block is that of its thread, and has no other block, while the function for its free allocates
/// (`src/singleton_pages.c`).
#[test]
fn a_block_whose_free_allocates_keeps_its_page() {
    const SIZE: usize = 200 << 10;
    static TAKEN: Mutex<Vec<usize>> = Mutex::new(Vec::new());
    unsafe fn take(heap: *mut mi_heap_t) {
        let mut taken = TAKEN.lock().unwrap();
        for _ in 0..12 {
            let p = mi_heap_malloc(heap, SIZE);
            assert!(!p.is_null());
            taken.push(p as usize);
        }
    }
    unsafe extern "C" fn on_free(
        _: *mut mi_profiler_t,
        _: *mut mi_profiler_sample_data_t,
        _: *mut c_void,
        heap: *mut mi_heap_t,
    ) {
        take(heap);
    }
    if !cfg!(mi_retained_pages) {
        println!("not run: here such a block shares its page, which upstream then gives away");
        return;
    }
    unsafe extern "C" fn note(
        _: *const mi_heap_t,
        _: *const mi_heap_area_t,
        block: *mut c_void,
        _: usize,
        count: *mut c_void,
    ) -> bool {
        *count.cast::<usize>() += usize::from(!block.is_null());
        true
    }
    unsafe {
        let mut mine = Mine::new(NOTE, 1);
        mine.profiler.on_free = Some(on_free);
        mine.next_rate = 1;
        let heap = profiled(&mut mine);
        // Sampling starts with the thread's next housekeeping.
        while TAKEN.lock().unwrap().is_empty() {
            mi_free(mi_heap_malloc(heap, SIZE));
        }
        for _ in 0..4 {
            mi_free(mi_heap_malloc(heap, SIZE));
            take(heap);
        }
        mi_profiler_stop(mine.pointer());
        assert!(mi_heap_profile(heap, null_mut()));
        for _ in 0..4 {
            let mut taken = std::mem::take(&mut *TAKEN.lock().unwrap());
            taken.sort_unstable();
            assert!(taken.windows(2).all(|pair| pair[1] - pair[0] >= SIZE));
            let mut visited = 0usize;
            let count: *mut usize = &mut visited;
            assert!(mi_heap_visit_blocks(heap, true, Some(note), count.cast()));
            assert_eq!(visited, taken.len());
            taken.into_iter().for_each(|p| mi_free(p as *mut c_void));
            take(heap);
        }
        mi_heap_delete(heap);
    }
}

#[test]
fn samples_are_reported() {
    const COUNT: usize = 20_000;
    unsafe {
        let mut mine = Mine::new(NOTE, 1);
        let heap = profiled(&mut mine);
        let sizes = [8, 24, 100, 1000, 5000, 20_000];
        let blocks: Vec<_> = (0..COUNT)
            .map(|index| {
                let size = sizes[index % sizes.len()];
                let p = mi_heap_malloc(heap, size);
                // A sampled block is as good as any other.
                assert!(p as usize % if size < 16 { 8 } else { 16 } == 0);
                assert!(mi_usable_size(p) >= size);
                from_raw_parts_mut(p.cast::<u8>(), mi_usable_size(p)).fill(index as u8);
                (p, size)
            })
            .collect();
        let requested: usize = blocks.iter().map(|(_, size)| size).sum();
        {
            let seen = mine.seen.lock().unwrap();
            assert_eq!((seen.frees, seen.alive.len()), (0, seen.allocs));
            assert!(seen.allocs > 100 && seen.allocs <= COUNT, "{}", seen.allocs);
            if mode::DEBUG {
                // Debug builds look at each allocation, once they take notice of the profiler.
                assert!(seen.allocs > COUNT / 2, "{}", seen.allocs);
            }
            // The samples stand for about all that was requested.
            assert!(seen.stands_for as usize <= requested + requested / 4);
            assert!(
                seen.stands_for as usize >= requested / 2,
                "{} {requested}",
                seen.stands_for
            );
            assert!(seen.data_sizes.iter().all(|size| *size == NOTE));
            let all: HashMap<usize, usize> = blocks
                .iter()
                .map(|(p, size)| (*p as usize, *size))
                .collect();
            for (p, size) in &seen.alive {
                assert_eq!(all.get(p), Some(size));
            }
        }
        for (index, (p, size)) in blocks.into_iter().enumerate() {
            let bytes = from_raw_parts_mut(p.cast::<u8>(), size);
            assert!(bytes.iter().all(|byte| *byte == index as u8));
            mi_free(p);
        }
        let seen = mine.take();
        assert_eq!(seen.frees, seen.allocs);
        assert!(seen.alive.is_empty());
        finish(heap, &mut mine);
    }
}

#[test]
fn sampled_blocks_are_reallocated_and_aligned() {
    unsafe {
        let mut mine = Mine::new(NOTE, 1);
        let heap = profiled(&mut mine);
        for round in 0..3000usize {
            let p = mi_heap_zalloc(heap, 3000);
            let bytes = from_raw_parts_mut(p.cast::<u8>(), 3000);
            assert!(bytes.iter().all(|byte| *byte == 0));
            bytes.fill(round as u8);
            let p = mi_heap_realloc(heap, p, 9000);
            let bytes = from_raw_parts_mut(p.cast::<u8>(), 9000);
            assert!(bytes[..3000].iter().all(|byte| *byte == round as u8));
            let p = mi_heap_realloc(heap, p, 500);
            let bytes = from_raw_parts_mut(p.cast::<u8>(), 500);
            assert!(bytes.iter().all(|byte| *byte == round as u8));
            let align = 64 << (round % 5);
            let q = mi_heap_zalloc_aligned(heap, 2000, align);
            assert_eq!(q as usize % align, 0);
            let bytes = from_raw_parts_mut(q.cast::<u8>(), 2000);
            assert!(bytes.iter().all(|byte| *byte == 0));
            bytes.fill(1);
            mi_free(p);
            mi_free_size_aligned(q, 2000, align);
        }
        let seen = mine.take();
        assert!(seen.allocs > 100, "{}", seen.allocs);
        assert_eq!((seen.frees, seen.alive.len()), (seen.allocs, 0));
        finish(heap, &mut mine);
    }
}

/// `MiMalloc` frees small blocks by a shorter way, which must find sampled ones too.
#[test]
fn sampled_blocks_behind_the_global_allocator() {
    use std::alloc::{GlobalAlloc, Layout};
    unsafe {
        let mut mine = Mine::new(MI_PROFILE_SAMPLE_DATA_MAX_SIZE, 1);
        let heap = profiled(&mut mine);
        let before = mi_theap_set_default(mi_heap_theap(heap));
        for size in (1..=MI_SMALL_SIZE_MAX + 1).cycle().take(30_000) {
            let layout = Layout::from_size_align_unchecked(size, 8);
            let p = MiMalloc.alloc(layout);
            p.write_bytes(3, size);
            MiMalloc.dealloc(p, layout);
        }
        mi_theap_set_default(before);
        mi_profiler_stop(mine.pointer());
        let seen = mine.take();
        assert!(seen.allocs > 100, "{}", seen.allocs);
        assert_eq!(seen.frees, seen.allocs);
        finish(heap, &mut mine);
    }
}

#[test]
fn other_threads_free() {
    unsafe {
        let mut mine = Mine::new(NOTE, 1);
        let heap = profiled(&mut mine);
        let address = heap as usize;
        let threads: Vec<_> = (0..4)
            .map(|_| {
                std::thread::spawn(move || {
                    let heap = address as *mut mi_heap_t;
                    (0..3000)
                        .map(|_| mi_heap_malloc(heap, 4000) as usize)
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        let blocks: Vec<_> = threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect();
        let sampled = mine.seen.lock().unwrap().allocs;
        assert!(sampled > 100, "{sampled}");
        blocks.into_iter().for_each(|p| mi_free(p as *mut c_void));
        let seen = mine.take();
        assert_eq!((seen.frees, seen.alive.len()), (sampled, 0));
        finish(heap, &mut mine);
    }
}

/// Allocates until `heap` samples, or surely does not.
unsafe fn use_up(heap: *mut mi_heap_t) {
    for _ in 0..3000 {
        mi_free(mi_heap_malloc(heap, 50_000));
    }
}

#[test]
fn attaching_starting_and_stopping() {
    unsafe {
        let (mut mine, mut other) = (Mine::new(NOTE, 1), Mine::new(NOTE, 1));
        let heap = mi_heap_new();
        assert!(mi_heap_profile(heap, mine.pointer()));
        // There is one already.
        assert!(!mi_heap_profile(heap, mine.pointer()));
        assert!(!mi_heap_profile(heap, other.pointer()));
        // Attached, but not started.
        use_up(heap);
        assert_eq!(mine.take().allocs, 0);

        assert!(!mi_profiler_start(mine.pointer()));
        assert!(mi_profiler_start(mine.pointer()));
        use_up(heap);
        let p = mi_heap_malloc(heap, 50_000);
        let seen = mine.take();
        assert!(seen.allocs > 100 && seen.allocs == seen.frees + seen.alive.len());
        assert_eq!(other.take().allocs, 0);

        assert!(mi_profiler_stop(mine.pointer()));
        assert!(!mi_profiler_stop(mine.pointer()));
        use_up(heap);
        mi_free(p);
        let seen = mine.take();
        assert_eq!((seen.allocs, seen.frees), (0, 0));

        // Attaching stops a profiler, and after detaching another can be attached.
        assert!(mi_heap_profile(heap, null_mut()));
        mi_profiler_start(other.pointer());
        assert!(mi_heap_profile(heap, other.pointer()));
        assert!(!mi_profiler_start(other.pointer()));
        use_up(heap);
        assert!(other.take().allocs > 100);
        assert_eq!(mine.take().allocs, 0);
        finish(heap, &mut other);

        assert!(!mi_profiler_start(null_mut()));
        assert!(!mi_profiler_stop(null_mut()));
    }
}

#[test]
fn a_heap_without_profiler() {
    unsafe {
        let mut mine = Mine::new(NOTE, 1);
        let heap = profiled(&mut mine);
        use_up(heap);
        assert!(mine.take().allocs > 0);
        mi_heap_profile_disable(heap);
        assert!(!mi_heap_profile(heap, mine.pointer()));
        assert!(!mi_profiler_start(mine.pointer()));
        use_up(heap);
        assert_eq!(mine.take().allocs, 0);
        // Detaching undoes it.
        assert!(mi_heap_profile(heap, null_mut()));
        assert!(mi_heap_profile(heap, mine.pointer()));
        mi_profiler_start(mine.pointer());
        use_up(heap);
        assert!(mine.take().allocs > 0);
        finish(heap, &mut mine);
    }
}

#[test]
fn space_for_data() {
    unsafe {
        let word = std::mem::size_of::<usize>();
        let max = MI_PROFILE_SAMPLE_DATA_MAX_SIZE;
        for (asked, given) in [
            (1, word),
            (word, word),
            (word + 1, 2 * word),
            (max, max),
            (max + 1, max),
            (9999, max),
        ] {
            let mut mine = Mine::new(asked, 1);
            let heap = profiled(&mut mine);
            use_up(heap);
            let seen = mine.take();
            assert!(!seen.data_sizes.is_empty());
            assert!(seen.data_sizes.iter().all(|size| *size == given), "{asked}");
            assert_eq!(seen.frees, seen.allocs);
            finish(heap, &mut mine);
        }
        // Without data, or without `on_free`, mimalloc does not remember its samples.
        let mut without_data = Mine::new(0, 1);
        let mut without_free = Mine::new(NOTE, 1);
        without_free.profiler.on_free = None;
        for mine in [&mut without_data, &mut without_free] {
            let heap = profiled(mine);
            use_up(heap);
            let seen = mine.take();
            assert!(seen.allocs > 100);
            assert_eq!((seen.frees, seen.data_sizes.len()), (0, 0));
            finish(heap, mine);
        }
        // Without `on_alloc` nothing is sampled.
        let mut silent = Mine::new(NOTE, 1);
        silent.profiler.on_alloc = None;
        let heap = profiled(&mut silent);
        use_up(heap);
        let seen = silent.take();
        assert_eq!((seen.allocs, seen.frees), (0, 0));
        finish(heap, &mut silent);
    }
}

#[test]
fn the_rate() {
    unsafe {
        // The answer of `on_alloc` is the next rate.
        let mut counts = Vec::new();
        for rate in [1 << 20, 10 << 20] {
            let mut mine = Mine::new(NOTE, 1);
            mine.next_rate = rate;
            let heap = profiled(&mut mine);
            // Enough for a hundred samples: they come at random.
            let times = 10;
            let total = times * 3000 * 50_000;
            (0..times).for_each(|_| use_up(heap));
            let seen = mine.take();
            // About one sample for each `rate` bytes.
            assert!(
                seen.allocs <= total / rate * 2 + 5,
                "{} at {rate}",
                seen.allocs
            );
            assert!(seen.allocs >= total / rate / 3, "{} at {rate}", seen.allocs);
            counts.push(seen.allocs);
            finish(heap, &mut mine);
        }
        assert!(counts[0] > counts[1] * 3, "{counts:?}");
    }
}

#[test]
fn snapshots() {
    unsafe {
        let mut mine = Mine::new(NOTE, 1);
        // Neither attached nor started.
        mi_profiler_snapshot(mine.pointer());
        mi_profiler_snapshot(mine.pointer());
        assert_eq!(mine.take().snapshots, 2);
        mine.profiler.on_snapshot = None;
        mi_profiler_snapshot(mine.pointer());
        mi_profiler_snapshot(null_mut());
        assert_eq!(mine.take().snapshots, 0);
    }
}

/// What is set for a subprocess applies to its heaps, present and future.
#[test]
fn a_subprocess() {
    unsafe {
        // A first heap extends a table of the main subprocess. If a thread of another subprocess does, an expensive
        // check of v3.6.0 (`_mi_heap_theap_peek` in prim-tls.h) stops the program.
        mi_heap_delete(mi_heap_new());
        let id = mi_subproc_new();
        let mut mine = Mine::new(NOTE, 1);
        assert!(mi_subproc_profile(id, mine.pointer()));
        assert!(!mi_subproc_profile(id, mine.pointer()));
        let none = mi_subproc_id_t {
            _mi_subproc_id: null_mut(),
        };
        assert!(!mi_subproc_profile(none, mine.pointer()));
        let (number, profiler) = (id._mi_subproc_id as usize, mine.pointer() as usize);
        let seen: *const Mutex<Seen> = &mine.seen;
        let seen = seen as usize;
        raw_thread::run(move || {
            mi_subproc_add_current_thread(mi_subproc_id_t {
                _mi_subproc_id: number as *mut _,
            });
            let seen = &*(seen as *const Mutex<Seen>);
            let allocs = || std::mem::take(&mut *seen.lock().unwrap()).allocs;
            mi_profiler_start(profiler as *mut mi_profiler_t);
            let (heap, disabled) = (mi_heap_new(), mi_heap_new());
            mi_heap_profile_disable(disabled);
            // mimalloc's own data for a heap come from the main heap, so they can be sampled.
            mi_free(mi_heap_malloc(disabled, 50_000));
            use_up(mi_heap_main());
            assert!(allocs() > 100);
            use_up(heap);
            assert!(allocs() > 100);
            use_up(disabled);
            assert_eq!(allocs(), 0);
            mi_profiler_stop(profiler as *mut mi_profiler_t);
        });
        assert!(mi_subproc_profile(id, null_mut()));
        mi_subproc_destroy(id);
    }
}

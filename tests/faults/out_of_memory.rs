//! The system's limit on a process's memory is reached, by each kind of allocation.

use crate::errno;
use crate::memory::*;
use crate::mode;
use crate::resident;
use crate::respawn;
use core::ffi::c_void;
use cty::c_int;
use libc::ENOMEM;
use mi_malloc_sys::*;
use std::alloc::{GlobalAlloc, Layout};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering::SeqCst};

/// How much may still be taken when the limit is set.
const ROOM: usize = 60 << 20;

/// So large an alignment makes each block memory of its own.
const FAR: usize = 1 << 18;

type Allocate = unsafe fn(usize) -> *mut c_void;

/// Each kind, with the sizes to try it with.
const KINDS: [(&str, Allocate, [usize; 2]); 14] = [
    ("malloc", |size| unsafe { mi_malloc(size) }, [48, 3_000]),
    (
        "large malloc",
        |size| unsafe { mi_malloc(size) },
        [100_000, 3_000_000],
    ),
    ("zalloc", |size| unsafe { mi_zalloc(size) }, [500, 20_000]),
    (
        "calloc",
        |size| unsafe { mi_calloc(3, size / 3) },
        [600, 699_999],
    ),
    ("small", |size| unsafe { mi_malloc_small(size) }, [64, 512]),
    (
        "aligned",
        |size| unsafe { mi_malloc_aligned(size, 64) },
        [72, 9_000],
    ),
    (
        "far aligned",
        |size| unsafe { mi_zalloc_aligned(size, FAR) },
        [400, 70_000],
    ),
    (
        "at an offset",
        |size| unsafe { mi_malloc_aligned_at(size, 256, 8) },
        [300, 4_000],
    ),
    ("realloc", |size| unsafe { grown(size) }, [5_000, 500_000]),
    (
        "heap",
        |size| unsafe { mi_heap_malloc(heap(), size) },
        [100, 40_000],
    ),
    (
        "posix_memalign",
        |size| unsafe { memalign(size) },
        [128, 12_000],
    ),
    (
        "Rust",
        |size| unsafe { MiMalloc.alloc(layout(size)).cast() },
        [80, 2_000],
    ),
    (
        "Rust, zeroed",
        |size| unsafe { MiMalloc.alloc_zeroed(layout(size)).cast() },
        [900, 1_200],
    ),
    (
        "Rust, grown",
        |size| unsafe { rust_grown(size) },
        [1_100, 90_000],
    ),
];

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 16).unwrap()
}

/// A block that came to its size in two steps, or NULL.
unsafe fn grown(size: usize) -> *mut c_void {
    let p = mi_malloc(16);
    if p.is_null() {
        return p;
    }
    fill(p, 16, 0xAB);
    let larger = mi_realloc(p, size);
    if larger.is_null() {
        // What could not grow is still there.
        assert!(holds(p, 16, 0xAB));
        mi_free(p);
    }
    larger
}

unsafe fn rust_grown(size: usize) -> *mut c_void {
    let p = MiMalloc.alloc(layout(16));
    if p.is_null() {
        return p.cast();
    }
    fill(p.cast(), 16, 0xAB);
    let larger = MiMalloc.realloc(p, layout(16), size);
    if larger.is_null() {
        assert!(holds(p.cast(), 16, 0xAB));
        MiMalloc.dealloc(p, layout(16));
    }
    larger.cast()
}

unsafe fn memalign(size: usize) -> *mut c_void {
    let mut p = null_mut();
    let error = mi_posix_memalign(&mut p, 128, size);
    assert_eq!(error != 0, p.is_null());
    assert!(error == 0 || error == ENOMEM);
    p
}

/// One heap for all, made before the memory runs out.
fn heap() -> *mut mi_heap_t {
    static HEAP: AtomicUsize = AtomicUsize::new(0);
    if HEAP.load(SeqCst) == 0 {
        HEAP.store(unsafe { mi_heap_new() } as usize, SeqCst);
    }
    HEAP.load(SeqCst) as *mut mi_heap_t
}

/// The address space of this process may grow by `room` bytes.
fn limit(room: usize) {
    let [space, _] = resident::memory();
    let most = libc::rlimit {
        rlim_cur: (space + room) as libc::rlim_t,
        rlim_max: libc::RLIM_INFINITY,
    };
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &most) }, 0);
}

static ERRORS: AtomicUsize = AtomicUsize::new(0);
static LAST_ERROR: AtomicI32 = AtomicI32::new(0);

unsafe extern "C" fn on_error(error: c_int, _: *mut c_void) {
    ERRORS.fetch_add(1, SeqCst);
    LAST_ERROR.store(error, SeqCst);
}

/// Blocks that are linked through their first words: a `Vec` would need memory too.
struct Chain {
    last: *mut c_void,
    count: usize,
    size: usize,
}

impl Chain {
    /// Allocates until there is nothing more, or `most` blocks.
    unsafe fn fill(size: usize, allocate: Allocate, most: usize) -> Chain {
        let mut chain = Chain {
            last: null_mut(),
            count: 0,
            size,
        };
        while chain.count < most {
            let p = allocate(size);
            if p.is_null() {
                break;
            }
            p.cast::<*mut c_void>().write(chain.last);
            // The rest of the first and all of the last bytes.
            p.cast::<u8>().add(size - 1).write(chain.count as u8);
            chain.last = p;
            chain.count += 1;
        }
        chain
    }

    /// Looks at all blocks and frees them.
    unsafe fn free(self) {
        let mut p = self.last;
        for number in (0..self.count).rev() {
            assert_eq!(*p.cast::<u8>().add(self.size - 1), number as u8);
            let next = *p.cast::<*mut c_void>();
            mi_free(p);
            p = next;
        }
        assert!(p.is_null());
    }
}

/// In the child: memory runs out, and comes back. A block takes `room` bytes at least.
unsafe fn exhaust(allocate: Allocate, size: usize, room: usize) {
    // What a process has anyway. An aligned block may take twice its size.
    let mut whole = 0;
    mi_ufree(allocate(size), &mut whole);
    let room = room.max(whole);
    limit(ROOM);

    // Without a callback the failure is in `errno`.
    errno::set(0);
    let chain = Chain::fill(size, allocate, usize::MAX);
    let error = errno::get();
    let count = chain.count;
    chain.free();
    assert_eq!(error, ENOMEM);
    assert!(count * room > ROOM / 3, "{count}");
    mi_collect(true);

    // With one, the failure is reported to it alone.
    mi_register_error(Some(on_error), null_mut());
    errno::set(0);
    let chain = Chain::fill(size, allocate, usize::MAX);
    let error = errno::get();
    let (errors, last) = (ERRORS.load(SeqCst), LAST_ERROR.load(SeqCst));

    // Still nothing, and no harm.
    let again = allocate(size);
    let too_large = mi_malloc(ROOM + (1 << 20));
    let count = chain.count;
    chain.free();
    mi_free(again);
    assert!(too_large.is_null());
    assert!(errors > 0);
    assert_eq!(last, ENOMEM);
    // The system itself may leave its error there.
    assert!(error == 0 || error == ENOMEM, "{error}");

    // The process goes on, with most of what there was.
    mi_collect(true);
    let chain = Chain::fill(size, allocate, count / 2);
    let half = chain.count;
    chain.free();
    assert_eq!(half, count / 2);
}

#[test]
fn each_kind_runs_out_of_memory() {
    let name = "out_of_memory::each_kind_runs_out_of_memory";
    if respawn::is_child() {
        let argument = respawn::argument();
        let (kind, size) = argument.split_once('/').unwrap();
        let (_, allocate, _) = KINDS.iter().find(|(name, ..)| *name == kind).unwrap();
        let size = size.parse().unwrap();
        let room = if kind == "far aligned" {
            FAR + size
        } else {
            size
        };
        unsafe { exhaust(*allocate, size, room) };
        return;
    }
    for (kind, _, sizes) in KINDS {
        // A million small blocks take upstream's full checks a minute.
        let sizes = if mode::DEBUG { &sizes[1..] } else { &sizes };
        for size in sizes {
            // Arenas of the smallest size: the usual one would be more than the room.
            let variables = [("MIMALLOC_ARENA_RESERVE", "32MiB")];
            respawn::assert_child_passes(name, &format!("{kind}/{size}"), &variables);
        }
    }
}

/// A thread, a heap and a subprocess need memory themselves.
#[test]
fn what_allocates_for_itself_runs_out_of_memory() {
    if !respawn::is_child() {
        let variables = [("MIMALLOC_ARENA_RESERVE", "32MiB")];
        let name = "out_of_memory::what_allocates_for_itself_runs_out_of_memory";
        respawn::assert_child_passes(name, "", &variables);
        return;
    }
    static GO: AtomicUsize = AtomicUsize::new(0);
    extern "C" fn first_act(_: *mut c_void) -> *mut c_void {
        while GO.load(SeqCst) == 0 {
            std::hint::spin_loop();
        }
        // The thread has never called mimalloc before. It gets a block or none.
        unsafe {
            let p = mi_malloc(100);
            if !p.is_null() {
                fill(p, 100, 3);
                mi_free(p);
            }
        }
        GO.store(2, SeqCst);
        while GO.load(SeqCst) != 3 {
            std::hint::spin_loop();
        }
        // There is memory again.
        unsafe { mi_malloc(100) }
    }
    unsafe {
        let mut thread = std::mem::zeroed();
        let error = libc::pthread_create(&mut thread, null(), first_act, null_mut());
        assert_eq!(error, 0);
        limit(ROOM);
        let large = Chain::fill(1 << 20, |size| mi_malloc(size), usize::MAX);
        let medium = Chain::fill(4_000, |size| mi_malloc(size), usize::MAX);
        let small = Chain::fill(16, |size| mi_malloc(size), usize::MAX);
        GO.store(1, SeqCst);
        while GO.load(SeqCst) != 2 {
            std::hint::spin_loop();
        }
        // A heap or none; and if there is one, no block of it or a good one.
        let heap = mi_heap_new();
        if !heap.is_null() {
            let p = mi_heap_malloc(heap, 5_000);
            if !p.is_null() {
                fill(p, 5_000, 4);
            }
            mi_heap_destroy(heap);
        }
        small.free();
        medium.free();
        large.free();
        mi_collect(true);
        GO.store(3, SeqCst);
        let mut p = null_mut();
        assert_eq!(libc::pthread_join(thread, &mut p), 0);
        fill(p, 100, 5);
        mi_free(p);
        let heap = mi_heap_new();
        let p = mi_heap_malloc(heap, 5_000);
        fill(p, 5_000, 6);
        mi_heap_destroy(heap);
    }
}

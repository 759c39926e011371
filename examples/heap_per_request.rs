//! A heap per request: all that a server allocates for one request is freed at once when the answer
//! is sent, without a walk over the data, and nothing is leaked.
//!
//!     cargo run --release --example heap_per_request
//!
//! Here a request is a form, as a browser sends it (`name=Ann&city=K%C3%B6ln`), and the answer lists its
//! fields by name.

use mi_malloc_sys::*;
use std::slice;

const REQUESTS: usize = 10_000;

fn main() {
    println!("request   fields   blocks      bytes");
    let mut blocks = 0;
    let mut pages_at_first = 0;
    for number in 0..REQUESTS {
        let fields = 1 + number * 37 % 211;
        let heap = RequestHeap::new();
        assert_eq!(answer(&heap, &form(fields)), expected_answer(fields));

        let usage = heap.usage();
        assert_eq!(usage.blocks, heap.given.get(), "each block is counted");
        assert!(usage.bytes >= heap.requested.get());
        blocks += usage.blocks;
        if number % 1234 == 0 {
            println!(
                "{:>7}{:>9}{:>9}{:>11}",
                number, fields, usage.blocks, usage.bytes
            );
        }
        drop(heap); // all blocks of the request at once
        if number == 0 {
            pages_at_first = pages_in_use();
        }
    }
    let pages = pages_in_use();
    println!(
        "{} requests took {} blocks, none of which was freed by itself",
        REQUESTS, blocks
    );
    println!(
        "pages in use after the first request: {}, after the last: {}",
        pages_at_first, pages
    );
    if DESTROYS {
        assert!(pages <= pages_at_first + 10, "requests leave memory behind");
    } else {
        println!("(this debug build of v2 frees no live block when a heap ends)");
    }
}

/// v2 with guard pages, as in debug builds, deletes a heap when it should destroy it.
const DESTROYS: bool = !cfg!(all(
    mi_v2,
    any(
        feature = "debug",
        feature = "guarded",
        all(feature = "debug_in_debug", debug_assertions)
    )
));

/// The fields of a form, sorted by name.
fn answer(heap: &RequestHeap, form: &str) -> String {
    let mut first = None;
    for pair in form.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (heap.decoded(name), heap.decoded(value));
        first = Some(&*heap.put(Field {
            name,
            value,
            next: first,
        }));
    }
    let mut fields: Vec<&Field> = std::iter::successors(first, |field| field.next).collect();
    fields.sort_by_key(|field| field.name);
    fields
        .iter()
        .map(|field| format!("{}: {}\n", field.name, field.value))
        .collect()
}

#[derive(Clone, Copy)]
struct Field<'heap> {
    name: &'heap str,
    value: &'heap str,
    next: Option<&'heap Field<'heap>>,
}

/// A heap that lends its blocks: the borrow checker ensures that none is used after the heap's end.
struct RequestHeap {
    heap: *mut mi_heap_t,
    /// Blocks allocated, and bytes requested: the allocator's own count must agree.
    given: std::cell::Cell<usize>,
    requested: std::cell::Cell<usize>,
}

impl RequestHeap {
    fn new() -> RequestHeap {
        // SAFETY: always safe to call.
        let heap = unsafe { mi_heap_new() };
        assert!(!heap.is_null(), "out of memory");
        RequestHeap {
            heap,
            given: Default::default(),
            requested: Default::default(),
        }
    }

    /// `Copy` ensures that the value needs no destructor.
    #[allow(clippy::mut_from_ref)] // each call returns another block
    fn put<T: Copy>(&self, value: T) -> &mut T {
        let block: *mut T = self.block(std::mem::size_of::<T>(), std::mem::align_of::<T>());
        // SAFETY: the block is large enough, aligned, and nobody else's.
        unsafe {
            block.write(value);
            &mut *block
        }
    }

    /// `a+b%20c` as `a b c`.
    fn decoded(&self, text: &str) -> &str {
        let bytes: *mut u8 = self.block(text.len(), 1); // decoding shortens
        let mut length = 0;
        let mut rest = text.bytes();
        while let Some(byte) = rest.next() {
            let decoded = match byte {
                b'+' => b' ',
                b'%' => hex(&mut rest),
                other => other,
            };
            // SAFETY: `length` stays below the length of `text`.
            unsafe { bytes.add(length).write(decoded) };
            length += 1;
        }
        // SAFETY: `length` bytes were written just now.
        std::str::from_utf8(unsafe { slice::from_raw_parts(bytes, length) })
            .expect("a form in UTF-8")
    }

    fn block<T>(&self, size: usize, align: usize) -> *mut T {
        // SAFETY: the heap is live, and this thread's.
        let block = unsafe { mi_heap_malloc_aligned(self.heap, size, align) };
        assert!(!block.is_null(), "out of memory");
        self.given.set(self.given.get() + 1);
        self.requested.set(self.requested.get() + size);
        block.cast()
    }
}

impl Drop for RequestHeap {
    fn drop(&mut self) {
        // SAFETY: all blocks are borrowed from this heap, so none is in use any more.
        unsafe { mi_heap_destroy(self.heap) }
    }
}

fn hex(text: &mut std::str::Bytes) -> u8 {
    let mut digit = || {
        let digit = text.next().and_then(|byte| char::from(byte).to_digit(16));
        digit.expect("two hexadecimal digits after a percent sign") as u8
    };
    16 * digit() + digit()
}

struct Usage {
    blocks: usize,
    bytes: usize,
}

/// v3 keeps statistics for each heap.
#[cfg(mi_v3)]
impl RequestHeap {
    fn usage(&self) -> Usage {
        let mut stats = mi_stats_t::new();
        // SAFETY: the heap is live and `stats` initialised.
        let known = unsafe {
            mi_heap_collect(self.heap, false); // adds what is counted per page so far
            mi_heap_stats_get(self.heap, &mut stats)
        };
        assert!(known);
        Usage {
            blocks: stats.malloc_count.total as usize,
            bytes: stats.allocated.current as usize,
        }
    }
}

/// v2 keeps statistics only for the whole process, but a visit reports the areas of a heap.
#[cfg(mi_v2)]
impl RequestHeap {
    fn usage(&self) -> Usage {
        unsafe extern "C" fn add(
            _heap: *const mi_heap_t,
            area: *const mi_heap_area_t,
            _block: *mut std::ffi::c_void,
            _block_size: usize,
            usage: *mut std::ffi::c_void,
        ) -> bool {
            let (area, usage) = (&*area, &mut *usage.cast::<Usage>());
            usage.blocks += area.used;
            usage.bytes += area.used * area.block_size;
            true
        }
        let mut usage = Usage {
            blocks: 0,
            bytes: 0,
        };
        let place: *mut Usage = &mut usage;
        // SAFETY: the heap is live and this thread's, and `add` gets the `Usage` that it expects.
        assert!(unsafe { mi_heap_visit_blocks(self.heap, false, Some(add), place.cast()) });
        usage
    }
}

/// Pages of the whole process, by the allocator's own count.
fn pages_in_use() -> i64 {
    let mut stats = mi_stats_t::new();
    // SAFETY: `stats` is initialised.
    unsafe {
        mi_collect(true);
        #[cfg(mi_v2)]
        mi_stats_merge();
        assert!(mi_stats_get(&mut stats));
    }
    stats.pages.current
}

/// A form whose fields come in the wrong order.
fn form(fields: usize) -> String {
    let pairs: Vec<String> = (0..fields)
        .rev()
        .map(|n| format!("name{:03}=caf%C3%A9+number+{}", n, n))
        .collect();
    pairs.join("&")
}

fn expected_answer(fields: usize) -> String {
    (0..fields)
        .map(|n| format!("name{:03}: café number {}\n", n, n))
        .collect()
}

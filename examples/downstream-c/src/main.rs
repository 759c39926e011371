//! A program in Rust, C and C++ that allocates all its memory from mimalloc.
//!
//!     cargo run --release --manifest-path examples/downstream-c/Cargo.toml

use mi_malloc_sys::*;
use std::ffi::{c_char, c_int, c_void, CStr, CString};

type Visit = unsafe extern "C" fn(place: *const c_void, argument: *mut c_void);

extern "C" {
    fn names_header_version() -> c_int;
    fn names_join(heap: *mut mi_heap_t, names: *const *const c_char, count: usize) -> *mut c_char;
    fn primes_in_vector(bound: usize, visit: Visit, argument: *mut c_void) -> usize;
    fn digits_in_map(
        numbers: *const usize,
        count: usize,
        visit: Visit,
        argument: *mut c_void,
    ) -> usize;
}

fn main() {
    // SAFETY: the functions are declared as they are defined, and get what they expect.
    unsafe {
        println!(
            "mimalloc {}, header {}",
            mi_version(),
            names_header_version()
        );
        assert_eq!(
            mi_version(),
            names_header_version(),
            "the header of another mimalloc"
        );

        let heap = mi_heap_new();
        let names = ["Ada", "Grace", "Barbara"].map(|name| CString::new(name).unwrap());
        let pointers: Vec<_> = names.iter().map(|name| name.as_ptr()).collect();
        let joined = names_join(heap, pointers.as_ptr(), pointers.len());
        println!("C: {}", CStr::from_ptr(joined).to_str().unwrap());
        assert_eq!(CStr::from_ptr(joined).to_bytes(), b"Ada, Grace, Barbara");
        assert!(is_in_heap(joined.cast()));
        mi_heap_destroy(heap); // and all blocks that C has allocated from it

        let mut places = Places::default();
        let primes = primes_in_vector(1_000_000, Places::visit, places.argument());
        println!(
            "C++: {} primes in a vector with mi_stl_allocator, {}",
            primes, places
        );
        assert_eq!(primes, 78_498);
        assert_eq!((places.inside, places.outside), (1, 0));

        let mut places = Places::default();
        let numbers = [2, 3, 5, 7, 11, 13, 17, 19, 23];
        let digits = digits_in_map(
            numbers.as_ptr(),
            numbers.len(),
            Places::visit,
            places.argument(),
        );
        println!(
            "C++: {} last digits in a map through operator new, {}",
            digits, places
        );
        assert_eq!(digits, 6); // 1, 2, 3, 5, 7 and 9
        assert_eq!((places.inside, places.outside), (2 * digits, 0));
    }
}

/// Where blocks were found.
#[derive(Default)]
struct Places {
    inside: usize,
    outside: usize,
}

impl Places {
    fn argument(&mut self) -> *mut c_void {
        (self as *mut Places).cast()
    }

    unsafe extern "C" fn visit(place: *const c_void, argument: *mut c_void) {
        let places = &mut *argument.cast::<Places>();
        if is_in_heap(place) {
            places.inside += 1;
        } else {
            places.outside += 1;
        }
    }
}

impl std::fmt::Display for Places {
    fn fmt(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(
            formatter,
            "{} of {} blocks in mimalloc's heap",
            self.inside,
            self.inside + self.outside
        )
    }
}

#[cfg(not(feature = "v2"))]
use mi_malloc_sys::mi_any_heap_contains as is_in_heap;
#[cfg(feature = "v2")]
use mi_malloc_sys::mi_is_in_heap_region as is_in_heap;

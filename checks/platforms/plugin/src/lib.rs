//! A shared library with its own mimalloc, which `host` loads.

use std::collections::HashMap;

#[global_allocator]
static GLOBAL: mi_malloc_sys::MiMalloc = mi_malloc_sys::MiMalloc;

/// Works with this library's allocator on the calling thread and, if requested, on others.
/// Returns the number of distinct words, which the caller checks.
#[no_mangle]
pub extern "C" fn plugin_work(threads: usize) -> usize {
    let others: Vec<_> = (0..threads).map(|_| std::thread::spawn(words)).collect();
    let here = words();
    for other in others {
        assert_eq!(other.join().unwrap(), here);
    }
    here
}

/// Whether a block belongs to this library's mimalloc.
#[no_mangle]
#[allow(deprecated)] // the name that both major versions have
pub extern "C" fn plugin_owns(block: *const u8) -> bool {
    unsafe { mi_malloc_sys::mi_is_in_heap_region(block as *const _) }
}

/// A block of this library's mimalloc.
#[no_mangle]
pub extern "C" fn plugin_block() -> *mut u8 {
    Box::into_raw(Box::new([5u8; 500])) as *mut u8
}

/// Makes this library's mimalloc free all its memory when the library is closed.
#[no_mangle]
pub extern "C" fn plugin_leave_nothing() {
    unsafe { mi_malloc_sys::mi_option_enable(mi_malloc_sys::mi_option_destroy_on_exit) };
}

/// Frees it.
///
/// # Safety
/// `block` comes from [`plugin_block`] and is passed once.
#[no_mangle]
pub unsafe extern "C" fn plugin_take_back(block: *mut u8) -> u8 {
    Box::from_raw(block as *mut [u8; 500])[499]
}

fn words() -> usize {
    let mut words: HashMap<String, Vec<u32>> = HashMap::new();
    for number in 0..3000u32 {
        let word = format!("{:x}", number % 301);
        words.entry(word).or_default().push(number);
    }
    words.len()
}

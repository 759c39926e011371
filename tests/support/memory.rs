//! Writes to raw blocks and looks at them.

use core::ffi::c_void;
use core::mem::size_of;
use core::ptr;
use core::slice::{from_raw_parts, from_raw_parts_mut};

/// Sizes on both sides of every limit that mimalloc knows: words, 16 bytes, small blocks (512 and
/// 1024), pages of the system, the kinds of mimalloc's pages, and a page of its own.
pub const SIZES: [usize; 51] = [
    0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 40, 63, 64, 65, 100, 128, 129, 255, 256, 257,
    511, 512, 513, 1000, 1023, 1024, 1025, 2047, 2048, 2049, 4096, 5000, 8192, 10_239, 10_240,
    10_241, 16_384, 65_535, 65_536, 65_537, 86_000, 131_072, 131_073, 524_288, 524_289, 1_048_576,
    5_000_000,
];

/// No block can be of this size: the limit is `PTRDIFF_MAX`.
pub const TOO_LARGE: usize = isize::MAX as usize + 1;

/// v3 keeps the data about a block of large alignment at the last multiple of this before it (256 MiB,
/// or 32 MiB on 32-bit), and so refuses this alignment.
#[allow(dead_code)]
pub const FAR: usize = if cfg!(target_pointer_width = "64") {
    1 << 28
} else {
    1 << 25
};

/// Not above v2's limit, and yet more than there is. On 64 bits, more than the addresses that a process
/// has. With 32 it may have them all, so there this takes all blocks of such a size first: to be freed
/// afterwards.
#[allow(dead_code)]
pub unsafe fn too_much() -> (usize, Vec<*mut c_void>) {
    #[cfg(target_pointer_width = "64")]
    return ((1 << 48) - (1 << 40), Vec::new());
    #[cfg(target_pointer_width = "32")]
    {
        let block = || unsafe { mi_malloc_sys::mi_malloc(1 << 30) };
        let all = std::iter::repeat_with(block).take_while(|p| !p.is_null());
        (1 << 30, all.collect())
    }
}

/// The alignment that every block of this size has.
pub fn natural_alignment(size: usize) -> usize {
    if size >= 16 {
        16
    } else {
        size_of::<usize>()
    }
}

pub fn is_aligned<T>(p: *const T, alignment: usize) -> bool {
    p as usize % alignment == 0
}

pub unsafe fn bytes<'a>(p: *mut c_void, size: usize) -> &'a mut [u8] {
    assert!(!p.is_null());
    from_raw_parts_mut(p.cast(), size)
}

pub unsafe fn fill(p: *mut c_void, size: usize, byte: u8) {
    assert!(!p.is_null());
    ptr::write_bytes(p.cast::<u8>(), byte, size);
}

/// Whether all bytes are the same as `byte`.
pub unsafe fn holds(p: *const c_void, size: usize, byte: u8) -> bool {
    let all = from_raw_parts(p.cast::<u8>(), size);
    // The first byte is right, and each is the same as the one before it: two slices are compared
    // much faster than bytes one by one, also without optimisation.
    all.first()
        .map_or(true, |first| *first == byte && all[1..] == all[..size - 1])
}

pub unsafe fn is_zero(p: *const c_void, size: usize) -> bool {
    holds(p, size, 0)
}

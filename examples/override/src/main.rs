//! A program whose C library, and the system's own, allocate from mimalloc without a change to them: the feature
//! `override` of mi-malloc-sys replaces `malloc`, `free` and related functions for the whole program.
//!
//!     cargo run --release --manifest-path examples/override/Cargo.toml
//!
//! There is no `#[global_allocator]` here: Rust's default allocator calls `malloc`, too.

use bzip2_sys as bz;
use mi_malloc_sys::*;
use std::ffi::{c_void, CStr};
use std::{mem, ptr};

fn main() {
    let text = "To be, or not to be, that is the question.\n".repeat(10_000);

    // SAFETY: bzip2's own rules: zeroed streams, buffers with their sizes, an end for each beginning.
    unsafe {
        let mut compressed = vec![0u8; text.len() / 10];
        let mut stream = self::stream(text.as_bytes(), &mut compressed);
        assert_eq!(bz::BZ2_bzCompressInit(&mut stream, 9, 0, 0), bz::BZ_OK);
        report("the state of bzip2's compressor", stream.state.cast());
        assert_eq!(
            bz::BZ2_bzCompress(&mut stream, bz::BZ_FINISH),
            bz::BZ_STREAM_END
        );
        let length = compressed.len() - stream.avail_out as usize;
        compressed.truncate(length);
        assert_eq!(bz::BZ2_bzCompressEnd(&mut stream), bz::BZ_OK);

        let mut back = vec![0u8; text.len()];
        let mut stream = self::stream(&compressed, &mut back);
        assert_eq!(bz::BZ2_bzDecompressInit(&mut stream, 0, 0), bz::BZ_OK);
        report("the state of bzip2's decompressor", stream.state.cast());
        assert_eq!(bz::BZ2_bzDecompress(&mut stream), bz::BZ_STREAM_END);
        assert_eq!(bz::BZ2_bzDecompressEnd(&mut stream), bz::BZ_OK);
        assert_eq!(back, text.as_bytes());
        println!(
            "{} bytes of text became {}, and text again",
            text.len(),
            compressed.len()
        );
        report("a Vec of Rust", back.as_ptr().cast());

        // The system's library allocates, and the program frees.
        let copy = libc::strdup(c"a string of the C library".as_ptr());
        report("a string of the C library", copy.cast());
        assert_eq!(CStr::from_ptr(copy), c"a string of the C library");
        libc::free(copy.cast());
        let folder = libc::realpath(c".".as_ptr(), ptr::null_mut());
        report("a path of the C library", folder.cast());
        mi_free(folder.cast()); // one and the same allocator
    }
}

/// From one buffer into another. No allocator is named, so bzip2 calls `malloc`.
unsafe fn stream(from: &[u8], to: &mut [u8]) -> bz::bz_stream {
    bz::bz_stream {
        next_in: from.as_ptr() as *mut _,
        avail_in: from.len() as u32,
        next_out: to.as_mut_ptr().cast(),
        avail_out: to.len() as u32,
        ..mem::zeroed()
    }
}

/// Prints that the block is mimalloc's, or ends the program.
fn report(what: &str, block: *const c_void) {
    // SAFETY: any address may be queried.
    assert!(
        unsafe { is_in_heap(block) },
        "{} is not in mimalloc's heap",
        what
    );
    println!("{} is in mimalloc's heap", what);
}

#[cfg(not(feature = "v2"))]
use mi_malloc_sys::mi_any_heap_contains as is_in_heap;
#[cfg(feature = "v2")]
use mi_malloc_sys::mi_is_in_heap_region as is_in_heap;

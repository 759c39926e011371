//! The error callback, of which a process has one: which error number each refusal is reported with.

use crate::errno;
use crate::memory::*;
use crate::mode;
use crate::own_heap;
use crate::respawn;
use core::ffi::c_void;
use cty::c_int;
use libc::{EINVAL, ENOMEM, EOVERFLOW};
use mi_malloc_sys::*;
use std::ptr::null_mut;
use std::sync::Mutex;

const ARGUMENT: *mut c_void = 0x77 as *mut c_void;

/// The errors that were reported. (Not a `Vec`: with the feature `override` that would be mimalloc's.)
static REPORTED: Mutex<([c_int; 8], usize)> = Mutex::new(([0; 8], 0));

unsafe extern "C" fn on_error(error: c_int, argument: *mut c_void) {
    assert_eq!(argument, ARGUMENT);
    let mut reported = REPORTED.lock().unwrap();
    let count = reported.1;
    reported.0[count] = error;
    reported.1 += 1;
}

/// The errors that are reported for a request that cannot be served.
fn errors(request: impl FnOnce() -> *mut c_void) -> Vec<c_int> {
    assert!(request().is_null());
    let (errors, count) = std::mem::take(&mut *REPORTED.lock().unwrap());
    errors[..count].to_vec()
}

/// v2 tries again after it has collected what is free, and then says that there is no memory.
const TOO_LARGE_ERRORS: &[c_int] = if cfg!(mi_v3) {
    &[EOVERFLOW]
} else {
    &[EOVERFLOW, EOVERFLOW, ENOMEM]
};

/// Only a debug build says that a multiplication overflows.
const COUNT_ERRORS: &[c_int] = if mode::DEBUG { &[EOVERFLOW] } else { &[] };

#[test]
fn too_large() {
    respawn::alone(|| unsafe {
        mi_register_error(Some(on_error), ARGUMENT);
        let p = mi_malloc(8);
        for size in [TOO_LARGE, usize::MAX] {
            assert_eq!(errors(|| mi_malloc(size)), TOO_LARGE_ERRORS);
            assert_eq!(errors(|| mi_zalloc(size)), TOO_LARGE_ERRORS);
            assert_eq!(errors(|| mi_calloc(1, size)), TOO_LARGE_ERRORS);
            assert_eq!(errors(|| mi_mallocn(size, 1)), TOO_LARGE_ERRORS);
            assert_eq!(errors(|| mi_realloc(p, size)), TOO_LARGE_ERRORS);
            assert_eq!(errors(|| mi_rezalloc(p, size)), TOO_LARGE_ERRORS);
            assert_eq!(errors(|| mi_recalloc(p, 1, size)), TOO_LARGE_ERRORS);
        }
        mi_free(p);
    });
}

#[test]
fn counts_that_overflow() {
    respawn::alone(|| unsafe {
        mi_register_error(Some(on_error), ARGUMENT);
        let p = mi_malloc(8);
        let heap = own_heap::new();
        for (count, size) in [
            (2, TOO_LARGE),
            (usize::MAX, usize::MAX),
            (3, usize::MAX / 3 + 1),
        ] {
            assert_eq!(errors(|| mi_calloc(count, size)), COUNT_ERRORS);
            assert_eq!(errors(|| mi_mallocn(count, size)), COUNT_ERRORS);
            assert_eq!(errors(|| mi_reallocn(p, count, size)), COUNT_ERRORS);
            assert_eq!(errors(|| mi_recalloc(p, count, size)), COUNT_ERRORS);
            assert_eq!(errors(|| mi_ucalloc(count, size, null_mut())), COUNT_ERRORS);
            assert_eq!(errors(|| mi_calloc_aligned(count, size, 64)), COUNT_ERRORS);
            assert_eq!(
                errors(|| mi_recalloc_aligned(p, count, size, 64)),
                COUNT_ERRORS
            );
            assert_eq!(errors(|| mi_reallocarray(p, count, size)), COUNT_ERRORS);
            assert_eq!(errors(|| mi_heap_calloc(heap, count, size)), COUNT_ERRORS);
            assert_eq!(
                errors(|| mi_heap_recalloc(heap, p, count, size)),
                COUNT_ERRORS
            );
        }
        mi_heap_destroy(heap);
        mi_free(p);
    });
}

#[test]
fn aligned_requests() {
    respawn::alone(|| {
        unsafe {
            mi_register_error(Some(on_error), ARGUMENT);
            let p = mi_malloc(8);
            for bad in [0, 3, 24, usize::MAX] {
                assert_eq!(errors(|| mi_malloc_aligned(100, bad)), [EINVAL], "{bad}");
                assert_eq!(errors(|| mi_zalloc_aligned(100, bad)), [EINVAL], "{bad}");
                assert_eq!(errors(|| mi_calloc_aligned(1, 100, bad)), [EINVAL], "{bad}");
                assert_eq!(
                    errors(|| mi_malloc_aligned_at(100, bad, 8)),
                    [EINVAL],
                    "{bad}"
                );
                assert_eq!(
                    errors(|| mi_umalloc_aligned(100, bad, null_mut())),
                    [EINVAL],
                    "{bad}"
                );
                if !mode::DEBUG {
                    assert_eq!(
                        errors(|| mi_realloc_aligned_at(p, 100, bad, 0)),
                        [EINVAL],
                        "{bad}"
                    );
                }
            }
            for size in [TOO_LARGE, usize::MAX] {
                for alignment in [64, 4096, 1 << 25] {
                    assert_eq!(errors(|| mi_malloc_aligned(size, alignment)), [EINVAL]);
                    assert_eq!(errors(|| mi_zalloc_aligned(size, alignment)), [EINVAL]);
                    assert_eq!(errors(|| mi_realloc_aligned(p, size, alignment)), [EINVAL]);
                    assert_eq!(
                        errors(|| mi_malloc_aligned_at(size, alignment, 8)),
                        [EINVAL]
                    );
                }
            }
            // An offset with a large alignment.
            assert_eq!(
                errors(|| mi_malloc_aligned_at(100, 1 << 25, 8)),
                [EOVERFLOW]
            );
            mi_free(p);
        }
    });
}

#[test]
fn no_memory() {
    respawn::alone(|| {
        unsafe {
            mi_register_error(Some(on_error), ARGUMENT);
            let p = mi_malloc(8);
            let (size, held) = too_much();
            // Of what 32 bits had no addresses for.
            std::mem::take(&mut *REPORTED.lock().unwrap());
            assert_eq!(errors(|| mi_malloc(size)), [ENOMEM]);
            assert_eq!(errors(|| mi_calloc(size / 8, 8)), [ENOMEM]);
            assert_eq!(errors(|| mi_malloc_aligned(size, 64)), [ENOMEM]);
            assert_eq!(errors(|| mi_realloc(p, size)), [ENOMEM]);
            // v3 cannot find the data of a block of such an alignment.
            #[cfg(mi_v3)]
            assert_eq!(errors(|| mi_malloc_aligned(8, FAR)), [ENOMEM]);
            held.into_iter().for_each(|p| mi_free(p));
            mi_free(p);
        }
    });
}

/// With a callback `errno` is left alone, and without one it is set again.
#[test]
fn errno_is_the_callbacks() {
    respawn::alone(|| unsafe {
        mi_register_error(Some(on_error), ARGUMENT);
        mi_thread_init();
        errno::set(0);
        errors(|| mi_malloc(usize::MAX));
        assert_eq!(errno::get(), 0);
        mi_register_error(None, null_mut());
        assert_eq!(errors(|| mi_malloc(usize::MAX)), []);
        assert_eq!(errno::get(), ENOMEM);
    });
}

/// A callback can leave the rest to what mimalloc does without one.
#[test]
fn the_usual_treatment_can_follow() {
    respawn::alone(|| {
        unsafe extern "C" fn add(error: c_int, argument: *mut c_void) {
            on_error(error, argument);
            assert!(default_error(error));
        }
        unsafe {
            mi_thread_init();
            mi_register_error(Some(add), ARGUMENT);
            errno::set(0);
            assert_eq!(errors(|| mi_malloc(usize::MAX)), TOO_LARGE_ERRORS);
            assert_eq!(errno::get(), ENOMEM);
            errno::set(0);
            assert_eq!(errors(|| mi_malloc_aligned(100, 3)), [EINVAL]);
            assert_eq!(errno::get(), EINVAL);
        }
    });
}

/// A pointer that is no block, in the builds that look. It is between two words: any other is first
/// looked up, which only a pointer into mimalloc's memory survives.
#[test]
fn a_pointer_that_is_no_block() {
    respawn::alone(|| {
        if !mode::DEBUG {
            println!("not run: only a debug build looks at the pointers that it is given");
            return;
        }
        unsafe {
            mi_register_error(Some(on_error), ARGUMENT);
            let p = mi_malloc(100);
            let inside: *mut c_void = p.cast::<u8>().add(3).cast();
            let free: [unsafe extern "C" fn(*mut c_void); 2] = [mi_free, mi_free_small];
            for free in free {
                let refused = errors(|| {
                    free(inside);
                    null_mut()
                });
                assert_eq!(refused, [EINVAL]);
            }
            fill(p, 100, 1);
            mi_free(p);
        }
    });
}

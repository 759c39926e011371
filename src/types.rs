//! Types that both lines declare alike: the opaque heap and the callbacks.

use core::ffi::c_void;
use core::marker::{PhantomData, PhantomPinned};
use cty::{c_char, c_int, c_ulonglong};

/// The body of an opaque C struct: no size, no alignment, and (through the marker) neither `Send`,
/// `Sync` nor `Unpin`, because Rust cannot know what the C side keeps there.
#[repr(C)]
pub(crate) struct Opaque {
    _bytes: [u8; 0],
    _marker: PhantomData<(*mut u8, PhantomPinned)>,
}

/// A first-class heap; only ever used behind a pointer.
///
/// On v3 every thread of the heap's subprocess may allocate from it; on v2 only the thread that
/// created it may. On both lines any thread may free a block of it.
///
/// Header: `mimalloc.h`.
#[repr(C)]
pub struct mi_heap_t {
    _opaque: Opaque,
}

/// Called by mimalloc now and then so that a program can free what it has put off, for example by a
/// reference-counting runtime. See [`mi_register_deferred_free`](crate::mi_register_deferred_free).
///
/// `force` is true when everything should be freed at once. `heartbeat` grows from call to call of
/// one thread (v3: of one heap in one thread), so a program can measure out its work by it. `arg`
/// is the registered argument. The callback runs inside an allocation or a collection, on the
/// thread that asked for it; it may allocate and free, and is not entered again meanwhile.
///
/// Header: `mimalloc.h`.
pub type mi_deferred_free_fun =
    Option<unsafe extern "C" fn(force: bool, heartbeat: c_ulonglong, arg: *mut c_void)>;

/// Receives a piece of text that mimalloc prints: `msg` is a NUL-terminated string that is valid
/// during the call only, `arg` the argument given beside the callback. One line may come in several
/// calls.
///
/// A registered callback may be called by any thread, in the middle of an allocation, so it should
/// neither allocate through mimalloc nor wait for another thread.
///
/// Header: `mimalloc.h`.
pub type mi_output_fun = Option<unsafe extern "C" fn(msg: *const c_char, arg: *mut c_void)>;

/// Receives an error number: `err` is a C `errno` value such as `ENOMEM`, `EOVERFLOW`, `EINVAL`,
/// `EFAULT` or `EAGAIN` (which of them is caught depends on the build), `arg` the registered
/// argument. See [`mi_register_error`](crate::mi_register_error).
///
/// Header: `mimalloc.h`.
pub type mi_error_fun = Option<unsafe extern "C" fn(err: c_int, arg: *mut c_void)>;

/// Visits an area or a block of a heap; see [`mi_heap_visit_blocks`](crate::mi_heap_visit_blocks).
///
/// Each area comes first, with `block` NULL and `block_size` the area's usable block size. If
/// blocks were asked for, one call follows for each live block of the area: `block` is where it
/// starts and `block_size` how many bytes of it a program can use. The pointer that a program holds
/// may lie a little behind `block`, if the block was over-allocated for its alignment, a guard page
/// or the profiler. `area` is valid during the call only; `arg` is the argument given to the visit.
///
/// The callback returns true to go on and false to end the visit. It must neither allocate from the
/// visited heap nor free blocks of it.
///
/// Header: `mimalloc.h`.
pub type mi_block_visit_fun = Option<
    unsafe extern "C" fn(
        heap: *const mi_heap_t,
        area: *const crate::mi_heap_area_t,
        block: *mut c_void,
        block_size: usize,
        arg: *mut c_void,
    ) -> bool,
>;

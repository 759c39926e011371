//! Callbacks: the program is notified of errors, receives mimalloc's output, and performs deferred frees.
//!
//! ```
//! use mi_malloc::callbacks;
//! use std::sync::atomic::{AtomicUsize, Ordering};
//!
//! #[global_allocator]
//! static GLOBAL: mi_malloc::MiMalloc = mi_malloc::MiMalloc;
//!
//! static FAILED: AtomicUsize = AtomicUsize::new(0);
//!
//! callbacks::on_error(|_error| {
//!     FAILED.fetch_add(1, Ordering::Relaxed);
//! });
//!
//! assert!(Vec::<u8>::new().try_reserve(isize::MAX as usize).is_err());
//! assert!(FAILED.load(Ordering::Relaxed) >= 1);
//! callbacks::remove_error();
//! ```
//!
//! There is one callback of each kind in a process. A new one replaces the old one; a library should leave them to the
//! program.
//!
//! # Threads
//!
//! Any thread may register, replace and remove a callback at any time. Any thread may call it, and several at the same
//! time: hence `Send + Sync`. A thread that is in the old callback, or is just about to call it, may still be there for a
//! while after it was replaced or removed. So **a callback is never freed**: each registration keeps its closure, usually a few
//! words, until the process ends. Register a few times, not in a loop.
//!
//! # What a callback may do
//!
//! It runs in the middle of an allocation, a deallocation or a collection.
//!
//! * It may allocate and free. If that leads to the same callback in the same thread, it is not called again: the error
//!   or the text is dropped. A callback of another kind is called.
//! * It must not allocate when memory runs out at the first allocation of its thread, or it deadlocks on v3: mimalloc then
//!   calls [`on_error`] under a lock that every thread needs at its first allocation. A callback that must work then
//!   only counts.
//! * It must not take a lock that its thread may hold while it allocates, or it deadlocks. The locks of
//!   [`std::io::stdout`] and [`std::io::stderr`] are such locks: a thread that prints may allocate. Count, or write
//!   into a buffer under your own lock, under which nothing allocates, and report elsewhere.
//! * Where errors abort (`secure`, `debug`), a heap whose arena is full may end the process when another thread uses or
//!   drops it: mimalloc then reports that it has no memory for its data as [`Error::Corrupted`].
//! * It must not panic. mimalloc's C cannot be unwound, so **a panic aborts the process**, after the panic's own message and
//!   one that gives this reason.
//! * It may be called after `main` has returned, and when the thread ends, after its thread-local values have been dropped.
//!
//! # Versions
//!
//! v3 and v2 have the same callbacks. They differ in which errors they report, how often, and in how often they request deferred
//! frees. The module needs the feature `std`.

use crate::sys;
use core::cell::Cell;
use core::ffi::c_void;
use core::fmt;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};
use cty::{c_char, c_int, c_ulonglong};
use std::boxed::Box;
use std::ffi::CStr;
use std::string::String;

/// An error that mimalloc has detected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Error {
    /// Memory has run out (`ENOMEM`). The allocation fails.
    OutOfMemory,
    /// A request is larger than any block can be (`EOVERFLOW`). The allocation fails. Rust's own requests are `OutOfMemory`
    /// on v3.
    TooLarge,
    /// A request is invalid, for example by its alignment, or a pointer is not a block (`EINVAL`). The allocation
    /// fails, or the free is ignored.
    Invalid,
    /// A block was freed twice (`EAGAIN`; only builds with `secure` or `debug` check). The second free is ignored.
    DoubleFree,
    /// Memory is corrupted, or mimalloc's own data cannot be allocated (`EFAULT`). In builds with `secure` or `debug`,
    /// which check for it, the process is aborted when the callback returns.
    Corrupted,
    /// An error with another number of C's `errno.h`.
    Other(i32),
}

impl Error {
    fn from_code(code: c_int) -> Error {
        match code {
            libc::ENOMEM => Error::OutOfMemory,
            libc::EOVERFLOW => Error::TooLarge,
            libc::EINVAL => Error::Invalid,
            libc::EAGAIN => Error::DoubleFree,
            libc::EFAULT => Error::Corrupted,
            other => Error::Other(other),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Error::OutOfMemory => f.write_str("out of memory"),
            Error::TooLarge => f.write_str("the requested size is too large"),
            Error::Invalid => f.write_str("an invalid request or pointer"),
            Error::DoubleFree => f.write_str("a block was freed twice"),
            Error::Corrupted => f.write_str("memory is corrupted, or internal data is missing"),
            Error::Other(code) => write!(f, "error {}", code),
        }
    }
}

impl std::error::Error for Error {}

/// A request to perform deferred frees: see [`on_deferred_free`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeferredFree {
    /// Free everything, however long it takes.
    pub force: bool,
    /// Grows from call to call of a thread (v3: of a heap in a thread), so that work can be apportioned by it.
    pub heartbeat: u64,
}

type OnError = dyn Fn(Error) + Send + Sync;
type OnOutput = dyn Fn(&str) + Send + Sync;
type OnDeferredFree = dyn Fn(DeferredFree) + Send + Sync;

static ERROR: Slot<OnError> = Slot::new(1);
static OUTPUT: Slot<OnOutput> = Slot::new(2);
static DEFERRED_FREE: Slot<OnDeferredFree> = Slot::new(4);

/// Calls `callback` for each error: memory that has run out, requests that cannot be fulfilled, and, in builds that
/// check for them, invalid frees and corrupted memory.
///
/// After the callback mimalloc proceeds as without one: it sets `errno`, or aborts on [`Error::Corrupted`] where the build
/// does so, and the call that caused the error fails. The messages of [`show_errors`](crate::options::show_errors) come
/// before. One failure may be reported several times (v2 tries again after it has collected).
pub fn on_error(callback: impl Fn(Error) + Send + Sync + 'static) {
    ERROR.put(Some(Box::new(callback)));
    // SAFETY: `error` is callable from any thread for ever, and does not unwind. The C reads its function pointer
    // without synchronisation and twice in a call, but never sees it change again, since it is never unregistered.
    unsafe { sys::mi_register_error(Some(error), ptr::null_mut()) }
}

/// Removes the callback of [`on_error`].
pub fn remove_error() {
    ERROR.put(None);
}

/// Passes everything that mimalloc prints to `callback` instead of the standard error stream: messages, statistics, options.
///
/// A line may come in several pieces, also mixed with those of other threads. What was printed before the first
/// registration (up to 16 KiB) comes at once, and again at each further registration. That text arrives while mimalloc
/// holds a lock, so a callback must not wait for other threads. A message about memory that could not be allocated may come
/// while mimalloc is allocating memory from the system: a callback that then needs more than the free blocks of its thread deadlocks.
/// A callback that reports such messages must write into memory that it already has.
pub fn on_output(callback: impl Fn(&str) + Send + Sync + 'static) {
    OUTPUT.put(Some(Box::new(callback)));
    // In the callback itself the function is registered already, and mimalloc's lock may be held.
    if !OUTPUT.is_inside() {
        // SAFETY: `output` is callable from any thread for ever, and does not unwind. It does not look at its argument,
        // which the C stores apart from the function.
        unsafe { sys::mi_register_output(Some(output), ptr::null_mut()) }
    }
}

/// Removes the callback of [`on_output`]: mimalloc prints to the standard error stream again.
///
/// What other threads are printing at this moment may be lost. If the callback removes itself, further text is lost
/// until the next [`on_output`] or `remove_output` from outside. If another thread registers a callback meanwhile, either
/// may win, and text may be lost until the next registration.
pub fn remove_output() {
    OUTPUT.put(None);
    // In the callback itself the function stays, since a callback that replaces this one could not register it.
    if !OUTPUT.is_inside() {
        // SAFETY: removing is always possible: the C loads the function pointer once in a call. No lock is taken.
        unsafe { sys::mi_register_output(None, ptr::null_mut()) }
    }
}

/// Calls `callback` from time to time to perform the program's deferred frees, for example those of a
/// reference-counting runtime that frees in small steps.
///
/// It is called on a thread that allocates: once for many allocations outside the fast path, and at each collection of
/// the thread's memory. mimalloc does not call it for allocations and frees in the fast path, nor when a thread ends. (The
/// system's mimalloc of v2 does when a thread ends, and a callback that allocates then leaks 2 MiB for each thread.)
pub fn on_deferred_free(callback: impl Fn(DeferredFree) + Send + Sync + 'static) {
    DEFERRED_FREE.put(Some(Box::new(callback)));
    // SAFETY: as for the output.
    unsafe { sys::mi_register_deferred_free(Some(deferred_free), ptr::null_mut()) }
}

/// Removes the callback of [`on_deferred_free`].
pub fn remove_deferred_free() {
    // SAFETY: as for the output.
    unsafe { sys::mi_register_deferred_free(None, ptr::null_mut()) }
    DEFERRED_FREE.put(None);
}

unsafe extern "C" fn error(code: c_int, _: *mut c_void) {
    let error = Error::from_code(code);
    ERROR.call(|callback| callback(error));
    // The system's mimalloc does not say whether it checks for corrupted memory, and would abort.
    if !sys::default_error(code) && error == Error::Corrupted {
        std::process::abort();
    }
}

unsafe extern "C" fn output(text: *const c_char, _: *mut c_void) {
    if text.is_null() {
        return;
    }
    OUTPUT.call(|callback| {
        // SAFETY: mimalloc passes a NUL-terminated string, which is valid during the call.
        let text = unsafe { CStr::from_ptr(text.cast()) };
        if !text.to_bytes().is_empty() {
            callback(&String::from_utf8_lossy(text.to_bytes()));
        }
    });
}

unsafe extern "C" fn deferred_free(force: bool, heartbeat: c_ulonglong, _: *mut c_void) {
    DEFERRED_FREE.call(|callback| callback(DeferredFree { force, heartbeat }));
}

/// The slot of a callback.
///
/// mimalloc stores function and argument separately, so a thread could call one function with the argument of another.
/// Therefore it always has the same functions of this module, which read the callback here.
struct Slot<F: ?Sized + 'static> {
    /// A callback that was leaked, or NULL. (A box in a box: the pointer to a `dyn Fn` has two words.)
    callback: AtomicPtr<Box<F>>,
    /// The bit of this slot in `INSIDE`.
    bit: u8,
}

std::thread_local! {
    /// The slots whose callback this thread is in. Without a destructor, so that it is there until the thread ends, and
    /// without an allocation.
    static INSIDE: Cell<u8> = const { Cell::new(0) };
}

/// Whether this thread is in a callback of this module, and so may be working on a page.
pub(crate) fn is_inside() -> bool {
    INSIDE.try_with(Cell::get) != Ok(0)
}

impl<F: ?Sized> Slot<F> {
    const fn new(bit: u8) -> Slot<F> {
        Slot {
            callback: AtomicPtr::new(ptr::null_mut()),
            bit,
        }
    }

    fn put(&self, callback: Option<Box<F>>) {
        let new = callback.map_or(ptr::null_mut(), |callback| {
            Box::into_raw(Box::new(callback))
        });
        // The old one is leaked: other threads may be in it.
        self.callback.store(new, Ordering::Release);
    }

    /// If a thread no longer has this variable, it is ending, and nothing prevents a nested call.
    fn is_inside(&self) -> bool {
        INSIDE
            .try_with(|inside| inside.get() & self.bit != 0)
            .unwrap_or(false)
    }

    fn set_inside(&self, is_inside: bool) {
        let _ = INSIDE.try_with(|inside| {
            inside.set(if is_inside {
                inside.get() | self.bit
            } else {
                inside.get() & !self.bit
            })
        });
    }

    /// Calls the callback, if there is one and this thread is not in it.
    fn call(&self, call: impl FnOnce(&F)) {
        if self.is_inside() {
            return;
        }
        // SAFETY: what was stored is never freed.
        if let Some(callback) = unsafe { self.callback.load(Ordering::Acquire).as_ref() } {
            self.set_inside(true);
            let abort = AbortOnUnwind;
            call(callback);
            core::mem::forget(abort);
            self.set_inside(false);
        }
    }
}

/// Aborts the process when it is dropped.
struct AbortOnUnwind;

impl Drop for AbortOnUnwind {
    fn drop(&mut self) {
        std::eprintln!("mi-malloc: a callback panicked, and mimalloc cannot be unwound");
        std::process::abort();
    }
}

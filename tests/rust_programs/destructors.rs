//! Allocation where a thread or a process is already half gone, and where a panic has struck: in
//! destructors, thread-local destructors and exit handlers. Rust's own containers do it, on `MiMalloc`.

use crate::memory;
use crate::respawn;
use core::ffi::c_void;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{catch_unwind, panic_any};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::Mutex;
use std::thread;

/// Takes, changes and frees all kinds of blocks, and counts that it came to its end.
fn work(number: usize) -> BTreeMap<usize, Vec<u8>> {
    let mut map = BTreeMap::new();
    for size in [1, 16, 100, 1024, 1025, 10_000, 70_000, 700_000] {
        let mut bytes = vec![number as u8; size];
        bytes.reserve(size / 2 + 1);
        bytes.extend_from_slice(&[number as u8; 9]);
        assert!(all_are(&bytes, number));
        map.insert(size, bytes);
    }
    map.retain(|size, _| size % 2 == 0);
    map
}

fn all_are(bytes: &[u8], number: usize) -> bool {
    let p: *const u8 = bytes.as_ptr();
    unsafe { memory::holds(p.cast(), bytes.len(), number as u8) }
}

/// Looks at what [`work`] gave with this number, and drops it.
fn end(map: BTreeMap<usize, Vec<u8>>, number: usize) {
    assert!(map.values().all(|bytes| all_are(bytes, number)));
}

/// Works when it is dropped, and hands something to another thread.
struct AtTheEnd {
    kept: BTreeMap<usize, Vec<u8>>,
    done: &'static AtomicUsize,
}

/// What they left, for another thread to free.
static LEFT: Mutex<Vec<BTreeMap<usize, Vec<u8>>>> = Mutex::new(Vec::new());

impl AtTheEnd {
    fn new(done: &'static AtomicUsize) -> AtTheEnd {
        let kept = work(1);
        AtTheEnd { kept, done }
    }
}

impl Drop for AtTheEnd {
    fn drop(&mut self) {
        end(std::mem::replace(&mut self.kept, work(2)), 1);
        LEFT.lock().unwrap().push(work(3));
        self.done.fetch_add(1, SeqCst);
    }
}

fn free_what_is_left() {
    let left = std::mem::take(&mut *LEFT.lock().unwrap());
    left.into_iter().for_each(|map| end(map, 3));
}

const THREADS: usize = 100;

#[test]
fn in_thread_local_destructors() {
    static DONE: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static EARLY: RefCell<Option<AtTheEnd>> = const { RefCell::new(None) };
        static LATE: RefCell<Option<AtTheEnd>> = const { RefCell::new(None) };
    }
    for _ in 0..THREADS {
        thread::spawn(|| {
            EARLY.with(|value| *value.borrow_mut() = Some(AtTheEnd::new(&DONE)));
            LATE.with(|value| *value.borrow_mut() = Some(AtTheEnd::new(&DONE)));
        })
        .join()
        .unwrap();
        free_what_is_left();
    }
    assert_eq!(DONE.load(SeqCst), 2 * THREADS);
}

/// C's own, which run after Rust's and after mimalloc's, in several rounds.
#[test]
fn in_destructors_of_thread_keys() {
    static KEY: AtomicUsize = AtomicUsize::new(0);
    static DONE: AtomicUsize = AtomicUsize::new(0);

    unsafe extern "C" fn destroy(value: *mut c_void) {
        let round = Box::from_raw(value.cast::<usize>());
        drop(work(*round));
        DONE.fetch_add(1, SeqCst);
        if *round < 3 {
            let key = KEY.load(SeqCst) as libc::pthread_key_t;
            let next = Box::into_raw(Box::new(*round + 1));
            assert_eq!(libc::pthread_setspecific(key, next.cast()), 0);
        }
    }

    unsafe {
        let mut key = 0;
        assert_eq!(libc::pthread_key_create(&mut key, Some(destroy)), 0);
        KEY.store(key as usize, SeqCst);
        for _ in 0..THREADS {
            thread::spawn(move || {
                drop(work(0));
                let first = Box::into_raw(Box::new(1usize));
                assert_eq!(libc::pthread_setspecific(key, first.cast()), 0);
            })
            .join()
            .unwrap();
        }
    }
    assert_eq!(DONE.load(SeqCst), 3 * THREADS);
}

/// Of a thread that allocates nothing before its destructors do.
#[test]
fn in_a_thread_that_never_allocated() {
    static KEY: AtomicUsize = AtomicUsize::new(0);
    static DONE: AtomicUsize = AtomicUsize::new(0);

    unsafe extern "C" fn destroy(_: *mut c_void) {
        drop(work(5));
        DONE.fetch_add(1, SeqCst);
    }

    extern "C" fn start(value: *mut c_void) -> *mut c_void {
        let key = KEY.load(SeqCst) as libc::pthread_key_t;
        unsafe { libc::pthread_setspecific(key, value) };
        null_mut()
    }

    unsafe {
        let mut key = 0;
        assert_eq!(libc::pthread_key_create(&mut key, Some(destroy)), 0);
        KEY.store(key as usize, SeqCst);
        for _ in 0..THREADS {
            let mut thread = std::mem::zeroed();
            let value = 1 as *mut c_void;
            assert_eq!(libc::pthread_create(&mut thread, null(), start, value), 0);
            assert_eq!(libc::pthread_join(thread, null_mut()), 0);
        }
    }
    assert_eq!(DONE.load(SeqCst), THREADS);
}

#[test]
fn in_exit_handlers() {
    extern "C" fn start(_: *mut c_void) -> *mut c_void {
        Box::into_raw(Box::new(work(7))).cast()
    }
    extern "C" fn at_exit() {
        free_what_is_left();
        drop(work(6));
        // Threads come and go even now. (Not all Rusts can start one from here.)
        unsafe {
            let mut thread = std::mem::zeroed();
            let error = libc::pthread_create(&mut thread, null(), start, null_mut());
            assert_eq!(error, 0);
            let mut left = null_mut();
            assert_eq!(libc::pthread_join(thread, &mut left), 0);
            end(*Box::from_raw(left.cast()), 7);
        }
        println!("the exit handler came to its end");
    }
    let name = "destructors::in_exit_handlers";
    if respawn::is_child() {
        LEFT.lock().unwrap().push(work(3));
        assert_eq!(unsafe { libc::atexit(at_exit) }, 0);
        return;
    }
    for variables in [&[][..], &[("MIMALLOC_SHOW_STATS", "1")]] {
        let output = respawn::run(name, name, variables);
        let out = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{output:?}");
        assert!(out.contains("the exit handler came to its end"), "{out}");
    }
}

/// Panics from deep inside, with blocks of all kinds to free on the way, and more allocated by the
/// destructors.
#[test]
fn in_panics() {
    respawn::alone(|| {
        static DONE: AtomicUsize = AtomicUsize::new(0);
        const PANICS: usize = 100;

        fn deep(depth: usize) {
            let _end = AtTheEnd::new(&DONE);
            let _blocks = work(depth);
            if depth == 0 {
                // With a payload, and without the message that a usual panic prints.
                panic_any(work(9));
            }
            deep(depth - 1);
        }

        std::panic::set_hook(Box::new(|_| {}));
        for depth in 0..PANICS {
            let panicked = catch_unwind(|| deep(depth % 8)).unwrap_err();
            let payload = panicked.downcast::<BTreeMap<usize, Vec<u8>>>().unwrap();
            end(*payload, 9);
            // And a whole thread of them.
            if depth % 8 == 0 {
                assert!(thread::spawn(|| deep(3)).join().is_err());
            }
            free_what_is_left();
        }
        let _ = std::panic::take_hook();
        let in_threads = (PANICS + 7) / 8 * 4;
        let here: usize = (0..PANICS).map(|depth| depth % 8 + 1).sum();
        assert_eq!(DONE.load(SeqCst), here + in_threads);
    });
}

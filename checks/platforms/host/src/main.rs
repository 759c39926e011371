//! Loads and unloads a library that has its own mimalloc, as this program has.
//!
//! `host PLUGIN CHECK [FILLER..]`, where the fillers are libraries that occupy static thread-local
//! space. Prints `passed` at its end, or the panic of the check that failed.

use std::ffi::{CStr, CString};
use std::os::raw::{c_char, c_void};
use std::sync::mpsc;

#[global_allocator]
static GLOBAL: mi_malloc_sys::MiMalloc = mi_malloc_sys::MiMalloc;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (path, check) = match arguments.as_slice() {
        [path, check, ..] => (path.as_str(), check.as_str()),
        _ => {
            eprintln!("usage: host PLUGIN copies|reload|memory|threads|fork|load [FILLER..]");
            std::process::exit(2);
        }
    };
    match check {
        "copies" => copies(path),
        "reload" => reload(path),
        "memory" => memory(path),
        "threads" => threads(path),
        "fork" => fork(path),
        "load" => load(path, &arguments[2..]),
        other => panic!("no check `{}`", other),
    }
    println!("passed {}", check);
}

/// Two copies of mimalloc in one process: each recognises only its own blocks.
fn copies(path: &str) {
    let plugin = Plugin::open(path).unwrap();
    let ours = Box::new([1u8; 500]);
    let theirs = plugin.block();
    assert!(owns(&ours[..]) && !plugin.owns(ours.as_ptr()));
    assert!(plugin.owns(theirs));
    assert!(!owns(unsafe { std::slice::from_raw_parts(theirs, 500) }));
    assert_eq!(plugin.take_back(theirs), 5);
    assert_eq!(plugin.work(3), 301);
}

/// Opens the library, works with it and closes it, two hundred times, while blocks of the program stay live.
///
/// The work is done on a thread that ends before: Rust's own thread-locals of the library keep it
/// loaded as long as their thread lives.
fn reload(path: &str) {
    let kept: Vec<String> = (0..1000).map(|n| n.to_string()).collect();
    let mut unloaded = 0;
    for round in 0..200 {
        let plugin = Plugin::open(path).unwrap();
        let work = plugin.work;
        let words = std::thread::spawn(move || work(round % 3)).join();
        assert_eq!(words.unwrap(), 301);
        plugin.close();
        unloaded += usize::from(!is_loaded(path));
        let more: Vec<u8> = vec![round as u8; 100_000];
        assert_eq!(more[99_999], round as u8);
    }
    assert!((0..1000).all(|n| kept[n] == n.to_string()));
    assert_eq!(unloaded, 200, "it stayed in memory");
}

/// Opens the library, works with it and closes it, repeatedly: what is not freed, with and without the library's own
/// remedy.
fn memory(path: &str) {
    const ROUNDS: usize = 50;
    let grown = |tidy: bool| {
        let before = address_space();
        for _ in 0..ROUNDS {
            let plugin = Plugin::open(path).unwrap();
            let (work, leave_nothing) = (plugin.work, plugin.leave_nothing);
            let user = std::thread::spawn(move || {
                if tidy {
                    leave_nothing();
                }
                work(2)
            });
            assert_eq!(user.join().unwrap(), 301);
            plugin.close();
        }
        (address_space().saturating_sub(before)) / ROUNDS
    };
    grown(true); // the program's own first threads
    let (left, kept) = (grown(true), grown(false));
    println!(
        "{} bytes are left each time, {} without the option",
        left, kept
    );
    assert!(left < 1 << 20);
    // The guide warns of this. If it no longer happens, the guide does not need the warning.
    assert!(kept > 1 << 20);
}

/// The memory of this process, in bytes.
fn address_space() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = statm.split(' ').next().unwrap().parse().unwrap();
    pages * 4096
}

/// Threads that used the library end after it was closed: the destructor that mimalloc registered
/// for their end must not be unloaded code.
fn threads(path: &str) {
    for _ in 0..20 {
        let plugin = Plugin::open(path).unwrap();
        let work = plugin.work;
        let waiting: Vec<_> = (0..4)
            .map(|_| {
                let (done, is_done) = mpsc::channel();
                let (end, may_end) = mpsc::channel::<()>();
                let thread = std::thread::spawn(move || {
                    done.send(work(0)).unwrap();
                    may_end.recv().unwrap();
                });
                assert_eq!(is_done.recv().unwrap(), 301);
                (thread, end)
            })
            .collect();
        plugin.close();
        assert!(!is_loaded(path), "it stayed in memory");
        for (thread, end) in waiting {
            end.send(()).unwrap();
            thread.join().unwrap();
        }
    }
}

/// After `fork`, parent and child both continue with both allocators.
fn fork(path: &str) {
    let plugin = Plugin::open(path).unwrap();
    assert_eq!(plugin.work(2), 301);
    for _ in 0..50 {
        let before: Vec<String> = (0..500).map(|n| n.to_string()).collect();
        let child = unsafe { libc::fork() };
        assert!(child >= 0);
        let sum: usize = before.iter().map(|s| s.parse::<usize>().unwrap()).sum();
        let right = sum == 499 * 250 && plugin.work(2) == 301;
        drop(before);
        if child == 0 {
            // Exits directly: the handlers for the end of the program belong to the parent.
            unsafe { libc::_exit(if right { 7 } else { 1 }) };
        }
        assert!(right);
        let mut status = 0;
        assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
        assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 7);
    }
}

/// Loads the fillers, which occupy the static thread-local space, and then the library.
fn load(path: &str, fillers: &[String]) {
    let mut loaded = 0;
    for filler in fillers {
        loaded += usize::from(open(filler).is_ok());
    }
    println!("{} of {} fillers fit", loaded, fillers.len());
    assert!(
        fillers.is_empty() || loaded < fillers.len(),
        "there is space left"
    );
    match Plugin::open(path) {
        Ok(plugin) => assert_eq!(plugin.work(1), 301),
        Err(reason) => {
            println!("refused: {}", reason);
            std::process::exit(3);
        }
    }
}

#[allow(deprecated)] // the name that both major versions have
fn owns(block: &[u8]) -> bool {
    unsafe { mi_malloc_sys::mi_is_in_heap_region(block.as_ptr() as *const _) }
}

struct Plugin {
    handle: *mut c_void,
    work: extern "C" fn(usize) -> usize,
    owns: extern "C" fn(*const u8) -> bool,
    leave_nothing: extern "C" fn(),
    block: extern "C" fn() -> *mut u8,
    take_back: unsafe extern "C" fn(*mut u8) -> u8,
}

impl Plugin {
    fn open(path: &str) -> Result<Plugin, String> {
        let handle = open(path)?;
        unsafe {
            Ok(Plugin {
                handle,
                work: std::mem::transmute(symbol(handle, b"plugin_work\0")),
                owns: std::mem::transmute(symbol(handle, b"plugin_owns\0")),
                leave_nothing: std::mem::transmute(symbol(handle, b"plugin_leave_nothing\0")),
                block: std::mem::transmute(symbol(handle, b"plugin_block\0")),
                take_back: std::mem::transmute(symbol(handle, b"plugin_take_back\0")),
            })
        }
    }

    fn work(&self, threads: usize) -> usize {
        (self.work)(threads)
    }

    fn owns(&self, block: *const u8) -> bool {
        (self.owns)(block)
    }

    fn block(&self) -> *mut u8 {
        (self.block)()
    }

    fn take_back(&self, block: *mut u8) -> u8 {
        unsafe { (self.take_back)(block) }
    }

    fn close(self) {
        assert_eq!(unsafe { libc::dlclose(self.handle) }, 0);
    }
}

fn open(path: &str) -> Result<*mut c_void, String> {
    let name = CString::new(path).unwrap();
    let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
    if handle.is_null() {
        let reason = unsafe { CStr::from_ptr(libc::dlerror()) };
        return Err(reason.to_string_lossy().into_owned());
    }
    Ok(handle)
}

fn symbol(handle: *mut c_void, name: &[u8]) -> *mut c_void {
    let address = unsafe { libc::dlsym(handle, name.as_ptr() as *const c_char) };
    assert!(!address.is_null());
    address
}

fn is_loaded(path: &str) -> bool {
    let name = CString::new(path).unwrap();
    let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_NOLOAD) };
    if !handle.is_null() {
        unsafe { libc::dlclose(handle) };
    }
    !handle.is_null()
}

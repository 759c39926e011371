//! Two copies of mimalloc in one process: that of this program, and that of a library which it loads. Each has its own
//! options, callbacks, statistics and purging thread.
#![cfg(target_os = "linux")]

use mi_malloc::options::purge_delay;
use mi_malloc::purge::Background;
use mi_malloc::stats::Stats;
use mi_malloc::{callbacks, sys, Heap};
use std::ffi::{c_void, CString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

#[global_allocator]
static GLOBAL: mi_malloc::MiMalloc = mi_malloc::MiMalloc;

const LIBRARY: &str = r#"
use mi_malloc::{callbacks, options::purge_delay, purge::Background, stats::Stats, sys, Heap};
use std::sync::{atomic::{AtomicUsize, Ordering::SeqCst}, Mutex};
use std::time::Duration;

#[global_allocator]
static GLOBAL: mi_malloc::MiMalloc = mi_malloc::MiMalloc;

static ERRORS: AtomicUsize = AtomicUsize::new(0);
static BACKGROUND: Mutex<Option<Background>> = Mutex::new(None);
static HELD: Mutex<Vec<u8>> = Mutex::new(Vec::new());

#[no_mangle]
pub extern "C" fn set_delay(millis: usize) -> usize {
    purge_delay::set(Duration::from_millis(millis as u64));
    delay(0)
}

#[no_mangle]
pub extern "C" fn delay(_: usize) -> usize {
    purge_delay::get().as_millis() as usize
}

#[no_mangle]
pub extern "C" fn listen(_: usize) -> usize {
    callbacks::on_error(|_| { ERRORS.fetch_add(1, SeqCst); });
    0
}

#[no_mangle]
pub extern "C" fn fail(_: usize) -> usize {
    assert!(unsafe { sys::mi_malloc(usize::MAX) }.is_null());
    errors(0)
}

#[no_mangle]
pub extern "C" fn errors(_: usize) -> usize {
    ERRORS.load(SeqCst)
}

#[no_mangle]
pub extern "C" fn start(_: usize) -> usize {
    *BACKGROUND.lock().unwrap() = Some(Background::start(Duration::from_millis(1)).unwrap());
    0
}

#[no_mangle]
pub extern "C" fn stop(_: usize) -> usize {
    drop(BACKGROUND.lock().unwrap().take().unwrap());
    0
}

/// How much more is committed than before.
#[no_mangle]
pub extern "C" fn hold(bytes: usize) -> usize {
    let before = Stats::now();
    *HELD.lock().unwrap() = vec![1; bytes];
    Stats::now().since(&before).committed.current as usize
}

#[no_mangle]
#[allow(deprecated)] // the name that both versions have
pub extern "C" fn owns(block: usize) -> usize {
    unsafe { sys::mi_is_in_heap_region(block as *const _) as usize }
}

#[no_mangle]
pub extern "C" fn in_a_heap(number: usize) -> usize {
    Heap::scope(|heap| *heap.alloc(number).unwrap()).unwrap()
}
"#;

fn built() -> PathBuf {
    let version = if cfg!(mi_v2) { "v2" } else { "v3" };
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("two-copies")
        .join(version);
    fs::create_dir_all(folder.join("src")).unwrap();
    fs::write(folder.join("src/lib.rs"), LIBRARY).unwrap();
    let manifest = format!(
        "[package]\nname = \"second\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[workspace]\n\
         [lib]\ncrate-type = [\"cdylib\"]\n[dependencies]\n\
         mi-malloc = {{ path = {:?}, features = [\"{version}\", \"local_dynamic_tls\"] }}\n",
        env!("CARGO_MANIFEST_DIR"),
    );
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    // The versions of the repository's own lock file: nothing is fetched.
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock");
    fs::copy(lock, folder.join("Cargo.lock")).unwrap();
    // The caller's options, and one that compiles mimalloc in a quarter of the time.
    let cflags = std::env::var("CFLAGS").unwrap_or_default() + " -O0";
    let output = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--offline"])
        .current_dir(&folder)
        .env("CFLAGS", cflags)
        .env("CARGO_TARGET_DIR", folder.join("target"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    folder.join("target/debug/libsecond.so")
}

struct Library(*mut c_void);

impl Library {
    /// It is never closed: its threads and their thread-local values may live as long as the process.
    fn open(path: &Path) -> Library {
        let path = CString::new(path.as_os_str().as_bytes()).unwrap();
        let library = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        assert!(!library.is_null(), "{path:?} was not loaded");
        Library(library)
    }

    fn call(&self, name: &str, argument: usize) -> usize {
        let symbol = CString::new(name).unwrap();
        let function = unsafe { libc::dlsym(self.0, symbol.as_ptr()) };
        assert!(!function.is_null(), "there is no {name}");
        // All of the library's functions have this type.
        let function: extern "C" fn(usize) -> usize = unsafe { std::mem::transmute(function) };
        function(argument)
    }
}

/// One test, because the callbacks and the options belong to the process.
#[test]
#[allow(deprecated)] // `mi_is_in_heap_region`, the name that both versions have
fn each_has_its_own() {
    static ERRORS: AtomicUsize = AtomicUsize::new(0);
    let library = Library::open(&built());

    // Memory.
    let block = Box::new([1u8; 1000]);
    let address = block.as_ptr();
    assert!(unsafe { sys::mi_is_in_heap_region(address.cast()) });
    assert_eq!(library.call("owns", address as usize), 0);
    let before = Stats::now();
    assert!(library.call("hold", 64 << 20) >= 64 << 20);
    assert!(Stats::now().since(&before).committed.current < 32 << 20);

    // Options.
    purge_delay::set(Duration::from_millis(11));
    assert_eq!(library.call("set_delay", 22), 22);
    assert_eq!(purge_delay::get(), Duration::from_millis(11));
    purge_delay::set(Duration::from_millis(33));
    assert_eq!(library.call("delay", 0), 22);

    // Errors.
    callbacks::on_error(|_| {
        ERRORS.fetch_add(1, SeqCst);
    });
    library.call("listen", 0);
    let theirs = library.call("fail", 0);
    assert!(theirs >= 1);
    assert_eq!(ERRORS.load(SeqCst), 0);
    assert!(unsafe { sys::mi_malloc(usize::MAX) }.is_null());
    assert!(ERRORS.load(SeqCst) >= 1);
    assert_eq!(library.call("errors", 0), theirs);
    callbacks::remove_error();

    // Purging threads, and heaps in threads that use both copies.
    let background = Background::start(Duration::from_millis(1)).unwrap();
    library.call("start", 0);
    std::thread::scope(|scope| {
        for n in 0..8 {
            let library = library.0 as usize;
            scope.spawn(move || {
                let library = Library(library as *mut c_void);
                for round in 0..100 {
                    let number = n * 1000 + round;
                    let ours = Heap::scope(|heap| {
                        let ours = heap.alloc(number).unwrap();
                        assert_eq!(library.call("in_a_heap", number), number);
                        *ours
                    });
                    assert_eq!(ours, Ok(number));
                }
            });
        }
    });
    library.call("stop", 0);
    drop(background);
}

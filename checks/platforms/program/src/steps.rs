//! How many instructions it takes to allocate a block of 32 bytes and to free it, where no tool counts them: Windows,
//! under wine. The processor stops after each instruction, and a handler counts.

use mi_malloc_sys::MiMalloc;
use std::alloc::{GlobalAlloc, Layout};
use std::arch::asm;
use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

static IS_COUNTING: AtomicBool = AtomicBool::new(false);
static STEPS: AtomicU64 = AtomicU64::new(0);

/// `EXCEPTION_POINTERS`.
#[repr(C)]
struct Exception {
    /// An `EXCEPTION_RECORD`, which begins with the code.
    code: *const u32,
    /// A `CONTEXT`.
    context: *mut u8,
}

extern "system" {
    fn AddVectoredExceptionHandler(
        first: u32,
        handler: unsafe extern "system" fn(*mut Exception) -> i32,
    ) -> *mut c_void;
    fn RemoveVectoredExceptionHandler(handler: *mut c_void) -> u32;
}

/// The flag in `EFLAGS` with which the processor stops after the next instruction.
const TRAP: u32 = 0x100;

unsafe extern "system" fn step(exception: *mut Exception) -> i32 {
    const EXCEPTION_SINGLE_STEP: u32 = 0x8000_0004;
    const EFLAGS: usize = 0x44;
    const CONTINUE_EXECUTION: i32 = -1;
    const CONTINUE_SEARCH: i32 = 0;
    // SAFETY: the system passes such a structure.
    unsafe {
        if *(*exception).code != EXCEPTION_SINGLE_STEP {
            return CONTINUE_SEARCH;
        }
        let flags = (*exception).context.add(EFLAGS).cast::<u32>();
        if IS_COUNTING.load(Relaxed) {
            STEPS.fetch_add(1, Relaxed);
            *flags |= TRAP;
        } else {
            *flags &= !TRAP;
        }
    }
    CONTINUE_EXECUTION
}

fn blocks(count: u64) {
    let layout = Layout::new::<[u64; 4]>();
    for _ in 0..count {
        // SAFETY: the block is freed once, with its layout. The assembly is empty, and hides the block from the compiler.
        unsafe {
            let mut block = MiMalloc.alloc(layout);
            asm!("/* {0} */", inout(reg) block, options(nostack, preserves_flags));
            MiMalloc.dealloc(block, layout);
        }
    }
}

/// For so many blocks, with what surrounds the loop.
fn steps_of(count: u64) -> u64 {
    STEPS.store(0, Relaxed);
    IS_COUNTING.store(true, Relaxed);
    // SAFETY: the handler is installed.
    unsafe { asm!("pushfq", "or qword ptr [rsp], 0x100", "popfq") };
    blocks(count);
    IS_COUNTING.store(false, Relaxed);
    STEPS.load(Relaxed)
}

/// For one block, the loop's own instructions included.
pub fn of_a_block() {
    // SAFETY: the handler has the signature that the system expects.
    let handler = unsafe { AddVectoredExceptionHandler(1, step) };
    assert!(!handler.is_null());
    // So many that one is alive: a page that becomes empty is retired now and then.
    let _others: Vec<_> = (0..100).map(|n| Box::new([n; 4])).collect();
    blocks(1000);
    let (few, many) = (steps_of(50), steps_of(150));
    // SAFETY: it is the handler from above, and no instruction is trapped any more.
    unsafe { RemoveVectoredExceptionHandler(handler) };
    let each = (many - few) / 100;
    println!("32 bytes, allocated and freed: {} instructions", each);
    assert!(each > 10, "no step was counted");
    if cfg!(not(any(debug_assertions, feature = "v2"))) {
        assert!(each <= 40, "small blocks are not inlined");
    }
}

//! The calling thread as the C sees it: its id, and its thread-local variables. Rust cannot declare thread-local variables
//! of C (rust-lang/rust#29594).
//!
//! Each piece of assembly is `readonly`, not `nomem`, so that it is executed again after any call: the call may have
//! created the thread's first heap, and a stackful coroutine may have been resumed in another thread.

/// The value of a thread-local pointer of the C, by its name.
///
/// # Safety
/// The C has the variable, of the initial-exec model (I1). Needs an `unsafe` block around it.
#[cfg(not(windows))]
macro_rules! c_thread_local {
    ($name:literal) => {{
        let value;
        #[cfg(target_arch = "x86_64")]
        core::arch::asm!(
            concat!("mov {0}, qword ptr [rip + ", $name, "@GOTTPOFF]"),
            "mov {0}, qword ptr fs:[{0}]",
            out(reg) value,
            options(pure, readonly, nostack, preserves_flags)
        );
        #[cfg(target_arch = "aarch64")]
        core::arch::asm!(
            concat!("adrp {0}, :gottprel:", $name),
            concat!("ldr {0}, [{0}, :gottprel_lo12:", $name, "]"),
            "ldr {0}, [{0}, {1}]",
            out(reg) value,
            in(reg) crate::global::thread::pointer(),
            options(pure, readonly, nostack, preserves_flags)
        );
        value
    }};
}
#[cfg(not(windows))]
pub(super) use c_thread_local;

/// The value in a slot of the thread environment block, by its index from the block's start.
///
/// # Safety
/// The slot is one of `TlsAlloc`, which the C allocated, or one that is always NULL (I1).
#[cfg(windows)]
#[inline]
pub unsafe fn slot<T>(index: usize) -> *const T {
    let value;
    // SAFETY: a slot that exists in every thread, by the caller's contract.
    unsafe {
        core::arch::asm!(
            "mov {0}, qword ptr gs:[8*{1}]",
            out(reg) value,
            in(reg) index,
            options(pure, readonly, nostack, preserves_flags)
        );
    }
    value
}

/// Whether `id` is the calling thread's. Upstream's id of a thread is its thread pointer (I4); an id with a flag is no
/// thread's.
#[inline]
pub fn is_current(id: usize) -> bool {
    let difference: usize;
    // One instruction, and no register for the thread pointer: glibc and musl store it in the word that it points to,
    // Windows in the word at 0x30.
    #[cfg(windows)]
    // SAFETY: it reads that word, which exists in every thread.
    unsafe {
        core::arch::asm!(
            "xor {0}, qword ptr gs:[0x30]",
            inlateout(reg) id => difference,
            options(pure, readonly, nostack)
        );
    }
    #[cfg(all(target_arch = "x86_64", not(windows)))]
    // SAFETY: it reads that word, which exists in every thread.
    unsafe {
        core::arch::asm!(
            "xor {0}, qword ptr fs:[0]",
            inlateout(reg) id => difference,
            options(pure, readonly, nostack)
        );
    }
    #[cfg(target_arch = "aarch64")]
    {
        difference = id ^ pointer();
    }
    difference == 0
}

/// The thread pointer.
#[cfg(target_arch = "aarch64")]
#[inline]
pub fn pointer() -> usize {
    let pointer;
    // SAFETY: it reads a register.
    unsafe {
        core::arch::asm!(
            "mrs {0}, tpidr_el0",
            out(reg) pointer,
            options(pure, readonly, nostack, preserves_flags)
        );
    }
    pointer
}

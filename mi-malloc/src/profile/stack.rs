//! The call stack of the calling thread.

use core::ffi::c_void;
use cty::c_int;

/// Most frames of a stack that are stored.
pub const DEPTH: usize = 128;

/// Addresses inside the calls, the innermost first. Empty where stacks cannot be walked.
pub struct Stack {
    frames: [usize; DEPTH],
    depth: usize,
}

impl Stack {
    /// Allocates nothing and takes no lock of this crate: it runs in the middle of an allocation.
    #[inline(never)]
    pub fn here() -> Stack {
        let mut stack = Stack {
            frames: [0; DEPTH],
            depth: 0,
        };
        walk(&mut stack);
        stack
    }

    pub fn frames(&self) -> &[usize] {
        self.frames.get(..self.depth).unwrap_or(&[])
    }

    /// A return address, which may already be the next line or function; viewers expect one inside the call. Returns
    /// whether there is a place for another one.
    fn push(&mut self, return_address: usize) -> bool {
        match self.frames.get_mut(self.depth) {
            Some(frame) if return_address != 0 => {
                *frame = return_address - 1;
                self.depth += 1;
                self.depth < DEPTH
            }
            _ => false,
        }
    }
}

/// By the unwinder that Rust's standard library is linked with, so that musl has stacks too.
#[cfg(unix)]
fn walk(stack: &mut Stack) {
    /// `_URC_NORMAL_STOP`; any result but 0 ends the walk.
    const STOP: c_int = 4;

    unsafe extern "C" fn frame(context: *mut c_void, stack: *mut c_void) -> c_int {
        // SAFETY: the context is valid during the call, and `stack` is what `walk` passed, which waits.
        let more = unsafe { (*stack.cast::<Stack>()).push(instruction(context)) };
        if more {
            0
        } else {
            STOP
        }
    }

    extern "C" {
        fn _Unwind_Backtrace(
            frame: unsafe extern "C" fn(*mut c_void, *mut c_void) -> c_int,
            argument: *mut c_void,
        ) -> c_int;
    }
    // SAFETY: the function has this signature in each unwinder, and `frame` does not unwind.
    unsafe { _Unwind_Backtrace(frame, (stack as *mut Stack).cast()) };
}

#[cfg(all(unix, not(target_arch = "arm")))]
unsafe fn instruction(context: *mut c_void) -> usize {
    extern "C" {
        fn _Unwind_GetIP(context: *mut c_void) -> usize;
    }
    // SAFETY: the caller's promise of a valid context.
    unsafe { _Unwind_GetIP(context) }
}

/// In the exception handling of 32-bit ARM the function is a macro over this one.
#[cfg(all(unix, target_arch = "arm"))]
unsafe fn instruction(context: *mut c_void) -> usize {
    extern "C" {
        fn _Unwind_VRS_Get(
            context: *mut c_void,
            class: c_int,
            register: u32,
            representation: c_int,
            value: *mut c_void,
        ) -> c_int;
    }
    let mut counter = 0usize;
    // SAFETY: as above. Register 15 of the core (class 0) is 32 bits wide (representation 0).
    unsafe { _Unwind_VRS_Get(context, 0, 15, 0, (&mut counter as *mut usize).cast()) };
    counter & !1 // which says that the code is Thumb
}

#[cfg(windows)]
fn walk(stack: &mut Stack) {
    #[link(name = "kernel32")]
    extern "system" {
        fn RtlCaptureStackBackTrace(
            skip: u32,
            most: u32,
            frames: *mut *mut c_void,
            hash: *mut u32,
        ) -> u16;
    }
    let mut addresses = [core::ptr::null_mut::<c_void>(); DEPTH];
    // SAFETY: there is place for `DEPTH` addresses; the hash may be left out.
    let depth = unsafe {
        RtlCaptureStackBackTrace(
            0,
            DEPTH as u32,
            addresses.as_mut_ptr(),
            core::ptr::null_mut(),
        )
    };
    for address in addresses.iter().take(depth.into()) {
        stack.push(*address as usize);
    }
}

#[cfg(not(any(unix, windows)))]
fn walk(_: &mut Stack) {}

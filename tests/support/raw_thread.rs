//! Threads that run nothing before the test's code: Rust's own threads allocate while they start.

use core::ffi::c_void;
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::ptr::{null, null_mut};

struct Job {
    work: Box<dyn FnMut() + Send>,
    result: std::thread::Result<()>,
}

extern "C" fn start(job: *mut c_void) -> *mut c_void {
    let job = unsafe { &mut *job.cast::<Job>() };
    job.result = catch_unwind(AssertUnwindSafe(|| (job.work)()));
    null_mut()
}

/// Runs `work` on a new thread and waits for the thread's end. A panic goes on here.
pub fn run(work: impl FnMut() + Send + 'static) {
    let mut job = Job {
        work: Box::new(work),
        result: Err(Box::new("it did not run")),
    };
    let argument: *mut Job = &mut job;
    unsafe {
        let mut thread = std::mem::zeroed();
        let error = libc::pthread_create(&mut thread, null(), start, argument.cast());
        assert_eq!(error, 0);
        assert_eq!(libc::pthread_join(thread, null_mut()), 0);
    }
    if let Err(panic) = job.result {
        resume_unwind(panic);
    }
}

//! Runs a part of a test in a forked process.

use std::panic::{catch_unwind, AssertUnwindSafe};

/// Forks, runs `work` in the child, and waits for it: true if it came to its end there. (The child
/// leaves without the destructors and exit handlers, which belong to the parent.)
pub fn run(work: impl FnOnce()) -> bool {
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "{}", std::io::Error::last_os_error());
    if child == 0 {
        let result = catch_unwind(AssertUnwindSafe(work));
        unsafe { libc::_exit(if result.is_ok() { 0 } else { 1 }) };
    }
    let mut status = 0;
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0
}

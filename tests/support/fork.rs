//! Runs a part of a test in a forked process.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long a child may take.
const LIMIT: Duration = Duration::from_secs(300);

/// Forks, runs `work` in the child, and waits for it: true if it came to its end there. (The child
/// leaves without the destructors and exit handlers, which belong to the parent.)
pub fn run(work: impl FnOnce()) -> bool {
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "{}", std::io::Error::last_os_error());
    if child == 0 {
        let result = catch_unwind(AssertUnwindSafe(work));
        unsafe { libc::_exit(if result.is_ok() { 0 } else { 1 }) };
    }
    // A child that hangs fails the test. (It may hang in `fork` itself, where it could not end itself.)
    let start = Instant::now();
    let mut status = 0;
    loop {
        match unsafe { libc::waitpid(child, &mut status, libc::WNOHANG) } {
            0 if start.elapsed() > LIMIT => {
                unsafe { libc::kill(child, libc::SIGKILL) };
                unsafe { libc::waitpid(child, &mut status, 0) };
                return false;
            }
            0 => sleep(Duration::from_millis(1)),
            ended => {
                assert_eq!(ended, child, "{}", std::io::Error::last_os_error());
                return libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0;
            }
        }
    }
}

//! How far the work is: one line on standard error, if that is a terminal and the work takes long.

use std::io::{self, Write};
use std::time::{Duration, Instant};

pub struct Progress {
    total: u64,
    done: u64,
    /// When to show the line next; never, if standard error is not a terminal.
    next: Option<Instant>,
    shown: bool,
}

impl Progress {
    pub fn new(total: u64) -> Progress {
        // SAFETY: a question about a number, which need not be an open file.
        let watched = unsafe { libc::isatty(2) } == 1;
        let patience = Duration::from_millis(500);
        Progress {
            total,
            done: 0,
            next: Some(Instant::now() + patience).filter(|_| watched),
            shown: false,
        }
    }

    pub fn advance(&mut self, bytes: u64) {
        self.done += bytes;
        let now = Instant::now();
        if self.next.map_or(false, |next| next <= now) {
            let percent = 100 * self.done / self.total.max(1);
            self.show(&format!("read {} %", percent.min(100)));
            self.next = Some(now + Duration::from_millis(100));
        }
    }

    /// Replaces the line. If it cannot be shown, the work continues anyway.
    fn show(&mut self, line: &str) {
        let _ = write!(io::stderr(), "\r\x1b[K{}", line).and_then(|()| io::stderr().flush());
        self.shown = true;
    }
}

/// Removes the line, also when an error ends the work.
impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            self.show("");
        }
    }
}

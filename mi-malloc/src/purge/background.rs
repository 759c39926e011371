//! The thread that purges.

use crate::sys;
use std::io;
use std::process;
use std::string::ToString;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Fifteen bytes, the maximum that Linux keeps of a name.
const NAME: &str = "mi-malloc purge";
/// It only calls mimalloc, which needs a few KiB, and callbacks of the program.
const STACK: usize = 128 << 10;
/// How long it waits in an idle program.
const LONGEST: Duration = Duration::from_secs(2);

/// A thread that purges what has been free for a while, even if the program does nothing at all.
///
/// It wakes up after `every`, and purges what is due (see the [module](super)). Each time that nothing was due since the
/// last time, the next wait is twice as long, up to two seconds (or `every`, if that is more); when something was due, it
/// is `every` again. Once the program is idle, that is when nothing has been due for longer than the delay, it purges
/// everything that is free. So with 250 milliseconds and v3's delay of 50, memory is purged within 2 seconds (within 4 if
/// much purged memory was in use again just before), and free blocks, which have to be found twice, within 4. An idle
/// process wakes up every other second for some microseconds, and a busy one a few times more.
///
/// Dropping it stops and joins the thread. [`std::mem::forget`] lets it run for the rest of the process.
///
/// * **Threads.** Any thread may use it. A second one is harmless and useless.
/// * **Fork.** A child has no such thread: [`is_running`](Background::is_running) is false there, dropping does
///   nothing, and the child may start its own.
/// * **Callbacks.** Deferred frees and messages of mimalloc may run in this thread, whose stack has 128 KiB.
/// * **Signals.** The thread inherits the signal mask of the thread that starts it.
/// * **At exit.** It may keep running until the process has ended, except with the option `destroy_on_exit`: then it
///   must have been dropped before.
///
/// ```
/// use mi_malloc::purge::Background;
/// use std::time::Duration;
///
/// let background = Background::start(Duration::from_millis(250))?;
/// assert!(background.is_running());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "the thread stops when this is dropped"]
pub struct Background {
    shared: Arc<Shared>,
    /// Taken by `drop`.
    thread: Option<JoinHandle<()>>,
    /// The process that has the thread; a child has copied this value, but no thread.
    process: u32,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    rounds: AtomicU64,
    purges: AtomicU64,
    bytes: AtomicU64,
    nanoseconds: AtomicU64,
}

/// What the thread has done since it started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Times that it woke up.
    pub rounds: u64,
    /// Times that it purged something.
    pub purges: u64,
    /// Bytes purged. What another thread purged at the same time is counted too.
    pub bytes: u64,
    /// The wall time all this took, including time in which the system ran something else on the processor.
    pub busy: Duration,
}

impl Background {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if `every` is zero; otherwise the system's error if it cannot create a thread.
    pub fn start(every: Duration) -> io::Result<Background> {
        if every == Duration::ZERO {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a purge thread that never waits: `every` must be more than zero",
            ));
        }
        let shared = Arc::new(Shared::default());
        let thread = thread::Builder::new()
            .name(NAME.to_string())
            .stack_size(STACK)
            .spawn({
                let shared = shared.clone();
                move || shared.run(every)
            })?;
        Ok(Background {
            shared,
            thread: Some(thread),
            process: this_process(),
        })
    }

    /// Whether this process has the thread: false in the child of a fork.
    pub fn is_running(&self) -> bool {
        self.process == this_process()
    }

    /// What the thread has done so far; in the child of a fork, what it had done before the fork.
    pub fn report(&self) -> Report {
        Report {
            rounds: self.shared.rounds.load(Relaxed),
            purges: self.shared.purges.load(Relaxed),
            bytes: self.shared.bytes.load(Relaxed),
            busy: Duration::from_nanos(self.shared.nanoseconds.load(Relaxed)),
        }
    }
}

/// Where a process can fork, its number.
fn this_process() -> u32 {
    if cfg!(unix) {
        process::id()
    } else {
        0
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let thread = match self.thread.take() {
            Some(thread) => thread,
            None => return,
        };
        if !self.is_running() {
            // There is no thread behind the handle, which must be neither joined nor detached.
            std::mem::forget(thread);
            return;
        }
        self.shared.stop.store(true, Relaxed);
        thread.thread().unpark();
        // A callback in the thread itself may drop it, and cannot wait for its own end.
        if thread.thread().id() != std::thread::current().id() {
            // It has not panicked: nothing in it does.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn run(&self, every: Duration) {
        // In a thread that has not allocated a collection does nothing, and another allocator may be the global one.
        // SAFETY: always safe to call.
        unsafe { sys::mi_thread_init() };
        let mut pace = Pace::new(every);
        let mut last = super::purged();
        while self.waits(pace.wait) {
            let start = Instant::now();
            let before = super::purged();
            // A program whose own frees purge is not at rest.
            let at_rest = before == last && pace.is_at_rest(delay());
            // SAFETY: always safe to call; this thread calls no callback here.
            unsafe {
                sys::abandon_pages(); // deferred frees in this thread may have claimed some
                sys::purge_free_blocks(delay());
                sys::mi_collect(at_rest);
            }
            let after = super::purged();
            let bytes = after.saturating_sub(before);
            pace.next(at_rest, after != last);
            last = after;
            self.rounds.fetch_add(1, Relaxed);
            self.purges.fetch_add((bytes > 0) as u64, Relaxed);
            self.bytes.fetch_add(bytes, Relaxed);
            self.nanoseconds
                .fetch_add(start.elapsed().as_nanos() as u64, Relaxed);
        }
    }

    /// Waits, and returns whether to go on.
    fn waits(&self, wait: Duration) -> bool {
        let start = Instant::now();
        while !self.stop.load(Relaxed) {
            match wait.checked_sub(start.elapsed()) {
                None | Some(Duration::ZERO) => return true,
                Some(left) => thread::park_timeout(left), // may also return for no reason
            }
        }
        false
    }
}

/// How long arenas keep what is free.
fn delay() -> Duration {
    // SAFETY: both are options of either major version.
    let factors = unsafe {
        [
            sys::mi_option_get(sys::mi_option_purge_delay),
            sys::mi_option_get(sys::mi_option_arena_purge_mult),
        ]
    };
    // A negative one forbids it, and nothing is ever purged.
    let [delay, times] = factors.map(|factor| factor.max(0) as u64);
    Duration::from_millis(delay.saturating_mul(times))
}

/// When the thread wakes up, and when it considers the program idle.
#[derive(Debug)]
struct Pace {
    every: Duration,
    longest: Duration,
    /// The next wait.
    wait: Duration,
    /// How long nothing has been due.
    quiet: Duration,
    /// Everything that was free has been purged since something was due.
    is_done: bool,
}

impl Pace {
    fn new(every: Duration) -> Pace {
        Pace {
            every,
            longest: every.max(LONGEST),
            wait: every,
            quiet: Duration::ZERO,
            is_done: false,
        }
    }

    /// Whether to purge everything that is free, after this wait. There should be nothing, or what was left to a
    /// later purge. But upstream loses the mark that an arena has something to purge if a thread sets it while
    /// another one finishes a purge (`mi_arenas_try_purge` in `arena/arena-alloc.c`).
    fn is_at_rest(&self, delay: Duration) -> bool {
        let quiet = self.quiet.saturating_add(self.wait);
        self.wait == self.longest && quiet > delay && !self.is_done
    }

    /// After a wait and its purge, which purged everything if the program was at rest. Whether something was due includes
    /// what the program's own frees have purged.
    fn next(&mut self, at_rest: bool, was_due: bool) {
        if at_rest {
            self.is_done = true;
        } else if was_due {
            *self = Pace::new(self.every);
            return;
        }
        self.quiet = self.quiet.saturating_add(self.wait);
        self.wait = self.wait.saturating_mul(2).min(self.longest);
    }
}

#[cfg(test)]
mod tests {
    use super::{Duration, Pace};
    use std::vec::Vec;

    const DELAY: Duration = Duration::from_secs(4);

    /// Waits in milliseconds, each with whether everything is purged after it, while nothing is due.
    fn waits(pace: &mut Pace, count: usize) -> Vec<(u128, bool)> {
        let wait = |_| {
            let at_rest = pace.is_at_rest(DELAY);
            let wait = (pace.wait.as_millis(), at_rest);
            pace.next(at_rest, false);
            wait
        };
        (0..count).map(wait).collect()
    }

    #[test]
    fn waits_grow_at_rest() {
        let mut pace = Pace::new(Duration::from_millis(250));
        let quiet = [
            (250, false),
            (500, false),
            (1000, false),
            (2000, false),
            (2000, true), // 5.75 seconds
            (2000, false),
            (2000, false),
        ];
        assert_eq!(waits(&mut pace, 7), quiet);
        // A purge in an idle program is no sign of work; due memory is.
        pace.next(false, true);
        assert_eq!(waits(&mut pace, 7), quiet);

        let mut pace = Pace::new(Duration::from_millis(250));
        waits(&mut pace, 4);
        assert!(pace.is_at_rest(DELAY));
        pace.next(true, true);
        assert_eq!(waits(&mut pace, 2), [(2000, false), (2000, false)]);
    }

    /// Its frees have purged during the longest wait: nothing is purged by force.
    #[test]
    fn a_program_that_purges_is_not_at_rest() {
        let mut pace = Pace::new(Duration::from_millis(250));
        waits(&mut pace, 4);
        assert!(pace.is_at_rest(DELAY));
        pace.next(false, true);
        assert_eq!(waits(&mut pace, 2), [(250, false), (500, false)]);
    }

    #[test]
    fn long_waits_stay() {
        let mut pace = Pace::new(Duration::from_secs(3));
        assert_eq!(
            waits(&mut pace, 3),
            [(3000, false), (3000, true), (3000, false)]
        );
        let mut pace = Pace::new(Duration::MAX);
        pace.next(false, false);
        assert_eq!(pace.wait, Duration::MAX);
    }

    /// Memory with a delay of an hour is kept for an hour.
    #[test]
    fn the_delay_counts() {
        let mut pace = Pace::new(Duration::from_secs(1));
        let hour = Duration::from_secs(3600);
        for _ in 0..1799 {
            assert!(!pace.is_at_rest(hour));
            pace.next(false, false);
        }
        for _ in 0..3 {
            pace.next(pace.is_at_rest(hour), false);
        }
        assert!(pace.is_done);
    }
}

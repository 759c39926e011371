//! What a thread returns before it sleeps.

use crate::sys;
use std::cell::Cell;
use std::thread_local;
use std::time::{Duration, Instant};

/// A thread spends at most one part in so many of its time here.
const SHARE: u32 = 200;
/// The bounds of the pause that follows from it. The upper one is for a collection that another thread interrupted.
const SHORTEST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_secs(1);

/// v3 frees an empty page that may soon be wanted again after so many collections (`MI_RETIRE_CYCLES` in
/// `alloc/page.c`); v2 at once.
const ROUNDS: usize = if cfg!(mi_v3) { 16 } else { 1 };
/// A thread with very many pages leaves the other rounds out.
const LONG_ROUNDS: Duration = Duration::from_micros(200);

thread_local! {
    /// When the thread may collect again.
    static DUE: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Returns what the calling thread does not need while it sleeps: its empty pages, also those that other threads have
/// emptied. Then purges what is due, as any collection does, and lets other threads use the free blocks in its other
/// pages (on v3 and Linux, blocks of 8 KiB and more).
///
/// For tokio's `on_thread_park`, for the idle hook of a pool of threads, before a wait in a loop. It is cheap enough
/// to be called each time: a call takes as long as reading the clock (some 30 nanoseconds), and does its work at most
/// once in ten milliseconds, and for at most a two-hundredth of the thread's time. So a thread that parks twice
/// within that time may sleep with some empty pages, which its next call returns.
///
/// The empty pages go to the arenas, where other threads use them. From there they go back to the system when they
/// are due (on v3 after 50 to 100 milliseconds, or later while much purged memory is soon in use again; on v2 after
/// 100), if some thread looks for what is due: [`Background`](super::Background) does. It also purges those free blocks
/// when they have been free for so long. The thread takes its pages again when it needs such blocks. A thread that only frees what others allocate can own pages, too, and should call this.
///
/// In a thread that has not allocated it does nothing. Deferred frees run in this thread. Pages of heaps other than
/// the thread's default one stay. In a [callback](crate::callbacks) of mimalloc it only collects.
///
/// ```
/// use mi_malloc::purge;
/// use std::sync::mpsc::channel;
///
/// let (jobs, queue) = channel::<Vec<u8>>();
/// let worker = std::thread::spawn(move || loop {
///     let job = queue.try_recv().or_else(|_| {
///         purge::on_thread_idle(); // nothing to do at the moment
///         queue.recv()
///     });
///     match job {
///         Ok(job) => drop(job),
///         Err(_) => break,
///     }
/// });
/// jobs.send(vec![0; 100]).unwrap();
/// drop(jobs);
/// worker.join().unwrap();
/// ```
pub fn on_thread_idle() {
    let start = Instant::now();
    let due = DUE.with(Cell::get);
    if due.map_or(false, |due| start < due) {
        return;
    }
    let mut spent = Duration::ZERO;
    for _ in 0..ROUNDS {
        // SAFETY: always safe to call.
        unsafe { sys::mi_collect(false) };
        spent = start.elapsed();
        if spent > LONG_ROUNDS {
            break;
        }
    }
    if !super::is_in_callback() {
        // SAFETY: as in `now`.
        unsafe { sys::abandon_pages() };
        spent = start.elapsed();
    }
    let pause = (spent * SHARE).clamp(SHORTEST, LONGEST);
    // An instant too far away to be one cannot come.
    DUE.with(|due| due.set((start + spent).checked_add(pause)));
}

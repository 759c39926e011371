//! Two threads that resume a coroutine alternately.

use crate::Switch;
use corosensei::{Coroutine, CoroutineResult};
use std::sync::mpsc::{channel, Receiver, Sender};
use std::thread;

/// A coroutine that is suspended.
struct Suspended<T>(Coroutine<(), (), T>);

// SAFETY: what a body holds across a suspension are its closures, which are `Copy` and hold at most the address of a
// heap that all threads may use, addresses of blocks, and a list of static strings. All of these may be used in any thread.
unsafe impl<T> Send for Suspended<T> {}

/// Runs `body` to its end, alternating between two new threads, and returns its result.
pub fn alternate<T: Send + 'static>(body: impl FnOnce(&Switch) -> T + 'static) -> T {
    let start = Suspended(Coroutine::new(move |switch: &Switch, ()| body(switch)));
    let (to_first, first) = channel();
    let (to_second, second) = channel();
    let (done, result) = channel();
    let partner = to_first.clone();
    to_first.send(start).expect("the receiver is here");
    drop(to_first);
    let threads = [
        thread::spawn({
            let done = done.clone();
            move || take_turns(first, to_second, done)
        }),
        thread::spawn(move || take_turns(second, partner, done)),
    ];
    let result = result.recv().expect("the coroutine ended");
    for thread in threads {
        thread.join().expect("the thread has not panicked");
    }
    result
}

/// Resumes each coroutine that it receives, and passes it on. Ends with the coroutine.
fn take_turns<T>(mine: Receiver<Suspended<T>>, other: Sender<Suspended<T>>, done: Sender<T>) {
    while let Ok(Suspended(mut coroutine)) = mine.recv() {
        match coroutine.resume(()) {
            CoroutineResult::Yield(()) => {
                if other.send(Suspended(coroutine)).is_err() {
                    return;
                }
            }
            CoroutineResult::Return(result) => {
                let _ = done.send(result);
                return;
            }
        }
    }
}

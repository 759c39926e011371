//! A visit of a heap while a thread that has used the heap ends. Each test runs in its own process, whose alarm reports
//! a deadlock.
#![cfg(all(unix, mi_v3))]

use mi_malloc::stats::Stats;
use mi_malloc::Heap;
use std::sync::{mpsc, Arc};
use std::thread;
use std::time::Duration;

#[allow(dead_code)]
#[path = "../../tests/support/respawn.rs"]
mod child;

/// The signal's default action ends the process; 0 seconds cancel it.
fn alarm(seconds: u32) {
    // SAFETY: no pointers.
    unsafe { libc::alarm(seconds) };
}

/// Calls `visitor` in a visit of a heap, with another heap. A thread that has used both is ending, and waits for the
/// end of the visit.
fn visit_while_a_thread_ends(visitor: impl FnOnce(Heap)) {
    let mut visited = Arc::new(Heap::new().unwrap());
    let other = Arc::new(Heap::new().unwrap());
    let (is_ready, ready) = mpsc::channel();
    let (end, may_end) = mpsc::channel::<()>();
    let thread = thread::spawn({
        let heaps = [visited.clone(), other.clone()];
        move || {
            assert!(heaps.iter().all(|heap| heap.alloc(1).is_ok()));
            drop(heaps);
            is_ready.send(()).unwrap();
            let _ = may_end.recv(); // an error: `end` was dropped
        }
    });
    ready.recv().unwrap();
    let mut once = Some((visitor, Arc::try_unwrap(other).unwrap(), end));
    Arc::get_mut(&mut visited).unwrap().visit_areas(|_| {
        if let Some((visitor, other, end)) = once.take() {
            let threads = Stats::now().threads.current;
            drop(end);
            // mimalloc counts the thread's end shortly before it waits.
            while Stats::now().threads.current == threads {
                thread::sleep(Duration::from_millis(1));
            }
            thread::sleep(Duration::from_millis(300));
            visitor(other);
        }
    });
    assert!(once.is_none());
    thread.join().unwrap();
}

/// Everything that the documentation does not exclude.
#[test]
fn a_visitor_works_while_a_thread_ends() {
    if !child::is_child() {
        child::assert_child_passes("a_visitor_works_while_a_thread_ends", "", &[]);
        return;
    }
    alarm(60);
    visit_while_a_thread_ends(|other| {
        other.alloc_slice(&[1u8; 100_000]).unwrap();
        other.collect(true);
        assert!(Heap::scope(|heap| heap.alloc(1).is_ok()).unwrap());
        let shared = Heap::new().unwrap();
        thread::scope(|scope| {
            scope.spawn(|| other.alloc(2).unwrap());
            scope.spawn(|| shared.alloc(2).unwrap());
        });
        drop(shared);
        mi_malloc::purge::on_thread_idle();
        mi_malloc::purge::now();
        std::mem::forget(other);
    });
    alarm(0);
}

/// What the documentation excludes. The thread has locked its list of heaps (`mi_thread_theaps_done` in upstream's
/// `heap/init.c`), and whoever drops one of these tries until it is unlocked (`_mi_heap_detach_theaps` in
/// `heap/theap.c`). If this test fails, the documentation can say less.
#[test]
fn a_visitor_that_drops_a_heap_of_the_thread_deadlocks() {
    if !child::is_child() {
        use std::os::unix::process::ExitStatusExt;
        let name = "a_visitor_that_drops_a_heap_of_the_thread_deadlocks";
        let output = child::run(name, "", &[]);
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.signal(), Some(libc::SIGALRM), "{err}");
        assert!(err.contains("in the visitor"), "{err}");
        assert!(!err.contains("dropped"), "{err}");
        return;
    }
    visit_while_a_thread_ends(|other| {
        eprintln!("in the visitor");
        alarm(3);
        drop(other);
        eprintln!("dropped");
    });
}

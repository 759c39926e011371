//! Allocation that signals interrupt all the time. The handler itself does not allocate: no
//! allocator's functions may be called from one.

use crate::respawn;
use core::ffi::c_void;
use cty::c_int;
use mi_malloc_sys::*;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::memory::*;

static SIGNALS: AtomicUsize = AtomicUsize::new(0);

/// How many signals must have come. A busy or slow machine takes longer for them.
const ENOUGH: usize = 3000;

extern "C" fn count(_: c_int) {
    SIGNALS.fetch_add(1, Relaxed);
}

/// A signal every tenth of a millisecond. System calls that can be interrupted are.
fn start() {
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = count as extern "C" fn(c_int) as usize;
        assert_eq!(libc::sigaction(libc::SIGALRM, &action, null_mut()), 0);
    }
    every(100);
}

fn every(microseconds: libc::suseconds_t) {
    let time = libc::timeval {
        tv_sec: 0,
        tv_usec: microseconds,
    };
    let timer = libc::itimerval {
        it_interval: time,
        it_value: time,
    };
    assert_eq!(
        unsafe { libc::setitimer(libc::ITIMER_REAL, &timer, null_mut()) },
        0
    );
}

/// Blocks of all kinds, among them many that the system maps, commits and takes back.
fn rounds() {
    let mut blocks: Vec<(usize, usize, u8)> = Vec::new();
    let mut number = 0;
    while SIGNALS.load(Relaxed) < ENOUGH {
        unsafe {
            for size in SIZES {
                number += 1;
                let p = if number % 2 == 0 {
                    mi_malloc(size)
                } else {
                    mi_malloc_aligned(size, 1 << (number % 18))
                };
                fill(p, size, number as u8);
                blocks.push((p as usize, size, number as u8));
            }
            for (p, size, byte) in blocks.drain(..) {
                let p = p as *mut c_void;
                assert!(holds(p, size, byte));
                let larger = mi_realloc(p, size + size / 2);
                assert!(holds(larger, size, byte));
                mi_free(larger);
            }
            mi_collect(number % 4 == 0);
        }
    }
}

#[test]
fn interrupted_all_the_time() {
    respawn::alone(|| {
        start();
        let threads: Vec<_> = (0..3).map(|_| std::thread::spawn(rounds)).collect();
        for thread in threads {
            thread.join().unwrap();
        }
        every(0);
    });
}

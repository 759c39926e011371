//! The invariants of mimalloc's own data (`tests/model/invariants.c`), after every few steps of a program.

extern "C" {
    fn invariants_faults(single_thread: bool) -> usize;
}

/// Panics if one does not hold for what the calling thread owns. `single_thread`: no other thread has freed its blocks.
pub fn check(single_thread: bool) {
    // SAFETY: reads what only this thread changes, and no call of the allocator is running in it. In what other threads
    // change (the lists of blocks that they freed) it reads only what they do not remove.
    let faults = unsafe { invariants_faults(single_thread) };
    assert!(faults == 0, "{faults} invariants do not hold");
}

//! The invariants of mimalloc's own data (`tests/model/invariants.c`), after every few steps of a program.

extern "C" {
    fn invariants_faults(alone: bool) -> usize;
}

/// Panics if one does not hold for what the calling thread owns. `alone`: no other thread has freed its blocks.
pub fn check(alone: bool) {
    // SAFETY: reads what only this thread changes, and no call of the allocator is under way in it. Of what other threads
    // change (the lists of blocks that they freed) it reads what is there to stay.
    let faults = unsafe { invariants_faults(alone) };
    assert!(faults == 0, "{faults} invariants do not hold");
}

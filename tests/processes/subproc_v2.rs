//! Subprocesses of v2: what an ended thread leaves behind stays within its own.

use crate::raw_thread;
use crate::respawn;
use crate::visit;
use core::ffi::c_void;
use mi_malloc_sys::*;
use std::ptr::null_mut;
use std::sync::mpsc::channel;

#[test]
fn the_main_one_is_null() {
    respawn::alone(|| unsafe {
        assert!(mi_subproc_main().is_null());
        mi_subproc_delete(null_mut());
        mi_thread_init();
        let id = mi_subproc_new();
        assert!(!id.is_null());
        mi_subproc_delete(id);
        // The thread may join the main one, where it is already.
        mi_subproc_add_current_thread(null_mut());
    });
}

/// Blocks that a thread of the subprocess `id` leaves behind.
fn leave(id: mi_subproc_id_t) -> Vec<usize> {
    let (sender, receiver) = channel();
    let id = id as usize;
    raw_thread::run(move || unsafe {
        mi_subproc_add_current_thread(id as mi_subproc_id_t);
        let blocks: Vec<usize> = (1..50).map(|size| mi_malloc(size * 300) as usize).collect();
        sender.send(blocks).unwrap();
    });
    receiver.recv().unwrap()
}

#[test]
fn what_a_thread_leaves_behind() {
    // Only with it can a process visit what ended threads have left.
    let variables = [("MIMALLOC_VISIT_ABANDONED", "1")];
    respawn::alone_with(&variables, || unsafe {
        mi_thread_init();
        let ids = [null_mut(), mi_subproc_new(), mi_subproc_new()];
        let left = ids.map(leave);
        for (index, id) in ids.into_iter().enumerate() {
            let mut seen = visit::Seen::default();
            let argument = seen.argument();
            assert!(mi_abandoned_visit_blocks(
                id,
                -1,
                true,
                Some(visit::note),
                argument
            ));
            for (owner, blocks) in left.iter().enumerate() {
                for p in blocks {
                    let found = seen.block_of(*p as *const c_void).is_some();
                    assert_eq!(found, owner == index);
                }
            }
        }
        for p in left.into_iter().flatten() {
            mi_free(p as *mut c_void);
        }
        mi_subproc_delete(ids[1]);
        mi_subproc_delete(ids[2]);
    });
}

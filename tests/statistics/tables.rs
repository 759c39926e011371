//! Statistics as a table on the registered output, which belongs to the whole process.
#![allow(deprecated)]

use crate::respawn;
use crate::text::{note, Text};
use mi_malloc_sys::*;
use std::ptr::null_mut;

#[test]
fn the_registered_output() {
    respawn::alone(|| {
        let mut out = Text::new();
        let mut own = Text::new();
        unsafe {
            let p = mi_malloc(50_000);
            mi_register_output(Some(note), out.argument());
            out.take();
            let parts = ["elapsed", "pages", "committed", "threads", "peak rss"];
            let mut printed = |what: &str, count: usize| {
                let table = out.take();
                for part in &parts[..count] {
                    assert!(table.contains(part), "{what}: no {part} in {table}");
                }
                assert_eq!(table.is_empty(), count == 0, "{what}: {table}");
            };
            mi_stats_print(null_mut());
            printed("mi_stats_print", 5);
            mi_stats_print_out(None, null_mut());
            printed("mi_stats_print_out", 5);
            mi_thread_stats_print_out(None, null_mut());
            printed("mi_thread_stats_print_out", 1);
            #[cfg(mi_v3)]
            {
                mi_heap_stats_print_out(null_mut(), None, null_mut());
                printed("mi_heap_stats_print_out", 1);
                mi_subproc_stats_print_out(mi_subproc_main(), None, null_mut());
                printed("mi_subproc_stats_print_out", 5);
                mi_subproc_heap_stats_print_out(mi_subproc_main(), None, null_mut());
                printed("mi_subproc_heap_stats_print_out", 1);
            }
            // To an output of its own nothing of it goes there.
            mi_stats_print_out(Some(note), own.argument());
            printed("an output of its own", 0);
            let table = own.take();
            assert!(table.contains("elapsed") && own.calls > 5);
            assert!(table.ends_with('\n'));
            mi_thread_stats_print_out(Some(note), own.argument());
            printed("an output of its own", 0);
            assert!(own.take().contains("elapsed"));
            mi_register_output(None, null_mut());
            mi_free(p);
        }
    });
}

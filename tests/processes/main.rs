//! What belongs to a whole process: options, callbacks, output, and the memory that it has. What a
//! test does to a process, it does in a child (`respawn`): itself again, or a test that only prints.

#[allow(dead_code)]
#[path = "../support/errno.rs"]
mod errno;
#[cfg(target_os = "linux")]
#[path = "../support/mapping.rs"]
mod mapping;
#[allow(dead_code)]
#[path = "../support/memory.rs"]
mod memory;
#[allow(dead_code)] // for all build modes and major versions
#[path = "../support/mode.rs"]
mod mode;
#[allow(dead_code)]
#[path = "../support/options.rs"]
mod options;
#[path = "../support/other_threads.rs"]
mod other_threads;
#[path = "../support/heap.rs"]
mod own_heap;
#[cfg(all(mi_v3, target_os = "linux"))]
#[path = "../support/pages.rs"]
mod pages;
#[cfg(unix)]
#[path = "../support/raw_thread.rs"]
mod raw_thread;
#[cfg(target_os = "linux")]
#[allow(dead_code)]
#[path = "../support/resident.rs"]
mod resident;
#[allow(dead_code)]
#[path = "../support/respawn.rs"]
mod respawn;
#[path = "../support/text.rs"]
mod text;
#[allow(dead_code)]
#[path = "../support/visit.rs"]
mod visit;

mod callbacks_deferred;
mod callbacks_error;
mod callbacks_output;
#[cfg(all(target_os = "linux", mi_v2))]
mod heap_deleted_v2;
mod heap_ended_thread;
#[cfg(target_os = "linux")]
mod huge_pages;
#[cfg(target_os = "linux")]
mod memory_returned;
mod options_effect;
mod options_env;
mod options_set;
mod output;
#[cfg(unix)]
mod process_info;
#[cfg(all(mi_v3, target_os = "linux"))]
mod singleton_pages;
#[cfg(all(mi_v3, unix))]
mod subproc;
#[cfg(all(mi_v3, target_os = "linux"))]
mod subproc_memory;
#[cfg(all(mi_v2, unix))]
mod subproc_v2;
#[cfg(mi_v2)]
mod visit_abandoned;
mod visit_main;

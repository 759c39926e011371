//! Arenas: large areas of memory, from the operating system or from the program, in which mimalloc
//! places its pages. It makes arenas by itself; these functions add to them.

#[cfg(any(mi_v2, docsrs))]
pub(crate) mod v2;
#[cfg(mi_v3)]
mod v3;

#[cfg(mi_v2)]
pub use self::v2::*;
#[cfg(mi_v3)]
pub use self::v3::*;

use core::ffi::c_void;
use cty::c_int;

use crate::heap::mi_heap_t;

extern "C" {
    /// Reserves `pages` huge pages (1 GiB each) as arenas, spread evenly over NUMA nodes.
    ///
    /// `numa_nodes` 0 means all nodes of the system. `timeout_msecs` is the time for all of it, in
    /// milliseconds; 0 means no limit. Memory in huge pages is never returned to the operating
    /// system.
    ///
    /// Returns 0, or `ENOMEM` at the first node that yields no page (what earlier nodes gave stays
    /// in use). A node that gave a part of its share counts as a success. `pages` 0 returns 0.
    ///
    /// It takes a 64-bit system that grants the program such pages (Linux or Windows).
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call.
    pub fn mi_reserve_huge_os_pages_interleave(
        pages: usize,
        numa_nodes: usize,
        timeout_msecs: usize,
    ) -> c_int;

    /// Reserves `pages` huge pages (1 GiB each) at the NUMA node `numa_node` as an arena.
    ///
    /// A negative `numa_node` leaves the node to the system; a number beyond the last node wraps
    /// around. `timeout_msecs` is in milliseconds; 0 means no limit. Memory in huge pages is never
    /// returned to the operating system.
    ///
    /// Returns 0 if at least one page was had (or `pages` is 0), otherwise `ENOMEM`.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call.
    pub fn mi_reserve_huge_os_pages_at(
        pages: usize,
        numa_node: c_int,
        timeout_msecs: usize,
    ) -> c_int;

    /// As [`mi_reserve_huge_os_pages_at`], and stores the id of the new arena in `*arena_id`.
    ///
    /// With `exclusive`, only heaps made by [`mi_heap_new_in_arena`] allocate from it. If no arena
    /// was made, `*arena_id` is NULL on v3, and 0 or -1 on v2.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `arena_id` is NULL or may be written to.
    pub fn mi_reserve_huge_os_pages_at_ex(
        pages: usize,
        numa_node: c_int,
        timeout_msecs: usize,
        exclusive: bool,
        arena_id: *mut mi_arena_id_t,
    ) -> c_int;

    /// Reserves huge pages as [`mi_reserve_huge_os_pages_interleave`] does, over all nodes and in
    /// at most `max_secs` seconds; prints a warning that it is deprecated.
    ///
    /// `*pages_reserved` is set to `pages` on success, even if only a part was had, and to 0
    /// otherwise. Returns 0 or `ENOMEM`.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `max_secs` is neither negative nor NaN. `pages_reserved` is NULL or may be written to.
    #[deprecated(
        note = "use `mi_reserve_huge_os_pages_interleave` or `mi_reserve_huge_os_pages_at`"
    )]
    pub fn mi_reserve_huge_os_pages(
        pages: usize,
        max_secs: f64,
        pages_reserved: *mut usize,
    ) -> c_int;

    /// Reserves `size` bytes of the operating system's memory as an arena.
    ///
    /// With `commit` all of it is committed at once, otherwise when it is needed. `allow_large`
    /// permits large pages (2 or 4 MiB), if the option `allow_large_os_pages` does too.
    ///
    /// v2 rounds `size` up to a multiple of 32 MiB (4 MiB on 32-bit); v3 rounds it down to a
    /// multiple of `mi_arena_min_size()`, which is 32 MiB too (8 MiB on 32-bit).
    ///
    /// Returns 0, or `ENOMEM` if memory has run out, the rounded `size` is 0 or beyond
    /// `PTRDIFF_MAX`, or there are too many arenas.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Safe to call on v3. On v2 the calling thread must have allocated before, or called
    /// [`mi_thread_init`](crate::mi_thread_init): otherwise it crashes.
    pub fn mi_reserve_os_memory(size: usize, commit: bool, allow_large: bool) -> c_int;

    /// As [`mi_reserve_os_memory`], and stores the id of the new arena in `*arena_id`.
    ///
    /// With `exclusive`, only heaps made by [`mi_heap_new_in_arena`] allocate from it. If no arena
    /// was made, `*arena_id` is NULL on v3, and 0 or -1 on v2.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// `arena_id` is NULL or may be written to.
    pub fn mi_reserve_os_memory_ex(
        size: usize,
        commit: bool,
        allow_large: bool,
        exclusive: bool,
        arena_id: *mut mi_arena_id_t,
    ) -> c_int;

    /// Makes an arena of `size` bytes of the program's own memory at `start`.
    ///
    /// `is_committed`: it can be used as it is. `is_pinned` (v2 calls it `is_large`): it must not
    /// be decommitted or reset. `is_zero`: all its bytes are zero. `numa_node` is the node it is
    /// at, or -1.
    ///
    /// v2 aligns `start` up to 32 MiB and takes whole units of that size (4 MiB on 32-bit). v3
    /// aligns `start` up to `mi_arena_min_alignment()`, of which a full unit must be left then, and
    /// takes whole units of `mi_arena_min_size()`; the beginning holds its administration.
    ///
    /// Returns false if no unit fits, if memory for the administration cannot be had, or if there
    /// are too many arenas.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// From `start` on, `size` bytes belong to mimalloc until the process ends, and are what the
    /// flags say; `is_pinned` goes with `is_committed` only. Unless pinned, the memory is pages
    /// that the system may decommit and commit again.
    pub fn mi_manage_os_memory(
        start: *mut c_void,
        size: usize,
        is_committed: bool,
        is_pinned: bool,
        is_zero: bool,
        numa_node: c_int,
    ) -> bool;

    /// As [`mi_manage_os_memory`], and stores the id of the new arena in `*arena_id`.
    ///
    /// With `exclusive`, only heaps made by [`mi_heap_new_in_arena`] allocate from it. If no arena
    /// was made, `*arena_id` is NULL on v3, and 0 or -1 on v2.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// As for [`mi_manage_os_memory`]; and `arena_id` is NULL or may be written to.
    pub fn mi_manage_os_memory_ex(
        start: *mut c_void,
        size: usize,
        is_committed: bool,
        is_pinned: bool,
        is_zero: bool,
        numa_node: c_int,
        exclusive: bool,
        arena_id: *mut mi_arena_id_t,
    ) -> bool;

    /// Prints all arenas and how they are filled; the same as [`mi_arenas_print`].
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call.
    pub fn mi_debug_show_arenas();

    /// Prints all arenas (v3: those of the calling thread's subprocess) and how they are filled, to
    /// where [`mi_register_output`](crate::mi_register_output) points. The text is for the eye and
    /// changes from release to release.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// Always safe to call.
    pub fn mi_arenas_print();

    /// Returns the start of the arena `arena_id` and stores its size, in bytes, in `*size`.
    ///
    /// For no arena (NULL on v3; on v2 every number that is not an id) the result is NULL and
    /// `*size` 0.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// On v3 `arena_id` is NULL or an arena's id. `size` is NULL or may be written to.
    pub fn mi_arena_area(arena_id: mi_arena_id_t, size: *mut usize) -> *mut c_void;

    /// Makes a heap that allocates in the arena `arena_id` only; otherwise as
    /// [`mi_heap_new`](crate::mi_heap_new).
    ///
    /// When the arena is full an allocation fails: it never falls back to other memory. With no
    /// arena (NULL on v3, 0 on v2) the heap is not bound.
    ///
    /// On v2 such a heap may take over memory of threads that have ended, so
    /// [`mi_heap_destroy`](crate::mi_heap_destroy) only deletes it.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// On v3 `arena_id` is NULL or the id of an arena of the calling thread's subprocess.
    pub fn mi_heap_new_in_arena(arena_id: mi_arena_id_t) -> *mut mi_heap_t;
}

// When the program's function for deferred frees is called. Included before upstream's C, only with releases
// that this was checked with. Some calls are skipped: the thread's own allocations and collections call the function
// soon enough.
#include "mimalloc.h"

// As in `program_options.h`, the first token between the parentheses distinguishes a declaration from a call.
#define _mi_deferred_free(...)  MI_MALLOC_SYS_DEFERRED_FREE_##__VA_ARGS__ )
#if MI_MALLOC_VERSION >= 30000
// Upstream also calls it while it allocates metadata of threads and heaps, under the lock of those metadata. A function
// that allocates then deadlocks as soon as it needs such metadata itself, as in a new thread.
#define MI_MALLOC_SYS_DEFERRED_FREE_mi_theap_t  _mi_deferred_free(mi_theap_t
#define MI_MALLOC_SYS_DEFERRED_FREE_theap \
  (mi_theap_subproc(theap)->theap_meta == theap) ? (void)0 : _mi_deferred_free(theap
#else
// Upstream also calls it when a thread ends and has no default heap any more (`_mi_thread_heap_done` in `init.c`). A
// function that allocates then gives the thread a new heap, whose end calls the function again, until the C library
// calls no further destructors: the last heap is never ended, with 2 MiB of resident memory for each thread.
#define MI_MALLOC_SYS_DEFERRED_FREE_mi_heap_t  _mi_deferred_free(mi_heap_t
#define MI_MALLOC_SYS_DEFERRED_FREE_heap \
  !mi_heap_is_initialized(mi_prim_get_default_heap()) ? (void)0 : _mi_deferred_free(heap
#endif

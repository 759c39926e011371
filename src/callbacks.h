// When the program's function for deferred frees is called, on v3. Included before upstream's `static.c`, of a release
// that this was checked with.
//
// Upstream also calls it while it allocates data about threads and heaps, under the lock of that data. A function that
// allocates then waits for the lock for ever as soon as it needs such data itself, as in a thread that begins. Those
// times are left out: the thread's own allocations and collections call it soon enough.
#include "mimalloc.h"

#if MI_MALLOC_VERSION >= 30000
// As in `program_options.h`, the first token between the parentheses tells a declaration from a call.
#define _mi_deferred_free(...)  MI_MALLOC_SYS_DEFERRED_FREE_##__VA_ARGS__ )
#define MI_MALLOC_SYS_DEFERRED_FREE_mi_theap_t  _mi_deferred_free(mi_theap_t
#define MI_MALLOC_SYS_DEFERRED_FREE_theap \
  (mi_theap_subproc(theap)->theap_meta == theap) ? (void)0 : _mi_deferred_free(theap
#endif

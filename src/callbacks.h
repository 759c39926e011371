// When the program's function for deferred frees is called, on v3. Included before upstream's `static.c`, only with
// releases that this was checked with.
//
// Upstream also calls it while it allocates metadata of threads and heaps, under the lock of those metadata. A function
// that allocates then deadlocks as soon as it needs such metadata itself, as in a new thread. Those calls are skipped:
// the thread's own allocations and collections call the function soon enough.
#include "mimalloc.h"

#if MI_MALLOC_VERSION >= 30000
// As in `program_options.h`, the first token between the parentheses distinguishes a declaration from a call.
#define _mi_deferred_free(...)  MI_MALLOC_SYS_DEFERRED_FREE_##__VA_ARGS__ )
#define MI_MALLOC_SYS_DEFERRED_FREE_mi_theap_t  _mi_deferred_free(mi_theap_t
#define MI_MALLOC_SYS_DEFERRED_FREE_theap \
  (mi_theap_subproc(theap)->theap_meta == theap) ? (void)0 : _mi_deferred_free(theap
#endif

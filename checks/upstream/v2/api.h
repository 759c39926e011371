// v3's test-api.c for v2: five names that v2 has in another form, or lacks.
#include <errno.h>
// Alignments above this limit are served differently.
#define MI_PAGE_MAX_OVERALLOC_ALIGN  MI_BLOCK_ALIGNMENT_MAX
#define mi_theap_zalloc_csize        mi_heap_zalloc
#define mi_heap_contains             mi_heap_contains_block
// v2 declares these two always, and defines them only where malloc is overridden.
#define mi_malloc_size               mi_usable_size
#define mi_malloc_usable_size        mi_usable_size
// v2 has no such heaps; the test expects an error.
#define mi_heap_new_qsbr()           (err = ENOSYS, (mi_heap_t*)0)

// Blocks above 64 KiB, up to 512 KiB, on v3: each has a page of its own, and a thread retains its latest such pages.
// Included before upstream's C, only with releases that this was checked with; `singleton_pages.c` is included
// after it.
//
// * By default upstream allocates most of them from pages of 4 MiB, each for one size class (80 KiB: of 512 KiB). What is
//   free in them is resident, and serves no other size: programs whose blocks of this size vary peak much higher. With
//   MI_ENABLE_LARGE_PAGES=0 (`singleton_pages` in `build/modes.rs`) each block has a page of its own (a singleton),
//   whose memory any size may take next.
// * Then upstream treats them as it treats larger blocks: it abandons the page when the block is allocated, and returns
//   the page to the arena when the block is freed, which takes thirty times as long as a block from a page with others.
//   So here the latest few of a thread's singletons stay in its huge queue while they are in use, and when they are freed
//   they are retired, as pages of smaller blocks are. The next block of about the same size takes one of them.
//
// Left out where `build/modes.rs` leaves upstream's large pages: with mitigations, debug builds, guard pages and memory
// checkers, which use the bytes of free blocks. `MIMALLOC_SYS_DEFINES=MI_ENABLE_LARGE_PAGES=1` leaves it out too.
#include "mimalloc.h"

#if MI_MALLOC_VERSION >= 30000 && !MI_MALLOC_SYS_NO_REUSE
#include "mimalloc/types.h"
#include "mimalloc/track.h"
#if !MI_ENABLE_LARGE_PAGES && !MI_SECURE && !MI_DEBUG && !MI_PADDING && !MI_ENCODE_FREELIST && !MI_GUARDED && \
    MI_SAMPLE < 2 && MI_STATS < 2 && !MI_TRACK_ENABLED && !MI_TSAN && !MI_QSBR
#define MI_MALLOC_SYS_SINGLETONS  1

// Up to this size a thread reclaims one of its abandoned pages when it frees a block in it. Upstream's is a quarter of the
// largest block that shares a page: 128 KiB with large pages, but 16 KiB without them.
#undef MI_MAX_RECLAIM_OBJ_SIZE
#define MI_MAX_RECLAIM_OBJ_SIZE  MI_LARGE_MAX_OBJ_SIZE

// The names of upstream's functions become macros, so their declarations come first. As in `reuse.h`, tokens of the
// arguments distinguish the calls from a definition.
#include "mimalloc/alloc/page.h"

// An allocation that needs a new page.
static mi_page_t* mi_malloc_sys_page_fresh_alloc(mi_theap_t* theap, mi_page_queue_t* pq, size_t block_size,
                                                 size_t alignment);
#define _mi_page_fresh_alloc(...)            MI_MALLOC_SYS_FRESH_ALLOC_##__VA_ARGS__ )
#define MI_MALLOC_SYS_FRESH_ALLOC_mi_theap_t _mi_page_fresh_alloc(mi_theap_t
#define MI_MALLOC_SYS_FRESH_ALLOC_theap      mi_malloc_sys_page_fresh_alloc(theap

// A page all of whose blocks are in use.
static void mi_malloc_sys_page_to_full(mi_page_t* page, mi_page_queue_t* pq);
#define _mi_page_to_full(...)                MI_MALLOC_SYS_TO_FULL_##__VA_ARGS__ )
#define MI_MALLOC_SYS_TO_FULL_mi_page_t      _mi_page_to_full(mi_page_t
#define MI_MALLOC_SYS_TO_FULL_page           mi_malloc_sys_page_to_full(page

// A page that has become empty. `global.c` calls it too.
static void mi_malloc_sys_retire(mi_page_t* page);
#define _mi_page_retire(...)                 MI_MALLOC_SYS_RETIRE_##__VA_ARGS__ )
#define MI_MALLOC_SYS_RETIRE_mi_page_t       _mi_page_retire(mi_page_t
#define MI_MALLOC_SYS_RETIRE_page            mi_malloc_sys_retire(page

// For `free_blocks.c`.
mi_decl_hidden void mi_malloc_sys_abandon_retained(mi_theap_t* theap);
#endif
#endif

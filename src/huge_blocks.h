// Blocks above MI_LARGE_MAX_OBJ_SIZE, on v3: they take memory only where the program touches them, and large ones are
// counted without a merge of all statistics. Included before upstream's C, only with releases that this was
// checked with; `huge_blocks.c` is included after it.
//
// * Upstream stores the link of the free list in the first word of a free block. Such a block is alone in its page, so
//   that link is always NULL. But writing it makes memory resident: a huge page, which the system first fills with
//   zeroes. Here the link is not read, and only the owner of a retained page (`singleton_pages.c`) writes it.
// * Upstream writes zeroes to all of a zeroed block if its memory was ever in use. Memory that was purged or moved away
//   since is empty, and the system fills it with zeroes when it is touched. So on Linux the system is queried which
//   parts of the block are resident, and only those are written to.
// * Upstream merges all statistics of a thread when it has allocated or freed so many bytes (`stats_merge_threshold`). A
//   block of that size merges them whenever it is allocated or freed. Here it is counted in its heap's statistics at once.
//
// Left out where more is written to a free block, or read from it: mitigations, debug builds, memory checkers.
// `MIMALLOC_SYS_DEFINES=MI_MALLOC_SYS_NO_REUSE=1` leaves this out too.
#include "mimalloc.h"

#if MI_MALLOC_VERSION >= 30000 && !MI_MALLOC_SYS_NO_REUSE
#include "mimalloc/types.h"
#include "mimalloc/track.h"
#if !MI_SECURE && !MI_DEBUG && !MI_PADDING && !MI_ENCODE_FREELIST && !MI_GUARDED && MI_SAMPLE < 2 && MI_STATS < 2 && \
    !MI_TRACK_ENABLED && !MI_TSAN
#define MI_MALLOC_SYS_HUGE_BLOCKS  1

// The names of upstream's functions become macros, so their declarations come first.
#include "mimalloc/alloc/alloc.h"
#include "mimalloc/alloc/page.h"

// Only the huge queue (`MI_BIN_HUGE`) has blocks of such a size. Its pages have one block each.
static mi_decl_forceinline bool mi_malloc_sys_has_no_list(const mi_page_t* page) {
  return (page->block_size > MI_LARGE_MAX_OBJ_SIZE);
}

// As in `reuse.h`, tokens of the arguments distinguish the calls from a definition, and from each other.

// The free list of a new page.
static void mi_malloc_sys_free_list_extend(mi_page_t* page, size_t bsize, size_t extend);
#define mi_page_free_list_extend(...)        MI_MALLOC_SYS_EXTEND_##__VA_ARGS__ )
#define MI_MALLOC_SYS_EXTEND_mi_page_t       mi_page_free_list_extend(mi_page_t
#define MI_MALLOC_SYS_EXTEND_page            mi_malloc_sys_free_list_extend(page

// An allocation from a page with a free block.
static void* mi_malloc_sys_page_malloc_zero(mi_theap_t* theap, mi_page_t* page, size_t size, bool zero);
#define _mi_page_malloc_zero(...)            MI_MALLOC_SYS_PAGE_MALLOC_##__VA_ARGS__ )
#define MI_MALLOC_SYS_PAGE_MALLOC_mi_theap_t _mi_page_malloc_zero(mi_theap_t
#define MI_MALLOC_SYS_PAGE_MALLOC_theap      mi_malloc_sys_page_malloc_zero(theap

// The link of a free block, where a block is freed without ownership of its page. Upstream abandons a full page, and
// `singleton_pages.c` retains only some, of blocks up to 512 KiB. So nearly all larger blocks are freed in this way. All
// other calls stay as they are.
static mi_decl_forceinline void mi_malloc_sys_set_next(const mi_block_t* next, const mi_page_t* page, mi_block_t* block) {
  mi_block_set_next(page, block, next);
}
static mi_decl_forceinline void mi_malloc_sys_set_next_remote(const mi_block_t* next, const mi_page_t* page,
                                                              mi_block_t* block)
{
  if mi_likely(!mi_malloc_sys_has_no_list(page)) { mi_block_set_next(page, block, next); }
}
#define mi_block_set_next(page, block, ...)  MI_MALLOC_SYS_SET_NEXT_##__VA_ARGS__, page, block)
#define MI_MALLOC_SYS_SET_NEXT_mi_tf_block   mi_malloc_sys_set_next_remote(mi_tf_block
#define MI_MALLOC_SYS_SET_NEXT_lfree         mi_malloc_sys_set_next(lfree
#define MI_MALLOC_SYS_SET_NEXT_next          mi_malloc_sys_set_next(next
#define MI_MALLOC_SYS_SET_NEXT_page          mi_malloc_sys_set_next(page
#define MI_MALLOC_SYS_SET_NEXT_blocks        mi_malloc_sys_set_next(blocks
#define MI_MALLOC_SYS_SET_NEXT_NULL          mi_malloc_sys_set_next(NULL

// The collection of such a block.
static void mi_malloc_sys_thread_collect(mi_page_t* page, mi_block_t* head);
#define mi_page_thread_collect_to_local(...) MI_MALLOC_SYS_COLLECT_##__VA_ARGS__ )
#define MI_MALLOC_SYS_COLLECT_mi_page_t      mi_page_thread_collect_to_local(mi_page_t
#define MI_MALLOC_SYS_COLLECT_page           mi_malloc_sys_thread_collect(page

// The statistics of a page's blocks.
#if MI_STATS
static void mi_malloc_sys_merge_stats(mi_theap_t* theapx, const mi_page_t* page, size_t alloc_count, size_t free_count);
#define mi_theap_page_merge_stats(...)       MI_MALLOC_SYS_MERGE_STATS_##__VA_ARGS__ )
#define MI_MALLOC_SYS_MERGE_STATS_mi_theap_t mi_theap_page_merge_stats(mi_theap_t
#define MI_MALLOC_SYS_MERGE_STATS_theapx     mi_malloc_sys_merge_stats(theapx
#endif
#endif
#endif

// Large blocks that a program allocates again and again, on v3. Included before upstream's C, only with
// releases that this was checked with; `reuse.c` is included after it.
//
// Upstream purges a free range of 32 MiB or more in an arena at once, and unmaps a block that fits no arena. A program
// that needs such a buffer for each of its tasks pays each time for faulting in all its pages, and for new addresses.
//
// * A range that was freed twice within a while (`mi_malloc_sys_reuse_time`), and so was allocated in between, is purged
//   after the delay, as smaller ones are. Any other one is purged at once, so that a program that frees its only large
//   buffer returns it. So is one of half that size, if no other was freed within the while before. While much purged
//   memory is soon in use again (`purge.h`), every range waits.
// * A block above 128 MiB of the main heap has a mapping of its own, unless the program has reserved an arena. (Upstream
//   maps only what fits no arena.) In an arena it would have to fit between two tables of page metadata, 256 MiB apart.
// * Likewise such a mapping is kept for a while, with its page (`mi_malloc_sys_keep_time`), if it was freed twice within
//   that while, or took the place of one that was. It serves the next block of up to its size, if that has at least an
//   eighth of it. If it grows, it mostly does in place (`large.c`). What it does not use is discarded after the same
//   while.
// * Before a new mapping, kept ones that are too small for it are unmapped, and what is free in arenas is purged, so that
//   neither adds to the peak.
// * The addresses of a large mapping are reused for the next one: upstream's page map keeps 4 KiB for every 32 MiB of
//   addresses that were ever in use.
//
// `MIMALLOC_SYS_DEFINES=MI_MALLOC_SYS_NO_REUSE=1` leaves this out, and with it `purge.h`, `huge_blocks.h`,
// `singleton_pages.h` (so that upstream's pages of 4 MiB return), `slices.h` and the defaults of two purge options
// (`program_options.h`).
#include "mimalloc.h"

#if MI_MALLOC_VERSION >= 30000 && !MI_MALLOC_SYS_NO_REUSE
#define MI_MALLOC_SYS_REUSE  1

#include "mimalloc/types.h"

// Upstream defines a function and calls it in one translation unit. As in `program_options.h`, the first token between the
// parentheses distinguishes a declaration from a call. `reuse.c` calls upstream's function by its name in parentheses,
// which no macro replaces.
static void mi_malloc_sys_schedule_purge(mi_arena_t* arena, size_t slice_index, size_t slice_count);
#define mi_arena_schedule_purge(...)              MI_MALLOC_SYS_SCHEDULE_PURGE_##__VA_ARGS__ )
#define MI_MALLOC_SYS_SCHEDULE_PURGE_mi_arena_t   mi_arena_schedule_purge(mi_arena_t
#define MI_MALLOC_SYS_SCHEDULE_PURGE_arena        mi_malloc_sys_schedule_purge(arena

static void mi_malloc_sys_arenas_try_purge(bool force, bool visit_all, mi_subproc_t* subproc, size_t tseq);
static void mi_malloc_sys_try_purge_after_free(bool force, bool visit_all, mi_subproc_t* subproc, size_t tseq);
#define mi_arenas_try_purge(...)                  MI_MALLOC_SYS_TRY_PURGE_##__VA_ARGS__ )
#define MI_MALLOC_SYS_TRY_PURGE_bool              mi_arenas_try_purge(bool
#define MI_MALLOC_SYS_TRY_PURGE_false             mi_malloc_sys_try_purge_after_free(false
#define MI_MALLOC_SYS_TRY_PURGE_true              mi_malloc_sys_arenas_try_purge(true
#define MI_MALLOC_SYS_TRY_PURGE_force_purge       mi_malloc_sys_arenas_try_purge(force_purge

// Addresses: where upstream passes its own address hints. With mitigations addresses are deliberately not reused.
#if defined(__linux__) && UINTPTR_MAX > UINT32_MAX && !MI_SECURE && !defined(MI_NO_ALIGNED_HINT)
#define MI_MALLOC_SYS_REUSE_ADDRESSES  1
#include <sys/mman.h>

static void* mi_malloc_sys_aligned_hint(size_t alignment, size_t size);
static int mi_malloc_sys_munmap(void* addr, size_t size);
#define _mi_os_get_aligned_hint(...)              MI_MALLOC_SYS_ALIGNED_HINT_##__VA_ARGS__ )
#define MI_MALLOC_SYS_ALIGNED_HINT_size_t         _mi_os_get_aligned_hint(size_t
#define MI_MALLOC_SYS_ALIGNED_HINT_try_alignment  mi_malloc_sys_aligned_hint(try_alignment
#define munmap(addr, size)                        mi_malloc_sys_munmap(addr, size)

// Mappings are kept together with their pages, which are abandoned as soon as their block is allocated. The hooks of
// `singleton_pages.h` see where such a page is allocated. With upstream's large pages there are none.
#if MI_PAGE_META_IS_ALIGNED && MI_MALLOC_SYS_SINGLETONS
#define MI_MALLOC_SYS_KEEP  1
#include "mimalloc/alloc/page.h"

// The arenas that upstream reserves, and the pages that it allocates in them.
static bool mi_malloc_sys_arena_reserve(mi_subproc_t* subproc, size_t size, bool allow_large, mi_arena_id_t* arena_id);
#define _mi_arena_reserve(...)                    MI_MALLOC_SYS_ARENA_RESERVE_##__VA_ARGS__ )
#define MI_MALLOC_SYS_ARENA_RESERVE_mi_subproc_t  _mi_arena_reserve(mi_subproc_t
#define MI_MALLOC_SYS_ARENA_RESERVE_subproc       mi_malloc_sys_arena_reserve(subproc

static uint8_t* mi_malloc_sys_alloc_from_slices(mi_theap_t* theap, size_t slice_count, size_t block_size, bool commit,
                                                bool allow_large, mi_memid_t* memid, mi_arena_pages_t** arena_pages,
                                                mi_page_t** page, size_t* block_start);
#define mi_arenas_page_alloc_from_slices(...)     MI_MALLOC_SYS_FROM_SLICES_##__VA_ARGS__ )
#define MI_MALLOC_SYS_FROM_SLICES_mi_theap_t      mi_arenas_page_alloc_from_slices(mi_theap_t
#define MI_MALLOC_SYS_FROM_SLICES_theap           mi_malloc_sys_alloc_from_slices(theap

// A walk of a heap.
static bool mi_malloc_sys_visit_blocks_locked(mi_heap_t* heap, bool abandoned_only, bool visit_blocks,
                                              mi_block_visit_fun* visitor, void* arg);
#define mi_heap_visit_blocks_locked(...)          MI_MALLOC_SYS_VISIT_BLOCKS_##__VA_ARGS__ )
#define MI_MALLOC_SYS_VISIT_BLOCKS_mi_heap_t      mi_heap_visit_blocks_locked(mi_heap_t
#define MI_MALLOC_SYS_VISIT_BLOCKS_heap           mi_malloc_sys_visit_blocks_locked(heap

// The free of a block in an abandoned page. True if the page is empty and was disposed of, or is kept.
mi_decl_hidden bool mi_malloc_sys_keep_if_empty(mi_page_t* page);
#define mi_abandoned_page_collect_empty(...)      MI_MALLOC_SYS_COLLECT_EMPTY_##__VA_ARGS__ )
#define MI_MALLOC_SYS_COLLECT_EMPTY_mi_page_t     mi_abandoned_page_collect_empty(mi_page_t
#define MI_MALLOC_SYS_COLLECT_EMPTY_page \
  (page->memid.memkind == MI_MEM_OS && mi_malloc_sys_keep_if_empty(page)) || mi_abandoned_page_collect_empty(page

// With `destroy_on_exit`. The main subprocess is destroyed last.
static void mi_malloc_sys_destroy_kept(mi_subproc_t* subproc);
#define _mi_arenas_unsafe_destroy_all(...)        MI_MALLOC_SYS_DESTROY_ALL_##__VA_ARGS__ )
#define MI_MALLOC_SYS_DESTROY_ALL_mi_subproc_t    _mi_arenas_unsafe_destroy_all(mi_subproc_t
#define MI_MALLOC_SYS_DESTROY_ALL_subproc         mi_malloc_sys_destroy_kept(subproc), _mi_arenas_unsafe_destroy_all(subproc

// For `singleton_pages.c`.
mi_decl_hidden mi_page_t* mi_malloc_sys_take_kept(mi_theap_t* theap, size_t block_size);
mi_decl_hidden void mi_malloc_sys_kept_to_full(mi_page_t* page);
mi_decl_hidden void mi_malloc_sys_before_mapping(mi_theap_t* theap, size_t block_size);
mi_decl_hidden void mi_malloc_sys_after_mapping(const mi_page_t* page);
mi_decl_hidden mi_page_t* mi_malloc_sys_alloc_in_arena(mi_theap_t* theap, mi_page_queue_t* pq, size_t block_size,
                                                       size_t alignment);

// For `large.c`.
mi_decl_hidden void mi_malloc_sys_do_not_keep(const mi_memid_t* memid);
mi_decl_hidden size_t mi_malloc_sys_kept_capacity(mi_theap_t* theap, size_t block_size);
mi_decl_hidden bool mi_malloc_sys_grow_in_mapping(mi_page_t* page, size_t size);
mi_decl_hidden bool mi_malloc_sys_shrink_in_mapping(mi_page_t* page, size_t size);
#endif
#endif

// For `large.c`: whether memory was copied from this address recently too.
mi_decl_hidden bool mi_malloc_sys_is_copied_again(uintptr_t address);
#endif

// Memory inside free blocks, on v3: returned to the system although other blocks of their page are in use. Included after
// upstream's `static.c`, only with releases that this was checked with.
//
// Upstream purges slices, so a page with one block in use keeps the memory of all its free blocks. After a peak the
// surviving blocks are scattered, and with blocks of 16 KiB each of them keeps half a megabyte. Here all pages of the
// system inside a free block are discarded, except that with the link of the free list.
//
// * Only the owner of a page may read its free lists. So a thread that becomes idle abandons its pages with such blocks:
//   upstream's state of a page without an owner, from which any thread claims it, this one included.
// * A free block is discarded when it was found free twice, `age` milliseconds apart. The words after the link record
//   when it was first found, so a block that is in use in between starts anew.
//
// A program calls this through `purge.rs`; nothing here runs by itself.
#if MI_MALLOC_VERSION >= 30000 && defined(__linux__) && !MI_DEBUG && !MI_GUARDED && !MI_TRACK_ENABLED && !MI_TSAN && !MI_QSBR
#define MI_MALLOC_SYS_FREE_BLOCKS  1

// The words that follow the link. The memory of a new page is zero, and is not written to.
typedef struct mi_malloc_sys_free_block_s {
  mi_block_t link;
  uint32_t   tag;
  uint32_t   found; // when it was found free, in milliseconds modulo 2^31, or that it has been discarded
} mi_malloc_sys_free_block_t;

#define MI_MALLOC_SYS_FOUND_FREE  UINT32_C(0x9D5A2C67) // not likely to be a program's data; if it is, a purge is missed
#define MI_MALLOC_SYS_DISCARDED   UINT32_C(0x80000000)

// Holds a page that is visited: `fork` takes it, so that the child has no page whose owner does not exist there.
static mi_lock_t mi_malloc_sys_free_blocks_lock = MI_LOCK_INITIALIZER;

typedef struct mi_malloc_sys_discard_s {
  mi_heap_t* heap;
  size_t     bin;
  uint32_t   now;
  uint32_t   age;
  size_t     discarded; // bytes
} mi_malloc_sys_discard_t;

// Whether a free block of this size has a page of the system beside that with the link, and its page has other blocks.
static bool mi_malloc_sys_has_interior(size_t block_size) {
  return (block_size >= 2 * _mi_os_page_size() && block_size <= MI_LARGE_MAX_OBJ_SIZE);
}

// Whether memory that is discarded is zero afterwards and stays accessible.
static bool mi_malloc_sys_may_discard(void) {
  return (mi_option_get(mi_option_purge_delay) >= 0 && mi_option_is_enabled(mi_option_purge_decommits) && !_mi_preloading() &&
          _mi_os_minimal_purge_size() <= MI_ARENA_SLICE_SIZE); // otherwise huge pages are to stay whole
}

static void mi_malloc_sys_discard_list(const mi_page_t* page, mi_block_t* list, mi_malloc_sys_discard_t* discard) {
  const size_t page_size = _mi_os_page_size();
  for (mi_block_t* block = list; block != NULL; block = mi_block_next(page, block)) {
    mi_malloc_sys_free_block_t* const state = (mi_malloc_sys_free_block_t*)block;
    const bool is_known = (state->tag == MI_MALLOC_SYS_FOUND_FREE);
    if (is_known && state->found == MI_MALLOC_SYS_DISCARDED) continue;
    if (discard->age > 0 && !is_known) {
      state->tag = MI_MALLOC_SYS_FOUND_FREE;
      state->found = discard->now;
      continue;
    }
    if (discard->age > 0 && ((discard->now - state->found) & ~MI_MALLOC_SYS_DISCARDED) < discard->age) continue;
    const uintptr_t start = mi_align_up((uintptr_t)(state + 1), page_size);
    const uintptr_t end = mi_align_down((uintptr_t)block + mi_page_block_size(page), page_size);
    state->tag = MI_MALLOC_SYS_FOUND_FREE;
    state->found = MI_MALLOC_SYS_DISCARDED;
    if (start < end && madvise((void*)start, end - start, MADV_DONTNEED) == 0) { discard->discarded += end - start; }
  }
}

static void mi_malloc_sys_discard_page(mi_page_t* page, mi_malloc_sys_discard_t* discard) {
  _mi_page_free_collect(page, false);
  if (mi_page_all_free(page)) {
    _mi_arenas_page_unabandon(page, NULL);
    _mi_arenas_page_free(page, NULL);
    return;
  }
  if (!page->free_is_zero) { mi_malloc_sys_discard_list(page, page->free, discard); }
  mi_malloc_sys_discard_list(page, page->local_free, discard);
  mi_abandoned_page_unown(page, NULL);
}

// Upstream frees an abandoned page only after it has cleared the page's bit, for which it waits while the bit is claimed
// (`mi_bitmap_try_find_and_claim`). So the page stays in memory between the first and the last access to its bit here,
// and after that because it is owned.
static bool mi_malloc_sys_discard_page_at(size_t slice_index, size_t slice_count, mi_arena_t* arena, void* arg) {
  MI_UNUSED(slice_count);
  mi_malloc_sys_discard_t* const discard = (mi_malloc_sys_discard_t*)arg;
  mi_bitmap_t* const abandoned = mi_heap_arena_pages(discard->heap, arena)->pages_abandoned[discard->bin];
  mi_lock(&mi_malloc_sys_free_blocks_lock) {
    if (mi_bitmap_clear(abandoned, slice_index)) {
      mi_page_t* const page = mi_arena_page_at_slice(arena, slice_index);
      const bool is_claimed = mi_page_claim_ownership(page);
      mi_bitmap_set(abandoned, slice_index);
      if (is_claimed) { mi_malloc_sys_discard_page(page, discard); }
    }
  }
  return true; // go on
}

static void mi_malloc_sys_discard_in(mi_heap_t* heap, mi_malloc_sys_discard_t* discard) {
  mi_subproc_t* const subproc = heap->subproc;
  discard->heap = heap;
  for (size_t i = 0; i < mi_arenas_get_count(subproc); i++) {
    mi_arena_t* const arena = mi_arena_from_index(subproc, i);
    // Memory that the program provided may be a file, and pinned memory cannot be discarded.
    if (arena == NULL || arena->memid.memkind != MI_MEM_OS || arena->memid.is_pinned || arena->commit_fun != NULL) continue;
    mi_arena_pages_t* const pages = mi_heap_arena_pages(heap, arena);
    if (pages == NULL) continue;
    for (size_t bin = 0; bin < MI_ARENA_BIN_COUNT; bin++) {
      if (!mi_malloc_sys_has_interior(_mi_bin_size(bin)) || mi_atomic_load_relaxed(&heap->abandoned_count[bin]) == 0) continue;
      discard->bin = bin;
      _mi_bitmap_forall_set(pages->pages_abandoned[bin], &mi_malloc_sys_discard_page_at, arena, discard);
    }
  }
}

static void mi_malloc_sys_abandon_in(mi_theap_t* theap) {
  for (size_t bin = 0; bin < MI_BIN_FULL; bin++) {
    mi_page_queue_t* const queue = &theap->pages[bin];
    if (!mi_malloc_sys_has_interior(queue->block_size)) continue;
    for (mi_page_t* page = queue->first; page != NULL; ) {
      mi_page_t* const next = page->next; // the page leaves the queue
      if (page->memid.memkind == MI_MEM_ARENA && !mi_page_is_singleton(page)) { _mi_page_abandon(page, queue); }
      page = next;
    }
  }
}
#endif

#if defined(__cplusplus)
extern "C" {
#endif

// For `purge.rs`, in each build. Only pages of the main heap, in which threads allocate by default, are visited.
void mi_malloc_sys_abandon_pages(void) {
  #if MI_MALLOC_SYS_FREE_BLOCKS
  mi_theap_t* const theap = _mi_theap_default();
  if (mi_theap_is_initialized(theap) && theap->allow_page_abandon && mi_is_process_heap_main(mi_theap_heap(theap)) &&
      mi_malloc_sys_may_discard()) { mi_malloc_sys_abandon_in(theap); }
  #endif
}

size_t mi_malloc_sys_purge_free_blocks(size_t age) {
  #if MI_MALLOC_SYS_FREE_BLOCKS
  if (!mi_malloc_sys_may_discard()) return 0;
  mi_malloc_sys_discard_t discard = { NULL, 0, 0, 0, 0 };
  discard.now = (uint32_t)_mi_clock_now() & ~MI_MALLOC_SYS_DISCARDED;
  discard.age = (uint32_t)mi_min(age, MI_MALLOC_SYS_DISCARDED - 1);
  const int err = errno;
  mi_malloc_sys_discard_in(mi_heap_main(), &discard);
  errno = err;
  if (discard.discarded > 0) {
    mi_subproc_stat_counter_increase(_mi_subproc_main(), purge_calls, 1);
    mi_subproc_stat_counter_increase(_mi_subproc_main(), purged, discard.discarded);
  }
  return discard.discarded;
  #else
  MI_UNUSED(age);
  return 0;
  #endif
}

#if defined(__cplusplus)
}
#endif

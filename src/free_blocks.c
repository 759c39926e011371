// Memory inside free blocks, on v3: returned to the system although other blocks of their page are in use. Included after
// upstream's C, only with releases that this was checked with.
//
// Upstream purges slices, so a page with one block in use keeps the memory of all its free blocks. After a peak the
// surviving blocks are scattered, and with blocks of 16 KiB each of them keeps half a megabyte. Here all pages of the
// system inside a free block are discarded, except that with the link of the free list.
//
// * Only the owner of a page may read its free lists. So a thread that becomes idle abandons its pages with such blocks:
//   upstream's state of a page without an owner, from which any thread claims it, this one included.
// * A free block is discarded when it was found free twice, `age` milliseconds apart. Words behind the link record when
//   it was first found; a program that uses the block in between overwrites them.
//
// A program calls this through `free_blocks.rs`; nothing here runs by itself.
#if MI_MALLOC_VERSION >= 30000 && defined(__linux__) && !MI_DEBUG && !MI_GUARDED && !MI_TRACK_ENABLED && !MI_TSAN && !MI_QSBR
#define MI_MALLOC_SYS_FREE_BLOCKS  1
#include <time.h>

// Written behind the link of a free block, by the owner of its page. Never in a new page: its memory is zero.
typedef struct mi_malloc_sys_free_block_s {
  mi_block_t link;
  uint32_t   tag;
  uint32_t   found;   // when it was found free, in milliseconds modulo 2^31; with MI_MALLOC_SYS_DISCARDED, when discarded
  uint32_t   settled; // in the first block of a list: 0; or all are discarded, and this is one more than were in use then
} mi_malloc_sys_free_block_t;

#define MI_MALLOC_SYS_FOUND_FREE  UINT32_C(0x9D5A2C67)
#define MI_MALLOC_SYS_DISCARDED   UINT32_C(0x80000000)

// A discarded block may become resident again and still have its tag: the program did not write to the block's first words,
// or the system merged small pages and holes into a huge page. After this time (in milliseconds) the system is queried.
#define MI_MALLOC_SYS_RECHECK     60000

// After so many bytes the lock is left alone for a moment, for threads that start or end, and for `fork`.
#define MI_MALLOC_SYS_PAUSE_AFTER  (4*MI_MiB)
#define MI_MALLOC_SYS_PAUSE        50000 // nanoseconds

typedef struct mi_malloc_sys_discard_s {
  mi_heap_t* heap;
  size_t     bin;
  uint32_t   now;
  uint32_t   age;
  size_t     discarded; // bytes
  size_t     paused;    // as many had been discarded at the last pause
} mi_malloc_sys_discard_t;

// Whether a free block of this size has a page of the system besides the one with the link, in a page with other blocks.
static bool mi_malloc_sys_has_interior(size_t block_size) {
  return (block_size >= 2 * _mi_os_page_size() && block_size <= MI_LARGE_MAX_OBJ_SIZE);
}

// Whether memory may be discarded, and in units as small as a page of the system: otherwise huge pages are to stay whole.
static bool mi_malloc_sys_may_discard(void) {
  return (!_mi_preloading() && mi_arena_purge_delay() >= 0 && mi_option_is_enabled(mi_option_purge_decommits) &&
          _mi_os_minimal_purge_size() <= MI_ARENA_SLICE_SIZE);
}

static uint32_t mi_malloc_sys_elapsed(const mi_malloc_sys_free_block_t* block, const mi_malloc_sys_discard_t* discard) {
  return ((discard->now - block->found) & ~MI_MALLOC_SYS_DISCARDED);
}

static bool mi_malloc_sys_is_discarded(const mi_malloc_sys_free_block_t* block) {
  return (block->tag == MI_MALLOC_SYS_FOUND_FREE && (block->found & MI_MALLOC_SYS_DISCARDED) != 0);
}

static void mi_malloc_sys_discard_block(mi_malloc_sys_free_block_t* block, size_t size, uint32_t recheck,
                                        mi_malloc_sys_discard_t* discard)
{
  const uintptr_t start = mi_align_up((uintptr_t)(block + 1), _mi_os_page_size());
  const uintptr_t end = mi_align_down((uintptr_t)block + size, _mi_os_page_size());
  const bool was_discarded = mi_malloc_sys_is_discarded(block);
  if (block->tag != MI_MALLOC_SYS_FOUND_FREE) {
    block->tag = MI_MALLOC_SYS_FOUND_FREE;
    block->found = discard->now;
    block->settled = 0;
  }
  if (mi_malloc_sys_elapsed(block, discard) < (was_discarded ? recheck : discard->age)) return;
  block->found = (discard->now | MI_MALLOC_SYS_DISCARDED);
  if (start >= end || (was_discarded && !mi_malloc_sys_is_resident((uint8_t*)start, end - start))) return;
  if (madvise((void*)start, end - start, MADV_DONTNEED) == 0) { discard->discarded += end - start; }
}

static void mi_malloc_sys_discard_list(mi_page_t* page, mi_block_t* list, mi_malloc_sys_discard_t* discard) {
  if (list == NULL) return;
  // With a large alignment the program's data may start behind the tag.
  const bool may_be_stale = (discard->age == 0 || mi_page_has_interior_pointers(page));
  const uint32_t recheck = (may_be_stale ? discard->age : MI_MALLOC_SYS_RECHECK);
  const uint32_t settled = (uint32_t)mi_page_used(page) + 1;
  mi_malloc_sys_free_block_t* const first = (mi_malloc_sys_free_block_t*)list;
  if (mi_malloc_sys_is_discarded(first) && first->settled == settled &&
      mi_malloc_sys_elapsed(first, discard) < recheck) return;
  bool is_settled = true;
  size_t count = 0; // a block that was freed twice makes the list endless
  for (mi_block_t* block = list; block != NULL && count < page->capacity && mi_page_contains_address(page, block); count++) {
    mi_malloc_sys_free_block_t* const free_block = (mi_malloc_sys_free_block_t*)block;
    // Without the padding of secure builds, whose contents tell a double free from an overflow.
    mi_malloc_sys_discard_block(free_block, mi_page_usable_block_size(page), recheck, discard);
    is_settled = is_settled && mi_malloc_sys_is_discarded(free_block);
    block = mi_block_next(page, block);
  }
  first->settled = (is_settled ? settled : 0);
}

// The page belongs to this thread, and its bit is clear. It has blocks in use.
static void mi_malloc_sys_discard_in_page(mi_page_t* page, mi_malloc_sys_discard_t* discard) {
  if (!page->free_is_zero) { mi_malloc_sys_discard_list(page, page->free, discard); }
  mi_malloc_sys_discard_list(page, page->local_free, discard);
}

// Claims a page as an allocation does (`mi_bitmap_try_find_and_claim`). Upstream frees an abandoned page only after it has
// waited for the page's bit to be set, so the page stays in memory while the bit is clear here.
static bool mi_malloc_sys_discard_page_at(size_t slice_index, size_t slice_count, mi_arena_t* arena, void* arg) {
  MI_UNUSED(slice_count);
  mi_malloc_sys_discard_t* const discard = (mi_malloc_sys_discard_t*)arg;
  mi_bitmap_t* const abandoned = mi_heap_arena_pages(discard->heap, arena)->pages_abandoned[discard->bin];
  // Heap walks visit abandoned pages without claiming them. And `fork` takes this lock: the child has no page whose owner
  // does not exist there.
  mi_lock(&discard->heap->theaps_lock) {
    if (mi_bitmap_clear(abandoned, slice_index)) {
      mi_page_t* const page = mi_arena_page_at_slice(arena, slice_index);
      const bool is_claimed = mi_page_claim_ownership(page);
      if (is_claimed) { _mi_page_free_collect(page, false); }
      const bool is_empty = (is_claimed && mi_page_all_free(page)); // then its slices are purged
      if (is_claimed && !is_empty) {
        discard->now = (uint32_t)_mi_clock_now() & ~MI_MALLOC_SYS_DISCARDED;
        mi_malloc_sys_discard_in_page(page, discard);
      }
      mi_bitmap_set(abandoned, slice_index);
      if (is_empty) {
        _mi_arenas_page_unabandon(page, NULL);
        _mi_arenas_page_free(page, NULL);
      }
      else if (is_claimed) {
        mi_abandoned_page_unown(page, NULL);
      }
    }
  }
  if (discard->discarded - discard->paused >= MI_MALLOC_SYS_PAUSE_AFTER) {
    const struct timespec pause = { 0, MI_MALLOC_SYS_PAUSE };
    nanosleep(&pause, NULL);
    discard->paused = discard->discarded;
  }
  return true; // go on
}

static void mi_malloc_sys_discard_in(mi_heap_t* heap, mi_malloc_sys_discard_t* discard) {
  mi_subproc_t* const subproc = heap->subproc;
  discard->heap = heap;
  for (size_t i = 0; i < mi_arenas_get_count(subproc); i++) {
    mi_arena_t* const arena = mi_arena_from_index(subproc, i);
    if (arena == NULL) continue;
    // Memory that the program provided may be a file, and pinned memory cannot be discarded.
    const mi_memid_t* const memid = (arena->parent == NULL ? &arena->memid : &arena->parent->memid);
    mi_arena_pages_t* const pages = mi_heap_arena_pages(heap, arena);
    if (memid->memkind != MI_MEM_OS || memid->is_pinned || arena->commit_fun != NULL || pages == NULL) continue;
    for (size_t bin = 0; bin < MI_ARENA_BIN_COUNT; bin++) {
      if (!mi_malloc_sys_has_interior(_mi_bin_size(bin)) ||
          mi_atomic_load_relaxed(&heap->abandoned_count[bin]) == 0) continue;
      discard->bin = bin;
      _mi_bitmap_forall_set(pages->pages_abandoned[bin], &mi_malloc_sys_discard_page_at, arena, discard);
    }
  }
}

// Whether the page has free blocks that were in use before. An empty page is left to a collection.
static bool mi_malloc_sys_has_used_free_blocks(mi_page_t* page) {
  if (page->memid.memkind != MI_MEM_ARENA || mi_page_is_singleton(page)) return false;
  _mi_page_free_collect(page, false);
  return (!mi_page_all_free(page) && ((page->free != NULL && !page->free_is_zero) || page->local_free != NULL));
}

// The caller holds the lock of the heap's theaps, as at the end of a thread.
static void mi_malloc_sys_abandon_in(mi_theap_t* theap) {
  for (size_t bin = 0; bin < MI_BIN_FULL; bin++) {
    mi_page_queue_t* const queue = &theap->pages[bin];
    if (!mi_malloc_sys_has_interior(queue->block_size)) continue;
    for (mi_page_t* page = queue->first; page != NULL; ) {
      mi_page_t* const next = page->next; // the page leaves the queue
      if (mi_malloc_sys_has_used_free_blocks(page)) { _mi_page_abandon(page, queue); }
      page = next;
    }
  }
}
#endif

#if defined(__cplusplus)
extern "C" {
#endif

// For `free_blocks.rs`, in each build: abandons the thread's pages with used free blocks, and those that it retains
// (`singleton_pages.c`). Only pages of the main heap, in which threads allocate by default.
void mi_malloc_sys_abandon_pages(void) {
  #if MI_MALLOC_SYS_FREE_BLOCKS || MI_MALLOC_SYS_SINGLETONS
  mi_theap_t* const theap = _mi_theap_default();
  if (!mi_theap_is_initialized(theap) || !theap->allow_page_abandon || !mi_is_process_heap_main(mi_theap_heap(theap)) ||
      theap->tld->recurse || theap->tld->in_profiler) return;
  mi_lock(&mi_theap_heap(theap)->theaps_lock) {
    #if MI_MALLOC_SYS_FREE_BLOCKS
    if (mi_malloc_sys_may_discard()) { mi_malloc_sys_abandon_in(theap); }
    #endif
    #if MI_MALLOC_SYS_SINGLETONS
    mi_malloc_sys_abandon_retained(theap);
    #endif
  }
  #endif
}

size_t mi_malloc_sys_purge_free_blocks(size_t age) {
  #if MI_MALLOC_SYS_FREE_BLOCKS
  if (!mi_malloc_sys_may_discard()) return 0;
  mi_malloc_sys_discard_t discard = { NULL, 0, 0, 0, 0, 0 };
  discard.age = (uint32_t)mi_min(age, MI_MALLOC_SYS_DISCARDED - 1);
  const int err = errno;
  mi_malloc_sys_discard_in(_mi_subproc_heap_main(_mi_subproc_main()), &discard);
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

// Upstream's invariants of everything that the calling thread owns: its theaps, their queues, each page and its lists
// (v3). Compiled with the definitions of the library; reads upstream's structures and changes nothing.
//
// What upstream itself does not maintain is not checked: a page that other threads emptied is not retired before its
// next visit (so that is a fault only where the program has one thread); `_mi_theap_collect_retired` may forget a
// retired page that is not the only one of its queue; and a page of small blocks keeps its count of rounds of
// retirement when its thread ends while blocks are in use again.
#include "mimalloc.h"
#include "mimalloc/types.h"
#include "mimalloc/prim/prim-tls.h"
#include "mimalloc/alloc/page.h"
#include "mimalloc/heap/init.h"
#include <stdarg.h>
#include <stdio.h>

// The maximum number of rounds of housekeeping for which a page stays retired: MI_RETIRE_CYCLES in upstream's page.c.
#define RETIRE_CYCLES  16
// How many retired pages of a queue housekeeping looks at: MI_RETIRE_MAX_PAGES there.
#define RETIRED_PAGES  3
// From this count of allocations on, the next refill resets the counts of a page (`_mi_page_update_sample_countdown`).
#define ALLOC_COUNT_RESTARTS  0x8000

static _Thread_local size_t faults;

static void fault(const mi_page_t* page, const char* format, ...) {
  faults++;
  fprintf(stderr, "invariant: ");
  if (page != NULL) {
    fprintf(stderr, "page of blocks of %zu bytes (used %zu, capacity %u, reserved %u): ", page->block_size,
            mi_page_used(page), page->capacity, page->reserved);
  }
  va_list arguments;
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fprintf(stderr, "\n");
}

// The blocks that were found in a list of the page. A page has fewer than 65536.
typedef struct seen_s {
  uint8_t bits[0x10000 / 8];
} seen_t;

// The next block in a list. The link of a block that is alone in its page is not always written (`src/huge_blocks.h`).
static const mi_block_t* next_in_list(const mi_page_t* page, const mi_block_t* block) {
  return (page->block_size > MI_LARGE_MAX_OBJ_SIZE ? NULL : mi_block_next(page, block));
}

// The number of blocks in a list. Each must be a block of the page, and in no other list.
static size_t length(const mi_page_t* page, const mi_block_t* block, const char* list, seen_t* seen) {
  const uint8_t* const start = mi_page_start(page);
  size_t count = 0;
  for (; block != NULL; block = next_in_list(page, block)) {
    const size_t offset = (size_t)((const uint8_t*)block - start);
    const size_t index = offset / page->block_size;
    if ((const uint8_t*)block < start || index >= page->capacity || offset % page->block_size != 0) {
      fault(page, "the %s list has %p, which is no block from %p on", list, (const void*)block, (const void*)start);
      break;
    }
    if ((seen->bits[index / 8] & (1 << (index % 8))) != 0) {
      fault(page, "the %s list has block %zu, which is in a list already", list, index);
      break;
    }
    seen->bits[index / 8] |= (uint8_t)(1 << (index % 8));
    count++;
  }
  return count;
}

static void check_lists(const mi_page_t* page) {
  seen_t seen = { { 0 } };
  const size_t free = length(page, page->free, "free", &seen);
  const size_t local = length(page, page->local_free, "local free", &seen);
  // Other threads only push blocks at the front, so the rest of the list does not change.
  const size_t remote = length(page, mi_page_thread_free(page), "thread free", &seen);
  const size_t used = mi_page_used(page);
  if (used + free + local != page->capacity) {
    fault(page, "%zu blocks are free and %zu locally free", free, local);
  }
  if (remote > used) {
    fault(page, "other threads freed %zu blocks", remote);
  }
  if (page->free_is_zero) {
    const size_t words = mi_page_usable_block_size(page) / sizeof(uintptr_t);
    for (const mi_block_t* block = page->free; block != NULL; block = next_in_list(page, block)) {
      for (size_t word = 1; word < words; word++) {
        if (((const uintptr_t*)block)[word] != 0) {
          fault(page, "its free blocks are marked as zero, and word %zu of %p is %zx", word, (const void*)block,
                (size_t)((const uintptr_t*)block)[word]);
          return;
        }
      }
    }
  }
}

// Whether all requests for such blocks are above the sizes for which upstream leaves full pages in their queue, and
// counts down to a sample only when a list is refilled (`_mi_malloc_generic`).
static bool is_large(const mi_page_t* page) {
  return _mi_bin(page->block_size) > _mi_bin(MI_SMALL_MAX_OBJ_SIZE + MI_PADDING_SIZE);
}

static void check_counts(const mi_theap_t* theap, const mi_page_t* page) {
  const size_t used = mi_page_used(page);
  const size_t allocated = mi_page_alloc_count(page);
  const size_t last_used = mi_page_last_used(page);
  const size_t last_allocated = mi_page_last_alloc(page);
  if (page->capacity > page->reserved || used > page->capacity || last_used > page->reserved) {
    fault(page, "before that, %zu were used", last_used);
  }
  if (allocated + last_used < used) {
    fault(page, "%zu were used and %zu were allocated since", last_used, allocated);
  }
  if (allocated >= ALLOC_COUNT_RESTARTS + (size_t)page->reserved) {
    fault(page, "%zu allocations were counted, and the count is about to overflow", allocated);
  }
  #if MI_SAMPLE == 1
  // What the countdown to a sample does not include yet: of large blocks nothing, of others a list of free blocks.
  const size_t unseen = (is_large(page) ? 0 : page->reserved);
  if (last_allocated > allocated || allocated - last_allocated > unseen) {
    fault(page, "%zu allocations were counted, and the countdown to a sample includes %zu (rate %zu)", allocated,
          last_allocated, theap->sample_rate);
  }
  #else
  MI_UNUSED(theap); MI_UNUSED(last_allocated);
  #endif
}

// The queue that a page belongs to.
static size_t bin_of(const mi_page_t* page) {
  if (mi_page_is_in_full(page)) return MI_BIN_FULL;
  if (mi_page_is_huge(page)) return MI_BIN_HUGE;
  return _mi_bin(mi_page_block_size(page));
}

static void check_state(const mi_theap_t* theap, const mi_page_t* page, size_t bin, bool single_thread) {
  const mi_page_queue_t* const queue = &theap->pages[bin];
  const bool special = (bin == MI_BIN_HUGE || bin == MI_BIN_FULL);
  if (page->theap != theap || mi_page_thread_id(page) != theap->tld->thread_id || !mi_page_is_owned(page)) {
    fault(page, "in the queue of a theap that it is not of");
  }
  if (mi_ptr_page(mi_page_start(page)) != page) {
    fault(page, "its blocks are found in another page");
  }
  if (bin_of(page) != bin || (!special && page->block_size != queue->block_size)) {
    fault(page, "in bin %zu, and it belongs to %zu", bin, bin_of(page));
  }
  if (mi_page_used(page) == page->reserved && is_large(page) && !special) {
    fault(page, "full, and not in the queue of full pages");
  }
  // Which pages of the huge queue may be empty: `src/singleton_pages.c`.
  const bool may_retain = (!MI_ENABLE_LARGE_PAGES && bin == MI_BIN_HUGE && page->block_size <= MI_LARGE_PAGE_SIZE/8);
  if (mi_page_used(page) == 0 && special && !may_retain) {
    fault(page, "empty, and still in bin %zu", bin);
  }
  if (mi_page_used(page) == 0 && page->retire_expire == 0 && single_thread) {
    fault(page, "empty, and neither freed nor retired");
  }
  if (page->retire_expire > RETIRE_CYCLES || (page->retire_expire != 0 && special && !may_retain)) {
    fault(page, "retired for %u rounds, in bin %zu", page->retire_expire, bin);
  }
  if (page->retire_expire != 0 && may_retain && (page->prev != NULL && page->prev->retire_expire == 0)) {
    fault(page, "retired, behind a page that is not");
  }
  if (page->retire_expire != 0 && mi_page_used(page) == 0 && queue->count == 1 && page->block_size > MI_SMALL_SIZE_MAX &&
      (bin < theap->page_retired_min || bin > theap->page_retired_max)) {
    fault(page, "retired, and its bin %zu is not in %zu to %zu", bin, theap->page_retired_min, theap->page_retired_max);
  }
}

static void check_theap(const mi_theap_t* theap, bool single_thread) {
  size_t total = 0, of_system = 0, full = 0;
  for (size_t bin = 0; bin < MI_BIN_COUNT; bin++) {
    const mi_page_queue_t* const queue = &theap->pages[bin];
    const mi_page_t* previous = NULL;
    size_t count = 0, retired = 0;
    for (const mi_page_t* page = queue->first; page != NULL; previous = page, page = page->next) {
      if (page->prev != previous) {
        fault(page, "the page before it in bin %zu is another", bin);
      }
      if (count++ > queue->count) break; // perhaps a circle
      check_state(theap, page, bin, single_thread);
      check_counts(theap, page);
      check_lists(page);
      retired += (page->retire_expire != 0);
      of_system += (page->memid.memkind != MI_MEM_ARENA);
      full += (bin == MI_BIN_FULL ? page->reserved * page->block_size : 0);
    }
    if (queue->last != previous || queue->count != count) {
      fault(NULL, "bin %zu has %zu pages and counts %zu, or its last page is another", bin, count, queue->count);
    }
    if (bin == MI_BIN_HUGE && retired > RETIRED_PAGES) {
      fault(NULL, "%zu pages of the huge queue are retired", retired);
    }
    total += count;
  }
  if (theap->page_count != total || theap->page_count_os != of_system || theap->pages_full_size != full) {
    fault(NULL, "%zu pages, %zu of the system, %zu bytes full, and the theap counts %zu, %zu, %zu", total, of_system, full,
          theap->page_count, theap->page_count_os, theap->pages_full_size);
  }
  for (size_t words = 0; words <= MI_SMALL_WSIZE_MAX; words++) {
    const mi_page_t* const first = theap->pages[_mi_bin(words * MI_SIZE_SIZE)].first;
    if (theap->pages_free_direct[words] != (first != NULL ? first : _mi_page_empty_get())) {
      fault(NULL, "the page for %zu words is not the first of its queue", words);
    }
  }
}

// The number of faults, which are printed to standard error. 0 in a thread that has allocated nothing. `single_thread`:
// no other thread has freed blocks of this one.
size_t invariants_faults(bool single_thread) {
  const mi_theap_t* const own = _mi_theap_default();
  const size_t before = faults;
  #if MI_THEAP_INITASNULL
  if (own == NULL) return 0;
  #endif
  if (!mi_theap_is_initialized(own)) return 0;
  for (const mi_theap_t* theap = own->tld->theaps; theap != NULL; theap = theap->tnext) {
    if (mi_theap_is_initialized(theap)) check_theap(theap, single_thread);
  }
  return faults - before;
}

// As the end of a purge that found nothing, while another thread frees a range: that range's purge is no longer known to
// the subprocess.
void invariants_lose_purge(void) {
  mi_atomic_storei64_release(&_mi_subproc_main()->purge_expire, (mi_msecs_t)0);
}

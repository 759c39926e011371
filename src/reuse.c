// See `reuse.h`. Included after upstream's `static.c`.
#if MI_MALLOC_SYS_REUSE
#undef munmap
#undef mi_abandoned_page_collect_empty
#undef mi_heap_visit_blocks_locked

// ---- What was freed recently.

// Which large ranges were freed recently, and when they were last freed. A range is identified by where it starts, or a
// mapping by where it ends. Only a hint: threads may overwrite each other's entries.
typedef struct mi_malloc_sys_freed_range_s {
  _Atomic(uintptr_t)  address;
  _Atomic(mi_msecs_t) time;
} mi_malloc_sys_freed_range_t;

#define MI_MALLOC_SYS_FREED_RANGES  64
static mi_malloc_sys_freed_range_t mi_malloc_sys_freed_ranges[MI_MALLOC_SYS_FREED_RANGES];

static mi_malloc_sys_freed_range_t* mi_malloc_sys_freed_range(uintptr_t address) {
  // Addresses are multiples of large powers of two, so the lowest bits do not distinguish them.
  const uint64_t mixed = (uint64_t)(address / MI_ARENA_SLICE_SIZE) * UINT64_C(0x9E3779B97F4A7C15);
  return &mi_malloc_sys_freed_ranges[(size_t)(mixed >> 32) % MI_MALLOC_SYS_FREED_RANGES];
}

// Within how many milliseconds a large block has to be freed again to count as reused, and how long its mapping is kept:
// four purge delays, but no more than a quarter of a second unless one delay is longer.
static long mi_malloc_sys_reuse_time(long delay) {
  const long quarter = 250;
  if (delay >= quarter) return delay;
  return (delay < quarter/4 ? 4*delay : quarter); // not positive if the delay is not
}

// Whether the range was also freed within the last `time` milliseconds. Records this free.
static bool mi_malloc_sys_is_reused(uintptr_t address, long time, mi_msecs_t now) {
  mi_malloc_sys_freed_range_t* const range = mi_malloc_sys_freed_range(address);
  const bool is_reused = (mi_atomic_load_relaxed(&range->address) == address &&
                          now - mi_atomic_loadi64_relaxed(&range->time) <= time);
  mi_atomic_store_relaxed(&range->address, address);
  mi_atomic_storei64_relaxed(&range->time, now);
  return is_reused;
}

// ---- Ranges of arenas.

// When a range of at least half the size that is purged at once was last freed.
static _Atomic(mi_msecs_t) mi_malloc_sys_half_freed;

static bool mi_malloc_sys_is_first_half(long time, mi_msecs_t now) {
  const mi_msecs_t last = mi_atomic_loadi64_relaxed(&mi_malloc_sys_half_freed);
  mi_atomic_storei64_relaxed(&mi_malloc_sys_half_freed, now);
  return (last == 0 || now - last > time);
}

static void mi_malloc_sys_schedule_purge(mi_arena_t* arena, size_t slice_index, size_t slice_count) {
  // Upstream purges ranges of at least this size at once, and without a delay all ranges.
  const size_t limit = mi_option_get_size(mi_option_arena_purge_immediate_size) / MI_ARENA_SLICE_SIZE;
  const long delay = mi_arena_purge_delay();
  if (delay > 0) { mi_malloc_sys_before_free(arena, slice_index, slice_count, delay); }
  bool waits = false;
  if (slice_count >= limit - limit/2 && limit >= 2 && delay > 0 && !arena->memid.is_pinned && !_mi_preloading()) {
    const long time = mi_malloc_sys_reuse_time(delay);
    const mi_msecs_t now = _mi_clock_now();
    const bool is_first = mi_malloc_sys_is_first_half(time, now);
    if (slice_count < limit) {
      if (is_first && !mi_malloc_sys_is_refaulting(arena, now)) {
        mi_arena_purge(arena, slice_index, slice_count);
        return;
      }
    }
    else {
      const uintptr_t start = (uintptr_t)mi_arena_slice_start(arena, slice_index);
      waits = (mi_malloc_sys_is_reused(start, time, now) || mi_malloc_sys_is_refaulting(arena, now));
    }
  }
  if (!waits) {
    (mi_arena_schedule_purge)(arena, slice_index, slice_count);
    return;
  }
  while (slice_count > 0) {
    const size_t count = mi_min(slice_count, limit - 1);
    (mi_arena_schedule_purge)(arena, slice_index, count);
    slice_index += count;
    slice_count -= count;
  }
}

#if MI_MALLOC_SYS_REUSE_ADDRESSES
// ---- Locks of the tables below. Without a table upstream's way still works, so nobody waits long for a lock: its owner
// may be a thread that a signal handler has interrupted.

// A lock is the id of the thread that holds it, or 0.
static bool mi_malloc_sys_try_lock(_Atomic(uintptr_t)* lock) {
  uintptr_t expected = 0;
  return mi_atomic_cas_strong_acq_rel(lock, &expected, (uintptr_t)_mi_thread_id());
}

static void mi_malloc_sys_unlock(_Atomic(uintptr_t)* lock) {
  mi_atomic_store_release(lock, (uintptr_t)0);
}

// In the child of a fork: whether a thread holds the lock that does not exist there.
static bool mi_malloc_sys_is_lost(_Atomic(uintptr_t)* lock) {
  const uintptr_t owner = mi_atomic_load_relaxed(lock);
  return (owner != 0 && owner != _mi_thread_id());
}

// ---- Addresses.
#define MI_MALLOC_SYS_LARGE_MAPPING   (32*MI_MiB)
#define MI_MALLOC_SYS_ADDRESS_RANGES  32

// Ranges of addresses that were unmapped. `end` is 0 in an empty entry.
typedef struct mi_malloc_sys_addresses_s {
  uintptr_t start;
  uintptr_t end;
} mi_malloc_sys_addresses_t;

static mi_malloc_sys_addresses_t mi_malloc_sys_addresses[MI_MALLOC_SYS_ADDRESS_RANGES];
static _Atomic(uintptr_t) mi_malloc_sys_addresses_lock;

// In the child of a fork.
static void mi_malloc_sys_repair_addresses(void) {
  if (!mi_malloc_sys_is_lost(&mi_malloc_sys_addresses_lock)) return;
  memset(mi_malloc_sys_addresses, 0, sizeof(mi_malloc_sys_addresses)); // an entry may be written in part
  mi_malloc_sys_unlock(&mi_malloc_sys_addresses_lock);
}

static size_t mi_malloc_sys_addresses_size(const mi_malloc_sys_addresses_t* range) {
  return (size_t)(range->end - range->start);
}

// Adds a range, merged with adjacent ones. If the table is full, it replaces the smallest entry.
static void mi_malloc_sys_add_addresses(uintptr_t start, uintptr_t end) {
  mi_malloc_sys_addresses_t* smallest = &mi_malloc_sys_addresses[0];
  for (size_t i = 0; i < MI_MALLOC_SYS_ADDRESS_RANGES; i++) {
    mi_malloc_sys_addresses_t* const range = &mi_malloc_sys_addresses[i];
    if (range->end != 0 && (range->start == end || range->end == start)) {
      start = mi_min(start, range->start);
      end = mi_max(end, range->end);
      range->start = range->end = 0;
    }
    if (mi_malloc_sys_addresses_size(range) < mi_malloc_sys_addresses_size(smallest)) { smallest = range; }
  }
  if (mi_malloc_sys_addresses_size(smallest) < (size_t)(end - start)) {
    smallest->start = start;
    smallest->end = end;
  }
}

// Takes addresses from the smallest range that is large enough. NULL if there is none.
static void* mi_malloc_sys_reuse_addresses(size_t alignment, size_t size) {
  mi_malloc_sys_addresses_t* best = NULL;
  for (size_t i = 0; i < MI_MALLOC_SYS_ADDRESS_RANGES; i++) {
    mi_malloc_sys_addresses_t* const range = &mi_malloc_sys_addresses[i];
    const uintptr_t start = mi_align_up(range->start, alignment);
    if (start < range->end && range->end - start >= size &&
        (best == NULL || mi_malloc_sys_addresses_size(range) < mi_malloc_sys_addresses_size(best))) { best = range; }
  }
  if (best == NULL) return NULL;
  const uintptr_t start = mi_align_up(best->start, alignment);
  const uintptr_t end = best->end;
  best->end = (best->start == start ? 0 : start);
  if (best->end == 0) { best->start = 0; }
  if (start + size < end) { mi_malloc_sys_add_addresses(start + size, end); }
  return (void*)start;
}

static void* mi_malloc_sys_aligned_hint(size_t alignment, size_t size) {
  if (size >= MI_MALLOC_SYS_LARGE_MAPPING && mi_malloc_sys_try_lock(&mi_malloc_sys_addresses_lock)) {
    void* const p = mi_malloc_sys_reuse_addresses(alignment, size);
    mi_malloc_sys_unlock(&mi_malloc_sys_addresses_lock);
    if (p != NULL) return p;
  }
  return (_mi_os_get_aligned_hint)(alignment, size);
}

static int mi_malloc_sys_munmap(void* addr, size_t size) {
  const int result = munmap(addr, size);
  const uintptr_t start = (uintptr_t)addr;
  // Only where upstream passes address hints (below MI_HINT_BASE too, if the first hint was needed before there was a
  // theap): elsewhere the system places other mappings.
  if (result == 0 && size >= MI_MALLOC_SYS_LARGE_MAPPING && start < MI_HINT_MAX &&
      mi_malloc_sys_try_lock(&mi_malloc_sys_addresses_lock))
  {
    mi_malloc_sys_add_addresses(start, start + mi_align_up(size, _mi_os_page_size()));
    mi_malloc_sys_unlock(&mi_malloc_sys_addresses_lock);
  }
  return result;
}
#endif

// ---- Mappings of blocks that fit no arena.
#if MI_MALLOC_SYS_KEEP
#include <sched.h>
#define MI_MALLOC_SYS_KEPT  4

// Where the mapping ends: one of another size at the same address is no reuse.
static uintptr_t mi_malloc_sys_mapping_end(const mi_memid_t* memid) {
  return (uintptr_t)memid->mem.os.base + memid->mem.os.size;
}

// For `large.c`: a region that memory was moved to or from consists of several mappings, or has no memory. Its next free
// does not keep it.
static void mi_malloc_sys_do_not_keep(const mi_memid_t* memid) {
  if (memid->memkind == MI_MEM_OS) {
    mi_atomic_store_relaxed(&mi_malloc_sys_freed_range(mi_malloc_sys_mapping_end(memid))->address, (uintptr_t)0);
  }
}

// An empty page of the main heap, in a mapping of its own. A free has claimed it, so nobody else touches it, but it stays
// among the heap's abandoned pages, and is counted there. NULL in an empty entry.
typedef struct mi_malloc_sys_kept_s {
  mi_page_t* page;
  mi_msecs_t expire;
} mi_malloc_sys_kept_t;

static mi_malloc_sys_kept_t mi_malloc_sys_kept[MI_MALLOC_SYS_KEPT];
static _Atomic(uintptr_t) mi_malloc_sys_keep_stopped; // set when the process ends
static _Atomic(uintptr_t) mi_malloc_sys_kept_count;
static _Atomic(uintptr_t) mi_malloc_sys_kept_lock;

// The thread that walks the main heap, or 0. It may go to any abandoned page next, so then no page is freed, nor taken by
// who may free it before the walk has ended. The lock is held while this changes.
static _Atomic(uintptr_t) mi_malloc_sys_walker;

// In the child of a fork.
static void mi_malloc_sys_repair_kept(void) {
  if (mi_malloc_sys_is_lost(&mi_malloc_sys_walker)) { mi_atomic_store_relaxed(&mi_malloc_sys_walker, (uintptr_t)0); }
  if (!mi_malloc_sys_is_lost(&mi_malloc_sys_kept_lock)) return;
  uintptr_t count = 0;
  for (size_t i = 0; i < MI_MALLOC_SYS_KEPT; i++) {
    if (mi_malloc_sys_kept[i].page != NULL) { count++; }
  }
  mi_atomic_store_relaxed(&mi_malloc_sys_kept_count, count);
  mi_malloc_sys_unlock(&mi_malloc_sys_kept_lock);
}

// `sched_yield`, since `_mi_prim_thread_yield` is a point where a thread can be cancelled.
static bool mi_malloc_sys_lock_kept(size_t yields) {
  while (!mi_malloc_sys_try_lock(&mi_malloc_sys_kept_lock)) {
    if (yields == 0) return false;
    yields--;
    sched_yield();
  }
  return true;
}

static void mi_malloc_sys_set_walker(uintptr_t walker) {
  while (!mi_malloc_sys_lock_kept(SIZE_MAX)) {}
  mi_atomic_store_relaxed(&mi_malloc_sys_walker, walker);
  mi_malloc_sys_unlock(&mi_malloc_sys_kept_lock);
}

// One thread at a time walks a heap: the caller holds a lock.
static bool mi_malloc_sys_visit_blocks_locked(mi_heap_t* heap, bool abandoned_only, bool visit_blocks,
                                              mi_block_visit_fun* visitor, void* arg)
{
  const bool is_main = mi_is_process_heap_main(heap);
  if (is_main) { mi_malloc_sys_set_walker(_mi_thread_id()); }
  const bool result = mi_heap_visit_blocks_locked(heap, abandoned_only, visit_blocks, visitor, arg);
  if (is_main) { mi_malloc_sys_set_walker(0); }
  return result;
}

// The caller holds the lock.
static mi_page_t* mi_malloc_sys_remove_kept(mi_malloc_sys_kept_t* kept) {
  mi_page_t* const page = kept->page;
  kept->page = NULL;
  mi_atomic_decrement_relaxed(&mi_malloc_sys_kept_count);
  return page;
}

// A kept page for a block of this size, or NULL. Its memory is committed, and counted. It is not in the theap's queue: when
// its block is allocated it is full, and `mi_malloc_sys_kept_to_full` follows. With a sample rate upstream allocates in its
// own way.
static mi_page_t* mi_malloc_sys_take_kept(mi_theap_t* theap, size_t block_size) {
  if mi_likely(mi_atomic_load_relaxed(&mi_malloc_sys_kept_count) == 0) return NULL;
  if (block_size < MI_MALLOC_SYS_LARGE_MAPPING || !mi_is_process_heap_main(mi_theap_heap(theap)) ||
      !theap->allow_page_abandon || theap->sample_rate != 0 || mi_option_is_enabled(mi_option_disallow_os_alloc) ||
      !mi_malloc_sys_lock_kept(0)) return NULL;
  const bool is_walked = (mi_atomic_load_relaxed(&mi_malloc_sys_walker) != 0);
  mi_page_t* page = NULL;
  for (size_t i = 0; i < MI_MALLOC_SYS_KEPT && page == NULL && !is_walked; i++) {
    mi_malloc_sys_kept_t* const kept = &mi_malloc_sys_kept[i];
    if (kept->page != NULL && kept->page->block_size == block_size) { page = mi_malloc_sys_remove_kept(kept); }
  }
  mi_malloc_sys_unlock(&mi_malloc_sys_kept_lock);
  if (page != NULL) {
    if (mi_page_has_interior_pointers(page)) { mi_page_set_has_interior_pointers(page, false); }
    page->theap = theap; // as in a page that this thread abandons
  }
  return page;
}

// The block of a page that was kept is allocated. The page is abandoned, as every page with such a block.
static void mi_malloc_sys_kept_to_full(mi_page_t* page) {
  _mi_page_update_stats(page);
  mi_abandoned_page_unown(page, page->theap);
}

// Removes the oldest page from the table and from its heap's list, if the page is due or `in_any_case`. NULL if there is
// none, or the table is in use, or the heap is walked. Nobody waits for the end of a walk: it may be this thread's own.
static mi_page_t* mi_malloc_sys_remove_oldest_kept(bool in_any_case, size_t yields) {
  if (!mi_malloc_sys_lock_kept(yields)) return NULL;
  mi_malloc_sys_kept_t* oldest = NULL;
  for (size_t i = 0; i < MI_MALLOC_SYS_KEPT; i++) {
    mi_malloc_sys_kept_t* const kept = &mi_malloc_sys_kept[i];
    if (kept->page != NULL && (oldest == NULL || kept->expire < oldest->expire)) { oldest = kept; }
  }
  mi_page_t* page = NULL;
  if (oldest != NULL && (in_any_case || oldest->expire <= _mi_clock_now()) &&
      mi_atomic_load_relaxed(&mi_malloc_sys_walker) == 0)
  {
    page = mi_malloc_sys_remove_kept(oldest);
    _mi_arenas_page_unabandon(page, NULL);
  }
  mi_malloc_sys_unlock(&mi_malloc_sys_kept_lock);
  return page;
}

// With `force` it waits a moment for other threads: memory has run out, or all of it is to be purged.
static void mi_malloc_sys_purge_kept(bool force) {
  while mi_unlikely(mi_atomic_load_relaxed(&mi_malloc_sys_kept_count) != 0) {
    mi_page_t* const page = mi_malloc_sys_remove_oldest_kept(force, force ? 10000 : 0);
    if (page == NULL) return;
    _mi_arenas_page_free(page, NULL);
  }
}

// Threads that sample take no kept page.
static bool mi_malloc_sys_is_profiled(const mi_heap_t* heap) {
  mi_profiler_t* const profiler = mi_atomic_load_ptr_relaxed(mi_profiler_t, &heap->profiler);
  return (profiler != NULL && mi_profiler_is_enabled(profiler));
}

// Whether an empty page in memory of the system, which a free has claimed, is to be kept. Records this free. The block of a
// page with a larger alignment starts elsewhere.
static bool mi_malloc_sys_may_keep(const mi_page_t* page, long time, mi_msecs_t now) {
  const mi_memid_t* const memid = &page->memid;
  return (!memid->is_pinned && page->block_size >= MI_MALLOC_SYS_LARGE_MAPPING &&
          (uint8_t*)memid->mem.os.base + MI_PAGE_ALIGN == mi_page_slice_start(page) &&
          mi_is_process_heap_main(mi_page_heap(page)) && time > 0 && !_mi_preloading() &&
          mi_atomic_load_relaxed(&mi_malloc_sys_keep_stopped) == 0 &&
          !mi_option_is_enabled(mi_option_disallow_os_alloc) && !mi_malloc_sys_is_profiled(mi_page_heap(page)) &&
          mi_malloc_sys_is_reused(mi_malloc_sys_mapping_end(memid), time, now));
}

// Keeps the page, if there is an empty entry, or one that can be emptied.
static bool mi_malloc_sys_keep(mi_page_t* page, mi_msecs_t expire) {
  if (mi_atomic_load_relaxed(&mi_malloc_sys_kept_count) == MI_MALLOC_SYS_KEPT) {
    mi_page_t* const oldest = mi_malloc_sys_remove_oldest_kept(true, 0);
    if (oldest == NULL) return false;
    _mi_arenas_page_free(oldest, NULL);
  }
  _mi_page_update_stats(page);
  if (!mi_malloc_sys_lock_kept(0)) return false;
  bool is_kept = false;
  for (size_t i = 0; i < MI_MALLOC_SYS_KEPT && !is_kept; i++) {
    mi_malloc_sys_kept_t* const kept = &mi_malloc_sys_kept[i];
    if (kept->page != NULL) continue;
    kept->page = page;
    kept->expire = expire;
    mi_atomic_increment_relaxed(&mi_malloc_sys_kept_count);
    is_kept = true;
  }
  mi_malloc_sys_unlock(&mi_malloc_sys_kept_lock);
  return is_kept;
}

static bool mi_malloc_sys_collect_empty(mi_page_t* page) {
  if mi_unlikely(mi_page_all_free(page) && page->memid.memkind == MI_MEM_OS) {
    const long time = mi_malloc_sys_reuse_time(mi_arena_purge_delay());
    const mi_msecs_t now = _mi_clock_now();
    if (mi_malloc_sys_may_keep(page, time, now) && mi_malloc_sys_keep(page, now + time)) {
      (mi_arenas_try_purge)(false, false, _mi_subproc_main(), 0);
      if (mi_atomic_load_relaxed(&mi_malloc_sys_kept_count) > 1) { mi_malloc_sys_purge_kept(false); } // others may be due
      return true;
    }
  }
  return mi_abandoned_page_collect_empty(page);
}

// Here upstream has destroyed the main heap, and does not free its pages one by one.
static void mi_malloc_sys_destroy_kept(mi_subproc_t* subproc) {
  if (subproc != _mi_subproc_main()) return;
  mi_atomic_store_relaxed(&mi_malloc_sys_keep_stopped, (uintptr_t)1);
  if (!mi_malloc_sys_lock_kept(10000)) return;
  for (size_t i = 0; i < MI_MALLOC_SYS_KEPT; i++) {
    if (mi_malloc_sys_kept[i].page == NULL) continue;
    mi_page_t* const page = mi_malloc_sys_remove_kept(&mi_malloc_sys_kept[i]);
    const mi_memid_t memid = page->memid;
    _mi_os_free(subproc, mi_page_slice_start(page), memid.mem.os.size - MI_PAGE_ALIGN, memid);
  }
  mi_malloc_sys_unlock(&mi_malloc_sys_kept_lock);
}
#endif

// Purges what is due in the arenas, and unmaps the kept mappings that are due.
static void mi_malloc_sys_try_purge_after_free(bool force, bool visit_all, mi_subproc_t* subproc, size_t tseq) {
  (mi_arenas_try_purge)(force, visit_all, subproc, tseq);
  #if MI_MALLOC_SYS_KEEP
  mi_malloc_sys_purge_kept(force);
  #endif
}

// At a collection.
static void mi_malloc_sys_arenas_try_purge(bool force, bool visit_all, mi_subproc_t* subproc, size_t tseq) {
  mi_malloc_sys_before_collection(subproc, force);
  if (force) { mi_atomic_increment_relaxed(&mi_malloc_sys_forced_purges); }
  mi_malloc_sys_try_purge_after_free(force, visit_all, subproc, tseq);
  if (force) { mi_atomic_decrement_relaxed(&mi_malloc_sys_forced_purges); }
}
#endif

// See `reuse.h`. Included after upstream's C.
#if MI_MALLOC_SYS_REUSE
#undef munmap
#undef mi_heap_visit_blocks_locked
#undef mi_arenas_page_alloc_from_slices
#undef _mi_arena_reserve

// ---- What was freed recently.

// Which large ranges were freed recently, and when they were last freed. A range is identified by where it starts. Only a
// hint: threads may overwrite each other's entries.
typedef struct mi_malloc_sys_freed_range_s {
  _Atomic(uintptr_t)  address;
  _Atomic(mi_msecs_t) time;
} mi_malloc_sys_freed_range_t;

#define MI_MALLOC_SYS_FREED_RANGES  64
static mi_malloc_sys_freed_range_t mi_malloc_sys_freed_ranges[MI_MALLOC_SYS_FREED_RANGES];

// The entry of this range, or else the older one of the two that it may have.
static mi_malloc_sys_freed_range_t* mi_malloc_sys_freed_range(uintptr_t address) {
  // Addresses are multiples of large powers of two, so the lowest bits do not distinguish them.
  const uint64_t mixed = (uint64_t)(address / MI_ARENA_SLICE_SIZE) * UINT64_C(0x9E3779B97F4A7C15);
  const size_t index = (size_t)(mixed >> 32) % MI_MALLOC_SYS_FREED_RANGES;
  mi_malloc_sys_freed_range_t* const first = &mi_malloc_sys_freed_ranges[index];
  mi_malloc_sys_freed_range_t* const second = &mi_malloc_sys_freed_ranges[index ^ 1];
  if (mi_atomic_load_relaxed(&first->address) == address) return first;
  if (mi_atomic_load_relaxed(&second->address) == address) return second;
  return (mi_atomic_loadi64_relaxed(&first->time) <= mi_atomic_loadi64_relaxed(&second->time) ? first : second);
}

// So many purge delays, but no more than so many milliseconds unless one delay is longer.
static long mi_malloc_sys_delays(long delay, long count, long most) {
  if (delay >= most) return delay;
  return (delay < most/count ? count*delay : most); // not positive if the delay is not
}

// Within how many milliseconds a large block has to be freed again to count as reused.
static long mi_malloc_sys_reuse_time(long delay) {
  return mi_malloc_sys_delays(delay, 4, 250);
}

// The same for a block in a mapping of its own, which takes longer to fill, and how long its mapping is kept.
static long mi_malloc_sys_keep_time(long delay) {
  return mi_malloc_sys_delays(delay, 8, 500);
}

static void mi_malloc_sys_set_freed(uintptr_t address, mi_msecs_t when) {
  mi_malloc_sys_freed_range_t* const range = mi_malloc_sys_freed_range(address);
  mi_atomic_store_relaxed(&range->address, address);
  mi_atomic_storei64_relaxed(&range->time, when);
}

// Whether the range was freed within the last `time` milliseconds.
static bool mi_malloc_sys_was_freed(uintptr_t address, long time, mi_msecs_t now) {
  mi_malloc_sys_freed_range_t* const range = mi_malloc_sys_freed_range(address);
  return (mi_atomic_load_relaxed(&range->address) == address &&
          now - mi_atomic_loadi64_relaxed(&range->time) <= time);
}

// At a free: whether the range was also freed within the last `time` milliseconds.
static bool mi_malloc_sys_is_reused(uintptr_t address, long time, mi_msecs_t now) {
  const bool is_reused = mi_malloc_sys_was_freed(address, time, now);
  mi_malloc_sys_set_freed(address, now);
  return is_reused;
}

bool mi_malloc_sys_is_copied_again(uintptr_t address) {
  // Recorded for the address behind it, so that its free is not taken for the second one.
  return mi_malloc_sys_is_reused(address + MI_ARENA_SLICE_SIZE, mi_malloc_sys_reuse_time(mi_arena_purge_delay()),
                                 _mi_clock_now());
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
    const bool is_refaulting = mi_malloc_sys_is_refaulting(arena, now);
    if (slice_count >= limit) {
      const uintptr_t start = (uintptr_t)mi_arena_slice_start(arena, slice_index);
      waits = (mi_malloc_sys_is_reused(start, time, now) || is_refaulting);
    }
    else if (is_first && !is_refaulting) {
      mi_arena_purge(arena, slice_index, slice_count);
      return;
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
// ---- Locks of the tables below. Without a table upstream's way still works, so an allocation or a free waits for none,
// except where it would otherwise use memory that another thread discards.

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

#if MI_MALLOC_SYS_KEEP
static bool mi_malloc_sys_forget_kept(void* start, size_t size);
#endif

static int mi_malloc_sys_munmap(void* addr, size_t size) {
  #if MI_MALLOC_SYS_KEEP
  if mi_unlikely(!mi_malloc_sys_forget_kept(addr, size)) {
    (void)madvise(addr, size, MADV_DONTNEED);
    errno = EAGAIN; // upstream reports it
    return -1;
  }
  #endif
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

#if MI_MALLOC_SYS_KEEP
// ---- Which blocks get mappings of their own.

// How many arenas upstream has reserved for itself, and not the program.
static _Atomic(uintptr_t) mi_malloc_sys_own_arenas;

static bool mi_malloc_sys_arena_reserve(mi_subproc_t* subproc, size_t size, bool allow_large, mi_arena_id_t* arena_id) {
  const bool is_reserved = _mi_arena_reserve(subproc, size, allow_large, arena_id);
  if (is_reserved && subproc == _mi_subproc_main()) { mi_atomic_increment_relaxed(&mi_malloc_sys_own_arenas); }
  return is_reserved;
}

// Of larger blocks only one fits between two tables of page metadata, and none where a small page lies in its way.
#define MI_MALLOC_SYS_LARGEST_IN_ARENA  (MI_PAGE_META_ALIGNMENT / 2)

// How many threads allocate such a block in an arena because the system has refused a mapping.
static _Atomic(uintptr_t) mi_malloc_sys_refused_mappings;

// Whether a block of this size gets a mapping, though it may fit an arena.
static bool mi_malloc_sys_gets_mapping(mi_theap_t* theap, size_t block_size) {
  if (block_size <= MI_MALLOC_SYS_LARGEST_IN_ARENA || !mi_is_process_heap_main(mi_theap_heap(theap)) ||
      mi_option_is_enabled(mi_option_disallow_os_alloc)) return false;
  return (block_size > mi_arena_max_object_size() ||
          (mi_arenas_get_count(_mi_subproc_main()) == mi_atomic_load_relaxed(&mi_malloc_sys_own_arenas) &&
           !mi_option_is_enabled(mi_option_allow_large_os_pages)));
}

static uint8_t* mi_malloc_sys_alloc_from_slices(mi_theap_t* theap, size_t slice_count, size_t block_size, bool commit,
                                                bool allow_large, mi_memid_t* memid, mi_arena_pages_t** arena_pages,
                                                mi_page_t** page, size_t* block_start)
{
  if (mi_malloc_sys_gets_mapping(theap, block_size) &&
      mi_atomic_load_relaxed(&mi_malloc_sys_refused_mappings) == 0) return NULL;
  return mi_arenas_page_alloc_from_slices(theap, slice_count, block_size, commit, allow_large, memid, arena_pages, page,
                                          block_start);
}

// ---- Mappings of such blocks.
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#define MI_MALLOC_SYS_KEPT  16

static uintptr_t mi_malloc_sys_mapping_start(const mi_memid_t* memid) {
  return (uintptr_t)memid->mem.os.base;
}

// For `large.c`: a region that memory was moved from has none, and of one that it was moved to it may not be known how many
// mappings it consists of. The next free does not keep it.
void mi_malloc_sys_do_not_keep(const mi_memid_t* memid) {
  mi_atomic_store_relaxed(&mi_malloc_sys_freed_range(mi_malloc_sys_mapping_start(memid))->address, (uintptr_t)0);
}

// When a mapping that is not kept was last freed.
static _Atomic(mi_msecs_t) mi_malloc_sys_mapping_freed;

// A page in a new mapping.
void mi_malloc_sys_after_mapping(const mi_page_t* page) {
  // Soon after another mapping was freed it counts as that one, since the blocks of a program that allocates such blocks
  // again and again may differ in size.
  const mi_msecs_t last = mi_atomic_loadi64_relaxed(&mi_malloc_sys_mapping_freed);
  if (last != 0) { mi_malloc_sys_set_freed(mi_malloc_sys_mapping_start(&page->memid), last); }
  if (mi_page_subproc(page) != _mi_subproc_main()) return;
  // Upstream counts as committed the slices of a new mapping, but as decommitted all of it except the metadata. And memory
  // that was mapped is not purged memory that is in use again (`purge.c`).
  const size_t offset = (mi_page_block_can_cache_offset(page->block_size, false) ? MI_PAGE_CACHE_OFFSET_MAX : 0);
  const size_t counted = _mi_size_of_slices(_mi_slice_count_of_size(page->block_size + offset));
  const size_t size = page->memid.mem.os.size - MI_PAGE_ALIGN;
  mi_subproc_stat_increase(_mi_subproc_main(), committed, size - counted);
  mi_atomic_addi64_relaxed(&mi_malloc_sys_refaults.committed, (int64_t)size);
}

// A page of the main heap, in a mapping of its own. NULL in an empty entry.
// - An empty page: a free has claimed it, so nobody else touches it, but it stays among the heap's abandoned pages, and is
//   counted there. When it is due it is unmapped.
// - A page whose block is in use. It has an entry as long as there may be memory behind the block that earlier blocks have
//   used, and the next one may need.
// In both, `block_size` is the size of the last block, and `extent` the size up to which memory may be resident. What is
// between them is discarded when no block has needed it for a while.
typedef struct mi_malloc_sys_kept_s {
  _Atomic(mi_page_t*) page;
  bool                is_in_use;
  mi_msecs_t          expire;        // of an empty page
  size_t              extent;
  mi_msecs_t          extent_expire;
} mi_malloc_sys_kept_t;

static mi_malloc_sys_kept_t mi_malloc_sys_kept[MI_MALLOC_SYS_KEPT];
static _Atomic(uintptr_t) mi_malloc_sys_keep_stopped; // set when the process ends
static _Atomic(uintptr_t) mi_malloc_sys_kept_count;
static _Atomic(uintptr_t) mi_malloc_sys_kept_lock;

// The thread that walks the main heap, or 0. It may go to any abandoned page next, so then no page is freed, nor taken by
// who may free it before the walk has ended. The lock is held while this changes.
static _Atomic(uintptr_t) mi_malloc_sys_walker;

static mi_page_t* mi_malloc_sys_kept_page(const mi_malloc_sys_kept_t* kept) {
  return mi_atomic_load_ptr_acquire(mi_page_t, (_Atomic(mi_page_t*)*)&kept->page);
}

// In the child of a fork.
static void mi_malloc_sys_repair_kept(void) {
  mi_atomic_store_relaxed(&mi_malloc_sys_refused_mappings, (uintptr_t)0);
  if (mi_malloc_sys_is_lost(&mi_malloc_sys_walker)) { mi_atomic_store_relaxed(&mi_malloc_sys_walker, (uintptr_t)0); }
  if (!mi_malloc_sys_is_lost(&mi_malloc_sys_kept_lock)) return;
  uintptr_t count = 0;
  for (size_t i = 0; i < MI_MALLOC_SYS_KEPT; i++) {
    if (mi_malloc_sys_kept_page(&mi_malloc_sys_kept[i]) != NULL) { count++; }
  }
  mi_atomic_store_relaxed(&mi_malloc_sys_kept_count, count);
  mi_malloc_sys_unlock(&mi_malloc_sys_kept_lock);
}

static bool mi_malloc_sys_try_lock_kept(void) {
  return mi_malloc_sys_try_lock(&mi_malloc_sys_kept_lock);
}

// Waits for the lock, also while another thread discards much memory. False if this thread holds it, and was interrupted by
// a signal. System calls, since the functions that upstream uses are points where a thread can be cancelled.
static bool mi_malloc_sys_lock_kept(void) {
  const int err = errno;
  for (size_t i = 0; !mi_malloc_sys_try_lock_kept(); i++) {
    if (mi_atomic_load_relaxed(&mi_malloc_sys_kept_lock) == _mi_thread_id()) return false;
    const struct timespec wait = { 0, 100000 };
    if (i < 100) { sched_yield(); }
    else { (void)syscall(SYS_nanosleep, &wait, NULL); }
  }
  errno = err;
  return true;
}

static void mi_malloc_sys_set_walker(uintptr_t walker) {
  while (!mi_malloc_sys_lock_kept()) {}
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
  mi_page_t* const page = mi_malloc_sys_kept_page(kept);
  mi_atomic_store_ptr_release(mi_page_t, &kept->page, NULL);
  mi_atomic_decrement_acq_rel(&mi_malloc_sys_kept_count);
  return page;
}

// The largest block that the mapping of a page has room for, at any offset. Upstream rounds the sizes of such blocks and of
// mappings to multiples of 4 MiB; metadata, offset and the rest of the last slice are less than one such unit.
static size_t mi_malloc_sys_capacity(const mi_page_t* page) {
  return page->memid.mem.os.size - 4*MI_MiB;
}

// The smallest empty page for a block of this size, or NULL. One of more than eight times the size is left to larger
// blocks. Where addresses are limited, or memory is reserved when it is mapped, the block would take all of it, so there
// the page is at most an eighth larger. The caller holds the lock.
static mi_malloc_sys_kept_t* mi_malloc_sys_find_kept(size_t block_size) {
  mi_malloc_sys_kept_t* best = NULL;
  size_t best_capacity = SIZE_MAX;
  for (size_t i = 0; i < MI_MALLOC_SYS_KEPT; i++) {
    mi_malloc_sys_kept_t* const kept = &mi_malloc_sys_kept[i];
    const mi_page_t* const page = mi_malloc_sys_kept_page(kept);
    if (page == NULL || kept->is_in_use) continue;
    const size_t capacity = mi_malloc_sys_capacity(page);
    if (capacity < block_size || capacity / 8 > block_size || capacity >= best_capacity) continue;
    best = kept;
    best_capacity = capacity;
  }
  if (best == NULL || best_capacity - block_size <= block_size / 8 || mi_malloc_sys_addresses_unlimited()) return best;
  return NULL;
}

// The empty page of this entry, for a block of this size. The caller holds the lock.
static mi_page_t* mi_malloc_sys_use_kept(mi_malloc_sys_kept_t* kept, size_t block_size) {
  mi_page_t* const page = mi_malloc_sys_kept_page(kept);
  page->block_size = block_size; // so that nobody else may use what is behind it
  if (block_size >= kept->extent) return mi_malloc_sys_remove_kept(kept);
  kept->is_in_use = true;
  return page;
}

// Where memory of that size ends in a page, whatever the block's offset (`large.c` may change it), without a part of a
// huge page.
static uintptr_t mi_malloc_sys_extent_end(const mi_page_t* page, size_t size) {
  return mi_align_up((uintptr_t)mi_page_slice_start(page) + MI_PAGE_CACHE_OFFSET_MAX + size, 2*MI_MiB);
}

// Discards the memory behind the last block. The caller holds the lock. An entry of a page in use is removed last, so that
// the page exists until then (`mi_malloc_sys_forget_kept`).
static void mi_malloc_sys_discard_extent(mi_malloc_sys_kept_t* kept) {
  const mi_page_t* const page = mi_malloc_sys_kept_page(kept);
  const uintptr_t start = mi_malloc_sys_extent_end(page, page->block_size);
  const uintptr_t end = mi_malloc_sys_extent_end(page, kept->extent);
  if (start < end) {
    const int err = errno;
    (void)unix_madvise((void*)start, end - start, MADV_DONTNEED);
    errno = err;
  }
  kept->extent = page->block_size;
  kept->extent_expire = kept->expire;
  if (kept->is_in_use) { (void)mi_malloc_sys_remove_kept(kept); }
}

// An entry of a page in this memory, or NULL.
static mi_malloc_sys_kept_t* mi_malloc_sys_kept_in(void* start, size_t size) {
  for (size_t i = 0; i < MI_MALLOC_SYS_KEPT; i++) {
    const uintptr_t page = (uintptr_t)mi_malloc_sys_kept_page(&mi_malloc_sys_kept[i]);
    if (page >= (uintptr_t)start && page - (uintptr_t)start < size) return &mi_malloc_sys_kept[i];
  }
  return NULL;
}

// Before memory is unmapped: no page in it is in the table any more. Only who owns a page adds it, so none is added
// meanwhile. If another thread is discarding some of the memory, this waits for it. False if the lock cannot be had.
static bool mi_malloc_sys_forget_kept(void* start, size_t size) {
  if (size < MI_MALLOC_SYS_LARGE_MAPPING || mi_malloc_sys_kept_in(start, size) == NULL) return true;
  if (!mi_malloc_sys_lock_kept()) return false;
  mi_malloc_sys_kept_t* kept;
  while ((kept = mi_malloc_sys_kept_in(start, size)) != NULL) { (void)mi_malloc_sys_remove_kept(kept); }
  mi_malloc_sys_unlock(&mi_malloc_sys_kept_lock);
  return true;
}

// The empty page that may be taken for a block of this size, or NULL. Only if it is not NULL the caller holds the lock. With
// a sample rate upstream allocates in its own way.
static mi_malloc_sys_kept_t* mi_malloc_sys_lock_for_block(mi_theap_t* theap, size_t block_size) {
  if mi_likely(mi_atomic_load_relaxed(&mi_malloc_sys_kept_count) == 0) return NULL;
  if (block_size < MI_MALLOC_SYS_LARGE_MAPPING || !mi_is_process_heap_main(mi_theap_heap(theap)) ||
      !theap->allow_page_abandon || theap->sample_rate != 0 || mi_option_is_enabled(mi_option_disallow_os_alloc) ||
      !mi_malloc_sys_try_lock_kept()) return NULL;
  const bool is_walked = (mi_atomic_load_relaxed(&mi_malloc_sys_walker) != 0);
  mi_malloc_sys_kept_t* const kept = (is_walked ? NULL : mi_malloc_sys_find_kept(block_size));
  if (kept == NULL) { mi_malloc_sys_unlock(&mi_malloc_sys_kept_lock); }
  return kept;
}

// The capacity of the page that `mi_malloc_sys_take_kept` would return now. 0 if it would return none.
size_t mi_malloc_sys_kept_capacity(mi_theap_t* theap, size_t block_size) {
  const mi_malloc_sys_kept_t* const kept = mi_malloc_sys_lock_for_block(theap, block_size);
  if (kept == NULL) return 0;
  const size_t capacity = mi_malloc_sys_capacity(mi_malloc_sys_kept_page(kept));
  mi_malloc_sys_unlock(&mi_malloc_sys_kept_lock);
  return capacity;
}

// A kept page for a block of this size, or NULL. Its memory is committed, and counted. It is not in the theap's queue: when
// its block is allocated it is full, and `mi_malloc_sys_kept_to_full` follows.
mi_page_t* mi_malloc_sys_take_kept(mi_theap_t* theap, size_t block_size) {
  mi_malloc_sys_kept_t* const kept = mi_malloc_sys_lock_for_block(theap, block_size);
  if mi_likely(kept == NULL) return NULL;
  mi_page_t* const page = mi_malloc_sys_use_kept(kept, block_size);
  mi_malloc_sys_unlock(&mi_malloc_sys_kept_lock);
  if (mi_page_has_interior_pointers(page)) { mi_page_set_has_interior_pointers(page, false); }
  page->theap = theap; // as in a page that this thread abandons
  return page;
}

// The block of a page that was kept is allocated. The page is abandoned, as every page with such a block.
void mi_malloc_sys_kept_to_full(mi_page_t* page) {
  _mi_page_update_stats(page);
  mi_abandoned_page_unown(page, page->theap);
}

// When something of the entry is due.
static mi_msecs_t mi_malloc_sys_kept_expire(const mi_malloc_sys_kept_t* kept, const mi_page_t* page) {
  const bool is_extent = (kept->is_in_use || (kept->extent > page->block_size && kept->extent_expire < kept->expire));
  return (is_extent ? kept->extent_expire : kept->expire);
}

// The entry that is due first, of those with room for less than so many bytes, or NULL. The caller holds the lock.
static mi_malloc_sys_kept_t* mi_malloc_sys_oldest_kept(size_t below) {
  mi_malloc_sys_kept_t* oldest = NULL;
  mi_msecs_t oldest_expire = 0;
  for (size_t i = 0; i < MI_MALLOC_SYS_KEPT; i++) {
    mi_malloc_sys_kept_t* const kept = &mi_malloc_sys_kept[i];
    const mi_page_t* const page = mi_malloc_sys_kept_page(kept);
    if (page == NULL || (kept->is_in_use ? page->block_size : mi_malloc_sys_capacity(page)) >= below) continue;
    const mi_msecs_t expire = mi_malloc_sys_kept_expire(kept, page);
    if (oldest != NULL && expire >= oldest_expire) continue;
    oldest = kept;
    oldest_expire = expire;
  }
  return oldest;
}

// Goes through such entries, as far as they are due or `in_any_case`, up to an empty page to unmap. Returns that page,
// removed from its heap's list. NULL if there is none, or the table is in use, or the heap is walked. Nobody waits for the
// end of a walk: it may be this thread's own.
static mi_page_t* mi_malloc_sys_remove_oldest_kept(size_t below, bool in_any_case, bool wait) {
  if (!(wait ? mi_malloc_sys_lock_kept() : mi_malloc_sys_try_lock_kept())) return NULL;
  const mi_msecs_t now = _mi_clock_now();
  mi_page_t* page = NULL;
  mi_malloc_sys_kept_t* oldest;
  while (page == NULL && (oldest = mi_malloc_sys_oldest_kept(below)) != NULL) {
    const mi_page_t* const oldest_page = mi_malloc_sys_kept_page(oldest);
    if (!in_any_case && mi_malloc_sys_kept_expire(oldest, oldest_page) > now) break;
    if (oldest->is_in_use || (!in_any_case && oldest->expire > now)) {
      mi_malloc_sys_discard_extent(oldest);
      continue;
    }
    if (mi_atomic_load_relaxed(&mi_malloc_sys_walker) != 0) break;
    page = mi_malloc_sys_remove_kept(oldest);
    _mi_arenas_page_unabandon(page, NULL);
  }
  mi_malloc_sys_unlock(&mi_malloc_sys_kept_lock);
  return page;
}

// Returns whether there was one.
static bool mi_malloc_sys_unmap_kept(size_t below, bool in_any_case, bool wait) {
  bool is_unmapped = false;
  while mi_unlikely(mi_atomic_load_relaxed(&mi_malloc_sys_kept_count) != 0) {
    mi_page_t* const page = mi_malloc_sys_remove_oldest_kept(below, in_any_case, wait);
    if (page == NULL) break;
    _mi_arenas_page_free(page, NULL);
    is_unmapped = true;
  }
  return is_unmapped;
}

// When the table was last searched for what is due.
static _Atomic(mi_msecs_t) mi_malloc_sys_kept_searched;

// Unmaps and discards what is due. Each free of a range calls this, so it searches the table once in a while.
static void mi_malloc_sys_purge_due_kept(mi_msecs_t now) {
  if (now - mi_atomic_loadi64_relaxed(&mi_malloc_sys_kept_searched) < 10) return;
  mi_atomic_storei64_relaxed(&mi_malloc_sys_kept_searched, now);
  (void)mi_malloc_sys_unmap_kept(SIZE_MAX, false, false);
}

// With `force` it waits for other threads: memory has run out, or all of it is to be purged.
static void mi_malloc_sys_purge_kept(bool force) {
  if mi_likely(mi_atomic_load_relaxed(&mi_malloc_sys_kept_count) == 0) return;
  if (force) { (void)mi_malloc_sys_unmap_kept(SIZE_MAX, true, true); }
  else { mi_malloc_sys_purge_due_kept(_mi_clock_now()); }
}

// Purges what is free in the arenas, also what was freed recently, unless much purged memory is soon in use again.
static void mi_malloc_sys_purge_free_ranges(mi_subproc_t* subproc) {
  mi_malloc_sys_forget_recent(subproc, true);
  (mi_arenas_try_purge)(true, true, subproc, 0);
}

// Before a page for a block of this size is allocated. If it will be mapped, what is free in arenas does not serve it, nor
// do smaller pages that are kept. All of that would be resident on top, so it is returned first. The new mapping takes the
// place of the kept ones.
void mi_malloc_sys_before_mapping(mi_theap_t* theap, size_t block_size) {
  if (!mi_malloc_sys_gets_mapping(theap, block_size)) return;
  if (mi_malloc_sys_unmap_kept(block_size, true, false)) {
    mi_atomic_storei64_relaxed(&mi_malloc_sys_mapping_freed, _mi_clock_now());
  }
  mi_malloc_sys_purge_free_ranges(_mi_subproc_main());
}

mi_page_t* _mi_page_fresh_alloc(mi_theap_t* theap, mi_page_queue_t* pq, size_t block_size, size_t page_alignment);

// After the system has refused a mapping. NULL if the block is not to be in an arena.
mi_page_t* mi_malloc_sys_alloc_in_arena(mi_theap_t* theap, mi_page_queue_t* pq, size_t block_size, size_t alignment) {
  if (!mi_malloc_sys_gets_mapping(theap, block_size) || block_size > mi_arena_max_object_size() ||
      alignment > MI_PAGE_MAX_OVERALLOC_ALIGN) return NULL;
  mi_atomic_increment_relaxed(&mi_malloc_sys_refused_mappings);
  mi_page_t* const page = (_mi_page_fresh_alloc)(theap, pq, block_size, alignment);
  mi_atomic_decrement_relaxed(&mi_malloc_sys_refused_mappings);
  return page;
}

// Threads that sample take no kept page.
static bool mi_malloc_sys_is_profiled(const mi_heap_t* heap) {
  mi_profiler_t* const profiler = mi_atomic_load_ptr_relaxed(mi_profiler_t, &heap->profiler);
  return (profiler != NULL && mi_profiler_is_enabled(profiler));
}

// Whether an empty page in memory of the system, which a free has claimed, is to be kept. If nothing else forbids it, this
// records the free.
static bool mi_malloc_sys_may_keep(const mi_page_t* page, long time, mi_msecs_t now) {
  return (mi_malloc_sys_is_region(page) && page->block_size >= MI_MALLOC_SYS_LARGE_MAPPING &&
          mi_is_process_heap_main(mi_page_heap(page)) && time > 0 && !_mi_preloading() &&
          mi_atomic_load_relaxed(&mi_malloc_sys_keep_stopped) == 0 &&
          !mi_option_is_enabled(mi_option_disallow_os_alloc) && !mi_malloc_sys_is_profiled(mi_page_heap(page)) &&
          mi_malloc_sys_is_reused(mi_malloc_sys_mapping_start(&page->memid), time, now));
}

// In an empty entry, or the page's own. Memory may be resident up to the size of the block, or further if an earlier one
// needed more. A child of `fork` may find the entry at any point. The caller holds the lock.
static void mi_malloc_sys_set_kept(mi_malloc_sys_kept_t* kept, mi_page_t* page, bool is_in_use, mi_msecs_t expire) {
  const bool is_new = (mi_malloc_sys_kept_page(kept) == NULL);
  if (is_new || page->block_size >= kept->extent) {
    kept->extent = page->block_size;
    kept->extent_expire = expire;
  }
  kept->expire = expire;
  kept->is_in_use = is_in_use;
  if (is_new) {
    mi_atomic_store_ptr_release(mi_page_t, &kept->page, page);
    mi_atomic_increment_acq_rel(&mi_malloc_sys_kept_count);
  }
}

// The entry of this page, or else an empty one, or NULL. The caller holds the lock.
static mi_malloc_sys_kept_t* mi_malloc_sys_entry_for(const mi_page_t* page) {
  mi_malloc_sys_kept_t* empty = NULL;
  for (size_t i = 0; i < MI_MALLOC_SYS_KEPT; i++) {
    mi_malloc_sys_kept_t* const kept = &mi_malloc_sys_kept[i];
    const mi_page_t* const other = mi_malloc_sys_kept_page(kept);
    if (other == page) return kept;
    if (other == NULL) { empty = kept; }
  }
  return empty;
}

// ---- For `large.c`: the block of a page in a mapping changes its size in place.

static bool mi_malloc_sys_may_resize(const mi_page_t* page) {
  return (mi_malloc_sys_is_region(page) && mi_page_is_abandoned(page) && mi_is_process_heap_main(mi_page_heap(page)));
}

// The caller holds the lock, or the page has no entry.
static void mi_malloc_sys_set_block_size(mi_page_t* page, size_t size) {
  #if MI_STATS
  mi_heap_t* const heap = mi_page_heap(page);
  if (size > page->block_size) {
    mi_heap_stat_increase(heap, allocated, size - page->block_size);
    mi_heap_stat_increase(heap, malloc_huge, size - page->block_size);
  }
  else {
    mi_heap_stat_adjust_decrease(heap, allocated, page->block_size - size);
    mi_heap_stat_adjust_decrease(heap, malloc_huge, page->block_size - size);
  }
  #endif
  page->block_size = size;
}

// If the mapping has room for it. If another thread is discarding what is behind the block, this waits for it: a move would
// take longer. Only who owns the block adds an entry, so none is added meanwhile.
bool mi_malloc_sys_grow_in_mapping(mi_page_t* page, size_t size) {
  if (!mi_malloc_sys_may_resize(page) || size > mi_malloc_sys_capacity(page)) return false;
  const bool has_entry = (mi_malloc_sys_kept_in(page, 1) != NULL);
  if (has_entry && !mi_malloc_sys_lock_kept()) return false;
  mi_malloc_sys_set_block_size(page, size);
  if (!has_entry) return true;
  mi_malloc_sys_kept_t* const kept = mi_malloc_sys_kept_in(page, 1);
  if (kept != NULL && size >= kept->extent) { (void)mi_malloc_sys_remove_kept(kept); }
  mi_malloc_sys_unlock(&mi_malloc_sys_kept_lock);
  return true;
}

// A block that was just allocated does not need all of its size yet. What is resident behind it is discarded if no block
// needs it for a while. False if the table is in use or full.
bool mi_malloc_sys_shrink_in_mapping(mi_page_t* page, size_t size) {
  const long time = mi_malloc_sys_keep_time(mi_arena_purge_delay());
  if (time <= 0 || !mi_malloc_sys_may_resize(page) || !mi_malloc_sys_try_lock_kept()) return false;
  mi_malloc_sys_kept_t* const kept = mi_malloc_sys_entry_for(page);
  if (kept != NULL) {
    mi_malloc_sys_set_kept(kept, page, true, _mi_clock_now() + time);
    mi_malloc_sys_set_block_size(page, size);
  }
  mi_malloc_sys_unlock(&mi_malloc_sys_kept_lock);
  return (kept != NULL);
}

// ---- A page that has become empty.

// Keeps the empty page, if there is an entry for it.
static bool mi_malloc_sys_keep(mi_page_t* page, mi_msecs_t expire) {
  _mi_page_update_stats(page);
  if (!mi_malloc_sys_try_lock_kept()) return false;
  mi_malloc_sys_kept_t* const kept = mi_malloc_sys_entry_for(page);
  if (kept != NULL) { mi_malloc_sys_set_kept(kept, page, false, expire); }
  mi_malloc_sys_unlock(&mi_malloc_sys_kept_lock);
  return (kept != NULL);
}

bool mi_malloc_sys_keep_if_empty(mi_page_t* page) {
  if (!mi_page_all_free(page)) return false;
  const long time = mi_malloc_sys_keep_time(mi_arena_purge_delay());
  const mi_msecs_t now = _mi_clock_now();
  if (mi_malloc_sys_may_keep(page, time, now) && mi_malloc_sys_keep(page, now + time)) {
    (mi_arenas_try_purge)(false, false, _mi_subproc_main(), 0);
    mi_malloc_sys_purge_due_kept(now); // others may be due, and memory that this block did not use
    return true;
  }
  if (mi_malloc_sys_is_region(page)) { mi_atomic_storei64_relaxed(&mi_malloc_sys_mapping_freed, now); }
  return false;
}

// Here upstream has destroyed the main heap, and does not free its pages one by one.
static void mi_malloc_sys_destroy_kept(mi_subproc_t* subproc) {
  if (subproc != _mi_subproc_main()) return;
  mi_atomic_store_relaxed(&mi_malloc_sys_keep_stopped, (uintptr_t)1);
  while (mi_atomic_load_relaxed(&mi_malloc_sys_kept_count) != 0 && mi_malloc_sys_lock_kept()) {
    mi_malloc_sys_kept_t* const kept = mi_malloc_sys_oldest_kept(SIZE_MAX);
    mi_page_t* const page = (kept != NULL ? mi_malloc_sys_remove_kept(kept) : NULL);
    const bool is_in_use = (kept != NULL && kept->is_in_use);
    mi_malloc_sys_unlock(&mi_malloc_sys_kept_lock);
    if (page == NULL) return;
    if (is_in_use) continue;
    const mi_memid_t memid = page->memid;
    _mi_os_free(subproc, mi_page_slice_start(page), memid.mem.os.size - MI_PAGE_ALIGN, memid);
  }
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
  #if MI_MALLOC_SYS_KEEP
  mi_atomic_storei64_relaxed(&mi_malloc_sys_kept_searched, (mi_msecs_t)0); // search now
  #endif
  if (force) { mi_atomic_increment_relaxed(&mi_malloc_sys_forced_purges); }
  mi_malloc_sys_try_purge_after_free(force, visit_all, subproc, tseq);
  if (force) { mi_atomic_decrement_relaxed(&mi_malloc_sys_forced_purges); }
}
#endif

// See `purge.h`. Included after upstream's C.
#if MI_MALLOC_SYS_REUSE

// ---- Slices that were freed after the last purge of their arena: a bit for each, for the first arenas of the main
// subprocess, and in each for the first slices (1 GiB, with 64 KiB each). All others are purged as by upstream.
#define MI_MALLOC_SYS_RECENT_ARENAS  16
#define MI_MALLOC_SYS_RECENT_FIELDS  256
static _Atomic(mi_bfield_t) mi_malloc_sys_recent[MI_MALLOC_SYS_RECENT_ARENAS][MI_MALLOC_SYS_RECENT_FIELDS];

// NULL if none are recorded.
static _Atomic(mi_bfield_t)* mi_malloc_sys_recent_slices(const mi_arena_t* arena) {
  return (arena->arena_idx < MI_MALLOC_SYS_RECENT_ARENAS && arena->subproc == _mi_subproc_main()
            ? mi_malloc_sys_recent[arena->arena_idx] : NULL);
}

static bool mi_malloc_sys_is_recent(const mi_arena_t* arena, size_t slice_index) {
  const _Atomic(mi_bfield_t)* const recent = mi_malloc_sys_recent_slices(arena);
  const size_t field = slice_index / MI_BFIELD_BITS;
  return (recent != NULL && field < MI_MALLOC_SYS_RECENT_FIELDS &&
          ((mi_atomic_load_relaxed((_Atomic(mi_bfield_t)*)&recent[field]) >> (slice_index % MI_BFIELD_BITS)) & 1) != 0);
}

static void mi_malloc_sys_set_recent(const mi_arena_t* arena, size_t slice_index, size_t slice_count, bool is_recent) {
  _Atomic(mi_bfield_t)* const recent = mi_malloc_sys_recent_slices(arena);
  while (slice_count > 0 && recent != NULL && slice_index / MI_BFIELD_BITS < MI_MALLOC_SYS_RECENT_FIELDS) {
    const size_t first = slice_index % MI_BFIELD_BITS;
    const size_t count = mi_min(slice_count, MI_BFIELD_BITS - first);
    const mi_bfield_t mask = mi_bfield_mask(count, first);
    _Atomic(mi_bfield_t)* const field = &recent[slice_index / MI_BFIELD_BITS];
    if (is_recent) { mi_atomic_or_relaxed(field, mask); }
    else if (mi_atomic_load_relaxed(field) != 0) { mi_atomic_and_relaxed(field, ~mask); }
    slice_index += count;
    slice_count -= count;
  }
}

// If a purge is late by at least the delay, nothing was freed in its arena since it was due: that free would have purged.
// So no slice is recent any more. The purge is due now instead, so that it leaves what is freed next.
static void mi_malloc_sys_forget_if_late(mi_arena_t* arena, long delay) {
  mi_msecs_t expire = mi_atomic_loadi64_relaxed(&arena->purge_expire);
  if (expire == 0) return;
  const mi_msecs_t now = _mi_clock_now();
  if (now - expire < delay || !mi_atomic_casi64_strong_acq_rel(&arena->purge_expire, &expire, now)) return;
  mi_malloc_sys_set_recent(arena, 0, arena->slice_count, false);
  // Upstream loses this mark where a thread sets it while another one finishes a purge that found nothing. Then no free
  // would purge any more.
  expire = 0;
  mi_atomic_casi64_strong_acq_rel(&arena->subproc->purge_expire, &expire, now);
}

// Before a range is freed, with a delay that is positive.
static void mi_malloc_sys_before_free(mi_arena_t* arena, size_t slice_index, size_t slice_count, long delay) {
  mi_malloc_sys_forget_if_late(arena, delay);
  mi_malloc_sys_set_recent(arena, slice_index, slice_count, true);
}

// ---- Refaults: memory that is in use again soon after its purge. A program that allocates and frees much memory all the
// time would spend much of its time on faulting it in. So while more than a limit was refaulted recently, ranges that are
// due wait. When the program rests the count falls, and the next purge takes them.
static _Atomic(uintptr_t) mi_malloc_sys_forced_purges; // that run now: in these nothing waits

// In the child of a fork. A thread that does not exist there may have been within a forced purge.
static void mi_malloc_sys_repair_purges(void) {
  mi_atomic_store_relaxed(&mi_malloc_sys_forced_purges, (uintptr_t)0);
}

// Elsewhere the use of a purged range is not counted as committed again.
#if MI_MALLOC_SYS_KNOWS_ZEROES
#define MI_MALLOC_SYS_REFAULT_LIMIT   (32*MI_MiB)
#define MI_MALLOC_SYS_REFAULT_MAX     (8*MI_MALLOC_SYS_REFAULT_LIMIT) // so that nothing waits long in a program at rest
#define MI_MALLOC_SYS_REFAULT_PERIOD  500 // milliseconds, after each of which the counts are halved

// Of the main subprocess, in bytes. All but `purged` is written by the thread that purges, since upstream lets one at a
// time, and before forced collections.
static struct {
  _Atomic(mi_msecs_t) time;      // when the counts were last halved
  _Atomic(int64_t)    committed; // the total of upstream's statistics, when it was last read
  _Atomic(size_t)     purged;    // since then
  _Atomic(size_t)     unused;    // purged recently, and not in use again
  _Atomic(size_t)     refaulted; // purged recently, and in use again
} mi_malloc_sys_refaults;

// How many periods have passed since the counts were last halved.
static size_t mi_malloc_sys_refault_periods(mi_msecs_t now) {
  const mi_msecs_t passed = now - mi_atomic_loadi64_relaxed(&mi_malloc_sys_refaults.time);
  return (passed < 0 ? 0 : mi_min((size_t)(passed / MI_MALLOC_SYS_REFAULT_PERIOD), MI_SIZE_BITS - 1));
}

// Counts what was purged, and what came into use, since the last call. While purged memory is unused, what comes into use
// is mostly that memory, since upstream searches an arena from its start. (Mappings count as well, and with MI_SECURE=5 the
// guard page of each page.)
static void mi_malloc_sys_count_refaults(mi_subproc_t* subproc, mi_msecs_t now) {
  if (subproc != _mi_subproc_main()) return;
  const int64_t committed = mi_atomic_loadi64_relaxed((_Atomic(int64_t)*)&subproc->stats.committed.total);
  const int64_t growth = committed - mi_atomic_loadi64_relaxed(&mi_malloc_sys_refaults.committed);
  size_t unused = mi_atomic_load_relaxed(&mi_malloc_sys_refaults.unused);
  unused += mi_atomic_exchange_relaxed(&mi_malloc_sys_refaults.purged, (size_t)0);
  const size_t used = (growth < 0 ? 0 : mi_min((size_t)growth, unused)); // upstream reduces the total at times
  size_t refaulted = mi_atomic_load_relaxed(&mi_malloc_sys_refaults.refaulted) + used;
  if (refaulted > MI_MALLOC_SYS_REFAULT_MAX) { refaulted = MI_MALLOC_SYS_REFAULT_MAX; }
  const size_t periods = mi_malloc_sys_refault_periods(now);
  if (periods > 0) {
    const mi_msecs_t passed = now - mi_atomic_loadi64_relaxed(&mi_malloc_sys_refaults.time);
    mi_atomic_storei64_relaxed(&mi_malloc_sys_refaults.time, now - passed % MI_MALLOC_SYS_REFAULT_PERIOD);
  }
  mi_atomic_storei64_relaxed(&mi_malloc_sys_refaults.committed, committed);
  mi_atomic_store_relaxed(&mi_malloc_sys_refaults.unused, (unused - used) >> periods);
  mi_atomic_store_relaxed(&mi_malloc_sys_refaults.refaulted, refaulted >> periods);
}

// Before a forced collection: what the program purges by request is not purged too often.
static void mi_malloc_sys_forget_refaults(mi_subproc_t* subproc) {
  if (subproc != _mi_subproc_main()) return;
  mi_malloc_sys_count_refaults(subproc, _mi_clock_now());
  mi_atomic_store_relaxed(&mi_malloc_sys_refaults.unused, (size_t)0);
  mi_atomic_store_relaxed(&mi_malloc_sys_refaults.refaulted, (size_t)0);
}

// After a purge of so many bytes that will be counted as committed when they are in use again.
static void mi_malloc_sys_count_purged(const mi_arena_t* arena, size_t size) {
  if (arena->subproc == _mi_subproc_main() && mi_atomic_load_relaxed(&mi_malloc_sys_forced_purges) == 0) {
    mi_atomic_add_relaxed(&mi_malloc_sys_refaults.purged, size);
  }
}
#endif

// Whether ranges of the arena that are due wait.
static bool mi_malloc_sys_is_refaulting(const mi_arena_t* arena, mi_msecs_t now) {
  #if MI_MALLOC_SYS_KNOWS_ZEROES
  const size_t refaulted = mi_atomic_load_relaxed(&mi_malloc_sys_refaults.refaulted);
  return (arena->subproc == _mi_subproc_main() &&
          (refaulted >> mi_malloc_sys_refault_periods(now)) > MI_MALLOC_SYS_REFAULT_LIMIT &&
          mi_atomic_load_relaxed(&mi_malloc_sys_forced_purges) == 0);
  #else
  MI_UNUSED(arena); MI_UNUSED(now);
  return false;
  #endif
}

// Before a purge of all arenas. With `force` it leaves nothing to the next purge.
static void mi_malloc_sys_forget_recent(mi_subproc_t* subproc, bool force) {
  const long delay = mi_arena_purge_delay();
  const size_t count = mi_min(mi_arenas_get_count(subproc), (size_t)MI_MALLOC_SYS_RECENT_ARENAS);
  for (size_t i = 0; i < count && delay > 0; i++) {
    mi_arena_t* const arena = mi_arena_from_index(subproc, i);
    if (arena == NULL) continue;
    if (force) { mi_malloc_sys_set_recent(arena, 0, arena->slice_count, false); }
    else { mi_malloc_sys_forget_if_late(arena, delay); }
  }
}

// The same before a collection purges. What is purged by request says nothing of what is soon in use again.
static void mi_malloc_sys_before_collection(mi_subproc_t* subproc, bool force) {
  #if MI_MALLOC_SYS_KNOWS_ZEROES
  if (force) { mi_malloc_sys_forget_refaults(subproc); }
  #endif
  mi_malloc_sys_forget_recent(subproc, force);
}

// ---- Ranges that are due.

// Purges those of the slices that are free. Returns whether there were some.
static bool mi_malloc_sys_purge_free(mi_arena_t* arena, size_t slice_index, size_t slice_count) {
  if (mi_arena_try_purge_range(arena, slice_index, slice_count)) return true;
  bool is_purged = false;
  const size_t end = slice_index + slice_count;
  while (slice_index < end) {
    // Where some of the slices are not committed, upstream does not reset any, and counts them wrong.
    const bool is_committed = mi_bitmap_is_setN(arena->slices_committed, slice_index, 1);
    size_t claimed = slice_index;
    while (claimed < end && mi_bitmap_is_setN(arena->slices_committed, claimed, 1) == is_committed &&
           mi_bbitmap_try_clearNC(arena->slices_free, claimed, 1)) { claimed++; }
    const size_t count = claimed - slice_index;
    if (count > 0) {
      mi_arena_purge(arena, slice_index, count);
      mi_bbitmap_setN(arena->slices_free, slice_index, count);
      is_purged = true;
    }
    slice_index = (count > 0 ? claimed : slice_index + 1); // a slice in use
  }
  return is_purged;
}

// Leaves the slices to the next purge of their arena.
static void mi_malloc_sys_postpone_purge(mi_arena_t* arena, size_t slice_index, size_t slice_count,
                                         const mi_purge_visit_info_t* info)
{
  mi_malloc_sys_set_recent(arena, slice_index, slice_count, false);
  mi_bitmap_setN(arena->slices_purge, slice_index, slice_count, NULL);
  mi_msecs_t expire = 0;
  if (mi_atomic_casi64_strong_acq_rel(&arena->purge_expire, &expire, info->now + info->delay)) {
    mi_atomic_casi64_strong_acq_rel(&arena->subproc->purge_expire, &expire, info->now + info->delay);
  }
}

typedef struct mi_malloc_sys_due_s {
  mi_purge_visit_info_t* info;
  size_t                 min_count; // how many slices are purged together at least
  bool                   wait;      // whether all of them are left to the next purge
} mi_malloc_sys_due_t;

// A visitor of ranges that are due. True, to go on with the next.
static bool mi_malloc_sys_purge_range(size_t slice_index, size_t slice_count, mi_arena_t* arena, void* arg) {
  const mi_malloc_sys_due_t* const due = (mi_malloc_sys_due_t*)arg;
  mi_purge_visit_info_t* const info = due->info;
  const size_t end = slice_index + slice_count;
  while (slice_index < end) {
    bool is_recent = mi_malloc_sys_is_recent(arena, slice_index);
    size_t next = slice_index + 1;
    for (; next < end; next++) {
      const bool is_same = (mi_malloc_sys_is_recent(arena, next) == is_recent);
      if (!is_same && due->min_count <= 1) break;
      is_recent = is_recent || !is_same; // the whole range waits, since upstream purges no part of it later
    }
    if (is_recent || due->wait) {
      mi_malloc_sys_postpone_purge(arena, slice_index, next - slice_index, info);
      info->any_purged = true; // otherwise upstream forgets that a purge is scheduled
    }
    else if (mi_malloc_sys_purge_free(arena, slice_index, next - slice_index)) {
      info->any_purged = true;
    }
    slice_index = next;
  }
  return true;
}

static bool mi_malloc_sys_forall_due(mi_bitmap_t* slices, size_t min_count,
                                     bool (*visit)(size_t, size_t, mi_arena_t*, void*), mi_arena_t* arena, void* arg)
{
  MI_UNUSED(visit); // `mi_arena_try_purge_visitor`
  mi_purge_visit_info_t* const info = (mi_purge_visit_info_t*)arg;
  #if MI_MALLOC_SYS_KNOWS_ZEROES
  mi_malloc_sys_count_refaults(arena->subproc, info->now);
  #endif
  mi_malloc_sys_due_t due = { info, min_count, mi_malloc_sys_is_refaulting(arena, info->now) };
  return (_mi_bitmap_forall_setc_rangesn)(slices, min_count, &mi_malloc_sys_purge_range, arena, &due);
}

// ---- Zeroes. Called by `mi_arena_purge`, which owns the slices.
#if MI_MALLOC_SYS_KNOWS_ZEROES

// Whether upstream counts slices as committed when they become dirty, and `mi_os_decommit_ex` discards all of them.
// Memory that the program provided may be a file, with other contents than zeroes.
static bool mi_malloc_sys_may_know_zeroes(const mi_arena_t* arena) {
  return (arena->memid.memkind == MI_MEM_OS && arena->memid.initially_committed && _mi_os_has_overcommit() &&
          mi_option_get(mi_option_page_commit_on_demand) != 1 && _mi_os_page_size() <= MI_ARENA_SLICE_SIZE);
}

// Discards the memory of free slices that are known to be zero, and so were purged before, or never used. Those that are
// not committed have no memory.
static void mi_malloc_sys_purge_clean(mi_arena_t* arena, size_t slice_index, size_t end) {
  while (slice_index < end) {
    size_t claimed = slice_index;
    while (claimed < end && mi_bbitmap_try_clearNC(arena->slices_free, claimed, 1)) {
      if (!mi_bitmap_is_clearN(arena->slices_dirty, claimed, 1) || !mi_bitmap_is_setN(arena->slices_committed, claimed, 1)) {
        mi_bbitmap_setN(arena->slices_free, claimed, 1);
        break;
      }
      claimed++;
    }
    const size_t count = claimed - slice_index;
    if (count > 0) {
      // Not a decommit: they remain committed, though none of it is counted.
      (void)unix_madvise(mi_arena_slice_start(arena, slice_index), _mi_size_of_slices(count), MADV_DONTNEED);
      mi_bbitmap_setN(arena->slices_free, slice_index, count);
    }
    slice_index = claimed + 1;
  }
}

// A fault in a huge page makes all of the huge page resident, also what belongs to free slices that were purged before.
// No other purge is scheduled for those, so they are purged together with the slices whose use made them resident.
static void mi_malloc_sys_purge_huge_page(mi_arena_t* arena, size_t slice_index, size_t slice_count) {
  if (!mi_option_is_enabled(mi_option_allow_thp)) return;
  const size_t huge_page = 2*MI_MiB;
  const uintptr_t start = (uintptr_t)mi_arena_slice_start(arena, slice_index);
  const uintptr_t end = start + _mi_size_of_slices(slice_count);
  const size_t before = (start % huge_page) / MI_ARENA_SLICE_SIZE;
  const size_t after = (mi_align_up(end, huge_page) - end) / MI_ARENA_SLICE_SIZE;
  const size_t slice_end = slice_index + slice_count;
  mi_malloc_sys_purge_clean(arena, slice_index - mi_min(before, slice_index), slice_index);
  mi_malloc_sys_purge_clean(arena, slice_end, mi_min(slice_end + after, arena->slice_count));
}

static bool mi_malloc_sys_purge_slices(mi_arena_t* arena, size_t slice_index, size_t slice_count, mi_subproc_t* subproc,
                                       void* p, size_t size, bool allow_reset, size_t stat_size,
                                       mi_commit_fun_t* commit_fun, void* commit_fun_arg)
{
  if (!mi_malloc_sys_may_know_zeroes(arena) || commit_fun != NULL || mi_option_get(mi_option_purge_delay) < 0 ||
      !mi_option_is_enabled(mi_option_purge_decommits) || _mi_preloading())
  {
    return (_mi_os_purge_ex)(subproc, p, size, allow_reset, stat_size, commit_fun, commit_fun_arg);
  }
  mi_subproc_stat_counter_increase(subproc, purge_calls, 1);
  mi_subproc_stat_counter_increase(subproc, purged, size);
  bool needs_recommit = true;
  const bool is_dropped = mi_os_decommit_ex(subproc, p, size, &needs_recommit, stat_size);
  // A system that accepts the advice may still keep the memory: QEMU's user mode does, before 7.1 always.
  if (is_dropped && !mi_malloc_sys_is_resident((uint8_t*)p, size)) {
    const size_t dirty = mi_bitmap_popcountN(arena->slices_dirty, slice_index, slice_count);
    mi_bitmap_clearN(arena->slices_dirty, slice_index, slice_count);
    // Where it has to be committed again, upstream has counted that already.
    if (!needs_recommit) { mi_subproc_stat_decrease(subproc, committed, _mi_size_of_slices(dirty)); }
    mi_malloc_sys_count_purged(arena, (needs_recommit ? stat_size : _mi_size_of_slices(dirty)));
    mi_malloc_sys_purge_huge_page(arena, slice_index, slice_count);
  }
  return needs_recommit;
}
#endif
#endif

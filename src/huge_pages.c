// See `huge_pages.h`. Included after upstream's C.
#if MI_MALLOC_SYS_LARGE_THP

// How much of the memory of a huge page is resident. 0 if the system cannot tell.
static size_t mi_malloc_sys_resident_size(uintptr_t start) {
  unsigned char pages[MI_MALLOC_SYS_HUGE_UNIT / (4*MI_KiB)] = { 0 }; // for pages of 4 KiB, as in `mi_malloc_sys_is_resident`
  const size_t page_size = _mi_os_page_size();
  if (mincore((void*)start, MI_MALLOC_SYS_HUGE_UNIT, pages) != 0) return 0;
  size_t count = 0;
  for (size_t i = 0; i < MI_MALLOC_SYS_HUGE_UNIT / page_size; i++) { count += (pages[i] & 1); }
  return count * page_size;
}

// Requests huge pages where nothing is resident. Elsewhere no fault would map one, but the kernel might join small pages
// later, and make all of it resident.
static void mi_malloc_sys_huge_where_empty(uintptr_t start, uintptr_t end) {
  uintptr_t empty = start; // from here to `unit` nothing is resident
  for (uintptr_t unit = start; unit < end; unit += MI_MALLOC_SYS_HUGE_UNIT) {
    if (mi_malloc_sys_is_resident((uint8_t*)unit, MI_MALLOC_SYS_HUGE_UNIT)) {
      if (empty < unit) { mi_malloc_sys_advise_huge(empty, unit); }
      empty = unit + MI_MALLOC_SYS_HUGE_UNIT;
    }
  }
  if (empty < end) { mi_malloc_sys_advise_huge(empty, end); }
}

// The arena has allocated in that part.
static void mi_malloc_sys_check_plain(mi_arena_t* arena, int64_t committed) {
  int64_t last = mi_atomic_loadi64_relaxed(&mi_malloc_sys_plain_checked);
  if (committed - last < MI_MALLOC_SYS_PLAIN_STEP && last - committed < MI_MALLOC_SYS_PLAIN_STEP) return;
  const uintptr_t arena_start = (uintptr_t)mi_arena_slice_start(arena, 0);
  const uintptr_t arena_end = arena_start + _mi_size_of_slices(arena->slice_count);
  const uintptr_t plain_start = mi_atomic_load_relaxed(&mi_malloc_sys_plain_start);
  const uintptr_t plain_end = mi_atomic_load_relaxed(&mi_malloc_sys_plain_end);
  if (arena_start != plain_start || !mi_malloc_sys_may_have_huge() ||
      !mi_atomic_casi64_strong_acq_rel(&mi_malloc_sys_plain_checked, &last, committed)) return;
  const uintptr_t start = mi_align_up(plain_start, MI_MALLOC_SYS_HUGE_UNIT);
  const uintptr_t end = mi_align_down((arena_end < plain_end ? arena_end : plain_end), MI_MALLOC_SYS_HUGE_UNIT);
  const int err = errno;
  size_t resident = 0;
  for (uintptr_t unit = start; unit < end && resident < MI_MALLOC_SYS_PLAIN_RESIDENT; unit += MI_MALLOC_SYS_HUGE_UNIT) {
    resident += mi_malloc_sys_resident_size(unit);
  }
  if (resident >= MI_MALLOC_SYS_PLAIN_RESIDENT) {
    mi_atomic_storei64_relaxed(&mi_malloc_sys_plain_limit, INT64_MAX);
    mi_malloc_sys_huge_where_empty(start, end);
  }
  errno = err;
}
#endif

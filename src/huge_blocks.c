// See `huge_blocks.h`. Included after upstream's C.
#if MI_MALLOC_SYS_HUGE_BLOCKS
#undef mi_page_free_list_extend
#undef _mi_page_malloc_zero
#undef mi_block_set_next
#undef mi_page_thread_collect_to_local
#undef mi_theap_page_merge_stats

// ---- Zeroes.

// The unit that is zeroed or discarded: the size of a huge page on most systems.
#define MI_MALLOC_SYS_ZERO_UNIT  (2*MI_MiB)

// Up to this size a block is cleared in about the time in which the system says what is resident.
#define MI_MALLOC_SYS_ZERO_ALL   (512*MI_KiB)

#if defined(__linux__)
// Whether discarded memory is zero. QEMU's user mode before 7.1 accepts the advice and keeps the memory.
static bool mi_malloc_sys_discards(void) {
  static _Atomic(uintptr_t) known; // 1: no, 2: yes
  uintptr_t result = mi_atomic_load_relaxed(&known);
  if mi_unlikely(result == 0) {
    const size_t size = _mi_os_page_size();
    const int err = errno;
    uint8_t* const p = (uint8_t*)mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p != MAP_FAILED) {
      *(volatile uint8_t*)p = 1;
      result = (madvise(p, size, MADV_DONTNEED) == 0 && *(volatile uint8_t*)p == 0 ? 2 : 1);
      munmap(p, size);
      mi_atomic_store_relaxed(&known, result);
    }
    errno = err;
  }
  return (result == 2);
}

static void mi_malloc_sys_zero_by_discarding(uint8_t* start, size_t size) {
  const int err = errno;
  if (size > 0 && (!mi_malloc_sys_discards() || madvise(start, size, MADV_DONTNEED) != 0)) {
    memset(start, 0, size); // such as locked memory
  }
  errno = err;
}

// Whether none of a few pages is resident, the first one among them. To query all of them takes longer than to discard
// memory that was never touched.
static bool mi_malloc_sys_seems_untouched(uint8_t* start, size_t size) {
  const size_t page_size = _mi_os_page_size();
  const size_t step = mi_align_up(size / 8, page_size);
  for (size_t at = 0; at < size; at += step) {
    if (mi_malloc_sys_is_resident(start + at, page_size)) return false;
  }
  return true;
}

// What is not resident may have been swapped out, so it is discarded.
static void mi_malloc_sys_zero_range(uint8_t* start, size_t size, bool is_resident) {
  if (is_resident) { memset(start, 0, size); }
  else { mi_malloc_sys_zero_by_discarding(start, size); }
}

// Adjacent units are zeroed together: processors zero many MiB at once in half the time for each, as then they do not read
// the memory first.
static void mi_malloc_sys_zero_resident(uint8_t* start, size_t size) {
  if (mi_malloc_sys_seems_untouched(start, size)) {
    mi_malloc_sys_zero_by_discarding(start, size);
    return;
  }
  size_t zeroed = 0;
  bool is_resident = false; // from there to `at`
  for (size_t at = 0; at < size; ) {
    const size_t unit = MI_MALLOC_SYS_ZERO_UNIT - (uintptr_t)(start + at) % MI_MALLOC_SYS_ZERO_UNIT;
    const size_t count = mi_min(unit, size - at);
    if (mi_malloc_sys_is_resident(start + at, count) != is_resident) {
      mi_malloc_sys_zero_range(start + zeroed, at - zeroed, is_resident);
      zeroed = at;
      is_resident = !is_resident;
    }
    at += count;
  }
  mi_malloc_sys_zero_range(start + zeroed, size - zeroed, is_resident);
}
#endif

static void mi_malloc_sys_zero_block(const mi_page_t* page, mi_block_t* block) {
  const size_t size = mi_page_block_size(page);
  #if defined(__linux__)
  uint8_t* const p = (uint8_t*)block;
  if mi_likely(size > MI_MALLOC_SYS_ZERO_ALL && mi_malloc_sys_is_system_memory(page) &&
               (size_t)(p - mi_page_slice_start(page)) <= MI_PAGE_CACHE_OFFSET_MAX)
  {
    // Nothing else is in the system's pages at both ends.
    const uintptr_t page_size = _mi_os_page_size();
    const uintptr_t start = mi_align_down((uintptr_t)p, page_size);
    mi_malloc_sys_zero_resident((uint8_t*)start, mi_align_up((uintptr_t)p + size, page_size) - start);
    return;
  }
  #endif
  mi_memzero_block(block, size);
}

// ---- The free list.

static void mi_malloc_sys_free_list_extend(mi_page_t* page, size_t bsize, size_t extend) {
  if mi_likely(!mi_malloc_sys_has_no_list(page)) { mi_page_free_list_extend(page, bsize, extend); }
  else { page->free = (mi_block_t*)mi_page_start(page); }
}

static void* mi_malloc_sys_page_malloc_zero(mi_theap_t* theap, mi_page_t* page, size_t size, bool zero) {
  if mi_likely(!mi_malloc_sys_has_no_list(page)) return _mi_page_malloc_zero(theap, page, size, zero);
  mi_block_t* const block = page->free;
  page->free = NULL;
  page->xused.used_alloc += MI_MALLOC_SYS_COUNT_ONE;
  if (zero && !page->free_is_zero) { mi_malloc_sys_zero_block(page, block); }
  return block;
}

static void mi_malloc_sys_thread_collect(mi_page_t* page, mi_block_t* head) {
  if mi_likely(!mi_malloc_sys_has_no_list(page)) {
    mi_page_thread_collect_to_local(page, head);
    return;
  }
  if mi_unlikely(mi_page_used(page) == 0) {
    _mi_error_message(EFAULT, "a block was freed twice, or the metadata of its page are corrupted: %p\n", head);
    return;
  }
  page->local_free = head;
  page->xused.used_alloc--;
  _mi_page_qsbr_clear(page);
}

// ---- Statistics.
#if MI_STATS

// Without a theap upstream counts in the heap itself.
static void mi_malloc_sys_merge_stats(mi_theap_t* theapx, const mi_page_t* page, size_t alloc_count, size_t free_count) {
  if mi_unlikely(mi_malloc_sys_has_no_list(page)) {
    const size_t threshold = mi_option_get_size(mi_option_stats_merge_threshold);
    if (threshold > 0 && page->block_size >= threshold) { theapx = NULL; }
  }
  mi_theap_page_merge_stats(theapx, page, alloc_count, free_count);
}
#endif
#endif

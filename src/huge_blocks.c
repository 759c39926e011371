// See `huge_blocks.h`. Included after upstream's `static.c`.
#if MI_MALLOC_SYS_HUGE_BLOCKS
#undef mi_page_free_list_extend
#undef _mi_page_malloc_zero
#undef mi_block_set_next
#undef mi_page_thread_collect_to_local

// ---- Zeroes.

// The unit that is zeroed or discarded: the size of a huge page on most systems.
#define MI_MALLOC_SYS_ZERO_UNIT  (2*MI_MiB)

#if defined(__linux__)
static void mi_malloc_sys_zero_by_discarding(uint8_t* start, uint8_t* end) {
  const size_t size = (size_t)(end - start);
  if (size > 0 && madvise(start, size, MADV_DONTNEED) != 0) { memset(start, 0, size); } // such as locked memory
}

// What is not resident may have been swapped out, so it is discarded.
static void mi_malloc_sys_zero_resident(uint8_t* start, uint8_t* end) {
  uint8_t* empty = start; // from here to `at` nothing is resident
  for (uint8_t* at = start; at < end; ) {
    uint8_t* next = (uint8_t*)mi_align_up((uintptr_t)at + 1, MI_MALLOC_SYS_ZERO_UNIT);
    if (next > end) { next = end; }
    if (mi_malloc_sys_is_resident(at, (size_t)(next - at))) {
      mi_malloc_sys_zero_by_discarding(empty, at);
      memset(at, 0, (size_t)(next - at));
      empty = next;
    }
    at = next;
  }
  mi_malloc_sys_zero_by_discarding(empty, end);
}
#endif

static void mi_malloc_sys_zero_block(const mi_page_t* page, mi_block_t* block) {
  const size_t size = mi_page_block_size(page);
  #if defined(__linux__)
  uint8_t* const p = (uint8_t*)block;
  if mi_likely(mi_malloc_sys_is_system_memory(page) &&
               (size_t)(p - mi_page_slice_start(page)) <= MI_PAGE_CACHE_OFFSET_MAX)
  {
    // Nothing else is in the system's pages at both ends.
    const uintptr_t page_size = _mi_os_page_size();
    mi_malloc_sys_zero_resident((uint8_t*)mi_align_down((uintptr_t)p, page_size),
                                (uint8_t*)mi_align_up((uintptr_t)p + size, page_size));
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
  page->xused.used_alloc += 0x10001; // used, and allocated since the page's free list was filled
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
#endif

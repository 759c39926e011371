// See `singleton_pages.h`. Included after upstream's C. `_mi_page_retire` stays a macro: `global.c` calls it.
#if MI_MALLOC_SYS_SINGLETONS
#undef _mi_page_fresh_alloc
#undef _mi_page_to_full

// The largest block whose page is retained: 512 KiB with slices of 64 KiB, upstream's limit for large pages.
#define MI_MALLOC_SYS_RETAINED_SIZE  (MI_LARGE_PAGE_SIZE/8)

// At most so many pages stay in a thread's huge queue. First come the retired ones, the last retired first, since upstream
// looks for them there; then those in use, the last allocated last.
//
// Another thread may free a block in one of them. That returns its memory only when the owner allocates such a block or
// collects, when it becomes idle (`mi_malloc_sys_abandon_pages`), and when it ends.
#define MI_MALLOC_SYS_RETAINED       8

static bool mi_malloc_sys_may_retain(const mi_page_t* page) {
  return (page->block_size > MI_LARGE_MAX_OBJ_SIZE && page->block_size <= MI_MALLOC_SYS_RETAINED_SIZE &&
          page->memid.memkind == MI_MEM_ARENA && !mi_page_is_in_full(page));
}

// The size of upstream's class for a block of such a size: four classes for each power of two. So a retained page serves
// blocks that differ a little, and a growing block moves seldom. What the program does not touch is never resident.
static size_t mi_malloc_sys_class_size(size_t block_size) {
  const size_t power = MI_ZU(1) << (MI_SIZE_BITS - 1 - mi_clz(block_size - 1));
  return mi_align_up(block_size, power / 4);
}

// An empty page of the queue for a block of this class, or NULL.
static mi_page_t* mi_malloc_sys_find_retained(mi_page_queue_t* pq, size_t class_size) {
  size_t count = 0;
  for (mi_page_t* page = pq->first; page != NULL && count < MI_MALLOC_SYS_RETAINED; page = page->next, count++) {
    if (page->block_size != class_size || !mi_malloc_sys_may_retain(page)) continue;
    _mi_page_free_collect(page, false); // another thread may have freed the block
    if (mi_page_all_free(page)) return page;
  }
  return NULL;
}

static mi_page_t* mi_malloc_sys_page_fresh_alloc(mi_theap_t* theap, mi_page_queue_t* pq, size_t block_size,
                                                 size_t alignment)
{
  if (!mi_page_queue_is_huge(pq)) return _mi_page_fresh_alloc(theap, pq, block_size, alignment);
  mi_page_t* page = NULL;
  #if MI_MALLOC_SYS_KEEP
  if (alignment == 0) { page = mi_malloc_sys_take_kept(theap, block_size); }
  if (page != NULL) return page;
  #endif
  if (block_size <= MI_MALLOC_SYS_RETAINED_SIZE && alignment == 0) {
    block_size = mi_malloc_sys_class_size(block_size);
    page = mi_malloc_sys_find_retained(pq, block_size);
  }
  if (page == NULL) {
    #if MI_MALLOC_SYS_KEEP
    mi_malloc_sys_before_mapping(theap, block_size);
    #endif
    page = _mi_page_fresh_alloc(theap, pq, block_size, alignment);
    #if MI_MALLOC_SYS_KEEP
    if mi_unlikely(page == NULL) { page = mi_malloc_sys_alloc_in_arena(theap, pq, block_size, alignment); }
    if (page != NULL && mi_malloc_sys_is_region(page)) { mi_malloc_sys_after_mapping(page); }
    #endif
  }
  if (page != NULL) {
    page->retire_expire = 0;
    mi_page_set_has_interior_pointers(page, false); // that stays set when another thread frees an aligned block
    mi_page_queue_move_to_back(theap, pq, page);
  }
  return page;
}

// With a sample rate the page is left to upstream, which abandons it at once. A profiler's function may allocate while it
// handles the free of a sampled block, and the loop below could then abandon the page of that block.
static void mi_malloc_sys_page_to_full(mi_page_t* page, mi_page_queue_t* pq) {
  #if MI_MALLOC_SYS_KEEP
  if (mi_page_is_abandoned(page)) {
    mi_malloc_sys_kept_to_full(page);
    return;
  }
  #endif
  mi_theap_t* const theap = mi_page_theap(page);
  if (!mi_page_queue_is_huge(pq) || !mi_malloc_sys_may_retain(page) || !theap->allow_page_abandon ||
      theap->sample_rate != 0)
  {
    _mi_page_to_full(page, pq);
    return;
  }
  while (pq->count > MI_MALLOC_SYS_RETAINED) {
    mi_page_t* oldest = pq->first;
    while (oldest->retire_expire != 0) { oldest = oldest->next; } // there are fewer retired ones
    _mi_page_abandon(oldest, pq);                                  // or frees it
  }
}

static void mi_malloc_sys_retire(mi_page_t* page) {
  if mi_likely(!mi_malloc_sys_may_retain(page) || page->retire_expire != 0) {
    (_mi_page_retire)(page);
    return;
  }
  mi_theap_t* const theap = mi_page_theap(page);
  mi_page_queue_t* const pq = &theap->pages[MI_BIN_HUGE];
  mi_page_t* oldest = pq->first;
  for (size_t i = 1; i < MI_RETIRE_MAX_PAGES && oldest != NULL; i++) { oldest = oldest->next; }
  // Upstream looks at the first MI_RETIRE_MAX_PAGES only, so with one more the oldest is freed.
  if (oldest != NULL && oldest->retire_expire != 0) { _mi_page_free(oldest, pq); }
  mi_page_set_has_interior_pointers(page, false);
  mi_theap_stat_counter_increase(theap, pages_retire, 1);
  page->retire_expire = MI_RETIRE_CYCLES/4;
  mi_page_queue_move_to_front(theap, pq, page);
  theap->page_retired_min = mi_min(theap->page_retired_min, MI_BIN_HUGE);
  theap->page_retired_max = mi_max(theap->page_retired_max, MI_BIN_HUGE);
}

// Before the thread sleeps. An empty page returns to its arena, and one in use will when its block is freed. The caller
// holds the lock of the heap's theaps, as at the end of a thread.
void mi_malloc_sys_abandon_retained(mi_theap_t* theap) {
  mi_page_queue_t* const pq = &theap->pages[MI_BIN_HUGE];
  for (mi_page_t* page = pq->first; page != NULL; ) {
    mi_page_t* const next = page->next; // the page leaves the queue
    if (mi_malloc_sys_may_retain(page)) { _mi_page_abandon(page, pq); }
    page = next;
  }
}
#endif

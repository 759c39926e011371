// v3's part of `../fork.c`: its locks, and what else waits for another thread. Included there after upstream's C.

static bool mi_malloc_sys_take_heap(mi_heap_t* heap, mi_lock_t** busy) {
  // No thread can hold the lock of another thread's list of theaps without the lock of the heap.
  return (mi_malloc_sys_take_lock(&heap->theaps_lock, busy) != MI_MALLOC_SYS_BUSY &&
          mi_malloc_sys_take_lock(&heap->os_abandoned_pages_lock, busy) != MI_MALLOC_SYS_BUSY &&
          mi_malloc_sys_take_lock(&heap->arena_pages_lock, busy) != MI_MALLOC_SYS_BUSY);
}

static bool mi_malloc_sys_take_subproc(mi_subproc_t* subproc, mi_lock_t** busy) {
  if (mi_malloc_sys_take_lock(&subproc->arena_reserve_lock, busy) == MI_MALLOC_SYS_BUSY ||
      mi_malloc_sys_take_lock(&subproc->theap_meta_lock, busy) == MI_MALLOC_SYS_BUSY) return false;
  const mi_malloc_sys_take_t heaps = mi_malloc_sys_take_lock(&subproc->heaps_lock, busy);
  if (heaps != MI_MALLOC_SYS_TAKEN) return (heaps == MI_MALLOC_SYS_SKIPPED); // the list may change
  for (mi_heap_t* heap = subproc->heaps; heap != NULL; heap = heap->next) {
    if (!mi_malloc_sys_take_heap(heap, busy)) return false;
  }
  return true;
}

static bool mi_malloc_sys_take_all(mi_lock_t** busy) {
  if (mi_malloc_sys_take_lock(&mi_thread_locals_lock, busy) == MI_MALLOC_SYS_BUSY ||
      mi_malloc_sys_take_lock(&out_buf_lock, busy) == MI_MALLOC_SYS_BUSY ||
      mi_malloc_sys_take_lock(&mi_tld_detached.theaps_lock, busy) == MI_MALLOC_SYS_BUSY) return false;
  #if !MI_PAGE_MAP_FLAT
  if (mi_malloc_sys_take_lock(&mi_page_map()->lock, busy) == MI_MALLOC_SYS_BUSY) return false;
  #endif
  const mi_malloc_sys_take_t subprocs = mi_malloc_sys_take_lock(&mi_subprocs_lock, busy);
  if (subprocs != MI_MALLOC_SYS_TAKEN) return (subprocs == MI_MALLOC_SYS_SKIPPED);
  for (mi_subproc_t* subproc = mi_subprocs; subproc != NULL; subproc = subproc->next) {
    if (!mi_malloc_sys_take_subproc(subproc, busy)) return false;
  }
  return true;
}

// One more place waits for another thread, without a lock. A thread that reclaims an abandoned page clears its bit in the
// bitmap of abandoned pages, then claims the page, and sets the bit again if the page has another owner by then. A thread
// that frees a block in the page claims it first, and waits until the bit is set (`mi_bitmap_clear_once_set`). If the
// fork happens between the first two steps of a thread, the child has a page that nobody owns and whose bit nobody sets.
static bool mi_malloc_sys_restore_abandoned_bit(size_t slice_index, size_t slice_count, mi_arena_t* arena, void* heap) {
  MI_UNUSED(slice_count);
  mi_page_t* const page = mi_arena_page_at_slice(arena, slice_index);
  // NULL if the fork happened while a thread took or freed the page's slices.
  if (page != NULL && mi_page_is_abandoned_mapped(page) && !mi_page_is_owned(page)) {
    const size_t bin = _mi_bin(mi_page_block_size(page));
    mi_bitmap_set(mi_heap_arena_pages((mi_heap_t*)heap, arena)->pages_abandoned[bin], slice_index);
  }
  return true; // go on
}

// Whether fewer pages have their bit than should.
static bool mi_malloc_sys_lacks_abandoned_bits(mi_heap_t* heap) {
  const size_t arenas = mi_arenas_get_count(heap->subproc);
  for (size_t bin = 0; bin < MI_ARENA_BIN_COUNT; bin++) {
    const size_t count = mi_atomic_load_relaxed(&heap->abandoned_count[bin]);
    size_t found = 0;
    for (size_t i = 0; count > 0 && i < arenas; i++) {
      mi_arena_t* const arena = mi_arena_from_index(heap->subproc, i);
      mi_arena_pages_t* const pages = (arena == NULL ? NULL : mi_heap_arena_pages(heap, arena));
      if (pages != NULL) { found += mi_bitmap_popcount(pages->pages_abandoned[bin]); }
    }
    if (found != count) return true;
  }
  return false;
}

static void mi_malloc_sys_repair_abandoned(void) {
  for (mi_subproc_t* subproc = mi_subprocs; subproc != NULL; subproc = subproc->next) {
    for (mi_heap_t* heap = subproc->heaps; heap != NULL; heap = heap->next) {
      if (!mi_malloc_sys_lacks_abandoned_bits(heap)) continue; // the common case
      for (size_t i = 0; i < mi_arenas_get_count(subproc); i++) {
        mi_arena_t* const arena = mi_arena_from_index(subproc, i);
        mi_arena_pages_t* const pages = (arena == NULL ? NULL : mi_heap_arena_pages(heap, arena));
        if (pages != NULL) { _mi_bitmap_forall_set(pages->pages, &mi_malloc_sys_restore_abandoned_bit, arena, heap); }
      }
    }
  }
}

static void mi_malloc_sys_repair(void) {
  #if MI_MALLOC_SYS_REUSE
  mi_malloc_sys_repair_purges();
  #endif
  #if MI_MALLOC_SYS_REUSE_ADDRESSES
  mi_malloc_sys_repair_addresses();
  #endif
  #if MI_MALLOC_SYS_KEEP
  mi_malloc_sys_repair_kept();
  #endif
  if (!_mi_preloading()) { mi_malloc_sys_repair_abandoned(); }
  _mi_fork_child(); // upstream's own, which takes locks
}

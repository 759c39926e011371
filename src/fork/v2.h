// v2's part of `../fork.c`: its locks, and what else waits for another thread. Included there after upstream's C.

// What upstream has no list of, guarded by `mi_malloc_sys_registry_lock`: the locks that are initialized while the program
// runs (those of subprocesses and of arenas), and the segments. If the list cannot grow, an item is not registered.
static mi_malloc_sys_list_t mi_malloc_sys_registered_locks = MI_MALLOC_SYS_EMPTY_LIST(mi_malloc_sys_registered_locks);
static mi_malloc_sys_list_t mi_malloc_sys_registered_segments = MI_MALLOC_SYS_EMPTY_LIST(mi_malloc_sys_registered_segments);
static mi_lock_t mi_malloc_sys_registry_lock = MI_LOCK_INITIALIZER;

static size_t mi_malloc_sys_registered_index(const mi_malloc_sys_list_t* known, const void* item) {
  size_t i = known->count; // the newest is the most likely to be removed
  while (i > 0 && known->items[i - 1] != item) { i--; }
  return i;
}

// A handler of `fork` that was registered before ours may allocate while the forking thread holds the lock.
static bool mi_malloc_sys_lock_registry(void) {
  if (mi_lock_try_acquire(&mi_malloc_sys_registry_lock)) return true;
  if (mi_atomic_load_relaxed(&mi_malloc_sys_forking) == _mi_thread_id()) return false;
  mi_lock_acquire(&mi_malloc_sys_registry_lock);
  return true;
}

static void mi_malloc_sys_register(mi_malloc_sys_list_t* known, void* item) {
  const bool locked = mi_malloc_sys_lock_registry();
  if (mi_malloc_sys_registered_index(known, item) == 0) { mi_malloc_sys_list_add(known, item); }
  if (locked) { mi_lock_release(&mi_malloc_sys_registry_lock); }
}

static void mi_malloc_sys_unregister(mi_malloc_sys_list_t* known, const void* item) {
  const bool locked = mi_malloc_sys_lock_registry();
  const size_t i = mi_malloc_sys_registered_index(known, item);
  if (i > 0) { known->items[i - 1] = known->items[--known->count]; }
  if (locked) { mi_lock_release(&mi_malloc_sys_registry_lock); }
}

static void mi_malloc_sys_lock_init(mi_lock_t* lock) {
  mi_lock_init(lock);
  mi_malloc_sys_register(&mi_malloc_sys_registered_locks, lock);
}

// A lock is destroyed before its memory is freed, so all locks in the list are in memory while the list is locked.
static void mi_malloc_sys_lock_done(mi_lock_t* lock) {
  mi_malloc_sys_unregister(&mi_malloc_sys_registered_locks, lock);
  mi_lock_done(lock);
}

// Whether the child may write to a segment. It may lack memory that the program provided, and huge pages for a copy.
static bool mi_malloc_sys_child_may_write(const mi_segment_t* segment) {
  if (segment->memid.is_pinned) return false;
  if (segment->memid.memkind != MI_MEM_ARENA) return true;
  size_t arena_index, bitmap_index;
  mi_arena_memid_indices(segment->memid, &arena_index, &bitmap_index);
  const mi_arena_t* const arena = mi_arena_from_index(arena_index);
  return (arena != NULL && arena->memid.memkind == MI_MEM_OS);
}

static void mi_malloc_sys_segment_allocated(const mi_segment_t* segment) {
  _mi_segment_map_allocated_at(segment);
  if (mi_malloc_sys_child_may_write(segment)) { mi_malloc_sys_register(&mi_malloc_sys_registered_segments, (void*)segment); }
}

// Its memory is freed later as well.
static void mi_malloc_sys_segment_freed(const mi_segment_t* segment) {
  mi_malloc_sys_unregister(&mi_malloc_sys_registered_segments, segment);
  _mi_segment_map_freed_at(segment);
}

static bool mi_malloc_sys_take_all(mi_lock_t** busy) {
  if (mi_malloc_sys_take_lock(&out_buf_lock, busy) == MI_MALLOC_SYS_BUSY) return false;
  const mi_malloc_sys_take_t known = mi_malloc_sys_take_lock(&mi_malloc_sys_registry_lock, busy);
  if (known != MI_MALLOC_SYS_TAKEN) return (known == MI_MALLOC_SYS_SKIPPED); // the list may change
  for (size_t i = 0; i < mi_malloc_sys_registered_locks.count; i++) {
    mi_lock_t* const lock = (mi_lock_t*)mi_malloc_sys_registered_locks.items[i];
    if (mi_malloc_sys_take_lock(lock, busy) == MI_MALLOC_SYS_BUSY) return false;
  }
  return true;
}

// A thread that frees the first block of another thread's page marks the page (MI_DELAYED_FREEING) while it pushes the
// block to a list of that page's heap, which must not be freed meanwhile (`mi_free_block_delayed_mt` in `free.c`). The
// owner waits for the end of the mark before it deletes or destroys the heap, or ends its thread
// (`_mi_page_use_delayed_free`). In the child, the mark of a thread that does not exist there remains. Its block is
// lost, if it was not on the list yet.
//
// Only the pages of the forking thread are concerned. Pages of other threads have no owner here who could wait, and
// abandoned ones had an owner who did.
static bool mi_malloc_sys_unmark(mi_heap_t* heap, mi_page_queue_t* queue, mi_page_t* page, void* arg1, void* arg2) {
  MI_UNUSED(heap); MI_UNUSED(queue); MI_UNUSED(arg1); MI_UNUSED(arg2);
  const mi_thread_free_t frees = mi_atomic_load_relaxed(&page->xthread_free);
  if (mi_tf_delayed(frees) == MI_DELAYED_FREEING) {
    mi_atomic_store_release(&page->xthread_free, mi_tf_set_delayed(frees, MI_USE_DELAYED_FREE));
  }
  return true; // go on
}

// A new thread of the child may get the address, and so the id, of a thread of the parent that does not exist in the
// child. It would then take that thread's segments for its own, and one that was being abandoned for complete. So they
// get an id that no thread has, and their blocks are freed as those of another thread.
static void mi_malloc_sys_disown_segments(void) {
  const mi_threadid_t nobody = 1;
  const mi_threadid_t self = _mi_thread_id();
  if (!mi_lock_try_acquire(&mi_malloc_sys_registry_lock)) return; // it was skipped, and the list may be inconsistent
  for (size_t i = 0; i < mi_malloc_sys_registered_segments.count; i++) {
    mi_segment_t* const segment = (mi_segment_t*)mi_malloc_sys_registered_segments.items[i];
    const mi_threadid_t owner = mi_atomic_load_relaxed(&segment->thread_id);
    if (owner != 0 && owner != self) { mi_atomic_store_relaxed(&segment->thread_id, nobody); }
  }
  mi_lock_release(&mi_malloc_sys_registry_lock);
}

static void mi_malloc_sys_repair(void) {
  if (_mi_preloading()) return; // also true when mimalloc has shut down
  mi_malloc_sys_disown_segments();
  mi_heap_t* const own = mi_prim_get_default_heap();
  if (!mi_heap_is_initialized(own)) return;
  for (mi_heap_t* heap = own->tld->heaps; heap != NULL; heap = heap->next) {
    mi_heap_visit_pages(heap, &mi_malloc_sys_unmark, true, NULL, NULL);
  }
}

// What `../fork.c` has to know of v2: its locks, and what else waits for another thread. Included there after
// upstream's C.

#undef mi_lock_init
#undef mi_lock_done

// The locks that are initialized when the program runs: those of subprocesses and of arenas.
static mi_malloc_sys_lock_list_t mi_malloc_sys_known = { mi_malloc_sys_known.first, MI_MALLOC_SYS_LOCKS, 0, { NULL } };
static mi_lock_t mi_malloc_sys_known_lock = MI_LOCK_INITIALIZER;

static size_t mi_malloc_sys_known_index(const mi_lock_t* lock) {
  size_t i = 0;
  while (i < mi_malloc_sys_known.count && mi_malloc_sys_known.locks[i] != lock) { i++; }
  return i;
}

static void mi_malloc_sys_lock_init(mi_lock_t* lock) {
  mi_lock_init(lock);
  mi_lock(&mi_malloc_sys_known_lock) {
    if (mi_malloc_sys_known_index(lock) == mi_malloc_sys_known.count) {
      mi_malloc_sys_list_add(&mi_malloc_sys_known, lock); // without memory for the list, this lock is not held
    }
  }
}

// A lock ends before its memory does, so whoever holds the list keeps all locks on it in memory.
static void mi_malloc_sys_lock_done(mi_lock_t* lock) {
  mi_lock(&mi_malloc_sys_known_lock) {
    const size_t i = mi_malloc_sys_known_index(lock);
    if (i < mi_malloc_sys_known.count) {
      mi_malloc_sys_known.locks[i] = mi_malloc_sys_known.locks[--mi_malloc_sys_known.count];
    }
  }
  mi_lock_done(lock);
}

static bool mi_malloc_sys_take_all(mi_lock_t** busy) {
  if (mi_malloc_sys_take_lock(&out_buf_lock, busy) == MI_MALLOC_SYS_BUSY) return false;
  const mi_malloc_sys_take_t known = mi_malloc_sys_take_lock(&mi_malloc_sys_known_lock, busy);
  if (known != MI_MALLOC_SYS_TAKEN) return (known == MI_MALLOC_SYS_LEFT); // the list may change
  for (size_t i = 0; i < mi_malloc_sys_known.count; i++) {
    if (mi_malloc_sys_take_lock(mi_malloc_sys_known.locks[i], busy) == MI_MALLOC_SYS_BUSY) return false;
  }
  return true;
}

// Who frees the first block of another thread's page marks the page for the moment in which it puts the block on a
// list of that page's heap, for that must not end meanwhile (`mi_free_block_delayed_mt` in `free.c`). The owner waits
// for the end of the mark before it deletes or destroys the heap, or ends its thread (`_mi_page_use_delayed_free`).
// A thread that stays behind leaves its mark. Its block is lost, if it was not on the list yet.
//
// That concerns the pages of the forking thread alone. Pages of others have no owner here who could wait, and
// abandoned ones had an owner who did.
static bool mi_malloc_sys_unmark(mi_heap_t* heap, mi_page_queue_t* queue, mi_page_t* page, void* arg1, void* arg2) {
  MI_UNUSED(heap); MI_UNUSED(queue); MI_UNUSED(arg1); MI_UNUSED(arg2);
  const mi_thread_free_t frees = mi_atomic_load_relaxed(&page->xthread_free);
  if (mi_tf_delayed(frees) == MI_DELAYED_FREEING) {
    mi_atomic_store_release(&page->xthread_free, mi_tf_set_delayed(frees, MI_USE_DELAYED_FREE));
  }
  return true; // go on
}

static void mi_malloc_sys_mend(void) {
  mi_heap_t* const own = mi_prim_get_default_heap();
  if (_mi_preloading() || !mi_heap_is_initialized(own)) return;
  for (mi_heap_t* heap = own->tld->heaps; heap != NULL; heap = heap->next) {
    mi_heap_visit_pages(heap, &mi_malloc_sys_unmark, true, NULL, NULL);
  }
}

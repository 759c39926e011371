// Handlers of `fork` for v3, of a release that they were checked with (`build/version.rs`). This file includes
// upstream's C, unchanged, to reach the locks that upstream keeps to itself.
//
// A child of `fork` has only the thread that called it. A lock that another thread held then is never released in
// the child, which hangs when it needs that lock: for its next thread, its next heap, its next arena. Upstream
// leaves it to the program that no other thread is inside mimalloc then (the end of `heap/subproc.c`). Here the
// forking thread holds all of upstream's locks across the fork, and both processes release them. So the child also
// finds whatever a lock guards as it is between two changes.
//
// `MIMALLOC_SYS_DEFINES=MI_MALLOC_SYS_NO_ATFORK=1` leaves this out, and upstream's `MI_NO_PTHREAD_ATFORK=1` both this
// and what upstream itself does in the child.
#if MI_MALLOC_SYS_NO_ATFORK || MI_NO_PTHREAD_ATFORK || defined(_WIN32) || defined(__wasi__) || defined(__EMSCRIPTEN__)
#include "upstream.c"
#else

#ifndef _DEFAULT_SOURCE // as `static.c` does, before the first header
#define _DEFAULT_SOURCE
#endif
#include "mimalloc.h"
#include "mimalloc/types.h" // and with it <pthread.h>

// Upstream registers its handler when the process is initialized: at the first allocation, or by a constructor. That
// is the right time for ours too, and the only one at which the order of the two is certain: handlers that a
// program registers later run before ours in the parent and after ours in the child, so they may allocate.
static int mi_malloc_sys_atfork(void);
#define pthread_atfork(prepare, parent, child)  mi_malloc_sys_atfork()

// A guard is a lock that nobody waits for: whoever finds it taken leaves the work undone (to purge, to write a
// profile). In the child, one that another thread held stays taken for ever. So a guard holds the number of the
// process in the line of forks, and is free for whoever has another number.
static uintptr_t mi_malloc_sys_generation = 1;

static bool mi_malloc_sys_guard_enter(mi_atomic_guard_t* guard) {
  uintptr_t seen = mi_atomic_load_acquire(guard);
  return (seen != mi_malloc_sys_generation &&
          mi_atomic_cas_strong_acq_rel(guard, &seen, mi_malloc_sys_generation));
}

#undef  mi_atomic_guard
#define mi_atomic_guard(guard) \
  for (bool mi_malloc_sys_entered = mi_malloc_sys_guard_enter(guard); mi_malloc_sys_entered; \
       (mi_atomic_store_release(guard, (uintptr_t)0), mi_malloc_sys_entered = false))

#include "upstream.c"

#undef pthread_atfork
#include <sys/mman.h>
#include <time.h>

// One fork at a time. The rest below belongs to the thread that holds this.
static mi_lock_t mi_malloc_sys_fork_turn = MI_LOCK_INITIALIZER;
static _Atomic(uintptr_t) mi_malloc_sys_forking; // that thread, or 0
static size_t mi_malloc_sys_forks;               // more than 1 when a signal handler forks during a fork

// The locks that are held, in the order in which they were taken.
#define MI_MALLOC_SYS_LOCKS  256
static mi_lock_t*  mi_malloc_sys_first_locks[MI_MALLOC_SYS_LOCKS];
static mi_lock_t** mi_malloc_sys_locks = mi_malloc_sys_first_locks;
static size_t      mi_malloc_sys_lock_room = MI_MALLOC_SYS_LOCKS;
static size_t      mi_malloc_sys_lock_count;

// A lock that stays taken so long is the forking thread's own (it forks in a callback of mimalloc, which holds that
// lock), or that of a thread that does not go on. It is then not held here: the child finds it as it is, and
// if it is the thread's own, releases it when the callback returns.
#define MI_MALLOC_SYS_FORK_PATIENCE  1000 // milliseconds
#define MI_MALLOC_SYS_LEFT_OUT       8
static mi_lock_t* mi_malloc_sys_left_out[MI_MALLOC_SYS_LEFT_OUT];
static size_t     mi_malloc_sys_left_out_count;

typedef enum mi_malloc_sys_take_e {
  MI_MALLOC_SYS_TAKEN,
  MI_MALLOC_SYS_LEFT,  // it is one of those that are left out
  MI_MALLOC_SYS_BUSY   // some thread has it
} mi_malloc_sys_take_t;

// mimalloc's own memory is behind the locks.
static bool mi_malloc_sys_more_room(void) {
  const size_t room = 4 * mi_malloc_sys_lock_room;
  void* const p = mmap(NULL, room * sizeof(mi_lock_t*), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
  if (p == MAP_FAILED) return false;
  memcpy(p, mi_malloc_sys_locks, mi_malloc_sys_lock_count * sizeof(mi_lock_t*));
  if (mi_malloc_sys_locks != mi_malloc_sys_first_locks) {
    munmap(mi_malloc_sys_locks, mi_malloc_sys_lock_room * sizeof(mi_lock_t*));
  }
  mi_malloc_sys_locks = (mi_lock_t**)p;
  mi_malloc_sys_lock_room = room;
  return true;
}

static mi_malloc_sys_take_t mi_malloc_sys_take_lock(mi_lock_t* lock, mi_lock_t** busy) {
  for (size_t i = 0; i < mi_malloc_sys_left_out_count; i++) {
    if (mi_malloc_sys_left_out[i] == lock) return MI_MALLOC_SYS_LEFT;
  }
  if ((mi_malloc_sys_lock_count == mi_malloc_sys_lock_room && !mi_malloc_sys_more_room()) ||
      !mi_lock_try_acquire(lock)) {
    *busy = lock;
    return MI_MALLOC_SYS_BUSY;
  }
  mi_malloc_sys_locks[mi_malloc_sys_lock_count++] = lock;
  return MI_MALLOC_SYS_TAKEN;
}

static void mi_malloc_sys_release_lock(mi_lock_t* lock, bool child) {
  #if defined(__APPLE__)
  if (child) { mi_lock_init(lock); return; } // a mutex there knows its owner, who has another name in the child
  #else
  MI_UNUSED(child);
  #endif
  mi_lock_release(lock);
}

// In the reverse order: the lock of a list keeps its members, and their locks, in memory.
static void mi_malloc_sys_release_locks(bool child) {
  while (mi_malloc_sys_lock_count > 0) {
    mi_malloc_sys_release_lock(mi_malloc_sys_locks[--mi_malloc_sys_lock_count], child);
  }
}

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
  if (heaps != MI_MALLOC_SYS_TAKEN) return (heaps == MI_MALLOC_SYS_LEFT); // the list may change
  for (mi_heap_t* heap = subproc->heaps; heap != NULL; heap = heap->next) {
    if (!mi_malloc_sys_take_heap(heap, busy)) return false;
  }
  return true;
}

// All of upstream's locks (each `mi_lock_t` of its sources), but those of `mi_atomic_do_once`, which are released
// before a second thread can be. False if one is busy; what was taken is then still held.
static bool mi_malloc_sys_take_all(mi_lock_t** busy) {
  if (mi_malloc_sys_take_lock(&mi_thread_locals_lock, busy) == MI_MALLOC_SYS_BUSY ||
      mi_malloc_sys_take_lock(&out_buf_lock, busy) == MI_MALLOC_SYS_BUSY ||
      mi_malloc_sys_take_lock(&mi_tld_detached.theaps_lock, busy) == MI_MALLOC_SYS_BUSY) return false;
  #if !MI_PAGE_MAP_FLAT
  if (mi_malloc_sys_take_lock(&mi_page_map()->lock, busy) == MI_MALLOC_SYS_BUSY) return false;
  #endif
  const mi_malloc_sys_take_t subprocs = mi_malloc_sys_take_lock(&mi_subprocs_lock, busy);
  if (subprocs != MI_MALLOC_SYS_TAKEN) return (subprocs == MI_MALLOC_SYS_LEFT);
  for (mi_subproc_t* subproc = mi_subprocs; subproc != NULL; subproc = subproc->next) {
    if (!mi_malloc_sys_take_subproc(subproc, busy)) return false;
  }
  return true;
}

// Upstream takes its locks in no order that could be followed here, so none is waited for while another is held.
static void mi_malloc_sys_hold_all(void) {
  mi_malloc_sys_left_out_count = 0;
  const mi_msecs_t start = _mi_clock_now();
  mi_lock_t* busy = NULL;
  for (size_t round = 0; !mi_malloc_sys_take_all(&busy); round++) {
    mi_malloc_sys_release_locks(false);
    if (_mi_clock_now() - start > MI_MALLOC_SYS_FORK_PATIENCE) {
      if (mi_malloc_sys_left_out_count == MI_MALLOC_SYS_LEFT_OUT) return; // none is held
      mi_malloc_sys_left_out[mi_malloc_sys_left_out_count++] = busy;
    }
    else if (round < 100) {
      _mi_prim_thread_yield();
    }
    else {
      const struct timespec pause = { 0, 50 * 1000 };
      nanosleep(&pause, NULL); // a thread of lower priority has a lock
    }
  }
}

static void mi_malloc_sys_fork_prepare(void) {
  const uintptr_t self = _mi_thread_id();
  if (mi_atomic_load_relaxed(&mi_malloc_sys_forking) != self) { // another's name may come and go meanwhile
    mi_lock_acquire(&mi_malloc_sys_fork_turn);
    mi_atomic_store_relaxed(&mi_malloc_sys_forking, self);
    if (!_mi_preloading()) { mi_malloc_sys_hold_all(); } // else they are not there yet, or no longer
  }
  mi_malloc_sys_forks++;
}

// True if nothing is held any more.
static bool mi_malloc_sys_fork_done(bool child) {
  if (mi_atomic_load_relaxed(&mi_malloc_sys_forking) != _mi_thread_id()) return true; // registered during this fork
  if (--mi_malloc_sys_forks > 0) return false;
  mi_malloc_sys_release_locks(child);
  if (mi_malloc_sys_locks != mi_malloc_sys_first_locks) {
    munmap(mi_malloc_sys_locks, mi_malloc_sys_lock_room * sizeof(mi_lock_t*));
    mi_malloc_sys_locks = mi_malloc_sys_first_locks;
    mi_malloc_sys_lock_room = MI_MALLOC_SYS_LOCKS;
  }
  mi_atomic_store_relaxed(&mi_malloc_sys_forking, (uintptr_t)0);
  mi_malloc_sys_release_lock(&mi_malloc_sys_fork_turn, child);
  return true;
}

// One more thing waits for another thread, without a lock. Who takes over an abandoned page clears its bit in the
// map of those pages, then claims the page, and sets the bit again if the page has another owner by then. Who frees
// a block in the page claims it first, and waits until the bit is set (`mi_bitmap_clear_once_set`). A thread that
// stays behind between its first two steps leaves a page that nobody owns and whose bit nobody sets.
static bool mi_malloc_sys_find_again(size_t slice_index, size_t slice_count, mi_arena_t* arena, void* heap) {
  MI_UNUSED(slice_count);
  mi_page_t* const page = mi_arena_page_at_slice(arena, slice_index);
  if (mi_page_is_abandoned_mapped(page) && !mi_page_is_owned(page)) {
    mi_bitmap_set(mi_heap_arena_pages((mi_heap_t*)heap, arena)->pages_abandoned[_mi_bin(mi_page_block_size(page))], slice_index);
  }
  return true; // go on
}

// The number of pages that have their bit, and the number of those that should.
static bool mi_malloc_sys_lacks_abandoned(mi_heap_t* heap) {
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

static void mi_malloc_sys_mend_abandoned(void) {
  for (mi_subproc_t* subproc = mi_subprocs; subproc != NULL; subproc = subproc->next) {
    for (mi_heap_t* heap = subproc->heaps; heap != NULL; heap = heap->next) {
      if (!mi_malloc_sys_lacks_abandoned(heap)) continue; // as nearly always
      for (size_t i = 0; i < mi_arenas_get_count(subproc); i++) {
        mi_arena_t* const arena = mi_arena_from_index(subproc, i);
        mi_arena_pages_t* const pages = (arena == NULL ? NULL : mi_heap_arena_pages(heap, arena));
        if (pages != NULL) { _mi_bitmap_forall_set(pages->pages, &mi_malloc_sys_find_again, arena, heap); }
      }
    }
  }
}

static void mi_malloc_sys_fork_parent(void) {
  mi_malloc_sys_fork_done(false);
}

static void mi_malloc_sys_fork_child(void) {
  mi_malloc_sys_generation++;
  if (mi_malloc_sys_fork_done(true)) {
    if (!_mi_preloading()) { mi_malloc_sys_mend_abandoned(); }
    _mi_fork_child(); // upstream's own, which takes locks
  }
}

static int mi_malloc_sys_atfork(void) {
  return pthread_atfork(&mi_malloc_sys_fork_prepare, &mi_malloc_sys_fork_parent, &mi_malloc_sys_fork_child);
}

#endif

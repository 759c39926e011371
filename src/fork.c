// Handlers of `fork`, for releases whose locks are known (`build/version.rs`). This file includes upstream's C,
// unchanged, to reach the locks that upstream keeps to itself. What differs between the major versions is in `fork/`.
//
// A child of `fork` has only the thread that called it. A lock that another thread held then is never released in
// the child, which hangs when it needs that lock: for its next thread, its next heap, its next arena. Upstream
// leaves it to the program that no other thread is inside mimalloc then (v3 at the end of `heap/subproc.c`). Here the
// forking thread holds all of upstream's locks across the fork, and both processes release them. So the child also
// finds whatever a lock guards as it is between two changes.
//
// `MIMALLOC_SYS_DEFINES=MI_MALLOC_SYS_NO_ATFORK=1` leaves this out, and upstream's `MI_NO_PTHREAD_ATFORK=1` both this
// and what upstream itself does in the child (v3).
#if MI_MALLOC_SYS_NO_ATFORK || MI_NO_PTHREAD_ATFORK || defined(_WIN32) || defined(__wasi__) || defined(__EMSCRIPTEN__)
#include "upstream.c"
#else

#ifndef _DEFAULT_SOURCE // as `static.c` does, before the first header
#define _DEFAULT_SOURCE
#endif
#include "mimalloc.h"
#include "mimalloc/types.h" // and with it <pthread.h>

// The handlers are registered when the process is initialized: at the first allocation, or by a constructor.
// Handlers that a program registers later run before ours in the parent and after ours in the child, so they may
// allocate.
static int mi_malloc_sys_atfork(void);
#if MI_MALLOC_VERSION >= 30000
// Here upstream registers its own handler, and the order of the two must be certain.
#define pthread_atfork(prepare, parent, child)  mi_malloc_sys_atfork()
#else
// Upstream has no handler. This hook for tools like valgrind is called once, at the end of `mi_process_init_once`
// (`init.c`), where allocation works: a C library may allocate to register a handler. On Unix no tool uses it.
#include "mimalloc/track.h"
#undef  mi_track_init
#define mi_track_init()  mi_malloc_sys_atfork()

// There is no list of all subprocesses either. So each lock is noted from its initialization to its end.
static void mi_malloc_sys_lock_init(mi_lock_t* lock);
static void mi_malloc_sys_lock_done(mi_lock_t* lock);
#define mi_lock_init(lock)  mi_malloc_sys_lock_init(lock)
#define mi_lock_done(lock)  mi_malloc_sys_lock_done(lock)

// Nor is there one of all segments. Those are noted where upstream enters them into its map of memory outside arenas.
// The first token between the parentheses tells the definition (`const`) from a call.
struct mi_segment_s;
static void mi_malloc_sys_segment_allocated(const struct mi_segment_s* segment);
static void mi_malloc_sys_segment_freed(const struct mi_segment_s* segment);
#include "mimalloc/internal.h" // declares both
#define _mi_segment_map_allocated_at(...)  MI_MALLOC_SYS_ALLOCATED_AT_##__VA_ARGS__ )
#define MI_MALLOC_SYS_ALLOCATED_AT_const   _mi_segment_map_allocated_at(const
#define MI_MALLOC_SYS_ALLOCATED_AT_segment mi_malloc_sys_segment_allocated(segment
#define _mi_segment_map_freed_at(...)      MI_MALLOC_SYS_FREED_AT_##__VA_ARGS__ )
#define MI_MALLOC_SYS_FREED_AT_const       _mi_segment_map_freed_at(const
#define MI_MALLOC_SYS_FREED_AT_segment     mi_malloc_sys_segment_freed(segment
#endif

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
#undef mi_lock_init
#undef mi_lock_done
#undef _mi_segment_map_allocated_at
#undef _mi_segment_map_freed_at
#include <sched.h>
#include <sys/mman.h>
#include <time.h>

// One fork at a time. The rest below belongs to the thread that holds this.
static mi_lock_t mi_malloc_sys_fork_turn = MI_LOCK_INITIALIZER;
static _Atomic(uintptr_t) mi_malloc_sys_forking; // that thread, or 0
static size_t mi_malloc_sys_forks;               // more than 1 when a signal handler forks during a fork
static bool mi_malloc_sys_is_child;              // and has not been mended

// A list of locks, or of segments. mimalloc's own memory is behind the locks, so a list that grows takes its memory from
// the system.
#define MI_MALLOC_SYS_LIST  256
typedef struct mi_malloc_sys_list_s {
  void** items;
  size_t capacity;
  size_t count;
  void*  first[MI_MALLOC_SYS_LIST];
} mi_malloc_sys_list_t;
#define MI_MALLOC_SYS_EMPTY_LIST(list)  { list.first, MI_MALLOC_SYS_LIST, 0, { NULL } }

static void mi_malloc_sys_list_unmap(mi_malloc_sys_list_t* list) {
  if (list->items != list->first) { munmap(list->items, list->capacity * sizeof(void*)); }
}

static bool mi_malloc_sys_list_add(mi_malloc_sys_list_t* list, void* item) {
  if (list->count == list->capacity) {
    const size_t capacity = 4 * list->capacity;
    void* const p = mmap(NULL, capacity * sizeof(void*), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
    if (p == MAP_FAILED) return false;
    memcpy(p, list->items, list->count * sizeof(void*));
    mi_malloc_sys_list_unmap(list);
    list->items = (void**)p;
    list->capacity = capacity;
  }
  list->items[list->count++] = item;
  return true;
}

// The locks that are held, in the order in which they were taken.
static mi_malloc_sys_list_t mi_malloc_sys_held = MI_MALLOC_SYS_EMPTY_LIST(mi_malloc_sys_held);

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

static mi_malloc_sys_take_t mi_malloc_sys_take_lock(mi_lock_t* lock, mi_lock_t** busy) {
  for (size_t i = 0; i < mi_malloc_sys_left_out_count; i++) {
    if (mi_malloc_sys_left_out[i] == lock) return MI_MALLOC_SYS_LEFT;
  }
  if (!mi_lock_try_acquire(lock)) {
    *busy = lock;
    return MI_MALLOC_SYS_BUSY;
  }
  if (!mi_malloc_sys_list_add(&mi_malloc_sys_held, lock)) {
    mi_lock_release(lock);
    *busy = lock;
    return MI_MALLOC_SYS_BUSY;
  }
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
  while (mi_malloc_sys_held.count > 0) {
    mi_malloc_sys_release_lock((mi_lock_t*)mi_malloc_sys_held.items[--mi_malloc_sys_held.count], child);
  }
}

// Takes all of upstream's locks (each `mi_lock_t` of its sources), but those of `mi_atomic_do_once`, which are released
// before a second thread can be. False if one is busy; what was taken is then still held.
static bool mi_malloc_sys_take_all(mi_lock_t** busy);

// Mends, in the child, what else waits for another thread. Nothing is held then.
static void mi_malloc_sys_mend(void);

#if MI_MALLOC_VERSION >= 30000
#include "fork/v3.h"
#else
#include "fork/v2.h"
#endif

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
      sched_yield();
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
  mi_malloc_sys_list_unmap(&mi_malloc_sys_held);
  mi_malloc_sys_held.items = mi_malloc_sys_held.first;
  mi_malloc_sys_held.capacity = MI_MALLOC_SYS_LIST;
  mi_atomic_store_relaxed(&mi_malloc_sys_forking, (uintptr_t)0);
  mi_malloc_sys_release_lock(&mi_malloc_sys_fork_turn, child);
  return true;
}

static void mi_malloc_sys_fork_parent(void) {
  if (mi_malloc_sys_fork_done(mi_malloc_sys_is_child) && mi_malloc_sys_is_child) {
    mi_malloc_sys_is_child = false;
    mi_malloc_sys_mend();
  }
}

static void mi_malloc_sys_fork_child(void) {
  mi_malloc_sys_generation++;
  mi_malloc_sys_is_child = true;
  mi_malloc_sys_fork_parent(); // unless the parent is in the middle of another fork: then at the end of that
}

static int mi_malloc_sys_atfork(void) {
  return pthread_atfork(&mi_malloc_sys_fork_prepare, &mi_malloc_sys_fork_parent, &mi_malloc_sys_fork_child);
}

#endif

// Handlers of `fork`, for releases whose locks are known (`build/version.rs`). This file includes upstream's C,
// unchanged, to reach its internal locks. What differs between the major versions is in `fork/`.
//
// A child of `fork` has only the thread that called it. A lock that another thread held then is never released in
// the child, which hangs when it needs that lock: for its next thread, its next heap, its next arena. Upstream
// requires of the program that no other thread is inside mimalloc then (v3 at the end of `heap/subproc.c`). Here the
// forking thread holds all of upstream's locks across the fork, and both processes release them. So the child also
// finds whatever a lock guards in a consistent state.
//
// `MIMALLOC_SYS_DEFINES=MI_MALLOC_SYS_NO_ATFORK=1` leaves this out, and upstream's `MI_NO_PTHREAD_ATFORK=1` both this
// and what upstream itself does in the child (v3).
#if MI_MALLOC_SYS_PART == 1 || MI_MALLOC_SYS_NO_ATFORK || MI_NO_PTHREAD_ATFORK || defined(_WIN32) || \
    defined(__wasi__) || defined(__EMSCRIPTEN__)
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
// Here upstream registers its own handler, and the order of the two must be defined.
#define pthread_atfork(prepare, parent, child)  mi_malloc_sys_atfork()
#else
// Upstream has no handler. This hook for tools like valgrind is called once, at the end of `mi_process_init_once`
// (`init.c`), when allocation works: a C library may allocate to register a handler. On Unix no tool uses the hook.
#include "mimalloc/track.h"
#undef  mi_track_init
#define mi_track_init()  mi_malloc_sys_atfork()

// There is no list of all subprocesses either. So each lock is registered from its initialization to its destruction.
static void mi_malloc_sys_lock_init(mi_lock_t* lock);
static void mi_malloc_sys_lock_done(mi_lock_t* lock);
#define mi_lock_init(lock)  mi_malloc_sys_lock_init(lock)
#define mi_lock_done(lock)  mi_malloc_sys_lock_done(lock)

// Nor is there one of all segments. They are registered where upstream enters them into its map of memory outside
// arenas. The first token between the parentheses distinguishes the definition (`const`) from a call.
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

// A guard is a lock that nobody waits for: a thread that finds it held skips the work (a purge, writing a profile). In
// the child, a guard that another thread held would be held for ever. So a guard stores the generation of its process,
// which each fork increments in the child, and a process of another generation finds it free.
static uintptr_t mi_malloc_sys_generation = 1;

static bool mi_malloc_sys_guard_enter(mi_atomic_guard_t* guard) {
  uintptr_t seen = mi_atomic_load_acquire(guard);
  return (seen != mi_malloc_sys_generation &&
          mi_atomic_cas_strong_acq_rel(guard, &seen, mi_malloc_sys_generation));
}

// A lock that threads take again and again is hardly ever free at the moment when the forking thread tries it. So while a
// fork waits for locks, other threads pause before they take one of those.
static void mi_malloc_sys_lock_acquire(mi_lock_t* lock);
#define mi_lock_acquire(lock)  mi_malloc_sys_lock_acquire(lock)

#undef  mi_atomic_guard
#define mi_atomic_guard(guard) \
  for (bool mi_malloc_sys_entered = mi_malloc_sys_guard_enter(guard); mi_malloc_sys_entered; \
       (mi_atomic_store_release(guard, (uintptr_t)0), mi_malloc_sys_entered = false))

#include "upstream.c"

#undef pthread_atfork
#undef mi_lock_acquire
#undef mi_lock_init
#undef mi_lock_done
#undef _mi_segment_map_allocated_at
#undef _mi_segment_map_freed_at
#include <sys/mman.h>
#include <time.h>

// Microseconds between the attempts to take all locks: their holder may be a thread of lower priority.
#define MI_MALLOC_SYS_FORK_PAUSE  50

// One fork at a time. The variables below belong to the thread that holds this lock.
static mi_lock_t mi_malloc_sys_fork_lock = MI_LOCK_INITIALIZER;
static _Atomic(uintptr_t) mi_malloc_sys_forking; // that thread, or 0
static size_t mi_malloc_sys_forks;               // more than 1 when a signal handler forks during a fork
static bool mi_malloc_sys_is_child;              // and has not been repaired

// The locks that were busy during this fork.
typedef struct mi_malloc_sys_wanted_s {
  _Atomic(uintptr_t) lock;
  mi_msecs_t         since;    // when the first of the attempts was made
  size_t             attempts; // since the lock was last taken
} mi_malloc_sys_wanted_t;

#define MI_MALLOC_SYS_WANTED  32
static mi_malloc_sys_wanted_t mi_malloc_sys_wanted[MI_MALLOC_SYS_WANTED];
static _Atomic(size_t) mi_malloc_sys_wanted_count; // with more the oldest entries are replaced

static mi_malloc_sys_wanted_t* mi_malloc_sys_find_wanted(const mi_lock_t* lock) {
  const size_t count = mi_atomic_load_relaxed(&mi_malloc_sys_wanted_count);
  for (size_t i = 0; i < count && i < MI_MALLOC_SYS_WANTED; i++) {
    if (mi_atomic_load_relaxed(&mi_malloc_sys_wanted[i].lock) == (uintptr_t)lock) return &mi_malloc_sys_wanted[i];
  }
  return NULL;
}

// A thread that is to be cancelled would end in `nanosleep`, with mimalloc's locks. (Android has no cancellation.)
static void mi_malloc_sys_pause(long microseconds) {
  const struct timespec pause = { 0, microseconds * 1000 };
  const int err = errno;
  #if !defined(__ANDROID__)
  int state;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
  #endif
  nanosleep(&pause, NULL);
  #if !defined(__ANDROID__)
  pthread_setcancelstate(state, NULL);
  #endif
  errno = err;
}

static void mi_malloc_sys_lock_acquire(mi_lock_t* lock) {
  if mi_unlikely(mi_malloc_sys_find_wanted(lock) != NULL) { mi_malloc_sys_pause(4 * MI_MALLOC_SYS_FORK_PAUSE); }
  mi_lock_acquire(lock);
}

// A list of locks, or of segments. Allocating from mimalloc needs the locks, so a list that grows gets its memory from
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

// The locks that are held, in the order of acquisition.
static mi_malloc_sys_list_t mi_malloc_sys_held = MI_MALLOC_SYS_EMPTY_LIST(mi_malloc_sys_held);

// A lock that stays busy for so long is held by the forking thread itself (it forks in a callback of mimalloc, which
// holds that lock), or by a thread that makes no progress. Such a lock is skipped: the child finds it as it is, and if
// it is the forking thread's own, releases it when the callback returns. On a busy machine few attempts fit into that
// time, and other threads may just have had the lock in all of them: so many are made in any case.
#define MI_MALLOC_SYS_FORK_TIMEOUT  1000 // milliseconds
#define MI_MALLOC_SYS_FORK_ATTEMPTS 100
#define MI_MALLOC_SYS_FORK_LIMIT    30000 // milliseconds for all locks together, after which any busy one is skipped
#define MI_MALLOC_SYS_MAX_SKIPPED   8
static mi_lock_t* mi_malloc_sys_skipped[MI_MALLOC_SYS_MAX_SKIPPED];
static size_t     mi_malloc_sys_skipped_count;

typedef enum mi_malloc_sys_take_e {
  MI_MALLOC_SYS_TAKEN,
  MI_MALLOC_SYS_SKIPPED,
  MI_MALLOC_SYS_BUSY // a thread holds it
} mi_malloc_sys_take_t;

static mi_malloc_sys_take_t mi_malloc_sys_take_lock(mi_lock_t* lock, mi_lock_t** busy) {
  for (size_t i = 0; i < mi_malloc_sys_skipped_count; i++) {
    if (mi_malloc_sys_skipped[i] == lock) return MI_MALLOC_SYS_SKIPPED;
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
  mi_malloc_sys_wanted_t* const wanted = mi_malloc_sys_find_wanted(lock);
  if (wanted != NULL) { wanted->attempts = 0; }
  return MI_MALLOC_SYS_TAKEN;
}

static void mi_malloc_sys_release_lock(mi_lock_t* lock, bool child) {
  #if defined(__APPLE__)
  if (child) { mi_lock_init(lock); return; } // a mutex there records its owner, whose id is another in the child
  #else
  MI_UNUSED(child);
  #endif
  mi_lock_release(lock);
}

// In reverse order: while the lock of a list is held, its members and their locks stay in memory.
static void mi_malloc_sys_release_locks(bool child) {
  while (mi_malloc_sys_held.count > 0) {
    mi_malloc_sys_release_lock((mi_lock_t*)mi_malloc_sys_held.items[--mi_malloc_sys_held.count], child);
  }
}

// Takes all of upstream's locks (each `mi_lock_t` in its sources) except those of `mi_atomic_do_once`, which are released
// before a second thread can exist. False if one is busy; those taken before are then still held.
static bool mi_malloc_sys_take_all(mi_lock_t** busy);

// Repairs, in the child, whatever else waits for another thread. No lock is held then.
static void mi_malloc_sys_repair(void);

#if MI_MALLOC_VERSION >= 30000
#include "fork/v3.h"
#else
#include "fork/v2.h"
#endif

// Counts an attempt to take a lock that is busy. True if it is to be skipped.
static bool mi_malloc_sys_is_stuck(const mi_lock_t* busy) {
  const mi_msecs_t now = _mi_clock_now();
  mi_malloc_sys_wanted_t* wanted = mi_malloc_sys_find_wanted(busy);
  if (wanted == NULL) {
    wanted = &mi_malloc_sys_wanted[mi_atomic_load_relaxed(&mi_malloc_sys_wanted_count) % MI_MALLOC_SYS_WANTED];
    wanted->attempts = 0;
    mi_atomic_store_relaxed(&wanted->lock, (uintptr_t)busy);
    mi_atomic_increment_relaxed(&mi_malloc_sys_wanted_count);
  }
  if (wanted->attempts++ == 0) { wanted->since = now; }
  return (now - wanted->since > MI_MALLOC_SYS_FORK_TIMEOUT && wanted->attempts >= MI_MALLOC_SYS_FORK_ATTEMPTS);
}

// Upstream has no lock order that could be followed here, so no lock is waited for while another is held.
static void mi_malloc_sys_hold_all(void) {
  mi_malloc_sys_skipped_count = 0;
  const mi_msecs_t start = _mi_clock_now();
  mi_lock_t* busy = NULL;
  while (!mi_malloc_sys_take_all(&busy)) {
    mi_malloc_sys_release_locks(false);
    if (mi_malloc_sys_is_stuck(busy) || _mi_clock_now() - start > MI_MALLOC_SYS_FORK_LIMIT) {
      if (mi_malloc_sys_skipped_count == MI_MALLOC_SYS_MAX_SKIPPED) break; // none is held
      mi_malloc_sys_skipped[mi_malloc_sys_skipped_count++] = busy;
    }
    mi_malloc_sys_pause(MI_MALLOC_SYS_FORK_PAUSE);
  }
  mi_atomic_store_relaxed(&mi_malloc_sys_wanted_count, (size_t)0);
}

static void mi_malloc_sys_fork_prepare(void) {
  const uintptr_t self = _mi_thread_id();
  if (mi_atomic_load_relaxed(&mi_malloc_sys_forking) != self) { // another thread's id may be set and cleared meanwhile
    mi_lock_acquire(&mi_malloc_sys_fork_lock);
    mi_atomic_store_relaxed(&mi_malloc_sys_forking, self);
    if (!_mi_preloading()) { mi_malloc_sys_hold_all(); } // otherwise there are none yet, or no longer
  }
  mi_malloc_sys_forks++;
}

// True if no lock is held any more.
static bool mi_malloc_sys_fork_done(bool child) {
  // Otherwise the handlers were registered during this fork.
  if (mi_atomic_load_relaxed(&mi_malloc_sys_forking) != _mi_thread_id()) return true;
  if (--mi_malloc_sys_forks > 0) return false;
  mi_malloc_sys_release_locks(child);
  mi_malloc_sys_list_unmap(&mi_malloc_sys_held);
  mi_malloc_sys_held.items = mi_malloc_sys_held.first;
  mi_malloc_sys_held.capacity = MI_MALLOC_SYS_LIST;
  mi_atomic_store_relaxed(&mi_malloc_sys_forking, (uintptr_t)0);
  mi_malloc_sys_release_lock(&mi_malloc_sys_fork_lock, child);
  return true;
}

static void mi_malloc_sys_fork_parent(void) {
  if (mi_malloc_sys_fork_done(mi_malloc_sys_is_child) && mi_malloc_sys_is_child) {
    mi_malloc_sys_is_child = false;
    mi_malloc_sys_repair();
  }
}

static void mi_malloc_sys_fork_child(void) {
  mi_malloc_sys_generation++;
  mi_malloc_sys_is_child = true;
  mi_malloc_sys_fork_parent(); // if this fork was nested in another, that one's end does the work
}

static int mi_malloc_sys_atfork(void) {
  return pthread_atfork(&mi_malloc_sys_fork_prepare, &mi_malloc_sys_fork_parent, &mi_malloc_sys_fork_child);
}

#endif

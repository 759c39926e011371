// Large blocks that grow, for `mi_malloc_sys_realloc`, or are to be zeroed, for `mi_malloc_sys_medium_zeroed`
// (`global.c` includes this file).
//
// A block that has outgrown its page is copied to another, and so is each of its next sizes. Linux can move the
// memory itself, and an address costs nothing before it is used. So here a large block that has to move
// - goes to a region of its own, of at least twice its size: most of its next sizes then fit where it is. Upstream
//   takes a region from the system for each block that fits no arena, and gives it back when the block is freed.
// - takes its memory with it: `mremap` with MREMAP_DONTUNMAP (Linux 5.7) leaves the old addresses mapped and empty, as
//   if they had been purged, so upstream's data about them stay true.
// No moved memory gets into an arena. It stays a mapping of its own there, and mappings are limited
// (vm.max_map_count); a region's go with the region.
//
// Addresses of large mappings are used again (`reuse.h`), but not the memory of such a region.
//
// `MIMALLOC_SYS_DEFINES=MI_MALLOC_SYS_NO_MOVES=1` leaves this out.

#ifndef MI_MALLOC_SYS_LARGE
// From this size on. Below, blocks grow in memory that others have just left, without a fault for each page.
#define MI_MALLOC_SYS_LARGE  (32*MI_MiB)
#endif

#if defined(__linux__) && MI_SIZE_SIZE >= 8 && MI_PAGE_META_IS_ALIGNED && MI_MALLOC_SYS_SHORT && !MI_TSAN && \
    !MI_MALLOC_SYS_NO_MOVES
#define MI_MALLOC_SYS_MOVES  1
#else
#define MI_MALLOC_SYS_MOVES  0
#endif

#if MI_MALLOC_SYS_MOVES
#include <errno.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

// Some systems' headers are older than the kernels that their programs run on.
#define MI_MALLOC_SYS_MREMAP_FLAGS         (1 | 2 | 4) // MREMAP_MAYMOVE, MREMAP_FIXED, MREMAP_DONTUNMAP
#define MI_MALLOC_SYS_MAP_FIXED_NOREPLACE  0x100000

// ---- Which memory is moved in one call. The kernel moves a part of one mapping, and what was moved stays a mapping.
// A region notes where such parts end, counted from the start of its page's slices, behind the data about the page.
#define MI_MALLOC_SYS_PARTS  15
typedef struct mi_malloc_sys_parts_s {
  size_t count;
  size_t ends[MI_MALLOC_SYS_PARTS];
} mi_malloc_sys_parts_t;

#define MI_MALLOC_SYS_PARTS_AT  (4*MI_KiB - sizeof(mi_malloc_sys_parts_t)) // in the first page of any system
// Upstream commits that many of the structures, and so the page that they are in (`mi_arenas_page_alloc_from_os`).
mi_malloc_sys_assert(4*sizeof(mi_page_t) <= MI_MALLOC_SYS_PARTS_AT, "the data about a page take its place");

static mi_malloc_sys_parts_t* mi_malloc_sys_parts(const mi_page_t* page) {
  return (mi_malloc_sys_parts_t*)((uint8_t*)page->memid.mem.os.base + MI_MALLOC_SYS_PARTS_AT);
}

// A region that upstream took for one block that fits no arena. Those for a large alignment start elsewhere.
static bool mi_malloc_sys_is_region(const mi_page_t* page) {
  return (page->memid.memkind == MI_MEM_OS && !page->memid.is_pinned && mi_page_is_singleton(page) &&
          mi_page_slice_start(page) == (uint8_t*)page->memid.mem.os.base + MI_PAGE_ALIGN);
}

// Memory of which upstream knows that it is ordinary memory of the system.
static bool mi_malloc_sys_can_leave(const mi_page_t* page) {
  if (page->memid.memkind != MI_MEM_ARENA) return mi_malloc_sys_is_region(page);
  const mi_arena_t* const arena = page->memid.mem.arena.arena;
  return (!page->memid.is_pinned && mi_page_is_singleton(page) && arena->memid.memkind == MI_MEM_OS &&
          arena->commit_fun == NULL && arena->parent == NULL);
}

// ---- The move.

// How many moves to leave out, since one was refused. SIZE_MAX: all.
static _Atomic(size_t) mi_malloc_sys_no_moves;

static bool mi_malloc_sys_may_move(void) {
  size_t left_out = mi_atomic_load_relaxed(&mi_malloc_sys_no_moves);
  if mi_likely(left_out == 0) return true;
  if (left_out != SIZE_MAX) { mi_atomic_cas_strong_acq_rel(&mi_malloc_sys_no_moves, &left_out, left_out - 1); }
  return false;
}

typedef enum mi_malloc_sys_moved_e {
  MI_MALLOC_SYS_MOVED,
  MI_MALLOC_SYS_NOT_MOVED,
  MI_MALLOC_SYS_LOST       // not moved, and what is at the new address may be somebody else's
} mi_malloc_sys_moved_t;

static mi_malloc_sys_moved_t mi_malloc_sys_move_part(uint8_t* to, uint8_t* from, size_t size) {
  if (syscall(SYS_mremap, from, size, size, MI_MALLOC_SYS_MREMAP_FLAGS, to) != -1) return MI_MALLOC_SYS_MOVED;
  if (errno != EFAULT && errno != ENOMEM && errno != EAGAIN) {
    // An older kernel, another one, or a filter of system calls.
    mi_atomic_store_relaxed(&mi_malloc_sys_no_moves, SIZE_MAX);
    return MI_MALLOC_SYS_NOT_MOVED;
  }
  // The old memory is in several mappings, there are too many of them, or it may not be locked. The kernel may have
  // seen that only after it had unmapped the new addresses.
  mi_atomic_store_relaxed(&mi_malloc_sys_no_moves, (size_t)100);
  void* const p = mmap(to, size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MI_MALLOC_SYS_MAP_FIXED_NOREPLACE, -1, 0);
  return (p == to ? MI_MALLOC_SYS_NOT_MOVED : MI_MALLOC_SYS_LOST);
}

// So much of a block lies in the part of the first arena where huge pages are asked for block by block: many mappings.
static size_t mi_malloc_sys_plain_front(const uint8_t* start, size_t size) {
  #if MI_MALLOC_SYS_LARGE_THP
  const uintptr_t plain_start = mi_atomic_load_relaxed(&mi_malloc_sys_plain_start);
  const uintptr_t plain_end = mi_atomic_load_relaxed(&mi_malloc_sys_plain_end);
  if ((uintptr_t)start >= plain_start && (uintptr_t)start < plain_end) { return mi_min(size, plain_end - (uintptr_t)start); }
  #else
  MI_UNUSED(start); MI_UNUSED(size);
  #endif
  return 0;
}

// The old memory is given up on the way, so that only little is there twice.
static void mi_malloc_sys_move_by_copying(uint8_t* to, uint8_t* from, size_t size) {
  const size_t step = 2*MI_MiB;
  for (size_t at = 0; at < size; at += step) {
    const size_t count = mi_min(step, size - at);
    memcpy(to + at, from + at, count);
    (void)madvise(from + at, count, MADV_DONTNEED); // an error: it is purged later
  }
}

// Moves or copies so many bytes from the start of one page's slices to that of a region that has not been used.
static mi_malloc_sys_moved_t mi_malloc_sys_move(mi_page_t* to, mi_page_t* from, size_t size) {
  uint8_t* const new_start = mi_page_slice_start(to);
  uint8_t* const old_start = mi_page_slice_start(from);
  const size_t whole = mi_align_up(size, _mi_os_page_size());
  const mi_malloc_sys_parts_t* const old = (from->memid.memkind == MI_MEM_OS ? mi_malloc_sys_parts(from) : NULL);
  const size_t old_count = (old == NULL ? 0 : old->count);
  mi_malloc_sys_parts_t* const parts = mi_malloc_sys_parts(to);
  const size_t front = mi_malloc_sys_plain_front(old_start, whole);
  if (front > 0) { parts->ends[parts->count++] = front; }
  size_t moved = front;
  for (size_t i = 0; moved < whole && parts->count < MI_MALLOC_SYS_PARTS; i++) {
    const size_t end = (i < old_count && old->ends[i] < whole ? old->ends[i] : whole);
    const mi_malloc_sys_moved_t result = mi_malloc_sys_move_part(new_start + moved, old_start + moved, end - moved);
    if (result == MI_MALLOC_SYS_LOST) {
      memcpy(old_start + front, new_start + front, moved - front);
      return result;
    }
    if (result == MI_MALLOC_SYS_NOT_MOVED) break;
    moved = end;
    parts->ends[parts->count++] = end;
  }
  #if MI_MALLOC_SYS_KEEP
  mi_malloc_sys_do_not_keep(&from->memid);
  mi_malloc_sys_do_not_keep(&to->memid);
  // The region may be a mapping that was kept, with its memory.
  const size_t room = mi_align_down(mi_page_block_size(to), _mi_os_page_size());
  if (room > whole) { (void)madvise(new_start + whole, room - whole, MADV_DONTNEED); }
  #endif
  mi_malloc_sys_move_by_copying(new_start, old_start, front);
  if (moved < size) { memcpy(new_start + moved, old_start + moved, size - moved); }
  return (moved > front ? MI_MALLOC_SYS_MOVED : MI_MALLOC_SYS_NOT_MOVED);
}

// ---- The new place.

// Whether addresses cost nothing, so that the block may have more of them than it needs.
static bool mi_malloc_sys_has_addresses(void) {
  struct rlimit addresses, data;
  return (_mi_os_has_overcommit() && getrlimit(RLIMIT_AS, &addresses) == 0 && addresses.rlim_cur == RLIM_INFINITY &&
          getrlimit(RLIMIT_DATA, &data) == 0 && data.rlim_cur == RLIM_INFINITY);
}

// A region for a block of this size and its next ones.
static void* mi_malloc_sys_take_region(mi_theap_t* theap, size_t size) {
  const size_t most = MI_ZU(1) << 40;
  if (size > most || mi_theap_heap(theap)->exclusive_arena != NULL ||
      mi_option_is_enabled(mi_option_disallow_os_alloc) || !mi_malloc_sys_has_addresses()) return NULL;
  return mi_malloc_sys_medium(mi_max(2*size, MI_PAGE_META_ALIGNMENT));
}

// NULL if it is to be done in the usual way.
static mi_decl_noinline void* mi_malloc_sys_grow_large(mi_page_t* page, void* p, size_t used, size_t size) {
  mi_theap_t* const theap = _mi_theap_default();
  const size_t offset = (size_t)((uint8_t*)p - mi_page_slice_start(page));
  if (used < MI_MALLOC_SYS_LARGE/2 || !mi_malloc_sys_unsampled(theap) || !mi_theap_is_initialized(theap) ||
      !mi_malloc_sys_can_leave(page) || p != mi_page_start(page) || offset > MI_PAGE_CACHE_OFFSET_MAX ||
      !mi_malloc_sys_may_move()) return NULL;
  void* const to = mi_malloc_sys_take_region(theap, size);
  if (to == NULL) return NULL;
  mi_page_t* const region = mi_ptr_page(to);
  if mi_unlikely(!mi_malloc_sys_is_region(region) || to != mi_page_start(region)) { // a sample was due
    memcpy(to, p, used);
    mi_malloc_sys_free_in(page, p);
    return to;
  }
  // Upstream starts a block of this size in any of the cache lines of the first 4 KiB, and has room for each
  // (`mi_page_block_cache_offset`). Pages of memory can only move as they are, so the block starts where it did.
  region->page_offset = region->page_offset - (size_t)((uint8_t*)to - mi_page_slice_start(region)) + offset;
  if mi_unlikely(mi_malloc_sys_move(region, page, offset + used) == MI_MALLOC_SYS_LOST) {
    return NULL; // the region stays taken for ever, so that nobody uses its addresses
  }
  mi_malloc_sys_free_in(page, p);
  return mi_page_start(region);
}

// A block that fits where it is: upstream moves one that uses less than half of its place. A block that is to shrink
// leaves the rest of its memory. False if it is to be done in the usual way.
static bool mi_malloc_sys_stays(const mi_page_t* page, void* p, size_t used, size_t size) {
  const mi_theap_t* const theap = _mi_theap_default();
  if (!mi_malloc_sys_is_region(page) || p != mi_page_start(page) || !mi_theap_is_initialized(theap) ||
      mi_page_heap(page) != mi_theap_heap(theap)) return false;
  if (size < used) {
    const uintptr_t start = mi_align_up((uintptr_t)p + size, _mi_os_page_size());
    const uintptr_t end = mi_align_up((uintptr_t)p + used, _mi_os_page_size());
    if (start < end) { madvise((void*)start, end - start, MADV_DONTNEED); }
  }
  return true;
}

// ---- Zeroes. Memory that was purged or moved away is empty, and the system fills it with zeroes when it is used.
// Upstream no longer knows of them: to it, memory that was once in use is dirty, and it writes zeroes to all of it. So
// the system is asked which of a large block's memory is there. Only that is written to. The rest may
// have been swapped out, so it is given back.
#ifndef MI_MALLOC_SYS_LARGE_ZEROED
#define MI_MALLOC_SYS_LARGE_ZEROED  (8*MI_MiB)
#endif

// The least that is written to or given back: a large page of most systems.
#define MI_MALLOC_SYS_ZERO_UNIT  (2*MI_MiB)

static void mi_malloc_sys_give_back(uint8_t* start, uint8_t* end) {
  const size_t size = (size_t)(end - start);
  if (size > 0 && madvise(start, size, MADV_DONTNEED) != 0) { memset(start, 0, size); } // locked memory, for one
}

static void mi_malloc_sys_write_zeroes(uint8_t* start, uint8_t* end) {
  uint8_t* empty = start; // what is not there begins here, and ends at `at`
  for (uint8_t* at = start; at < end; ) {
    uint8_t* next = (uint8_t*)mi_align_up((uintptr_t)at + 1, MI_MALLOC_SYS_ZERO_UNIT);
    if (next > end) { next = end; }
    if (mi_malloc_sys_is_resident(at, (size_t)(next - at))) {
      mi_malloc_sys_give_back(empty, at);
      memset(at, 0, (size_t)(next - at));
      empty = next;
    }
    at = next;
  }
  mi_malloc_sys_give_back(empty, end);
}

static mi_decl_noinline void* mi_malloc_sys_zeroed_large(size_t size) {
  uint8_t* const p = (uint8_t*)mi_malloc_sys_medium(size);
  if (p == NULL) return NULL;
  const mi_page_t* const page = mi_ptr_page(p);
  const uintptr_t page_size = _mi_os_page_size();
  uint8_t* const start = (uint8_t*)mi_align_up((uintptr_t)p, page_size);
  uint8_t* const end = (uint8_t*)mi_align_down((uintptr_t)p + size, page_size);
  if (p != mi_page_start(page) || !mi_malloc_sys_can_leave(page) || end <= start) { memset(p, 0, size); }
  else if (!page->free_is_zero) {
    memset(p, 0, (size_t)(start - p));
    mi_malloc_sys_write_zeroes(start, end);
    memset(end, 0, (size_t)(p + size - end));
  }
  return p;
}
#endif

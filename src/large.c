// Large blocks that grow, for `mi_malloc_sys_realloc`. Included by `global.c`.
//
// Upstream copies a block that has outgrown its page to another page, and again each time it grows further. Linux can
// move the memory itself, and addresses cost nothing before they are used. So here a large block that has to move
// - gets a region of its own, of at least twice its size, so that it mostly grows in place from then on. (Upstream maps
//   a region for each block that fits no arena, and unmaps it when the block is freed.)
// - keeps its memory: `mremap` with MREMAP_DONTUNMAP (Linux 5.7) leaves the old addresses mapped and empty, as if they
//   had been purged, so upstream's metadata about them remain true.
// Memory of an arena is copied into the region, and moved when the region is too small, too. A smaller block that grows
// gets a region only if one is kept.
// Memory is never moved into an arena. It would stay a separate mapping there, and the number of mappings is limited
// (vm.max_map_count); those of a region end with the region.
//
// The addresses of large mappings are reused, and their memory (`reuse.h`), except of those that memory was moved from, or
// to in more parts than are recorded.
//
// `MIMALLOC_SYS_DEFINES=MI_MALLOC_SYS_NO_MOVES=1` leaves this out.

#ifndef MI_MALLOC_SYS_LARGE
// The smallest size that is moved. Smaller blocks grow into memory that was freed recently, without a page fault for
// each page.
#define MI_MALLOC_SYS_LARGE  (64*MI_MiB)
#endif

#if defined(__linux__) && MI_SIZE_SIZE >= 8 && MI_PAGE_META_IS_ALIGNED && MI_MALLOC_SYS_HAVE_FAST_PATH && !MI_TSAN && \
    !MI_MALLOC_SYS_NO_MOVES
#define MI_MALLOC_SYS_MOVES  1
#else
#define MI_MALLOC_SYS_MOVES  0
#endif

#if MI_MALLOC_SYS_MOVES
#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

// Defined here because a system's headers may be older than the kernel that the program runs on.
#define MI_MALLOC_SYS_MREMAP_FLAGS         (1 | 2 | 4) // MREMAP_MAYMOVE, MREMAP_FIXED, MREMAP_DONTUNMAP
#define MI_MALLOC_SYS_MAP_FIXED_NOREPLACE  0x100000

// ---- Which memory one call moves. The kernel moves memory of a single mapping, and what was moved stays a mapping of
// its own. A region records where such parts end, as offsets from the start of its page's slices. The record is
// behind the page's metadata, and stays there while the region is kept.
#define MI_MALLOC_SYS_PARTS  15
typedef struct mi_malloc_sys_parts_s {
  size_t count;
  size_t ends[MI_MALLOC_SYS_PARTS];
} mi_malloc_sys_parts_t;

#define MI_MALLOC_SYS_PARTS_AT  (4*MI_KiB - sizeof(mi_malloc_sys_parts_t)) // in the first page on any system
// Upstream commits that many `mi_page_t`, and so the system's page that holds them (`mi_arenas_page_alloc_from_os`).
mi_malloc_sys_assert(4*sizeof(mi_page_t) <= MI_MALLOC_SYS_PARTS_AT, "the metadata of a page overlap the record");

static mi_malloc_sys_parts_t* mi_malloc_sys_parts(const mi_page_t* page) {
  return (mi_malloc_sys_parts_t*)((uint8_t*)page->memid.mem.os.base + MI_MALLOC_SYS_PARTS_AT);
}

// Behind the parts up to `end`, which were replaced, are those that the region had before. False if they are too many.
static bool mi_malloc_sys_add_parts(mi_malloc_sys_parts_t* parts, const mi_malloc_sys_parts_t* before, size_t end) {
  for (size_t i = 0; i < before->count; i++) {
    if (before->ends[i] <= end) continue;
    if (parts->count == MI_MALLOC_SYS_PARTS) return false;
    parts->ends[parts->count++] = before->ends[i];
  }
  return true;
}

// ---- The move.

// How many moves to skip after the kernel refused one. SIZE_MAX: all.
static _Atomic(size_t) mi_malloc_sys_moves_to_skip;

static bool mi_malloc_sys_may_move(void) {
  size_t skip = mi_atomic_load_relaxed(&mi_malloc_sys_moves_to_skip);
  if mi_likely(skip == 0) return true;
  if (skip != SIZE_MAX) { mi_atomic_cas_strong_acq_rel(&mi_malloc_sys_moves_to_skip, &skip, skip - 1); }
  return false;
}

typedef enum mi_malloc_sys_moved_e {
  MI_MALLOC_SYS_MOVED,
  MI_MALLOC_SYS_NOT_MOVED,
  MI_MALLOC_SYS_LOST       // not moved, and the new addresses may belong to another mapping
} mi_malloc_sys_moved_t;

static mi_malloc_sys_moved_t mi_malloc_sys_move_part(uint8_t* to, uint8_t* from, size_t size) {
  if (syscall(SYS_mremap, from, size, size, MI_MALLOC_SYS_MREMAP_FLAGS, to) != -1) return MI_MALLOC_SYS_MOVED;
  if (errno != EFAULT && errno != ENOMEM && errno != EAGAIN) {
    // The kernel is older or not Linux, or system calls are filtered.
    mi_atomic_store_relaxed(&mi_malloc_sys_moves_to_skip, SIZE_MAX);
    return MI_MALLOC_SYS_NOT_MOVED;
  }
  // The old memory consists of several mappings, there are too many mappings, or the memory may not be locked. The
  // kernel may have found that out only after it had unmapped the new addresses.
  mi_atomic_store_relaxed(&mi_malloc_sys_moves_to_skip, (size_t)100);
  void* const p = mmap(to, size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MI_MALLOC_SYS_MAP_FIXED_NOREPLACE, -1, 0);
  return (p == to ? MI_MALLOC_SYS_NOT_MOVED : MI_MALLOC_SYS_LOST);
}

// Discards the old memory on the way, in whole huge pages, so that only little is resident twice. Not if both places were
// used for that recently and are likely to be again soon: then the new one is resident already.
static void mi_malloc_sys_move_by_copying(uint8_t* to, uint8_t* from, size_t size) {
  const size_t step = 2*MI_MiB;
  bool may_discard = true;
  #if MI_MALLOC_SYS_REUSE
  const bool is_copied_again = mi_malloc_sys_is_copied_again((uintptr_t)from);
  may_discard = !(is_copied_again && mi_malloc_sys_is_resident(to, _mi_os_page_size()));
  #endif
  size_t count;
  for (size_t at = 0; at < size; at += count) {
    count = mi_min(step - (uintptr_t)(from + at) % step, size - at);
    memcpy(to + at, from + at, count);
    if (may_discard) { (void)madvise(from + at, count, MADV_DONTNEED); } // after an error it is purged later
  }
}

// Moves or copies `size` bytes from the start of one page's slices to the start of an unused region's, for a block that is
// going to have `new_size` bytes there. False if the bytes are still at the old place, and the region's addresses are lost.
//
// Memory of an arena is copied. Slices start at other offsets from multiples of 2 MiB there, so the kernel would split
// huge pages to move them, and both the moved memory and what is next faulted in at the old place would be small pages.
static bool mi_malloc_sys_move(mi_page_t* to, mi_page_t* from, size_t size, size_t new_size) {
  uint8_t* const new_start = mi_page_slice_start(to);
  uint8_t* const old_start = mi_page_slice_start(from);
  const bool may_move = (from->memid.memkind == MI_MEM_OS);
  #if MI_MALLOC_SYS_KEEP
  if (may_move) { mi_malloc_sys_do_not_keep(&from->memid); }
  // The region may be a mapping that was kept, together with its memory.
  const size_t in_use = mi_align_up(new_size, _mi_os_page_size());
  const size_t capacity = mi_align_down(mi_page_block_size(to), _mi_os_page_size());
  if (capacity > in_use && !(mi_malloc_sys_is_resident(new_start + in_use, _mi_os_page_size()) &&
                             mi_malloc_sys_shrink_in_mapping(to, in_use)))
  {
    (void)madvise(new_start + in_use, capacity - in_use, MADV_DONTNEED);
  }
  #else
  MI_UNUSED(new_size);
  #endif
  if (!may_move) {
    mi_malloc_sys_move_by_copying(new_start, old_start, size);
    return true;
  }
  const size_t rounded = mi_align_up(size, _mi_os_page_size());
  const mi_malloc_sys_parts_t* const old = mi_malloc_sys_parts(from);
  mi_malloc_sys_parts_t* const parts = mi_malloc_sys_parts(to);
  const mi_malloc_sys_parts_t before = *parts;
  parts->count = 0;
  size_t moved = 0;
  size_t tried = 0;
  for (size_t i = 0; moved < rounded && parts->count < MI_MALLOC_SYS_PARTS; i++) {
    const size_t end = (i < old->count && old->ends[i] < rounded ? old->ends[i] : rounded);
    const mi_malloc_sys_moved_t result = mi_malloc_sys_move_part(new_start + moved, old_start + moved, end - moved);
    if (result == MI_MALLOC_SYS_LOST) {
      memcpy(old_start, new_start, moved);
      return false;
    }
    tried = end;
    parts->ends[parts->count++] = end;
    if (result == MI_MALLOC_SYS_NOT_MOVED) break;
    moved = end;
  }
  if (moved < size) { memcpy(new_start + moved, old_start + moved, size - moved); }
  #if MI_MALLOC_SYS_KEEP
  // The rest of a part that the kernel has refused may consist of several mappings as well.
  if (!mi_malloc_sys_add_parts(parts, &before, tried) || moved < rounded) { mi_malloc_sys_do_not_keep(&to->memid); }
  #else
  (void)mi_malloc_sys_add_parts(parts, &before, tried);
  #endif
  return true;
}

// ---- The new place.

// The size of a region for a block of this size that keeps growing.
static size_t mi_malloc_sys_region_size(size_t size) {
  return mi_max(2*size, MI_PAGE_META_ALIGNMENT);
}

static void* mi_malloc_sys_alloc_region(mi_theap_t* theap, size_t size) {
  const size_t limit = MI_ZU(1) << 40;
  if (size > limit || mi_theap_heap(theap)->exclusive_arena != NULL ||
      mi_option_is_enabled(mi_option_disallow_os_alloc) || !mi_malloc_sys_addresses_unlimited()) return NULL;
  return mi_malloc_sys_malloc_general(mi_malloc_sys_region_size(size));
}

// Whether a block that has to grow gets a region. One of half the size does if a region is kept that is not far too large:
// the memory there is resident, and what the block would otherwise need on its way there would be so on top.
static bool mi_malloc_sys_gets_region(mi_theap_t* theap, size_t used, size_t size) {
  if (size >= MI_MALLOC_SYS_LARGE) return (used >= MI_MALLOC_SYS_LARGE/2);
  #if MI_MALLOC_SYS_KEEP
  if (used < MI_MALLOC_SYS_LARGE/4) return false;
  const size_t capacity = mi_malloc_sys_kept_capacity(theap, mi_malloc_sys_region_size(size));
  return (capacity > 0 && capacity / 32 <= size);
  #else
  MI_UNUSED(theap);
  return false;
  #endif
}

// Moves a block that has to grow. NULL if it is to be done in the usual way.
static mi_decl_noinline void* mi_malloc_sys_grow_large(mi_page_t* page, void* p, size_t used, size_t size) {
  mi_theap_t* const theap = _mi_theap_default();
  const size_t offset = (size_t)((uint8_t*)p - mi_page_slice_start(page));
  if (!mi_malloc_sys_sampling_off(theap) || !mi_theap_is_initialized(theap) ||
      !mi_malloc_sys_is_system_memory(page) || p != mi_page_start(page) || offset > MI_PAGE_CACHE_OFFSET_MAX) return NULL;
  #if MI_MALLOC_SYS_KEEP
  if (mi_malloc_sys_is_in_default_heap(page, p) &&
      mi_malloc_sys_grow_in_mapping(page, mi_align_up(size, _mi_os_page_size()))) return p;
  #endif
  if (!mi_malloc_sys_gets_region(theap, used, size) || !mi_malloc_sys_may_move()) return NULL;
  void* const to = mi_malloc_sys_alloc_region(theap, size);
  if (to == NULL) return NULL;
  mi_page_t* const region = mi_ptr_page(to);
  if mi_unlikely(!mi_malloc_sys_is_region(region) || to != mi_page_start(region)) { // a sample was due
    memcpy(to, p, used);
    mi_malloc_sys_free_lifo(page, p);
    return to;
  }
  // Upstream starts a block of this size at any of the cache lines of the first 4 KiB, and reserves space for that
  // (`mi_page_block_cache_offset`). Only whole pages of the system can be moved, so the block keeps its offset.
  region->page_offset = region->page_offset - (size_t)((uint8_t*)to - mi_page_slice_start(region)) + offset;
  if mi_unlikely(!mi_malloc_sys_move(region, page, offset + used, offset + size)) {
    return NULL; // the region is never freed, so that nobody uses its addresses
  }
  mi_malloc_sys_free_lifo(page, p);
  return mi_page_start(region);
}

// Resizes a block that fits where it is, also one that then uses less than half of its space, which upstream moves. The
// memory beyond the new size is discarded. False if it is to be done in the usual way.
static bool mi_malloc_sys_resize_in_place(const mi_page_t* page, void* p, size_t used, size_t size) {
  if (!mi_malloc_sys_is_region(page) || !mi_malloc_sys_is_in_default_heap(page, p)) return false;
  if (size < used) {
    const uintptr_t start = mi_align_up((uintptr_t)p + size, _mi_os_page_size());
    const uintptr_t end = mi_align_up((uintptr_t)p + used, _mi_os_page_size());
    if (start < end) { madvise((void*)start, end - start, MADV_DONTNEED); }
  }
  return true;
}
#endif

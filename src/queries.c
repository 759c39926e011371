// What the system knows of memory, and what upstream's metadata say of it. Included after upstream's C.

#if defined(__linux__)
#include <errno.h>
#include <sys/mman.h>
#include <sys/resource.h>

// Whether any of the memory is resident. True if the system cannot tell. `start` is aligned to a page of the system.
static inline bool mi_malloc_sys_is_resident(uint8_t* start, size_t size) {
  unsigned char pages[512];
  const size_t page_size = _mi_os_page_size();
  const size_t count = (size + page_size - 1) / page_size;
  // In QEMU's user mode the host writes an entry for each of its own pages, which may be smaller: as small as 4 KiB.
  const size_t at_once = (page_size <= 4*MI_KiB ? sizeof(pages) : 1 + (sizeof(pages) - 1) / (page_size / (4*MI_KiB)));
  const int err = errno;
  bool is_resident = false;
  for (size_t done = 0; done < count && !is_resident; done += at_once) {
    const size_t step = (count - done < at_once ? count - done : at_once);
    is_resident = (mincore(start + done * page_size, step * page_size, pages) != 0);
    unsigned char all = 0; // in a loop without an early end, which the compiler turns into a few vector instructions
    for (size_t i = 0; i < step; i++) { all |= pages[i]; }
    is_resident = is_resident || ((all & 1) != 0);
  }
  errno = err;
  return is_resident;
}
#endif

#if MI_MALLOC_VERSION >= 30000
#if defined(__linux__)
// Whether addresses are unlimited, so that a block may have more of them than it needs.
static inline bool mi_malloc_sys_addresses_unlimited(void) {
  struct rlimit addresses, data;
  return (_mi_os_has_overcommit() && getrlimit(RLIMIT_AS, &addresses) == 0 && addresses.rlim_cur == RLIM_INFINITY &&
          getrlimit(RLIMIT_DATA, &data) == 0 && data.rlim_cur == RLIM_INFINITY);
}
#endif

// Whether that is the start of a block, and of the heap that the thread allocates from.
static inline bool mi_malloc_sys_is_in_default_heap(const mi_page_t* page, const void* p) {
  const mi_theap_t* const theap = _mi_theap_default();
  return (p == mi_page_start(page) && mi_theap_is_initialized(theap) && mi_page_heap(page) == mi_theap_heap(theap));
}

// Whether the page is a region that upstream mapped for one block. A region for a large alignment starts elsewhere.
static inline bool mi_malloc_sys_is_region(const mi_page_t* page) {
  return (page->memid.memkind == MI_MEM_OS && !page->memid.is_pinned && mi_page_is_singleton(page) &&
          mi_page_slice_start(page) == (uint8_t*)page->memid.mem.os.base + MI_PAGE_ALIGN);
}

// Whether upstream's metadata say that the memory of this block, which is alone in its page, is ordinary memory of the
// system.
static inline bool mi_malloc_sys_is_system_memory(const mi_page_t* page) {
  if (_mi_os_page_size() > MI_ARENA_SLICE_SIZE) return false; // then slices share pages of the system
  if (page->memid.memkind != MI_MEM_ARENA) return mi_malloc_sys_is_region(page);
  const mi_arena_t* const arena = page->memid.mem.arena.arena;
  return (!page->memid.is_pinned && mi_page_is_singleton(page) && arena->memid.memkind == MI_MEM_OS &&
          arena->commit_fun == NULL && arena->parent == NULL);
}
#endif

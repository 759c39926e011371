// Upstream's C, unchanged, with what this crate adds before and after it.
#ifndef _DEFAULT_SOURCE // as `static.c` does, before the first header
#define _DEFAULT_SOURCE
#endif
#include "reuse.h"
#include "huge_blocks.h"
#include "huge_pages.h"
#include "program_options.h"
#include "callbacks.h"
#include "static.c"

#if defined(__linux__)
// Whether any of the memory is resident. True if the system cannot tell. `start` is aligned to a page of the system.
static inline bool mi_malloc_sys_is_resident(uint8_t* start, size_t size) {
  unsigned char pages[512];
  const size_t page_size = _mi_os_page_size();
  const size_t count = (size + page_size - 1) / page_size;
  for (size_t done = 0; done < count; done += sizeof(pages)) {
    const size_t step = (count - done < sizeof(pages) ? count - done : sizeof(pages));
    if (mincore(start + done * page_size, step * page_size, pages) != 0) return true;
    for (size_t i = 0; i < step; i++) {
      if ((pages[i] & 1) != 0) return true;
    }
  }
  return false;
}
#endif

#include "reuse.c"
#include "huge_blocks.c"

// Upstream's handling of errors, for error callbacks that call it: `default_error` in `extended.rs`.
#if defined(__cplusplus)
extern "C"
#endif
void mi_malloc_sys_default_error(int err) {
  mi_error_default(err);
}

// The code after this calls the system directly.
#undef mmap
#undef madvise
#undef prctl

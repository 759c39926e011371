// Upstream's C, unchanged, with what this crate adds before it.
#include "huge_pages.h"
#include "program_options.h"
#include "static.c"

// For error callbacks that leave the rest to upstream: `default_error` in `extended.rs`.
#if defined(__cplusplus)
extern "C"
#endif
void mi_malloc_sys_default_error(int err) {
  mi_error_default(err);
}

// What follows calls the system itself.
#undef mmap
#undef madvise
#undef prctl

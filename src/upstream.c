// Upstream's C, unchanged, with what this crate adds before it.
#ifndef _DEFAULT_SOURCE // as `static.c` does, before the first header
#define _DEFAULT_SOURCE
#endif
#include "reuse.h"
#include "huge_pages.h"
#include "program_options.h"
#include "callbacks.h"
#include "static.c"
#include "reuse.c"

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

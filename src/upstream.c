// Upstream's C, unchanged, with what this crate adds before and after it.
#ifndef _DEFAULT_SOURCE // as `static.c` does, before the first header
#define _DEFAULT_SOURCE
#endif
#include "singleton_pages.h"
#include "reuse.h"
#include "slices.h"
#include "purge.h"
#include "huge_blocks.h"
#include "huge_pages.h"
#include "program_options.h"
#include "callbacks.h"
#include "inline.h"
#include "static.c"

#include "queries.c"
#include "purge.c"
#include "reuse.c"
#include "slices.c"

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

#if MI_MALLOC_VERSION >= 30000
// Upstream packs two counts into one word (`mi_used_t`): blocks in use, and above them blocks allocated. Both one more.
#define MI_MALLOC_SYS_COUNT_ONE  MI_ZU(0x10001)
#endif

#include "huge_pages.c"
#include "singleton_pages.c"
#include "huge_blocks.c"
#include "free_blocks.c"

// Upstream's C, unchanged, with what this crate adds before and after it.
//
// v3 is compiled in two parts at the same time (`build/units.rs`). MI_MALLOC_SYS_PART is the number of this one. Without it
// all of upstream comes from its `static.c`, and otherwise each part has some of the files.
// 1. Blocks and their pages, for the entry points (`global.c`, `secure.c`); and files that nothing here depends on, so that
//    both parts take about as long.
// 2. Arenas, heaps, and what upstream needs of the system, for the handlers of `fork`.
// A static function or variable belongs to one part. What the other one needs of this crate is declared `mi_decl_hidden`.
#ifndef _DEFAULT_SOURCE // as `static.c` does, before the first header
#define _DEFAULT_SOURCE
#endif

#if MI_MALLOC_SYS_PART == 1
// All locks are taken in the other part, which has the handlers of `fork`. A file that takes one does not compile here.
#include "mimalloc.h"
#include "mimalloc/types.h"
#define mi_lock_acquire(lock)   (void)sizeof(struct mi_malloc_sys_lock_in_the_other_part)
#undef  mi_atomic_guard
#define mi_atomic_guard(guard)  if (sizeof(struct mi_malloc_sys_lock_in_the_other_part))
#endif

#include "singleton_pages.h"
#include "reuse.h"
#include "slices.h"
#include "purge.h"
#include "huge_blocks.h"
#include "callbacks.h"
#if MI_MALLOC_SYS_PART != 1
#include "huge_pages.h"
#include "program_options.h"
#endif
#if MI_MALLOC_SYS_PART != 2
#include "inline.h"
#endif

#if MI_MALLOC_SYS_PART == 1
#include "alloc/alloc.c"
#include "alloc/alloc-generic.c"
#include "alloc/alloc-aligned.c"
#include "alloc/alloc-posix.c"
#include "alloc/page.c"
#include "alloc/page-queue.c"
#include "arena/bitmap-chunk.c"
#include "profile/pprof.c"
#include "util/random.c"
#include "util/stats.c"
#elif MI_MALLOC_SYS_PART == 2
#include "prim/os.c"
#include "prim/prim.c"
#include "prim/prim-tls.c"
#if MI_OSX_ZONE
#include "prim/osx/alloc-override-zone.c"
#endif
#include "util/libc.c"
#include "util/options.c"
#include "util/threadlocal.c"
#include "arena/arena.c"
#include "arena/arena-alloc.c"
#include "arena/arena-page.c"
#include "arena/bitmap.c"
#include "heap/heap.c"
#include "heap/init.c"
#include "heap/page-map.c"
#include "heap/subproc.c"
#include "heap/theap.c"
#include "profile/sample-guarded.c"
#include "profile/sample-profile.c"
#else
#include "static.c"
#endif

#if MI_MALLOC_VERSION >= 30000
// Upstream packs two counts into one word (`mi_used_t`): blocks in use, and above them blocks allocated. Both one more.
#define MI_MALLOC_SYS_COUNT_ONE  MI_ZU(0x10001)
#endif

#include "queries.c"
#if MI_MALLOC_SYS_PART != 1
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
#endif

// The code after this calls the system directly.
#undef mmap
#undef munmap
#undef madvise
#undef prctl

#if MI_MALLOC_SYS_PART != 1
#include "huge_pages.c"
#include "free_blocks.c"
#endif
#if MI_MALLOC_SYS_PART != 2
#include "singleton_pages.c"
#include "huge_blocks.c"
#endif

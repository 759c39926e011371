// What `inlined.rs` knows of upstream's insides. The build asks the C compiler about this file, with the
// options of the allocator itself; nothing of it is linked. If it does not compile, be it for another
// definition in CFLAGS, `MiMalloc` calls the functions in `../global.c` for every block.
#include "mimalloc.h"
#include "mimalloc/types.h"
#include "mimalloc/prim/prim-tls.h"
#include "mimalloc/track.h"
#include "mimalloc/qsbr.h"

#define AT(type, field, offset) \
  _Static_assert(offsetof(type, field) == (offset), #type " has " #field " elsewhere")

_Static_assert(sizeof(void*) == 8 && sizeof(size_t) == 8, "not of 64 bits");

// A block needs nothing but its place, and nobody looks at each of them.
#if MI_DEBUG || MI_SECURE || MI_PADDING || MI_GUARDED || MI_ENCODE_FREELIST || MI_TRACK_ENABLED || MI_TSAN
#error "blocks are checked"
#endif
#if MI_QSBR
#error "a page that becomes empty is looked at each time"
#endif
#if MI_STATS > 1 || MI_SAMPLE > 1
#error "blocks are counted or sampled one by one"
#endif
AT(mi_block_t, next, 0);

// The theap of a thread is in a thread-local variable, and never NULL.
#if !MI_TLS_MODEL_LOCAL || MI_THEAP_INITASNULL || defined(MI_TLS_RECURSE_GUARD)
#error "theaps are found in another way"
#endif
AT(mi_theap_t, pages_free_direct, 0);
_Static_assert(MI_SMALL_WSIZE_MAX == 128 && MI_PAGES_DIRECT == 129, "pages of other sizes are at hand");

// A thread has the number that its thread pointer is.
#if MI_NO_THREAD_POINTER || defined(MI_PRIM_THREAD_ID) || defined(MI_PRIM_THREAD_POINTER)
#error "threads are told apart in another way"
#endif

// A block's address gives the description of its page, and that of a small one is the page's own.
#if !MI_PAGE_META_IS_ALIGNED || MI_PAGE_META_SMALL_IS_ALIGNED
#error "pages are found in another way"
#endif
#if MI_MALLOC_SYS_LARGE_SLICES
#define SLICE  (128 * MI_KiB)
#else
#define SLICE  (64 * MI_KiB)
#endif
_Static_assert(MI_ARENA_SLICE_SIZE == SLICE && MI_SMALL_PAGE_SIZE == SLICE, "small pages have another size");
// As MI_MALLOC_SYS_IN_SMALL_PAGE in `../global.c`: what Rust knows as small is of at most twice that size and behind a
// sample, with a quarter more for its size class.
_Static_assert((2 * MI_SMALL_SIZE_MAX + MI_PROFILE_SAMPLE_DATA_MAX_SIZE + 64) / 4 * 5 <= MI_SMALL_MAX_OBJ_SIZE,
               "small blocks lie in other pages");
_Static_assert(MI_PAGE_META_ALIGNMENT == 4096 * SLICE, "the tables of pages lie elsewhere");
_Static_assert(sizeof(mi_page_t) == 128, "descriptions of pages have another size");

AT(mi_page_t, self, 0);
AT(mi_page_t, xthread_id, 8);
AT(mi_page_t, free, 16);
AT(mi_page_t, local_free, 24);
AT(mi_page_t, block_size, 32);
AT(mi_page_t, xused, 40);
_Static_assert(sizeof(mi_used_t) == 8, "blocks are counted elsewhere");
AT(mi_page_t, retire_expire, 62);
AT(mi_page_t, free_is_zero, 63);

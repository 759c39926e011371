// What `inlined.rs` assumes of upstream's internals. The build passes this file to the C compiler, with the options of
// the allocator itself; nothing of it is linked. If it does not compile, be it for a definition in CFLAGS, `MiMalloc`
// calls the functions of `../global.c` for every block, and the build's output has the message of the assertion that
// failed (`docs/building.md`).
#include "mimalloc.h"
#include "mimalloc/types.h"
#include "mimalloc/prim/prim-tls.h"
#include "mimalloc/track.h"
#include "mimalloc/qsbr.h"

#define AT(type, field, offset) \
  _Static_assert(offsetof(type, field) == (offset), #type " has " #field " elsewhere")

_Static_assert(sizeof(void*) == 8 && sizeof(size_t) == 8, "not of 64 bits");

// Blocks have no padding, guard page, key, check, sample or tool of their own.
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

#if defined(_WIN32)
// The theap of a thread is in a slot of the thread environment block, or NULL.
#if !MI_TLS_MODEL_WIN32 || !MI_THEAP_INITASNULL
#error "theaps are found in another way"
#endif
_Static_assert(MI_TLS_EXPANSION_SLOT == 0x1780 / 8, "other slots are indirect");
_Static_assert(sizeof(_mi_theap_default_slot) == 8, "the index of the slot has another size");
#else
// The theap of a thread is in a thread-local variable, and never NULL.
#if !MI_TLS_MODEL_LOCAL || MI_THEAP_INITASNULL || defined(MI_TLS_RECURSE_GUARD)
#error "theaps are found in another way"
#endif
#endif
AT(mi_theap_t, pages_free_direct, 0);
_Static_assert(MI_SMALL_WSIZE_MAX == 128 && MI_PAGES_DIRECT == 129, "there are current pages of other sizes");

// The id of a thread is its thread pointer.
#if MI_NO_THREAD_POINTER || defined(MI_PRIM_THREAD_ID) || defined(MI_PRIM_THREAD_POINTER)
#error "threads are identified in another way"
#endif

// The address of a block yields the metadata of a page: of its own page, if that is a small one.
#if !MI_PAGE_META_IS_ALIGNED || MI_PAGE_META_SMALL_IS_ALIGNED
#error "pages are found in another way"
#endif
#if MI_MALLOC_SYS_LARGE_SLICES
#define SLICE  (128 * MI_KiB)
#else
#define SLICE  (64 * MI_KiB)
#endif
_Static_assert(MI_ARENA_SLICE_SIZE == SLICE && MI_SMALL_PAGE_SIZE == SLICE, "small pages have another size");
// As MI_MALLOC_SYS_IN_SMALL_PAGE in `../global.c`: a block that Rust treats as small has at most twice that size and
// follows the data of a sample, plus a quarter for its size class.
_Static_assert((2 * MI_SMALL_SIZE_MAX + MI_PROFILE_SAMPLE_DATA_MAX_SIZE + 64) / 4 * 5 <= MI_SMALL_MAX_OBJ_SIZE,
               "small blocks are in other pages");
_Static_assert(MI_PAGE_META_ALIGNMENT == 4096 * SLICE, "the tables of page metadata are elsewhere");
_Static_assert(sizeof(mi_page_t) == 128, "the metadata of a page have another size");

AT(mi_page_t, self, 0);
AT(mi_page_t, xthread_id, 8);
AT(mi_page_t, free, 16);
AT(mi_page_t, local_free, 24);
AT(mi_page_t, block_size, 32);
AT(mi_page_t, xused, 40);
_Static_assert(sizeof(mi_used_t) == 8, "blocks are counted elsewhere");
AT(mi_page_t, retire_expire, 62);
AT(mi_page_t, free_is_zero, 63);

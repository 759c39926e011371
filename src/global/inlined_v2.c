// What `inlined_v2.rs` assumes of upstream's internals. The build passes this file to the C compiler, with the options
// of the allocator itself; nothing of it is linked. If it does not compile, be it for a definition in CFLAGS, `MiMalloc`
// calls upstream's functions for every block, and the build's output has the message of the assertion that failed
// (`docs/building.md`).
#include "mimalloc.h"
#include "mimalloc/types.h"
#include "mimalloc/prim.h"
#include "mimalloc/track.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "bit fields are in another order"
#endif

#define AT(type, field, offset) \
  _Static_assert(offsetof(type, field) == (offset), #type " has " #field " elsewhere")

_Static_assert(sizeof(void*) == 8 && sizeof(size_t) == 8, "not of 64 bits");

// Blocks have no padding, guard page, key, check or tool of their own.
#if MI_DEBUG || MI_SECURE || MI_PADDING || MI_GUARDED || MI_ENCODE_FREELIST || MI_TRACK_ENABLED || MI_TSAN
#error "blocks are checked"
#endif
#if MI_STAT
#error "blocks are counted one by one"
#endif
AT(mi_block_t, next, 0);

// The heap of a thread is in a thread-local variable, and never NULL.
#if defined(MI_TLS_SLOT) || defined(MI_TLS_PTHREAD_SLOT_OFS) || defined(MI_TLS_PTHREAD) || defined(MI_TLS_RECURSE_GUARD)
#error "heaps are found in another way"
#endif
AT(mi_heap_t, pages_free_direct, 0x100);
_Static_assert(MI_SMALL_WSIZE_MAX == 128 && MI_PAGES_DIRECT >= 129, "there are current pages of other sizes");

// The id of a thread is its thread pointer. (On x86_64 the word at the thread pointer has that value too.)
#if defined(MI_PRIM_THREAD_ID) || !(MI_USE_BUILTIN_THREAD_POINTER || (MI_HAS_TLS_SLOT && defined(__x86_64__)))
#error "threads are identified in another way"
#endif

// The metadata of a block's page are found from the block's address.
_Static_assert(MI_SEGMENT_SIZE == 32 * MI_MiB && MI_SEGMENT_SLICE_SIZE == 64 * MI_KiB, "segments have another size");
_Static_assert(sizeof(mi_slice_t) == 96, "the metadata of a page have another size");
AT(mi_segment_t, thread_id, 0x118);
AT(mi_segment_t, slices, 0x120);

AT(mi_page_t, slice_offset, 4);
AT(mi_page_t, capacity, 10);
AT(mi_page_t, flags, 14);
_Static_assert(sizeof(mi_page_flags_t) == 1, "flags have another size");
AT(mi_page_t, free, 16);
AT(mi_page_t, local_free, 24);
AT(mi_page_t, used, 32);
_Static_assert(sizeof(((mi_page_t*)0)->used) == 2, "blocks are counted elsewhere");
AT(mi_page_t, next, 72);
AT(mi_page_t, prev, 80);

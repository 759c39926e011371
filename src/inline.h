// Upstream's functions on short paths that gcc is to inline. With -O3 it inlines every function that it considers small,
// also where a program rarely is; here only those that are declared inline or called once (`compiler` in
// `build/platform.rs`). So these are declared before upstream defines them. Included before upstream's C, only
// with releases that this was checked with. Other compilers decide for themselves.
#include "mimalloc.h"

#if MI_MALLOC_VERSION >= 30000 && defined(__GNUC__) && !defined(__clang__) && !defined(__cplusplus)
#include "mimalloc/types.h"
#include "mimalloc/track.h"
#include "mimalloc/alloc/page.h"

// Allocation from a page that is not the first of its queue.
static inline mi_page_t* mi_find_page(mi_theap_t* theap, size_t size, size_t huge_alignment);
static inline size_t mi_bin(size_t size);
static inline size_t mi_page_bin(const mi_page_t* page);
static inline bool mi_page_thread_free_collect(mi_page_t* page);

// Alignment.
inline void* mi_theap_malloc_aligned(mi_theap_t* theap, size_t size, size_t alignment);
inline void* mi_theap_zalloc_aligned(mi_theap_t* theap, size_t size, size_t alignment);
static inline void* mi_theap_malloc_aligned_at(mi_theap_t* theap, size_t size, size_t alignment, size_t offset);
static inline void* mi_theap_zalloc_aligned_at(mi_theap_t* theap, size_t size, size_t alignment, size_t offset);

// Reallocation and free.
inline void* mi_theap_realloc(mi_theap_t* theap, void* p, size_t newsize);
inline mi_block_t* _mi_page_ptr_unalign(const mi_page_t* page, const void* p);
inline size_t _mi_page_usable_size(const mi_page_t* page, const void* p);
static inline size_t mi_page_usable_size_of(const mi_page_t* page, const mi_block_t* block, bool is_guarded);
static inline bool mi_check_padding_on_free(const mi_page_t* page, const mi_block_t* block, bool is_guarded,
                                            size_t* usable_size);
#if MI_PADDING
static inline bool mi_verify_padding(const mi_page_t* page, const mi_block_t* block, size_t* size, size_t* wrong,
                                     bool* is_double_free);
#endif
#endif

// Entry points for `src/global.rs`, beside upstream's own. Compiled only with releases that they were checked with
// (`build/version.rs`). This file includes upstream's C, unchanged, to reach its static functions and internal fields.
#include "fork.c"
#include "bins.h"

// Entry points that are short enough to be inlined into their callers: with bitcode (`MIMALLOC_SYS_LTO`) into Rust code,
// where without the attribute some remain calls; otherwise into other entry points. C++ would define an inline function
// only where it is called, and -fgnu89-inline would not define it.
#if MI_MALLOC_SYS_LTO
#define mi_malloc_sys_inline  __attribute__((always_inline))
#elif defined(__cplusplus) || defined(__GNUC_GNU_INLINE__)
#define mi_malloc_sys_inline
#else
#define mi_malloc_sys_inline  extern inline
#endif

#if defined(__cplusplus)
extern "C" {
#endif

// ---- What this file and `global.rs` assume of upstream's constants. Where an assumption does not hold, upstream's own
// functions do the work. It is a compile error only where they could not.
#if defined(__cplusplus)
#define mi_malloc_sys_assert(condition, text)  static_assert(condition, text)
#else
#define mi_malloc_sys_assert(condition, text)  _Static_assert(condition, text)
#endif

#if MI_MALLOC_SYS_KEEP
mi_malloc_sys_assert(MI_PAGE_ALIGN + MI_PAGE_CACHE_OFFSET_MAX + MI_ARENA_SLICE_SIZE < 4*MI_MiB,
                     "the capacity of a mapping is smaller (reuse.c)");
#endif

// Rust requests whole words, and relies on the alignment of blocks of that many words (`MAX_ALIGN`).
#if MI_MAX_ALIGN_SIZE < 16
#error "MiMalloc needs blocks that are aligned to 16 bytes: remove the definition of MI_MAX_ALIGN_SIZE"
#endif

// Whether every block that Rust treats as small (`in_small_page`) is in a small page, as `mi_free_small` requires.
// The largest such block was shrunk in place by `mi_realloc`, to no less than half of its usable size; it follows the
// profiler's data of a sample; and its size class is up to a quarter larger.
#define MI_MALLOC_SYS_SAMPLE_SIZE    (3*MI_SIZE_SIZE + MI_PROFILE_SAMPLE_DATA_MAX_SIZE + MI_MAX_ALIGN_SIZE)
#define MI_MALLOC_SYS_SHRUNK_SIZE    (2*MI_SMALL_WSIZE_MAX*MI_SIZE_SIZE + 1 + MI_MALLOC_SYS_SAMPLE_SIZE)
#define MI_MALLOC_SYS_IN_SMALL_PAGE  (MI_SMALL_MAX_OBJ_SIZE >= MI_MALLOC_SYS_SHRUNK_SIZE + MI_MALLOC_SYS_SHRUNK_SIZE/4)
mi_malloc_sys_assert(sizeof(mi_block_t) + sizeof(mi_profiler_sample_data_t) == 3*MI_SIZE_SIZE,
                     "a sample has another size");
mi_malloc_sys_assert(MI_SMALL_SIZE_MAX == MI_SMALL_WSIZE_MAX*MI_SIZE_SIZE, "words have another size");

// The fast paths below exist where blocks have no padding, check, sample or tool of their own, and for constants that
// satisfy these conditions:
// - MI_MALLOC_SYS_HALF_OF_COUNT, half of the range of a 16-bit count (`mi_malloc_sys_free_lifo`), is more than the number of
//   blocks above MI_SMALL_SIZE_MAX in any page; small pages have the most of them.
// - MI_RETIRE_CYCLES fits into a page's `retire_expire`, a byte, and a quarter of it is at least one.
#define MI_MALLOC_SYS_HALF_OF_COUNT   0x8000
#define MI_MALLOC_SYS_HAVE_FAST_PATH \
  (MI_SAMPLE < 2 && MI_STATS < 2 && !MI_PADDING && !MI_SECURE && !MI_TRACK_ENABLED && \
   MI_MALLOC_SYS_HAVE_BINS && MI_SMALL_PAGE_SIZE / (MI_SMALL_WSIZE_MAX*MI_SIZE_SIZE) < MI_MALLOC_SYS_HALF_OF_COUNT && \
   MI_RETIRE_CYCLES >= 4 && MI_RETIRE_CYCLES <= 255)

#if MI_MALLOC_SYS_HAVE_FAST_PATH
mi_malloc_sys_assert(sizeof(mi_used_t) == MI_SIZE_SIZE, "blocks are counted differently");

// Pops the first block of the page's free list, counts it, and zeroes the bytes that were requested. Otherwise the same
// as upstream's `mi_page_malloc_zero`, which zeroes the whole block for the sake of `mi_rezalloc`; Rust's `realloc`
// promises nothing about the bytes that it adds.
static mi_decl_forceinline void* mi_malloc_sys_pop_free(mi_page_t* page, size_t used, bool zero, size_t count) {
  mi_block_t* const block = page->free;
  mi_assert_internal(block != NULL && mi_ptr_page(block) == page && used <= mi_page_block_size(page));
  page->free = mi_block_next(page, block);
  page->xused.used_alloc += count;
  mi_assert_internal(mi_page_used(page) <= page->capacity && mi_page_last_alloc(page) <= mi_page_alloc_count(page));
  if (zero) {
    if (page->free_is_zero) {
      block->next = 0;
    }
    else {
      mi_memzero_block(block, mi_align_up(used + (used == 0), MI_SIZE_SIZE));
    }
  }
  #if MI_DEBUG > 0 && !MI_TSAN
  else {
    mi_debug_fill(page, block, MI_DEBUG_UNINIT, mi_page_block_size(page));
  }
  #endif
  return block;
}
#endif

// ---- Small blocks: the same as `mi_wmalloc_small` and `mi_wzalloc_small`, except that only the requested words are zeroed.

mi_malloc_sys_inline void* mi_malloc_sys_malloc_small(size_t words) {
  #if MI_MALLOC_SYS_LTO && MI_MALLOC_SYS_HAVE_FAST_PATH && !MI_THEAP_INITASNULL
  // The same in an order that needs one register less: inlined, it would be one of the caller's.
  mi_page_t* const page = mi_theap_get_free_small_page(_mi_theap_default(), words, true);
  mi_block_t* const block = page->free;
  if mi_likely(block != NULL) {
    page->free = mi_block_next(page, block);
    page->xused.used_alloc += MI_MALLOC_SYS_COUNT_ONE;
    return block;
  }
  #endif
  return mi_theap_xmalloc_small_zero(_mi_theap_default(), words, true, false, NULL);
}

mi_malloc_sys_inline void* mi_malloc_sys_zalloc_small(size_t words) {
  #if MI_MALLOC_SYS_HAVE_FAST_PATH
  mi_theap_t* const theap = _mi_theap_default();
  if mi_likely(mi_malloc_sys_theap_initialized(theap)) {
    mi_page_t* const page = mi_theap_get_free_small_page(theap, words, true);
    if mi_likely(page->free != NULL) {
      return mi_malloc_sys_pop_free(page, words * MI_SIZE_SIZE, true, MI_MALLOC_SYS_COUNT_ONE);
    }
  }
  #endif
  return mi_theap_xmalloc_small_zero(_mi_theap_default(), words, true, true, NULL);
}

// The common case of `mi_free_small_nonnull`, or of `mi_free` where small blocks may be in other pages: the page is
// owned by this thread and has no flags. Only this case is inlined into callers.
static mi_decl_forceinline bool mi_malloc_sys_try_free_local(void* p, bool small) {
  mi_page_t* page;
  if mi_likely(mi_ptr_page_is_valid_ex(p, (small ? "mi_free_small" : "mi_free"), small, !small /* maybe NULL? */, &page) &&
               mi_page_xthread_id(page) == _mi_prim_thread_id()) {
    mi_free_block_local(page, mi_validate_block_from_ptr(page, p), false /* guarded? */, false /* full? */);
    return true;
  }
  return false;
}

mi_malloc_sys_inline void mi_malloc_sys_free_small(void* p) {
  #if MI_MALLOC_SYS_IN_SMALL_PAGE
  if mi_unlikely(!mi_malloc_sys_try_free_local(p, true)) {
    mi_free_small_nonnull(p);
  }
  #else
  if mi_unlikely(!mi_malloc_sys_try_free_local(p, false)) {
    mi_free(p);
  }
  #endif
}

// ---- Sizes above MI_SMALL_SIZE_MAX: `mi_malloc` and `mi_zalloc`, with a fast path (`bins.h`).
#if MI_MALLOC_SYS_HAVE_FAST_PATH
// The first page of the bin for this size if it can serve the request on the fast path, or NULL. With `collect`, its
// free list may be refilled first with blocks that were freed since.
static mi_decl_forceinline mi_page_t* mi_malloc_sys_bin_head_with_free(mi_theap_t* theap, size_t size, bool collect) {
  mi_page_t* const page = mi_malloc_sys_bin_head(theap, size);
  if mi_likely(page != NULL && (collect ? mi_page_free_quick_collect(page) : page->free != NULL) &&
               (mi_block_next(page, page->free) != NULL || mi_page_used(page) + 1 < page->reserved)) {
    return page;
  }
  return NULL;
}

static mi_decl_forceinline void* mi_malloc_sys_pop_bin_head(mi_theap_t* theap, mi_page_t* page, size_t used, bool zero) {
  return mi_malloc_sys_pop_free(page, used, zero, mi_malloc_sys_begin_pop(theap, page));
}

// Advances `last_alloc` for a block from upstream's slow path too: `mi_malloc_sys_free_lifo` may push it to its page's
// free list again and again, which upstream then never refills. A page that became full may be owned by another thread by
// now; upstream has counted its blocks before.
static void* mi_malloc_sys_advance_last_alloc(void* p) {
  #if MI_SAMPLE
  mi_page_t* page;
  if (mi_ptr_page_is_valid_ex(p, "mi_malloc", false /* small? */, true /* maybe NULL? */, &page) &&
      mi_page_thread_id(page) == _mi_prim_thread_id() && mi_malloc_sys_sampling_off(mi_page_theap(page))) {
    _mi_page_update_sample_countdown(page);
  }
  #endif
  return p;
}

// Blocks of the page may have been freed since. Not inlined, so that callers with a free block do not pay for it.
static mi_decl_noinline void* mi_malloc_sys_general_slow(mi_theap_t* theap, size_t size, bool zero) {
  mi_page_t* const page = mi_malloc_sys_bin_head_with_free(theap, size, true);
  if mi_likely(page != NULL) {
    return mi_malloc_sys_pop_bin_head(theap, page, size, zero);
  }
  return mi_malloc_sys_advance_last_alloc(mi_theap_malloc_generic(theap, size, zero, 0, NULL));
}
#else
static mi_decl_forceinline void* mi_malloc_sys_advance_last_alloc(void* p) {
  return p;
}
#endif

static mi_decl_forceinline void* mi_malloc_sys_general_impl(size_t size, bool zero) {
  mi_theap_t* const theap = _mi_theap_default();
  #if MI_MALLOC_SYS_HAVE_FAST_PATH
  mi_page_t* const page = mi_malloc_sys_bin_head_with_free(theap, size, false);
  if mi_likely(page != NULL) {
    return mi_malloc_sys_pop_bin_head(theap, page, size, zero);
  }
  return mi_malloc_sys_general_slow(theap, size, zero);
  #else
  return mi_theap_malloc_generic(theap, size, zero, 0, NULL);
  #endif
}

void* mi_malloc_sys_malloc_general(size_t size) {
  return mi_malloc_sys_general_impl(size, false);
}

// ---- A page that has become empty: `_mi_page_retire`.
#if MI_MALLOC_SYS_HAVE_FAST_PATH
// Nearly every page of larger blocks is the only one in the queue of its bin, as in a program that allocates a buffer
// and frees it again and again. Such a page is retired: kept for some cycles of housekeeping. This is all that upstream
// does for it.
//
// A page of a single block is left to `_mi_page_retire`, by default a macro, so that `singleton_pages.c` may retain the
// page. It is in the huge queue, whatever the size of its block. For an alignment above a slice the block may be a small
// one, and then the page remains this thread's while it is full, without a flag (`mi_malloc_generic_from_page` abandons
// only those above MI_SMALL_MAX_OBJ_SIZE). All other pages that come here are in the queue of their bin.
static mi_decl_forceinline void mi_malloc_sys_page_retire_impl(mi_page_t* page) {
  const size_t size = mi_page_block_size(page);
  _mi_page_qsbr_clear(page);
  if (size <= MI_SMALL_SIZE_MAX || ((uintptr_t)page->next | (uintptr_t)page->prev) != 0 || mi_page_is_singleton(page)) {
    _mi_page_retire(page);
    return;
  }
  if (mi_page_has_interior_pointers(page)) {
    mi_page_set_has_interior_pointers(page, false);
  }
  mi_theap_t* const theap = mi_page_theap(page);
  const size_t bin = mi_malloc_sys_bin(size);
  mi_assert_internal(size <= MI_LARGE_MAX_OBJ_SIZE && page->retire_expire == 0);
  mi_assert_internal(theap->pages[bin].first == page && theap->pages[bin].count == 1);
  mi_theap_stat_counter_increase(theap, pages_retire, 1);
  page->retire_expire = (size <= MI_SMALL_MAX_OBJ_SIZE ? MI_RETIRE_CYCLES : MI_RETIRE_CYCLES/4);
  if (bin < theap->page_retired_min) theap->page_retired_min = bin;
  if (bin > theap->page_retired_max) theap->page_retired_max = bin;
}

// For `inlined.rs`.
void mi_malloc_sys_page_retire(mi_page_t* page) {
  mi_malloc_sys_page_retire_impl(page);
}
#endif

// ---- `mi_free` for sizes above MI_SMALL_SIZE_MAX, with LIFO reuse: the block is the next that its page allocates.
//
// Upstream pushes a freed block to the page's local free list, which becomes the free list only when that is empty. So
// all other free blocks come first. Of larger blocks the next one then is seldom in the processor's cache, while the
// one just freed mostly is. But a page whose blocks return at once does not run out, and upstream also uses that
// moment. So the free is left to upstream if
// - the page has small blocks, which come here from `mi_malloc_sys_realloc`. A thread's housekeeping is triggered by
//   pages of small blocks that run out; with larger blocks each allocation counts towards it.
// - the page has counted half of the allocations that fit into 16 bits. The count starts again when the page is
//   refilled, and until then the page can only allocate the blocks it has, which are fewer than the other half.
// - there is a sample rate. The countdown goes on when a page is refilled.
// - the page is owned by another thread, or full, or the freed block is a sample.
static mi_decl_forceinline void mi_malloc_sys_free_lifo(mi_page_t* page, void* p) {
  #if MI_MALLOC_SYS_HAVE_FAST_PATH
  // For a page owned by this thread, the XOR leaves only the flag bits.
  const mi_threadid_t flags = mi_page_xthread_id(page) ^ _mi_prim_thread_id();
  if mi_likely(mi_page_block_size(page) > MI_SMALL_SIZE_MAX && (flags & ~MI_PAGE_HAS_INTERIOR_POINTERS) == 0 &&
               mi_xused_alloc_count(page->xused) < MI_MALLOC_SYS_HALF_OF_COUNT &&
               mi_malloc_sys_sampling_off(mi_page_theap(page))) {
    mi_block_t* block = (mi_block_t*)p;
    if mi_unlikely(flags != 0) {
      // As `_mi_page_ptr_unalign`, without its test whether the size is a power of two.
      block = (mi_block_t*)((uint8_t*)p - (size_t)((uint8_t*)p - mi_page_start(page)) % mi_page_block_size(page));
    }
    if mi_likely(flags == 0 || !mi_block_ptr_is_sampled(block, p)) {
      mi_used_t xused = page->xused;
      mi_block_set_next(page, block, page->free);
      page->free = block;
      page->free_is_zero = false;
      xused.used_alloc--;
      page->xused = xused;
      if mi_unlikely(mi_xused_used_count(xused) == 0) {
        mi_malloc_sys_page_retire_impl(page);
      }
      return;
    }
  }
  #endif
  mi_free_nonnull(p, page, NULL, true /* allow reclaim? */);
}

void mi_malloc_sys_free_general(void* p) {
  mi_page_t* page;
  if mi_likely(mi_ptr_page_is_valid_ex(p, "mi_free", false /* small? */, false /* maybe NULL? */, &page)) {
    mi_malloc_sys_free_lifo(page, p);
  }
}

// Over-aligned blocks of any size. Where the page has no flags, the size need not be tested.
mi_malloc_sys_inline void mi_malloc_sys_free_aligned(void* p) {
  if mi_unlikely(!mi_malloc_sys_try_free_local(p, false)) {
    mi_malloc_sys_free_general(p);
  }
}

#include "large.c"

void* mi_malloc_sys_zalloc_general(size_t size) {
  return mi_malloc_sys_general_impl(size, true);
}

// ---- Alignments above 16: `mi_malloc_aligned` and `mi_zalloc_aligned`.
static mi_decl_forceinline void* mi_malloc_sys_upstream_aligned(size_t size, size_t alignment, bool zero) {
  return mi_malloc_sys_advance_last_alloc(zero ? mi_zalloc_aligned(size, alignment) : mi_malloc_aligned(size, alignment));
}

#if MI_MALLOC_SYS_HAVE_FAST_PATH
// A block of a size that is naturally aligned, where the current page has none free.
static mi_decl_noinline void* mi_malloc_sys_natural_slow(mi_theap_t* theap, size_t size, size_t alignment, bool zero) {
  if mi_likely(mi_malloc_sys_sampling_off(theap)) {
    void* const p = mi_malloc_sys_advance_last_alloc(mi_theap_malloc_generic(theap, size, zero, 0, NULL));
    if mi_likely(((uintptr_t)p & (alignment - 1)) == 0) {
      return p;
    }
    mi_free(p);
  }
  return mi_malloc_sys_upstream_aligned(size, alignment, zero);
}
#endif

// Small sizes that are multiples of the alignment. Upstream returns the same block after tests that such a size and
// alignment pass, and takes a sample as soon as it is due; here a sample waits until a page runs out, as for all small
// blocks.
static mi_decl_forceinline void* mi_malloc_sys_small_aligned_impl(size_t size, size_t alignment, bool zero) {
  #if MI_MALLOC_SYS_HAVE_FAST_PATH
  mi_theap_t* const theap = _mi_theap_default();
  if mi_likely(mi_malloc_sys_theap_initialized(theap)) {
    mi_page_t* const page = mi_theap_get_free_small_page(theap, size, false);
    if mi_likely(page->free != NULL && ((uintptr_t)page->free & (alignment - 1)) == 0) {
      return mi_malloc_sys_pop_free(page, size, zero, MI_MALLOC_SYS_COUNT_ONE);
    }
    return mi_malloc_sys_natural_slow(theap, size, alignment, zero);
  }
  #endif
  return mi_malloc_sys_upstream_aligned(size, alignment, zero);
}

mi_malloc_sys_inline void* mi_malloc_sys_malloc_small_aligned(size_t size, size_t alignment) {
  return mi_malloc_sys_small_aligned_impl(size, alignment, false);
}

mi_malloc_sys_inline void* mi_malloc_sys_zalloc_small_aligned(size_t size, size_t alignment) {
  return mi_malloc_sys_small_aligned_impl(size, alignment, true);
}

// All other over-aligned blocks. If blocks of the size are naturally aligned, one of them; otherwise the aligned part of
// a larger one, which is marked as upstream marks it, and its page too.
static mi_decl_forceinline void* mi_malloc_sys_aligned_impl(size_t size, size_t alignment, bool zero) {
  #if MI_MALLOC_SYS_HAVE_FAST_PATH
  mi_theap_t* const theap = _mi_theap_default();
  if mi_likely(alignment <= MI_PAGE_MAX_START_BLOCK_ALIGN2 && size <= MI_LARGE_MAX_OBJ_SIZE) {
    // Branch-free: size and alignment are unpredictable, and a misprediction costs more than this arithmetic.
    const size_t padded = size + alignment - 1;
    const size_t rounded = padded & ~(alignment - 1);
    const bool natural = mi_malloc_sys_is_natural(rounded, alignment);
    const size_t request = rounded + ((padded - rounded) & ((size_t)natural - 1));
    mi_page_t* const page = mi_malloc_sys_bin_head_with_free(theap, request, true);
    if mi_likely(page != NULL) {
      const size_t adjust = (0 - (uintptr_t)page->free) & (alignment - 1);
      if mi_likely((adjust & (0 - (size_t)natural)) == 0) {
        mi_malloc_sys_mark_interior(page, adjust);
        mi_block_t* const block = (mi_block_t*)mi_malloc_sys_pop_bin_head(theap, page, adjust + size, zero);
        mi_malloc_sys_assert(MI_BLOCK_TAG_ALIGNED == 0, "the tag of an aligned block would not be zero");
        block->next = MI_BLOCK_TAG_ALIGNED;
        return (uint8_t*)block + adjust;
      }
    }
    if (natural) {
      return mi_malloc_sys_natural_slow(theap, rounded, alignment, zero);
    }
  }
  #endif
  return mi_malloc_sys_upstream_aligned(size, alignment, zero);
}

void* mi_malloc_sys_malloc_aligned(size_t size, size_t alignment) {
  return mi_malloc_sys_aligned_impl(size, alignment, false);
}

void* mi_malloc_sys_zalloc_aligned(size_t size, size_t alignment) {
  return mi_malloc_sys_aligned_impl(size, alignment, true);
}

// ---- `mi_realloc`, where the caller knows how many bytes of the block are in use.
//
// Nearly always the block grows and has to move. Then upstream's `mi_realloc` computes the usable size twice, which
// needs a division, and copies the whole block. Here comparing with the page's block size detects most moves. A block
// that may stay in place is left to upstream.

// What is left to upstream, except for large blocks (`large.c`).
static mi_decl_noinline void* mi_malloc_sys_upstream_realloc(void* p, size_t used, size_t size) {
  #if MI_MALLOC_SYS_MOVES
  mi_page_t* page;
  if (size >= MI_MALLOC_SYS_LARGE/2 &&
      mi_ptr_page_is_valid_ex(p, "mi_realloc", false /* small? */, false /* maybe NULL? */, &page) &&
      size <= mi_page_block_size(page) && mi_malloc_sys_resize_in_place(page, p, used, size)) {
    return p;
  }
  #else
  MI_UNUSED(used);
  #endif
  return mi_malloc_sys_advance_last_alloc(mi_realloc(p, size));
}

void* mi_malloc_sys_realloc(void* p, size_t used, size_t size) {
  mi_page_t* page;
  if mi_unlikely(!mi_ptr_page_is_valid_ex(p, "mi_realloc", false /* small? */, false /* maybe NULL? */, &page) ||
                 size <= mi_page_block_size(page)) {
    return mi_malloc_sys_upstream_realloc(p, used, size);
  }
  #if MI_MALLOC_SYS_MOVES
  if mi_unlikely(size >= MI_MALLOC_SYS_LARGE/2) {
    void* const moved = mi_malloc_sys_grow_large(page, p, used, size);
    if (moved != NULL) return moved;
  }
  #endif
  #if MI_MALLOC_SYS_LARGE_SLICES
  if mi_unlikely(size > MI_MALLOC_SYS_GROWS_IN_ARENA && mi_malloc_sys_grow_in_arena(page, p, size)) return p;
  #endif
  void* const to = (size <= MI_SMALL_SIZE_MAX ? mi_malloc_sys_malloc_small(mi_wsize_from_size(size))
                                              : mi_malloc_sys_malloc_general(size));
  if mi_likely(to != NULL) {
    mi_malloc_sys_copy(to, p, used);
    mi_malloc_sys_free_lifo(page, p);
  }
  return to;
}

void* mi_malloc_sys_realloc_aligned(void* p, size_t size, size_t alignment) {
  return mi_malloc_sys_advance_last_alloc(mi_realloc_aligned(p, size, alignment));
}

#if defined(__cplusplus)
}
#endif

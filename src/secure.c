// Entry points for `src/global.rs` in builds with mitigations (MI_SECURE). Compiled only with releases that they were
// checked with (`build/version.rs`). This file includes upstream's C, unchanged, to reach its static functions and
// internal fields.
//
// They do what upstream's functions do, with each of upstream's checks, in the common case: the first page for the size
// has a free block; or the freed block's page is owned by the calling thread and has no flags, or only the one for
// aligned blocks inside larger ones. Everything unusual or suspicious is left to upstream's function, and no block was
// changed before: so all reports are upstream's, and upstream decides what happens next. What is saved:
// - Upstream divides (in 64 bits) to find where a block starts, so that a pointer into a block frees the block. Here a
//   32-bit division checks that the pointer is the start of a block, and mostly no later step depends on its result.
// - The keys of a page are loaded once for the free list and for the padding.
// - Upstream takes its slow path for all sizes above MI_SMALL_SIZE_MAX (`bins.h`), and for most alignments.
// - Rust knows how many bytes of a block are in use, and so how many have to be copied when it moves.
// Blocks are not reused in LIFO order, as they are in other builds. Above MI_SMALL_SIZE_MAX a page that can still be
// extended is left to upstream, which does so at random. So the addresses of blocks are no easier to guess than upstream's.
#include "fork.c"
#include "bins.h"

#if defined(__cplusplus)
extern "C" {
#endif

// The fast paths exist for these mitigations only, and where blocks need nothing else.
#if MI_SECURE >= 3 && MI_PADDING && MI_ENCODE_FREELIST && MI_PAGE_KEY_COUNT == 2 && MI_SAMPLE < 2 && MI_STATS < 2 && \
    !MI_DEBUG && !MI_TRACK_ENABLED && !MI_TSAN && !MI_THEAP_INITASNULL && !MI_BIG_ENDIAN && MI_SIZE_SIZE == 8 && \
    __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && MI_MALLOC_SYS_HAVE_BINS && \
    MI_MAX_ALIGN_SIZE == 16 && MI_LARGE_MAX_OBJ_SIZE <= 0x10000000
#define MI_MALLOC_SYS_SECURE  1

// Whether a pointer may have no page. Where the page is computed from the address alone, only NULL has none.
#if MI_PAGE_META_IS_ALIGNED
#define MI_MALLOC_SYS_MAYBE_NO_PAGE  false
#else
#define MI_MALLOC_SYS_MAYBE_NO_PAGE  true
#endif
#else
#define MI_MALLOC_SYS_SECURE  0
#endif

#if MI_MALLOC_SYS_SECURE
// `mi_malloc_small` and `mi_zalloc_small`.
static mi_decl_noinline void* mi_malloc_sys_upstream_small(size_t size, bool zero) {
  return mi_theap_xmalloc_small_zero(_mi_theap_default(), size, false /* words? */, zero, NULL);
}

// `mi_malloc` and `mi_zalloc` for larger sizes.
static mi_decl_noinline void* mi_malloc_sys_upstream_general(size_t size, bool zero) {
  return mi_theap_malloc_generic(_mi_theap_default(), size, zero, 0, NULL);
}

static mi_decl_noinline void* mi_malloc_sys_upstream_aligned(size_t size, size_t alignment, bool zero) {
  return (zero ? mi_zalloc_aligned(size, alignment) : mi_malloc_aligned(size, alignment));
}

// ---- `mi_ptr_encode` and `mi_ptr_decode`. The processor uses only the lowest bits of a rotation's count. Where gcc sees
// that two rotations have the same count, it masks the count for both, which takes another register.
#if defined(__GNUC__)
#define mi_malloc_sys_opaque(value)  __asm__ volatile("" : "+r"(value))
#else
#define mi_malloc_sys_opaque(value)
#endif

static mi_decl_forceinline uintptr_t mi_malloc_sys_encode(const void* p, uintptr_t k1, uintptr_t k2) {
  uintptr_t bits = k1;
  mi_malloc_sys_opaque(bits);
  return mi_rotl((uintptr_t)p ^ k2, bits) + k1;
}

static mi_decl_forceinline uintptr_t mi_malloc_sys_decode(mi_encoded_t encoded, uintptr_t k1, uintptr_t k2) {
  uintptr_t bits = k1;
  mi_malloc_sys_opaque(bits);
  return mi_rotr(encoded - k1, bits) ^ k2;
}

// ---- The padding behind a block.

// `mi_ptr_encode_canary`.
static mi_decl_forceinline uint32_t mi_malloc_sys_canary(const void* block, uintptr_t k1, uintptr_t k2) {
  return (uint32_t)mi_malloc_sys_encode(block, k1, k2) & 0xFFFFFE00;
}

#if MI_PADDING_CHECK_BYTES
// Up to this many bytes behind those in use are filled with a pattern, as two words, which may overlap.
#define MI_MALLOC_SYS_FILL  MI_MAX_ALIGN_SIZE
static const uint64_t mi_malloc_sys_pattern = MI_DEBUG_PADDING * 0x0101010101010101U;
#endif

// Whether the pattern is intact. `end` is the padding; `delta` bytes lie between it and the bytes in use; and at least a
// word precedes it.
static mi_decl_forceinline bool mi_malloc_sys_is_filled(const uint8_t* end, size_t delta) {
  #if MI_PADDING_CHECK_BYTES
  uint64_t word;
  if (delta < sizeof(word)) {
    memcpy(&word, end - sizeof(word), sizeof(word));
    return (((word ^ mi_malloc_sys_pattern) >> 8) >> (56 - 8*delta)) == 0; // the last bytes
  }
  const uint8_t* const first = end - delta;
  const uint8_t* const last = first + (delta < MI_MALLOC_SYS_FILL ? delta : MI_MALLOC_SYS_FILL) - sizeof(word);
  uint64_t other;
  memcpy(&word, first, sizeof(word));
  memcpy(&other, last, sizeof(other));
  return (word == mi_malloc_sys_pattern) & (other == mi_malloc_sys_pattern);
  #else
  MI_UNUSED(end); MI_UNUSED(delta);
  return true;
  #endif
}

// Writes the padding behind a block of so many bytes, and in front of it the pattern. The pattern's two words may overlap
// the last bytes in use, unless these have contents already, or the padding, which is written next.
static mi_decl_forceinline void mi_malloc_sys_set_padding(mi_block_t* block, size_t size, size_t block_size, uintptr_t k1,
                                                          uintptr_t k2, bool has_contents)
{
  mi_padding_t* const padding = (mi_padding_t*)((uint8_t*)block + block_size - MI_PADDING_SIZE);
  const size_t delta = block_size - MI_PADDING_SIZE - size;
  #if MI_PADDING_CHECK_BYTES
  const size_t filled = (delta < MI_MALLOC_SYS_FILL ? delta : MI_MALLOC_SYS_FILL);
  uint8_t* const fill = (uint8_t*)block + size;
  if (has_contents) {
    memset(fill, MI_DEBUG_PADDING, filled);
  }
  else {
    memcpy(fill, &mi_malloc_sys_pattern, sizeof(uint64_t));
    memcpy(fill + filled - sizeof(uint64_t), &mi_malloc_sys_pattern, sizeof(uint64_t));
  }
  #else
  MI_UNUSED(has_contents);
  #endif
  padding->canary = mi_malloc_sys_canary(block, k1, k2);
  padding->delta = (uint32_t)delta;
}

// Where a pointer is within its block: `_mi_page_ptr_unalign`. No page of blocks up to MI_LARGE_MAX_OBJ_SIZE has 4 GiB, and
// a 32-bit division is faster.
static mi_decl_forceinline uint32_t mi_malloc_sys_offset_in_block(const void* p, const mi_page_t* page) {
  const uint32_t offset = (uint32_t)(uintptr_t)p - (uint32_t)(uintptr_t)page - (uint32_t)page->page_offset;
  return offset % (uint32_t)page->block_size;
}

static mi_decl_forceinline mi_padding_t* mi_malloc_sys_padding_of(const mi_page_t* page, mi_block_t* block) {
  return (mi_padding_t*)((uint8_t*)block + page->block_size - MI_PADDING_SIZE);
}

// Whether a block is in use, and nothing has written behind it: `mi_check_padding_on_free` without its reports.
static mi_decl_forceinline bool mi_malloc_sys_is_intact(const mi_page_t* page, mi_block_t* block) {
  const mi_padding_t* const padding = mi_malloc_sys_padding_of(page, block);
  const size_t delta = padding->delta;
  return (padding->canary == mi_malloc_sys_canary(block, page->keys[0], page->keys[1]) &&
          delta <= page->block_size - MI_PADDING_SIZE && mi_malloc_sys_is_filled((const uint8_t*)padding, delta));
}

// Whether an intact block starts there, of at most MI_LARGE_MAX_OBJ_SIZE bytes.
static mi_decl_forceinline bool mi_malloc_sys_is_intact_at(const mi_page_t* page, void* p) {
  return (page->block_size - 1 < MI_LARGE_MAX_OBJ_SIZE && mi_malloc_sys_offset_in_block(p, page) == 0 &&
          mi_malloc_sys_is_intact(page, (mi_block_t*)p));
}

// ---- Allocation: `mi_page_malloc_zero`.

// Pops the first block of a page that has a free one, and counts it. NULL, with no block changed, if the list is damaged.
// All of a zeroed block is zeroed, as by upstream, so that no former contents are left behind the requested bytes.
static mi_decl_forceinline void* mi_malloc_sys_secure_pop(mi_page_t* page, size_t size, bool zero, size_t count) {
  mi_block_t* const block = page->free;
  const uintptr_t k1 = page->keys[0];
  const uintptr_t k2 = page->keys[1];
  const size_t block_size = page->block_size;
  // `mi_block_next`: within the page, or the page itself, which stands for the end of the list.
  mi_block_t* next = (mi_block_t*)mi_malloc_sys_decode(block->next, k1, k2);
  if mi_unlikely((uintptr_t)next - (uintptr_t)page - page->page_offset >= block_size * page->reserved) {
    if mi_unlikely((void*)next != (void*)page) return NULL;
    next = NULL;
  }
  page->free = next;
  page->xused.used_alloc += count;
  if (!zero || page->free_is_zero) {
    block->next = 0; // before the pattern, which may overwrite it
  }
  else {
    mi_memzero_block(block, block_size - MI_PADDING_SIZE);
  }
  mi_malloc_sys_set_padding(block, size, block_size, k1, k2, zero);
  return block;
}

static mi_decl_forceinline void* mi_malloc_sys_secure_small(size_t size, bool zero) {
  mi_page_t* const page = mi_theap_get_free_small_page(_mi_theap_default(), size + MI_PADDING_SIZE, false);
  if mi_likely(page->free != NULL) {
    void* const p = mi_malloc_sys_secure_pop(page, size, zero, MI_MALLOC_SYS_COUNT_ONE);
    if mi_likely(p != NULL) return p;
  }
  return mi_malloc_sys_upstream_small(size, zero); // which reports a damaged list
}

// ---- Sizes above MI_SMALL_SIZE_MAX.

// The first page of the bin for blocks of this size, padding included, if it can serve the request on the fast path, or
// NULL. Its free list may be refilled with blocks that were freed since.
static mi_decl_forceinline mi_page_t* mi_malloc_sys_secure_bin_head(const mi_theap_t* theap, size_t block_size) {
  mi_page_t* const page = mi_malloc_sys_bin_head(theap, block_size);
  if mi_likely(page != NULL && page->capacity == page->reserved && mi_page_free_quick_collect(page) &&
               mi_page_used(page) + 1 < page->reserved) {
    return page;
  }
  return NULL;
}

// Pops a block of that page.
static mi_decl_forceinline void* mi_malloc_sys_secure_pop_head(mi_theap_t* theap, mi_page_t* page, size_t size, bool zero) {
  return mi_malloc_sys_secure_pop(page, size, zero, mi_malloc_sys_begin_pop(theap, page));
}

static mi_decl_forceinline void* mi_malloc_sys_secure_general(size_t size, bool zero) {
  mi_theap_t* const theap = _mi_theap_default();
  if mi_likely(size <= MI_LARGE_MAX_OBJ_SIZE) {
    mi_page_t* const page = mi_malloc_sys_secure_bin_head(theap, size + MI_PADDING_SIZE);
    if mi_likely(page != NULL) {
      void* const p = mi_malloc_sys_secure_pop_head(theap, page, size, zero);
      if mi_likely(p != NULL) return p;
    }
  }
  return mi_malloc_sys_upstream_general(size, zero);
}

// ---- Alignments above 16.

// A block of so many bytes, padding included, from upstream's slow path. What is requested there ends at the padding, so
// the bytes behind the contents become padding afterwards.
static mi_decl_noinline void* mi_malloc_sys_natural_slow(size_t block_size, size_t size, size_t alignment, bool zero) {
  mi_theap_t* const theap = _mi_theap_default();
  mi_page_t* page;
  if mi_likely(mi_malloc_sys_sampling_off(theap)) {
    void* const p = mi_theap_malloc_generic(theap, block_size - MI_PADDING_SIZE, zero, 0, &page);
    if mi_unlikely(p == NULL) return NULL;
    // A sample, if there is a sample rate by now, is inside its block.
    if mi_likely(((uintptr_t)p & (alignment - 1)) == 0 && (void*)_mi_page_ptr_unalign(page, p) == p) {
      mi_malloc_sys_set_padding((mi_block_t*)p, size, page->block_size, page->keys[0], page->keys[1], true);
      return p;
    }
    mi_free(p);
  }
  return mi_malloc_sys_upstream_aligned(size, alignment, zero);
}

// A block of a size that is naturally aligned, or the aligned part of a larger one, as in `global.c`. The padding is part
// of the size here: upstream has no naturally aligned block for a size that is a power of two.
static mi_decl_forceinline void* mi_malloc_sys_secure_aligned(size_t size, size_t alignment, bool zero) {
  if mi_likely(alignment <= MI_PAGE_MAX_START_BLOCK_ALIGN2 && size <= MI_LARGE_MAX_OBJ_SIZE) {
    mi_theap_t* const theap = _mi_theap_default();
    const size_t padded = size + MI_PADDING_SIZE + alignment - 1;
    const size_t rounded = padded & ~(alignment - 1);
    if (rounded <= MI_SMALL_SIZE_MAX) {
      mi_page_t* const page = mi_theap_get_free_small_page(theap, rounded, false);
      if mi_likely(page->free != NULL && ((uintptr_t)page->free & (alignment - 1)) == 0) {
        void* const p = mi_malloc_sys_secure_pop(page, size, zero, MI_MALLOC_SYS_COUNT_ONE);
        if mi_likely(p != NULL) return p;
      }
      return mi_malloc_sys_natural_slow(rounded, size, alignment, zero);
    }
    const bool natural = mi_malloc_sys_is_natural(rounded, alignment);
    const size_t request = rounded + ((padded - rounded) & ((size_t)natural - 1));
    mi_page_t* const page = mi_malloc_sys_secure_bin_head(theap, request);
    if mi_likely(page != NULL) {
      const size_t adjust = (0 - (uintptr_t)page->free) & (alignment - 1);
      if mi_likely((adjust & (0 - (size_t)natural)) == 0) {
        void* const block = mi_malloc_sys_secure_pop_head(theap, page, adjust + size, zero);
        if mi_likely(block != NULL) {
          // The first word of the block is zero now: MI_BLOCK_TAG_ALIGNED.
          mi_malloc_sys_mark_interior(page, adjust);
          return (uint8_t*)block + adjust;
        }
      }
    }
    if (natural) return mi_malloc_sys_natural_slow(rounded, size, alignment, zero);
  }
  return mi_malloc_sys_upstream_aligned(size, alignment, zero);
}

// ---- Free: `mi_free_block_local`.

// Frees an intact block in a page that this thread owns.
static mi_decl_forceinline void mi_malloc_sys_secure_push(mi_page_t* page, mi_block_t* block) {
  mi_padding_t* const padding = mi_malloc_sys_padding_of(page, block);
  const uintptr_t k1 = page->keys[0];
  const uintptr_t k2 = page->keys[1];
  mi_block_t* const first = page->local_free;
  padding->canary = mi_ptr_encode_canary_freed();
  mi_used_t xused = page->xused;
  xused.used_alloc--;
  block->next = mi_malloc_sys_encode((first == NULL ? (void*)page : (void*)first), k1, k2);
  page->xused = xused;
  page->local_free = block;
  if mi_unlikely(mi_xused_used_count(xused) == 0) {
    _mi_page_qsbr_clear(page);
    if (page->retire_expire == 0) { _mi_page_retire(page); }
  }
}

// `mi_free` for a page that is found already. In a page of this thread that has blocks inside larger ones, and is not
// full, a block is freed here too.
static mi_decl_noinline void mi_malloc_sys_secure_free_slow(void* p, mi_page_t* page) {
  const mi_threadid_t flags = mi_page_xthread_id(page) ^ _mi_prim_thread_id();
  if (flags == MI_PAGE_HAS_INTERIOR_POINTERS && page->block_size - 1 < MI_LARGE_MAX_OBJ_SIZE) {
    mi_block_t* const block = (mi_block_t*)((uint8_t*)p - mi_malloc_sys_offset_in_block(p, page));
    if mi_likely(!mi_block_ptr_is_sampled(block, p) && mi_malloc_sys_is_intact(page, block)) {
      mi_malloc_sys_secure_push(page, block);
      return;
    }
  }
  mi_free_nonnull(p, page, NULL, true /* allow reclaim? */);
}

static mi_decl_forceinline void mi_malloc_sys_secure_free(void* p) {
  mi_page_t* page;
  if mi_unlikely(!mi_ptr_page_is_valid_ex(p, "mi_free", false /* small? */, MI_MALLOC_SYS_MAYBE_NO_PAGE, &page)) return;
  if mi_likely(mi_page_xthread_id(page) == _mi_prim_thread_id() && mi_malloc_sys_is_intact_at(page, p)) {
    mi_malloc_sys_secure_push(page, (mi_block_t*)p);
  }
  else {
    mi_malloc_sys_secure_free_slow(p, page);
  }
}

// ---- `mi_realloc`, where the caller knows how many bytes of the block are in use. A block that may stay in place is
// left to upstream, and so is one that is damaged, free, or smaller than the caller says.
static mi_decl_forceinline void* mi_malloc_sys_secure_realloc(void* p, size_t used, size_t size) {
  mi_page_t* page;
  if mi_unlikely(!mi_ptr_page_is_valid_ex(p, "mi_realloc", false /* small? */, MI_MALLOC_SYS_MAYBE_NO_PAGE, &page) ||
                 size <= page->block_size - MI_PADDING_SIZE || !mi_malloc_sys_is_intact_at(page, p)) {
    return mi_realloc(p, size);
  }
  const mi_padding_t* const padding = mi_malloc_sys_padding_of(page, (mi_block_t*)p);
  if mi_unlikely(used > page->block_size - MI_PADDING_SIZE - padding->delta) return mi_realloc(p, size);
  const uint32_t canary = padding->canary;
  void* const to = (size <= MI_SMALL_SIZE_MAX ? mi_malloc_sys_secure_small(size, false)
                                              : mi_malloc_sys_secure_general(size, false));
  if mi_unlikely(to == NULL) return NULL;
  mi_malloc_sys_copy(to, p, used);
  if mi_likely(padding->canary == canary /* not freed meanwhile */ && mi_page_xthread_id(page) == _mi_prim_thread_id()) {
    mi_malloc_sys_secure_push(page, (mi_block_t*)p);
  }
  else {
    mi_malloc_sys_secure_free_slow(p, page);
  }
  return to;
}
#else
static mi_decl_forceinline void* mi_malloc_sys_secure_small(size_t size, bool zero) {
  return (zero ? mi_zalloc_small(size) : mi_malloc_small(size));
}

static mi_decl_forceinline void* mi_malloc_sys_secure_general(size_t size, bool zero) {
  return (zero ? mi_zalloc(size) : mi_malloc(size));
}

static mi_decl_forceinline void* mi_malloc_sys_secure_aligned(size_t size, size_t alignment, bool zero) {
  return (zero ? mi_zalloc_aligned(size, alignment) : mi_malloc_aligned(size, alignment));
}

static mi_decl_forceinline void mi_malloc_sys_secure_free(void* p) {
  mi_free(p);
}

static mi_decl_forceinline void* mi_malloc_sys_secure_realloc(void* p, size_t used, size_t size) {
  MI_UNUSED(used);
  return mi_realloc(p, size);
}
#endif

// At least one byte, at most MI_SMALL_SIZE_MAX.
void* mi_malloc_sys_malloc_small(size_t size) {
  return mi_malloc_sys_secure_small(size, false);
}

void* mi_malloc_sys_zalloc_small(size_t size) {
  return mi_malloc_sys_secure_small(size, true);
}

// More than MI_SMALL_SIZE_MAX bytes.
void* mi_malloc_sys_malloc_general(size_t size) {
  return mi_malloc_sys_secure_general(size, false);
}

void* mi_malloc_sys_zalloc_general(size_t size) {
  return mi_malloc_sys_secure_general(size, true);
}

// The alignment is a power of two above 16.
void* mi_malloc_sys_malloc_aligned(size_t size, size_t alignment) {
  return mi_malloc_sys_secure_aligned(size, alignment, false);
}

void* mi_malloc_sys_zalloc_aligned(size_t size, size_t alignment) {
  return mi_malloc_sys_secure_aligned(size, alignment, true);
}

void mi_malloc_sys_free(void* p) {
  mi_malloc_sys_secure_free(p);
}

void* mi_malloc_sys_realloc(void* p, size_t used, size_t size) {
  return mi_malloc_sys_secure_realloc(p, used, size);
}

#if defined(__cplusplus)
}
#endif

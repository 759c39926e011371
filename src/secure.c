// Entry points for `src/global.rs` in builds with mitigations (MI_SECURE). Compiled only with releases that they were
// checked with (`build/version.rs`). This file includes upstream's C, unchanged, to reach its static functions and
// internal fields.
//
// They do what `mi_malloc_small`, `mi_zalloc_small` and `mi_free` do, with each of upstream's checks, in the common
// case: the current page of the calling thread has a free block; or the freed block's page is owned by the calling
// thread and has no flags. Everything unusual or suspicious is left to upstream's function before anything is changed:
// so all reports are upstream's, and upstream decides what happens next. What is saved:
// - Upstream divides (in 64 bits) to find where a block starts, so that a pointer into a block frees the block. Here a
//   32-bit division checks that the pointer is the start of a block, and no later step depends on its result.
// - The keys of a page are loaded once for the free list and for the padding, and nothing is spilled to the stack.
#include "fork.c"

#if defined(__cplusplus)
extern "C" {
#endif

// The fast paths exist for these mitigations only, and where blocks need nothing else.
#if MI_SECURE >= 3 && MI_PADDING && MI_ENCODE_FREELIST && MI_PAGE_KEY_COUNT == 2 && MI_SAMPLE < 2 && MI_STATS < 2 && \
    !MI_DEBUG && !MI_TRACK_ENABLED && !MI_TSAN && !MI_THEAP_INITASNULL && !MI_BIG_ENDIAN && MI_SIZE_SIZE == 8 && \
    __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && \
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

// `mi_free` for a page that is found already.
static mi_decl_noinline void mi_malloc_sys_upstream_free(void* p, mi_page_t* page) {
  mi_free_nonnull(p, page, NULL, true /* allow reclaim? */);
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

// ---- Allocation: `mi_page_malloc_zero`.

static mi_decl_forceinline void* mi_malloc_sys_secure_small(size_t size, bool zero) {
  mi_theap_t* const theap = _mi_theap_default();
  mi_page_t* const page = mi_theap_get_free_small_page(theap, size + MI_PADDING_SIZE, false);
  mi_block_t* const block = page->free;
  if mi_unlikely(block == NULL) return mi_malloc_sys_upstream_small(size, zero);
  const uintptr_t k1 = page->keys[0];
  const uintptr_t k2 = page->keys[1];
  const size_t block_size = page->block_size;
  mi_padding_t* const padding = (mi_padding_t*)((uint8_t*)block + block_size - MI_PADDING_SIZE);
  // `mi_block_next`: within the page, or the page itself, which stands for the end of the list.
  mi_block_t* next = (mi_block_t*)mi_malloc_sys_decode(block->next, k1, k2);
  if mi_unlikely((uintptr_t)next - (uintptr_t)page - page->page_offset >= block_size * page->reserved) {
    if mi_unlikely((void*)next != (void*)page) return mi_malloc_sys_upstream_small(size, zero); // which reports it
    next = NULL;
  }
  page->free = next;
  page->xused.used_alloc += MI_MALLOC_SYS_COUNT_ONE;
  const size_t delta = block_size - MI_PADDING_SIZE - size;
  if (!zero) {
    block->next = 0; // before the pattern, which may overwrite it
    #if MI_PADDING_CHECK_BYTES
    // The two words may overlap the bytes in use, which have no contents yet, or the padding, which is written next.
    const size_t filled = (delta < MI_MALLOC_SYS_FILL ? delta : MI_MALLOC_SYS_FILL);
    uint8_t* const fill = (uint8_t*)block + size;
    memcpy(fill, &mi_malloc_sys_pattern, sizeof(uint64_t));
    memcpy(fill + filled - sizeof(uint64_t), &mi_malloc_sys_pattern, sizeof(uint64_t));
    #endif
  }
  else {
    if (page->free_is_zero) { block->next = 0; }
    else { mi_memzero_block(block, block_size - MI_PADDING_SIZE); }
    #if MI_PADDING_CHECK_BYTES
    memset((uint8_t*)block + size, MI_DEBUG_PADDING, (delta < MI_MALLOC_SYS_FILL ? delta : MI_MALLOC_SYS_FILL));
    #endif
  }
  padding->canary = mi_malloc_sys_canary(block, k1, k2);
  padding->delta = (uint32_t)delta;
  return block;
}

// ---- Free: `mi_free_block_local`.

static mi_decl_forceinline void mi_malloc_sys_secure_free(void* p) {
  mi_page_t* page;
  if mi_unlikely(!mi_ptr_page_is_valid_ex(p, "mi_free", false /* small? */, MI_MALLOC_SYS_MAYBE_NO_PAGE, &page)) return;
  const size_t block_size = page->block_size;
  if mi_unlikely(mi_page_xthread_id(page) != _mi_prim_thread_id() || block_size - 1 >= MI_LARGE_MAX_OBJ_SIZE) {
    mi_malloc_sys_upstream_free(p, page);
    return;
  }
  // `_mi_page_ptr_unalign`. No page of such blocks has 4 GiB, and a 32-bit division is faster.
  const uint32_t offset = (uint32_t)(uintptr_t)p - (uint32_t)(uintptr_t)page - (uint32_t)page->page_offset;
  if mi_unlikely(offset % (uint32_t)block_size != 0) {
    mi_malloc_sys_upstream_free(p, page);
    return;
  }
  const uintptr_t k1 = page->keys[0];
  const uintptr_t k2 = page->keys[1];
  mi_padding_t* const padding = (mi_padding_t*)((uint8_t*)p + block_size - MI_PADDING_SIZE);
  const size_t delta = padding->delta;
  if mi_unlikely(padding->canary != mi_malloc_sys_canary(p, k1, k2) || delta > block_size - MI_PADDING_SIZE ||
                 !mi_malloc_sys_is_filled((uint8_t*)padding, delta)) {
    mi_malloc_sys_upstream_free(p, page);
    return;
  }
  mi_block_t* const block = (mi_block_t*)p;
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
#else
static mi_decl_forceinline void* mi_malloc_sys_secure_small(size_t size, bool zero) {
  return (zero ? mi_zalloc_small(size) : mi_malloc_small(size));
}

static mi_decl_forceinline void mi_malloc_sys_secure_free(void* p) {
  mi_free(p);
}
#endif

// At least one byte, at most MI_SMALL_SIZE_MAX.
void* mi_malloc_sys_malloc_small(size_t size) {
  return mi_malloc_sys_secure_small(size, false);
}

void* mi_malloc_sys_zalloc_small(size_t size) {
  return mi_malloc_sys_secure_small(size, true);
}

void mi_malloc_sys_free(void* p) {
  mi_malloc_sys_secure_free(p);
}

#if defined(__cplusplus)
}
#endif

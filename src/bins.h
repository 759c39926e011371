// Sizes above MI_SMALL_SIZE_MAX: how `global.c` and `secure.c` allocate a block from the first page of its bin, without
// the slow path that upstream takes for all of them (`_mi_malloc_generic`); which of them are aligned; and how the contents
// of a block that moves are copied. Included after upstream's C.
//
// For nearly every block that slow path ends in that page. On its way it does only what is done here too, or has nothing
// to do:
// - It counts its calls, and every 1000th does the housekeeping: retired pages, deferred frees, switching the profiler.
//   That call is left to it, so housekeeping is as frequent as without this fast path.
// - It may take a sample. While there is a sample rate everything is left to it. (With MI_SAMPLE=2 the countdown to
//   the next sample would have to be checked too.)
// - It abandons a page that becomes full (`_mi_page_to_full`), so that any thread that frees in it can claim it. So the
//   last block of a page is left to it. (The last one in the free list need not be that: a page is extended when
//   its list is empty.)
// - `last_alloc` of a page says up to which allocation upstream has subtracted its blocks from the countdown to the next
//   sample. For blocks above MI_SMALL_MAX_OBJ_SIZE it does that at once, for smaller ones when the free list is
//   refilled. Here `last_alloc` advances with each block, and nothing is subtracted: without a sample rate there is no
//   countdown, and a profiler that starts later must not count these blocks. The count of allocations itself is reset
//   by the next refill, which comes before its 16 bits overflow (`mi_malloc_sys_free_lifo` in `global.c`).
// The theap of a thread that has not allocated yet has no pages. Where it would be NULL, `mi_malloc_sys_sampling_off`
// is false.

// The theap of a thread that has not allocated yet is NULL on some systems, and an empty one on the others.
static mi_decl_forceinline bool mi_malloc_sys_theap_initialized(const mi_theap_t* theap) {
  #if MI_THEAP_INITASNULL
  return (theap != NULL);
  #else
  MI_UNUSED(theap);
  return true;
  #endif
}

static mi_decl_forceinline bool mi_malloc_sys_sampling_off(const mi_theap_t* theap) {
  return mi_malloc_sys_theap_initialized(theap) && theap->sample_rate == 0;
}

// Whether `mi_malloc_sys_bin` is correct for all these sizes: it is from the 17th word on, whatever MI_MAX_ALIGN_SIZE is.
#define MI_MALLOC_SYS_HAVE_BINS  (MI_SMALL_WSIZE_MAX >= 16)

// `mi_bin` without the special cases of the smallest sizes, which do not occur here. Short enough to be inlined, which
// upstream's is not.
static mi_decl_forceinline size_t mi_malloc_sys_bin(size_t size) {
  const size_t words = (size - 1) / MI_SIZE_SIZE; // one less than the words of the block
  #if defined(__GNUC__)
  if (words == 0) __builtin_unreachable(); // spares a test in `mi_clz`
  #endif
  const size_t highest = MI_SIZE_BITS - 1 - mi_clz(words);
  const size_t bin = 4 * highest + ((words >> (highest - 2)) & 3) - 3;
  mi_assert_internal(size > MI_SMALL_SIZE_MAX && bin == mi_bin(size));
  return bin;
}

// A thread's housekeeping is due in its thousandth allocation outside the fast path: that one is left to upstream
// (`mi_malloc_generic` in `alloc/alloc-generic.c`).
#define MI_MALLOC_SYS_LAST_GENERIC  999

// The first page of the bin for blocks of this size, padding included, or NULL if the slow path has more to do than to
// find it.
static mi_decl_forceinline mi_page_t* mi_malloc_sys_bin_head(const mi_theap_t* theap, size_t block_size) {
  if mi_likely(block_size <= MI_LARGE_MAX_OBJ_SIZE && mi_malloc_sys_sampling_off(theap) &&
               theap->generic_count < MI_MALLOC_SYS_LAST_GENERIC) {
    return theap->pages[mi_malloc_sys_bin(block_size)].first;
  }
  return NULL;
}

// What else the slow path does with that page before it pops a block. Returns what that adds to the page's counts.
static mi_decl_forceinline size_t mi_malloc_sys_begin_pop(mi_theap_t* theap, mi_page_t* page) {
  theap->generic_count++;
  page->retire_expire = 0;
  _mi_page_qsbr_clear(page);
  size_t count = MI_MALLOC_SYS_COUNT_ONE;
  #if MI_SAMPLE && MI_SIZE_SIZE >= 8
  count += MI_ZU(1) << 48; // `last_alloc`, see `mi_page_last_alloc`
  #elif MI_SAMPLE
  page->xlast_alloc++;
  #endif
  return count;
}

// ---- Alignments above 16.

// Upstream's `mi_natural_alignment_of_size` promises only 16 bytes for sizes that are no power of two. But the first
// block of a page is offset by multiples of a cache line only, unless the page's metadata precede it, and every size
// class above MI_SMALL_SIZE_MAX is a multiple of a cache line too. So SIMD vectors and cache lines need no larger
// blocks.
#define MI_MALLOC_SYS_NATURAL_ALIGN  (MI_PAGE_META_IS_SEPARATED ? MI_PAGE_SMALL_CACHE_OFFSET_UNIT : MI_MAX_ALIGN_SIZE)

// Whether blocks of the size, a multiple of the alignment, are aligned. Branch-free, as its callers are.
static mi_decl_forceinline bool mi_malloc_sys_is_natural(size_t size, size_t alignment) {
  return (alignment <= MI_MALLOC_SYS_NATURAL_ALIGN) | (mi_is_power_of_two(size) & (size <= MI_SMALL_MAX_OBJ_SIZE));
}

// A pointer is so many bytes inside its block: the page is marked as upstream marks it. Whether there are any is
// unpredictable; that the page lacks the flag is rare.
static mi_decl_forceinline void mi_malloc_sys_mark_interior(mi_page_t* page, size_t adjust) {
  const mi_page_flags_t flag = (adjust != 0 ? MI_PAGE_HAS_INTERIOR_POINTERS : 0);
  if mi_unlikely((flag & ~mi_page_flags(page)) != 0) {
    mi_page_set_has_interior_pointers(page, true);
  }
}

// ---- The contents of a block that moves.

// The sizes that vectors and strings grow from, copied in a few registers: a call of `memcpy` takes longer.
static mi_decl_forceinline void mi_malloc_sys_copy(void* to, const void* from, size_t size) {
  const size_t unit = 16;
  if (size >= unit && size <= 8 * unit) {
    const size_t last = size - unit;
    for (size_t at = 0; at < last; at += unit) {
      memcpy((uint8_t*)to + at, (const uint8_t*)from + at, unit);
    }
    memcpy((uint8_t*)to + last, (const uint8_t*)from + last, unit);
  }
  else if (size == 8) {
    memcpy(to, from, 8);
  }
  else {
    memcpy(to, from, size);
  }
}

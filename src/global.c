// Entry points for `src/global.rs`, beside upstream's own, of a release that they were checked with
// (`build/version.rs`). This file includes upstream's C, unchanged,
// to reach the functions and fields that upstream keeps to itself.
#include "fork.c"

// Upstream's entry points for small blocks are short enough to disappear into their callers, when
// those are optimised together (`MIMALLOC_SYS_LTO`). Left to itself the compiler keeps some calls.
#if MI_MALLOC_SYS_LTO
#define mi_malloc_sys_inline  __attribute__((always_inline))
#else
#define mi_malloc_sys_inline
#endif

#if defined(__cplusplus)
extern "C" {
#endif

// ---- What this file and `global.rs` take for granted of upstream's constants. Where a condition does not hold,
// upstream's own functions do the work. It is an error only where they could not.
#if defined(__cplusplus)
#define mi_malloc_sys_assert(condition, text)  static_assert(condition, text)
#else
#define mi_malloc_sys_assert(condition, text)  _Static_assert(condition, text)
#endif

// Rust asks for words, and relies on the alignment that blocks of so many words have (`MAX_ALIGN`).
#if MI_MAX_ALIGN_SIZE < 16
#error "MiMalloc needs blocks that are aligned to 16 bytes: remove the definition of MI_MAX_ALIGN_SIZE"
#endif

// Whether blocks that Rust knows as small (`in_small_page`) lie in small pages, where `mi_free_small` finds them. The
// largest such block was shrunk in place by `mi_realloc`, to no less than half of what a program may use of it; it
// lies behind the data of a profiler; and its size class is up to a quarter larger.
#define MI_MALLOC_SYS_SAMPLE_SIZE    (3*MI_SIZE_SIZE + MI_PROFILE_SAMPLE_DATA_MAX_SIZE + MI_MAX_ALIGN_SIZE)
#define MI_MALLOC_SYS_SHRUNK_SIZE    (2*MI_SMALL_WSIZE_MAX*MI_SIZE_SIZE + 1 + MI_MALLOC_SYS_SAMPLE_SIZE)
#define MI_MALLOC_SYS_IN_SMALL_PAGE  (MI_SMALL_MAX_OBJ_SIZE >= MI_MALLOC_SYS_SHRUNK_SIZE + MI_MALLOC_SYS_SHRUNK_SIZE/4)
mi_malloc_sys_assert(sizeof(mi_block_t) + sizeof(mi_profiler_sample_data_t) == 3*MI_SIZE_SIZE,
                     "a sample takes another size");
mi_malloc_sys_assert(MI_SMALL_SIZE_MAX == MI_SMALL_WSIZE_MAX*MI_SIZE_SIZE, "words have another size");

// The fast paths below exist where a block needs nothing but its place, and for the constants that they fit:
// - `mi_malloc_sys_bin` is right from the 17th word on, whatever MI_MAX_ALIGN_SIZE is.
// - Half of a count of 16 bits (`mi_malloc_sys_free_in`) is more than the blocks of any page above
//   MI_SMALL_SIZE_MAX, of which those of small pages are the most.
// - The rounds of a retired page fit into its byte, and a quarter of them is at least one.
#define MI_MALLOC_SYS_SHORT \
  (MI_SAMPLE < 2 && MI_STATS < 2 && !MI_PADDING && !MI_SECURE && !MI_TRACK_ENABLED && \
   MI_SMALL_WSIZE_MAX >= 16 && MI_SMALL_PAGE_SIZE / (MI_SMALL_WSIZE_MAX*MI_SIZE_SIZE) < 0x8000 && \
   MI_RETIRE_CYCLES >= 4 && MI_RETIRE_CYCLES <= 255)

#if MI_MALLOC_SYS_SHORT
// A thread that has nothing yet has no theap on some systems, and an empty one on the others.
static mi_decl_forceinline bool mi_malloc_sys_has(const mi_theap_t* theap) {
  #if MI_THEAP_INITASNULL
  return (theap != NULL);
  #else
  MI_UNUSED(theap);
  return true;
  #endif
}

static mi_decl_forceinline bool mi_malloc_sys_unsampled(const mi_theap_t* theap) {
  return mi_malloc_sys_has(theap) && theap->sample_rate == 0;
}

// Upstream counts in one word the blocks in use and those ever allocated (`mi_used_t`).
#define MI_MALLOC_SYS_COUNT_ONE  MI_ZU(0x10001)
mi_malloc_sys_assert(sizeof(mi_used_t) == MI_SIZE_SIZE, "blocks are counted in another way");

// The first block of the page's list, counted and zeroed as far as it will be in use. The same as upstream's
// `mi_page_malloc_zero`, which zeroes all of a block, for `mi_rezalloc`; Rust's `realloc` promises nothing of what
// comes to a block.
static mi_decl_forceinline void* mi_malloc_sys_take(mi_page_t* page, size_t used, bool zero, size_t count) {
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

// ---- Small blocks: the same as `mi_wmalloc_small` and `mi_wzalloc_small`.

mi_malloc_sys_inline void* mi_malloc_sys_small(size_t words) {
  #if MI_MALLOC_SYS_LTO && MI_MALLOC_SYS_SHORT && !MI_THEAP_INITASNULL
  // The same in an order that takes a register less, since in a caller it is one of the caller's.
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

mi_malloc_sys_inline void* mi_malloc_sys_small_zeroed(size_t words) {
  #if MI_MALLOC_SYS_SHORT
  mi_theap_t* const theap = _mi_theap_default();
  if mi_likely(mi_malloc_sys_has(theap)) {
    mi_page_t* const page = mi_theap_get_free_small_page(theap, words, true);
    if mi_likely(page->free != NULL) {
      return mi_malloc_sys_take(page, words * MI_SIZE_SIZE, true, MI_MALLOC_SYS_COUNT_ONE);
    }
  }
  #endif
  return mi_theap_xmalloc_small_zero(_mi_theap_default(), words, true, true, NULL);
}

// `mi_free_small_nonnull`, or `mi_free` where small blocks may lie in other pages. Only the usual case goes into
// callers: the block is of this thread, in a page that has no flags.
static mi_decl_forceinline bool mi_malloc_sys_freed(void* p, bool small) {
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
  if mi_unlikely(!mi_malloc_sys_freed(p, true)) {
    mi_free_small_nonnull(p);
  }
  #else
  if mi_unlikely(!mi_malloc_sys_freed(p, false)) {
    mi_free(p);
  }
  #endif
}

// ---- Sizes above MI_SMALL_SIZE_MAX: `mi_malloc` and `mi_zalloc`, with a way past the long road that
// upstream takes for all of them (`_mi_malloc_generic`).
//
// That road ends, for nearly every block, in the first page of its size, and does on its way only
// what is done here too, or has nothing to do:
// - It counts itself, and has its housekeeping every 1000th time: retired pages, deferred frees, the
//   profiler's switch. That time is left to it, and so its turn comes as often as before.
// - It may take a sample. While there is a rate of samples all is left to it. (With MI_SAMPLE=2 also
//   the countdown of samples would have to be looked at.)
// - It puts a page that becomes full aside, where other threads can free it. So the last of a page's blocks is left
//   to it. (The last in the page's list need not be that: a page gets more blocks when it has no other.)
// - It counts the block down to the next sample: in a page of more than MI_SMALL_MAX_OBJ_SIZE a block at once, in a
//   smaller one when the page's list is filled again. Here a block is noted as counted at once, since without a rate
//   of samples nothing is counted down, and a profiler that starts later must not see it. The count of allocations
//   itself waits for the next refill, which comes before its 16 bits overflow (`mi_malloc_sys_free_in`).
// The theap of a thread without a block yet has no pages, and no theap is NULL by then.
#if MI_MALLOC_SYS_SHORT
// `mi_bin` for the sizes that come here, of which the few smallest have their own rule. It is short enough to do
// without a call, but upstream's does not go into its callers.
static mi_decl_forceinline size_t mi_malloc_sys_bin(size_t size) {
  const size_t words = (size - 1) / MI_SIZE_SIZE; // one less than the block has
  #if defined(__GNUC__)
  if (words == 0) __builtin_unreachable(); // or `mi_clz` asks
  #endif
  const size_t highest = MI_SIZE_BITS - 1 - mi_clz(words);
  const size_t bin = 4 * highest + ((words >> (highest - 2)) & 3) - 3;
  mi_assert_internal(size > MI_SMALL_SIZE_MAX && bin == mi_bin(size));
  return bin;
}

// The page that has a block of this size at hand, or NULL. With `collect`, also if what it has came back since it
// gave away the last.
static mi_decl_forceinline mi_page_t* mi_malloc_sys_page_at_hand(mi_theap_t* theap, size_t size, bool collect) {
  if mi_likely(size <= MI_LARGE_MAX_OBJ_SIZE && mi_malloc_sys_unsampled(theap) && theap->generic_count < 999) {
    mi_page_t* const page = theap->pages[mi_malloc_sys_bin(size)].first;
    if mi_likely(page != NULL && (collect ? mi_page_free_quick_collect(page) : page->free != NULL) &&
                 (mi_block_next(page, page->free) != NULL || mi_page_used(page) + 1 < page->reserved)) {
      return page;
    }
  }
  return NULL;
}

static mi_decl_forceinline void* mi_malloc_sys_take_at_hand(mi_theap_t* theap, mi_page_t* page, size_t used, bool zero) {
  theap->generic_count++;
  page->retire_expire = 0;
  _mi_page_qsbr_clear(page);
  size_t count = MI_MALLOC_SYS_COUNT_ONE;
  #if MI_SAMPLE && MI_SIZE_SIZE >= 8
  count += MI_ZU(1) << 48; // `last_alloc`, see `mi_page_last_alloc`
  #elif MI_SAMPLE
  page->xlast_alloc++;
  #endif
  return mi_malloc_sys_take(page, used, zero, count);
}

// A block from upstream's slow path, noted as counted down too: `mi_malloc_sys_free_in` may put it back into its page's
// list again and again, which upstream then never fills. A page that became full may be another thread's by now, and
// upstream has noted its blocks before.
static void* mi_malloc_sys_noted(void* p) {
  #if MI_SAMPLE
  mi_page_t* page;
  if (mi_ptr_page_is_valid_ex(p, "mi_malloc", false /* small? */, true /* maybe NULL? */, &page) &&
      mi_page_thread_id(page) == _mi_prim_thread_id() && mi_malloc_sys_unsampled(mi_page_theap(page))) {
    _mi_page_update_sample_countdown(page);
  }
  #endif
  return p;
}

// The page may have got back what it gave away. Out of the way of those that need not ask.
static mi_decl_noinline void* mi_malloc_sys_any_collected(mi_theap_t* theap, size_t size, bool zero) {
  mi_page_t* const page = mi_malloc_sys_page_at_hand(theap, size, true);
  if mi_likely(page != NULL) {
    return mi_malloc_sys_take_at_hand(theap, page, size, zero);
  }
  return mi_malloc_sys_noted(mi_theap_malloc_generic(theap, size, zero, 0, NULL));
}
#else
static mi_decl_forceinline void* mi_malloc_sys_noted(void* p) {
  return p;
}
#endif

static mi_decl_forceinline void* mi_malloc_sys_any(size_t size, bool zero) {
  mi_theap_t* const theap = _mi_theap_default();
  #if MI_MALLOC_SYS_SHORT
  mi_page_t* const page = mi_malloc_sys_page_at_hand(theap, size, false);
  if mi_likely(page != NULL) {
    return mi_malloc_sys_take_at_hand(theap, page, size, zero);
  }
  return mi_malloc_sys_any_collected(theap, size, zero);
  #else
  return mi_theap_malloc_generic(theap, size, zero, 0, NULL);
  #endif
}

void* mi_malloc_sys_medium(size_t size) {
  return mi_malloc_sys_any(size, false);
}

// ---- A page that has become empty: `_mi_page_retire`.
#if MI_MALLOC_SYS_SHORT
// Nearly every page of larger blocks is the only one in the queue of its size, as of a program that allocates a
// buffer and frees it, again and again. Such a page is kept for some rounds of housekeeping, and this is all that
// upstream does for it.
//
// A page of one block is left to upstream: it is in the queue of huge pages, whatever its size. For an alignment above
// a slice the block may be a small one, and then the page stays this thread's while it is full and has no flag
// (`mi_malloc_generic_from_page` sets only those above MI_SMALL_MAX_OBJ_SIZE aside). All others that come here are in
// the queue of their size.
static mi_decl_forceinline void mi_malloc_sys_retire(mi_page_t* page) {
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
void mi_malloc_sys_emptied(mi_page_t* page) {
  mi_malloc_sys_retire(page);
}
#endif

// ---- `mi_free` for sizes above MI_SMALL_SIZE_MAX, after which the block is the next that its page gives
// away.
//
// Upstream has a page give away all its other free blocks first, and fills the list of them when it is
// empty. Of larger blocks the next one then is seldom in the processor's cache, while the one just freed
// mostly is. But a page that gets its blocks back at once does not run out, and upstream uses that moment
// too. So the free is left to upstream if
// - the page is of small blocks, which come here from `mi_malloc_sys_realloc`. A thread's housekeeping
//   gets its turn by their running out; with larger blocks each allocation counts for that.
// - the page has counted half of the allocations that it can count, in 16 bits. It starts anew when it
//   is filled again, and until then can only give away what it has, less than the other half.
// - there is a rate of samples. The countdown goes on when a page is filled again.
// - the page is another thread's, or full, or what is freed is a sample.
static mi_decl_forceinline void mi_malloc_sys_free_in(mi_page_t* page, void* p) {
  #if MI_MALLOC_SYS_SHORT
  // Of a page of this thread the flags are left.
  const mi_threadid_t flags = mi_page_xthread_id(page) ^ _mi_prim_thread_id();
  if mi_likely(mi_page_block_size(page) > MI_SMALL_SIZE_MAX && (flags & ~MI_PAGE_HAS_INTERIOR_POINTERS) == 0 &&
               mi_xused_alloc_count(page->xused) < 0x8000 && mi_malloc_sys_unsampled(mi_page_theap(page))) {
    mi_block_t* block = (mi_block_t*)p;
    if mi_unlikely(flags != 0) {
      // As `_mi_page_ptr_unalign`, without its question whether the size is a power of two.
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
        mi_malloc_sys_retire(page);
      }
      return;
    }
  }
  #endif
  mi_free_nonnull(p, page, NULL, true /* allow reclaim? */);
}

void mi_malloc_sys_free_medium(void* p) {
  mi_page_t* page;
  if mi_likely(mi_ptr_page_is_valid_ex(p, "mi_free", false /* small? */, false /* maybe NULL? */, &page)) {
    mi_malloc_sys_free_in(page, p);
  }
}

// Blocks of an alignment above 16, of any size: which it is need not be asked where the page has no flags.
mi_malloc_sys_inline void mi_malloc_sys_free_aligned(void* p) {
  if mi_unlikely(!mi_malloc_sys_freed(p, false)) {
    mi_malloc_sys_free_medium(p);
  }
}

#include "large.c"

void* mi_malloc_sys_medium_zeroed(size_t size) {
  #if MI_MALLOC_SYS_MOVES && !MI_DEBUG // which fills the block before
  if mi_unlikely(size >= MI_MALLOC_SYS_LARGE_ZEROED) return mi_malloc_sys_zeroed_large(size);
  #endif
  return mi_malloc_sys_any(size, true);
}

// ---- Alignments above 16: `mi_malloc_aligned` and `mi_zalloc_aligned`.
static mi_decl_forceinline void* mi_malloc_sys_upstream_aligned(size_t size, size_t alignment, bool zero) {
  return mi_malloc_sys_noted(zero ? mi_zalloc_aligned(size, alignment) : mi_malloc_aligned(size, alignment));
}

#if MI_MALLOC_SYS_SHORT
// A block of a size that is aligned by itself, where none is at hand.
static mi_decl_noinline void* mi_malloc_sys_any_natural(mi_theap_t* theap, size_t size, size_t alignment, bool zero) {
  if mi_likely(mi_malloc_sys_unsampled(theap)) {
    void* const p = mi_malloc_sys_noted(mi_theap_malloc_generic(theap, size, zero, 0, NULL));
    if mi_likely(((uintptr_t)p & (alignment - 1)) == 0) {
      return p;
    }
    mi_free(p);
  }
  return mi_malloc_sys_upstream_aligned(size, alignment, zero);
}
#endif

// Small sizes of which the alignment is a divisor. Upstream comes to the same after tests that the size and
// the alignment pass, and takes a sample as soon as it is due; here that waits, as for all small blocks,
// until a page runs out.
static mi_decl_forceinline void* mi_malloc_sys_any_small_aligned(size_t size, size_t alignment, bool zero) {
  #if MI_MALLOC_SYS_SHORT
  mi_theap_t* const theap = _mi_theap_default();
  if mi_likely(mi_malloc_sys_has(theap)) {
    mi_page_t* const page = mi_theap_get_free_small_page(theap, size, false);
    if mi_likely(page->free != NULL && ((uintptr_t)page->free & (alignment - 1)) == 0) {
      return mi_malloc_sys_take(page, size, zero, MI_MALLOC_SYS_COUNT_ONE);
    }
    return mi_malloc_sys_any_natural(theap, size, alignment, zero);
  }
  #endif
  return mi_malloc_sys_upstream_aligned(size, alignment, zero);
}

mi_malloc_sys_inline void* mi_malloc_sys_small_aligned(size_t size, size_t alignment) {
  return mi_malloc_sys_any_small_aligned(size, alignment, false);
}

mi_malloc_sys_inline void* mi_malloc_sys_small_aligned_zeroed(size_t size, size_t alignment) {
  return mi_malloc_sys_any_small_aligned(size, alignment, true);
}

// All others. Where blocks of the size are aligned by themselves, one of them; else the aligned part of a larger
// one, which is marked as upstream marks it, and its page too.
//
// Upstream's `mi_natural_alignment_of_size` promises less for odd sizes: 16 bytes. But the first block of a page
// is moved by multiples of a cache line only, unless the page's description lies before it, and no size of blocks
// above MI_SMALL_SIZE_MAX is less even than that. So vectors and cache lines need no larger blocks.
#define MI_MALLOC_SYS_NATURAL  (MI_PAGE_META_IS_SEPARATED ? MI_PAGE_SMALL_CACHE_OFFSET_UNIT : MI_MAX_ALIGN_SIZE)

static mi_decl_forceinline void* mi_malloc_sys_any_aligned(size_t size, size_t alignment, bool zero) {
  #if MI_MALLOC_SYS_SHORT
  mi_theap_t* const theap = _mi_theap_default();
  if mi_likely(alignment <= MI_PAGE_MAX_START_BLOCK_ALIGN2 && size <= MI_LARGE_MAX_OBJ_SIZE) {
    // In sums and masks: sizes and alignments come in no order, and a branch that the processor guesses wrong
    // takes longer than all of this.
    const size_t most = size + alignment - 1;
    const size_t whole = most & ~(alignment - 1);
    const bool natural = (alignment <= MI_MALLOC_SYS_NATURAL) |
                         (mi_is_power_of_two(whole) & (whole <= MI_SMALL_MAX_OBJ_SIZE));
    const size_t room = whole + ((most - whole) & ((size_t)natural - 1));
    mi_page_t* const page = mi_malloc_sys_page_at_hand(theap, room, true);
    if mi_likely(page != NULL) {
      const size_t adjust = (0 - (uintptr_t)page->free) & (alignment - 1);
      if mi_likely((adjust & (0 - (size_t)natural)) == 0) {
        // Whether it is inside comes in no order either; that the page does not know it yet is rare.
        const mi_page_flags_t flag = (adjust != 0 ? MI_PAGE_HAS_INTERIOR_POINTERS : 0);
        if mi_unlikely((flag & ~mi_page_flags(page)) != 0) {
          mi_page_set_has_interior_pointers(page, true);
        }
        mi_block_t* const block = (mi_block_t*)mi_malloc_sys_take_at_hand(theap, page, adjust + size, zero);
        mi_malloc_sys_assert(MI_BLOCK_TAG_ALIGNED == 0, "the mark of an aligned block would be among zeroes");
        block->next = MI_BLOCK_TAG_ALIGNED;
        return (uint8_t*)block + adjust;
      }
    }
    if (natural) {
      return mi_malloc_sys_any_natural(theap, whole, alignment, zero);
    }
  }
  #endif
  return mi_malloc_sys_upstream_aligned(size, alignment, zero);
}

void* mi_malloc_sys_aligned(size_t size, size_t alignment) {
  return mi_malloc_sys_any_aligned(size, alignment, false);
}

void* mi_malloc_sys_aligned_zeroed(size_t size, size_t alignment) {
  return mi_malloc_sys_any_aligned(size, alignment, true);
}

// ---- Another size for a block of which the caller knows how much is in use.
//
// Nearly always the block is to grow, and has to move. Then upstream's `mi_realloc` asks twice how large
// a block is, which needs a division, and copies all of it. Here a look at the size of the page's blocks
// tells most moves. What may stay, or is larger than its neighbours, is left to upstream.

// Sizes that vectors and strings grow from, in a few registers: a call of `memcpy` takes longer.
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

// What is left to upstream, but for large blocks (`large.c`).
static mi_decl_noinline void* mi_malloc_sys_upstream_realloc(void* p, size_t used, size_t size) {
  #if MI_MALLOC_SYS_MOVES
  mi_page_t* page;
  if (size >= MI_MALLOC_SYS_LARGE &&
      mi_ptr_page_is_valid_ex(p, "mi_realloc", false /* small? */, false /* maybe NULL? */, &page) &&
      size <= mi_page_block_size(page) && mi_malloc_sys_stays(page, p, used, size)) {
    return p;
  }
  #else
  MI_UNUSED(used);
  #endif
  return mi_malloc_sys_noted(mi_realloc(p, size));
}

void* mi_malloc_sys_realloc(void* p, size_t used, size_t size) {
  mi_page_t* page;
  if mi_unlikely(!mi_ptr_page_is_valid_ex(p, "mi_realloc", false /* small? */, false /* maybe NULL? */, &page) ||
                 size <= mi_page_block_size(page)) {
    return mi_malloc_sys_upstream_realloc(p, used, size);
  }
  #if MI_MALLOC_SYS_MOVES
  if mi_unlikely(size >= MI_MALLOC_SYS_LARGE) {
    void* const moved = mi_malloc_sys_grow_large(page, p, used, size);
    if (moved != NULL) return moved;
  }
  #endif
  void* const to = (size <= MI_SMALL_SIZE_MAX ? mi_malloc_sys_small(mi_wsize_from_size(size))
                                              : mi_malloc_sys_medium(size));
  if mi_likely(to != NULL) {
    mi_malloc_sys_copy(to, p, used);
    mi_malloc_sys_free_in(page, p);
  }
  return to;
}

void* mi_malloc_sys_realloc_aligned(void* p, size_t size, size_t alignment) {
  return mi_malloc_sys_noted(mi_realloc_aligned(p, size, alignment));
}

#if defined(__cplusplus)
}
#endif

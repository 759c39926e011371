// See `slices.h`. Included after upstream's C and `reuse.c`.
#if MI_MALLOC_SYS_LARGE_SLICES

// The smallest block that may lie in two chunks, in slices. (Where smaller ones did as well, programs of 20 MiB peaked 1 to
// 2 MiB higher.)
#define MI_MALLOC_SYS_LARGE_SLICE_COUNT  MI_BFIELD_BITS

// ---- Claims of free slices.

// Claims these slices, or none. (First it looks at all of them: what is claimed and returned meanwhile, a purge would skip.)
static bool mi_malloc_sys_claim_slices(mi_bbitmap_t* slices_free, size_t slice_index, size_t slice_count) {
  if (!mi_bbitmap_is_setN(slices_free, slice_index, slice_count)) return false;
  size_t claimed = 0;
  while (claimed < slice_count) {
    const size_t index = slice_index + claimed;
    const size_t count = mi_min(slice_count - claimed, MI_BCHUNK_BITS - index % MI_BCHUNK_BITS);
    if (!mi_bbitmap_try_clearNC(slices_free, index, count)) break;
    claimed += count;
    // As upstream does for the first range in a chunk, which keeps pages of small blocks out of the chunk's rest.
    const size_t chunk = index / MI_BCHUNK_BITS;
    if (mi_bbitmap_debug_get_bin(slices_free->chunkmap_bins, chunk) == MI_CBIN_NONE) {
      mi_bbitmap_set_chunk_bin(slices_free, chunk, MI_CBIN_OTHER);
    }
    mi_bbitmap_chunkmap_set_max(slices_free, chunk);
  }
  if (claimed == slice_count) return true;
  if (claimed > 0) { mi_bbitmap_setN(slices_free, slice_index, claimed); }
  return false;
}

// Where the first so many adjacent free slices start. False if there are none. They are as many as a field has bits, or
// more, so they include the highest bits of a field or the lowest ones.
static bool mi_malloc_sys_find_adjacent(mi_bbitmap_t* slices_free, size_t slice_count, size_t* slice_index) {
  const size_t fields = MI_BCHUNK_FIELDS * mi_bbitmap_chunk_count(slices_free);
  size_t count = 0; // of adjacent free slices that end with the field before
  for (size_t field = 0; field < fields; field++) {
    mi_bchunk_t* const chunk = &slices_free->chunks[field / MI_BCHUNK_FIELDS];
    const mi_bfield_t in_use = ~mi_atomic_load_relaxed(&chunk->bfields[field % MI_BCHUNK_FIELDS]);
    const size_t low = (in_use == 0 ? MI_BFIELD_BITS : mi_ctz(in_use));
    if (count + low >= slice_count) {
      *slice_index = field*MI_BFIELD_BITS - count;
      return true;
    }
    count = (in_use == 0 ? count + low : mi_clz(in_use));
  }
  return false;
}

static bool mi_malloc_sys_find_slices(mi_bbitmap_t* slices_free, size_t tseq, size_t slice_count, size_t* slice_index) {
  if (slice_count >= MI_MALLOC_SYS_LARGE_SLICE_COUNT && slice_count <= MI_BCHUNK_BITS) {
    // Another thread may be faster. Then upstream's search is as good.
    for (size_t i = 0; i < 3 && mi_malloc_sys_find_adjacent(slices_free, slice_count, slice_index); i++) {
      if (mi_malloc_sys_claim_slices(slices_free, *slice_index, slice_count)) return true;
    }
  }
  return (mi_bbitmap_try_find_and_clearN)(slices_free, tseq, slice_count, slice_index);
}

// ---- Growth.

// Whether the page map has room for entries of all these addresses, so that to register them cannot fail.
static bool mi_malloc_sys_ensure_page_map(const uint8_t* start, size_t size) {
  size_t sub_index;
  const size_t last = mi_page_map_index(start + size - 1, &sub_index);
  for (size_t index = mi_page_map_index(start, &sub_index); index <= last; index++) {
    mi_submap_t submap;
    if (!mi_page_map_ensure_submap_at(mi_page_map(), index, &submap)) return false;
  }
  return true;
}

// Whether the page is a large block's in an arena, which nobody but the block's owner uses.
static bool mi_malloc_sys_may_grow_in_arena(const mi_page_t* page, const void* p) {
  return (page->block_size > MI_MALLOC_SYS_GROWS_IN_ARENA && page->memid.memkind == MI_MEM_ARENA &&
          mi_page_is_singleton(page) && mi_page_is_abandoned(page) && mi_malloc_sys_is_in_default_heap(page, p) &&
          _mi_theap_default()->sample_rate == 0);
}

// Allocates the slices behind a range, as `mi_arena_try_alloc_at` does where all of an arena is committed.
static bool mi_malloc_sys_alloc_behind(mi_arena_t* arena, size_t slice_index, size_t slice_count) {
  if (slice_index + slice_count > arena->slice_count ||
      !mi_bitmap_is_setN(arena->slices_committed, slice_index, slice_count) ||
      !mi_malloc_sys_claim_slices(arena->slices_free, slice_index, slice_count)) return false;
  if (!mi_bitmap_is_setN(arena->slices_committed, slice_index, slice_count)) { // decommitted meanwhile
    mi_bbitmap_setN(arena->slices_free, slice_index, slice_count);
    return false;
  }
  if (arena->memid.initially_zero) {
    size_t dirty;
    mi_bitmap_setN(arena->slices_dirty, slice_index, slice_count, &dirty);
    if (!arena->memid.is_pinned) {
      mi_subproc_stat_increase(arena->subproc, committed, _mi_size_of_slices(slice_count - dirty));
    }
  }
  return true;
}

// Sets the size of a page's block, and which of its addresses the page map knows: those of the first 4 MiB, or one slice
// less if it is larger.
static void mi_malloc_sys_set_size_in_arena(mi_page_t* page, size_t block_size) {
  size_t sub_index;
  size_t before;
  size_t after;
  mi_page_map_get_idx(page, &sub_index, &before);
  mi_malloc_sys_set_block_size(page, block_size);
  (void)_mi_page_map_register(page);
  mi_page_map_get_idx(page, &sub_index, &after);
  if (after < before) {
    _mi_page_map_unregister_range(mi_page_start(page) + _mi_size_of_slices(after), _mi_size_of_slices(before - after));
  }
}

mi_decl_noinline bool mi_malloc_sys_grow_in_arena(mi_page_t* page, const void* p, size_t size) {
  if (!mi_malloc_sys_may_grow_in_arena(page, p) || size > MI_MALLOC_SYS_LARGEST_IN_ARENA ||
      size > mi_arena_max_object_size() || mi_option_is_enabled(mi_option_disallow_arena_alloc)) return false;
  size_t slice_index;
  size_t slice_count;
  mi_arena_t* const arena = mi_arena_from_memid(page->memid, &slice_index, &slice_count);
  if (!arena->memid.initially_committed || !_mi_os_has_overcommit()) return false;
  uint8_t* const start = mi_page_slice_start(page);
  const size_t offset = mi_max((size_t)((const uint8_t*)p - start), MI_PAGE_CACHE_OFFSET_MAX);
  const size_t block_size = _mi_os_good_alloc_size(size);
  const size_t count = mi_max(_mi_slice_count_of_size(offset + block_size), slice_count);
  const size_t known = mi_min(_mi_size_of_slices(count), MI_LARGE_PAGE_SIZE); // by the page map
  if (!mi_malloc_sys_ensure_page_map(start, known) ||
      (count > slice_count && !mi_malloc_sys_alloc_behind(arena, slice_index + slice_count, count - slice_count))) {
    return false;
  }
  page->memid.mem.arena.slice_count = (uint32_t)count;
  mi_malloc_sys_set_size_in_arena(page, block_size);
  #if MI_MALLOC_SYS_LARGE_THP
  if (mi_malloc_sys_wants_huge(_mi_size_of_slices(count))) {
    mi_malloc_sys_huge_in_plain((uintptr_t)start, (uintptr_t)start + _mi_size_of_slices(count));
  }
  #endif
  return true;
}
#endif

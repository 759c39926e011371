// See `huge_blocks.h`. Included after upstream's `static.c`.
#if MI_MALLOC_SYS_HUGE_BLOCKS
#undef mi_page_free_list_extend
#undef _mi_page_malloc_zero
#undef mi_block_set_next
#undef mi_page_thread_collect_to_local

static void mi_malloc_sys_free_list_extend(mi_page_t* page, size_t bsize, size_t extend) {
  if mi_likely(!mi_malloc_sys_has_no_list(page)) { mi_page_free_list_extend(page, bsize, extend); }
  else { page->free = (mi_block_t*)mi_page_start(page); }
}

static void* mi_malloc_sys_page_malloc_zero(mi_theap_t* theap, mi_page_t* page, size_t size, bool zero) {
  if mi_likely(!mi_malloc_sys_has_no_list(page)) return _mi_page_malloc_zero(theap, page, size, zero);
  mi_block_t* const block = page->free;
  page->free = NULL;
  page->xused.used_alloc += 0x10001; // used, and allocated since the page's free list was filled
  if (zero && !page->free_is_zero) { mi_memzero_block(block, mi_page_block_size(page)); }
  return block;
}

static void mi_malloc_sys_thread_collect(mi_page_t* page, mi_block_t* head) {
  if mi_likely(!mi_malloc_sys_has_no_list(page)) {
    mi_page_thread_collect_to_local(page, head);
    return;
  }
  if mi_unlikely(mi_page_used(page) == 0) {
    _mi_error_message(EFAULT, "a block was freed twice, or the metadata of its page are corrupted: %p\n", head);
    return;
  }
  page->local_free = head;
  page->xused.used_alloc--;
  _mi_page_qsbr_clear(page);
}
#endif

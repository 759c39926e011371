// Which slices of an arena a large block has, on v3. Included before upstream's C, after `reuse.h`; `slices.c` is
// included after it.
//
// Upstream divides an arena into chunks of 32 MiB. A block of at most that size lies in a single chunk, so two of 20 MiB
// take two of them, and a block that grows is always copied.
//
// * A block of 4 MiB or more, up to a chunk, gets the first free slices that are enough, also of two chunks.
// * A block above 1 MiB grows into the slices behind it, if those are free (`mi_malloc_sys_realloc`). So nothing is
//   copied, or resident twice.
//
// Both together, since a block that has grown into the next chunk leaves free slices there that only such a search uses.
// They are compiled under the conditions of kept mappings (`reuse.h`).
#if MI_MALLOC_SYS_KEEP
#define MI_MALLOC_SYS_LARGE_SLICES  1

// Only larger blocks grow. (Where one of 1 MiB or 512 KiB did, `syn` peaked at 30 MiB instead of 21.)
#define MI_MALLOC_SYS_GROWS_IN_ARENA     MI_MiB

// Grows a block to at least that size where it is. False if it is to be done in another way.
mi_decl_hidden bool mi_malloc_sys_grow_in_arena(mi_page_t* page, const void* p, size_t size);

// As in `reuse.h`, the first token between the parentheses distinguishes the call from the definition.
static bool mi_malloc_sys_find_slices(mi_bbitmap_t* slices_free, size_t tseq, size_t slice_count, size_t* slice_index);
#define mi_bbitmap_try_find_and_clearN(...)       MI_MALLOC_SYS_FIND_SLICES_##__VA_ARGS__ )
#define MI_MALLOC_SYS_FIND_SLICES_mi_bbitmap_t    mi_bbitmap_try_find_and_clearN(mi_bbitmap_t
#define MI_MALLOC_SYS_FIND_SLICES_arena           mi_malloc_sys_find_slices(arena
#endif

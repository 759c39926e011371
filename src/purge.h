// How v3 purges: what is due, and what is known of purged memory. Included before upstream's C, after `reuse.h`,
// which decides whether it is compiled; `purge.c` is included after upstream's.
//
// * A delayed purge happens when it is due, at the next free of a range (upstream's MI_ARENA_PURGE_ON_FREE) or at a
//   collection.
// * Upstream purges what is free in an arena when the delay since the first of these frees has passed, also what was freed
//   a moment ago and will be in use again soon. Here a range that was freed after the arena's last purge is left to the
//   next one, a delay later. So each range is free for at least one delay, mostly less than two, and the delay can be short.
// * Where much purged memory is soon in use again, purges wait until that has become rare.
// * Where part of a range that is due is in use again, upstream purges each other slice of it by a call of its own. Here
//   adjacent ones are purged together.
// * A range that was purged is zero when it is next used. Upstream considers it dirty, and writes zeroes to a zeroed
//   block in it.
// * A huge page that is faulted in beside a purged range makes part of that range resident again. It is purged with the
//   huge page's other memory (Linux).
#if MI_MALLOC_SYS_REUSE

#ifndef MI_ARENA_PURGE_ON_FREE
#define MI_ARENA_PURGE_ON_FREE  1
#endif

// As in `reuse.h`, tokens of the arguments distinguish the calls from a definition.

// The purge of ranges that are due: with a visitor of this crate. A function, not a macro with parameters: Microsoft's
// preprocessor would pass it all arguments as one.
static bool mi_malloc_sys_forall_due(mi_bitmap_t* slices, size_t min_count,
                                     bool (*visit)(size_t, size_t, mi_arena_t*, void*), mi_arena_t* arena, void* arg);
#define _mi_bitmap_forall_setc_rangesn(...)       MI_MALLOC_SYS_FORALL_RANGES_##__VA_ARGS__ )
#define MI_MALLOC_SYS_FORALL_RANGES_mi_bitmap_t   _mi_bitmap_forall_setc_rangesn(mi_bitmap_t
#define MI_MALLOC_SYS_FORALL_RANGES_arena         mi_malloc_sys_forall_due(arena

// Zeroes: where a purge discards a range's memory.
#if defined(__linux__)
#define MI_MALLOC_SYS_KNOWS_ZEROES  1
#include <sys/mman.h>
static bool mi_malloc_sys_purge_slices(mi_arena_t* arena, size_t slice_index, size_t slice_count, mi_subproc_t* subproc,
                                       void* p, size_t size, bool allow_reset, size_t stat_size,
                                       mi_commit_fun_t* commit_fun, void* commit_fun_arg);
#define _mi_os_purge_ex(...)                      MI_MALLOC_SYS_OS_PURGE_##__VA_ARGS__ )
#define MI_MALLOC_SYS_OS_PURGE_mi_subproc_t       _mi_os_purge_ex(mi_subproc_t
#define MI_MALLOC_SYS_OS_PURGE_subproc            _mi_os_purge_ex(subproc
#define MI_MALLOC_SYS_OS_PURGE_arena              mi_malloc_sys_purge_slices(arena, slice_index, slice_count, arena
#endif
#endif

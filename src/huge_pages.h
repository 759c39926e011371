// Transparent huge pages on Linux, where this crate differs from upstream. Included before upstream's C, only
// with releases that this was checked with; `huge_pages.c` is included after it.
//
// Upstream reads `mi_option_allow_thp`. Here
//
// * 3 is an additional value: huge pages behind large blocks and large heaps, but not behind the first megabytes of a
//   program, where each would take 2 MiB although a few KiB are used. Once the program has grown, also behind the rest of
//   those. 1 and 2 are upstream's: huge pages for all of every arena. As with 1, a purge may split a huge page.
// * 0 disables them for mimalloc's memory only. Upstream disables them for the process (`PR_SET_THP_DISABLE`), and the
//   kernel keeps that setting across `fork` and `execve` (oven-sh/bun#36990).
//
// On 64-bit systems 3 is the default; `MIMALLOC_SYS_DEFINES=MI_DEFAULT_ALLOW_THP=2` selects upstream's default, and
// `MI_MALLOC_SYS_UPSTREAM_THP=1` leaves all of this out.
#if defined(__linux__) && !MI_MALLOC_SYS_UPSTREAM_THP

#include "mimalloc.h"
#include "mimalloc/types.h"
#if MI_MALLOC_VERSION >= 30000
#include "mimalloc/prim/os.h"
#include "mimalloc/util/libc.h"
#endif
#include <errno.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

// ---- 0: `MADV_NOHUGEPAGE` for each mapping. It ends with the mapping, and at `execve`.

static void* mi_malloc_sys_mmap(void* addr, size_t size, int protection, int flags, int fd, off_t offset) {
  void* const p = mmap(addr, size, protection, flags, fd, offset);
  #if defined(MADV_NOHUGEPAGE)
  if (p != MAP_FAILED && !mi_option_is_enabled(mi_option_allow_thp)) {
    const int err = errno;
    (void)madvise(p, size, MADV_NOHUGEPAGE); // fails if the kernel has no huge pages
    errno = err;
  }
  #endif
  return p;
}

// So upstream assumes that the kernel does not support the setting.
#define MI_MALLOC_SYS_PRCTL_PR_GET_THP_DISABLE(...)  (-1)
#define MI_MALLOC_SYS_PRCTL_PR_SET_THP_DISABLE(...)  (-1)
#define MI_MALLOC_SYS_PRCTL_PR_SET_VMA(...)          prctl(PR_SET_VMA, __VA_ARGS__)

// ---- 3: v3 only.

#if MI_MALLOC_VERSION >= 30000 && defined(MADV_HUGEPAGE) && defined(MADV_NOHUGEPAGE) && MI_SIZE_SIZE >= 8
#define MI_MALLOC_SYS_LARGE_THP  3

#if !defined(MI_DEFAULT_ALLOW_THP) && !defined(__ANDROID__)
#define MI_DEFAULT_ALLOW_THP  MI_MALLOC_SYS_LARGE_THP
#endif

// The size of the first arena's part without huge pages. An arena fills from its start, with chunks (32 MiB) of their
// own for small pages, for medium pages and for all others.
#ifndef MI_MALLOC_SYS_PLAIN_SIZE
#define MI_MALLOC_SYS_PLAIN_SIZE  (64*MI_MiB)
#endif

// Blocks of at least this size have huge pages in that part too. All pages for several blocks are smaller.
#ifndef MI_MALLOC_SYS_HUGE_BLOCK_SIZE
#define MI_MALLOC_SYS_HUGE_BLOCK_SIZE  (8*MI_MiB)
#endif

// Once so much of that part is resident, what is empty of it has huge pages too: the few that are only used in part no
// longer matter. (What is committed says little, since pages for several blocks are mostly touched in part.)
#ifndef MI_MALLOC_SYS_PLAIN_RESIDENT
#define MI_MALLOC_SYS_PLAIN_RESIDENT  (16*MI_MiB)
#endif

// That part of the first arena; and whether it is final, since the arena is in use. Before that the mapping may be
// discarded for one at another address (`mi_os_prim_alloc_aligned`).
static _Atomic(uintptr_t) mi_malloc_sys_plain_start;
static _Atomic(uintptr_t) mi_malloc_sys_plain_end;
static _Atomic(uintptr_t) mi_malloc_sys_plain_final;

// A bit for each huge page in that part that was requested.
#define MI_MALLOC_SYS_HUGE_UNIT  (2*MI_MiB)
#define MI_MALLOC_SYS_HUGE_BITS  (8*sizeof(uintptr_t))
static _Atomic(uintptr_t)
  mi_malloc_sys_huge_advised[MI_MALLOC_SYS_PLAIN_SIZE / MI_MALLOC_SYS_HUGE_UNIT / MI_MALLOC_SYS_HUGE_BITS + 1];

static void mi_malloc_sys_set_plain(uintptr_t start, uintptr_t end) {
  mi_atomic_store_relaxed(&mi_malloc_sys_plain_start, start);
  mi_atomic_store_relaxed(&mi_malloc_sys_plain_end, end);
}

// Upstream requests huge pages for a whole arena, right after it has mapped it.
static int mi_malloc_sys_madvise(void* addr, size_t size, int advice) {
  if (advice == MADV_HUGEPAGE && mi_option_get(mi_option_allow_thp) == MI_MALLOC_SYS_LARGE_THP &&
      mi_atomic_load_relaxed(&mi_malloc_sys_plain_final) == 0)
  {
    // The mapping may be larger than the arena, with a start that is unmapped later.
    const uintptr_t start = mi_align_up((uintptr_t)addr, MI_ARENA_ALIGNMENT);
    const uintptr_t end = (uintptr_t)addr + size;
    const bool is_larger = (end > start && end - start > MI_MALLOC_SYS_PLAIN_SIZE);
    const uintptr_t plain_end = (is_larger ? start + MI_MALLOC_SYS_PLAIN_SIZE : end);
    mi_malloc_sys_set_plain(start, plain_end);
    (void)madvise(addr, plain_end - (uintptr_t)addr, MADV_NOHUGEPAGE); // for systems where huge pages are the default
    if (plain_end == end) return 0;
    addr = (void*)plain_end;
    size = end - plain_end;
  }
  return madvise(addr, size, advice);
}

// In arenas callers pass whole huge pages within the block: one that is only partly behind it would serve its neighbours.
static void mi_malloc_sys_advise_huge(uintptr_t start, uintptr_t end) {
  const int err = errno;
  (void)madvise((void*)start, end - start, MADV_HUGEPAGE);
  errno = err;
}

static bool mi_malloc_sys_may_have_huge(void) {
  return (_mi_os_has_thp() && MI_SECURE < 5 && mi_option_get(mi_option_allow_thp) == MI_MALLOC_SYS_LARGE_THP);
}

static bool mi_malloc_sys_wants_huge(size_t size) {
  return (size >= MI_MALLOC_SYS_HUGE_BLOCK_SIZE && mi_malloc_sys_may_have_huge());
}

static bool mi_malloc_sys_is_plain(uintptr_t start) {
  return (start >= mi_atomic_load_relaxed(&mi_malloc_sys_plain_start) &&
          start < mi_atomic_load_relaxed(&mi_malloc_sys_plain_end));
}

// The huge pages of a block in that part remain when it is freed, for the next block.
static void mi_malloc_sys_huge_in_plain(uintptr_t start, uintptr_t end) {
  if (!mi_malloc_sys_is_plain(start)) return;
  const uintptr_t plain_start = mi_atomic_load_relaxed(&mi_malloc_sys_plain_start);
  const uintptr_t plain_end = mi_atomic_load_relaxed(&mi_malloc_sys_plain_end);
  start = mi_align_up(start, MI_MALLOC_SYS_HUGE_UNIT);
  end = mi_align_down((end < plain_end ? end : plain_end), MI_MALLOC_SYS_HUGE_UNIT);
  bool is_new = false;
  for (uintptr_t unit = start; unit < end; unit += MI_MALLOC_SYS_HUGE_UNIT) {
    const size_t index = (unit - plain_start) / MI_MALLOC_SYS_HUGE_UNIT;
    const uintptr_t bit = (uintptr_t)1 << (index % MI_MALLOC_SYS_HUGE_BITS);
    _Atomic(uintptr_t)* const advised = &mi_malloc_sys_huge_advised[index / MI_MALLOC_SYS_HUGE_BITS];
    if ((mi_atomic_load_relaxed(advised) & bit) == 0) {
      mi_atomic_or_relaxed(advised, bit);
      is_new = true;
    }
  }
  if (is_new) { mi_malloc_sys_advise_huge(start, end); }
}

// The least that is committed when that much of it may be resident: INT64_MAX once the huge pages were requested, which
// happens once. To query what is resident takes as long as some twenty to fifty page faults, so it is done when what is
// committed has changed by a step since the last time.
static _Atomic(int64_t) mi_malloc_sys_plain_limit = MI_ATOMIC_VAR_INIT((int64_t)MI_MALLOC_SYS_PLAIN_RESIDENT);
static _Atomic(int64_t) mi_malloc_sys_plain_checked;
#define MI_MALLOC_SYS_PLAIN_STEP  ((int64_t)(4*MI_MiB))
static void mi_malloc_sys_check_plain(mi_arena_t* arena, int64_t committed);

// The two functions by which upstream allocates a page's memory: from an arena, and from the system.
void* _mi_arenas_try_alloc(mi_heap_t* heap, size_t slice_count, size_t alignment, bool commit, bool allow_large,
                           mi_arena_t* req_arena, size_t tseq, int numa_node, mi_memid_t* memid);
void* _mi_arena_os_alloc_aligned(mi_subproc_t* subproc, size_t size, size_t alignment, size_t align_offset,
                                 bool commit, bool allow_large, mi_arena_id_t req_arena, mi_memid_t* memid);

static void* mi_malloc_sys_arenas_try_alloc(mi_heap_t* heap, size_t slice_count, size_t alignment, bool commit,
                                            bool allow_large, mi_arena_t* req_arena, size_t tseq, int numa_node,
                                            mi_memid_t* memid)
{
  void* const p = _mi_arenas_try_alloc(heap, slice_count, alignment, commit, allow_large, req_arena, tseq, numa_node, memid);
  if (p == NULL) return NULL;
  if (mi_atomic_load_relaxed(&mi_malloc_sys_plain_final) == 0) {
    mi_atomic_store_relaxed(&mi_malloc_sys_plain_final, (uintptr_t)1);
  }
  const int64_t committed = mi_atomic_loadi64_relaxed((_Atomic(int64_t)*)&heap->subproc->stats.committed.current);
  const int64_t limit = mi_atomic_loadi64_relaxed(&mi_malloc_sys_plain_limit);
  if mi_unlikely(committed >= limit && mi_malloc_sys_is_plain((uintptr_t)p)) {
    mi_malloc_sys_check_plain(memid->mem.arena.arena, committed);
  }
  const size_t size = slice_count * MI_ARENA_SLICE_SIZE;
  if (mi_malloc_sys_wants_huge(size)) { mi_malloc_sys_huge_in_plain((uintptr_t)p, (uintptr_t)p + size); }
  return p;
}

// Upstream requests no huge pages here: these mappings are not aligned to huge pages at both ends. The request ends behind
// the block, so that it does not split the block's mapping, which is moved as one (`large.c`).
static void* mi_malloc_sys_arena_os_alloc_aligned(mi_subproc_t* subproc, size_t size, size_t alignment, size_t align_offset,
                                                  bool commit, bool allow_large, mi_arena_id_t req_arena, mi_memid_t* memid)
{
  void* const p = _mi_arena_os_alloc_aligned(subproc, size, alignment, align_offset, commit, allow_large, req_arena, memid);
  if (p != NULL && !memid->is_pinned && mi_malloc_sys_wants_huge(size)) {
    mi_malloc_sys_advise_huge(mi_align_up((uintptr_t)p, MI_MALLOC_SYS_HUGE_UNIT), (uintptr_t)p + size);
  }
  return p;
}

// All of upstream is one translation unit. As in `program_options.h`, the first token between the parentheses
// distinguishes a declaration from a call.
#define _mi_arenas_try_alloc(...)                 MI_MALLOC_SYS_TRY_ALLOC_##__VA_ARGS__ )
#define MI_MALLOC_SYS_TRY_ALLOC_mi_heap_t         _mi_arenas_try_alloc(mi_heap_t
#define MI_MALLOC_SYS_TRY_ALLOC_heap              mi_malloc_sys_arenas_try_alloc(heap
#define _mi_arena_os_alloc_aligned(...)           MI_MALLOC_SYS_OS_ALLOC_##__VA_ARGS__ )
#define MI_MALLOC_SYS_OS_ALLOC_mi_subproc_t       _mi_arena_os_alloc_aligned(mi_subproc_t
#define MI_MALLOC_SYS_OS_ALLOC_heap               mi_malloc_sys_arena_os_alloc_aligned(heap

#define madvise(addr, size, advice)  mi_malloc_sys_madvise(addr, size, advice)
#endif

#define mmap(addr, size, protection, flags, fd, offset)  mi_malloc_sys_mmap(addr, size, protection, flags, fd, offset)
#define prctl(operation, ...)                            MI_MALLOC_SYS_PRCTL_##operation(__VA_ARGS__)

#endif

// Identifies the calling thread, for C that the linker may inline into Rust functions (`MIMALLOC_SYS_LTO`). The compiler
// reads this file before upstream's (`-include`, `build/compile.rs`), in both major versions.
//
// A stackful coroutine may be suspended within a function and resumed in another thread. Compilers treat the thread
// pointer and the address of a thread-local variable as constants of a function, so that after the suspension the
// first thread's would be used. Hence they are accessed here only by
// - assembly, which is executed again after everything that may write to memory; or
// - a function that is never inlined. No coroutine is suspended within it.
//
// `checks/coroutines/run` looks for any other access in the compiled bitcode.
#ifndef MI_MALLOC_SYS_THREAD_H
#define MI_MALLOC_SYS_THREAD_H

#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE // as in `static.c`, which comes too late for the first system header
#endif
#include "mimalloc.h"
#include <stddef.h>
#include <stdint.h>

// The compiler knows nothing about a value that went through here.
#define MI_MALLOC_SYS_OPAQUE(value)  __asm__ volatile("" : "+r"(value) : : "memory")

// ---- The id of a thread. Where it is assembly here, it is the id that upstream uses too.
#if defined(__x86_64__) && defined(__LP64__)
static inline uintptr_t mi_malloc_sys_thread(void) {
  return *(const uintptr_t __seg_fs*)0; // a load of memory, which may be an operand of another instruction
}
#elif defined(__aarch64__) && defined(__LP64__)
static inline uintptr_t mi_malloc_sys_thread(void) {
  uintptr_t thread;
  __asm__ volatile("mrs %0, tpidr_el0" : "=r"(thread));
  return thread;
}
#else
static __thread void* mi_malloc_sys_thread_marker;

static __attribute__((noinline)) uintptr_t mi_malloc_sys_thread(void) {
  uintptr_t thread = (uintptr_t)&mi_malloc_sys_thread_marker;
  MI_MALLOC_SYS_OPAQUE(thread);
  return thread;
}
#endif

#ifndef MI_PRIM_THREAD_ID
#define MI_PRIM_THREAD_ID  mi_malloc_sys_thread
#endif

// ---- The value of a thread-local variable.
// Its offset from the thread pointer is the same in all threads. Linkers do not see names in assembly: the variable has
// to be marked as used. (The build script defines MI_MALLOC_SYS_STATIC_TLS where such offsets exist.)
#if MI_MALLOC_SYS_STATIC_TLS && defined(__x86_64__) && defined(__LP64__)
#define MI_MALLOC_SYS_READ(name, value) \
  do { \
    uintptr_t offset; \
    __asm__("movq " #name "@gottpoff(%%rip), %0" : "=r"(offset)); \
    value = *(__typeof__(value) __seg_fs*)offset; \
  } while (0)
#elif MI_MALLOC_SYS_STATIC_TLS && defined(__aarch64__) && defined(__LP64__)
#define MI_MALLOC_SYS_READ(name, value) \
  do { \
    uintptr_t offset; \
    __asm__("adrp %0, :gottprel:" #name "\n\tldr %0, [%0, :gottprel_lo12:" #name "]" : "=r"(offset)); \
    value = *(__typeof__(value)*)(mi_malloc_sys_thread() + offset); \
  } while (0)
#endif

// Upstream's functions that return such a value have no argument, so a macro with one argument distinguishes the
// definition, whose argument is `void`, from calls, which have none. The definition becomes NAME_void, and calls become
// calls of NAME_, which this defines: the same as NAME_void, but not inlined.
#define MI_MALLOC_SYS_CALL(type, name) \
  static __attribute__((noinline)) type mi_malloc_sys_##name##_call(void) { \
    type value = mi_malloc_sys_##name##_void(); \
    MI_MALLOC_SYS_OPAQUE(value); \
    return value; \
  } \
  static inline type mi_malloc_sys_##name##_(void) { \
    return mi_malloc_sys_##name##_call(); \
  }

// The same by assembly.
#define MI_MALLOC_SYS_LOAD(type, name, variable) \
  static inline type mi_malloc_sys_##name##_(void) { \
    type value; \
    MI_MALLOC_SYS_READ(variable, value); \
    return value; \
  }

#if MI_MALLOC_VERSION >= 30000

#include "mimalloc/types.h"

#define _mi_theap_default(argument)  mi_malloc_sys_theap_default_##argument(argument)
#define _mi_theap_cached(argument)   mi_malloc_sys_theap_cached_##argument(argument)

static inline mi_theap_t* mi_malloc_sys_theap_default_(void);
static inline mi_theap_t* mi_malloc_sys_theap_cached_(void);

#include "mimalloc/prim/prim-tls.h"

#if defined(MI_MALLOC_SYS_READ) && MI_TLS_MODEL_LOCAL && !defined(MI_TLS_RECURSE_GUARD)
__attribute__((used, retain)) mi_decl_hidden mi_decl_thread mi_theap_t* __mi_theap_default;
__attribute__((used, retain)) mi_decl_hidden mi_decl_thread mi_theap_t* __mi_theap_cached;
MI_MALLOC_SYS_LOAD(mi_theap_t*, theap_default, __mi_theap_default)
MI_MALLOC_SYS_LOAD(mi_theap_t*, theap_cached, __mi_theap_cached)
#else
MI_MALLOC_SYS_CALL(mi_theap_t*, theap_default)
MI_MALLOC_SYS_CALL(mi_theap_t*, theap_cached)
#endif

// The other functions that access a thread-local variable.
__attribute__((noinline)) void _mi_theap_default_set(mi_theap_t* theap);
__attribute__((noinline)) void _mi_theap_cached_set(mi_theap_t* theap);
__attribute__((noinline)) bool _mi_thread_local_set(mi_thread_local_t key, void* val);
__attribute__((noinline)) void* _mi_thread_local_get(mi_thread_local_t key);
__attribute__((noinline)) void _mi_thread_locals_thread_done(void);

#else

#include "mimalloc/types.h"

#define mi_prim_get_default_heap(argument)  mi_malloc_sys_default_heap_##argument(argument)

static inline mi_heap_t* mi_malloc_sys_default_heap_(void);

#include "mimalloc/prim.h"

#if defined(MI_MALLOC_SYS_READ) && !MI_TLS_SLOT && !defined(MI_TLS_PTHREAD_SLOT_OFS) && \
    !defined(MI_TLS_PTHREAD) && !defined(MI_TLS_RECURSE_GUARD)
__attribute__((used, retain)) mi_decl_hidden mi_decl_thread mi_heap_t* _mi_heap_default;
MI_MALLOC_SYS_LOAD(mi_heap_t*, default_heap, _mi_heap_default)
#else
MI_MALLOC_SYS_CALL(mi_heap_t*, default_heap)
#endif

// The other function that accesses a thread-local variable, except for one in `options.c`, whose functions upstream
// itself marks as not inlined.
__attribute__((noinline)) void _mi_heap_set_default_direct(mi_heap_t* heap);

#endif

#endif

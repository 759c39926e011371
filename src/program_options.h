// The options that the program carries (`options!` in `src/program_options.rs`). Included before upstream's C,
// only with releases that this was checked with.
//
// Upstream reads an option from the environment when the option is first queried, however early that is: with
// `override` the dynamic loader may allocate before any initialiser of the program runs. So the program's value is
// written to the option's entry right before that, where it ranks as a default: the environment wins.
#include "mimalloc.h"
#include <stddef.h>

#if defined(__cplusplus)
extern "C" {
#endif

// As in `program_options.rs`.
typedef struct mi_malloc_sys_program_option_s {
  int  option;
  long value;
} mi_malloc_sys_program_option_t;

typedef struct mi_malloc_sys_program_options_s {
  size_t count;
  const mi_malloc_sys_program_option_t* values;
} mi_malloc_sys_program_options_t;

// The value if the program has no options. The symbol is hidden, also where the program has some: each shared library
// with a mimalloc of its own has its own options. Not `const`: clang before 15 assumes that the value of a weak constant
// is known.
#if defined(_MSC_VER)
extern const mi_malloc_sys_program_options_t mi_malloc_sys_program_options;
extern const mi_malloc_sys_program_options_t mi_malloc_sys_no_program_options;
const mi_malloc_sys_program_options_t mi_malloc_sys_no_program_options = { 0, NULL };
#if defined(_M_IX86)
#pragma comment(linker, "/alternatename:_mi_malloc_sys_program_options=_mi_malloc_sys_no_program_options")
#else
#pragma comment(linker, "/alternatename:mi_malloc_sys_program_options=mi_malloc_sys_no_program_options")
#endif
#elif defined(_WIN32)
extern __attribute__((weak)) mi_malloc_sys_program_options_t mi_malloc_sys_program_options;
mi_malloc_sys_program_options_t mi_malloc_sys_program_options = { 0, NULL };
#else
extern __attribute__((weak, visibility("hidden")))
mi_malloc_sys_program_options_t mi_malloc_sys_program_options;
mi_malloc_sys_program_options_t mi_malloc_sys_program_options = { 0, NULL };
#endif

static const mi_malloc_sys_program_option_t* mi_malloc_sys_program_option(mi_option_t option) {
  for (size_t i = 0; i < mi_malloc_sys_program_options.count; i++) {
    if (mi_malloc_sys_program_options.values[i].option == (int)option) return &mi_malloc_sys_program_options.values[i];
  }
  return NULL;
}

// Defaults of this crate for which upstream has no definition. Frees trigger purges here, and a purge leaves what was freed
// recently to the next one (`purge.h`).
#if MI_MALLOC_VERSION >= 30000 && !MI_MALLOC_SYS_NO_REUSE
#ifndef MI_DEFAULT_PURGE_DELAY
#define MI_DEFAULT_PURGE_DELAY       50
#endif
#ifndef MI_DEFAULT_ARENA_PURGE_MULT
#define MI_DEFAULT_ARENA_PURGE_MULT  1
#endif
#endif

static void mi_malloc_sys_use_default(mi_option_t option, volatile long* value) {
  #if defined(MI_DEFAULT_PURGE_DELAY)
  if (option == mi_option_purge_delay) { *value = MI_DEFAULT_PURGE_DELAY; }
  #endif
  #if defined(MI_DEFAULT_ARENA_PURGE_MULT)
  if (option == mi_option_arena_purge_mult) { *value = MI_DEFAULT_ARENA_PURGE_MULT; }
  #endif
  (void)option; (void)value;
}

static void mi_malloc_sys_use_program_option(mi_option_t option, volatile long* value) {
  mi_malloc_sys_use_default(option, value);
  const mi_malloc_sys_program_option_t* const program = mi_malloc_sys_program_option(option);
  if (program != NULL) { *value = program->value; }
}

// Where the value of each option came from when mimalloc initialised it, and that value. A different value later was
// set at run time. Upstream does not distinguish an option of the environment from one that was set. The numbers are
// those of `option_source` in `program_options.rs`.
#define MI_MALLOC_SYS_SOURCE_NONE         0
#define MI_MALLOC_SYS_SOURCE_DEFAULT      1
#define MI_MALLOC_SYS_SOURCE_PROGRAM      2
#define MI_MALLOC_SYS_SOURCE_ENVIRONMENT  3
#define MI_MALLOC_SYS_SOURCE_RUN_TIME     4

typedef struct mi_malloc_sys_initial_s {
  int  source;
  long value;
} mi_malloc_sys_initial_t;

static mi_malloc_sys_initial_t mi_malloc_sys_initial[_mi_option_last];

static void mi_malloc_sys_set_initial(mi_option_t option, long value, bool environment) {
  mi_malloc_sys_initial[option].source =
    (environment ? MI_MALLOC_SYS_SOURCE_ENVIRONMENT :
     mi_malloc_sys_program_option(option) != NULL ? MI_MALLOC_SYS_SOURCE_PROGRAM : MI_MALLOC_SYS_SOURCE_DEFAULT);
  mi_malloc_sys_initial[option].value = value;
}

int mi_malloc_sys_option_source(int option) {
  if (option < 0 || option >= _mi_option_last) return MI_MALLOC_SYS_SOURCE_NONE;
  const long value = mi_option_get((mi_option_t)option); // initialises it
  const mi_malloc_sys_initial_t* const initial = &mi_malloc_sys_initial[option];
  // The program set the option before mimalloc initialised it, which it then no longer does.
  if (initial->source == MI_MALLOC_SYS_SOURCE_NONE) return MI_MALLOC_SYS_SOURCE_RUN_TIME;
  return (initial->value == value ? initial->source : MI_MALLOC_SYS_SOURCE_RUN_TIME);
}

#if defined(__cplusplus)
}
#endif

// Upstream's `mi_option_init` is static, and all of upstream is one translation unit. So a macro distinguishes its
// declarations (`mi_option_init(mi_option_desc_t* desc)`) from its call (`mi_option_init(desc)`) by the first token
// between the parentheses, and wraps the call. For any other form of either no macro is defined, which is a compile
// error. The name in parentheses is upstream's function, which no macro replaces.
#define mi_option_init(argument)  MI_MALLOC_SYS_OPTION_INIT_##argument )
#define MI_MALLOC_SYS_OPTION_INIT_mi_option_desc_t  mi_option_init(mi_option_desc_t
#define MI_MALLOC_SYS_OPTION_INIT_desc \
  (mi_malloc_sys_use_program_option(desc->option, &desc->value), (mi_option_init)(desc), \
   desc->init == MI_MALLOC_SYS_UNINIT ? (void)0 /* the environment cannot be read yet */ : \
     mi_malloc_sys_set_initial(desc->option, desc->value, desc->init == MI_MALLOC_SYS_INITIALIZED)
#if MI_MALLOC_VERSION >= 30000
#define MI_MALLOC_SYS_UNINIT       MI_OPTION_UNINIT
#define MI_MALLOC_SYS_INITIALIZED  MI_OPTION_INITIALIZED
#else
#define MI_MALLOC_SYS_UNINIT       UNINIT
#define MI_MALLOC_SYS_INITIALIZED  INITIALIZED
#endif

// A thread may set an option while others read it. Upstream's plain accesses leave the compiler free to read a value
// twice, and use one that was not checked. `volatile` makes each a single load or store of a machine word.
#define mi_option_desc_t  volatile mi_option_desc_t

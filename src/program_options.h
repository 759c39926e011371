// The options that the program carries (`options!` in `src/program_options.rs`). Included before upstream's
// `static.c`, of a release that this was checked with.
//
// Upstream reads an option from the environment when the option is first asked for, however early that is: with
// `override` the dynamic loader may allocate before any initialiser of the program runs. So the program's value
// is put into the option's entry right before, where it has the rank of a default: the environment wins.
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

// What holds if the program has no options. Hidden, also where the program has some: each shared library with a
// mimalloc of its own has its own options. Not `const`: clang before 15 takes the value of a weak constant for known.
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

static void mi_malloc_sys_program_option(mi_option_t option, volatile long* value) {
  for (size_t i = 0; i < mi_malloc_sys_program_options.count; i++) {
    if (mi_malloc_sys_program_options.values[i].option == (int)option) {
      *value = mi_malloc_sys_program_options.values[i].value;
    }
  }
}

#if defined(__cplusplus)
}
#endif

// Upstream's `mi_option_init` is static, and all of upstream is one file. So a macro tells its declarations
// (`mi_option_init(mi_option_desc_t* desc)`) from its call (`mi_option_init(desc)`) by the first token between the
// parentheses, and puts ours before the latter. Of another form of either there is no such macro, and the
// compiler stops.
#define mi_option_init(argument)  MI_MALLOC_SYS_OPTION_INIT_##argument )
#define MI_MALLOC_SYS_OPTION_INIT_mi_option_desc_t  mi_upstream_option_init(mi_option_desc_t
#define MI_MALLOC_SYS_OPTION_INIT_desc \
  (mi_malloc_sys_program_option(desc->option, &desc->value), mi_upstream_option_init(desc)

// A thread may set an option while others read it. Upstream's plain accesses leave the compiler free to read a value
// twice, and use one that was not checked. `volatile` makes each a single load or store of a machine word.
#define mi_option_desc_t  volatile mi_option_desc_t

// Takes the place of upstream's static.c (run, which puts it there), to read an option again: mimalloc
// reads its options once in the life of a process.
#include "upstream.c"

#if MI_MALLOC_VERSION >= 30000
#define OPTIONS  mi_options
#define UNREAD   MI_OPTION_UNINIT
#else
#define OPTIONS  options
#define UNREAD   UNINIT
#endif

const char* fuzz_name_of(int option) {
  return OPTIONS[option].name;
}

// As if the process had just started with this value built in.
long fuzz_read(int option, long value) {
  OPTIONS[option].value = value;
  OPTIONS[option].init = UNREAD;
  return mi_option_get((mi_option_t)option);
}

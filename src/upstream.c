// Upstream's C, unchanged, with what this crate adds before it.
#include "huge_pages.h"
#include "program_options.h"
#include "static.c"

// What follows calls the system itself.
#undef mmap
#undef madvise
#undef prctl

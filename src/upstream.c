// Upstream's C, unchanged, with what this crate adds before it.
#include "program_options.h"
#include "static.c"

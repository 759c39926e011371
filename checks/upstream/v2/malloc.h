// Upstream's header that gives mimalloc's functions malloc's names. The C library's own declarations
// must come first.
#include <stdlib.h>
#include <mimalloc-override.h>

// Upstream's header that defines malloc's names as mimalloc's functions. The C library's own declarations
// must come first.
#include <stdlib.h>
#include <mimalloc-override.h>

/* A C library that calls mimalloc by name, and passes a heap to its caller. */

#include <mimalloc.h>
#include <string.h>

int names_header_version(void) {
  return MI_MALLOC_VERSION;
}

/* All names with a comma between, in one block of the heap. NULL if memory has run out. */
char* names_join(mi_heap_t* heap, const char* const* names, size_t count) {
  size_t size = 1;
  for (size_t i = 0; i < count; i++) {
    size += strlen(names[i]) + 2;
  }
  char* joined = mi_heap_malloc(heap, size);
  if (joined == NULL) return NULL;
  char* end = joined;
  for (size_t i = 0; i < count; i++) {
    if (i > 0) {
      memcpy(end, ", ", 2);
      end += 2;
    }
    const size_t length = strlen(names[i]);
    memcpy(end, names[i], length);
    end += length;
  }
  *end = 0;
  return joined;
}

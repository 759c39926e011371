// A library with thread-local memory of the initial-exec model: it occupies SIZE bytes of the space
// that the program has for all such libraries.
__thread char filler[SIZE] __attribute__((tls_model("initial-exec")));
char* filler_address(void) { return filler; }

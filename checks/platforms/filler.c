// A library with thread-local memory of the initial-exec model, which takes its SIZE bytes from the
// space that the program has for all such libraries.
__thread char filler[SIZE] __attribute__((tls_model("initial-exec")));
char* filler_address(void) { return filler; }

// A C++ library with containers in mimalloc's heap, in both ways that the headers offer.

#include <mimalloc.h>
#include <mimalloc-new-delete.h>  // operator new and delete of the whole program; in one file only

#include <map>
#include <string>
#include <vector>

using Visit = void (*)(const void* where, void* argument);

// The primes below `bound`; `visit` receives the address at which the container stores each.
extern "C" size_t primes_in_vector(size_t bound, Visit visit, void* argument) {
  std::vector<bool, mi_stl_allocator<bool>> composite(bound);
  std::vector<size_t, mi_stl_allocator<size_t>> primes;
  for (size_t n = 2; n < bound; n++) {
    if (composite[n]) continue;
    primes.push_back(n);
    for (size_t multiple = n * n; multiple < bound; multiple += n) composite[multiple] = true;
  }
  visit(primes.data(), argument);
  return primes.size();
}

// How many different last digits they have: containers that do not name mimalloc.
extern "C" size_t digits_in_map(const size_t* numbers, size_t count, Visit visit, void* argument) {
  std::map<std::string, size_t> digits;
  for (size_t i = 0; i < count; i++) digits["a number that ends with " + std::to_string(numbers[i] % 10)]++;
  for (const auto& entry : digits) {
    visit(&entry, argument);
    visit(entry.first.data(), argument);
  }
  return digits.size();
}

// The bodies of the library, for the tests that see its declarations alone.
#define VQCACHE_HEADER_ONLY 0
#define VQCACHE_IMPLEMENTATION
#include "vqcache.hpp"

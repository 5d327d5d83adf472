#pragma once
// Assertions for our own mistakes. What a peer, a file or the environment can cause is a Result, never a check.

#include <cstdio>
#include <cstdlib>

namespace ferry::internal {
[[noreturn]] inline void check_failed(const char* file, int line, const char* condition) {
  std::fprintf(stderr, "%s:%d: check failed: %s\n", file, line, condition);
  std::abort();
}
}  // namespace ferry::internal

/// Always on; aborts.
#define FERRY_CHECK(condition) ((condition) ? (void)0 : ::ferry::internal::check_failed(__FILE__, __LINE__, #condition))

/// On in builds without NDEBUG.
#ifdef NDEBUG
#define FERRY_DCHECK(condition) ((void)0)
#else
#define FERRY_DCHECK(condition) FERRY_CHECK(condition)
#endif

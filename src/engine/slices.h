#pragma once
// Big sets are freed in slices, so that no lock is held long.

#include <cstddef>

namespace ferry::engine {

/// Takes up to `max` elements from the front. True: there are more.
template <class Set>
bool free_front(Set& set, std::size_t max) {
  auto end = set.begin();
  for (std::size_t i = 0; i < max && end != set.end(); ++i) ++end;
  set.erase(set.begin(), end);
  return !set.empty();
}

}  // namespace ferry::engine

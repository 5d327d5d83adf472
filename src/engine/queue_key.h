#pragma once

#include <compare>
#include <string>

namespace ferry::engine {

/// Accounts and regions are separate namespaces.
struct QueueKey {
  std::string account;
  std::string region;
  std::string name;
  auto operator<=>(const QueueKey&) const = default;
};

}  // namespace ferry::engine

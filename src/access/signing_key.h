#pragma once
// The key of one day and region, and a bounded store of those that were used with success.

#include <cstddef>
#include <deque>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "access/sigv4.h"
#include "base/digest.h"

namespace ferry::access {

/// Four chained HMACs of `secret` over date (YYYYMMDD), region, service and terminator.
Sha256Digest derive_signing_key(std::string_view secret, std::string_view date, const SigningScope& scope);

/// Thread-safe. Only keys with which a signature was verified are put in, so that nobody without a secret can push others out.
class SigningKeyCache {
 public:
  explicit SigningKeyCache(std::size_t entries_max) : entries_max_(entries_max) {}

  /// Nothing when it is not there or belongs to another secret (the access key was given a new one).
  std::optional<Sha256Digest> find(std::string_view name, std::string_view secret) const;
  /// When full, the entry that came first goes.
  void put(std::string_view name, std::string_view secret, const Sha256Digest& key);
  std::size_t size() const;

 private:
  struct Entry {
    std::string secret;
    Sha256Digest key;
  };
  const std::size_t entries_max_;
  mutable std::shared_mutex mutex_;  // guards the rest
  std::unordered_map<std::string, Entry> entries_;
  std::deque<std::string> order_;
};

}  // namespace ferry::access

#include "access/signing_key.h"

#include <mutex>

#include "access/canonical.h"

namespace ferry::access {

Sha256Digest derive_signing_key(std::string_view secret, std::string_view date, const SigningScope& scope) {
  const Sha256Digest day = hmac_sha256("AWS4" + std::string(secret), date);
  const Sha256Digest region = hmac_sha256(as_text(day), scope.region);
  const Sha256Digest service = hmac_sha256(as_text(region), scope.service);
  return hmac_sha256(as_text(service), kTerminator);
}

std::optional<Sha256Digest> SigningKeyCache::find(std::string_view name, std::string_view secret) const {
  const std::string key(name);
  const std::shared_lock lock(mutex_);
  const auto found = entries_.find(key);
  if (found == entries_.end() || !constant_time_equals(found->second.secret, secret)) return std::nullopt;
  return found->second.key;
}

void SigningKeyCache::put(std::string_view name, std::string_view secret, const Sha256Digest& key) {
  const std::unique_lock lock(mutex_);
  const auto [entry, added] = entries_.insert_or_assign(std::string(name), Entry{std::string(secret), key});
  if (!added) return;
  order_.push_back(entry->first);
  if (order_.size() <= entries_max_) return;
  entries_.erase(order_.front());
  order_.pop_front();
}

std::size_t SigningKeyCache::size() const {
  const std::shared_lock lock(mutex_);
  return entries_.size();
}

}  // namespace ferry::access

#include "access/keys.h"

#include <algorithm>
#include <array>

#include "access/actions.h"

namespace ferry::access {
namespace {
constexpr std::array<std::string_view, 20> kActions = {"AddPermission",
                                                       "CancelMessageMoveTask",
                                                       "ChangeMessageVisibility",
                                                       "CreateQueue",
                                                       "DeleteMessage",
                                                       "DeleteQueue",
                                                       "GetQueueAttributes",
                                                       "GetQueueUrl",
                                                       "ListDeadLetterSourceQueues",
                                                       "ListMessageMoveTasks",
                                                       "ListQueueTags",
                                                       "ListQueues",
                                                       "PurgeQueue",
                                                       "ReceiveMessage",
                                                       "RemovePermission",
                                                       "SendMessage",
                                                       "SetQueueAttributes",
                                                       "StartMessageMoveTask",
                                                       "TagQueue",
                                                       "UntagQueue"};
constexpr std::string_view kBatchSuffix = "Batch";
constexpr std::string_view kServicePrefix = "sqs:";

bool by_access_key(const Key& a, const Key& b) {
  return a.access_key < b.access_key;
}

template <class Predicate>
bool any(const std::vector<std::string>& patterns, Predicate predicate) {
  return std::any_of(patterns.begin(), patterns.end(), predicate);
}
}  // namespace

std::span<const std::string_view> grantable_actions() {
  return kActions;
}

std::string_view grant_action(std::string_view action) {
  return action.ends_with(kBatchSuffix) ? action.substr(0, action.size() - kBatchSuffix.size()) : action;
}

std::string_view without_service_prefix(std::string_view action_pattern) {
  return action_pattern.starts_with(kServicePrefix) ? action_pattern.substr(kServicePrefix.size()) : action_pattern;
}

bool matches(std::string_view pattern, std::string_view text) {
  // Greedy with one step back to the last star: linear in practice, at worst the product of the lengths.
  std::size_t p = 0, t = 0, star = std::string_view::npos, resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p, ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

KeyRing::KeyRing(std::vector<Key> keys) : keys_(std::move(keys)) {
  std::sort(keys_.begin(), keys_.end(), by_access_key);
}

const Key* KeyRing::find(std::string_view access_key) const {
  const auto found = std::lower_bound(keys_.begin(), keys_.end(), access_key,
                                      [](const Key& key, std::string_view wanted) { return key.access_key < wanted; });
  return found != keys_.end() && found->access_key == access_key ? &*found : nullptr;
}

bool KeyRing::allows(const Key& key, std::string_view action, std::string_view queue_name) {
  const std::string_view wanted = grant_action(action);
  return std::any_of(key.grants.begin(), key.grants.end(), [&](const Grant& grant) {
    return any(grant.actions, [&](const std::string& pattern) { return matches(without_service_prefix(pattern), wanted); }) &&
           any(grant.queues, [&](const std::string& pattern) { return matches(pattern, queue_name); });
  });
}

}  // namespace ferry::access

#pragma once
// The keys file of `ferry serve --keys`: who may do what on which queue.

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace ferry::access {

/// Actions and queue names are patterns: '*' stands for any run of characters, also an empty one. Case-sensitive.
struct Grant {
  std::vector<std::string> actions;  ///< "SendMessage", "Get*", "*"; batch actions need the grant of their single action
  std::vector<std::string> queues;   ///< queue names; an action without a queue (ListQueues) needs "*"
};

struct Key {
  std::string access_key;
  std::string secret_key;
  std::string account;  ///< 12 digits
  std::vector<Grant> grants;
};

class KeyRing {
 public:
  /// TOML, see docs/security.md. PermissionDenied unless the file is ours or root's and has mode 0600 or stricter (0400);
  /// InvalidArgument names line and fault: unknown names, duplicate access keys, bad account, empty secret, unknown actions.
  static Result<KeyRing> load(const std::string& path);
  explicit KeyRing(std::vector<Key> keys);

  /// Null when unknown.
  const Key* find(std::string_view access_key) const;
  /// Whether the key may call `action` on `queue_name` (empty: an action without a queue).
  static bool allows(const Key& key, std::string_view action, std::string_view queue_name);

 private:
  std::vector<Key> keys_;
};

}  // namespace ferry::access

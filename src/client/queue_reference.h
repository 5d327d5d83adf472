#pragma once
// The queue argument of a command: a name, a URL or an ARN.

#include <string>
#include <string_view>

#include "base/result.h"
#include "client/client.h"

namespace ferry::client {

struct QueueReference {
  enum class Kind { Name, Url, Arn };
  Kind kind = Kind::Name;
  std::string text;     ///< as given
  std::string name;     ///< of the queue
  std::string account;  ///< of an ARN; empty otherwise
};

/// InvalidArgument: neither a queue name, nor a URL of one, nor an ARN of one. Accounts of any length are accepted in URLs.
Result<QueueReference> parse_queue_argument(std::string_view text);

/// Its URL: what was given, or the answer of GetQueueUrl.
CallResult<std::string> resolve_queue(Client& client, const QueueReference& reference);

}  // namespace ferry::client

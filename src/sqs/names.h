#pragma once
// What queues are called: names, URLs, ARNs. Syntax only; whether a queue exists is the engine's business.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "sqs/api.h"
#include "sqs/error.h"

namespace ferry::sqs {

enum class QueueKind { Standard, Fifo };

/// Fifo when the name ends with ".fifo".
QueueKind kind_of(std::string_view queue_name);

/// 1 to 80 of A–Z a–z 0–9 _ -, of which the last five may be ".fifo".
bool is_queue_name(std::string_view text);

/// 1 to `chars_max` of A–Z a–z 0–9 _ -: ids of batch entries, labels of permissions.
bool is_plain_word(std::string_view text, std::size_t chars_max);

/// The name of a CreateQueue request. InvalidParameterValue when it is missing, empty or ill-formed.
ApiResult<std::string> validate_new_queue_name(const OptionalText& name);

/// The name of a GetQueueUrl request: InvalidParameterValue when missing or empty, QueueDoesNotExist when no queue can have it.
ApiResult<std::string> validate_queue_name(const OptionalText& name);

/// A queue as a URL names it.
struct QueueAddress {
  std::string account;  ///< empty when the URL does not say: the caller's
  std::string name;
  bool operator==(const QueueAddress&) const = default;
};

/// Reads what a QueueUrl parameter may hold: a URL of any scheme and host, of which only the last two path segments (account and
/// name) count; a path alone; `/queue/NAME`; a bare name. Nothing when the name is no queue name.
std::optional<QueueAddress> parse_queue_url(std::string_view text);

/// The queue of a request. QueueDoesNotExist when the URL is missing, empty or names no queue that can exist, as Amazon answers.
ApiResult<QueueAddress> validate_queue_url(const OptionalText& queue_url);

/// `origin` is scheme and host, e.g. "http://127.0.0.1:9324"; the account must not be empty.
std::string format_queue_url(std::string_view origin, const QueueAddress& address);

/// arn:PARTITION:sqs:REGION:ACCOUNT:NAME
struct QueueArn {
  std::string partition = "aws";
  std::string region;
  std::string account;
  std::string name;
  bool operator==(const QueueArn&) const = default;
};
/// The service of arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE, of which no part is empty; nothing when text is no such thing.
/// A view into text.
std::optional<std::string_view> arn_service(std::string_view text);
/// Nothing unless it is the whole ARN of an SQS queue.
std::optional<QueueArn> parse_queue_arn(std::string_view text);
std::string format_queue_arn(const QueueArn& arn);

}  // namespace ferry::sqs

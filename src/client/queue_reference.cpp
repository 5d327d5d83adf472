#include "client/queue_reference.h"

#include <fmt/format.h>

#include "base/encoding.h"
#include "client/url.h"
#include "sqs/names.h"

namespace ferry::client {

Result<QueueReference> parse_queue_argument(std::string_view text) {
  QueueReference reference;
  reference.text = std::string(text);
  if (text.find("://") != std::string_view::npos) {
    FERRY_TRY(const Url url, parse_url(text));
    reference.kind = QueueReference::Kind::Url;
    reference.name = url.path.substr(url.path.rfind('/') + 1);
    if (!sqs::is_queue_name(reference.name) || !url.query.empty()) {
      return fail(ErrorKind::InvalidArgument, fmt::format("\"{}\" does not end with the name of a queue", escape_control(text)));
    }
    return reference;
  }
  if (text.starts_with("arn:")) {
    const auto arn = sqs::parse_queue_arn(text);
    if (!arn) {
      return fail(ErrorKind::InvalidArgument,
                  fmt::format("\"{}\" is no ARN of a queue (arn:aws:sqs:REGION:ACCOUNT:NAME)", escape_control(text)));
    }
    reference.kind = QueueReference::Kind::Arn;
    reference.name = arn->name;
    reference.account = arn->account;
    return reference;
  }
  if (!sqs::is_queue_name(text)) {
    return fail(ErrorKind::InvalidArgument,
                fmt::format("\"{}\" is no queue: give a name (1 to 80 letters, digits, '-' and '_'), a URL or an ARN",
                            escape_control(text)));
  }
  reference.name = std::string(text);
  return reference;
}

CallResult<std::string> resolve_queue(Client& client, const QueueReference& reference) {
  if (reference.kind == QueueReference::Kind::Url) return reference.text;
  sqs::GetQueueUrlRequest request;
  request.queue_name = reference.name;
  if (!reference.account.empty()) request.queue_owner_aws_account_id = reference.account;
  FERRY_TRY(const sqs::GetQueueUrlResponse response, client.get_queue_url(request));
  return response.queue_url;
}

}  // namespace ferry::client

#include "sqs/next_token.h"

#include "base/encoding.h"
#include "sqs/names.h"

namespace ferry::sqs {
namespace {
// Tells our tokens from other base64; a new form takes a new number.
constexpr std::string_view kPrefix = "list-queues:1:";
}  // namespace

std::string encode_next_token(std::string_view last_queue_name) {
  return base64_encode(std::string(kPrefix).append(last_queue_name));
}

ApiResult<std::string> decode_next_token(std::string_view token) {
  const std::optional<std::string> text = base64_decode(token);
  if (text && text->starts_with(kPrefix)) {
    std::string name = text->substr(kPrefix.size());
    if (is_queue_name(name)) return name;
  }
  return api_fail(ErrorCode::InvalidParameterValue, "Invalid or expired next token.");
}

}  // namespace ferry::sqs

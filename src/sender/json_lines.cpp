#include "sender/json_lines.h"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "base/encoding.h"
#include "base/suggest.h"
#include "signing/envelope.h"

namespace ferry::sender {
namespace {

namespace json = boost::json;

constexpr std::size_t kRefusalsMax = 20;

const std::vector<std::string>& known_keys() {
  static const std::vector<std::string> keys = {
      "MessageBody", "MessageAttributes", "DelaySeconds", "MessageGroupId", "MessageDeduplicationId",
      "Parameters",  "RequestType",       "SQSQueueUrl",  "QueueUrl",       "IdempotencyKey"};
  return keys;
}

std::string_view view(const json::string& text) {
  return {text.data(), text.size()};
}

// The members of one line by their known names.
class Line {
 public:
  explicit Line(const json::object& object) : object_(object) {}

  Result<void> check_names() const {
    for (const auto& [name, value] : object_) {
      const std::string_view key(name.data(), name.size());
      bool known = false;
      for (const std::string& candidate : known_keys()) known = known || equals_ignore_case(candidate, key);
      if (!known) {
        return fail(ErrorKind::InvalidArgument,
                    fmt::format("unknown name {}{}", escape_control(key), did_you_mean(key, known_keys())));
      }
    }
    return {};
  }

  const json::value* find(std::string_view key) const {
    for (const auto& [name, value] : object_) {
      if (equals_ignore_case(key, {name.data(), name.size()}) && !value.is_null()) return &value;
    }
    return nullptr;
  }

  Result<std::optional<std::string>> text(std::string_view key) const {
    const json::value* value = find(key);
    if (value == nullptr) return std::optional<std::string>();
    if (!value->is_string()) return fail(ErrorKind::InvalidArgument, fmt::format("{} must be a string", key));
    return std::optional<std::string>(view(value->get_string()));
  }

 private:
  const json::object& object_;
};

Result<sqs::MessageAttributeValue> read_attribute(std::string_view name, const json::value& value) {
  const auto wrong = [&](std::string_view why) {
    return fail(ErrorKind::InvalidArgument, fmt::format("MessageAttributes.{} {}", escape_control(name), why));
  };
  if (value.is_string()) return sqs::MessageAttributeValue{"String", std::string(view(value.get_string())), std::nullopt, false};
  if (!value.is_object()) return wrong("must be an object with DataType and StringValue or BinaryValue");
  sqs::MessageAttributeValue attribute;
  for (const auto& [member, content] : value.get_object()) {
    const std::string_view key(member.data(), member.size());
    if (content.is_null()) continue;
    if (!content.is_string()) return wrong(fmt::format("has a {} that is no string", escape_control(key)));
    const std::string text(view(content.get_string()));
    if (key == "DataType") {
      attribute.data_type = text;
    } else if (key == "StringValue") {
      attribute.string_value = text;
    } else if (key == "BinaryValue") {
      attribute.binary_value = base64_decode(text);
      if (!attribute.binary_value) return wrong("has a BinaryValue that is not base64");
    } else {
      return wrong(fmt::format("has the unknown name {}", escape_control(key)));
    }
  }
  if (attribute.data_type.empty()) return wrong("has no DataType");
  return attribute;
}

Result<sqs::SendMessageEntry> read_message(const Line& line) {
  sqs::SendMessageEntry entry;
  FERRY_TRY(entry.message_body, line.text("MessageBody"));
  if (const json::value* attributes = line.find("MessageAttributes")) {
    if (!attributes->is_object()) return fail(ErrorKind::InvalidArgument, "MessageAttributes must be an object");
    for (const auto& [name, value] : attributes->get_object()) {
      const std::string_view key(name.data(), name.size());
      FERRY_TRY(sqs::MessageAttributeValue attribute, read_attribute(key, value));
      entry.message_attributes.emplace_back(std::string(key), std::move(attribute));
    }
  }
  return entry;
}

Result<void> read_common(const Line& line, sqs::SendMessageEntry& entry) {
  if (const json::value* delay = line.find("DelaySeconds")) {
    if (!delay->is_int64()) return fail(ErrorKind::InvalidArgument, "DelaySeconds must be an integer");
    entry.delay_seconds = delay->get_int64();
  }
  FERRY_TRY(entry.message_group_id, line.text("MessageGroupId"));
  FERRY_TRY(entry.message_deduplication_id, line.text("MessageDeduplicationId"));
  if (const auto refused = message_refusal(entry)) return fail(ErrorKind::InvalidArgument, *refused);
  return {};
}

Result<std::vector<std::string>> read_parameters(const json::value& value) {
  std::vector<std::string> parameters;
  const auto add = [&](const json::value& one) {
    if (one.is_string()) parameters.emplace_back(view(one.get_string()));
    if (one.is_int64()) parameters.push_back(std::to_string(one.get_int64()));
    return one.is_string() || one.is_int64();
  };
  bool good = true;
  if (value.is_array()) {
    for (const json::value& one : value.get_array()) good = good && add(one);
  } else {
    good = add(value);
  }
  if (!good) return fail(ErrorKind::InvalidArgument, "Parameters must be a string or an array of strings");
  return parameters;
}

Result<std::vector<Outgoing>> read_line(std::string_view text, const JsonLinesContext& context) {
  boost::system::error_code status;
  json::parse_options options;
  options.max_depth = 16;
  const json::value value = json::parse({text.data(), text.size()}, status, {}, options);
  if (status)
    return fail(ErrorKind::InvalidArgument, "not one whole JSON object (one object a line: ConvertTo-Json -Compress, jq -c)");
  if (!value.is_object()) return fail(ErrorKind::InvalidArgument, "a JSON object is needed");
  const Line line(value.get_object());
  FERRY_TRY_VOID(line.check_names());
  FERRY_TRY(std::optional<std::string> queue, line.text("SQSQueueUrl"));
  FERRY_TRY(std::optional<std::string> other_queue, line.text("QueueUrl"));
  if (queue && other_queue && *queue != *other_queue) return fail(ErrorKind::InvalidArgument, "SQSQueueUrl and QueueUrl differ");
  FERRY_TRY(std::optional<std::string> request_type, line.text("RequestType"));
  const json::value* parameters = line.find("Parameters");
  std::vector<sqs::SendMessageEntry> entries;
  if (parameters != nullptr || request_type) {
    if (line.find("MessageBody") != nullptr || line.find("MessageAttributes") != nullptr) {
      return fail(ErrorKind::InvalidArgument,
                  "Parameters and RequestType make body and attributes; MessageBody and MessageAttributes do not go with them");
    }
    if (parameters == nullptr) return fail(ErrorKind::InvalidArgument, "RequestType is there, but no Parameters");
    Request request{request_type.value_or(context.request_type), {}};
    if (request.name.empty())
      return fail(ErrorKind::InvalidArgument, "Parameters are there, but no RequestType (and no --request)");
    FERRY_TRY(request.parameters, read_parameters(*parameters));
    auto composed = compose_request(request, context.origin, context.handoff);
    if (!composed) return fail(ErrorKind::InvalidArgument, fmt::format("{}", fmt::join(composed.error().messages, "; ")));
    entries = std::move(*composed);
  } else {
    FERRY_TRY(sqs::SendMessageEntry entry, read_message(line));
    entries.push_back(std::move(entry));
  }
  FERRY_TRY(const std::optional<std::string> idempotency_key, line.text("IdempotencyKey"));
  if (idempotency_key) {
    FERRY_TRY_VOID(signing::check_request_id(*idempotency_key));
    if (entries.size() > 1) {
      return fail(ErrorKind::InvalidArgument,
                  "one IdempotencyKey is for one message: workers would take the others for duplicates of the first");
    }
  }
  std::vector<Outgoing> outgoing;
  for (sqs::SendMessageEntry& entry : entries) {
    FERRY_TRY_VOID(read_common(line, entry));
    outgoing.push_back({queue ? *queue : other_queue.value_or(""), std::move(entry), idempotency_key});
  }
  return outgoing;
}
}  // namespace

Result<std::vector<Outgoing>, Refusals> read_json_lines(std::string_view text, const JsonLinesContext& context) {
  std::vector<Outgoing> outgoing;
  Refusals refusals;
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trim(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty()) continue;
    auto read = read_line(line, context);
    if (read) {
      for (Outgoing& one : *read) outgoing.push_back(std::move(one));
      continue;
    }
    if (refusals.messages.size() == kRefusalsMax) {
      refusals.messages.emplace_back("… and perhaps more");
      break;
    }
    refusals.messages.push_back(fmt::format("line {}: {}", number, read.error().message));
  }
  if (!refusals.messages.empty()) return Unexpected(std::move(refusals));
  return outgoing;
}

}  // namespace ferry::sender

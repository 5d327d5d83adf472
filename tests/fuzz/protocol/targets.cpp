#include "targets.h"

#include <array>
#include <string>
#include <variant>

#include "base/check.h"
#include "base/encoding.h"
#include "protocol/codec.h"
#include "sqs/policy.h"
#include "sqs/queue_attributes.h"
#include "sqs/tags.h"
#include "sqs/validation.h"

namespace ferry::protocol {
namespace {

constexpr std::array<std::string_view, 24> kActions = {"CreateQueue",
                                                       "GetQueueUrl",
                                                       "ListQueues",
                                                       "DeleteQueue",
                                                       "GetQueueAttributes",
                                                       "PurgeQueue",
                                                       "SendMessage",
                                                       "SetQueueAttributes",
                                                       "SendMessageBatch",
                                                       "ReceiveMessage",
                                                       "DeleteMessage",
                                                       "NoSuchAction",
                                                       "DeleteMessageBatch",
                                                       "ChangeMessageVisibility",
                                                       "ChangeMessageVisibilityBatch",
                                                       "TagQueue",
                                                       "UntagQueue",
                                                       "ListQueueTags",
                                                       "AddPermission",
                                                       "RemovePermission",
                                                       "ListDeadLetterSourceQueues",
                                                       "StartMessageMoveTask",
                                                       "ListMessageMoveTasks",
                                                       "CancelMessageMoveTask"};

// A second opinion on what JSON is: the grammar of RFC 8259, written down without any cleverness.
class JsonGrammar {
 public:
  explicit JsonGrammar(std::string_view text) : text_(text) {}
  bool is_object() {
    space();
    if (peek() != '{' || !value(0)) return false;
    space();
    return at_ == text_.size() && is_utf8(text_);
  }
  bool too_deep() const { return too_deep_; }

 private:
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool eat(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void space() {
    while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos) ++at_;
  }
  bool word(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }
  bool digits() {
    const std::size_t start = at_;
    while (peek() >= '0' && peek() <= '9') ++at_;
    return at_ > start;
  }
  bool number() {
    eat('-');
    if (!eat('0') && !digits()) return false;
    if (eat('.') && !digits()) return false;
    if (eat('e') || eat('E')) {
      if (!eat('+')) eat('-');
      return digits();
    }
    return true;
  }
  bool string() {
    if (!eat('"')) return false;
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == '"') return true;
      if (static_cast<unsigned char>(c) < 0x20) return false;
      if (c != '\\') continue;
      const char escape = peek();
      ++at_;
      if (escape == 'u') {
        for (int i = 0; i < 4; ++i) {
          if (std::string_view("0123456789abcdefABCDEF").find(peek()) == std::string_view::npos || peek() == '\0') return false;
          ++at_;
        }
      } else if (escape == '\0' || std::string_view("\"\\/bfnrt").find(escape) == std::string_view::npos) {
        return false;
      }
    }
    return false;
  }
  bool value(int depth) {
    if (depth > 60) too_deep_ = true;
    if (depth > 1'000) return false;
    space();
    switch (peek()) {
      case '{':
        ++at_;
        space();
        if (eat('}')) return true;
        do {
          space();
          if (!string()) return false;
          space();
          if (!eat(':') || !value(depth + 1)) return false;
          space();
        } while (eat(','));
        return eat('}');
      case '[':
        ++at_;
        space();
        if (eat(']')) return true;
        do {
          if (!value(depth + 1)) return false;
          space();
        } while (eat(','));
        return eat(']');
      case '"':
        return string();
      case 't':
        return word("true");
      case 'f':
        return word("false");
      case 'n':
        return word("null");
      default:
        return number();
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  bool too_deep_ = false;
};

void check_error(const sqs::ApiError& error) {
  for (const WireProtocol protocol :
       {WireProtocol::Json, WireProtocol::Query, WireProtocol::QueryJson, WireProtocol::QueryXmlJson}) {
    const WireResponse response = encode_error(protocol, error, "id");
    FERRY_CHECK(is_sqs_text(response.body));
    FERRY_CHECK(response.http_status >= 400);
  }
}

void forget_lists(sqs::SendMessageEntry& entry) {
  for (auto* attributes : {&entry.message_attributes, &entry.message_system_attributes}) {
    for (auto& [name, value] : *attributes) value.has_list_values = false;
  }
}

template <class T>
void look(const sqs::ApiResult<T>& result) {
  if (!result) check_error(result.error());
}

void validate(const sqs::CreateQueueRequest& request) {
  const auto name = sqs::validate_create_queue(request);
  look(name);
  look(sqs::with_tags({}, "q", request.tags));
  for (const std::string_view queue : {"q", "q.fifo"}) {
    const auto attributes = sqs::new_attributes(queue, request.attributes);
    look(attributes);
    if (!attributes) continue;
    FERRY_CHECK(!sqs::first_difference(*attributes, request.attributes));
    look(sqs::changed_attributes(*attributes, request.attributes));
    look(sqs::describe_attributes(*attributes, {}, {"All"}));
    // What AddPermission makes of a policy is one, and RemovePermission takes it away.
    const auto more = sqs::add_permission(attributes->policy, "arn:aws:sqs:r:000000000000:q", {"label", {"1"}, {"*"}});
    look(more);
    if (!more) continue;
    FERRY_CHECK(is_sqs_text(*more));
    FERRY_CHECK(sqs::remove_permission(*more, "label").has_value());
  }
}
void validate(const sqs::SetQueueAttributesRequest& request) {
  validate(sqs::CreateQueueRequest{"q", request.attributes, {}});
}
void validate(const sqs::TagQueueRequest& request) {
  look(sqs::validate_tag_queue(request));
}
void validate(const sqs::UntagQueueRequest& request) {
  look(sqs::validate_untag_queue(request));
}
void validate(const sqs::AddPermissionRequest& request) {
  look(sqs::validate_add_permission(request));
}
void validate(const sqs::RemovePermissionRequest& request) {
  look(sqs::validate_remove_permission(request));
}
void validate(const sqs::ListDeadLetterSourceQueuesRequest& request) {
  look(sqs::validate_list_sources(request));
}
void validate(const sqs::StartMessageMoveTaskRequest& request) {
  look(sqs::validate_start_move_task(request));
}
void validate(const sqs::ListMessageMoveTasksRequest& request) {
  look(sqs::validate_list_move_tasks(request));
}
void validate(const sqs::CancelMessageMoveTaskRequest& request) {
  look(sqs::validate_cancel_move_task(request));
}
void validate(const sqs::SendMessageRequest& request) {
  for (const sqs::QueueKind kind : {sqs::QueueKind::Standard, sqs::QueueKind::Fifo})
    look(sqs::validate_send(request.entry, kind));
}
void validate(const sqs::SendMessageBatchRequest& request) {
  look(sqs::validate_batch(request));
  if (!request.entries) return;
  for (const sqs::SendMessageEntry& entry : *request.entries) {
    for (const sqs::QueueKind kind : {sqs::QueueKind::Standard, sqs::QueueKind::Fifo}) look(sqs::validate_send(entry, kind, 1));
  }
}
void validate(const sqs::ReceiveMessageRequest& request) {
  for (const sqs::QueueKind kind : {sqs::QueueKind::Standard, sqs::QueueKind::Fifo}) look(sqs::validate_receive(request, kind));
}
template <class Request>
void validate(const Request&) {}

// What was read, written by our client and read again, is the same; and validation looks at it without harm.
void check_request(std::string_view action, sqs::Request request) {
  FERRY_CHECK(action_name(request) == action);
  std::visit([](const auto& typed) { validate(typed); }, request);
  if (auto* send = std::get_if<sqs::SendMessageRequest>(&request)) {
    forget_lists(send->entry);
  } else if (auto* batch = std::get_if<sqs::SendMessageBatchRequest>(&request); batch != nullptr && batch->entries) {
    for (sqs::SendMessageEntry& entry : *batch->entries) forget_lists(entry);
  }
  const std::string body = encode_request(request);
  if (!is_utf8(body)) return;
  const std::string target = "AmazonSQS." + std::string(action);
  const auto again = decode(WireProtocol::Json, {"POST", "/", "", "", target, "", body});
  FERRY_CHECK(again.has_value());
  FERRY_CHECK(again->request == request);
}

}  // namespace

void fuzz_json_decode(std::string_view input) {
  if (input.empty()) return;
  const std::string_view action = kActions[static_cast<unsigned char>(input.front()) % kActions.size()];
  const std::string_view body = input.substr(1);
  const std::string target = "AmazonSQS." + std::string(action);
  const auto decoded = decode(WireProtocol::Json, {"POST", "/", "", "application/x-amz-json-1.0", target, "", body});
  JsonGrammar grammar(body);
  const bool is_json = grammar.is_object();
  if (decoded) {
    FERRY_CHECK(is_json);
    check_request(action, decoded->request);
  } else {
    const bool called_malformed = decoded.error().message == "The body is not a valid JSON object.";
    FERRY_CHECK(!(is_json && called_malformed));
    check_error(decoded.error());
  }
  const std::array<sqs::Request, 13> requests = {sqs::CreateQueueRequest{},          sqs::ListQueuesRequest{},
                                                 sqs::GetQueueAttributesRequest{},   sqs::SendMessageRequest{},
                                                 sqs::SendMessageBatchRequest{},     sqs::ReceiveMessageRequest{},
                                                 sqs::DeleteMessageBatchRequest{},   sqs::DeleteMessageRequest{},
                                                 sqs::ListQueueTagsRequest{},        sqs::ListDeadLetterSourceQueuesRequest{},
                                                 sqs::StartMessageMoveTaskRequest{}, sqs::ListMessageMoveTasksRequest{},
                                                 sqs::CancelMessageMoveTaskRequest{}};
  for (const sqs::Request& request : requests) {
    const auto response = decode_response(request, body);
    if (!response) continue;
    FERRY_CHECK(is_json || body.empty());
    encode(WireProtocol::Query, action_name(request), *response, "id");
    encode(WireProtocol::QueryJson, action_name(request), *response, "id");
    encode(WireProtocol::QueryXmlJson, action_name(request), *response, "id");
    encode(WireProtocol::Json, action_name(request), *response, "id");
  }
  decode_error(body, body);
}

void fuzz_query_decode(std::string_view input) {
  const auto line = [&] {
    const std::size_t end = std::min(input.find('\n'), input.size());
    const std::string_view text = input.substr(0, end);
    input.remove_prefix(std::min(end + 1, input.size()));
    return text;
  };
  const std::string_view path = line();
  const std::string_view query = line();
  const auto decoded = decode(WireProtocol::Query, {"POST", path, query, "application/x-www-form-urlencoded", "", "", input});
  if (!decoded) return check_error(decoded.error());
  check_request(decoded->action, decoded->request);
}

}  // namespace ferry::protocol

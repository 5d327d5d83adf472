#include "targets.h"

#include <array>
#include <string>
#include <variant>

#include "base/check.h"
#include "base/encoding.h"
#include "protocol/codec.h"
#include "sqs/validation.h"

namespace ferry::protocol {
namespace {

constexpr std::array<std::string_view, 15> kActions = {"CreateQueue",
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
                                                       "ChangeMessageVisibilityBatch"};

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
  for (const WireProtocol protocol : {WireProtocol::Json, WireProtocol::Query}) {
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

// What was read, written by our client and read again, is the same; and validation looks at it without harm.
void check_request(std::string_view action, sqs::Request request) {
  if (std::holds_alternative<sqs::UnsupportedRequest>(request)) return;
  FERRY_CHECK(action_name(request) == action);
  if (auto* send = std::get_if<sqs::SendMessageRequest>(&request)) {
    if (auto valid = sqs::validate_send(send->entry); !valid) check_error(valid.error());
    forget_lists(send->entry);
  } else if (auto* batch = std::get_if<sqs::SendMessageBatchRequest>(&request)) {
    if (auto valid = sqs::validate_batch(*batch); !valid) check_error(valid.error());
    if (batch->entries) {
      for (sqs::SendMessageEntry& entry : *batch->entries) {
        if (auto valid = sqs::validate_send(entry, 1); !valid) check_error(valid.error());
        forget_lists(entry);
      }
    }
  } else if (auto* receive = std::get_if<sqs::ReceiveMessageRequest>(&request)) {
    if (auto valid = sqs::validate_receive(*receive); !valid) check_error(valid.error());
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
  const std::array<sqs::Request, 8> requests = {sqs::CreateQueueRequest{},        sqs::ListQueuesRequest{},
                                                sqs::GetQueueAttributesRequest{}, sqs::SendMessageRequest{},
                                                sqs::SendMessageBatchRequest{},   sqs::ReceiveMessageRequest{},
                                                sqs::DeleteMessageBatchRequest{}, sqs::DeleteMessageRequest{}};
  for (const sqs::Request& request : requests) {
    const auto response = decode_response(request, body);
    if (!response) continue;
    FERRY_CHECK(is_json || body.empty());
    encode(WireProtocol::Query, action_name(request), *response, "id");
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

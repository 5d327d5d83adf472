// The client's side: requests to JSON, answers from JSON.

#include <type_traits>
#include <variant>

#include "protocol/actions.h"
#include "protocol/codec.h"
#include "protocol/json_decoder.h"
#include "protocol/json_encoder.h"

namespace ferry::protocol {
namespace {

struct ErrorBody {
  std::string type;
  std::string message;
};

template <class V, Like<ErrorBody> S>
void fields(V& v, S& s) {
  v.text("__type", s.type);
  v.text("message", s.message);
  v.text("Message", s.message);
}

std::size_t expected_bytes(const sqs::SendMessageEntry& entry) {
  const std::size_t body = entry.message_body ? entry.message_body->size() : 0;
  return 256 + body + body / 8 + 128 * entry.message_attributes.size();
}

// Members that every answer of the action has; a name, or nothing when all are there.
std::string_view missing_member(const sqs::CreateQueueResponse& response) {
  return response.queue_url.empty() ? "QueueUrl" : "";
}
std::string_view missing_member(const sqs::GetQueueUrlResponse& response) {
  return response.queue_url.empty() ? "QueueUrl" : "";
}
std::string_view missing_member(const sqs::SendMessageResponse& response) {
  return response.message_id.empty() ? "MessageId" : "";
}
std::string_view missing_member(const sqs::SendMessageBatchResponse& response) {
  for (const auto& entry : response.successful) {
    if (entry.id.empty()) return "Id";
    if (entry.sent.message_id.empty()) return "MessageId";
  }
  return "";
}
std::string_view missing_member(const sqs::ReceiveMessageResponse& response) {
  for (const sqs::Message& message : response.messages) {
    if (message.receipt_handle.empty()) return "ReceiptHandle";
  }
  return "";
}
std::string_view missing_member(const sqs::StartMessageMoveTaskResponse& response) {
  return response.task_handle.empty() ? "TaskHandle" : "";
}
template <class Response>
std::string_view missing_member(const Response&) {
  return "";
}

}  // namespace

std::string_view action_name(const sqs::Request& request) {
  return std::visit([]<class T>(const T&) -> std::string_view { return ActionOf<T>::kName; }, request);
}

std::string encode_request(const sqs::Request& request) {
  std::string body;
  std::visit(
      [&]<class T>(const T& value) {
        if constexpr (std::is_same_v<T, sqs::SendMessageRequest>) body.reserve(expected_bytes(value.entry));
        if constexpr (std::is_same_v<T, sqs::SendMessageBatchRequest>) {
          std::size_t bytes = 256;
          for (const auto& entry : value.entries.value_or(std::vector<sqs::SendMessageEntry>())) bytes += expected_bytes(entry);
          body.reserve(bytes);
        }
        JsonEncoder(body).object(value);
      },
      request);
  return body;
}

Result<sqs::Response> decode_response(const sqs::Request& request, std::string_view body) {
  return std::visit(
      [&]<class T>(const T&) -> Result<sqs::Response> {
        const auto corrupt = [&](std::string_view why) {
          return fail(ErrorKind::Corrupt,
                      "the answer to " + std::string(action_name(request)) + " cannot be read: " + std::string(why));
        };
        typename ActionOf<T>::Response response;
        // Amazon answers actions without output with nothing at all, others with {}.
        if (std::is_same_v<decltype(response), sqs::EmptyResponse> && body.empty()) return sqs::Response(response);
        if (const auto failure = JsonDecoder().decode(body, response)) return corrupt(*failure);
        if (const std::string_view missing = missing_member(response); !missing.empty()) {
          return corrupt("it has no " + std::string(missing));
        }
        return sqs::Response(std::move(response));
      },
      request);
}

RemoteError decode_error(std::string_view body, std::string_view query_error) {
  RemoteError error;
  ErrorBody read;
  if (!JsonDecoder().decode(body, read)) {
    error.shape = read.type.substr(read.type.find('#') + 1);
    error.message = std::move(read.message);
  }
  error.code = query_error.substr(0, query_error.find(';'));
  if (error.code.empty()) error.code = error.shape;
  return error;
}

}  // namespace ferry::protocol

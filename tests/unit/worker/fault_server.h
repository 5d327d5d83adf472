#pragma once
// An SQS server over HTTP (JSON protocol) with one queue in memory that fails as it is told: drops connections before or after
// an effect, answers 500, 503 and throttling, fails entries of batches, is slow to change a visibility.

#include <fmt/format.h>

#include <mutex>
#include <random>
#include <string>
#include <string_view>

#include "../client/tiny_server.h"
#include "base/digest.h"
#include "base/encoding.h"
#include "memory_queue.h"
#include "protocol/codec.h"
#include "sqs/message_attributes.h"

namespace ferry::worker::testing_support {

/// Chances in per cent.
struct Faults {
  int dropped_before = 0;
  int dropped_after = 0;
  int error_500 = 0;
  int error_503 = 0;
  int throttled = 0;
  int failed_entry = 0;
  int slow_visibility = 0;
  Millis slowness{300};
};

class FaultServer {
 public:
  FaultServer(const Clock& clock, Faults faults, unsigned seed)
      : queue_(clock),
        faults_(faults),
        chance_(seed),
        server_([this](const std::string& request, int) { return answer(request); }) {}

  std::string url() const { return server_.url(); }
  std::string queue_url() const { return url() + "/000000000000/q"; }
  MemoryQueue& queue() { return queue_; }
  int requests() const { return requests_; }
  int faults_played() const { return faults_played_; }
  /// Every request is answered with this error.
  void refuse_with(sqs::ApiError error) {
    const std::lock_guard lock(mutex_);
    refusal_ = std::move(error);
  }
  /// Entries of SendMessageBatch with this body fail for good.
  void refuse_body(std::string body) { refused_body_ = std::move(body); }
  std::vector<sqs::SendMessageEntry> sent() {
    const std::lock_guard lock(mutex_);
    return sent_;
  }
  std::vector<std::string> actions() {
    const std::lock_guard lock(mutex_);
    return actions_;
  }

 private:
  using Reply = client::test::TinyServer::Reply;
  using Then = client::test::TinyServer::Then;

  bool strikes(int per_cent) {
    const std::lock_guard lock(mutex_);
    const bool strikes = static_cast<int>(chance_() % 100) < per_cent;
    if (strikes) ++faults_played_;
    return strikes;
  }

  static std::string header(const std::string& request, const std::string& name) {
    const std::string head = request.substr(0, request.find("\r\n\r\n"));
    const std::size_t at = to_lower(head).find("\r\n" + name + ":");
    if (at == std::string::npos) return {};
    const std::size_t start = at + name.size() + 3;
    return std::string(trim(head.substr(start, head.find("\r\n", start) - start)));
  }

  Reply error(int status, const sqs::ApiError& error) const {
    return {client::test::http_answer(status, protocol::encode_error(protocol::WireProtocol::Json, error, "r").body), Then::Keep};
  }

  Reply answer(const std::string& request) {
    ++requests_;
    if (strikes(faults_.dropped_before)) return {"", Then::Close};
    if (strikes(faults_.error_500)) return error(500, {sqs::ErrorCode::InternalFailure, "told to"});
    if (strikes(faults_.error_503)) return error(503, {sqs::ErrorCode::ServiceUnavailable, "told to"});
    if (strikes(faults_.throttled)) return error(403, {sqs::ErrorCode::RequestThrottled, "told to"});
    const std::string target = header(request, "x-amz-target");
    const std::string type = header(request, "content-type");
    protocol::WireRequest wire{"POST", "/", "", type, target, "", std::string_view(request).substr(request.find("\r\n\r\n") + 4)};
    const auto decoded = protocol::decode(protocol::WireProtocol::Json, wire);
    if (!decoded) return error(400, decoded.error());
    {
      const std::lock_guard lock(mutex_);
      actions_.push_back(decoded->action);
      if (refusal_) return error(sqs::catalogue_row(refusal_->code).http_status, *refusal_);
    }
    const sqs::ApiResult<sqs::Response> response = std::visit([this](const auto& one) { return act(one); }, decoded->request);
    if (strikes(faults_.dropped_after)) return {"", Then::Close};
    if (!response) return error(sqs::catalogue_row(response.error().code).http_status, response.error());
    const protocol::WireResponse encoded = protocol::encode(protocol::WireProtocol::Json, decoded->action, *response, "r");
    return {client::test::http_answer(200, encoded.body), Then::Keep};
  }

  using Answer = sqs::ApiResult<sqs::Response>;
  template <class Request>
  Answer act(const Request&) {
    return sqs::api_fail(sqs::ErrorCode::UnsupportedOperation, "not here");
  }
  Answer act(const sqs::CreateQueueRequest&) { return sqs::Response(sqs::CreateQueueResponse{queue_url()}); }
  Answer act(const sqs::ListQueuesRequest& request) {
    // Two pages.
    if (!request.next_token) return sqs::Response(sqs::ListQueuesResponse{{queue_url()}, "next"});
    return sqs::Response(sqs::ListQueuesResponse{{url() + "/000000000000/other"}, std::nullopt});
  }
  Answer act(const sqs::SetQueueAttributesRequest&) { return sqs::Response(sqs::EmptyResponse{}); }
  Answer act(const sqs::PurgeQueueRequest&) { return sqs::Response(sqs::EmptyResponse{}); }
  Answer act(const sqs::DeleteQueueRequest&) { return sqs::Response(sqs::EmptyResponse{}); }
  Answer act(const sqs::GetQueueUrlRequest& request) {
    if (*request.queue_name != "q") return Unexpected(sqs::queue_does_not_exist());
    return sqs::Response(sqs::GetQueueUrlResponse{queue_url()});
  }
  Answer act(const sqs::GetQueueAttributesRequest&) {
    const auto counts = queue_.counts();
    return sqs::Response(
        sqs::GetQueueAttributesResponse{{{"ApproximateNumberOfMessages", std::to_string(counts->visible)},
                                         {"ApproximateNumberOfMessagesNotVisible", std::to_string(counts->in_flight)},
                                         {"ApproximateNumberOfMessagesDelayed", std::to_string(counts->delayed)}}});
  }
  Answer act(const sqs::SendMessageBatchRequest& request) {
    sqs::SendMessageBatchResponse response;
    for (const sqs::SendMessageEntry& entry : *request.entries) {
      if (entry.message_body == refused_body_) {
        response.failed.push_back({*entry.id, true, "InvalidMessageContents", "told to"});
      } else if (strikes(faults_.failed_entry)) {
        response.failed.push_back({*entry.id, false, "InternalFailure", "told to"});
      } else {
        sqs::SendMessageResponse sent;
        sent.message_id = queue_.add_message(*entry.message_body, entry.message_attributes);
        sent.md5_of_message_body = hex_encode(md5(*entry.message_body));
        if (!entry.message_attributes.empty()) {
          sent.md5_of_message_attributes = hex_encode(sqs::md5_of_attributes(entry.message_attributes));
        }
        response.successful.push_back({*entry.id, sent});
        const std::lock_guard lock(mutex_);
        sent_.push_back(entry);
      }
    }
    return sqs::Response(response);
  }
  Answer act(const sqs::ReceiveMessageRequest& request) {
    const std::atomic<bool> never{false};
    auto received =
        queue_.receive({static_cast<int>(request.max_number_of_messages.value_or(1)),
                        Seconds(request.wait_time_seconds.value_or(0)), Seconds(request.visibility_timeout.value_or(30))},
                       never);
    for (sqs::Message& message : *received) {
      message.md5_of_body = hex_encode(md5(message.body));
      if (!message.message_attributes.empty()) {
        message.md5_of_message_attributes = hex_encode(sqs::md5_of_attributes(message.message_attributes));
      }
    }
    return sqs::Response(sqs::ReceiveMessageResponse{std::move(*received)});
  }
  Answer act(const sqs::DeleteMessageBatchRequest& request) {
    sqs::DeleteMessageBatchResponse response;
    for (const auto& entry : *request.entries) {
      if (strikes(faults_.failed_entry)) {
        response.failed.push_back({*entry.id, false, "InternalFailure", "told to"});
        continue;
      }
      [[maybe_unused]] const auto removed = queue_.remove(std::vector<std::string>{*entry.receipt_handle});
      response.successful.push_back(*entry.id);
    }
    return sqs::Response(response);
  }
  Answer act(const sqs::ChangeMessageVisibilityBatchRequest& request) {
    if (strikes(faults_.slow_visibility)) sleep_for(faults_.slowness);
    sqs::ChangeMessageVisibilityBatchResponse response;
    for (const auto& entry : *request.entries) {
      if (strikes(faults_.failed_entry)) {
        response.failed.push_back({*entry.id, false, "InternalFailure", "told to"});
        continue;
      }
      const auto failures =
          queue_.change_visibility(std::vector<VisibilityChange>{{*entry.receipt_handle, Seconds(*entry.visibility_timeout)}});
      if (failures->empty()) {
        response.successful.push_back(*entry.id);
      } else {
        response.failed.push_back({*entry.id, true, "MessageNotInflight", "it is not in flight"});
      }
    }
    return sqs::Response(response);
  }

  MemoryQueue queue_;
  Faults faults_;
  std::mutex mutex_;  // guards the next four
  std::minstd_rand chance_;
  std::optional<sqs::ApiError> refusal_;
  std::vector<sqs::SendMessageEntry> sent_;
  std::vector<std::string> actions_;
  std::string refused_body_;
  std::atomic<int> requests_{0};
  std::atomic<int> faults_played_{0};
  client::test::TinyServer server_;  // last: its threads use all of the above
};

}  // namespace ferry::worker::testing_support

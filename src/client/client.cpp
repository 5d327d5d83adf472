#include "client/client.h"

#include <fmt/format.h>

#include <limits>

#include "base/encoding.h"
#include "client/checksums.h"
#include "client/http_date.h"
#include "client/retry.h"
#include "client/url.h"
#include "protocol/codec.h"

namespace ferry::client {
namespace {
using Kind = CallError::Kind;

constexpr std::int64_t kNoLead = std::numeric_limits<std::int64_t>::min();
constexpr std::chrono::seconds kLongestPoll{20};  // a queue's own wait time, when the request does not say one

std::string_view header_of(const Transport::Response& response, std::string_view name) {
  for (const auto& [key, value] : response.headers) {
    if (key == name) return value;
  }
  return {};
}

CallError transport_error(const Error& error) {
  switch (error.kind) {
    case ErrorKind::Unavailable:
      return {Kind::NotReachable, "", 0, error.message};
    case ErrorKind::Timeout:
      return {Kind::Unknown, "", 0, error.message};
    case ErrorKind::Cancelled:
      return {Kind::Cancelled, "", 0, error.message};
    case ErrorKind::Corrupt:
      return {Kind::BadAnswer, "", 0, error.message};
    default:
      return {Kind::NotReachable, "", 0, error.message};
  }
}

// An answer that is not 2xx and is none of the SQS protocol's: something else sits at or before the endpoint.
CallError foreign_answer(const std::string& url, int status) {
  if (status >= 500) {
    return {Kind::Unknown, "", status,
            fmt::format("{} answered HTTP {} without saying what happened to the request", url, status)};
  }
  if (status == 429)
    return {Kind::Service, "TooManyRequests", status, fmt::format("{} answered HTTP 429: too many requests", url)};
  return {Kind::BadAnswer, "", status,
          fmt::format("{} answered HTTP {}, which is no answer of an SQS server; is it an SQS endpoint?", url, status)};
}
}  // namespace

struct Client::Attempt {
  CallResult<sqs::Response> result;
  RetryClass retry = RetryClass::Never;
  std::optional<std::chrono::seconds> retry_after;
};

Client::Client(ClientOptions options, Transport& transport, CredentialSource& credentials, const Clock& clock, Random& random,
               const Logger& log, Sleeper& sleeper)
    : options_(std::move(options)),
      transport_(transport),
      credentials_(credentials),
      clock_(clock),
      random_(random),
      log_(log),
      sleeper_(sleeper),
      lead_ms_(kNoLead) {}

Client::Attempt Client::attempt(const sqs::Request& request, const Transport::Request& unsigned_request,
                                const std::atomic<bool>* cancel) {
  const auto credentials = credentials_.get();
  if (!credentials) return {Unexpected(CallError{Kind::Credentials, "", 0, credentials.error().message}), RetryClass::Never, {}};
  Transport::Request http = unsigned_request;
  if (*credentials) {
    const auto url = parse_url(http.url);
    FERRY_CHECK(url.has_value());
    access::SignableRequest signable{http.method, url->path, url->query, {}, http.body};
    for (const auto& [name, value] : http.headers) signable.headers.push_back({name, value});
    auto added = access::sign(signable, **credentials, {options_.region}, clock_.wall());
    http.headers.insert(http.headers.end(), added.begin(), added.end());
  }
  // Not signed: a proxy may rewrite it.
  http.headers.emplace_back("User-Agent", "ferry");

  const auto answer = transport_.perform(http, cancel);
  if (!answer) {
    CallError error = transport_error(answer.error());
    const RetryClass retry = classify_failure(error.kind);
    return {Unexpected(std::move(error)), retry, {}};
  }
  note_date(*answer);
  if (answer->status >= 200 && answer->status < 300) {
    auto decoded = protocol::decode_response(request, answer->body);
    if (decoded) return {*std::move(decoded), RetryClass::Never, {}};
    return {Unexpected(CallError{Kind::BadAnswer, "", answer->status, decoded.error().message}), RetryClass::Never, {}};
  }
  const protocol::RemoteError remote = protocol::decode_error(answer->body, header_of(*answer, "x-amzn-query-error"));
  CallError error = foreign_answer(http.url, answer->status);
  if (!remote.code.empty() || !remote.shape.empty()) {
    error = {Kind::Service, remote.code.empty() ? remote.shape : remote.code, answer->status, remote.message};
    if (error.message.empty()) error.message = error.code;
  }
  return {Unexpected(std::move(error)), classify_answer(answer->status, remote.code, remote.shape),
          parse_retry_after(header_of(*answer, "retry-after"))};
}

void Client::note_date(const Transport::Response& answer) {
  const auto date = parse_http_date(header_of(answer, "date"));
  if (date) lead_ms_.store((*date + Millis(500) - clock_.wall()).count());
}

std::optional<Millis> Client::clock_lead() const {
  const std::int64_t lead = lead_ms_.load();
  return lead == kNoLead ? std::nullopt : std::optional(Millis(lead));
}

CallResult<sqs::Response> Client::call(const sqs::Request& request, std::chrono::milliseconds extra_time,
                                       const std::atomic<bool>* cancel) {
  const auto url = parse_url(options_.endpoint_url);
  if (!url) return Unexpected(CallError{Kind::NotReachable, "", 0, url.error().message});
  const std::string_view action = protocol::action_name(request);
  Transport::Request http;
  http.method = "POST";
  http.url = url->origin() + url->path;
  http.body = protocol::encode_request(request);
  http.timeout = options_.read_timeout + extra_time;
  http.headers = {{"Host", url->authority()},
                  {"Content-Type", "application/x-amz-json-1.0"},
                  {"X-Amz-Target", fmt::format("AmazonSQS.{}", action)},
                  {"x-amzn-query-mode", "true"}};

  for (int number = 1;; ++number) {
    if (cancel != nullptr && cancel->load()) return Unexpected(CallError{Kind::Cancelled, "", 0, "cancelled"});
    const SteadyTime start = clock_.steady();
    Attempt done = attempt(request, http, cancel);
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(clock_.steady() - start);
    const bool again = !done.result && done.retry != RetryClass::Never && number < options_.attempts_max;
    const auto delay = again ? retry_delay(done.retry, number, done.retry_after, random_) : std::chrono::milliseconds(0);
    if (log_.enabled(LogLevel::Debug)) {
      const bool ok = done.result.has_value();
      log_.debug("sqs call", {{"action", action},
                              {"url", http.url},
                              {"attempt", number},
                              {"ms", took.count()},
                              {"status", ok ? 200 : done.result.error().http_status},
                              {"code", ok ? std::string() : done.result.error().code},
                              {"error", ok ? std::string() : done.result.error().message},
                              {"retry_ms", delay.count()}});
    }
    if (!again) return std::move(done.result);
    sleeper_.sleep(delay, cancel);
  }
}

namespace {
template <class T>
CallResult<T> take(CallResult<sqs::Response>&& answer) {
  FERRY_TRY(sqs::Response response, std::move(answer));
  if (T* value = std::get_if<T>(&response)) return std::move(*value);
  return Unexpected(CallError{Kind::BadAnswer, "", 200, "the answer belongs to another action"});
}

CallError damaged(std::string_view fault) {
  return {Kind::BadAnswer, "", 200, fmt::format("the message was changed on its way: {}", fault)};
}
}  // namespace

template <class T>
CallResult<T> Client::call_for(const sqs::Request& request) {
  return take<T>(call(request, std::chrono::milliseconds(0), &given_up_));
}

CallResult<sqs::CreateQueueResponse> Client::create_queue(const sqs::CreateQueueRequest& request) {
  return call_for<sqs::CreateQueueResponse>(request);
}
CallResult<sqs::GetQueueUrlResponse> Client::get_queue_url(const sqs::GetQueueUrlRequest& request) {
  return call_for<sqs::GetQueueUrlResponse>(request);
}
CallResult<sqs::ListQueuesResponse> Client::list_queues(const sqs::ListQueuesRequest& request) {
  return call_for<sqs::ListQueuesResponse>(request);
}
CallResult<sqs::EmptyResponse> Client::delete_queue(const sqs::DeleteQueueRequest& request) {
  return call_for<sqs::EmptyResponse>(request);
}
CallResult<sqs::GetQueueAttributesResponse> Client::get_queue_attributes(const sqs::GetQueueAttributesRequest& request) {
  return call_for<sqs::GetQueueAttributesResponse>(request);
}
CallResult<sqs::EmptyResponse> Client::set_queue_attributes(const sqs::SetQueueAttributesRequest& request) {
  return call_for<sqs::EmptyResponse>(request);
}
CallResult<sqs::EmptyResponse> Client::purge_queue(const sqs::PurgeQueueRequest& request) {
  return call_for<sqs::EmptyResponse>(request);
}

CallResult<sqs::SendMessageResponse> Client::send_message(const sqs::SendMessageRequest& request) {
  auto answer = call_for<sqs::SendMessageResponse>(request);
  if (!answer) return answer;
  if (const auto fault = check_sent(request.entry, *answer)) return Unexpected(damaged(*fault));
  return answer;
}

CallResult<sqs::SendMessageBatchResponse> Client::send_message_batch(const sqs::SendMessageBatchRequest& request) {
  auto answer = call_for<sqs::SendMessageBatchResponse>(request);
  if (!answer) return answer;
  if (const auto fault = check_sent(request, *answer)) return Unexpected(damaged(*fault));
  return answer;
}

CallResult<sqs::ReceiveMessageResponse> Client::receive_message(const sqs::ReceiveMessageRequest& request,
                                                                const std::atomic<bool>* cancel) {
  const std::chrono::seconds wait(request.wait_time_seconds.value_or(kLongestPoll.count()));
  auto answer = take<sqs::ReceiveMessageResponse>(call(request, wait, cancel));
  if (!answer) return answer;
  if (const auto fault = check_received(*answer)) return Unexpected(damaged(*fault));
  return answer;
}

CallResult<sqs::EmptyResponse> Client::delete_message(const sqs::DeleteMessageRequest& request) {
  return call_for<sqs::EmptyResponse>(request);
}
CallResult<sqs::DeleteMessageBatchResponse> Client::delete_message_batch(const sqs::DeleteMessageBatchRequest& request) {
  return call_for<sqs::DeleteMessageBatchResponse>(request);
}
CallResult<sqs::EmptyResponse> Client::change_message_visibility(const sqs::ChangeMessageVisibilityRequest& request) {
  return call_for<sqs::EmptyResponse>(request);
}
CallResult<sqs::ChangeMessageVisibilityBatchResponse> Client::change_message_visibility_batch(
    const sqs::ChangeMessageVisibilityBatchRequest& request) {
  return call_for<sqs::ChangeMessageVisibilityBatchResponse>(request);
}
CallResult<sqs::EmptyResponse> Client::tag_queue(const sqs::TagQueueRequest& request) {
  return call_for<sqs::EmptyResponse>(request);
}
CallResult<sqs::EmptyResponse> Client::untag_queue(const sqs::UntagQueueRequest& request) {
  return call_for<sqs::EmptyResponse>(request);
}
CallResult<sqs::ListQueueTagsResponse> Client::list_queue_tags(const sqs::ListQueueTagsRequest& request) {
  return call_for<sqs::ListQueueTagsResponse>(request);
}
CallResult<sqs::ListDeadLetterSourceQueuesResponse> Client::list_dead_letter_source_queues(
    const sqs::ListDeadLetterSourceQueuesRequest& request) {
  return call_for<sqs::ListDeadLetterSourceQueuesResponse>(request);
}
CallResult<sqs::StartMessageMoveTaskResponse> Client::start_message_move_task(const sqs::StartMessageMoveTaskRequest& request) {
  return call_for<sqs::StartMessageMoveTaskResponse>(request);
}
CallResult<sqs::ListMessageMoveTasksResponse> Client::list_message_move_tasks(const sqs::ListMessageMoveTasksRequest& request) {
  return call_for<sqs::ListMessageMoveTasksResponse>(request);
}
CallResult<sqs::CancelMessageMoveTaskResponse> Client::cancel_message_move_task(
    const sqs::CancelMessageMoveTaskRequest& request) {
  return call_for<sqs::CancelMessageMoveTaskResponse>(request);
}

}  // namespace ferry::client

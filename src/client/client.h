#pragma once
// An SQS client for any endpoint: transport, signing, retries, credentials. JSON protocol.
// Thread-safe; calls block the calling thread.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "access/sigv4.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "base/result.h"
#include "client/sleeper.h"
#include "sqs/api.h"

namespace ferry::client {

/// Where credentials come from; see credentials.h for the chain. Thread-safe.
class CredentialSource {
 public:
  virtual ~CredentialSource() = default;
  /// Nothing: the source has none (requests go unsigned). Blocks when it has to fetch or refresh.
  virtual Result<std::optional<access::Credentials>> get() = 0;
};

/// Why a call failed.
struct CallError {
  enum class Kind {
    Service,       ///< the service answered with an error: code, http_status
    NotReachable,  ///< no connection, no name, TLS refused: nothing was sent
    Unknown,       ///< sent, but no whole answer came: it may have happened
    BadAnswer,     ///< an answer that is no answer to this call (an MD5 that does not match, no JSON)
    Credentials,   ///< they could not be had
    Cancelled,
  };
  Kind kind;
  std::string code;  ///< Service: the Query code, e.g. "AWS.SimpleQueueService.NonExistentQueue"
  int http_status = 0;
  std::string message;  ///< for people
};
template <class T>
using CallResult = Result<T, CallError>;

struct ClientOptions {
  std::string endpoint_url = "http://127.0.0.1:9324";
  std::string region = "us-east-1";
  int attempts_max = 3;  ///< of one call, the first included; with backoff and full jitter
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds read_timeout{60'000};  ///< beyond WaitTimeSeconds for a long poll
};

/// Bytes to and from one HTTP endpoint; a seam for tests. Thread-safe, blocking.
class Transport {
 public:
  struct Request {
    std::string method;
    std::string url;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;
    std::chrono::milliseconds timeout{0};
  };
  struct Response {
    int status = 0;
    std::vector<std::pair<std::string, std::string>> headers;  ///< names in lower case
    std::string body;
  };
  virtual ~Transport() = default;
  /// Unavailable: nothing was sent. Timeout: sent, no whole answer. Cancelled: `cancel` became true. Corrupt: an answer that
  /// cannot be taken. InvalidArgument: a request that cannot be sent (a line break in a header).
  virtual Result<Response> perform(const Request& request, const std::atomic<bool>* cancel) = 0;
};

/// Proxies of the environment (http_proxy, https_proxy, no_proxy) are used or not. They never are for loopback hosts.
enum class ProxyUse { Environment, Never };
struct TransportOptions {
  std::chrono::milliseconds connect_timeout{5'000};
  std::string ca_bundle;  ///< a file of certificates (AWS_CA_BUNDLE) instead of the system's; empty: the system's
  ProxyUse proxies = ProxyUse::Environment;
  std::size_t answer_bytes_max = 32 * 1024 * 1024;  ///< a batch of 1 MiB in JSON, escaped, several times over
};
/// libcurl, connections kept alive and shared between threads. Certificates are verified, redirects are not followed.
/// A larger answer than allowed is Corrupt. A true `cancel` is noticed within 100 ms.
std::unique_ptr<Transport> make_curl_transport(const TransportOptions& options);

class Client {
 public:
  /// Everything outlives the client. `random` is used by the threads that call (SystemRandom when there are several).
  Client(ClientOptions options, Transport& transport, CredentialSource& credentials, const Clock& clock, Random& random,
         const Logger& log, Sleeper& sleeper = system_sleeper());

  const ClientOptions& options() const { return options_; }

  /// Calls without a `cancel` of their own that are under way end as Kind::Cancelled within 100 ms, those to come at once. For
  /// good; thread-safe.
  void give_up() { given_up_.store(true); }

  CallResult<sqs::CreateQueueResponse> create_queue(const sqs::CreateQueueRequest& request);
  CallResult<sqs::GetQueueUrlResponse> get_queue_url(const sqs::GetQueueUrlRequest& request);
  CallResult<sqs::ListQueuesResponse> list_queues(const sqs::ListQueuesRequest& request);
  CallResult<sqs::EmptyResponse> delete_queue(const sqs::DeleteQueueRequest& request);
  CallResult<sqs::GetQueueAttributesResponse> get_queue_attributes(const sqs::GetQueueAttributesRequest& request);
  CallResult<sqs::EmptyResponse> set_queue_attributes(const sqs::SetQueueAttributesRequest& request);
  CallResult<sqs::EmptyResponse> purge_queue(const sqs::PurgeQueueRequest& request);
  /// The MD5s of the answer are checked against what was sent.
  CallResult<sqs::SendMessageResponse> send_message(const sqs::SendMessageRequest& request);
  CallResult<sqs::SendMessageBatchResponse> send_message_batch(const sqs::SendMessageBatchRequest& request);
  /// MD5s are checked; a message whose MD5 does not match is BadAnswer. `cancel` ends a long poll early (Kind::Cancelled).
  CallResult<sqs::ReceiveMessageResponse> receive_message(const sqs::ReceiveMessageRequest& request,
                                                          const std::atomic<bool>* cancel = nullptr);
  CallResult<sqs::EmptyResponse> delete_message(const sqs::DeleteMessageRequest& request);
  CallResult<sqs::DeleteMessageBatchResponse> delete_message_batch(const sqs::DeleteMessageBatchRequest& request);
  CallResult<sqs::EmptyResponse> change_message_visibility(const sqs::ChangeMessageVisibilityRequest& request);
  CallResult<sqs::ChangeMessageVisibilityBatchResponse> change_message_visibility_batch(
      const sqs::ChangeMessageVisibilityBatchRequest& request);
  CallResult<sqs::EmptyResponse> tag_queue(const sqs::TagQueueRequest& request);
  CallResult<sqs::EmptyResponse> untag_queue(const sqs::UntagQueueRequest& request);
  CallResult<sqs::ListQueueTagsResponse> list_queue_tags(const sqs::ListQueueTagsRequest& request);
  CallResult<sqs::ListDeadLetterSourceQueuesResponse> list_dead_letter_source_queues(
      const sqs::ListDeadLetterSourceQueuesRequest& request);
  CallResult<sqs::StartMessageMoveTaskResponse> start_message_move_task(const sqs::StartMessageMoveTaskRequest& request);
  CallResult<sqs::ListMessageMoveTasksResponse> list_message_move_tasks(const sqs::ListMessageMoveTasksRequest& request);
  CallResult<sqs::CancelMessageMoveTaskResponse> cancel_message_move_task(const sqs::CancelMessageMoveTaskRequest& request);

  /// How far the server's clock is ahead of ours (negative: behind), by the Date of its latest answer of any kind. That header
  /// tells whole seconds, so the value may be wrong by half a second and by the time of the answer's way. Nothing before
  /// the first answer, and from a server that sends no Date.
  std::optional<Millis> clock_lead() const;

 private:
  /// What one attempt came to.
  struct Attempt;

  CallResult<sqs::Response> call(const sqs::Request& request, std::chrono::milliseconds extra_time,
                                 const std::atomic<bool>* cancel);
  Attempt attempt(const sqs::Request& request, const Transport::Request& unsigned_request, const std::atomic<bool>* cancel);
  template <class T>
  CallResult<T> call_for(const sqs::Request& request);
  void note_date(const Transport::Response& answer);

  ClientOptions options_;
  Transport& transport_;
  CredentialSource& credentials_;
  const Clock& clock_;
  Random& random_;
  const Logger& log_;
  Sleeper& sleeper_;
  std::atomic<bool> given_up_{false};
  std::atomic<std::int64_t> lead_ms_;  // kNoLead before the first Date
};

}  // namespace ferry::client

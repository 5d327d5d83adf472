#pragma once
// One request: identify → decode → authorise → validate → engine → wait for the disk → answer. And the long polls.

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "access/keys.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "engine/engine.h"
#include "http/server.h"
#include "metrics/counters.h"
#include "protocol/codec.h"
#include "service/commit_gate.h"
#include "service/identity.h"
#include "sqs/validation.h"
#include "store/store.h"

namespace ferry::service {

class Poll;

/// The polls of one loop that wait now, so that a shutdown can answer them. The loop's thread only.
class PollSet {
 public:
  void add(const std::shared_ptr<Poll>& poll) { polls_.insert(poll); }
  void remove(const std::shared_ptr<Poll>& poll) { polls_.erase(poll); }
  void end_all();

 private:
  std::unordered_set<std::shared_ptr<Poll>> polls_;  // the second owner beside the queue's list of waiters
};

/// What of an HTTP request is still needed when its answer is made.
struct RequestContext {
  std::shared_ptr<http::Exchange> exchange;
  protocol::WireProtocol protocol = protocol::WireProtocol::Json;
  std::string action;
  std::string request_id;
  Identity identity;
};
using ContextRef = std::shared_ptr<RequestContext>;

/// What an action decided: the answer, and what must be durable before it may leave.
struct Outcome {
  sqs::ApiResult<sqs::Response> result;
  store::Position seen;
};

struct FoundQueue {
  engine::QueueRef queue;
  std::string name;
  store::Position seen;
};
struct QueueFailure {
  sqs::ApiError error;
  store::Position seen;
};

/// A checked SendMessage request, not hashed yet.
struct WaitingSend {
  ContextRef context;
  engine::QueueRef queue;
  sqs::SendMessageEntry entry;
};

struct ServiceOptions {
  std::string fallback_host;  ///< host:port of queue URLs for requests without a Host header
};

class Service final : public http::Handler {
 public:
  /// All outlive the service. `keys` may be null: signatures are not asked for.
  Service(engine::Engine& engine, store::Store& store, const access::KeyRing* keys, const Clock& clock, Random& random,
          const Logger& log, ServiceOptions options);
  ~Service() override;

  /// Once, after Server::bind() and before Server::start(); `server` outlives the service's use.
  void attach(http::Server& server);

  void handle(const std::shared_ptr<http::Exchange>& exchange) override;

  /// From the store's commit thread: answers up to the store's durable position may leave.
  void on_durable();

  /// /health/ready answers 503 from now on, waiting polls are answered empty, new ones do not wait. Thread-safe.
  void drain();

  const metrics::ServiceCounters& counters() const { return counters_; }

 private:
  friend class MessageFetch;
  friend class Peek;
  friend class Poll;

  // What belongs to one event loop; used on its thread, but for CommitGate::ring().
  struct LoopState {
    LoopState(http::Loop& its_loop, const store::Store& store) : loop(its_loop), gate(its_loop, store) {}
    http::Loop& loop;
    CommitGate gate;
    PollSet polls;
    std::vector<WaitingSend> sends;  // SendMessage requests of this turn, to be hashed side by side
  };
  LoopState& state_of(const RequestContext& context) { return *loops_[context.exchange->loop().index()]; }

  void handle_api(const std::shared_ptr<http::Exchange>& exchange);
  bool handle_operations(const std::shared_ptr<http::Exchange>& exchange);
  http::Response metrics_page();

  void dispatch(const ContextRef& context, sqs::Request&& request);
  /// A request on the path of peek.h.
  void start_peek(const ContextRef& context, const protocol::WireRequest& wire);
  void start_receive(const ContextRef& context, sqs::ReceiveMessageRequest&& request);
  /// Checks, and leaves the rest to the end of the loop's turn.
  void start_send(const ContextRef& context, sqs::SendMessageRequest&& request);
  void finish_sends(LoopState& state);

  Outcome run(const ContextRef& context, sqs::CreateQueueRequest& request);
  Outcome run(const ContextRef& context, sqs::GetQueueUrlRequest& request);
  Outcome run(const ContextRef& context, sqs::ListQueuesRequest& request);
  Outcome run(const ContextRef& context, sqs::DeleteQueueRequest& request);
  Outcome run(const ContextRef& context, sqs::GetQueueAttributesRequest& request);
  Outcome run(const ContextRef& context, sqs::SetQueueAttributesRequest& request);
  Outcome run(const ContextRef& context, sqs::PurgeQueueRequest& request);
  Outcome run(const ContextRef& context, sqs::SendMessageBatchRequest& request);
  Outcome run(const ContextRef& context, sqs::DeleteMessageRequest& request);
  Outcome run(const ContextRef& context, sqs::DeleteMessageBatchRequest& request);
  Outcome run(const ContextRef& context, sqs::ChangeMessageVisibilityRequest& request);
  Outcome run(const ContextRef& context, sqs::ChangeMessageVisibilityBatchRequest& request);
  Outcome run(const ContextRef& context, sqs::TagQueueRequest& request);
  Outcome run(const ContextRef& context, sqs::UntagQueueRequest& request);
  Outcome run(const ContextRef& context, sqs::ListQueueTagsRequest& request);
  Outcome run(const ContextRef& context, sqs::AddPermissionRequest& request);
  Outcome run(const ContextRef& context, sqs::RemovePermissionRequest& request);
  Outcome run(const ContextRef& context, sqs::ListDeadLetterSourceQueuesRequest& request);
  Outcome run(const ContextRef& context, sqs::StartMessageMoveTaskRequest& request);
  Outcome run(const ContextRef& context, sqs::ListMessageMoveTasksRequest& request);
  Outcome run(const ContextRef& context, sqs::CancelMessageMoveTaskRequest& request);

  /// The queue that a QueueUrl (or a bare name) of this caller means, when the caller may do `action` on it.
  Result<FoundQueue, QueueFailure> find_queue(const ContextRef& context, const sqs::OptionalText& queue_url,
                                              std::string_view action);
  /// The queue that an ARN in `parameter` means, when the caller may do `action` on it. ResourceNotFound: an ARN of another
  /// account or region, of which nothing can exist here for this caller.
  sqs::ApiResult<engine::QueueKey> key_of(const ContextRef& context, const sqs::QueueArn& arn, std::string_view action,
                                          std::string_view parameter);
  /// AccessDenied, counted, unless the caller's key has the grant.
  sqs::ApiResult<void> allow(const ContextRef& context, std::string_view action, std::string_view queue_name);
  std::string url_of(const ContextRef& context, std::string_view queue_name) const;
  struct Page {
    std::vector<std::string> urls;
    sqs::OptionalText next_token;
  };
  Page page_of(const ContextRef& context, const sqs::ListParameters& parameters, const engine::Engine::Listing& listing) const;

  /// Answers when what the outcome has seen is durable.
  void finish(const ContextRef& context, Outcome&& outcome);
  http::Response answer_to(const RequestContext& context, const sqs::ApiResult<sqs::Response>& result);

  engine::Engine& engine_;
  store::Store& store_;
  const Clock& clock_;
  Random& random_;
  const Logger& log_;
  ServiceOptions options_;
  IdentityCheck identity_check_;
  bool keys_required_;
  metrics::ServiceCounters counters_;
  http::Server* server_ = nullptr;
  std::vector<std::unique_ptr<LoopState>> loops_;  // by index, constant after attach()
  std::atomic<bool> draining_{false};
};

}  // namespace ferry::service

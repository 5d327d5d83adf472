#include "service/peek.h"

#include <algorithm>

#include "base/encoding.h"
#include "protocol/query_parameters.h"
#include "sqs/limits.h"

namespace ferry::service {
namespace {

constexpr std::string_view kPath = "/_aws/sqs/messages";
constexpr std::size_t kLookAhead = 100;                     // index entries for one hold of the queue's lock
constexpr std::size_t kReadAtOnce = 10;                     // bodies, of up to a megabyte
constexpr std::string_view kNoReceiptHandle = "peek-only";  // clients want something there

// REGION/ACCOUNT/NAME behind the path.
struct PathQueue {
  std::string region;
  std::string queue_url;
};
std::optional<PathQueue> queue_of(std::string_view path) {
  path.remove_prefix(kPath.size());
  if (path.empty() || path == "/") return std::nullopt;
  const std::string decoded = percent_decode(path.substr(1)).value_or("");
  const std::size_t slash = std::min(decoded.find('/'), decoded.size());
  return PathQueue{decoded.substr(0, slash), decoded.substr(slash)};
}

bool is_set(const protocol::QueryParameters& parameters, std::string_view name) {
  const std::string* value = parameters.find(name);
  return value != nullptr && equals_ignore_case(*value, "true");
}

}  // namespace

bool is_peek_path(std::string_view path) {
  return path.starts_with(kPath) && (path.size() == kPath.size() || path[kPath.size()] == '/');
}

sqs::ApiResult<PeekRequest> decode_peek(protocol::WireProtocol protocol, const protocol::WireRequest& wire) {
  const bool json = protocol == protocol::WireProtocol::Json;
  FERRY_TRY(const auto parameters, protocol::QueryParameters::parse(wire.query, json ? std::string_view() : wire.body));
  // The action need not be named, and the path is no queue's.
  protocol::WireRequest receive = wire;
  receive.path = "/";
  const std::string query = "Action=ReceiveMessage&" + std::string(wire.query);
  if (!json) receive.query = query;
  FERRY_TRY(protocol::DecodedRequest decoded, protocol::decode(protocol, receive));
  auto* request = std::get_if<sqs::ReceiveMessageRequest>(&decoded.request);
  if (request == nullptr) {
    return sqs::api_fail(sqs::ErrorCode::UnknownOperation, "The action " + decoded.action + " is not valid for this endpoint.");
  }
  PeekRequest peek;
  peek.queue_url = std::move(request->queue_url);
  peek.show_invisible = is_set(parameters, "ShowInvisible");
  peek.show_delayed = is_set(parameters, "ShowDelayed");
  if (auto in_path = queue_of(wire.path)) {
    peek.region = std::move(in_path->region);
    peek.queue_url = std::move(in_path->queue_url);
  }
  return peek;
}

Peek::Peek(Service& service, ContextRef context, engine::QueueRef queue, const PeekRequest& request)
    : service_(service),
      context_(std::move(context)),
      queue_(std::move(queue)),
      show_invisible_(request.show_invisible),
      show_delayed_(request.show_delayed),
      selection_{{}, sqs::AttributeFilter({"All"})} {
  selection_.system_attributes.insert_all();
}

void Peek::step() {
  const bool full = response_.messages.size() >= sqs::kPeekMessagesMax || bytes_ >= sqs::kPeekBytesMax;
  if (full) return answer();
  if (glimpses_.empty() && !look()) return;
  std::vector<engine::Engine::Glimpse> slice;
  std::vector<engine::Delivery> deliveries;
  const std::size_t count = std::min({glimpses_.size(), kReadAtOnce, sqs::kPeekMessagesMax - response_.messages.size()});
  for (std::size_t i = 0; i < count; ++i) {
    deliveries.push_back(glimpses_.front().message);
    slice.push_back(std::move(glimpses_.front()));
    glimpses_.pop_front();
  }
  const auto done = [self = shared_from_this(), slice = std::move(slice)](MessageFetch::Fetched&& fetched) {
    self->add(slice, std::move(fetched));
    self->context_->exchange->loop().post([self] { self->step(); });
  };
  std::make_shared<MessageFetch>(service_, context_, queue_, selection_, std::move(deliveries), done)->start();
}

bool Peek::look() {
  if (scanned_ >= sqs::kPeekScannedMax) return answer(), false;
  auto found = service_.engine_.peek(queue_, after_, kLookAhead);
  seen_ = std::max(seen_, found.seen);
  if (!found.result) {
    service_.finish(context_, {Unexpected(std::move(found.result).error()), seen_});
    return false;
  }
  if (found.result->empty()) return answer(), false;
  scanned_ += found.result->size();
  after_ = found.result->back().message.sequence;
  for (engine::Engine::Glimpse& glimpse : *found.result) {
    if (shows(glimpse)) glimpses_.push_back(std::move(glimpse));
  }
  return true;
}

bool Peek::shows(const engine::Engine::Glimpse& glimpse) const {
  using State = engine::Engine::Glimpse::State;
  return glimpse.state == State::Visible || (glimpse.state == State::InFlight && show_invisible_) ||
         (glimpse.state == State::Delayed && show_delayed_);
}

void Peek::add(const std::vector<engine::Engine::Glimpse>& glimpses, MessageFetch::Fetched&& fetched) {
  using State = engine::Engine::Glimpse::State;
  for (std::size_t i = 0; i < glimpses.size() && bytes_ < sqs::kPeekBytesMax; ++i) {
    if (!fetched.messages[i]) continue;
    sqs::Message& message = *fetched.messages[i];
    message.receipt_handle = kNoReceiptHandle;
    if (show_invisible_) message.attributes.emplace_back("IsVisible", glimpses[i].state == State::InFlight ? "false" : "true");
    if (show_delayed_) message.attributes.emplace_back("IsDelayed", glimpses[i].state == State::Delayed ? "true" : "false");
    bytes_ += message.body.size() + sqs::attributes_bytes(message.message_attributes);
    response_.messages.push_back(std::move(message));
  }
}

void Peek::answer() {
  service_.finish(context_, {sqs::Response(std::move(response_)), seen_});
}

}  // namespace ferry::service

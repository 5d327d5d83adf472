#include "ferry/sender.h"

#include <fmt/format.h>

#include "base/process.h"
#include "base/trace_context.h"
#include "config/handoff.h"
#include "library/conversions.h"
#include "library/core.h"
#include "library/failure.h"
#include "sender/compose.h"
#include "sender/trace.h"
#include "signing/key_file.h"
#include "signing/signer.h"

namespace ferry {
namespace {

std::optional<std::string> variable(const client::Environment& environment, const std::string& name) {
  const auto found = environment.find(name);
  if (found == environment.end()) return std::nullopt;
  return found->second;
}

Result<signing::PrivateKey> load_key(const std::string& word) {
  const client::Environment environment = client::process_environment();
  FERRY_TRY(const std::string path,
            signing::key_path(word, [&environment](const std::string& name) { return variable(environment, name); }));
  return signing::load_private_key(path);
}
}  // namespace

struct Sender::State {
  std::shared_ptr<library::Core> core;  // alone
  library::Core::FoundQueue queue;
  std::string user;
  std::optional<signing::PrivateKey> key;
  std::optional<config::Handoff> handoff;

  Result<sqs::SendMessageEntry> compose(const Request& request) const;
  Result<void> stamp(const Request& request, sqs::SendMessageEntry& entry) const;
};

// What `ferry send --request` makes of it, and what only a program can add.
Result<sqs::SendMessageEntry> Sender::State::compose(const Request& request) const {
  auto composed = sender::compose_request({request.name, {request.parameter.text()}}, {user, core->clock().wall()},
                                          handoff ? &*handoff : nullptr);
  if (!composed) return fail(ErrorKind::InvalidArgument, composed.error().text());
  sqs::SendMessageEntry entry = std::move(composed->front());
  if (!request.body.empty()) entry.message_body = request.body;
  if (request.attributes.contains(request.name))
    return fail(ErrorKind::InvalidArgument, fmt::format("{} is the request itself, and among its attributes, too", request.name));
  for (auto& attribute : library::to_wire(request.attributes)) entry.message_attributes.push_back(std::move(attribute));
  if (request.delay) entry.delay_seconds = request.delay->count();
  entry.message_group_id = request.group_id;
  entry.message_deduplication_id = request.deduplication_id;
  if (const auto refused = sender::message_refusal(entry)) return fail(ErrorKind::InvalidArgument, *refused);
  FERRY_TRY_VOID(stamp(request, entry));
  return entry;
}

Result<void> Sender::State::stamp(const Request& request, sqs::SendMessageEntry& entry) const {
  if (request.valid_for && !key)
    return fail(ErrorKind::InvalidArgument, "valid_for is part of what is signed; name a signing_key");
  if (request.valid_for && *request.valid_for < Millis(1))
    return fail(ErrorKind::InvalidArgument, "valid_for must be 1 ms or longer");
  if (request.traceparent && !parse_traceparent(*request.traceparent))
    return fail(ErrorKind::InvalidArgument, "traceparent is none of W3C Trace Context, version 00");
  if (request.tracestate && !request.traceparent)
    return fail(ErrorKind::InvalidArgument, "tracestate has no meaning without traceparent");
  if (request.tracestate && !is_tracestate(*request.tracestate)) {
    return fail(ErrorKind::InvalidArgument,
                fmt::format("tracestate must have 1 to {} bytes of printable ASCII", kTracestateBytesMax));
  }
  std::optional<sender::Trace> trace;
  if (request.traceparent) trace = sender::Trace{*request.traceparent, request.tracestate.value_or("")};
  signing::Stamp stamp;
  stamp.queue = queue.name;
  stamp.idempotency_key = request.idempotency_key;
  stamp.valid_for = request.valid_for;
  const signing::Stamper stamper(key ? &*key : nullptr, core->clock(), core->random());
  const auto stamped = sender::stamp_traced(stamper, entry, std::move(stamp), trace ? &*trace : nullptr);
  if (!stamped) return Unexpected(stamped.error());
  return {};
}

Expected<Sender> Sender::open(const SenderOptions& options) {
  auto state = std::make_unique<State>();
  if (options.queue.empty()) return library::refusal("no queue is named");
  if (!options.handoff.empty()) {
    auto handoff = config::load_handoff(options.handoff);
    if (!handoff) return library::refusal(handoff.error().text());
    state->handoff = std::move(*handoff);
  }
  if (!options.signing_key.empty()) {
    auto key = load_key(options.signing_key);
    if (!key) return library::failure_of(key.error());
    state->key = std::move(*key);
  }
  state->user = options.user.empty() ? current_user_name() : options.user;
  auto core = library::Core::open(options.connection, options.queue);
  if (!core) return std::move(core).error();
  state->core = std::move(*core);
  auto queue = state->core->find_queue(options.queue);
  if (!queue) return std::move(queue).error();
  state->queue = std::move(*queue);
  return Sender(std::move(state));
}

Sender::Sender(std::unique_ptr<State> state) : state_(std::move(state)) {}
Sender::~Sender() = default;
Sender::Sender(Sender&& other) noexcept = default;
Sender& Sender::operator=(Sender&& other) noexcept = default;

Expected<SentMessage> Sender::send(const Request& request) {
  auto sent = send_all(std::span(&request, 1));
  if (!sent) return std::move(sent).error();
  return std::move(sent->front());
}

Expected<std::vector<Expected<SentMessage>>> Sender::send_all(std::span<const Request> requests) {
  std::vector<sqs::SendMessageEntry> entries;
  std::vector<std::string> refusals;
  entries.reserve(requests.size());
  for (std::size_t i = 0; i < requests.size(); ++i) {
    auto entry = state_->compose(requests[i]);
    if (entry) {
      entries.push_back(std::move(*entry));
    } else if (requests.size() == 1) {
      refusals.push_back(std::move(entry).error().message);
    } else {
      refusals.push_back(fmt::format("request {}: {}", i + 1, entry.error().message));
    }
  }
  if (!refusals.empty()) return library::refusal(fmt::format("{}", fmt::join(refusals, "\n")));
  std::vector<Expected<SentMessage>> results;
  results.reserve(entries.size());
  for (const auto& sent : state_->core->send(state_->queue.url, entries)) {
    if (sent) {
      results.emplace_back(library::from_wire(*sent));
    } else {
      results.emplace_back(sent.error());
    }
  }
  return results;
}

}  // namespace ferry

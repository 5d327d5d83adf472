#include "service/service.h"

#include <fmt/format.h>

#include "service/peek.h"
#include "service/poll.h"
#include "service/queue_metrics.h"

namespace ferry::service {

namespace {
http::Response text_response(int status, std::string_view content_type, std::string body) {
  http::Response response;
  response.status = status;
  response.content_type = content_type;
  response.body = std::move(body);
  return response;
}

bool is_loopback(std::string_view peer) {
  return peer.starts_with("127.") || peer == "::1" || peer.starts_with("::ffff:127.");
}
}  // namespace

Service::Service(engine::Engine& engine, store::Store& store, const access::KeyRing* keys, const Clock& clock, Random& random,
                 const Logger& log, ServiceOptions options)
    : engine_(engine),
      store_(store),
      clock_(clock),
      random_(random),
      log_(log),
      options_(std::move(options)),
      identity_check_(keys, clock),
      keys_required_(keys != nullptr) {}

Service::~Service() = default;

void Service::attach(http::Server& server) {
  server_ = &server;
  for (http::Loop* loop : server.loops()) {
    FERRY_CHECK(loop->index() == loops_.size());
    loops_.push_back(std::make_unique<LoopState>(*loop, store_));
  }
}

void Service::on_durable() {
  for (const auto& state : loops_) state->gate.ring();
}

void Service::drain() {
  draining_.store(true);
  for (const auto& state : loops_) {
    state->loop.post([polls = &state->polls] { polls->end_all(); });
  }
}

void Service::handle(const std::shared_ptr<http::Exchange>& exchange) {
  if (!handle_operations(exchange)) handle_api(exchange);
}

bool Service::handle_operations(const std::shared_ptr<http::Exchange>& exchange) {
  const http::Request& request = exchange->request();
  if (request.method != "GET" || request.path.empty()) return false;
  if (request.path == "/health/live") {
    exchange->respond(text_response(200, "application/json", "{\"status\":\"live\"}\n"));
    return true;
  }
  if (request.path == "/health/ready") {
    const bool draining = draining_.load();
    const bool writable = store_.writable();
    if (!draining && writable) {
      exchange->respond(text_response(200, "application/json", "{\"status\":\"ready\"}\n"));
    } else {
      const std::string_view reason = draining ? "the server is stopping" : "the store takes no new messages now";
      exchange->respond(
          text_response(503, "application/json", fmt::format("{{\"status\":\"not ready\",\"reasons\":[\"{}\"]}}\n", reason)));
    }
    return true;
  }
  if (request.path == "/metrics") {
    // Where keys are asked for, the sums are shown to this machine alone.
    exchange->respond(keys_required_ && !is_loopback(request.peer)
                          ? text_response(403, "text/plain", "Metrics are shown to this machine only.\n")
                          : metrics_page());
    return true;
  }
  return false;
}

http::Response Service::metrics_page() {
  metrics::PrometheusText page;
  page.counter("ferry_requests_total", "API requests received.", counters_.requests.value());
  page.counter("ferry_errors_sender_total", "API requests answered with a fault of the sender.", counters_.errors_sender.value());
  page.counter("ferry_errors_receiver_total", "API requests answered with a fault of the server.",
               counters_.errors_receiver.value());
  page.counter("ferry_refused_access_total", "API requests refused for their signature, grant or origin.",
               counters_.refused_access.value());
  page.counter("sqs_messages_sent_total", "Messages sent.", counters_.messages_sent.value());
  page.counter("sqs_messages_received_total", "Messages received.", counters_.messages_received.value());
  page.counter("sqs_messages_deleted_total", "Messages deleted by their consumers.", counters_.messages_deleted.value());
  page.counter("sqs_empty_receives_total", "Receives that gave nothing.", counters_.empty_receives.value());
  page.counter("ferry_damaged_bodies_total", "Bodies that were found damaged on disk.", counters_.damaged_bodies.value());
  const engine::Engine::Totals totals = engine_.totals();
  page.gauge("ferry_queues", "Queues.", totals.queues);
  page.gauge("ferry_messages", "Messages in all queues, whatever their state.", totals.messages);
  page.gauge("ferry_messages_quarantined", "Messages that are kept but not served because their bytes are damaged.",
             totals.quarantined);
  page.gauge("ferry_index_bytes", "Memory of the index.", totals.index_bytes);
  const store::StoreStats stats = store_.stats();
  page.counter("ferry_store_groups_total", "Groups written to the journal.", stats.groups);
  page.counter("ferry_store_syncs_total", "Syncs of group writes.", stats.syncs);
  page.counter("ferry_store_records_total", "Records appended.", stats.records);
  page.counter("ferry_store_payload_bytes_total", "Payload bytes appended.", stats.payload_bytes);
  page.counter("ferry_store_written_bytes_total", "Bytes of groups written, padding included.", stats.written_bytes);
  page.counter("ferry_store_checkpoints_total", "Checkpoints written.", stats.checkpoints);
  page.counter("ferry_store_compacted_bytes_total", "Bytes copied by compaction.", stats.compacted_bytes);
  page.gauge("ferry_store_disk_bytes", "Size of the data folder's files.", stats.disk_bytes);
  page.gauge("ferry_store_live_body_bytes", "Bytes of bodies that are still needed.", stats.live_body_bytes);
  page.gauge("ferry_store_segments", "Segment files.", stats.segments);
  const http::ServerStats server = server_->stats();
  page.counter("ferry_http_requests_total", "HTTP requests.", server.requests);
  page.counter("ferry_http_refused_total", "HTTP requests refused by the parser or a limit.", server.refused);
  page.counter("ferry_http_connections_total", "Connections accepted.", server.connections_accepted);
  page.gauge("ferry_http_connections_open", "Connections open now.", server.connections_open);
  constexpr std::string_view kMethod = "ferry_store_sync_method_info";
  return text_response(200, "text/plain; version=0.0.4",
                       fmt::format("{}# HELP {} How groups are made durable.\n# TYPE {} gauge\n{}{{method=\"{}\"}} 1\n{}",
                                   page.text(), kMethod, kMethod, kMethod, stats.sync_method,
                                   queue_metrics(engine_.overviews(kQueueSeriesMax), totals.queues, engine_.now())));
}

void Service::handle_api(const std::shared_ptr<http::Exchange>& exchange) {
  counters_.requests.add();
  const http::Request& request = exchange->request();
  const auto context = std::make_shared<RequestContext>();
  context->exchange = exchange;
  context->request_id = to_string(make_uuid(random_));

  protocol::WireRequest wire;
  wire.method = request.method;
  wire.path = request.path;
  wire.query = request.query;
  wire.content_type = request.header("Content-Type");
  wire.amz_target = request.header("X-Amz-Target");
  wire.accept = request.header("Accept");
  wire.body = request.body;
  context->protocol = protocol::detect(wire);
  const bool query_by_get = request.method == "GET" && context->protocol != protocol::WireProtocol::Json;
  if (request.method != "POST" && !query_by_get) {
    http::Response refused =
        text_response(405, "text/plain", "Requests come by POST, those of the Query protocol by GET as well.\n");
    refused.headers.emplace_back("Allow", "GET, POST");
    exchange->respond(std::move(refused));
    return;
  }

  auto identity = identity_check_.identify(request);
  if (!identity) {
    counters_.refused_access.add();
    exchange->respond(answer_to(*context, Unexpected(std::move(identity).error())));
    return;
  }
  context->identity = std::move(identity).value();

  if (is_peek_path(request.path)) {
    start_peek(context, wire);
    return;
  }
  auto decoded = protocol::decode(context->protocol, wire);
  if (!decoded) {
    exchange->respond(answer_to(*context, Unexpected(std::move(decoded).error())));
    return;
  }
  context->action = std::move(decoded->action);
  dispatch(context, std::move(decoded->request));
}

void Service::start_peek(const ContextRef& context, const protocol::WireRequest& wire) {
  context->action = "ReceiveMessage";
  if (context->protocol == protocol::WireProtocol::QueryJson) context->protocol = protocol::WireProtocol::QueryXmlJson;
  const auto refuse = [&](const sqs::ApiError& error, store::Position seen) { finish(context, {Unexpected(error), seen}); };
  const auto peek = decode_peek(context->protocol, wire);
  if (!peek) return refuse(peek.error(), {});
  const auto address = sqs::validate_queue_url(peek->queue_url);
  if (!address) return refuse(address.error(), {});
  if (const auto allowed = allow(context, "ReceiveMessage", address->name); !allowed) return refuse(allowed.error(), {});
  // Who asks for no signatures gives every account to everyone; the unsigned requests of this path name theirs in the URL alone.
  const std::string& account = address->account.empty() ? context->identity.account : address->account;
  if (context->identity.key != nullptr && account != context->identity.account) return refuse(sqs::queue_does_not_exist(), {});
  auto found = engine_.find({account, peek->region.value_or(context->identity.region), address->name});
  if (!found.result) return refuse(found.result.error(), found.seen);
  std::make_shared<Peek>(*this, context, std::move(found.result).value(), *peek)->step();
}

void Service::dispatch(const ContextRef& context, sqs::Request&& request) {
  std::visit(
      [&](auto& typed) {
        if constexpr (std::is_same_v<std::decay_t<decltype(typed)>, sqs::ReceiveMessageRequest>) {
          start_receive(context, std::move(typed));
        } else if constexpr (std::is_same_v<std::decay_t<decltype(typed)>, sqs::SendMessageRequest>) {
          start_send(context, std::move(typed));
        } else {
          finish(context, run(context, typed));
        }
      },
      request);
}

void Service::finish(const ContextRef& context, Outcome&& outcome) {
  // Encoded before it waits: the disk and the processor work side by side.
  state_of(*context).gate.respond_when_durable(outcome.seen, context->exchange, answer_to(*context, outcome.result));
}

http::Response Service::answer_to(const RequestContext& context, const sqs::ApiResult<sqs::Response>& result) {
  protocol::WireResponse wire;
  if (result) {
    wire = protocol::encode(context.protocol, context.action, *result, context.request_id);
  } else {
    const sqs::ErrorCatalogueRow& row = sqs::catalogue_row(result.error().code);
    (row.fault == sqs::Fault::Sender ? counters_.errors_sender : counters_.errors_receiver).add();
    wire = protocol::encode_error(context.protocol, result.error(), context.request_id);
  }
  http::Response response;
  response.status = wire.http_status;
  response.content_type = wire.content_type;
  response.body = std::move(wire.body);
  response.headers.reserve(3);
  response.headers.emplace_back("x-amzn-RequestId", context.request_id);
  if (!wire.query_error.empty()) response.headers.emplace_back("x-amzn-query-error", std::move(wire.query_error));
  if (response.status == 503) response.headers.emplace_back("Retry-After", "1");
  if (log_.enabled(LogLevel::Debug)) {
    log_.debug("request", {{"action", context.action},
                           {"status", response.status},
                           {"principal", context.identity.caller.principal},
                           {"request_id", context.request_id},
                           {"bytes", response.body.size()}});
  }
  return response;
}

}  // namespace ferry::service

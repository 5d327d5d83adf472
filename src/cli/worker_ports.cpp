#include "cli/worker_ports.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>

#include "base/process.h"
#include "cli/output.h"
#include "metrics/prometheus_page.h"

namespace ferry::cli {
namespace {

constexpr std::chrono::milliseconds kLastAnswers{500};
constexpr std::size_t kConnectionsMax = 1'000;

http::Response response_of(int status, std::string_view content_type, std::string body) {
  http::Response response;
  response.status = status;
  response.content_type = content_type;
  response.body = std::move(body);
  return response;
}

http::Response health_of(const std::string& trouble) {
  JsonWriter json;
  json.begin_object().key("status").text(trouble.empty() ? "working" : "not working");
  if (!trouble.empty()) json.key("reasons").begin_array().text(trouble).end_array();
  json.end_object();
  return response_of(trouble.empty() ? 200 : 503, "application/json", json.str() + "\n");
}
}  // namespace

LocalPort::LocalPort()
    : handler_([this](const std::shared_ptr<http::Exchange>& exchange) { exchange->respond(answer(exchange->request())); }) {}

LocalPort::~LocalPort() {
  if (server_) server_->stop(kLastAnswers);
}

Result<std::unique_ptr<LocalPort>> LocalPort::open(const config::LoopbackAddress& address, const Logger& log) {
  std::unique_ptr<LocalPort> port(new LocalPort());
  http::ServerOptions options;
  options.host = address.host;
  options.port = address.port;
  options.limits.body_bytes_max = 2 * worker::kControlLineBytesMax;  // what is too long is told so in words
  options.limits.connections_max = kConnectionsMax;
  port->server_ = http::Server::create(options, port->handler_, log);
  FERRY_TRY_VOID(port->server_->bind());
  return port;
}

http::Response LocalPort::answer(const http::Request& request) const {
  for (const auto& [prefix, answer] : routes_) {
    if (request.path.starts_with(prefix)) return answer(request);
  }
  return response_of(404, "text/plain", "There is nothing here.\n");
}

Result<std::unique_ptr<WorkerPorts>> WorkerPorts::open(const Wanted& wanted, Random& random, const Logger& log) {
  std::unique_ptr<WorkerPorts> ports(new WorkerPorts());
  if (wanted.completion) {
    auto opened = LocalPort::open(*wanted.completion, log);
    if (!opened) return fail(opened.error().kind, fmt::format("worker.completion: {}", opened.error().message));
    ports->first_ = std::move(*opened);
    ports->completion_url_ = ports->first_->url();
    ports->completions_.emplace(ports->completion_url_, random);
  }
  if (wanted.metrics) {
    const bool shared = wanted.completion && wanted.metrics->port != 0 && wanted.metrics->port == wanted.completion->port &&
                        wanted.metrics->host == wanted.completion->host;
    if (!shared) {
      auto opened = LocalPort::open(*wanted.metrics, log);
      if (!opened) return fail(opened.error().kind, fmt::format("{}: {}", wanted.metrics_setting, opened.error().message));
      ports->second_ = std::move(*opened);
    }
    LocalPort& port = shared ? *ports->first_ : *ports->second_;
    ports->metrics_url_ = port.url();
    const auto answer = [raw = ports.get()](const http::Request& request) { return raw->metrics_answer(request); };
    port.route("/metrics", answer);
    port.route("/health", answer);
  }
  if (wanted.completion) {
    ports->first_->route("/", [raw = ports.get()](const http::Request& request) {
      worker::Completions::Reply reply = raw->completions_->handle({request.method, request.path, request.body});
      return response_of(reply.status, "application/json", std::move(reply.body));
    });
  }
  for (LocalPort* port : {ports->first_.get(), ports->second_.get()}) {
    if (port != nullptr) port->start();
  }
  return ports;
}

void WorkerPorts::show(Show show) {
  const std::lock_guard lock(mutex_);
  show_ = std::move(show);
}

http::Response WorkerPorts::metrics_answer(const http::Request& request) {
  const bool health = request.path == "/health";
  if (!health && request.path != "/metrics") return response_of(404, "text/plain", "There are /metrics and /health.\n");
  if (request.method != "GET" && request.method != "HEAD") {
    http::Response refused = response_of(405, "text/plain", "Read it with GET.\n");
    refused.headers.emplace_back("Allow", "GET, HEAD");
    return refused;
  }
  const std::lock_guard lock(mutex_);
  if (!show_) return health ? health_of("the worker starts or ends") : response_of(503, "text/plain", "It starts or ends.\n");
  Shown shown = show_();
  return health ? health_of(shown.trouble) : response_of(200, metrics::kPrometheusContentType, std::move(shown.page));
}

WorkerSight::WorkerSight(WorkerPorts& ports, const worker::WorkerMetrics& metrics, const worker::Worker& worker) : ports_(ports) {
  ports.show([&metrics, &worker] {
    const worker::WorkerStatus status = worker.status();
    return WorkerPorts::Shown{metrics.page(status), trouble_of(status)};
  });
}

std::string trouble_of(const worker::WorkerStatus& status) {
  if (status.stopping) return "the worker is stopping";
  return status.ledger == worker::LedgerStanding::Failing ? "the ledger does not answer" : "";
}

Result<void> replace_text_file(const std::string& path, const std::string& text) {
  const std::string unfinished = fmt::format("{}.{}.unfinished", path, current_process_id());
  std::error_code error;
  {
    std::ofstream file(unfinished, std::ios::binary | std::ios::trunc);
    file << text;
    file.close();
    if (!file) {
      std::filesystem::remove(unfinished, error);
      return fail(ErrorKind::Io, fmt::format("{} cannot be written: is its folder there, for us to write, and not full?", path));
    }
  }
  std::filesystem::rename(unfinished, path, error);
  if (!error) return {};
  const std::string why = error.message();
  std::filesystem::remove(unfinished, error);
  return fail(ErrorKind::Io, fmt::format("{} cannot be replaced: {}", path, why));
}

}  // namespace ferry::cli

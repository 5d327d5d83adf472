#include "cli/completion_port.h"

#include <fmt/format.h>

namespace ferry::cli {
namespace {
constexpr std::chrono::milliseconds kLastAnswers{500};
constexpr std::size_t kConnectionsMax = 1'000;
}  // namespace

CompletionPort::CompletionPort()
    : handler_([this](const std::shared_ptr<http::Exchange>& exchange) {
        const http::Request& request = exchange->request();
        worker::Completions::Reply reply = completions_->handle({request.method, request.path, request.body});
        http::Response response;
        response.status = reply.status;
        response.content_type = "application/json";
        response.body = std::move(reply.body);
        exchange->respond(std::move(response));
      }) {}

CompletionPort::~CompletionPort() {
  if (server_) server_->stop(kLastAnswers);
}

Result<std::unique_ptr<CompletionPort>> CompletionPort::open(const config::LoopbackAddress& address, Random& random,
                                                             const Logger& log) {
  std::unique_ptr<CompletionPort> port(new CompletionPort());
  http::ServerOptions options;
  options.host = address.host;
  options.port = address.port;
  options.limits.body_bytes_max = 2 * worker::kControlLineBytesMax;  // what is too long is told so in words
  options.limits.connections_max = kConnectionsMax;
  port->server_ = http::Server::create(options, port->handler_, log);
  FERRY_TRY_VOID(port->server_->bind());
  port->completions_.emplace(port->server_->url(), random);
  port->server_->start();
  return port;
}

}  // namespace ferry::cli

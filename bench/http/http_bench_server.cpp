// The bare HTTP server for a load generator: 400 bytes for every request, on PORT and LOOPS of the command line, until its
// standard input ends. "later" as third argument answers from a posted task, in batches, as answers that wait for the disk do.
// Prints its address, and at the end requests and CPU time per request.

#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "base/clock.h"
#include "base/log.h"
#include "http/server.h"

namespace {

double cpu_microseconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  auto micros = [](const timeval& t) { return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_usec); };
  return micros(usage.ru_utime) + micros(usage.ru_stime);
}

ferry::http::Response answer(const std::string& body) {
  ferry::http::Response response;
  response.content_type = "application/x-amz-json-1.0";
  response.headers.emplace_back("x-amzn-RequestId", "c0ffee00-0000-4000-8000-000000000000");
  response.body = body;
  return response;
}

}  // namespace

int main(int count, char** arguments) {
  using namespace ferry;
  const std::string body(400, 'x');
  bool later = count > 3 && std::string(arguments[3]) == "later";
  std::vector<std::shared_ptr<http::Exchange>> waiting;  // one loop only
  http::FunctionHandler handler([&](const std::shared_ptr<http::Exchange>& exchange) {
    if (!later) return exchange->respond(answer(body));
    waiting.push_back(exchange);
    if (waiting.size() > 1) return;
    exchange->loop().post([&] {
      for (auto& one : std::exchange(waiting, {})) one->respond(answer(body));
    });
  });
  SystemClock clock;
  Logger log(clock, LogLevel::Warn, LogFormat::Text);
  http::ServerOptions options;
  options.port = static_cast<std::uint16_t>(count > 1 ? std::atoi(arguments[1]) : 0);
  options.loops = static_cast<std::size_t>(count > 2 ? std::atoi(arguments[2]) : 1);
  if (later) options.loops = 1;
  auto server = http::Server::create(options, handler, log);
  if (auto bound = server->bind(); !bound) {
    std::fprintf(stderr, "%s\n", bound.error().message.c_str());
    return 1;
  }
  double before = cpu_microseconds();
  server->start();
  std::printf("%s\n", server->url().c_str());
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  auto requests = server->stats().requests;
  std::printf("%llu requests, %.2f us CPU each\n", static_cast<unsigned long long>(requests),
              (cpu_microseconds() - before) / static_cast<double>(requests > 0 ? requests : 1));
  server->stop(std::chrono::seconds(1));
  return 0;
}

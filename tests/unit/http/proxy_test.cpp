// Behind a proxy that reads HTTP more leniently than we do: whatever bytes a client sends, our handler sees no request that the
// proxy has not seen as one. That is what request smuggling would break.

#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

#include "abuse_inputs.h"
#include "test_server.h"

extern char** environ;

namespace ferry::http::test {
namespace {

constexpr const char* kNginx = "/usr/sbin/nginx";

std::uint16_t free_port() {
  Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  EXPECT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  return ntohs(address.sin_port);
}

bool accepts(std::uint16_t port) {
  Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return ::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
}

/// nginx in a temporary folder, passing everything on over connections that it keeps.
class Nginx {
 public:
  explicit Nginx(std::uint16_t upstream) : port_(free_port()) {
    std::string pattern = std::filesystem::temp_directory_path() / "ferry-nginx-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    std::string at = folder_.string();
    std::ofstream(folder_ / "nginx.conf")
        << "daemon off; worker_processes 1; pid " << at << "/pid; error_log " << at << "/error.log;\n"
        << "events { worker_connections 64; }\nhttp {\n  log_format seen escape=none '$request_method $request_uri'; access_log "
        << at
        << "/access.log seen;\n  client_max_body_size 20m; client_header_timeout 1s; client_body_timeout 1s; "
           "lingering_timeout 10ms;\n"
        << "  client_body_temp_path " << at << "/b; proxy_temp_path " << at << "/p; fastcgi_temp_path " << at
        << "/f; uwsgi_temp_path " << at << "/u; scgi_temp_path " << at << "/s;\n  ignore_invalid_headers off;\n"
        << "  upstream ferry { server 127.0.0.1:" << upstream << "; keepalive 4; }\n  server { listen 127.0.0.1:" << port_
        << ";\n    location / { proxy_pass http://ferry; proxy_http_version 1.1; proxy_request_buffering off;\n"
        << "      proxy_set_header Connection ''; proxy_ignore_client_abort on; proxy_set_header Host $http_host; } }\n}\n";
    std::string config = (folder_ / "nginx.conf").string();
    std::array<char*, 6> arguments{const_cast<char*>(kNginx), const_cast<char*>("-p"), at.data(),
                                   const_cast<char*>("-c"),   config.data(),           nullptr};
    EXPECT_EQ(::posix_spawn(&process_, kNginx, nullptr, nullptr, arguments.data(), environ), 0);
    EXPECT_TRUE(eventually([this] { return accepts(port_); }));
  }
  ~Nginx() {
    stop();
    std::filesystem::remove_all(folder_);
  }
  std::uint16_t port() const { return port_; }
  /// Ends it; afterwards the log is complete.
  void stop() {
    if (process_ <= 0) return;
    ::kill(process_, SIGTERM);
    ::waitpid(std::exchange(process_, 0), nullptr, 0);
  }
  std::map<std::string, int> seen() const {
    std::map<std::string, int> seen;
    std::ifstream log(folder_ / "access.log");
    for (std::string line; std::getline(log, line);) ++seen[line];
    return seen;
  }

 private:
  std::filesystem::path folder_;
  std::uint16_t port_;
  pid_t process_ = 0;
};

TEST(Proxy, NothingIsSmuggledThroughNginx) {
  if (!std::filesystem::exists(kNginx)) GTEST_SKIP() << "nginx is not installed";
  std::mutex mutex;
  std::map<std::string, int> handled;
  int requests = 0;
  TestServer server([&](const ExchangePtr& exchange) {
    {
      std::lock_guard lock(mutex);
      ++handled[std::string(exchange->request().method) + " " + std::string(exchange->request().target)];
      ++requests;
    }
    echo(exchange);
  });
  Nginx nginx(server->port());
  auto inputs = abuse_inputs();
  for (auto& input : fair_inputs()) inputs.push_back(input);
  for (const RawInput& input : inputs) {
    RawClient client(nginx.port());
    client.send(input.bytes);
    client.finish_sending();
    while (client.fill()) {
    }
  }
  RawClient after(nginx.port());
  EXPECT_EQ(after.ask(get("/after")).body, "GET /after ");
  after.close();
  nginx.stop();
  auto seen = nginx.seen();
  for (const auto& [request, count] : handled) {
    // nginx logs "?b" for http://a?b and passes it on as "/?b".
    std::size_t slash = request.find(' ') + 1;
    int known = seen[request] + seen[request.substr(0, slash) + request.substr(slash + 1)];
    EXPECT_LE(count, known) << request;
  }
  EXPECT_GT(requests, 30) << "fair requests pass";
}

}  // namespace
}  // namespace ferry::http::test

// A load generator for the cycle that wrk cannot make: send, receive, delete with the handle that the receive gave.
//
//   ferry_load HOST PORT QUEUE --batch N --connections N --seconds N --body BYTES [--blind]
//
// One thread, one epoll set, closed loop: each connection has one request under way. --batch 1 uses the single actions,
// otherwise the batch ones. --blind takes any answer for a good one and deletes with a made-up handle: for a server that
// answers everything with a static page. Prints one line of JSON.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace {

using SteadyClock = std::chrono::steady_clock;

struct Options {
  std::string host;
  std::uint16_t port = 0;
  std::string queue;
  int batch = 1;
  int connections = 64;
  double seconds = 5;
  std::size_t body_bytes = 1024;
  bool blind = false;
};

enum class Step : std::size_t { Send, Receive, Delete };
constexpr std::size_t kSteps = 3;
constexpr std::array<const char*, kSteps> kStepNames = {"send", "receive", "delete"};

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "ferry_load: %s\n", what.c_str());
  std::exit(1);
}

std::string request_of(std::string_view host, std::string_view action, std::string_view body) {
  std::string text = "POST / HTTP/1.1\r\nHost: ";
  text.append(host);
  text.append("\r\nContent-Type: application/x-amz-json-1.0\r\nX-Amz-Target: AmazonSQS.").append(action);
  text.append("\r\nUser-Agent: ferry-load\r\nContent-Length: ")
      .append(std::to_string(body.size()))
      .append("\r\n\r\n")
      .append(body);
  return text;
}

/// What the connections share: the requests that are always the same, and what was counted.
struct Shared {
  Options options;
  std::string host_header;
  std::string send, receive;
  bool counting = false;
  bool stopping = false;
  std::uint64_t messages = 0, requests = 0, empty = 0;
  std::array<std::vector<std::uint32_t>, kSteps> micros;  ///< of each answer

  explicit Shared(const Options& given) : options(given) {
    host_header = options.host + ":" + std::to_string(options.port);
    const std::string body(options.body_bytes, 'm');
    const std::string queue = "\"QueueUrl\":\"" + options.queue + "\"";
    if (options.batch == 1) {
      send = request_of(host_header, "SendMessage", "{" + queue + ",\"MessageBody\":\"" + body + "\"}");
    } else {
      std::string entries;
      for (int i = 0; i < options.batch; ++i) {
        entries += (i == 0 ? "" : ",") + std::string("{\"Id\":\"") + std::to_string(i) + "\",\"MessageBody\":\"" + body + "\"}";
      }
      send = request_of(host_header, "SendMessageBatch", "{" + queue + ",\"Entries\":[" + entries + "]}");
    }
    receive = request_of(host_header, "ReceiveMessage",
                         "{" + queue + ",\"MaxNumberOfMessages\":" + std::to_string(options.batch) + "}");
  }

  std::string delete_request(const std::vector<std::string_view>& handles) const {
    const std::string queue = "\"QueueUrl\":\"" + options.queue + "\"";
    if (options.batch == 1) {
      return request_of(host_header, "DeleteMessage",
                        "{" + queue + ",\"ReceiptHandle\":\"" + std::string(handles.front()) + "\"}");
    }
    std::string entries;
    for (std::size_t i = 0; i < handles.size(); ++i) {
      entries += (i == 0 ? "" : ",") + std::string("{\"Id\":\"") + std::to_string(i) + "\",\"ReceiptHandle\":\"";
      entries.append(handles[i]).append("\"}");
    }
    return request_of(host_header, "DeleteMessageBatch", "{" + queue + ",\"Entries\":[" + entries + "]}");
  }
};

class Connection {
 public:
  Connection(Shared& shared, int epoll) : shared_(shared) {
    fd_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(shared.options.port);
    if (::inet_pton(AF_INET, shared.options.host.c_str(), &address.sin_addr) != 1) die("no IPv4 address: " + shared.options.host);
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) die("cannot connect");
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = this;
    ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd_, &event);
    input_.reserve(64 * 1024);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { ::close(fd_); }

  void begin() { write(Step::Send, shared_.send); }

  /// False when the connection has finished after the time was up.
  bool readable() {
    std::array<char, 64 * 1024> piece;
    const ssize_t count = ::recv(fd_, piece.data(), piece.size(), MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return true;
    if (count <= 0) die("the server closed a connection");
    input_.append(piece.data(), static_cast<std::size_t>(count));
    const std::size_t head_end = input_.find("\r\n\r\n");
    if (head_end == std::string::npos) return true;
    const std::size_t length_at = input_.find("Content-Length: ");
    if (length_at == std::string::npos || length_at > head_end) die("an answer without Content-Length");
    const std::size_t body_at = head_end + 4;
    const auto length = static_cast<std::size_t>(std::strtoul(input_.c_str() + length_at + 16, nullptr, 10));
    if (input_.size() < body_at + length) return true;
    if (input_.compare(0, 12, "HTTP/1.1 200") != 0)
      die("an error: " + input_.substr(0, body_at + std::min<std::size_t>(length, 400)));
    answered(std::string_view(input_).substr(body_at, length));
    return !finished_;
  }

 private:
  void write(Step step, std::string_view request) {
    step_ = step;
    asked_ = SteadyClock::now();
    while (!request.empty()) {  // loopback buffers hold any of our requests; a short write is simply repeated
      const ssize_t count = ::send(fd_, request.data(), request.size(), MSG_NOSIGNAL);
      if (count < 0 && errno != EINTR) die("cannot send");
      if (count > 0) request.remove_prefix(static_cast<std::size_t>(count));
    }
  }

  void answered(std::string_view body) {
    if (shared_.counting) {
      const auto taken = std::chrono::duration_cast<std::chrono::microseconds>(SteadyClock::now() - asked_);
      shared_.micros[static_cast<std::size_t>(step_)].push_back(static_cast<std::uint32_t>(taken.count()));
      ++shared_.requests;
    }
    std::string request;
    Step next = Step::Send;
    if (step_ == Step::Send) {
      next = Step::Receive;
    } else if (step_ == Step::Receive) {
      const std::vector<std::string_view> handles = handles_in(body);
      if (handles.empty()) {
        if (shared_.counting) ++shared_.empty;
        next = Step::Send;
      } else {
        next = Step::Delete;
        taken_ = handles.size();
        request = shared_.delete_request(handles);
      }
    } else {
      if (shared_.counting) shared_.messages += taken_;
      if (shared_.stopping) {
        finished_ = true;
        return;
      }
    }
    input_.clear();
    write(next, next == Step::Delete ? std::string_view(request) : next == Step::Send ? shared_.send : shared_.receive);
  }

  std::vector<std::string_view> handles_in(std::string_view body) const {
    if (shared_.options.blind) {
      constexpr std::string_view kMadeUp =
          "AQEBxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
      return std::vector<std::string_view>(static_cast<std::size_t>(shared_.options.batch), kMadeUp);
    }
    constexpr std::string_view kKey = "\"ReceiptHandle\":\"";
    std::vector<std::string_view> handles;
    std::size_t at = 0;
    while ((at = body.find(kKey, at)) != std::string_view::npos) {
      at += kKey.size();
      const std::size_t end = body.find('"', at);
      if (end == std::string_view::npos) die("a receipt handle without an end");
      handles.push_back(body.substr(at, end - at));
      at = end;
    }
    return handles;
  }

  Shared& shared_;
  int fd_ = -1;
  Step step_ = Step::Send;
  SteadyClock::time_point asked_;
  std::string input_;
  std::size_t taken_ = 0;
  bool finished_ = false;
};

Options parse(int argc, char** argv) {
  if (argc < 4) die("usage: ferry_load HOST PORT QUEUE [--batch N] [--connections N] [--seconds N] [--body BYTES] [--blind]");
  Options options;
  options.host = argv[1];
  options.port = static_cast<std::uint16_t>(std::atoi(argv[2]));
  options.queue = argv[3];
  for (int i = 4; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--blind") {
      options.blind = true;
      continue;
    }
    if (i + 1 == argc) die("a value is missing after " + std::string(name));
    const char* value = argv[++i];
    if (name == "--batch") {
      options.batch = std::clamp(std::atoi(value), 1, 10);
    } else if (name == "--connections") {
      options.connections = std::clamp(std::atoi(value), 1, 10'000);
    } else if (name == "--seconds") {
      options.seconds = std::clamp(std::atof(value), 0.1, 3600.0);
    } else if (name == "--body") {
      options.body_bytes = static_cast<std::size_t>(std::clamp(std::atoi(value), 1, 100'000));
    } else {
      die("unknown option " + std::string(name));
    }
  }
  return options;
}

void print(Shared& shared, double seconds) {
  std::printf("{\"seconds\":%.3f,\"messages\":%llu,\"requests\":%llu,\"empty_receives\":%llu", seconds,
              static_cast<unsigned long long>(shared.messages), static_cast<unsigned long long>(shared.requests),
              static_cast<unsigned long long>(shared.empty));
  for (std::size_t step = 0; step < kSteps; ++step) {
    std::vector<std::uint32_t>& all = shared.micros[step];
    std::sort(all.begin(), all.end());
    const auto at = [&](double part) {
      return all.empty() ? 0u : all[static_cast<std::size_t>(part * static_cast<double>(all.size() - 1))];
    };
    std::printf(",\"%s_us\":{\"p50\":%u,\"p99\":%u,\"max\":%u}", kStepNames[step], at(0.5), at(0.99), at(1.0));
  }
  std::printf("}\n");
}

}  // namespace

int main(int argc, char** argv) {
  Shared shared(parse(argc, argv));
  const int epoll = ::epoll_create1(0);
  std::vector<std::unique_ptr<Connection>> connections;
  for (int i = 0; i < shared.options.connections; ++i) connections.push_back(std::make_unique<Connection>(shared, epoll));
  for (auto& connection : connections) connection->begin();

  const auto seconds_of = [](double seconds) {
    return std::chrono::duration_cast<SteadyClock::duration>(std::chrono::duration<double>(seconds));
  };
  const SteadyClock::time_point counting_from = SteadyClock::now() + seconds_of(0.3);
  const SteadyClock::time_point stop_at = counting_from + seconds_of(shared.options.seconds);
  SteadyClock::time_point counted_until = stop_at;
  std::size_t running = connections.size();
  std::array<epoll_event, 128> events;
  while (running > 0) {
    const int count = ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), 100);
    const SteadyClock::time_point now = SteadyClock::now();
    if (!shared.stopping && now >= stop_at) {
      shared.stopping = true;
      shared.counting = false;
      counted_until = now;
    } else if (!shared.stopping && !shared.counting && now >= counting_from) {
      shared.counting = true;
    }
    if (now > stop_at + std::chrono::seconds(30)) die("connections hang");
    for (int i = 0; i < count; ++i) {
      if (!static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr)->readable()) --running;
    }
  }
  print(shared, std::chrono::duration<double>(counted_until - counting_from).count());
  return 0;
}

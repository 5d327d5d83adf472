// HTTP through libcurl. Everything but the bytes (signing, retries, redirects) is decided elsewhere or switched off here.
//
// Each call borrows a session: a multi handle, which owns the kept connections, with one easy handle. The multi interface is
// used for its waiting: the simple interface looks at cancellation only about once a second.

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <mutex>

#include "base/check.h"
#include "base/encoding.h"
#include "client/client.h"
#include "client/url.h"

namespace ferry::client {
namespace {
constexpr std::size_t kIdleSessionsMax = 64;
constexpr int kCancelSliceMs = 50;
constexpr int kPlainSliceMs = 1000;
constexpr long kConnectionAgeSeconds = 50;  // below the idle time after which servers close, ours after 60 s

struct Session {
  Session() : multi(curl_multi_init()), easy(curl_easy_init()) { FERRY_CHECK(multi != nullptr && easy != nullptr); }
  ~Session() {
    curl_easy_cleanup(easy);
    curl_multi_cleanup(multi);
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  CURLM* const multi;
  CURL* const easy;
};

struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, FreeList>;

struct Incoming {
  std::size_t bytes_max;
  Transport::Response response{};
  bool head_complete = false;
  bool too_large = false;
};

std::size_t on_body(char* data, std::size_t size, std::size_t count, void* context) {
  auto& incoming = *static_cast<Incoming*>(context);
  if (incoming.response.body.size() + size * count > incoming.bytes_max) {
    incoming.too_large = true;
    return 0;
  }
  incoming.response.body.append(data, size * count);
  return size * count;
}

std::size_t on_header(char* data, std::size_t size, std::size_t count, void* context) {
  auto& incoming = *static_cast<Incoming*>(context);
  const std::string_view line(data, size * count);
  if (line.starts_with("HTTP/")) {
    incoming.response.headers.clear();  // those before belong to an interim answer
    incoming.head_complete = false;
  }
  if (trim(line).empty()) incoming.head_complete = true;
  const std::size_t colon = line.find(':');
  if (colon != std::string_view::npos) {
    incoming.response.headers.emplace_back(to_lower(trim(line.substr(0, colon))), std::string(trim(line.substr(colon + 1))));
  }
  return size * count;
}

bool has_line_break(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos;
}

Result<HeaderList> header_list(const Transport::Request& request) {
  curl_slist* list = nullptr;
  HeaderList owner;
  const auto add = [&](const std::string& line) {
    list = curl_slist_append(list, line.c_str());
    FERRY_CHECK(list != nullptr);
    (void)owner.release();
    owner.reset(list);
  };
  add("Expect:");  // not sent: waiting for "100 Continue" costs a round trip, or a second where servers do not know it
  bool has_type = false;
  for (const auto& [name, value] : request.headers) {
    if (has_line_break(name) || has_line_break(value)) {
      return fail(ErrorKind::InvalidArgument, fmt::format("the value of the header {} holds a line break", escape_control(name)));
    }
    add(value.empty() ? name + ";" : name + ": " + value);  // ";" is how libcurl sends an empty value
    has_type = has_type || equals_ignore_case(name, "content-type");
  }
  if (!has_type) add("Content-Type:");  // not sent: libcurl would call every body a form
  return owner;
}

class CurlTransport final : public Transport {
 public:
  explicit CurlTransport(const TransportOptions& options) : options_(options) {}

  Result<Response> perform(const Request& request, const std::atomic<bool>* cancel) override {
    FERRY_TRY(const Url url, parse_url(request.url));
    FERRY_TRY(const HeaderList headers, header_list(request));
    std::unique_ptr<Session> session = borrow();
    Incoming incoming{options_.answer_bytes_max, {}};
    prepare(session->easy, request, url, headers.get(), incoming);
    FERRY_CHECK(curl_multi_add_handle(session->multi, session->easy) == CURLM_OK);
    const std::optional<CURLcode> code = run(session->multi, cancel);
    auto result = conclude(session->easy, url, code, incoming);
    curl_multi_remove_handle(session->multi, session->easy);
    give_back(std::move(session));
    return result;
  }

 private:
  std::unique_ptr<Session> borrow() {
    {
      const std::lock_guard lock(mutex_);
      if (!idle_.empty()) {
        std::unique_ptr<Session> session = std::move(idle_.back());
        idle_.pop_back();
        return session;
      }
    }
    return std::make_unique<Session>();
  }

  void give_back(std::unique_ptr<Session> session) {
    const std::lock_guard lock(mutex_);
    if (idle_.size() < kIdleSessionsMax) idle_.push_back(std::move(session));
  }

  void prepare(CURL* easy, const Request& request, const Url& url, curl_slist* headers, Incoming& incoming) const {
    curl_easy_reset(easy);
    const auto set = [&](CURLoption option, auto value) { FERRY_CHECK(curl_easy_setopt(easy, option, value) == CURLE_OK); };
    set(CURLOPT_URL, request.url.c_str());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_1_1});
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_PATH_AS_IS, 1L);
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_QUICK_EXIT, 1L);
    set(CURLOPT_NETRC, long{CURL_NETRC_IGNORED});
    set(CURLOPT_TCP_KEEPALIVE, 1L);
    set(CURLOPT_MAXAGE_CONN, kConnectionAgeSeconds);
    set(CURLOPT_SSLVERSION, long{CURL_SSLVERSION_TLSv1_2});
    set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options_.connect_timeout.count()));
    if (request.timeout.count() > 0) set(CURLOPT_TIMEOUT_MS, static_cast<long>(request.timeout.count()));
    if (!options_.ca_bundle.empty()) set(CURLOPT_CAINFO, options_.ca_bundle.c_str());
    if (options_.proxies == ProxyUse::Never || is_loopback_host(url.host)) set(CURLOPT_PROXY, "");
    if (request.method == "GET") {
      set(CURLOPT_HTTPGET, 1L);
    } else {
      set(CURLOPT_POSTFIELDS, request.body.data());
      set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
      if (request.method != "POST") set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
    }
    set(CURLOPT_HTTPHEADER, headers);
    set(CURLOPT_WRITEFUNCTION, &on_body);
    set(CURLOPT_WRITEDATA, &incoming);
    set(CURLOPT_HEADERFUNCTION, &on_header);
    set(CURLOPT_HEADERDATA, &incoming);
  }

  // Nothing when it was cancelled.
  static std::optional<CURLcode> run(CURLM* multi, const std::atomic<bool>* cancel) {
    for (;;) {
      if (cancel != nullptr && cancel->load()) return std::nullopt;
      int running = 0;
      FERRY_CHECK(curl_multi_perform(multi, &running) == CURLM_OK);
      int left = 0;
      while (const CURLMsg* message = curl_multi_info_read(multi, &left)) {
        if (message->msg == CURLMSG_DONE) return message->data.result;
      }
      FERRY_CHECK(curl_multi_poll(multi, nullptr, 0, cancel != nullptr ? kCancelSliceMs : kPlainSliceMs, nullptr) == CURLM_OK);
    }
  }

  static Result<Response> conclude(CURL* easy, const Url& url, std::optional<CURLcode> code, Incoming& incoming) {
    if (!code) return fail(ErrorKind::Cancelled, "cancelled");
    // libcurl is content with a head that the end of the connection has cut off.
    if (*code == CURLE_OK && !incoming.head_complete) {
      return fail(ErrorKind::Timeout, fmt::format("no whole answer from {}: the connection was closed", url.origin()));
    }
    if (*code == CURLE_OK) {
      long status = 0;
      curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
      incoming.response.status = static_cast<int>(status);
      return std::move(incoming.response);
    }
    if (incoming.too_large)
      return fail(ErrorKind::Corrupt, fmt::format("the answer of {} is larger than {} bytes", url.origin(), incoming.bytes_max));
    // Bytes of the request that went out on any connection; what is only queued in the system counts as gone.
    long sent = 0;
    curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &sent);
    const char* why = curl_easy_strerror(*code);
    if (sent == 0) return fail(ErrorKind::Unavailable, fmt::format("cannot reach {}: {}", url.origin(), why));
    return fail(ErrorKind::Timeout, fmt::format("no whole answer from {}: {}", url.origin(), why));
  }

  const TransportOptions options_;
  std::mutex mutex_;  // guards the next
  std::vector<std::unique_ptr<Session>> idle_;
};
}  // namespace

std::unique_ptr<Transport> make_curl_transport(const TransportOptions& options) {
  static std::once_flag once;
  std::call_once(once, [] { FERRY_CHECK(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK); });
  return std::make_unique<CurlTransport>(options);
}

}  // namespace ferry::client

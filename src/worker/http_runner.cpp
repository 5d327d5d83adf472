#include "worker/http_runner.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/encoding.h"
#include "worker/http_answer.h"
#include "worker/http_request.h"

namespace ferry::worker {
namespace {

constexpr Millis kConnectTimeMax{10'000};
constexpr Millis kLongestWait{1'000};
constexpr long kIdleConnectionSeconds =
    1;                                   // servers close idle ones after 2 s and more; one that closes while we send is a riddle
constexpr long kBufferBytes = 4 * 1024;  // per request on its way; a thousand wait at a time
constexpr long kUploadBufferBytes = 16 * 1024;
constexpr std::size_t kAnswerBytesMax = 1024 * 1024;  // read of one answer; of a longer one the status counts
constexpr std::size_t kIdleHandlesMax = 64;

struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, FreeList>;

HeaderList header_list(const HttpHeaders& headers) {
  HeaderList list;
  const auto add = [&list](const std::string& line) {
    curl_slist* longer = curl_slist_append(list.get(), line.c_str());
    FERRY_CHECK(longer != nullptr);
    (void)list.release();
    list.reset(longer);
  };
  add("Expect:");  // not sent: waiting for "100 Continue" costs a round trip, or a second where servers do not know it
  for (const auto& [name, value] : headers) add(name + ": " + value);
  return list;
}

struct Run {
  std::uint64_t id = 0;
  HandlerCall call;
  HandlerRunner::Done done;
  CompletionOffer offer{};
  HeaderList headers{};
  CURL* easy = nullptr;  // null once the answer is there
  std::string_view unsent{};
  HttpAnswer answer{};
  std::size_t answer_bytes = 0;
  bool head_complete = false;
  bool completed = false;  // it has told the end of its work
  ControlState said{};
  SteadyTime began{};
  SteadyTime deadline{};
};

// Nothing can be sent twice: there is no way back in what was read (no seek function), so that libcurl cannot repeat a request
// whose kept connection turned out to be closed.
std::size_t on_upload(char* buffer, std::size_t size, std::size_t count, void* context) {
  auto& run = *static_cast<Run*>(context);
  const std::size_t taken = std::min(size * count, run.unsent.size());
  std::memcpy(buffer, run.unsent.data(), taken);
  run.unsent.remove_prefix(taken);
  return taken;
}

std::size_t on_body(char* data, std::size_t size, std::size_t count, void* context) {
  auto& run = *static_cast<Run*>(context);
  const std::size_t bytes = size * count;
  const std::size_t room = kResultBytesMax - run.answer.body.size();
  run.answer.body.append(data, std::min(bytes, room));
  if (bytes > room) run.answer.whole = false;
  run.answer_bytes += bytes;
  return run.answer_bytes > kAnswerBytesMax ? 0 : bytes;
}

std::size_t on_header(char* data, std::size_t size, std::size_t count, void* context) {
  auto& run = *static_cast<Run*>(context);
  const std::string_view line(data, size * count);
  if (line.starts_with("HTTP/")) {  // what came before belongs to an interim answer
    run.answer = {};
    run.head_complete = false;
  }
  if (trim(line).empty()) run.head_complete = true;
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return size * count;
  const std::string name = to_lower(trim(line.substr(0, colon)));
  const std::string_view value = trim(line.substr(colon + 1));
  if (name == "retry-after") run.answer.retry_after = value;
  if (name == "content-type") run.answer.content_type = value;
  if (name == to_lower(kCompletionTokenHeader)) run.answer.token = value;
  return size * count;
}

bool was_sent(CURL* easy) {
  long sent = 0;  // bytes that went out on any connection; what is only queued in the system counts as gone
  curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &sent);
  return sent > 0;
}

void prepare(Run& run) {
  const config::HttpEndpoint& endpoint = *run.call.spec->http;
  CURL* easy = run.easy;
  const auto set = [easy](CURLoption option, auto value) { FERRY_CHECK(curl_easy_setopt(easy, option, value) == CURLE_OK); };
  set(CURLOPT_URL, endpoint.url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_1_1});
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_PATH_AS_IS, 1L);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_QUICK_EXIT, 1L);
  set(CURLOPT_NETRC, long{CURL_NETRC_IGNORED});
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  set(CURLOPT_MAXAGE_CONN, kIdleConnectionSeconds);
  set(CURLOPT_SSLVERSION, long{CURL_SSLVERSION_TLSv1_2});
  set(CURLOPT_BUFFERSIZE, kBufferBytes);
  set(CURLOPT_UPLOAD_BUFFERSIZE, kUploadBufferBytes);
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(std::min(kConnectTimeMax, run.call.spec->timeout).count()));
  set(CURLOPT_USERAGENT, "ferry");
  set(CURLOPT_PROXY, endpoint.proxy.c_str());  // empty: none, whatever the environment says
  set(CURLOPT_NOPROXY, "");
  if (!endpoint.socket.empty()) set(CURLOPT_UNIX_SOCKET_PATH, endpoint.socket.c_str());
  if (!endpoint.ca_file.empty()) set(CURLOPT_CAINFO, endpoint.ca_file.c_str());
  set(CURLOPT_POST, 1L);
  set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(run.unsent.size()));
  set(CURLOPT_READFUNCTION, &on_upload);
  set(CURLOPT_READDATA, &run);
  set(CURLOPT_HTTPHEADER, run.headers.get());
  set(CURLOPT_WRITEFUNCTION, &on_body);
  set(CURLOPT_WRITEDATA, &run);
  set(CURLOPT_HEADERFUNCTION, &on_header);
  set(CURLOPT_HEADERDATA, &run);
  set(CURLOPT_PRIVATE, &run);
}

HandlerResult ended(HandlerEnd end, std::string detail) {
  HandlerResult result;
  result.end = end;
  result.detail = std::move(detail);
  return result;
}
}  // namespace

class HttpRunner::Loop {
 public:
  Loop(Completions* completions, const Clock& clock, Reporter& reporter)
      : completions_(completions), clock_(clock), reporter_(reporter), multi_(curl_multi_init()) {
    FERRY_CHECK(multi_ != nullptr);
    thread_ = std::thread([this] { run(); });
  }
  ~Loop() {
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    interrupt(2);
    curl_multi_wakeup(multi_);
    thread_.join();
    for (CURL* easy : idle_) curl_easy_cleanup(easy);
    curl_multi_cleanup(multi_);
  }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void start(HandlerCall call, Done done) {
    {
      const std::lock_guard lock(mutex_);
      asked_.emplace_back(std::move(call), std::move(done));
    }
    curl_multi_wakeup(multi_);
  }
  void interrupt(int level) {
    if (interrupt_.exchange(level) != level) curl_multi_wakeup(multi_);
  }

 private:
  using Told = std::pair<std::uint64_t, ControlMessage>;  // for the run of that number
  void run();
  void begin(HandlerCall call, Done done);
  void hear(const Told& told);
  void end_transfers();
  void conclude(Run& run, CURLcode code);
  void take_answer(Run& run);
  void look_at_the_clock();
  void release(Run& run);
  void finish(Run& run, HandlerResult result);
  void finish_completed(Run& run);
  Millis until_next_deadline() const;

  Completions* completions_;
  const Clock& clock_;
  Reporter& reporter_;
  CURLM* const multi_;
  InterruptLevel interrupt_{0};
  std::mutex mutex_;
  std::vector<std::pair<HandlerCall, Done>> asked_;  // guarded by mutex_, like the next two
  std::vector<Told> told_;
  bool stopped_ = false;
  std::map<std::uint64_t, std::unique_ptr<Run>> runs_;  // the thread's own, like the rest
  std::uint64_t next_id_ = 0;
  std::vector<CURL*> idle_;
  std::thread thread_;
};

void HttpRunner::Loop::run() {
  for (;;) {
    std::vector<std::pair<HandlerCall, Done>> asked;
    std::vector<Told> told;
    bool stopped = false;
    {
      const std::lock_guard lock(mutex_);
      asked.swap(asked_);
      told.swap(told_);
      stopped = stopped_;
    }
    for (auto& [call, done] : asked) begin(std::move(call), std::move(done));
    for (const Told& one : told) hear(one);
    int running = 0;
    FERRY_CHECK(curl_multi_perform(multi_, &running) == CURLM_OK);
    end_transfers();
    look_at_the_clock();
    if (stopped && runs_.empty()) return;
    FERRY_CHECK(curl_multi_poll(multi_, nullptr, 0, static_cast<int>(until_next_deadline().count()), nullptr) == CURLM_OK);
  }
}

void HttpRunner::Loop::begin(HandlerCall call, Done done) {
  if (interrupt_.load() > 0) return done(ended(HandlerEnd::Interrupted, "interrupted before it began"));
  auto owned = std::make_unique<Run>();
  Run& run = *owned;
  run.id = next_id_++;
  run.call = std::move(call);
  run.done = std::move(done);
  run.began = clock_.steady();
  run.deadline = run.began + run.call.spec->timeout;
  run.unsent = run.call.input();
  if (completions_ != nullptr) {
    run.offer = completions_->open([this, id = run.id](const ControlMessage& message) {
      {
        const std::lock_guard lock(mutex_);
        told_.push_back({id, message});
      }
      curl_multi_wakeup(multi_);
    });
  }
  runs_.emplace(run.id, std::move(owned));
  const auto headers = build_headers(run.call, run.offer, clock_.wall());
  if (!headers) return finish(run, ended(HandlerEnd::Rejected, headers.error().message));
  run.headers = header_list(*headers);
  if (idle_.empty()) {
    run.easy = curl_easy_init();
    FERRY_CHECK(run.easy != nullptr);
  } else {
    run.easy = idle_.back();
    idle_.pop_back();
  }
  prepare(run);
  FERRY_CHECK(curl_multi_add_handle(multi_, run.easy) == CURLM_OK);
}

void HttpRunner::Loop::hear(const Told& told) {
  const auto found = runs_.find(told.first);
  if (found == runs_.end()) return;
  Run& run = *found->second;
  const ControlMessage& message = told.second;
  run.said.apply(message);
  if (message.progress) reporter_.step(fmt::format("{} progress: {:.0f} %", run.call.label, *message.progress * 100));
  if (message.extend) run.deadline = extended_deadline(run.deadline, *message.extend, {run.began, clock_.steady()});
  if (!message.is_final()) return;
  run.completed = true;
  if (run.easy == nullptr) finish_completed(run);
}

void HttpRunner::Loop::end_transfers() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    Run* run = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &run);
    const CURLcode code = message->data.result;
    conclude(*run, code);
  }
}

void HttpRunner::Loop::conclude(Run& run, CURLcode code) {
  const bool sent = was_sent(run.easy);
  const bool enough = code == CURLE_WRITE_ERROR && run.answer_bytes > kAnswerBytesMax;
  if (run.head_complete && (code == CURLE_OK || enough)) {
    long status = 0;
    curl_easy_getinfo(run.easy, CURLINFO_RESPONSE_CODE, &status);
    run.answer.status = static_cast<int>(status);
    release(run);
    return take_answer(run);
  }
  release(run);
  if (run.completed) return finish_completed(run);
  const std::string& url = run.call.spec->http->url;
  const char* why = code == CURLE_OK ? "the connection was closed" : curl_easy_strerror(code);
  if (!sent) return finish(run, ended(HandlerEnd::NotStarted, fmt::format("cannot reach {}: {}", url, why)));
  finish(run, ended(HandlerEnd::Unknown,
                    fmt::format("no whole answer from {}: {}; whether it has done its work is not known", url, why)));
}

void HttpRunner::Loop::take_answer(Run& run) {
  if (run.answer.status != 202 || run.answer.token.empty()) {
    HandlerResult result = classify_answer(run.answer, clock_.wall());
    if (run.completed && result.end == HandlerEnd::Done) run.said.conclude(result);
    return finish(run, std::move(result));
  }
  if (completions_ == nullptr) {
    return finish(run, ended(HandlerEnd::OurFault, "HTTP 202 with a completion token, but worker.completion is not set"));
  }
  if (run.answer.token != run.offer.token) {
    return finish(run, ended(HandlerEnd::OurFault, "HTTP 202 with a completion token that is not the one of this request"));
  }
  if (run.completed) return finish_completed(run);
  reporter_.step(fmt::format("{} is accepted; waiting for its completion", run.call.label));
}

void HttpRunner::Loop::look_at_the_clock() {
  const SteadyTime now = clock_.steady();
  const bool interrupted = interrupt_.load() > 0;
  std::vector<Run*> over;
  for (const auto& [id, run] : runs_) {
    if (interrupted || now >= run->deadline) over.push_back(run.get());
  }
  for (Run* run : over) {
    const std::string& url = run->call.spec->http->url;
    const bool answered = run->easy == nullptr;
    const bool sent = answered || was_sent(run->easy);
    release(*run);
    if (interrupted) {
      finish(*run, ended(HandlerEnd::Interrupted, answered ? "interrupted before its completion" : "interrupted"));
    } else if (!sent) {
      finish(*run, ended(HandlerEnd::NotStarted, fmt::format("cannot reach {} in time", url)));
    } else {
      finish(*run, ended(HandlerEnd::TimedOut, answered ? "timed out: accepted, but not completed in time"
                                                        : fmt::format("timed out: no answer from {} in time", url)));
    }
  }
}

void HttpRunner::Loop::release(Run& run) {
  if (run.easy == nullptr) return;
  CURL* easy = std::exchange(run.easy, nullptr);
  curl_multi_remove_handle(multi_, easy);
  run.headers.reset();
  if (idle_.size() < kIdleHandlesMax) {
    curl_easy_reset(easy);
    idle_.push_back(easy);
  } else {
    curl_easy_cleanup(easy);
  }
}

void HttpRunner::Loop::finish_completed(Run& run) {
  HandlerResult result = ended(HandlerEnd::Done, "completed");
  run.said.conclude(result);
  finish(run, std::move(result));
}

void HttpRunner::Loop::finish(Run& run, HandlerResult result) {
  if (completions_ != nullptr) completions_->close(run.offer.token);
  const Done done = std::move(run.done);
  runs_.erase(run.id);
  done(std::move(result));
}

Millis HttpRunner::Loop::until_next_deadline() const {
  const SteadyTime now = clock_.steady();
  SteadyTime next = now + kLongestWait;
  for (const auto& [id, run] : runs_) next = std::min(next, run->deadline);
  return std::max(Millis(0), std::chrono::ceil<Millis>(next - now));
}

HttpRunner::HttpRunner(Completions* completions, const Clock& clock, Reporter& reporter) {
  static std::once_flag once;
  std::call_once(once, [] { FERRY_CHECK(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK); });
  loop_ = std::make_unique<Loop>(completions, clock, reporter);
}

HttpRunner::~HttpRunner() = default;
void HttpRunner::start(HandlerCall call, Done done) {
  loop_->start(std::move(call), std::move(done));
}

void HttpRunner::interrupt(int level) {
  loop_->interrupt(level);
}

}  // namespace ferry::worker

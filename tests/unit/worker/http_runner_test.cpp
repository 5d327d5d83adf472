// Endpoints that are real servers on this machine, well and badly behaved.

#include "worker/http_runner.h"

#include <gtest/gtest.h>
#include <sys/un.h>

#include <atomic>
#include <future>
#include <mutex>

#include "../client/tiny_server.h"
#include "capture.h"
#include "http/server.h"
#include "worker/runner_by_kind.h"

namespace ferry::worker {
namespace {

using client::test::http_answer;
using client::test::TinyServer;
using testing_support::run_to_the_end;
using testing_support::TemporaryFolder;
using Then = TinyServer::Then;

std::string header_of(const std::string& request, const std::string& name) {
  const std::size_t at = to_lower(request).find("\r\n" + to_lower(name) + ": ");
  if (at == std::string::npos) return {};
  const std::size_t start = at + name.size() + 4;
  return request.substr(start, request.find("\r\n", start) - start);
}

class HttpRunnerTest : public testing::Test {
 protected:
  HttpRunnerTest() {
    spec_.http.emplace();
    spec_.http->content_type = "text/plain";
    message_.message_id = "id-1";
    message_.body = "the body";
  }
  HandlerCall call() {
    HandlerCall call;
    call.spec = &spec_;
    call.message = &message_;
    call.label = "id-1 Work";
    call.idempotency_key = "key-1";
    return call;
  }
  HandlerResult run() { return run_to_the_end(runner_, call()); }
  // One request to a server that answers it so.
  HandlerResult answered(const std::string& bytes, Then then = Then::Keep) {
    TinyServer server([&](const std::string& request, int) {
      const std::lock_guard lock(mutex_);
      requests_.push_back(request);
      return TinyServer::Reply{bytes, then};
    });
    spec_.http->url = server.url() + "/work?a=1";
    return run();
  }
  std::size_t requests() {
    const std::lock_guard lock(mutex_);
    return requests_.size();
  }

  SystemClock clock_;
  SystemRandom random_;
  testing_support::Capture capture_{clock_};
  config::HandlerSpec spec_;
  sqs::Message message_;
  std::mutex mutex_;
  std::vector<std::string> requests_;
  Completions completions_{"http://127.0.0.1:8090", random_};
  HttpRunner runner_{&completions_, clock_, capture_.reporter()};
};

TEST_F(HttpRunnerTest, PostsTheBodyAsItIs) {
  message_.body = std::string("line\r\n\r\n\xc3\xa4") + std::string(300'000, 'x');
  const HandlerResult result = answered(http_answer(200, "{\"id\":7}", "Content-Type: application/json\r\n"));
  EXPECT_EQ(result.end, HandlerEnd::Done);
  EXPECT_EQ(result.detail, "HTTP 200");
  EXPECT_EQ(result.code, 200);
  EXPECT_EQ(result.result, "{\"id\":7}");
  ASSERT_EQ(requests_.size(), 1u);
  EXPECT_TRUE(requests_[0].starts_with("POST /work?a=1 HTTP/1.1\r\n")) << requests_[0].substr(0, 100);
  EXPECT_TRUE(requests_[0].ends_with("\r\n\r\n" + message_.body));
  EXPECT_EQ(header_of(requests_[0], "Content-Length"), std::to_string(message_.body.size()));
  EXPECT_EQ(header_of(requests_[0], "X-Aws-Sqsd-Msgid"), "id-1");
  EXPECT_EQ(header_of(requests_[0], "Idempotency-Key"), "key-1");
  EXPECT_EQ(header_of(requests_[0], "Expect"), "");
}

TEST_F(HttpRunnerTest, NoAttributeChoosesThePath) {
  for (const char* name : {"beanstalk.sqsd.path", "beanstalk.sqsd.scheduled_time", "path", "url"})
    message_.message_attributes.push_back({name, {"String", "/admin", std::nullopt, false}});
  EXPECT_EQ(answered(http_answer(200, "")).end, HandlerEnd::Done);
  ASSERT_EQ(requests_.size(), 1u);
  EXPECT_TRUE(requests_[0].starts_with("POST /work?a=1 HTTP/1.1\r\n")) << requests_[0].substr(0, 100);
}

TEST_F(HttpRunnerTest, EnvelopeIsTheBody) {
  spec_.input = config::HandlerInput::Envelope;
  TinyServer server([&](const std::string& request, int) {
    requests_.push_back(request);
    return TinyServer::Reply{http_answer(204, "")};
  });
  spec_.http->url = server.url();
  HandlerCall one = call();
  one.envelope = "{\"body\":\"x\"}";
  EXPECT_EQ(run_to_the_end(runner_, one).end, HandlerEnd::Done);
  EXPECT_TRUE(requests_[0].ends_with("\r\n\r\n{\"body\":\"x\"}"));
}

TEST_F(HttpRunnerTest, ConnectionsAreKept) {
  TinyServer server([&](const std::string&, int) { return TinyServer::Reply{http_answer(200, "")}; });
  spec_.http->url = server.url();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(run().end, HandlerEnd::Done);
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(HttpRunnerTest, RedirectsAreNotFollowed) {
  const HandlerResult result = answered(http_answer(302, "", "Location: /elsewhere\r\n"));
  EXPECT_EQ(result.end, HandlerEnd::OurFault);
  EXPECT_EQ(result.detail, "HTTP 302, a redirect, which is not followed");
  EXPECT_EQ(requests(), 1u);
}

TEST_F(HttpRunnerTest, ServerThatAsksForTimeIsHeard) {
  const HandlerResult result = answered(http_answer(503, "busy", "Retry-After: 17\r\n"));
  EXPECT_EQ(result.end, HandlerEnd::Unavailable);
  EXPECT_EQ(result.retry_after, Seconds(17));
  EXPECT_EQ(result.detail, "HTTP 503: busy");
}

TEST_F(HttpRunnerTest, WhatCannotBeReachedWasNotStarted) {
  {
    TinyServer server([](const std::string&, int) { return TinyServer::Reply{}; });
    spec_.http->url = server.url();
  }  // nobody listens there any more
  const HandlerResult refused = run();
  EXPECT_EQ(refused.end, HandlerEnd::NotStarted);
  EXPECT_FALSE(is_attempt(refused.end));
  EXPECT_TRUE(refused.detail.starts_with("cannot reach http://127.0.0.1:")) << refused.detail;
  spec_.http->url = "http://no-such-host.invalid/";
  EXPECT_EQ(run().end, HandlerEnd::NotStarted);
}

TEST_F(HttpRunnerTest, ClosedAfterTheRequestIsUnknownAndNeverSentAgain) {
  const HandlerResult result = answered("", Then::Close);
  EXPECT_EQ(result.end, HandlerEnd::Unknown);
  EXPECT_TRUE(is_attempt(result.end));
  EXPECT_NE(result.detail.find("whether it has done its work is not known"), std::string::npos) << result.detail;
  EXPECT_EQ(requests(), 1u);
  EXPECT_EQ(answered("HTTP/1.1 200 OK\r\nContent-Le", Then::Close).end, HandlerEnd::Unknown);
  EXPECT_EQ(answered("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", Then::Close).end, HandlerEnd::Unknown);
  EXPECT_EQ(requests(), 3u);
}

// libcurl alone would repeat the request on a new connection.
TEST_F(HttpRunnerTest, ClosedKeptConnectionIsNoReasonToSendAgain) {
  std::atomic<int> seen{0};
  TinyServer server([&](const std::string&, int) {
    return ++seen == 2 ? TinyServer::Reply{"", Then::Close} : TinyServer::Reply{http_answer(200, "")};
  });
  spec_.http->url = server.url();
  EXPECT_EQ(run().end, HandlerEnd::Done);
  EXPECT_EQ(run().end, HandlerEnd::Unknown);
  EXPECT_EQ(seen, 2);
  EXPECT_EQ(run().end, HandlerEnd::Done);
}

TEST_F(HttpRunnerTest, DeadlineEndsTheWait) {
  spec_.timeout = Millis(150);
  const HandlerResult result = answered("", Then::Hang);
  EXPECT_EQ(result.end, HandlerEnd::TimedOut);
  EXPECT_TRUE(result.detail.starts_with("timed out: no answer from ")) << result.detail;
}

TEST_F(HttpRunnerTest, EndlessAnswerIsCutAndItsStatusCounts) {
  std::string endless = "HTTP/1.1 200 OK\r\nContent-Length: 900000000\r\n\r\n";
  endless.append(1'500'000, 'x');
  EXPECT_EQ(answered(endless, Then::Hang).end, HandlerEnd::Done);
}

TEST_F(HttpRunnerTest, InterruptEndsAtOnce) {
  TinyServer server([&](const std::string&, int) {
    runner_.interrupt(1);
    return TinyServer::Reply{"", Then::Hang};
  });
  spec_.http->url = server.url();
  EXPECT_EQ(run().end, HandlerEnd::Interrupted);
  EXPECT_EQ(run().detail, "interrupted before it began");
  runner_.interrupt(0);
}

TEST_F(HttpRunnerTest, MessageThatDoesNotFitIntoHeadersIsRejectedUnsent) {
  message_.message_attributes.push_back({"A", {"String", std::string(9'000, 'x'), std::nullopt, false}});
  EXPECT_EQ(answered(http_answer(200, "")).end, HandlerEnd::Rejected);
  EXPECT_EQ(requests(), 0u);
}

TEST_F(HttpRunnerTest, UnixSocketIsAWay) {
  const TemporaryFolder folder;
  spec_.http->socket = folder.file("socket");
  spec_.http->url = "http://localhost/work";
  const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  folder.file("socket").copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(listener, 1), 0);
  std::thread server([listener] {
    const int connection = ::accept(listener, nullptr, nullptr);
    std::string request(64 * 1024, '\0');
    while (::recv(connection, request.data(), request.size(), 0) > 0 && request.find("the body") == std::string::npos) {
    }
    const std::string answer = http_answer(200, "");
    [[maybe_unused]] const ssize_t sent = ::send(connection, answer.data(), answer.size(), MSG_NOSIGNAL);
    ::close(connection);
  });
  EXPECT_EQ(run().end, HandlerEnd::Done);
  server.join();
  ::close(listener);
}

TEST_F(HttpRunnerTest, ProxiesOfTheEnvironmentAreNotAsked) {
  ::setenv("http_proxy", "http://127.0.0.1:1", 1);
  EXPECT_EQ(answered(http_answer(200, "")).end, HandlerEnd::Done);
  ::unsetenv("http_proxy");
  TinyServer proxy([&](const std::string& request, int) {
    requests_.push_back(request);
    return TinyServer::Reply{http_answer(200, "")};
  });
  spec_.http->proxy = proxy.url();
  spec_.http->url = "http://no-such-host.invalid/work";
  EXPECT_EQ(run().end, HandlerEnd::Done);
  EXPECT_TRUE(requests_.back().starts_with("POST http://no-such-host.invalid/work HTTP/1.1"));
}

class CompletionTest : public HttpRunnerTest {
 protected:
  // Accepts with the token that it was given, after `before` has been told the token.
  std::unique_ptr<TinyServer> accepting(std::function<void(const std::string& token)> before = {}) {
    auto server = std::make_unique<TinyServer>([this, before](const std::string& request, int) {
      const std::string token = header_of(request, "X-Ferry-Completion-Token");
      EXPECT_EQ(header_of(request, "X-Ferry-Completion-Url"), "http://127.0.0.1:8090/complete/" + token);
      if (before) before(token);
      {
        const std::lock_guard lock(mutex_);
        token_ = token;
      }
      return TinyServer::Reply{http_answer(202, "", "X-Ferry-Completion-Token: " + token + "\r\n")};
    });
    spec_.http->url = server->url();
    return server;
  }
  std::future<HandlerResult> start() {
    auto promise = std::make_shared<std::promise<HandlerResult>>();
    runner_.start(call(), [promise](HandlerResult result) { promise->set_value(std::move(result)); });
    return promise->get_future();
  }
  std::string accepted() {
    while (!capture_.says("waiting for its completion")) sleep_for(Millis(1));
    const std::lock_guard lock(mutex_);
    return token_;
  }
  int post(const std::string& token, const std::string& body) {
    return completions_.handle({"POST", "/complete/" + token, body}).status;
  }
  std::string token_;
};

TEST_F(CompletionTest, AcceptedWorkEndsWhenItIsTold) {
  const auto server = accepting();
  auto result = start();
  const std::string token = accepted();
  EXPECT_EQ(token.size(), 64u);
  EXPECT_EQ(result.wait_for(Millis(0)), std::future_status::timeout);
  EXPECT_EQ(post(token, R"({"progress":0.5})"), 200);
  EXPECT_EQ(post(token, R"({"result":{"ok":true}})"), 200);
  const HandlerResult done = result.get();
  EXPECT_EQ(done.end, HandlerEnd::Done);
  EXPECT_EQ(done.detail, "completed");
  EXPECT_EQ(done.result, R"({"ok":true})");
  EXPECT_TRUE(capture_.says("id-1 Work progress: 50 %"));
  EXPECT_EQ(post(token, ""), 404);
}

TEST_F(CompletionTest, ItCanFailRejectAndAskForTime) {
  const auto server = accepting();
  spec_.timeout = Millis(400);
  auto later = start();
  post(accepted(), R"({"extend":60})");
  EXPECT_EQ(later.wait_for(Millis(600)), std::future_status::timeout);
  post(token_, R"({"retry_after":9})");
  const HandlerResult again = later.get();
  EXPECT_EQ(again.end, HandlerEnd::Retry);
  EXPECT_EQ(again.retry_after, Seconds(9));
}

TEST_F(CompletionTest, TimeIsOverForWhatIsNotCompleted) {
  const auto server = accepting();
  spec_.timeout = Millis(200);
  auto result = start();
  EXPECT_EQ(result.get().detail, "timed out: accepted, but not completed in time");
  EXPECT_EQ(post(token_, ""), 404);
}

TEST_F(CompletionTest, InterruptionEndsTheWait) {
  const auto server = accepting();
  auto result = start();
  accepted();
  runner_.interrupt(1);
  EXPECT_EQ(result.get().end, HandlerEnd::Interrupted);
}

TEST_F(CompletionTest, CompletionMayComeBeforeTheAnswer) {
  const auto server = accepting([this](const std::string& token) { EXPECT_EQ(post(token, R"({"reject":"no"})"), 200); });
  const HandlerResult result = start().get();
  EXPECT_EQ(result.end, HandlerEnd::Rejected);
  EXPECT_EQ(result.detail, "no");
}

TEST_F(CompletionTest, CompletionCountsWhenTheAnswerIsLost) {
  TinyServer server([this](const std::string& request, int) {
    EXPECT_EQ(post(header_of(request, "X-Ferry-Completion-Token"), ""), 200);
    return TinyServer::Reply{"", Then::Close};
  });
  spec_.http->url = server.url();
  EXPECT_EQ(run().end, HandlerEnd::Done);
}

TEST_F(CompletionTest, TokensMustBeOursAndTheAnswer202) {
  EXPECT_EQ(answered(http_answer(202, "", "X-Ferry-Completion-Token: mine\r\n")).end, HandlerEnd::OurFault);
  EXPECT_EQ(answered(http_answer(202, "")).end, HandlerEnd::Done);
  EXPECT_EQ(answered(http_answer(200, "", "X-Ferry-Completion-Token: mine\r\n")).end, HandlerEnd::Done);
}

TEST_F(CompletionTest, WithoutAPortNothingCanBeAccepted) {
  HttpRunner plain(nullptr, clock_, capture_.reporter());
  TinyServer server([this](const std::string& request, int) {
    EXPECT_EQ(header_of(request, "X-Ferry-Completion-Token"), "");
    return TinyServer::Reply{http_answer(202, "", "X-Ferry-Completion-Token: x\r\n")};
  });
  spec_.http->url = server.url();
  const HandlerResult result = run_to_the_end(plain, call());
  EXPECT_EQ(result.end, HandlerEnd::OurFault);
  EXPECT_NE(result.detail.find("worker.completion is not set"), std::string::npos);
}

TEST(Completions, AnswersPrecisely) {
  SystemRandom random;
  Completions completions("http://127.0.0.1:1", random);
  std::vector<ControlMessage> told;
  const CompletionOffer offer = completions.open([&told](const ControlMessage& message) { told.push_back(message); });
  const CompletionOffer other = completions.open([](const ControlMessage&) {});
  EXPECT_NE(offer.token, other.token);
  const std::string path = "/complete/" + offer.token;
  EXPECT_EQ(completions.handle({"GET", path, ""}).status, 405);
  EXPECT_EQ(completions.handle({"POST", "/", ""}).status, 404);
  EXPECT_EQ(completions.handle({"POST", "/complete/", ""}).status, 404);
  EXPECT_EQ(completions.handle({"POST", path.substr(0, path.size() - 1), ""}).status, 404);
  EXPECT_EQ(completions.handle({"POST", path, "{"}).status, 400);
  EXPECT_EQ(completions.handle({"POST", path, R"({"progress":2})"}).body, R"({"error":"progress must be a number from 0 to 1"})");
  EXPECT_EQ(completions.handle({"POST", path, std::string(kControlLineBytesMax + 1, ' ')}).status, 413);
  EXPECT_TRUE(told.empty());
  EXPECT_EQ(completions.handle({"POST", path, R"({"progress":1})"}).body, R"({"completed":false})");
  EXPECT_EQ(completions.handle({"POST", path, std::string(kControlLineBytesMax, ' ')}).body, R"({"completed":true})");
  EXPECT_EQ(told.size(), 2u);
  EXPECT_EQ(completions.handle({"POST", path, ""}).status, 404);
  completions.close(other.token);
  EXPECT_EQ(completions.handle({"POST", "/complete/" + other.token, ""}).status, 404);
}

TEST_F(HttpRunnerTest, HundredsWaitAtATimeOnOneThread) {
  constexpr std::size_t kMany = 300;  // two descriptors each in this process
  std::vector<std::shared_ptr<http::Exchange>> waiting;
  http::FunctionHandler handler([&](const std::shared_ptr<http::Exchange>& exchange) {
    waiting.push_back(exchange);
    if (waiting.size() < kMany) return;
    for (const auto& one : waiting) one->respond({});  // only when all are here
    waiting.clear();
  });
  const Logger log(clock_, LogLevel::Off, LogFormat::Text);
  const auto server = http::Server::create({}, handler, log);
  ASSERT_TRUE(server->bind());
  server->start();
  spec_.http->url = server->url();
  std::atomic<std::size_t> done{0};
  for (std::size_t i = 0; i < kMany; ++i) {
    runner_.start(call(), [&done](const HandlerResult& result) { done += result.end == HandlerEnd::Done ? 1 : 1'000'000; });
  }
  while (done < kMany) sleep_for(Millis(2));
  EXPECT_EQ(done, kMany);
  server->stop(Seconds(5));
}

TEST_F(HttpRunnerTest, KindsGoToTheirRunners) {
  testing_support::ThreadRunner programs([](const HandlerCall&, const InterruptLevel&) {
    HandlerResult result;
    result.detail = "program";
    return result;
  });
  RunnerByKind both(programs, runner_);
  both.interrupt(1);
  EXPECT_EQ(run_to_the_end(both, call()).end, HandlerEnd::Interrupted);
  both.interrupt(0);
  spec_.http.reset();
  EXPECT_EQ(run_to_the_end(both, call()).detail, "program");
}

}  // namespace
}  // namespace ferry::worker

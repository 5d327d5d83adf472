// Peers that are slow or go away, limits of connections and descriptors, and the end of the server.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>

#include "abuse_inputs.h"
#include "test_server.h"

namespace ferry::http::test {
namespace {

// ---- deadlines, on a clock that the test moves

class Deadlines : public ::testing::Test {
 protected:
  ServerOptions options() {
    ServerOptions options;
    options.clock = &clock_;
    return options;
  }
  bool still_open(RawClient& client, TestServer& server, Seconds after) {
    EXPECT_TRUE(client.delivered());
    server.advance(clock_, after);
    return client.silent();
  }
  ManualClock clock_;
};

TEST_F(Deadlines, AnIdleConnectionIsClosedWithoutAWord) {
  TestServer server(echo, options());
  RawClient fresh(*server);
  RawClient used(*server);
  EXPECT_EQ(used.ask(get("/")).status, 200);
  EXPECT_TRUE(still_open(used, server, Seconds(59)));
  EXPECT_TRUE(fresh.silent());
  server.advance(clock_, Seconds(1));
  EXPECT_TRUE(used.ended());
  EXPECT_TRUE(fresh.ended());
  EXPECT_EQ(server->stats().connections_open, 0u);
}

TEST_F(Deadlines, HeadersThatComeTooSlowlyAre408) {
  TestServer server(echo, options());
  RawClient client(*server);
  client.ask(get("/"));
  client.send("GET / HT");
  EXPECT_TRUE(still_open(client, server, Seconds(5)));
  client.send("T");
  EXPECT_TRUE(still_open(client, server, Seconds(4))) << "more bytes buy no more time";
  server.advance(clock_, Seconds(1));
  EXPECT_EQ(client.answer().status, 408);
  EXPECT_TRUE(client.ended());
}

TEST_F(Deadlines, ABodyMustComeAtTheMinimumRateAfterTheGrace) {
  TestServer server(echo, options());
  RawClient nothing(*server);
  RawClient something(*server);
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n";
  nothing.send(head);
  something.send(head + std::string(4096, 'x'));
  EXPECT_TRUE(nothing.delivered());
  EXPECT_TRUE(still_open(something, server, Seconds(4)));
  EXPECT_TRUE(nothing.silent());
  server.advance(clock_, Seconds(1));
  EXPECT_EQ(nothing.answer().status, 408);
  EXPECT_TRUE(still_open(something, server, Seconds(3)));
  server.advance(clock_, Seconds(1));
  EXPECT_EQ(something.answer().status, 408) << "5 s of grace and 4 s for 4 KiB";
}

TEST_F(Deadlines, ChunkFramingIsNoProgress) {
  TestServer server(echo, options());
  RawClient client(*server);
  client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;" + std::string(3000, 'x'));
  EXPECT_TRUE(still_open(client, server, Seconds(4)));
  server.advance(clock_, Seconds(1));
  EXPECT_EQ(client.answer().status, 408);
}

TEST_F(Deadlines, AReaderThatStallsIsCutOff) {
  TestServer server([](const ExchangePtr& exchange) { exchange->respond({.body = std::string(16'000'000, 'x')}); }, options());
  RawClient client(*server, 4096);
  client.send(get("/"));
  ASSERT_TRUE(eventually([&] { return server->stats().requests == 1; }));
  server.advance(clock_, Seconds(19));
  EXPECT_EQ(server->stats().connections_open, 1u);
  server.advance(clock_, Seconds(1));
  EXPECT_EQ(server->stats().connections_open, 0u);
}

TEST_F(Deadlines, AReaderThatGoesOnIsNot) {
  TestServer server([](const ExchangePtr& exchange) { exchange->respond({.body = std::string(16'000'000, 'x')}); }, options());
  RawClient client(*server, 65536);
  client.send(get("/"));
  ASSERT_TRUE(eventually([&] { return server->stats().requests == 1; }));
  server.advance(clock_, Seconds(15));
  for (int i = 0; i < 400; ++i) ASSERT_TRUE(client.fill());  // the kernels hold less than the server has sent now
  server.advance(clock_, Seconds(15));
  EXPECT_EQ(server->stats().connections_open, 1u);
  EXPECT_EQ(client.answer().body.size(), 16'000'000u);
}

TEST_F(Deadlines, AWaitingExchangeHasAllTheTimeItWants) {
  Mailbox mailbox;
  TestServer server([&](const ExchangePtr& exchange) { mailbox.put(exchange); }, options());
  RawClient client(*server);
  client.send(get("/") + "GET /half");
  auto exchange = mailbox.take();
  EXPECT_TRUE(still_open(client, server, Seconds(1000)));
  respond_on_loop(exchange, {});
  EXPECT_EQ(client.answer().status, 200);
  server.advance(clock_, Seconds(9));
  EXPECT_TRUE(client.silent()) << "the next request's time begins with the answer";
  server.advance(clock_, Seconds(1));
  EXPECT_EQ(client.answer().status, 408);
}

TEST_F(Deadlines, APeerThatNeverStopsSendingAfterARefusalIsCutOff) {
  TestServer server(echo, options());
  RawClient client(*server);
  client.send("BAD\r\n");
  EXPECT_EQ(client.answer().status, 400);
  server.settle();
  EXPECT_EQ(server->stats().connections_open, 1u);
  server.advance(clock_, Seconds(1));
  EXPECT_EQ(server->stats().connections_open, 1u);
  server.advance(clock_, Seconds(1));
  EXPECT_EQ(server->stats().connections_open, 0u);
}

TEST_F(Deadlines, TheDateHeaderFollowsTheClock) {
  TestServer server(echo, options());
  RawClient client(*server);
  EXPECT_TRUE(client.ask(get("/")).has("Date: Tue, 14 Nov 2023 22:13:20 GMT"));
  clock_.advance(Seconds(1));
  EXPECT_TRUE(client.ask(get("/")).has("Date: Tue, 14 Nov 2023 22:13:21 GMT"));
}

// ---- peers that go away

class Gone : public ::testing::Test {
 protected:
  Gone()
      : server_([this](const ExchangePtr& exchange) {
          exchange->on_gone([this] { gone_.fetch_add(1); });
          mailbox_.put(exchange);
        }) {}
  bool is_gone() {
    return eventually([this] { return gone_ == 1; });
  }
  std::atomic<int> gone_ = 0;
  Mailbox mailbox_;
  TestServer server_;
};

TEST_F(Gone, WhenThePeerCloses) {
  RawClient client(*server_);
  client.send(get("/"));
  auto exchange = mailbox_.take();
  client.close();
  EXPECT_TRUE(is_gone());
  respond_on_loop(exchange, {});
  EXPECT_TRUE(eventually([&] { return server_->stats().connections_open == 0; }));
  EXPECT_EQ(gone_, 1);
}

TEST_F(Gone, WhenThePeerResets) {
  RawClient client(*server_);
  client.send(get("/"));
  auto exchange = mailbox_.take();
  client.reset();
  EXPECT_TRUE(is_gone());
  EXPECT_TRUE(eventually([&] { return server_->stats().connections_open == 0; }));
  EXPECT_EQ(exchange->request().target, "/") << "the request outlives the connection";
  respond_on_loop(exchange, {});
}

TEST_F(Gone, AlthoughUnreadBytesAreWaiting) {
  RawClient client(*server_);
  client.send(get("/") + std::string(100'000, 'x'));
  auto exchange = mailbox_.take();
  client.close();
  EXPECT_TRUE(is_gone());
}

TEST_F(Gone, AHalfClosedPeerStillGetsItsAnswer) {
  RawClient client(*server_);
  client.send(get("/half"));
  client.finish_sending();
  auto exchange = mailbox_.take();
  EXPECT_TRUE(is_gone());
  respond_on_loop(exchange, {.body = "late"});
  EXPECT_EQ(client.answer().body, "late");
  EXPECT_TRUE(client.ended());
}

TEST_F(Gone, IsToldToWhomAsksAfterwards) {
  RawClient client(*server_);
  client.send(get("/"));
  auto exchange = mailbox_.take();
  client.finish_sending();
  EXPECT_TRUE(is_gone());
  std::promise<void> again;
  run_on(exchange->loop(), [&] { exchange->on_gone([&] { again.set_value(); }); });
  EXPECT_EQ(again.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
}

TEST_F(Gone, IsNotToldOnceTheAnswerIsGiven) {
  RawClient client(*server_);
  client.send(get("/"));
  auto exchange = mailbox_.take();
  respond_on_loop(exchange, {});
  EXPECT_EQ(client.answer().status, 200);
  client.close();
  EXPECT_TRUE(eventually([&] { return server_->stats().connections_open == 0; }));
  server_.settle();
  EXPECT_EQ(gone_, 0);
}

TEST_F(Gone, ThePeerCannotFillMemoryWhileItWaits) {
  RawClient client(*server_);
  client.send(get("/"));
  auto exchange = mailbox_.take();
  const std::string piece(65536, 'x');
  std::size_t taken = 0;
  for (;;) {
    ssize_t count = ::send(client.fd(), piece.data(), piece.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count < 0) break;
    taken += static_cast<std::size_t>(count);
    ASSERT_LT(taken, 64'000'000u) << "somebody reads";
  }
  EXPECT_EQ(errno, EAGAIN);
}

TEST(Server, AnExchangeLetGoWithoutAnAnswerClosesTheConnection) {
  TestServer server([](const ExchangePtr& exchange) {
    if (exchange->request().path == "/answer") echo(exchange);
  });
  RawClient client(*server);
  client.send(get("/answer") + get("/drop") + get("/answer"));
  EXPECT_EQ(client.answer().status, 200);
  EXPECT_TRUE(client.ended());
  EXPECT_EQ(server->stats().requests, 2u);
}

TEST(Server, AnExchangeLetGoOnAnotherThreadClosesTheConnectionSoon) {
  ManualClock clock;
  ServerOptions options;
  options.clock = &clock;
  Mailbox mailbox;
  TestServer server([&](const ExchangePtr& exchange) { mailbox.put(exchange); }, options);
  RawClient client(*server);
  client.send(get("/"));
  auto exchange = mailbox.take();
  server.settle();
  exchange.reset();
  EXPECT_TRUE(client.silent());
  server.advance(clock, Seconds(1));
  EXPECT_TRUE(client.ended());
}

TEST(Server, AnOwnerInsideItsOwnCallbackIsFreed) {
  std::weak_ptr<Exchange> answered, left;
  Mailbox mailbox;
  TestServer server([&](const ExchangePtr& exchange) {
    exchange->on_gone([exchange] {});  // owns itself
    (exchange->request().path == "/left" ? left : answered) = exchange;
    if (exchange->request().path != "/left") echo(exchange);
  });
  RawClient client(*server);
  EXPECT_EQ(client.ask(get("/")).status, 200);
  server.settle();
  EXPECT_TRUE(answered.expired());
  client.send(get("/left"));
  ASSERT_TRUE(eventually([&] { return server->stats().requests == 2; }));
  client.close();
  EXPECT_TRUE(eventually([&] { return server->stats().connections_open == 0; }));
  server.settle();
  EXPECT_TRUE(left.expired());
}

// ---- limits of connections and descriptors

TEST(Server, AcceptingPausesAtTheConnectionLimit) {
  for (std::size_t loops : {1, 2}) {
    ServerOptions options;
    options.limits.connections_max = 2;
    options.loops = loops;
    TestServer server(echo, options);
    RawClient first(*server), second(*server);
    EXPECT_EQ(first.ask(get("/1")).status, 200);
    EXPECT_EQ(second.ask(get("/2")).status, 200);
    RawClient third(*server);
    third.send(get("/3"));
    server.settle();
    EXPECT_EQ(server->stats().connections_accepted, 2u);
    EXPECT_TRUE(third.silent());
    first.close();
    EXPECT_EQ(third.answer().body, "GET /3 ");
    EXPECT_EQ(second.ask(get("/2")).status, 200);
    for (int i = 0; i < 20; ++i) {
      third.close();
      RawClient next(*server);
      ASSERT_EQ(next.ask(get("/n")).status, 200) << i;
      next.close();
      ASSERT_TRUE(eventually([&] { return server->stats().connections_open == 1; }));
    }
  }
}

#if !defined(__SANITIZE_ADDRESS__)  // which needs descriptors itself
double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

// In a process of its own, whose descriptors run out. The reason of a failure is its exit code.
[[noreturn]] void run_out_of_descriptors() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = 64;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) std::_Exit(2);
  TestServer server;
  RawClient before(*server);
  if (before.ask(get("/")).status != 200) std::_Exit(3);
  std::vector<Descriptor> hoard;
  for (;;) {
    Descriptor taken(::dup(0));
    if (!taken) break;
    hoard.push_back(std::move(taken));
  }
  SystemClock clock;
  for (int i = 0; i < 3; ++i) {
    // One descriptor is free for our side; the server finds none and answers through its reserve.
    hoard.pop_back();
    auto start = clock.steady();
    double cpu = cpu_seconds();
    RawClient refused(*server);
    auto answer = refused.answer();
    if (answer.status != 503 || !answer.has("Retry-After: 1")) std::_Exit(4);
    double waited = std::chrono::duration<double>(clock.steady() - start).count();
    if (i > 0 && waited > 0.05 && cpu_seconds() - cpu > waited / 2) std::_Exit(5);  // it spins
    refused.close();
    Descriptor taken(::dup(0));
    if (taken) hoard.push_back(std::move(taken));
    if (before.ask(get("/")).status != 200) std::_Exit(6);
  }
  hoard.clear();
  RawClient after(*server);
  if (after.ask(get("/")).status != 200) std::_Exit(7);
  if (server->stats().refused != 3) std::_Exit(8);
  std::_Exit(0);
}

TEST(ServerDeathTest, SurvivesRunningOutOfDescriptors) {
  // UBSan opens a pipe to look at an object's type, and takes its failing for a wrong type.
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(run_out_of_descriptors(), ::testing::ExitedWithCode(0), "");
}
#endif

// ---- the end

TEST(Stop, ClosesIdleConnectionsAtOnce) {
  TestServer server;
  RawClient idle(*server), half(*server);
  EXPECT_EQ(idle.ask(get("/")).status, 200);
  half.ask(get("/"));
  half.send("GET /ha");
  server.settle();
  server->stop(std::chrono::hours(1));
  EXPECT_TRUE(idle.ended());
  EXPECT_TRUE(half.ended());
  EXPECT_EQ(server->stats().connections_open, 0u);
  server->stop(std::chrono::hours(1));
}

TEST(Stop, WaitsForTheAnswersAndClosesAfterThem) {
  ServerOptions options;
  options.loops = 2;
  Mailbox mailbox;
  TestServer server([&](const ExchangePtr& exchange) { mailbox.put(exchange); }, options);
  RawClient one(*server), two(*server);
  one.send(get("/1"));
  two.send(get("/2"));
  std::vector<ExchangePtr> waiting{mailbox.take(), mailbox.take()};
  auto stopped = std::async(std::launch::async, [&] { server->stop(std::chrono::hours(1)); });
  std::uint16_t port = server->port();
  for (auto& exchange : waiting) {
    EXPECT_EQ(stopped.wait_for(std::chrono::milliseconds(0)), std::future_status::timeout);
    // Through a timer, as a service that ends its long polls does.
    exchange->loop().post([&exchange] {
      exchange->loop().start_timer(std::chrono::milliseconds(1), [&exchange] { exchange->respond({.body = "bye"}); });
    });
  }
  stopped.wait();
  for (RawClient* client : {&one, &two}) {
    auto answer = client->answer();
    EXPECT_EQ(answer.body, "bye");
    EXPECT_TRUE(client->ended());
  }
  waiting.clear();
  FunctionHandler handler(echo);
  SystemClock clock;
  Logger log(clock, LogLevel::Off, LogFormat::Text);
  ServerOptions again;
  again.port = port;
  EXPECT_TRUE(Server::create(again, handler, log)->bind()) << "the port is free";
}

TEST(Stop, AnswersGivenMeanwhileSayClose) {
  Mailbox mailbox;
  TestServer server([&](const ExchangePtr& exchange) { mailbox.put(exchange); });
  RawClient client(*server), idle(*server);
  EXPECT_TRUE(eventually([&] { return server->stats().connections_open == 2; }));
  client.send(get("/"));
  auto exchange = mailbox.take();
  auto stopped = std::async(std::launch::async, [&] { server->stop(std::chrono::hours(1)); });
  EXPECT_TRUE(idle.ended());  // so the loop knows
  respond_on_loop(exchange, {});
  EXPECT_TRUE(client.answer().has("Connection: close"));
  stopped.wait();
}

TEST(Stop, SendsALargeAnswerToItsEnd) {
  Mailbox mailbox;
  TestServer server([&](const ExchangePtr& exchange) { mailbox.put(exchange); });
  RawClient client(*server, 4096);
  client.send(get("/"));
  auto exchange = mailbox.take();
  respond_on_loop(exchange, {.body = std::string(16'000'000, 'x')});
  auto stopped = std::async(std::launch::async, [&] { server->stop(std::chrono::hours(1)); });
  EXPECT_EQ(client.answer().body.size(), 16'000'000u);
  stopped.wait();
}

TEST(Stop, AnswersRequestsThatHaveReachedTheKernel) {
  TestServer server;
  std::promise<void> blocked, go;
  RawClient client(*server);
  client.ask(get("/1"));
  server.loop().post([&] {
    blocked.set_value();
    go.get_future().wait();
  });
  blocked.get_future().wait();
  auto stopped = std::async(std::launch::async, [&] { server->stop(std::chrono::hours(1)); });
  client.send(get("/2"));
  client.delivered();
  go.set_value();
  stopped.wait();
  EXPECT_EQ(client.answer().body, "GET /2 ");
}

TEST(Stop, GivesUpAtTheDeadline) {
  std::atomic<int> gone = 0;
  Mailbox mailbox;
  ExchangePtr exchange;
  TestServer server([&](const ExchangePtr& given) {
    given->on_gone([&] { ++gone; });
    mailbox.put(given);
  });
  RawClient client(*server);
  client.send(get("/"));
  exchange = mailbox.take();
  server->stop(std::chrono::milliseconds(5));
  EXPECT_EQ(gone, 1);
  EXPECT_TRUE(client.ended());
  bool ran = false;
  exchange->loop().post([&] { ran = true; });
  EXPECT_FALSE(ran) << "dropped";
  exchange->respond({});
}

TEST(Stop, ADestroyedServerHasStopped) {
  Mailbox mailbox;
  RawClient* client = nullptr;
  std::unique_ptr<RawClient> owner;
  ExchangePtr exchange;
  {
    TestServer server([&](const ExchangePtr& given) { mailbox.put(given); });
    owner = std::make_unique<RawClient>(*server);
    client = owner.get();
    client->send(get("/"));
    exchange = mailbox.take();
    exchange.reset();
  }
  EXPECT_TRUE(client->ended());
}

TEST(Stop, WithoutAStartIsNothing) {
  FunctionHandler handler(echo);
  SystemClock clock;
  Logger log(clock, LogLevel::Off, LogFormat::Text);
  auto server = Server::create({}, handler, log);
  ASSERT_TRUE(server->bind());
  server->stop(std::chrono::hours(1));
}

}  // namespace
}  // namespace ferry::http::test

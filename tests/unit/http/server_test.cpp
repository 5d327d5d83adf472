// The server over real sockets: requests and answers.

#include "http/server.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include <atomic>

#include "abuse_inputs.h"
#include "test_server.h"

namespace ferry::http::test {
namespace {

TEST(Server, AnswersAndKeepsTheConnection) {
  TestServer server;
  RawClient client(*server);
  for (int i = 0; i < 3; ++i) {
    auto answer = client.ask(post("/q?n=" + std::to_string(i), "hello"));
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, "POST /q?n=" + std::to_string(i) + " hello");
    EXPECT_EQ(answer.head.find("Connection:"), std::string::npos);
  }
  EXPECT_EQ(server->stats().connections_accepted, 1u);
  EXPECT_EQ(server->stats().requests, 3u);
}

TEST(Server, TellsTheHandlerAllOfTheRequest) {
  std::string seen;
  TestServer server([&](const ExchangePtr& exchange) {
    const Request& request = exchange->request();
    EXPECT_TRUE(exchange->loop().is_current());
    seen = std::string(request.path) + "|" + std::string(request.query) + "|" + std::string(request.header("x-one")) + "|" +
           std::string(request.header("X-NONE")) + "|" + std::string(request.peer) + "|" + std::to_string(request.headers.size());
    for (std::size_t i = 0; i < kBodyPadding; ++i) EXPECT_EQ(*(request.body.data() + request.body.size() + i), '\0');
    echo(exchange);
  });
  RawClient client(*server);
  client.ask("POST /a?b=c HTTP/1.1\r\nHost: a\r\nX-One: 1\r\nx-one: 2\r\nContent-Length: 2\r\n\r\nhi");
  EXPECT_EQ(seen, "/a|b=c|1||127.0.0.1|4");
  EXPECT_FALSE(server.loop().is_current());
}

TEST(Server, AnswersPipelinedRequestsInOrder) {
  TestServer server;
  RawClient client(*server);
  std::string all;
  for (int i = 0; i < 500; ++i) all += post("/" + std::to_string(i), "b");
  ASSERT_TRUE(client.send(all));
  for (int i = 0; i < 500; ++i) EXPECT_EQ(client.answer().body, "POST /" + std::to_string(i) + " b");
}

TEST(Server, PipelinedRequestsWaitForTheAnswerBefore) {
  Mailbox mailbox;
  TestServer server([&](const ExchangePtr& exchange) { mailbox.put(exchange); });
  RawClient client(*server);
  ASSERT_TRUE(client.send(get("/1") + get("/2") + post("/3", std::string(100'000, 'x')) + get("/4")));
  for (const char* target : {"/1", "/2", "/3", "/4"}) {
    auto exchange = mailbox.take();
    ASSERT_NE(exchange, nullptr);
    server.settle();
    EXPECT_EQ(mailbox.size(), 0u);
    EXPECT_EQ(exchange->request().target, target);
    respond_on_loop(exchange, {.body = target});
    EXPECT_EQ(client.answer().body, target);
  }
}

TEST(Server, TakesARequestInTwoPiecesSplitAnywhere) {
  TestServer server;
  RawClient client(*server);
  const std::string request = "POST /s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
  for (std::size_t split = 1; split < request.size(); ++split) {
    client.send(request.substr(0, split));
    client.send(request.substr(split));
    ASSERT_EQ(client.answer().body, "POST /s hello") << split;
  }
}

TEST(Server, TakesARequestByteByByte) {
  TestServer server;
  RawClient client(*server);
  for (char c : post("/s", "hello")) {
    client.send({&c, 1});
    server.settle();
  }
  EXPECT_EQ(client.answer().body, "POST /s hello");
}

TEST(Server, TakesBodiesUpToTheLimit) {
  ServerOptions options;
  options.limits.body_bytes_max = 3'000'000;
  TestServer server(
      [](const ExchangePtr& exchange) { exchange->respond({.body = std::to_string(exchange->request().body.size())}); }, options);
  RawClient client(*server);
  EXPECT_EQ(client.ask(post("/", std::string(3'000'000, 'x'))).body, "3000000");
  EXPECT_EQ(client
                .ask("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" +
                     repeated("186a0\r\n" + std::string(100'000, 'x') + "\r\n", 30) + "0\r\n\r\n")
                .body,
            "3000000");
  EXPECT_EQ(client.ask(get("/")).body, "0");
  EXPECT_EQ(client.ask(post("/", std::string(3'000'001, 'x'))).status, 413);
  RawClient chunked(*server);
  EXPECT_EQ(chunked
                .ask("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" +
                     repeated("186a0\r\n" + std::string(100'000, 'x') + "\r\n", 30) + "1\r\nx\r\n0\r\n\r\n")
                .status,
            413);
  EXPECT_TRUE(chunked.ended());
}

TEST(Server, RefusesEveryAbusiveInputAndCloses) {
  std::atomic<int> handled = 0;
  TestServer server([&](const ExchangePtr& exchange) {
    ++handled;
    echo(exchange);
  });
  auto inputs = abuse_inputs();
  for (const RawInput& input : inputs) {
    RawClient client(*server);
    client.send(input.bytes);
    auto answer = client.answer();
    EXPECT_EQ(answer.status, input.status) << input.name;
    EXPECT_TRUE(answer.has("Connection: close")) << input.name;
    EXPECT_TRUE(client.ended()) << input.name;
  }
  EXPECT_EQ(handled, 0);
  EXPECT_EQ(server->stats().refused, inputs.size());
}

TEST(Server, TakesEveryFairInput) {
  TestServer server;
  for (const RawInput& input : fair_inputs()) {
    RawClient client(*server);
    EXPECT_EQ(client.ask(input.bytes).status, 200) << input.name;
  }
}

TEST(Server, AFairRequestBeforeAnAbusiveOneIsAnswered) {
  TestServer server;
  RawClient client(*server);
  client.send(get("/ok") + "GET / HTTP/1.1\r\n\r\n" + get("/smuggled"));
  EXPECT_EQ(client.answer().body, "GET /ok ");
  EXPECT_EQ(client.answer().status, 400);
  EXPECT_TRUE(client.ended());
  EXPECT_EQ(server->stats().requests, 1u);
}

TEST(Server, ARefusalIsReadableAlthoughThePeerSendsOn) {
  TestServer server;
  RawClient client(*server);
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n");
  client.send(std::string(2'000'000, 'x'));
  EXPECT_EQ(client.answer().status, 413);
}

TEST(Server, SaysContinueWhenThePeerWaitsForIt) {
  TestServer server;
  RawClient client(*server);
  const std::string head = "POST /e HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";
  EXPECT_EQ(client.ask(head).status, 100);
  EXPECT_EQ(client.ask("hello").body, "POST /e hello");
  EXPECT_EQ(client.ask(head + "world").body, "POST /e world") << "no 100 when the body is there already";
  EXPECT_EQ(client.ask("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 99999999\r\n\r\n").status, 413);
}

TEST(Server, SpeaksHttp10) {
  TestServer server;
  RawClient client(*server);
  auto kept = client.ask("GET /k HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_TRUE(kept.has("Connection: keep-alive"));
  auto closed = client.ask("GET /c HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(closed.has("Connection: close"));
  EXPECT_TRUE(client.ended());
}

TEST(Server, ClosesWhenEitherSideAsksForIt) {
  TestServer server([](const ExchangePtr& exchange) { exchange->respond({.close = exchange->request().path == "/close"}); });
  RawClient by_client(*server);
  EXPECT_TRUE(by_client.ask("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").has("Connection: close"));
  EXPECT_TRUE(by_client.ended());
  RawClient by_handler(*server);
  EXPECT_TRUE(by_handler.ask(get("/close") + get("/never")).has("Connection: close"));
  EXPECT_TRUE(by_handler.ended());
  EXPECT_EQ(server->stats().requests, 2u);
}

TEST(Server, LeavesOutTheBodyWhereThereIsNone) {
  TestServer server([](const ExchangePtr& exchange) {
    int status = exchange->request().path == "/204" ? 204 : exchange->request().path == "/304" ? 304 : 200;
    exchange->respond({.status = status, .body = "hello"});
  });
  RawClient client(*server);
  client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(client.answer(/*has_body=*/false).has("Content-Length: 5"));
  for (const char* target : {"/204", "/304"}) {
    auto answer = client.ask(get(target));
    EXPECT_EQ(answer.head.find("Content-Length"), std::string::npos);
  }
  EXPECT_EQ(client.ask(get("/")).body, "hello") << "nothing was left on the connection";
}

TEST(Server, SendsLargeAnswersToSlowReaders) {
  std::string large;
  for (int i = 0; large.size() < 8'000'000; ++i) large += std::to_string(i) + ",";
  TestServer server([&](const ExchangePtr& exchange) { exchange->respond({.body = large}); });
  RawClient client(*server, 4096);
  for (int i = 0; i < 2; ++i) {
    client.send(get("/") + get("/"));
    EXPECT_TRUE(client.answer().body == large);
    EXPECT_TRUE(client.answer().body == large);
  }
}

TEST(Server, SendsBodiesOfEverySizeAroundTheCopyLimit) {
  TestServer server([](const ExchangePtr& exchange) {
    exchange->respond({.body = std::string(std::stoul(std::string(exchange->request().query)), 'y')});
  });
  RawClient client(*server);
  for (std::size_t size : {0, 1, 16383, 16384, 16385, 65536, 300'000}) {
    EXPECT_EQ(client.ask(get("/?" + std::to_string(size))).body.size(), size);
  }
}

TEST(Server, ManyClientsOnTwoLoopsAnsweredFromAnotherThread) {
  Mailbox mailbox;
  ServerOptions options;
  options.loops = 2;
  TestServer server([&](const ExchangePtr& exchange) { mailbox.put(exchange); }, options);
  constexpr int kThreads = 4, kConnections = 4, kRounds = 200;
  std::thread answering([&] {
    for (int i = 0; i < kThreads * kConnections * kRounds; ++i) {
      auto exchange = mailbox.take();
      if (!exchange) return;
      Loop& loop = exchange->loop();
      loop.post([exchange = std::move(exchange)] { echo(exchange); });
    }
  });
  std::atomic<int> right = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::vector<std::unique_ptr<RawClient>> clients;
      for (int c = 0; c < kConnections; ++c) clients.push_back(std::make_unique<RawClient>(*server));
      for (int round = 0; round < kRounds; ++round) {
        std::string body = std::to_string(t) + "." + std::to_string(round);
        for (auto& client : clients) client->send(post("/", body));
        for (auto& client : clients) right += client->answer().body == "POST / " + body;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  answering.join();
  EXPECT_EQ(right, kThreads * kConnections * kRounds);
  EXPECT_EQ(server->stats().requests, static_cast<std::uint64_t>(kThreads * kConnections * kRounds));
  EXPECT_EQ(server->stats().connections_accepted, static_cast<std::uint64_t>(kThreads * kConnections));
}

TEST(Server, DealsConnectionsOutToItsLoopsInTurn) {
  ServerOptions options;
  options.loops = 3;
  TestServer server([](const ExchangePtr& exchange) { exchange->respond({.body = std::to_string(exchange->loop().index())}); },
                    options);
  std::string seen;
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 6; ++i) {
    clients.push_back(std::make_unique<RawClient>(*server));
    seen += clients.back()->ask(get("/")).body;
  }
  EXPECT_EQ(seen, "012012");
}

TEST(Loop, RunsTasksInOrderAndTimersOnTime) {
  ManualClock clock;
  ServerOptions options;
  options.clock = &clock;
  TestServer server(echo, options);
  std::string seen;
  Loop::TimerId cancelled = 0;
  run_on(server.loop(), [&] {
    server.loop().start_timer(std::chrono::milliseconds(100), [&] { seen += 't'; });
    cancelled = server.loop().start_timer(std::chrono::milliseconds(50), [&] { seen += 'x'; });
    server.loop().post([&] { seen += 'b'; });
    seen += 'a';
  });
  run_on(server.loop(), [&] { server.loop().cancel_timer(cancelled); });
  EXPECT_EQ(seen, "ab");
  server.advance(clock, Millis(99));
  EXPECT_EQ(seen, "ab");
  server.advance(clock, Millis(1));
  EXPECT_EQ(seen, "abt");
  run_on(server.loop(), [&] { server.loop().cancel_timer(cancelled); });
}

TEST(Loop, TimersRunByThemselves) {
  TestServer server;
  std::promise<void> ran;
  run_on(server.loop(), [&] { server.loop().start_timer(std::chrono::milliseconds(5), [&] { ran.set_value(); }); });
  EXPECT_EQ(ran.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // their allocators do not count
TEST(Server, AWaitingConnectionHoldsLittleMemory) {
  Mailbox mailbox;
  TestServer server([&](const ExchangePtr& exchange) { mailbox.put(exchange); });
  const std::string poll =
      "POST / HTTP/1.1\r\nHost: localhost:9324\r\nContent-Type: application/x-amz-json-1.0\r\n"
      "X-Amz-Target: AmazonSQS.ReceiveMessage\r\nX-Amz-Date: 20261123T080000Z\r\nUser-Agent: aws-sdk-js/3.600.0 ua/2.0 "
      "os/linux\r\n"
      "Authorization: " +
      std::string(240, 'a') + "\r\nContent-Length: 120\r\n\r\n" + std::string(120, 'b');
  std::vector<std::unique_ptr<RawClient>> clients;
  auto open_all = [&](std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      clients.push_back(std::make_unique<RawClient>(*server));
      clients.back()->send(poll);
    }
    EXPECT_TRUE(eventually([&] { return mailbox.size() == clients.size(); }));
    server.settle();
  };
  open_all(50);
  auto before = ::mallinfo2().uordblks;
  open_all(400);
  auto each = (::mallinfo2().uordblks - before) / 400;
  EXPECT_LE(each, 2048u);
  ::testing::Test::RecordProperty("bytes_per_waiting_connection", static_cast<int>(each));
  while (mailbox.size() > 0) respond_on_loop(mailbox.take(), {});
  for (auto& client : clients) ASSERT_EQ(client->answer().status, 200);
  server.settle();
  auto idle = (::mallinfo2().uordblks - before) / 400;  // `before` had 50 waiting, so this is a little less than each holds
  EXPECT_LE(idle, 512u) << "idle connections keep no buffers";
}
#endif

// ---- addresses

Logger quiet_log() {
  static const SystemClock clock;
  return Logger(clock, LogLevel::Off, LogFormat::Text);
}

TEST(Server, ATakenPortIsBusy) {
  TestServer server;
  FunctionHandler handler(echo);
  Logger log = quiet_log();
  for (std::size_t loops : {1, 2}) {
    ServerOptions options;
    options.port = server->port();
    options.loops = loops;
    auto second = Server::create(options, handler, log);
    auto bound = second->bind();
    ASSERT_FALSE(bound);
    EXPECT_EQ(bound.error().kind, ErrorKind::Busy);
    EXPECT_EQ(bound.error().message,
              "cannot listen on 127.0.0.1:" + std::to_string(server->port()) + ": another program is using this port");
  }
}

TEST(Server, ABoundServerHoldsItsPortBeforeItStarts) {
  FunctionHandler handler(echo);
  Logger log = quiet_log();
  auto first = Server::create({}, handler, log);
  ASSERT_TRUE(first->bind());
  ServerOptions options;
  options.port = first->port();
  auto second = Server::create(options, handler, log);
  EXPECT_FALSE(second->bind());
  RawClient early(first->port());
  early.send(get("/early"));
  first->start();
  EXPECT_EQ(early.answer().body, "GET /early ");
}

TEST(Server, BindsNamesAndIPv6) {
  FunctionHandler handler(echo);
  Logger log = quiet_log();
  ServerOptions options;
  options.host = "localhost";
  EXPECT_TRUE(Server::create(options, handler, log)->bind());
  for (const char* host : {"::1", "[::1]"}) {
    options.host = host;
    auto server = Server::create(options, handler, log);
    auto bound = server->bind();
    if (!bound && bound.error().kind == ErrorKind::InvalidArgument) GTEST_SKIP() << "no IPv6 here: " << bound.error().message;
    ASSERT_TRUE(bound);
    EXPECT_EQ(server->host(), "::1");
    EXPECT_EQ(server->url(), "http://[::1]:" + std::to_string(server->port()));
  }
}

TEST(Server, ABadAddressIsASentence) {
  FunctionHandler handler(echo);
  Logger log = quiet_log();
  for (const char* host : {"", "256.1.1.1.", "192.0.2.1", "no such host"}) {
    ServerOptions options;
    options.host = host;
    auto bound = Server::create(options, handler, log)->bind();
    ASSERT_FALSE(bound) << host;
    EXPECT_EQ(bound.error().kind, ErrorKind::InvalidArgument) << host;
    EXPECT_TRUE(bound.error().message.starts_with("cannot listen on ")) << bound.error().message;
  }
}

}  // namespace
}  // namespace ferry::http::test

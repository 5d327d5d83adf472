#include <gtest/gtest.h>

#include <fstream>

#include "client/client.h"
#include "tiny_server.h"

namespace ferry::client {
namespace {
using test::http_answer;
using test::TinyServer;
using Then = TinyServer::Then;
using std::chrono::milliseconds;

std::unique_ptr<Transport> transport() {
  return make_curl_transport(TransportOptions{});
}

Transport::Request post(const std::string& url, std::string body = "hello") {
  Transport::Request request;
  request.method = "POST";
  request.url = url;
  request.headers = {{"Host", "queue.example"}, {"X-Amz-Target", "AmazonSQS.SendMessage"}};
  request.body = std::move(body);
  request.timeout = milliseconds(10'000);
  return request;
}

// A port where nobody listens: it was somebody's until a moment ago.
std::string unused_url() {
  const TinyServer server([](const std::string&, int) { return TinyServer::Reply{}; });
  return server.url();
}

ErrorKind failure(const Result<Transport::Response>& result) {
  EXPECT_FALSE(result);
  return result ? ErrorKind::Io : result.error().kind;
}

TEST(CurlTransport, SendsWhatItWasGivenAndNothingElse) {
  std::string seen;
  TinyServer server([&](const std::string& request, int) {
    seen = request;
    return TinyServer::Reply{http_answer(202, "done", "X-Thing:  a b \r\nX-Amzn-RequestId: 1\r\n")};
  });
  const auto response = transport()->perform(post(server.url() + "/a/../b//c?d=%2B"), nullptr);
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->status, 202);
  EXPECT_EQ(response->body, "done");
  EXPECT_EQ(response->headers, (std::vector<std::pair<std::string, std::string>>{
                                   {"content-length", "4"}, {"x-thing", "a b"}, {"x-amzn-requestid", "1"}}));
  EXPECT_TRUE(seen.starts_with("POST /a/../b//c?d=%2B HTTP/1.1\r\n")) << seen;
  EXPECT_NE(seen.find("\r\nHost: queue.example\r\n"), std::string::npos);
  EXPECT_NE(seen.find("\r\nX-Amz-Target: AmazonSQS.SendMessage\r\n"), std::string::npos);
  EXPECT_TRUE(seen.ends_with("\r\n\r\nhello"));
  for (const char* unwanted : {"Content-Type", "Expect", "User-Agent", "Accept-Encoding", "Cookie"}) {
    EXPECT_EQ(seen.find(unwanted), std::string::npos) << unwanted;
  }
}

TEST(CurlTransport, MethodsBodiesAndEmptyValues) {
  std::vector<std::string> seen;
  TinyServer server([&](const std::string& request, int) {
    seen.push_back(request);
    return TinyServer::Reply{http_answer(200, "")};
  });
  const auto client = transport();
  Transport::Request request = post(server.url(), "");
  ASSERT_TRUE(client->perform(request, nullptr));
  request.method = "PUT";
  request.headers.emplace_back("X-Empty", "");
  ASSERT_TRUE(client->perform(request, nullptr));
  request.method = "GET";
  ASSERT_TRUE(client->perform(request, nullptr));
  request = post(server.url(), std::string(2'000'000, 'x') + std::string("\0end", 4));  // libcurl would ask first
  ASSERT_TRUE(client->perform(request, nullptr));
  ASSERT_EQ(seen.size(), 4U);
  EXPECT_TRUE(seen[0].starts_with("POST / HTTP/1.1\r\n"));
  EXPECT_NE(seen[0].find("Content-Length: 0\r\n"), std::string::npos);
  EXPECT_TRUE(seen[1].starts_with("PUT / HTTP/1.1\r\n"));
  EXPECT_NE(seen[1].find("\r\nX-Empty:\r\n"), std::string::npos);
  EXPECT_TRUE(seen[2].starts_with("GET / HTTP/1.1\r\n"));
  EXPECT_TRUE(seen[3].ends_with(std::string("x\0end", 5)));
}

TEST(CurlTransport, KeepsConnectionsAndSharesThemBetweenThreads) {
  TinyServer server(
      [](const std::string&, int connection) { return TinyServer::Reply{http_answer(200, std::to_string(connection))}; });
  const auto client = transport();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(client->perform(post(server.url()), nullptr));
  EXPECT_EQ(server.connections(), 1);
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 25; ++i) good += client->perform(post(server.url()), nullptr).has_value() ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 100);
  EXPECT_LE(server.connections(), 4);
}

TEST(CurlTransport, RedirectsAreAnswersLikeOthers) {
  TinyServer server(
      [](const std::string&, int) { return TinyServer::Reply{http_answer(307, "", "Location: http://127.0.0.1:1/\r\n")}; });
  const auto response = transport()->perform(post(server.url()), nullptr);
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 307);
}

TEST(CurlTransport, InterimAnswersArePassedOver) {
  TinyServer server([](const std::string&, int) {
    return TinyServer::Reply{"HTTP/1.1 100 Continue\r\nX-Interim: 1\r\n\r\n" + http_answer(200, "x")};
  });
  const auto response = transport()->perform(post(server.url()), nullptr);
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->headers.size(), 1U);
}

TEST(CurlTransport, NothingWasSentWhenThereIsNoConnection) {
  EXPECT_EQ(failure(transport()->perform(post(unused_url()), nullptr)), ErrorKind::Unavailable);
  EXPECT_EQ(failure(transport()->perform(post("http://no-such-host.invalid/"), nullptr)), ErrorKind::Unavailable);
  const auto https = unused_url().replace(0, 4, "https");
  EXPECT_EQ(failure(transport()->perform(post(https), nullptr)), ErrorKind::Unavailable);
}

TEST(CurlTransport, NothingWasSentWhenTlsFails) {
  TinyServer server([](const std::string&, int) { return TinyServer::Reply{}; });  // never sees a whole request: no TLS here
  Transport::Request request = post("https" + server.url().substr(4));
  request.timeout = milliseconds(300);
  EXPECT_EQ(failure(transport()->perform(request, nullptr)), ErrorKind::Unavailable);
}

TEST(CurlTransport, AnAnswerThatIsLostIsUnknown) {
  const std::vector<std::pair<const char*, TinyServer::Reply>> faults = {
      {"closed before the answer", {"", Then::Close}},
      {"closed within the head", {"HTTP/1.1 200 OK\r\nContent-Le", Then::Close}},
      {"closed within the body", {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", Then::Close}},
      {"closed within a chunk", {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nshort", Then::Close}},
      {"no HTTP", {"SSH-2.0-OpenSSH_9.2\r\n\r\n", Then::Close}},
  };
  for (const auto& [name, reply] : faults) {
    SCOPED_TRACE(name);
    TinyServer server([&, reply = reply](const std::string&, int) { return reply; });
    EXPECT_EQ(failure(transport()->perform(post(server.url()), nullptr)), ErrorKind::Timeout);
  }
}

TEST(CurlTransport, AnAnswerThatDoesNotComeIsUnknown) {
  TinyServer server([](const std::string&, int) { return TinyServer::Reply{"", Then::Hang}; });
  Transport::Request request = post(server.url());
  request.timeout = milliseconds(50);
  EXPECT_EQ(failure(transport()->perform(request, nullptr)), ErrorKind::Timeout);
}

TEST(CurlTransport, IsUsableAfterAFault) {
  int calls = 0;
  TinyServer server([&](const std::string&, int) {
    return ++calls == 1 ? TinyServer::Reply{"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", Then::Close}
                        : TinyServer::Reply{http_answer(200, "ok")};
  });
  const auto client = transport();
  EXPECT_FALSE(client->perform(post(server.url()), nullptr));
  const auto response = client->perform(post(server.url()), nullptr);
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->body, "ok");
}

TEST(CurlTransport, CancelEndsALongPoll) {
  std::atomic<bool> cancel{false};
  TinyServer server([&](const std::string&, int) {
    cancel = true;  // the request is there, now it waits
    return TinyServer::Reply{"", Then::Hang};
  });
  const auto client = transport();
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(failure(client->perform(post(server.url()), &cancel)), ErrorKind::Cancelled);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));  // 10 s would be the timeout
  EXPECT_EQ(failure(client->perform(post(server.url()), &cancel)), ErrorKind::Cancelled);
  EXPECT_EQ(server.connections(), 1);  // the second was not even begun
}

TEST(CurlTransport, AnswersAreBounded) {
  TransportOptions options;
  EXPECT_EQ(options.answer_bytes_max, 32U * 1024 * 1024);
  options.answer_bytes_max = 100'000;
  std::size_t size = options.answer_bytes_max;
  TinyServer server([&](const std::string&, int) { return TinyServer::Reply{http_answer(200, std::string(size, 'x'))}; });
  const auto client = make_curl_transport(options);
  EXPECT_TRUE(client->perform(post(server.url()), nullptr));
  ++size;
  EXPECT_EQ(failure(client->perform(post(server.url()), nullptr)), ErrorKind::Corrupt);
}

TEST(CurlTransport, HeadersCannotBeSplit) {
  TinyServer server([](const std::string&, int) { return TinyServer::Reply{http_answer(200, "")}; });
  for (const char* value : {"a\r\nX-Evil: 1", "a\nb", "a\rb"}) {
    Transport::Request request = post(server.url());
    request.headers.emplace_back("X-Value", value);
    EXPECT_EQ(failure(transport()->perform(request, nullptr)), ErrorKind::InvalidArgument);
  }
  EXPECT_EQ(server.connections(), 0);
  EXPECT_EQ(failure(transport()->perform(post("file:///etc/passwd"), nullptr)), ErrorKind::InvalidArgument);
}

TEST(CurlTransport, ProxiesOfTheEnvironmentAreForOthersThanThisMachine) {
  TinyServer proxy([](const std::string& request, int) {
    return TinyServer::Reply{http_answer(200, request.substr(0, request.find("\r\n")))};
  });
  TinyServer server([](const std::string&, int) { return TinyServer::Reply{http_answer(200, "direct")}; });
  ::setenv("http_proxy", proxy.url().c_str(), 1);
  ::unsetenv("no_proxy");
  ::unsetenv("NO_PROXY");
  const auto local = transport()->perform(post(server.url()), nullptr);
  const auto other = transport()->perform(post("http://queue.invalid/path"), nullptr);
  TransportOptions without;
  without.proxies = ProxyUse::Never;
  const auto never = make_curl_transport(without)->perform(post("http://queue.invalid/path"), nullptr);
  ::unsetenv("http_proxy");
  ASSERT_TRUE(local && other);
  EXPECT_EQ(local->body, "direct");
  EXPECT_EQ(other->body, "POST http://queue.invalid/path HTTP/1.1");
  EXPECT_EQ(failure(never), ErrorKind::Unavailable);
}
}  // namespace
}  // namespace ferry::client

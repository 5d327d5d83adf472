// What the reader takes and what it refuses, whole and in pieces. Nothing here touches a socket.

#include "http/request_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "abuse_inputs.h"
#include "reader_harness.h"

namespace ferry::http::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

TEST(RequestReader, TakesARequestApart) {
  auto stream =
      read_whole("POST /q?Action=Send%20it HTTP/1.1\r\nHost: a:80\r\nX-Amz-Date:  20261123  \r\nContent-Length: 5\r\n\r\nhello");
  ASSERT_EQ(stream.requests.size(), 1u);
  const ReadRequest& request = stream.requests[0];
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.target, "/q?Action=Send%20it");
  EXPECT_EQ(request.path, "/q");
  EXPECT_EQ(request.query, "Action=Send%20it");
  EXPECT_EQ(request.body, "hello");
  EXPECT_THAT(request.headers, ElementsAre(Pair("Host", "a:80"), Pair("X-Amz-Date", "20261123"), Pair("Content-Length", "5")));
  EXPECT_TRUE(request.keep_alive);
}

TEST(RequestReader, AnAbsoluteTargetIsReducedToItsPath) {
  auto target = [](std::string_view uri) {
    auto stream = read_whole("GET " + std::string(uri) + " HTTP/1.1\r\nHost: a\r\n\r\n");
    return stream.requests.size() == 1
               ? stream.requests[0].target + "|" + stream.requests[0].path + "|" + stream.requests[0].query
               : "refused: " + stream.reason;
  };
  EXPECT_EQ(target("http://a/b/c?d=e"), "/b/c?d=e|/b/c|d=e");
  EXPECT_EQ(target("http://a"), "/|/|");
  EXPECT_EQ(target("http://a/"), "/|/|");
}

TEST(RequestReader, JoinsChunksAndDropsTrailers) {
  auto stream = read_whole(
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nfer\r\n2\r\nry\r\n0\r\nX-Sum: 7\r\n\r\n"
      "GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_EQ(stream.requests.size(), 2u);
  EXPECT_EQ(stream.requests[0].body, "ferry");
  EXPECT_THAT(stream.requests[0].headers, ElementsAre(Pair("Host", "a"), Pair("Transfer-Encoding", "chunked")));
  EXPECT_EQ(stream.requests[1].target, "/next");
}

TEST(RequestReader, KeepsConnectionsAsTheVersionAndThePeerSay) {
  auto keeps = [](std::string_view version, std::string_view connection) {
    auto stream = read_whole("GET / " + std::string(version) + "\r\nHost: a\r\n" + std::string(connection) + "\r\n");
    return stream.requests.size() == 1 && stream.requests[0].keep_alive;
  };
  EXPECT_TRUE(keeps("HTTP/1.1", ""));
  EXPECT_FALSE(keeps("HTTP/1.1", "Connection: close\r\n"));
  EXPECT_FALSE(keeps("HTTP/1.1", "Connection: foo, CLOSE ,bar\r\n"));
  EXPECT_FALSE(keeps("HTTP/1.1", "Connection: keep-alive\r\nConnection: close\r\n"));
  EXPECT_FALSE(keeps("HTTP/1.0", ""));
  EXPECT_TRUE(keeps("HTTP/1.0", "Connection: Keep-Alive\r\n"));
  EXPECT_FALSE(keeps("HTTP/1.0", "Connection: keep-alive, close\r\n"));
}

TEST(RequestReader, AsksForContinueOnceAndOnlyWhenTheBodyIsMissing) {
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";
  EXPECT_FALSE(read_whole(head + "hello").requests.at(0).continued);
  RequestReader reader;
  std::string buffer = head;
  std::size_t size = buffer.size();
  EXPECT_EQ(reader.advance(buffer.data(), size, {}), RequestReader::State::Continue);
  buffer += "hel";
  size = buffer.size();
  EXPECT_EQ(reader.advance(buffer.data(), size, {}), RequestReader::State::NeedMore);
  buffer += "lo";
  size = buffer.size();
  EXPECT_EQ(reader.advance(buffer.data(), size, {}), RequestReader::State::Done);
}

TEST(RequestReader, DoesNotOfferContinueToHttp10) {
  std::string head = "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";
  RequestReader reader;
  std::size_t size = head.size();
  EXPECT_EQ(reader.advance(head.data(), size, {}), RequestReader::State::NeedMore);
}

TEST(RequestReader, RefusesEveryAbusiveInput) {
  auto inputs = abuse_inputs();
  EXPECT_GE(inputs.size(), 150u);
  std::set<std::string> names;
  for (const RawInput& input : inputs) {
    EXPECT_TRUE(names.insert(input.name).second) << input.name;
    auto stream = read_whole(input.bytes);
    EXPECT_EQ(stream.status, input.status) << input.name << ": " << stream.reason;
    EXPECT_THAT(stream.requests, IsEmpty()) << input.name;
    EXPECT_NE(stream.reason, "") << input.name;
  }
}

TEST(RequestReader, TakesEveryFairInput) {
  for (const RawInput& input : fair_inputs()) {
    auto stream = read_whole(input.bytes);
    EXPECT_EQ(stream.status, 0) << input.name << ": " << stream.reason;
    EXPECT_EQ(stream.requests.size(), 1u) << input.name;
  }
}

TEST(RequestReader, PiecesMakeNoDifference) {
  auto inputs = abuse_inputs();
  for (auto& input : fair_inputs()) inputs.push_back(input);
  for (const RawInput& input : inputs) {
    auto whole = read_whole(input.bytes);
    auto bytewise = read_bytewise(input.bytes);
    EXPECT_EQ(whole.status, bytewise.status) << input.name;
    EXPECT_EQ(whole.reason, bytewise.reason) << input.name;
    ASSERT_EQ(whole.requests.size(), bytewise.requests.size()) << input.name;
    if (input.bytes.size() > 2000) continue;
    for (std::size_t split = 1; split < input.bytes.size(); ++split) {
      bool first = true;
      auto two = read_stream(input.bytes, {}, [&](std::size_t rest) { return std::exchange(first, false) ? split : rest; });
      EXPECT_EQ(two.status, whole.status) << input.name << " split at " << split;
      ASSERT_EQ(two.requests.size(), whole.requests.size()) << input.name << " split at " << split;
      for (std::size_t i = 0; i < two.requests.size(); ++i) {
        two.requests[i].continued = whole.requests[i].continued;
        EXPECT_EQ(two.requests[i], whole.requests[i]) << input.name << " split at " << split;
      }
    }
  }
}

// ---- limits, at the limit and one beyond

std::string filled(std::string_view before, std::size_t total, std::string_view after) {
  return std::string(before) + std::string(total - before.size() - after.size(), 'a') + std::string(after);
}

TEST(RequestReaderLimits, RequestLine) {
  Limits limits;
  limits.request_line_bytes_max = 50;
  auto status = [&](std::size_t bytes) {
    return read_bytewise(filled("GET /", bytes, " HTTP/1.1") + "\r\nHost: a\r\n\r\n", limits).status;
  };
  EXPECT_EQ(status(50), 0);
  EXPECT_EQ(status(51), 414);
  EXPECT_EQ(read_whole(filled("GET /", 50, "\r"), limits).status, 0) << "49 bytes and a CR";
  EXPECT_EQ(read_whole(std::string(50, 'A'), limits).status, 0);
  EXPECT_EQ(read_whole(std::string(51, 'A'), limits).status, 414);
}

TEST(RequestReaderLimits, HeaderBytes) {
  Limits limits;
  limits.header_bytes_max = 60;
  const std::string line = "GET / HTTP/1.1\r\n";
  auto status = [&](std::size_t bytes) {
    return read_bytewise(line + filled("Host: a\r\nx: ", bytes, "\r\n") + "\r\n", limits).status;
  };
  EXPECT_EQ(status(60), 0);
  EXPECT_EQ(status(61), 431);
  EXPECT_EQ(read_whole(line + std::string(58, 'a'), limits).status, 0);
  EXPECT_EQ(read_whole(line + std::string(59, 'a'), limits).status, 431);
}

TEST(RequestReaderLimits, HeaderCount) {
  Limits limits;
  limits.header_count_max = 7;
  auto status = [&](std::size_t count) {
    return read_whole("GET / HTTP/1.1\r\nHost: a\r\n" + repeated("x: y\r\n", count - 1) + "\r\n", limits).status;
  };
  EXPECT_EQ(status(7), 0);
  EXPECT_EQ(status(8), 431);
}

TEST(RequestReaderLimits, BodyByLength) {
  Limits limits;
  limits.body_bytes_max = 1000;
  auto stream = [&](std::size_t bytes) {
    return read_whole(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(bytes) + "\r\n\r\n" + std::string(bytes, 'b'), limits);
  };
  EXPECT_EQ(stream(1000).requests.at(0).body.size(), 1000u);
  EXPECT_EQ(stream(1001).status, 413);
}

TEST(RequestReaderLimits, BodyInChunks) {
  Limits limits;
  limits.body_bytes_max = 0x30;
  const std::string head =
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n" + std::string(0x20, 'b') + "\r\n";
  EXPECT_EQ(read_bytewise(head + "10\r\n" + std::string(0x10, 'b') + "\r\n0\r\n\r\n", limits).requests.at(0).body,
            std::string(0x30, 'b'));
  EXPECT_EQ(read_bytewise(head + "11\r\n", limits).status, 413);
  EXPECT_EQ(read_bytewise(head + "10\r\n" + std::string(0x10, 'b') + "\r\n1\r\n", limits).status, 413);
}

TEST(RequestReaderLimits, Trailers) {
  Limits limits;
  limits.header_bytes_max = 70;
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n";
  EXPECT_EQ(read_whole(head + filled("a: ", 70, "") + "\r\n\r\n", limits).status, 0);
  EXPECT_EQ(read_whole(head + filled("a: ", 71, "") + "\r\n\r\n", limits).status, 431);
}

TEST(RequestReaderLimits, ChunkExtensions) {
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(read_whole(head + "0;" + std::string(4096, 'x') + "\r\n\r\n").status, 0);
  EXPECT_EQ(read_whole(head + "0;" + std::string(4097, 'x') + "\r\n\r\n").status, 400);
}

}  // namespace
}  // namespace ferry::http::test

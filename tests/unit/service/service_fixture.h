#pragma once
// The service on a simulated store, an event loop that is stepped, and exchanges without sockets.

#include <gtest/gtest.h>

#include <memory>
#include <regex>
#include <string>

#include "base/manual_clock.h"
#include "fakes.h"
#include "service/service.h"
#include "store/simulated/simulated_store.h"

namespace ferry::service {

class ServiceTest : public ::testing::Test {
 protected:
  explicit ServiceTest(const access::KeyRing* keys = nullptr)
      : engine(store, clock, random, log, {}), service(engine, store, keys, clock, random, log, {"127.0.0.1:9324"}) {
    engine.set_commit_listener([this](store::Position) { service.on_durable(); }, [](const Error&) {});
    service.attach(server);
    EXPECT_TRUE(store.recover(engine).has_value());
    store.sync_all();
    loop.run();
  }

  using ExchangeRef = std::shared_ptr<FakeExchange>;
  ExchangeRef start(std::string method, std::string target, FakeExchange::Headers headers, std::string body) {
    auto exchange =
        std::make_shared<FakeExchange>(loop, std::move(method), std::move(target), std::move(headers), std::move(body));
    service.handle(exchange);
    return exchange;
  }
  ExchangeRef start(const std::string& action, const std::string& body, FakeExchange::Headers more = {}) {
    FakeExchange::Headers headers = {
        {"Host", "127.0.0.1:9324"}, {"Content-Type", "application/x-amz-json-1.0"}, {"X-Amz-Target", "AmazonSQS." + action}};
    headers.insert(headers.end(), more.begin(), more.end());
    return start("POST", "/", headers, body);
  }
  // Twice, since what the loop does after a sync may wait for the next one.
  void settle() {
    for (int i = 0; i < 2; ++i) {
      store.sync_all();
      loop.run();
    }
  }
  std::string call(const std::string& action, const std::string& body) {
    const auto exchange = start(action, body);
    settle();
    EXPECT_TRUE(exchange->answered()) << action;
    return exchange->answered() ? exchange->response().body : "";
  }
  void create_queue(const std::string& name = "q") {
    EXPECT_NE(call("CreateQueue", R"({"QueueName":")" + name + "\"}").find("/000000000000/" + name), std::string::npos);
  }
  /// The first text of that name.
  static std::string field(const std::string& json, const std::string& name) {
    std::smatch match;
    return std::regex_search(json, match, std::regex("\"" + name + "\":\"([^\"]*)\"")) ? match[1].str() : "";
  }

  /// The texts of that name, joined by blanks.
  static std::string fields(const std::string& json, const std::string& name) {
    const std::regex pattern("\"" + name + "\":\"([^\"]*)\"");
    std::string joined;
    for (std::sregex_iterator at(json.begin(), json.end(), pattern), end; at != end; ++at) {
      joined += (joined.empty() ? "" : " ") + (*at)[1].str();
    }
    return joined;
  }
  static std::string arn(const std::string& name) { return "arn:aws:sqs:us-east-1:000000000000:" + name; }
  /// A queue with attributes; `attributes` is JSON text.
  void create_queue_with(const std::string& name, const std::string& attributes) {
    const std::string answer = call("CreateQueue", R"({"QueueName":")" + name + R"(","Attributes":)" + attributes + "}");
    EXPECT_NE(answer.find("QueueUrl"), std::string::npos) << answer;
  }
  void create_source(const std::string& name, const std::string& dead_letter_queue, const std::string& more = "") {
    create_queue_with(name, R"({"RedrivePolicy":"{\"deadLetterTargetArn\":\")" + arn(dead_letter_queue) +
                                R"(\",\"maxReceiveCount\":1}")" + more + "}");
  }
  /// Expects the request to be refused with that query code and text.
  void refused(const std::string& action, const std::string& body, const std::string& code, const std::string& message) {
    const auto exchange = start(action, body);
    settle();
    ASSERT_TRUE(exchange->answered());
    EXPECT_EQ(exchange->header("x-amzn-query-error"), code + ";Sender") << action << body;
    EXPECT_EQ(field(exchange->response().body, "message"), message);
  }

  ManualClock clock;
  SeededRandom random{1};
  Logger log{clock, LogLevel::Off, LogFormat::Text};
  store::SimulatedStore store;
  FakeLoop loop{clock};
  FakeServer server{loop};
  engine::Engine engine;
  Service service;
};

class KeyedServiceTest : public ServiceTest {
 protected:
  explicit KeyedServiceTest(const access::KeyRing& keys = ring()) : ServiceTest(&keys) {}
  static const access::KeyRing& ring() {
    static const access::KeyRing keys({{"ADMIN", "admin-secret", "000000000000", {{{"*"}, {"*"}}}},
                                       {"SENDER", "sender-secret", "000000000000", {{{"SendMessage", "GetQueueUrl"}, {"q*"}}}},
                                       {"OTHER", "other-secret", "111111111111", {{{"*"}, {"*"}}}}});
    return keys;
  }
  ExchangeRef signed_call(const std::string& key, const std::string& secret, const std::string& action, const std::string& body) {
    FakeExchange::Headers headers = {
        {"Host", "127.0.0.1:9324"}, {"Content-Type", "application/x-amz-json-1.0"}, {"X-Amz-Target", "AmazonSQS." + action}};
    access::SignableRequest request{"POST", "/", "", {}, body};
    for (const auto& [name, value] : headers) request.headers.push_back({name, value});
    for (auto& header : access::sign(request, {key, secret, ""}, {"us-east-1"}, clock.wall()))
      headers.push_back(std::move(header));
    const auto exchange = start("POST", "/", headers, body);
    settle();
    return exchange;
  }
};

}  // namespace ferry::service

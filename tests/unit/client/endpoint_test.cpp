#include "client/endpoint.h"

#include <gtest/gtest.h>

#include "client/credentials.h"
#include "client/queue_reference.h"
#include "client/url.h"
#include "fakes.h"

namespace ferry::client {
namespace {
Profile profile(Settings settings, Settings sqs_service = {}) {
  Profile out;
  out.section.settings = std::move(settings);
  if (!sqs_service.empty()) out.services["sqs"] = std::move(sqs_service);
  return out;
}

std::string resolved(const EndpointRequest& request, const Environment& environment = {}, const Profile& chosen = {}) {
  const auto endpoint = resolve_endpoint(request, environment, chosen);
  if (!endpoint) return endpoint.error().message;
  return endpoint->url + " (" + endpoint->url_source + ") " + endpoint->region + " (" + endpoint->region_source + ")";
}

TEST(Endpoint, FirstOfTheOrderWins) {
  EndpointRequest request;
  request.endpoint_url = "http://flag:1";
  request.queue = "http://queue-url:6/000000000000/Q";
  Environment environment = {{"AWS_ENDPOINT_URL_SQS", "http://service-variable:2"}, {"AWS_ENDPOINT_URL", "http://variable:3/"}};
  Profile chosen = profile({{"endpoint_url", "http://profile:5"}}, {{"endpoint_url", "http://profile-service:4/base/"}});
  const std::string region = " us-east-1 (default)";
  EXPECT_EQ(resolved(request, environment, chosen), "http://flag:1 (--endpoint-url)" + region);
  request.endpoint_url.clear();
  EXPECT_EQ(resolved(request, environment, chosen), "http://service-variable:2 (AWS_ENDPOINT_URL_SQS)" + region);
  environment["AWS_ENDPOINT_URL_SQS"] = "";
  EXPECT_EQ(resolved(request, environment, chosen), "http://variable:3 (AWS_ENDPOINT_URL)" + region);
  environment.clear();
  EXPECT_EQ(resolved(request, environment, chosen), "http://profile-service:4/base/ (profile default, services)" + region);
  chosen.services.clear();
  EXPECT_EQ(resolved(request, environment, chosen), "http://profile:5 (profile default)" + region);
  EXPECT_EQ(resolved(request), "http://queue-url:6 (queue URL)" + region);
  EXPECT_EQ(resolved({}), "http://127.0.0.1:9324 (default)" + region);
}

TEST(Endpoint, ConfiguredOnesCanBeIgnored) {
  EndpointRequest request;
  request.queue = "http://queue-url:6/000000000000/Q";
  Environment environment = {{"AWS_ENDPOINT_URL", "http://variable:3"}, {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "True"}};
  const Profile chosen = profile({{"endpoint_url", "http://profile:5"}});
  EXPECT_EQ(resolved(request, environment, chosen), "http://queue-url:6 (queue URL) us-east-1 (default)");
  EXPECT_EQ(resolved({}, environment, chosen), "http://127.0.0.1:9324 (default) us-east-1 (default)");
  environment["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] = "false";
  EXPECT_EQ(resolved({}, environment, chosen), "http://variable:3 (AWS_ENDPOINT_URL) us-east-1 (default)");
  const Profile ignoring = profile({{"endpoint_url", "http://profile:5"}, {"ignore_configured_endpoint_urls", "true"}});
  EXPECT_EQ(resolved({}, {}, ignoring), "http://127.0.0.1:9324 (default) us-east-1 (default)");
  request.endpoint_url = "http://flag:1";
  environment["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] = "true";
  EXPECT_EQ(resolved(request, environment, chosen), "http://flag:1 (--endpoint-url) us-east-1 (default)");
}

TEST(Endpoint, AmazonOnlyWhenNamed) {
  EndpointRequest request;
  request.amazon = true;
  const Environment environment = {{"AWS_ENDPOINT_URL", "http://variable:3"}, {"AWS_REGION", "eu-west-1"}};
  EXPECT_EQ(resolved(request, environment), "https://sqs.eu-west-1.amazonaws.com (--aws) eu-west-1 (AWS_REGION)");
  request.region = "cn-north-1";
  EXPECT_EQ(resolved(request), "https://sqs.cn-north-1.amazonaws.com.cn (--aws) cn-north-1 (--region)");
  request.endpoint_url = "http://x";
  EXPECT_EQ(resolved(request), "--aws and --endpoint-url exclude each other");
  EXPECT_EQ(resolve_endpoint({}, {{"AWS_REGION", "eu-west-1"}}, {})->kind, EndpointKind::Loopback);
}

TEST(Endpoint, RegionOrder) {
  EndpointRequest request;
  request.region = "flag-1";
  request.queue = "arn:aws:sqs:arn-1:000000000000:Q";
  Environment environment = {{"AWS_REGION", "var-1"}, {"AWS_DEFAULT_REGION", "default-var-1"}};
  const Profile chosen = profile({{"region", "profile-1"}});
  const std::string url = "http://127.0.0.1:9324 (default) ";
  EXPECT_EQ(resolved(request, environment, chosen), url + "flag-1 (--region)");
  request.region.clear();
  EXPECT_EQ(resolved(request, environment, chosen), url + "arn-1 (queue ARN)");
  request.queue = "Q";
  EXPECT_EQ(resolved(request, environment, chosen), url + "var-1 (AWS_REGION)");
  environment.erase("AWS_REGION");
  EXPECT_EQ(resolved(request, environment, chosen), url + "default-var-1 (AWS_DEFAULT_REGION)");
  environment.clear();
  EXPECT_EQ(resolved(request, environment, chosen), url + "profile-1 (profile default)");
  EXPECT_EQ(resolved(request), url + "us-east-1 (default)");
}

TEST(Endpoint, AmazonQueueUrlsSayEndpointAndRegion) {
  EndpointRequest request;
  request.queue = "https://sqs.eu-central-1.amazonaws.com/123456789012/Q";
  const Environment elsewhere = {{"AWS_REGION", "us-west-2"}};
  const std::string amazon = "https://sqs.eu-central-1.amazonaws.com (queue URL) ";
  EXPECT_EQ(resolved(request, elsewhere), amazon + "eu-central-1 (host of the endpoint)");
  request.region = "us-east-2";
  EXPECT_EQ(resolved(request, elsewhere), amazon + "us-east-2 (--region)");
  request.region.clear();
  // Another server stands in for Amazon's: the URL's host says nothing but a last resort for the region.
  request.endpoint_url = "http://moto:5000";
  EXPECT_EQ(resolved(request, elsewhere), "http://moto:5000 (--endpoint-url) us-west-2 (AWS_REGION)");
  EXPECT_EQ(resolved(request), "http://moto:5000 (--endpoint-url) eu-central-1 (queue URL)");
}

TEST(Endpoint, HostsAndTheirRegions) {
  EXPECT_EQ(region_of_host("sqs.us-east-2.amazonaws.com"), "us-east-2");
  EXPECT_EQ(region_of_host("sqs.cn-north-1.amazonaws.com.cn"), "cn-north-1");
  EXPECT_EQ(region_of_host("sqs-fips.us-gov-west-1.amazonaws.com"), "us-gov-west-1");
  EXPECT_EQ(region_of_host("queue.amazonaws.com"), "us-east-1");
  EXPECT_EQ(region_of_host("eu-west-1.queue.amazonaws.com"), "eu-west-1");
  EXPECT_EQ(region_of_host("vpce-1-2.sqs.us-east-1.vpce.amazonaws.com"), "us-east-1");
  EXPECT_EQ(region_of_host("sqs.us-east-1.api.aws"), "us-east-1");
  EXPECT_EQ(region_of_host("sqs.us-east-1.example.com"), "");
  EXPECT_EQ(region_of_host("sqs.us-east-1.amazonaws.com.evil.example"), "");
  EXPECT_EQ(region_of_host("sqs.amazonaws.com"), "");
  EXPECT_EQ(kind_of_host("evilamazonaws.com"), EndpointKind::Other);
  EXPECT_EQ(kind_of_host("127.0.0.53"), EndpointKind::Loopback);
  EXPECT_EQ(kind_of_host("128.0.0.1"), EndpointKind::Other);
  EXPECT_EQ(kind_of_host("::1"), EndpointKind::Loopback);
  EXPECT_EQ(kind_of_host("localhost"), EndpointKind::Loopback);
  EXPECT_EQ(kind_of_host("localhost.example"), EndpointKind::Other);
}

TEST(Endpoint, BadOnesAreRefused) {
  EndpointRequest request;
  for (const char* bad : {"ftp://h", "h:1", "http://", "http://h:0", "http://h:65536", "http://h:x", "http://a b", "http://h#f",
                          "http://[::1", "http://[x]", "http://[::1]x", "http://user:secret@h", "http://h?x=1", "http://h\n"}) {
    request.endpoint_url = bad;
    const auto endpoint = resolve_endpoint(request, {}, {});
    ASSERT_FALSE(endpoint) << bad;
    EXPECT_EQ(endpoint.error().kind, ErrorKind::InvalidArgument);
    EXPECT_EQ(endpoint.error().message.find("secret"), std::string::npos);
  }
  request.endpoint_url.clear();
  request.region = "EU West";
  EXPECT_EQ(resolved(request), "\"EU West\" (--region) is no region: lower-case letters, digits and '-'");
  request.region = std::string(64, 'a');
  EXPECT_TRUE(resolve_endpoint(request, {}, {}));
  request.region += "a";
  EXPECT_FALSE(resolve_endpoint(request, {}, {}));
  request = {};
  request.queue = "http://h:x/0/Q";
  EXPECT_FALSE(resolve_endpoint(request, {}, {}));
}

TEST(Endpoint, Attempts) {
  EXPECT_EQ(*resolve_attempts({}, {}, 3), 3);
  EXPECT_EQ(*resolve_attempts({}, profile({{"max_attempts", "5"}}), 3), 5);
  EXPECT_EQ(*resolve_attempts({{"AWS_MAX_ATTEMPTS", "1"}}, profile({{"max_attempts", "5"}}), 3), 1);
  EXPECT_EQ(*resolve_attempts({{"AWS_MAX_ATTEMPTS", "100"}}, {}, 3), 100);
  for (const char* bad : {"0", "101", "x", "-1", "1.5"})
    EXPECT_FALSE(resolve_attempts({{"AWS_MAX_ATTEMPTS", bad}}, {}, 3)) << bad;
}

TEST(Url, Parts) {
  const auto url = parse_url("HTTPS://Queue.Example:8443/a/b?c=d");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->origin(), "https://queue.example:8443");
  EXPECT_EQ(url->path, "/a/b");
  EXPECT_EQ(url->query, "c=d");
  EXPECT_EQ(parse_url("http://h:80")->authority(), "h");
  EXPECT_EQ(parse_url("http://h:443")->authority(), "h:443");
  EXPECT_EQ(parse_url("https://h:443?x")->authority(), "h");
  EXPECT_EQ(parse_url("http://[FE80::1]:9")->authority(), "[fe80::1]:9");
  EXPECT_EQ(parse_url("http://h?x")->path, "/");
}

std::string reference(std::string_view text) {
  const auto parsed = parse_queue_argument(text);
  if (!parsed) return parsed.error().message;
  const char* kind = parsed->kind == QueueReference::Kind::Name  ? "name "
                     : parsed->kind == QueueReference::Kind::Url ? "url "
                                                                 : "arn ";
  return kind + parsed->name + (parsed->account.empty() ? "" : " of " + parsed->account);
}

TEST(QueueArgument, NameUrlOrArn) {
  EXPECT_EQ(reference("Orders"), "name Orders");
  EXPECT_EQ(reference("Orders.fifo"), "name Orders.fifo");
  EXPECT_EQ(reference("http://127.0.0.1:9324/000000000000/Orders"), "url Orders");
  EXPECT_EQ(reference("http://localhost:4566/queue/Orders"), "url Orders");
  EXPECT_EQ(reference("http://localhost/1234/Orders"), "url Orders");
  EXPECT_EQ(reference("arn:aws:sqs:us-east-1:123456789012:Orders"), "arn Orders of 123456789012");
  EXPECT_EQ(reference("arn:aws:sns:us-east-1:123456789012:Orders"),
            "\"arn:aws:sns:us-east-1:123456789012:Orders\" is no ARN of a queue (arn:aws:sqs:REGION:ACCOUNT:NAME)");
  EXPECT_EQ(reference("two words"),
            "\"two words\" is no queue: give a name (1 to 80 letters, digits, '-' and '_'), a URL or an ARN");
  EXPECT_EQ(reference(std::string(80, 'q')), "name " + std::string(80, 'q'));
  EXPECT_FALSE(parse_queue_argument(std::string(81, 'q')));
  EXPECT_FALSE(parse_queue_argument(""));
  EXPECT_FALSE(parse_queue_argument("http://h/"));
  EXPECT_FALSE(parse_queue_argument("http://h/0/Q?x=1"));
}

TEST(QueueArgument, NamesAndArnsAreAskedFor) {
  test::FakeTransport transport;
  const auto credentials = make_anonymous_source();
  ManualClock clock;
  SeededRandom random(1);
  const Logger log(clock, LogLevel::Off, LogFormat::Text);
  Client client({}, transport, *credentials, clock, random, log);

  transport.then(test::answer(200, R"({"QueueUrl":"http://h/000000000000/Q"})"));
  EXPECT_EQ(*resolve_queue(client, *parse_queue_argument("Q")), "http://h/000000000000/Q");
  EXPECT_EQ(transport.requests[0].body, R"({"QueueName":"Q"})");
  transport.then(test::answer(200, R"({"QueueUrl":"http://h/123456789012/Q"})"));
  EXPECT_EQ(*resolve_queue(client, *parse_queue_argument("arn:aws:sqs:r:123456789012:Q")), "http://h/123456789012/Q");
  EXPECT_EQ(transport.requests[1].body, R"({"QueueName":"Q","QueueOwnerAWSAccountId":"123456789012"})");
  EXPECT_EQ(*resolve_queue(client, *parse_queue_argument("http://other/1/Q")), "http://other/1/Q");
  EXPECT_EQ(transport.requests.size(), 2U);
  transport.then(test::answer(200, R"({"QueueUrl":""})"));
  EXPECT_EQ(resolve_queue(client, *parse_queue_argument("Q")).error().kind, CallError::Kind::BadAnswer);
}
}  // namespace
}  // namespace ferry::client

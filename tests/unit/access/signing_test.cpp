// Known answers: requests after the public Signature Version 4 suite and of the forms that SQS clients send, with signatures
// computed by botocore's signer for the same credentials and moment.

#include <gtest/gtest.h>

#include "access/canonical.h"
#include "access/signing_key.h"
#include "access/sigv4.h"
#include "base/encoding.h"

namespace ferry::access {
namespace {
const Credentials kCredentials{"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", ""};
const Timestamp kNow = *parse_amz_date("20150830T123600Z");

struct Vector {
  std::string_view name, method, path, query;
  std::vector<SignedHeader> headers;
  std::string_view body, signed_headers, signature;
};

const std::string_view kUnreserved = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

std::vector<Vector> suite() {
  const SignedHeader host{"Host", "example.amazonaws.com"};
  const std::string_view plain = "host;x-amz-date", mine = "host;my-header1;x-amz-date";
  static const std::string unreserved_query = std::string(kUnreserved) + "=" + std::string(kUnreserved);
  static const std::string unreserved_path = "/" + std::string(kUnreserved);
  const std::string_view vanilla = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
  return {
      {"vanilla", "GET", "/", "", {host}, "", plain, vanilla},
      {"post vanilla", "POST", "/", "", {host}, "", plain, "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
      {"query order by key",
       "GET",
       "/",
       "Param2=value2&Param1=value1",
       {host},
       "",
       plain,
       "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
      {"query order by value",
       "GET",
       "/",
       "Param1=value2&Param1=value1",
       {host},
       "",
       plain,
       "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694"},
      {"query unreserved",
       "GET",
       "/",
       unreserved_query,
       {host},
       "",
       plain,
       "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"},
      {"query utf-8",
       "GET",
       "/",
       "%E1%88%B4=bar",
       {host},
       "",
       plain,
       "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"},
      {"query utf-8, lower-case escapes",
       "GET",
       "/",
       "%e1%88%b4=bar",
       {host},
       "",
       plain,
       "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"},
      {"query one parameter",
       "GET",
       "/",
       "Param1=value1",
       {host},
       "",
       plain,
       "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"},
      {"query empty pieces",
       "GET",
       "/",
       "&Param1=value1&",
       {host},
       "",
       plain,
       "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"},
      {"path utf-8 escaped on the wire is escaped twice",
       "GET",
       "/%E1%88%B4",
       "",
       {host},
       "",
       plain,
       "697b34846207a3f72246f99d74ae1ee4fe54f44bb06730c58a0d339eb079596d"},
      {"path utf-8 raw",
       "GET",
       "/\xE1\x88\xB4",
       "",
       {host},
       "",
       plain,
       "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
      {"path space",
       "GET",
       "/example%20space/",
       "",
       {host},
       "",
       plain,
       "446b817944c553435b35e813c261ff4e161fff982d1bacdef1c87f6785dd1662"},
      {"path unreserved",
       "GET",
       unreserved_path,
       "",
       {host},
       "",
       plain,
       "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
      {"path slash slash", "GET", "//", "", {host}, "", plain, vanilla},
      {"path slash dot slash", "GET", "/./", "", {host}, "", plain, vanilla},
      {"path slashes",
       "GET",
       "//example//",
       "",
       {host},
       "",
       plain,
       "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"},
      {"path pointless dot",
       "GET",
       "/./example",
       "",
       {host},
       "",
       plain,
       "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5"},
      {"path relative", "GET", "/example/..", "", {host}, "", plain, vanilla},
      {"path twice relative", "GET", "/example1/example2/../..", "", {host}, "", plain, vanilla},
      {"path above the root", "GET", "/../..", "", {host}, "", plain, vanilla},
      {"header twice",
       "GET",
       "/",
       "",
       {host, {"My-Header1", "value2"}, {"My-Header1", "value2"}, {"my-header1", "value1"}},
       "",
       mine,
       "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"},
      {"header values keep their order",
       "GET",
       "/",
       "",
       {host, {"My-Header1", "value4"}, {"My-Header1", "value1"}, {"My-Header1", "value3"}, {"My-Header1", "value2"}},
       "",
       mine,
       "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01"},
      {"header trimmed and folded",
       "GET",
       "/",
       "",
       {host, {"My-Header1", " value1 "}, {"My-Header2", " \"a   b   c\" "}},
       "",
       "host;my-header1;my-header2;x-amz-date",
       "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
      {"header name in capitals",
       "POST",
       "/",
       "",
       {{"HOST", "example.amazonaws.com"}},
       "",
       plain,
       "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
      {"headers sorted",
       "POST",
       "/",
       "",
       {{"My-Header1", "value1"}, host},
       "",
       mine,
       "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"},
      {"header value keeps its case",
       "POST",
       "/",
       "",
       {host, {"My-Header1", "VALUE1"}},
       "",
       mine,
       "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d"},
      {"post with query",
       "POST",
       "/",
       "Param1=value1",
       {host},
       "",
       plain,
       "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"},
      {"form",
       "POST",
       "/",
       "",
       {host, {"Content-Type", "application/x-www-form-urlencoded"}},
       "Param1=value1",
       "content-type;host;x-amz-date",
       "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
      {"form with parameters",
       "POST",
       "/",
       "",
       {host, {"Content-Type", "application/x-www-form-urlencoded; charset=utf8"}},
       "Param1=value1",
       "content-type;host;x-amz-date",
       "1a72ec8f64bd914b0e42e42607c7fbce7fb2c7465f63e3092b3b0d39fa77a6fe"},
  };
}

std::string added(const std::vector<std::pair<std::string, std::string>>& headers, std::string_view name) {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return "(none)";
}

TEST(Sign, KnownAnswers) {
  for (const Vector& v : suite()) {
    const SignableRequest request{v.method, v.path, v.query, v.headers, v.body};
    const auto headers = sign(request, kCredentials, {"us-east-1", "service"}, kNow);
    EXPECT_EQ(added(headers, "Authorization"),
              "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=" +
                  std::string(v.signed_headers) + ", Signature=" + std::string(v.signature))
        << v.name;
    EXPECT_EQ(added(headers, "X-Amz-Date"), "20150830T123600Z");
    EXPECT_EQ(headers.size(), 2U);
  }
}

TEST(Sign, SessionTokenIsSentAndSigned) {
  const SignableRequest request{"POST", "/", "", {{"Host", "example.amazonaws.com"}}, ""};
  Credentials credentials = kCredentials;
  credentials.session_token = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfP";
  const auto headers = sign(request, credentials, {"us-east-1", "service"}, kNow);
  EXPECT_EQ(added(headers, "X-Amz-Security-Token"), credentials.session_token);
  EXPECT_EQ(added(headers, "Authorization"),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
            "SignedHeaders=host;x-amz-date;x-amz-security-token, "
            "Signature=1f67b9749c7914576f066f1e15f200aa2cc6bd85ee472f2afa4a79839cbf11d9");
}

TEST(Sign, SqsForms) {
  const SignedHeader host{"Host", "127.0.0.1:9324"};
  const SignableRequest json{"POST",
                             "/",
                             "",
                             {host,
                              {"X-Amz-Target", "AmazonSQS.SendMessage"},
                              {"Content-Type", "application/x-amz-json-1.0"},
                              {"x-amzn-query-mode", "true"}},
                             "{\"QueueUrl\": \"http://127.0.0.1:9324/000000000000/Q\", \"MessageBody\": \"hello \xc3\xa9\"}"};
  EXPECT_TRUE(added(sign(json, kCredentials, {"eu-west-1"}, kNow), "Authorization")
                  .ends_with("SignedHeaders=content-type;host;x-amz-date;x-amz-target;x-amzn-query-mode, "
                             "Signature=139d5da71fa14e030eb86c08ebc777f2c39b261e4dff50977cd8454b090c4e5a"));
  const SignableRequest form{"POST",
                             "/000000000000/Q",
                             "",
                             {host, {"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}},
                             "Action=SendMessage&MessageBody=hello+world%21&Version=2012-11-05"};
  EXPECT_TRUE(added(sign(form, kCredentials, {"us-east-1"}, kNow), "Authorization")
                  .ends_with("Signature=06cc6d3ab3384b74b77f1c74a637c6d605294f222b4df6511385e169c09c6938"));
  const SignableRequest token{
      "POST", "/", "", {host, {"X-Amz-Target", "AmazonSQS.ListQueues"}, {"Content-Type", "application/x-amz-json-1.0"}}, "{}"};
  Credentials temporary = kCredentials;
  temporary.session_token = "Token/With+Signs==";
  EXPECT_TRUE(added(sign(token, temporary, {"us-east-1"}, kNow), "Authorization")
                  .ends_with("Signature=2ddacd76b88fc7edff3982dfdf4884534ceb8af8892bf43871179554c66cb303"));
}

TEST(Presign, KnownAnswers) {
  const SignedHeader host{"Host", "127.0.0.1:9324"};
  const std::string_view path = "/000000000000/Q";
  const std::string_view common =
      "&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fsqs%2Faws4_request"
      "&X-Amz-Date=20150830T123600Z&X-Amz-Expires=";
  const auto url = [&](std::string_view query, std::chrono::seconds expires, std::string token) {
    Credentials credentials = kCredentials;
    credentials.session_token = std::move(token);
    return presign({"GET", path, query, {host}, ""}, credentials, {"us-east-1"}, kNow, expires);
  };
  const std::string receive = "Action=ReceiveMessage&Version=2012-11-05&WaitTimeSeconds=5";
  EXPECT_EQ(url(receive, Seconds(300), ""),
            receive + std::string(common) +
                "300&X-Amz-SignedHeaders=host&X-Amz-Signature=050fbd702b712268e2e5d3283bacf0494c7b2fd0e0026b7194fc5e04828cf98b");
  const std::string encoded = "Action=SendMessage&MessageBody=a%20b%2Bc%2Fd%C3%A9&Version=2012-11-05";
  EXPECT_EQ(
      url(encoded, Seconds(604'800), ""),
      encoded + std::string(common) +
          "604800&X-Amz-SignedHeaders=host&X-Amz-Signature=9be731bab0acba5326917d9d7feb5dfd4725960a839ae06de4904f4220a8ff8f");
  EXPECT_EQ(url("Action=ReceiveMessage", Seconds(60), "Token/With+Signs=="),
            "Action=ReceiveMessage" + std::string(common) +
                "60&X-Amz-SignedHeaders=host&X-Amz-Security-Token=Token%2FWith%2BSigns%3D%3D"
                "&X-Amz-Signature=6da2529e4bca788279826d9a6702fe1e90107eb337c6ae3ea13a715b2aa6251c");
}

TEST(Canonical, PlusIsASpaceAndBrokenEscapesAreNoticed) {
  const ParsedQuery parsed = parse_query("a=b+c&d=%2B&e&=f");
  EXPECT_TRUE(parsed.well_formed);
  EXPECT_EQ(canonical_query(parsed.parameters, {}), "=f&a=b%20c&d=%2B&e=");
  EXPECT_EQ(canonical_query(parsed.parameters, "d"), "=f&a=b%20c&e=");
  EXPECT_FALSE(parse_query("a=%zz").well_formed);
  EXPECT_FALSE(parse_query("a%2=1").well_formed);
  EXPECT_EQ(canonical_query(parse_query("a=%zz").parameters, {}), "a=%25zz");
}

TEST(Canonical, DatesAreStrict) {
  EXPECT_EQ(format_amz_date(from_epoch_millis(1'440'938'160'999)), "20150830T123600Z");
  EXPECT_EQ(to_epoch_millis(*parse_amz_date("20240229T235959Z")), 1'709'251'199'000);
  for (const char* bad : {"", "20150830T123600", "2015-08-30T12:36:00Z", "20150830t123600Z", "20150830T123600z",
                          "20150832T123600Z", "20151330T123600Z", "20230229T000000Z", "20150830T243600Z", "20150830T126000Z",
                          "20150830T123660Z", "+0150830T123600Z", "20150830T1236 0Z", "20150830T123600Z "}) {
    EXPECT_FALSE(parse_amz_date(bad)) << bad;
  }
}

TEST(SigningKeys, DerivationIsTheDocumentedOne) {
  EXPECT_EQ(hex_encode(as_text(derive_signing_key("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "20150830", {"us-east-1", "iam"}))),
            "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9");
}

TEST(SigningKeys, CacheIsBoundedAndBelongsToASecret) {
  SigningKeyCache cache(2);
  const Sha256Digest one = sha256("1"), two = sha256("2"), three = sha256("3");
  cache.put("a", "secret", one);
  cache.put("b", "secret", two);
  EXPECT_EQ(cache.find("a", "secret"), one);
  EXPECT_EQ(cache.find("a", "another"), std::nullopt);
  cache.put("a", "another", three);
  EXPECT_EQ(cache.find("a", "another"), three);
  EXPECT_EQ(cache.size(), 2U);
  cache.put("c", "secret", three);
  EXPECT_EQ(cache.size(), 2U);
  EXPECT_EQ(cache.find("a", "another"), std::nullopt);
  EXPECT_EQ(cache.find("b", "secret"), two);
}
}  // namespace
}  // namespace ferry::access

// Who is let in, and above all who is not: each attack starts from a request that is accepted and changes one thing.

#include <gtest/gtest.h>

#include <functional>
#include <thread>

#include "access/canonical.h"
#include "access/signing_key.h"
#include "access/sigv4.h"
#include "base/encoding.h"

namespace ferry::access {
namespace {
using sqs::ErrorCode;
constexpr const char* kMismatch =
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing "
    "method. Consult the service documentation for details.";
const Credentials kAlice{"AKIDALICE", "alice-secret", ""};
const Credentials kBob{"AKIDBOB", "bob-secret", ""};
const Timestamp kNow = *parse_amz_date("20261123T080000Z");
const std::string kPath = "/000000000000/Q";

std::optional<std::string> secret_of(std::string_view access_key) {
  if (access_key == kAlice.access_key) return kAlice.secret_key;
  if (access_key == kBob.access_key) return kBob.secret_key;
  return std::nullopt;
}

// A request that owns its text, so that a test can change any part of it.
struct Sent {
  std::string method = "POST", path = kPath, query, body = "{\"MessageBody\":\"hello\"}";
  std::vector<std::pair<std::string, std::string>> headers = {
      {"Host", "queue.example:9324"}, {"Content-Type", "application/x-amz-json-1.0"}, {"X-Amz-Target", "AmazonSQS.SendMessage"}};

  SignableRequest view() const {
    SignableRequest out{method, path, query, {}, body};
    for (const auto& [name, value] : headers) out.headers.push_back({name, value});
    return out;
  }
  std::string& header(std::string_view name) {
    for (auto& [key, value] : headers) {
      if (equals_ignore_case(key, name)) return value;
    }
    return headers.emplace_back(std::string(name), "").second;
  }
  void remove(std::string_view name) {
    std::erase_if(headers, [&](const auto& header) { return equals_ignore_case(header.first, name); });
  }
  void add(std::string name, std::string value) { headers.emplace_back(std::move(name), std::move(value)); }
  static void replace(std::string& text, std::string_view from, std::string_view to) {
    const std::size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
  }
  void in_authorization(std::string_view from, std::string_view to) { replace(header("Authorization"), from, to); }
  void in_query(std::string_view from, std::string_view to) { replace(query, from, to); }
};

Sent& signed_in_place(Sent& request, const Credentials& who = kAlice, Timestamp when = kNow,
                      const SigningScope& scope = {"us-east-1"}) {
  const auto added = sign(request.view(), who, scope, when);
  request.headers.insert(request.headers.end(), added.begin(), added.end());
  return request;
}
Sent signed_request() {
  Sent request;
  return signed_in_place(request);
}
Sent presigned_request(std::chrono::seconds expires = Seconds(300), Timestamp when = kNow) {
  Sent request;
  request.method = "GET";
  request.body.clear();
  request.headers = {{"Host", "queue.example:9324"}};
  request.query = "Action=SendMessage&MessageBody=a%20b%2Bc";
  request.query = presign(request.view(), kAlice, {"us-east-1"}, when, expires);
  return request;
}
// The query is what it says, and the signature over it is right.
Sent presigned_with(std::string_view from, std::string_view to) {
  Sent request = presigned_request();
  request.in_query(from, to);
  request.query.resize(request.query.find("&X-Amz-Signature="));
  const ParsedQuery parsed = parse_query(request.query);
  const std::string canonical = canonical_query(parsed.parameters, {});
  const std::vector<std::string> names = {"host"};
  const SignableRequest view = request.view();
  const std::string text =
      string_to_sign("20261123T080000Z", scope_text("20261123", {"us-east-1"}),
                     canonical_request({view.method, view.path, canonical, view.headers, names, hex_encode(sha256(""))}));
  request.query += "&X-Amz-Signature=" +
                   hex_encode(hmac_sha256(as_text(derive_signing_key(kAlice.secret_key, "20261123", {"us-east-1"})), text));
  return request;
}

class Verify : public ::testing::Test {
 protected:
  sqs::ApiResult<VerifiedSignature> verify(const Sent& request, Timestamp now = kNow) {
    return verifier_.verify(request.view(), now);
  }
  void accepted(const Sent& request, Timestamp now = kNow) {
    const auto result = verify(request, now);
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(result->access_key, "AKIDALICE");
  }
  void refused(const Sent& request, ErrorCode code, std::string_view message, Timestamp now = kNow) {
    const auto result = verify(request, now);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, code);
    EXPECT_EQ(result.error().message, message);
  }
  SignatureVerifier verifier_{secret_of};
};

TEST_F(Verify, AcceptsHeadersAndPresignedUrls) {
  accepted(signed_request());
  accepted(presigned_request());
  Sent empty;
  empty.path = "/", empty.body.clear();
  const auto result = verify(signed_in_place(empty, kBob, kNow, {"eu-central-1"}));
  ASSERT_TRUE(result);
  EXPECT_EQ(result->access_key, "AKIDBOB");
  EXPECT_EQ(result->region, "eu-central-1");
}

TEST_F(Verify, AcceptsWhatOthersClientsSend) {
  // botocore's signatures of the interoperability vectors in signing_test.cpp.
  SignatureVerifier verifier(
      [](std::string_view) { return std::optional<std::string>("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"); });
  const Timestamp then = *parse_amz_date("20150830T123600Z");
  Sent json;
  json.path = "/";
  json.body = "{\"QueueUrl\": \"http://127.0.0.1:9324/000000000000/Q\", \"MessageBody\": \"hello \xc3\xa9\"}";
  json.headers = {{"host", "127.0.0.1:9324"},
                  {"X-Amz-Target", "AmazonSQS.SendMessage"},
                  {"Content-Type", "application/x-amz-json-1.0"},
                  {"x-amzn-query-mode", "true"},
                  {"User-Agent", "not signed"},
                  {"X-Amzn-Trace-Id", "added by a load balancer"},
                  {"X-Amz-Cf-Id", "added by CloudFront"},
                  {"X-Amz-Date", "20150830T123600Z"},
                  {"Authorization",
                   "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/eu-west-1/sqs/aws4_request, "
                   "SignedHeaders=content-type;host;x-amz-date;x-amz-target;x-amzn-query-mode, "
                   "Signature=139d5da71fa14e030eb86c08ebc777f2c39b261e4dff50977cd8454b090c4e5a"}};
  EXPECT_TRUE(verifier.verify(json.view(), then));
  json.in_authorization("aws4_request, SignedHeaders", "aws4_request,SignedHeaders");  // as some clients write it
  EXPECT_TRUE(verifier.verify(json.view(), then));

  Sent form;
  form.body = "Action=SendMessage&MessageBody=hello+world%21&Version=2012-11-05";
  form.headers = {{"Host", "127.0.0.1:9324"},
                  {"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"},
                  {"X-Amz-Date", "20150830T123600Z"},
                  {"Authorization",
                   "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/sqs/aws4_request, "
                   "SignedHeaders=content-type;host;x-amz-date, "
                   "Signature=06cc6d3ab3384b74b77f1c74a637c6d605294f222b4df6511385e169c09c6938"}};
  EXPECT_TRUE(verifier.verify(form.view(), then));

  Sent url;
  url.method = "GET", url.body.clear(), url.headers = {{"Host", "127.0.0.1:9324"}};
  url.query =
      "Action=ReceiveMessage&Version=2012-11-05&WaitTimeSeconds=5&X-Amz-Algorithm=AWS4-HMAC-SHA256"
      "&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fsqs%2Faws4_request&X-Amz-Date=20150830T123600Z&X-Amz-Expires=300"
      "&X-Amz-SignedHeaders=host&X-Amz-Signature=050fbd702b712268e2e5d3283bacf0494c7b2fd0e0026b7194fc5e04828cf98b";
  EXPECT_TRUE(verifier.verify(url.view(), then));
}

TEST_F(Verify, ContentHashHeaderMustBeTheBodysHash) {
  Sent request;
  request.add("X-Amz-Content-Sha256", hex_encode(sha256(request.body)));
  accepted(signed_in_place(request));
}

TEST_F(Verify, SpellingsThatMeanTheSameAreTheSame) {
  Sent request = presigned_request();
  request.in_query("a%20b%2Bc", "a+b%2bc");
  accepted(request);
  Sent folded = signed_request();
  folded.header("Content-Type") = "  application/x-amz-json-1.0  ";
  accepted(folded);
}

TEST_F(Verify, FifteenMinutesOfSkew) {
  const Sent request = signed_request();
  accepted(request, kNow + Seconds(14 * 60 + 59));
  accepted(request, kNow + Seconds(15 * 60));
  accepted(request, kNow - Seconds(14 * 60 + 59));
  accepted(request, kNow - Seconds(15 * 60));
  refused(request, ErrorCode::InvalidSignature,
          "Signature expired: 20261123T080000Z is now earlier than 20261123T080001Z (20261123T081501Z - 15 min.)",
          kNow + Seconds(15 * 60 + 1));
  refused(request, ErrorCode::InvalidSignature,
          "Signature not yet current: 20261123T080000Z is still later than 20261123T075959Z (20261123T074459Z + 15 min.)",
          kNow - Seconds(15 * 60 + 1));
}

TEST_F(Verify, PresignedUrlsEnd) {
  accepted(presigned_request(Seconds(1)), kNow + Seconds(1));
  refused(presigned_request(Seconds(1)), ErrorCode::InvalidSignature,
          "Signature expired: 20261123T080000Z is now earlier than 20261123T080001Z (20261123T080002Z - 1 sec.)",
          kNow + Seconds(2));
  accepted(presigned_request(Seconds(604'800)), kNow + Seconds(604'800));
  refused(presigned_request(Seconds(604'800)), ErrorCode::InvalidSignature,
          "Signature expired: 20261123T080000Z is now earlier than 20261123T080001Z (20261130T080001Z - 604800 sec.)",
          kNow + Seconds(604'801));
  refused(presigned_request(), ErrorCode::InvalidSignature,
          "Signature not yet current: 20261123T080000Z is still later than 20261123T075959Z (20261123T074459Z + 15 min.)",
          kNow - Seconds(901));
  for (const auto expires : {Seconds(0), Seconds(-1), Seconds(604'801)}) {
    refused(presigned_request(expires), ErrorCode::IncompleteSignature,
            "X-Amz-Expires must be a number of seconds between 1 and 604800.");
  }
}

struct Attack {
  const char* name;
  std::function<Sent()> make;
  ErrorCode code;
  std::string message;
};
Attack on_header(const char* name, ErrorCode code, std::string message, std::function<void(Sent&)> change) {
  return {name,
          [change] {
            Sent request = signed_request();
            change(request);
            return request;
          },
          code, std::move(message)};
}
Attack before_signing(const char* name, ErrorCode code, std::string message, std::function<void(Sent&)> change) {
  return {name,
          [change] {
            Sent request;
            change(request);
            return signed_in_place(request);
          },
          code, std::move(message)};
}
Attack on_url(const char* name, ErrorCode code, std::string message, std::function<void(Sent&)> change) {
  return {name,
          [change] {
            Sent request = presigned_request();
            change(request);
            return request;
          },
          code, std::move(message)};
}
Attack other_signer(const char* name, ErrorCode code, std::string message, Credentials who, SigningScope scope) {
  return {name,
          [who, scope] {
            Sent request;
            return signed_in_place(request, who, kNow, scope);
          },
          code, std::move(message)};
}

std::string signature_of(Sent& request) {
  return request.header("Authorization").substr(request.header("Authorization").size() - 64);
}

constexpr ErrorCode kInvalid = ErrorCode::InvalidSignature;
constexpr ErrorCode kIncomplete = ErrorCode::IncompleteSignature;
constexpr ErrorCode kUnknown = ErrorCode::UnrecognizedClient;
constexpr const char* kUnknownText = "The security token included in the request is invalid.";

std::vector<Attack> attacks_on_the_message() {
  return {
      on_header("body changed", kInvalid, kMismatch, [](Sent& r) { r.body += " "; }),
      on_header("body emptied", kInvalid, kMismatch, [](Sent& r) { r.body.clear(); }),
      on_header("method changed", kInvalid, kMismatch, [](Sent& r) { r.method = "GET"; }),
      on_header("path changed", kInvalid, kMismatch, [](Sent& r) { r.path = "/000000000000/R"; }),
      on_header("slash of the path escaped", kInvalid, kMismatch, [](Sent& r) { r.path = "/000000000000%2FQ"; }),
      on_header("letter of the path escaped", kInvalid, kMismatch, [](Sent& r) { r.path = "/000000000000/%51"; }),
      on_header("trailing slash", kInvalid, kMismatch, [](Sent& r) { r.path += "/"; }),
      on_header("climbing path", kInvalid, kMismatch, [](Sent& r) { r.path += "/../R"; }),
      on_header("query added", kInvalid, kMismatch, [](Sent& r) { r.query = "Action=DeleteQueue"; }),
      on_header("query with a broken escape", kInvalid, kMismatch, [](Sent& r) { r.query = "a=%zz"; }),
      on_header("host changed", kInvalid, kMismatch, [](Sent& r) { r.header("Host") = "other.example"; }),
      on_header("host removed", kInvalid, kMismatch, [](Sent& r) { r.remove("Host"); }),
      on_header("second host", kInvalid, kMismatch, [](Sent& r) { r.add("Host", "other.example"); }),
      on_header("target changed", kInvalid, kMismatch, [](Sent& r) { r.header("X-Amz-Target") = "AmazonSQS.DeleteQueue"; }),
      on_header("target removed", kInvalid, kMismatch, [](Sent& r) { r.remove("X-Amz-Target"); }),
      on_header("second target", kInvalid, kMismatch, [](Sent& r) { r.add("X-Amz-Target", "AmazonSQS.DeleteQueue"); }),
      on_header("signed content type changed", kInvalid, kMismatch, [](Sent& r) { r.header("Content-Type") = "text/plain"; }),
      on_header("second content type", kInvalid, kMismatch, [](Sent& r) { r.add("Content-Type", "text/plain"); }),
      on_header("unsigned x-amz- header added", kInvalid, "'X-Amz-Meta' must be a 'SignedHeader' in the AWS Authorization.",
                [](Sent& r) { r.add("X-Amz-Meta", "1"); }),
      on_header("unsigned content hash added", kInvalid,
                "'X-Amz-Content-Sha256' must be a 'SignedHeader' in the AWS Authorization.",
                [](Sent& r) { r.add("X-Amz-Content-Sha256", hex_encode(sha256(r.body))); }),
      on_header("case of a signed value changed", kInvalid, kMismatch,
                [](Sent& r) { r.header("X-Amz-Target") = "AmazonSQS.sendMessage"; }),
      before_signing("two targets that read like one", kInvalid, kMismatch,
                     [](Sent& r) { r.add("X-Amz-Target", "AmazonSQS.X"); }),
      before_signing("two content types, both signed", kInvalid, kMismatch, [](Sent& r) { r.add("content-type", "text/plain"); }),
      before_signing("hash of another body", kInvalid, kMismatch,
                     [](Sent& r) { r.add("X-Amz-Content-Sha256", hex_encode(sha256("other"))); }),
      before_signing("upper-case hash", kInvalid, kMismatch,
                     [](Sent& r) {
                       std::string hash = hex_encode(sha256(r.body));
                       for (char& c : hash) c = static_cast<char>(std::toupper(c));
                       r.add("X-Amz-Content-Sha256", hash);
                     }),
      before_signing("unsigned payload", kInvalid, kMismatch, [](Sent& r) { r.add("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD"); }),
      before_signing("streaming payload", kInvalid, kMismatch,
                     [](Sent& r) { r.add("X-Amz-Content-Sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"); }),
      before_signing("no host", kInvalid, "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
                     [](Sent& r) { r.remove("Host"); }),
  };
}

std::vector<Attack> attacks_on_the_header() {
  return {
      on_header("no signature", ErrorCode::AccessDenied, "Access to the resource /000000000000/Q is denied.",
                [](Sent& r) { r.remove("Authorization"); }),
      on_header("empty authorization", kIncomplete, "Unsupported AWS 'algorithm': ''.",
                [](Sent& r) { r.header("Authorization") = ""; }),
      on_header("basic authorization", kIncomplete, "Unsupported AWS 'algorithm': 'Basic'.",
                [](Sent& r) { r.header("Authorization") = "Basic YTpi"; }),
      on_header("older algorithm", kIncomplete, "Unsupported AWS 'algorithm': 'AWS4-HMAC-SHA1'.",
                [](Sent& r) { r.in_authorization("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1"); }),
      on_header("two authorization headers", kIncomplete, "The request has more than one Authorization header.",
                [](Sent& r) { r.add("authorization", r.header("Authorization")); }),
      on_header("header and query", kIncomplete,
                "The request is signed both in its Authorization header and in its query string.",
                [](Sent& r) { r.query = "X-Amz-Signature=" + signature_of(r); }),
      on_header("header and escaped query name", kIncomplete,
                "The request is signed both in its Authorization header and in its query string.",
                [](Sent& r) { r.query = "X%2DAmz%2DAlgorithm=AWS4-HMAC-SHA256"; }),
      on_header("no parameters", kIncomplete, "'' not a valid key=value pair (missing equal-sign) in Authorization header.",
                [](Sent& r) { r.header("Authorization") = "AWS4-HMAC-SHA256"; }),
      on_header("no credential", kIncomplete, "Authorization header requires 'Credential' parameter.",
                [](Sent& r) { r.in_authorization("Credential=AKIDALICE/20261123/us-east-1/sqs/aws4_request, ", ""); }),
      on_header("no signed headers", kIncomplete, "Authorization header requires 'SignedHeaders' parameter.",
                [](Sent& r) { r.in_authorization("SignedHeaders=content-type;host;x-amz-date;x-amz-target, ", ""); }),
      on_header("no signature parameter", kIncomplete, "Authorization header requires 'Signature' parameter.",
                [](Sent& r) { r.in_authorization(", Signature=" + signature_of(r), ""); }),
      on_header("parameter twice", kIncomplete, "Authorization header has more than one 'Signature' parameter.",
                [](Sent& r) { r.header("Authorization") += ", Signature=" + std::string(64, '0'); }),
      on_header("unknown parameter", kIncomplete, "Authorization header has an unknown parameter 'Extra'.",
                [](Sent& r) { r.header("Authorization") += ", Extra=1"; }),
      on_header("no date", kIncomplete, "Authorization header requires existence of a 'X-Amz-Date' header.",
                [](Sent& r) { r.remove("X-Amz-Date"); }),
      on_header("date in another form", kIncomplete,
                "Date must be in ISO-8601 'basic format'. Got '2026-11-23T08:00:00Z'. See http://en.wikipedia.org/wiki/ISO_8601",
                [](Sent& r) { r.header("X-Amz-Date") = "2026-11-23T08:00:00Z"; }),
      on_header("date changed within the skew", kInvalid, kMismatch,
                [](Sent& r) { r.header("X-Amz-Date") = "20261123T080001Z"; }),
      on_header("second date", kInvalid, kMismatch, [](Sent& r) { r.add("X-Amz-Date", "20261123T080001Z"); }),
      on_header("scope of another day", kInvalid,
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20261122' != "
                "'20261123', from "
                "'20261123T080000Z'.",
                [](Sent& r) { r.in_authorization("/20261123/", "/20261122/"); }),
      on_header("region changed", kInvalid, kMismatch, [](Sent& r) { r.in_authorization("us-east-1", "us-west-1"); }),
      on_header("empty region", kInvalid, "Credential should be scoped to a valid region, not ''.",
                [](Sent& r) { r.in_authorization("us-east-1", ""); }),
      on_header("service changed", kInvalid, "Credential should be scoped to correct service: 'sqs'.",
                [](Sent& r) { r.in_authorization("/sqs/", "/s3/"); }),
      on_header("terminator changed", kInvalid,
                "Credential should be scoped with a valid terminator: 'aws4_request', not 'aws4_requesu'.",
                [](Sent& r) { r.in_authorization("aws4_request", "aws4_requesu"); }),
      on_header("credential of four parts", kIncomplete,
                "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got "
                "'AKIDALICE/us-east-1/sqs/aws4_request'",
                [](Sent& r) { r.in_authorization("/20261123", ""); }),
      on_header("credential of six parts", kIncomplete,
                "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got "
                "'AKID/ALICE/20261123/us-east-1/sqs/aws4_request'",
                [](Sent& r) { r.in_authorization("AKIDALICE", "AKID/ALICE"); }),
      on_header("unknown key", kUnknown, kUnknownText, [](Sent& r) { r.in_authorization("AKIDALICE", "AKIDCAROL"); }),
      on_header("empty key", kUnknown, kUnknownText, [](Sent& r) { r.in_authorization("AKIDALICE", ""); }),
      on_header("key in another case", kUnknown, kUnknownText, [](Sent& r) { r.in_authorization("AKIDALICE", "akidalice"); }),
      on_header("another's key", kInvalid, kMismatch, [](Sent& r) { r.in_authorization("AKIDALICE", "AKIDBOB"); }),
      on_header("signature empty", kInvalid, kMismatch, [](Sent& r) { r.in_authorization(signature_of(r), ""); }),
      on_header("signature cut", kInvalid, kMismatch, [](Sent& r) { r.header("Authorization").pop_back(); }),
      on_header("signature too long", kInvalid, kMismatch, [](Sent& r) { r.header("Authorization") += "0"; }),
      on_header("signature in capitals", kInvalid, kMismatch,
                [](Sent& r) {
                  std::string upper = signature_of(r);
                  for (char& c : upper) c = static_cast<char>(std::toupper(c));
                  r.in_authorization(signature_of(r), upper);
                }),
      on_header("signature no hex", kInvalid, kMismatch,
                [](Sent& r) { r.in_authorization(signature_of(r), std::string(64, 'z')); }),
      on_header("signature of zeros", kInvalid, kMismatch,
                [](Sent& r) { r.in_authorization(signature_of(r), std::string(64, '0')); }),
      on_header("signed headers without host", kInvalid,
                "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
                [](Sent& r) { r.in_authorization("content-type;host;", "content-type;"); }),
      on_header("signed headers without the date", kInvalid, "'X-Amz-Date' must be a 'SignedHeader' in the AWS Authorization.",
                [](Sent& r) { r.in_authorization("x-amz-date;", ""); }),
      on_header("signed headers without the target", kInvalid,
                "'X-Amz-Target' must be a 'SignedHeader' in the AWS Authorization.",
                [](Sent& r) { r.in_authorization(";x-amz-target", ""); }),
      on_header("signed headers with one that was not sent", kInvalid, kMismatch,
                [](Sent& r) { r.in_authorization("x-amz-target", "x-amz-target;x-amz-user"); }),
      on_header("signed headers in capitals", kInvalid, kMismatch, [](Sent& r) { r.in_authorization(";host;", ";Host;"); }),
      on_header("signed headers not in order", kInvalid, kMismatch,
                [](Sent& r) { r.in_authorization("content-type;host", "host;content-type"); }),
      on_header("signed header twice", kInvalid, kMismatch, [](Sent& r) { r.in_authorization(";host;", ";host;host;"); }),
      on_header("signed headers empty", kInvalid, kMismatch,
                [](Sent& r) { r.in_authorization("content-type;host;x-amz-date;x-amz-target", ""); }),
      other_signer("unknown key, right in itself", kUnknown, kUnknownText, {"AKIDCAROL", "carol-secret", ""}, {"us-east-1"}),
      other_signer("wrong secret", kInvalid, kMismatch, {"AKIDALICE", "guess", ""}, {"us-east-1"}),
      other_signer("empty secret", kInvalid, kMismatch, {"AKIDALICE", "", ""}, {"us-east-1"}),
      other_signer("signed for another service", kInvalid, "Credential should be scoped to correct service: 'sqs'.", kAlice,
                   {"us-east-1", "sns"}),
      other_signer("region with a separator in it", kIncomplete,
                   "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got "
                   "'AKIDALICE/20261123/us/east/sqs/aws4_request'",
                   kAlice, {"us/east"}),
      other_signer("region that is no name", kInvalid, "Credential should be scoped to a valid region, not 'US_EAST'.", kAlice,
                   {"US_EAST"}),
      other_signer("session token", kUnknown, kUnknownText, {"AKIDALICE", "alice-secret", "token"}, {"us-east-1"}),
      on_header("session token added", kUnknown, kUnknownText, [](Sent& r) { r.add("X-Amz-Security-Token", "token"); }),
      on_header("control characters come back escaped", kIncomplete, "Unsupported AWS 'algorithm': '\\x1b[31m'.",
                [](Sent& r) { r.header("Authorization") = "\x1b[31m x"; }),
  };
}

std::vector<Attack> attacks_on_the_url() {
  const auto resigned = [](const char* name, ErrorCode code, std::string message, std::string from, std::string to) {
    return Attack{name, [from, to] { return presigned_with(from, to); }, code, std::move(message)};
  };
  return {
      on_url("parameter changed", kInvalid, kMismatch, [](Sent& r) { r.in_query("a%20b", "a%20c"); }),
      on_url("parameter added", kInvalid, kMismatch, [](Sent& r) { r.query += "&DelaySeconds=1"; }),
      on_url("action changed", kInvalid, kMismatch, [](Sent& r) { r.in_query("SendMessage", "DeleteQueue"); }),
      on_url("plus for an escaped plus", kInvalid, kMismatch, [](Sent& r) { r.in_query("%2B", "+"); }),
      on_url("NUL in a value", kInvalid, kMismatch, [](Sent& r) { r.in_query("a%20b", "a%00b"); }),
      on_url("overlong UTF-8", kInvalid, kMismatch, [](Sent& r) { r.in_query("a%20b", "a%c0%a0b"); }),
      on_url("body added", kInvalid, kMismatch, [](Sent& r) { r.body = "Action=DeleteQueue"; }),
      on_url("method changed", kInvalid, kMismatch, [](Sent& r) { r.method = "POST"; }),
      on_url("host changed", kInvalid, kMismatch, [](Sent& r) { r.header("Host") = "other.example"; }),
      on_url("expiry stretched", kInvalid, kMismatch, [](Sent& r) { r.in_query("Expires=300", "Expires=301"); }),
      on_url("date moved", kInvalid, kMismatch, [](Sent& r) { r.in_query("T080000Z", "T080001Z"); }),
      on_url("target header added", kInvalid, "'X-Amz-Target' must be a 'SignedHeader' in the AWS Authorization.",
             [](Sent& r) { r.add("X-Amz-Target", "AmazonSQS.DeleteQueue"); }),
      on_url("date header beside the parameter", kIncomplete, "X-Amz-Date is given in the query string and in a header.",
             [](Sent& r) { r.add("X-Amz-Date", "20261123T080000Z"); }),
      on_url("signature twice", kIncomplete, "AWS query-string has more than one 'X-Amz-Signature' parameter.",
             [](Sent& r) { r.query += "&X-Amz-Signature=" + std::string(64, '0'); }),
      on_url("credential twice", kIncomplete, "AWS query-string has more than one 'X-Amz-Credential' parameter.",
             [](Sent& r) { r.query += "&X-Amz-Credential=x"; }),
      on_url("expiry twice, one escaped", kIncomplete, "AWS query-string has more than one 'X-Amz-Expires' parameter.",
             [](Sent& r) { r.query += "&X-Amz%2DExpires=604800"; }),
      on_url("date twice", kIncomplete, "AWS query-string has more than one 'X-Amz-Date' parameter.",
             [](Sent& r) { r.query += "&X-Amz-Date=20261123T080000Z"; }),
      on_url("signature removed", kIncomplete, "AWS query-string parameters must include 'X-Amz-Signature'.",
             [](Sent& r) { r.query.resize(r.query.find("&X-Amz-Signature")); }),
      on_url("expiry removed", kIncomplete, "AWS query-string parameters must include 'X-Amz-Expires'.",
             [](Sent& r) { r.in_query("&X-Amz-Expires=300", ""); }),
      on_url("names in lower case are no signature", ErrorCode::AccessDenied, "Access to the resource /000000000000/Q is denied.",
             [](Sent& r) {
               for (std::size_t at; (at = r.query.find("X-Amz-")) != std::string::npos;) r.query.replace(at, 6, "x-amz-");
             }),
      on_url("session token added", kUnknown, kUnknownText, [](Sent& r) { r.query += "&X-Amz-Security-Token=token"; }),
      on_url("unknown key", kUnknown, kUnknownText, [](Sent& r) { r.in_query("AKIDALICE", "AKIDCAROL"); }),
      resigned("other algorithm", kIncomplete, "Unsupported AWS 'algorithm': 'AWS4-HMAC-MD5'.", "AWS4-HMAC-SHA256",
               "AWS4-HMAC-MD5"),
      resigned("expiry no number", kIncomplete, "X-Amz-Expires must be a number of seconds between 1 and 604800.", "Expires=300",
               "Expires=3e2"),
      resigned("expiry with a sign", kIncomplete, "X-Amz-Expires must be a number of seconds between 1 and 604800.",
               "Expires=300", "Expires=%2B300"),
      resigned("expiry beyond all integers", kIncomplete, "X-Amz-Expires must be a number of seconds between 1 and 604800.",
               "Expires=300", "Expires=99999999999999999999"),
      resigned("expiry empty", kIncomplete, "X-Amz-Expires must be a number of seconds between 1 and 604800.", "Expires=300",
               "Expires="),
      resigned("unsigned payload", kInvalid, kMismatch, "Action=SendMessage",
               "Action=SendMessage&X-Amz-Content-Sha256=UNSIGNED-PAYLOAD"),
  };
}

TEST_F(Verify, AttacksAreRefused) {
  std::vector<Attack> all = attacks_on_the_message();
  for (auto more : {attacks_on_the_header(), attacks_on_the_url()}) all.insert(all.end(), more.begin(), more.end());
  EXPECT_GE(all.size(), 100U);
  for (const Attack& attack : all) {
    SCOPED_TRACE(attack.name);
    refused(attack.make(), attack.code, attack.message);
  }
  accepted(signed_request());  // the verifier itself has taken no harm
}

TEST_F(Verify, ResigningHelperIsRight) {
  accepted(presigned_with("Action=SendMessage", "Action=ReceiveMessage"));
}

TEST_F(Verify, EveryBitOfTheSignatureCounts) {
  Sent request = signed_request();
  std::string& header = request.header("Authorization");
  for (std::size_t i = header.size() - 64; i < header.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      header[i] = static_cast<char>(header[i] ^ (1 << bit));
      if (header[i] != ',') {
        EXPECT_FALSE(verify(request)) << i << "." << bit;
      }
      header[i] = static_cast<char>(header[i] ^ (1 << bit));
    }
  }
  accepted(request);
}

TEST_F(Verify, ChangedSecretIsNoticedThoughTheKeyWasCached) {
  std::string secret = kAlice.secret_key;
  SignatureVerifier verifier([&](std::string_view) { return std::optional(secret); });
  const Sent request = signed_request();
  EXPECT_TRUE(verifier.verify(request.view(), kNow));
  secret = "rotated";
  EXPECT_FALSE(verifier.verify(request.view(), kNow));
  secret = kAlice.secret_key;
  EXPECT_TRUE(verifier.verify(request.view(), kNow));
}

TEST_F(Verify, ThreadsShareAVerifier) {
  std::atomic<int> good{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 200; ++i) {
        Sent request;
        signed_in_place(request, kAlice, kNow, {"region-" + std::to_string((i + t) % 40)});
        if (verifier_.verify(request.view(), kNow)) ++good;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 800);
}
}  // namespace
}  // namespace ferry::access

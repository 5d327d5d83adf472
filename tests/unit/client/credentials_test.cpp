// The chain of credentials: who is asked in which order, what is kept, when it is asked again.

#include "client/credentials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <thread>

#include "client/credentials_json.h"
#include "fakes.h"
#include "tiny_server.h"

namespace ferry::client {
namespace {
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using test::answer;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::int64_t kStartMs = 1'795'420'800'000;  // 2026-11-23T08:00:00Z

std::string found(CredentialSource& source) {
  const auto result = source.get();
  if (!result) return "error: " + result.error().message;
  if (!*result) return "anonymous";
  return (*result)->access_key + "/" + (*result)->secret_key + "/" + (*result)->session_token;
}

std::string role_json(std::string_view access_key, std::string_view expiration) {
  return "{\"Code\":\"Success\",\"Type\":\"AWS-HMAC\",\"AccessKeyId\":\"" + std::string(access_key) +
         "\",\"SecretAccessKey\":\"s\",\"Token\":\"t\",\"Expiration\":\"" + std::string(expiration) + "\"}";
}

class ChainTest : public ::testing::Test {
 protected:
  std::unique_ptr<CredentialSource> chain(EndpointKind endpoint, const Profile& profile = {}) {
    const auto run = [this](const std::vector<std::string>& argv, const Environment&) -> Result<std::string> {
      commands_.push_back(argv);
      return command_output_;
    };
    return make_credential_source(endpoint, profile, environment_, {transport_, run, clock_, random_, log_, sleeper_});
  }
  std::string get(EndpointKind endpoint, const Profile& profile = {}) { return found(*chain(endpoint, profile)); }
  static Profile profile(Settings settings, ProfileOrigin origin = ProfileOrigin::Default) {
    Profile out;
    out.name = "p";
    out.origin = origin;
    out.section.settings = std::move(settings);
    return out;
  }

  Environment environment_;
  test::FakeTransport transport_;
  test::FakeSleeper sleeper_;
  test::FixedRandom random_{0};
  ManualClock clock_{from_epoch_millis(kStartMs)};
  Logger log_{clock_, LogLevel::Off, LogFormat::Text};
  std::vector<std::vector<std::string>> commands_;
  std::string command_output_;
};

TEST_F(ChainTest, Order) {
  const Profile with_keys =
      profile({{"aws_access_key_id", "PROFILE"}, {"aws_secret_access_key", "s"}, {"aws_session_token", "t"}});
  environment_ = {{"AWS_ACCESS_KEY_ID", "ENV"},
                  {"AWS_SECRET_ACCESS_KEY", "s"},
                  {"AWS_SESSION_TOKEN", "t"},
                  {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/role"}};
  transport_.always([](const Transport::Request& request) -> Result<Transport::Response> {
    return answer(200, role_json(request.url == "http://169.254.170.2/role" ? "CONTAINER" : "?", "2026-11-23T14:00:00Z"));
  });
  EXPECT_EQ(get(EndpointKind::Amazon, with_keys), "ENV/s/t");
  Profile flagged = with_keys;
  flagged.origin = ProfileOrigin::Flag;
  EXPECT_EQ(get(EndpointKind::Amazon, flagged), "PROFILE/s/t");
  flagged.origin = ProfileOrigin::Variable;  // AWS_PROFILE does not beat AWS_ACCESS_KEY_ID
  EXPECT_EQ(get(EndpointKind::Amazon, flagged), "ENV/s/t");
  environment_.erase("AWS_ACCESS_KEY_ID");
  environment_.erase("AWS_SECRET_ACCESS_KEY");
  EXPECT_EQ(get(EndpointKind::Amazon, with_keys), "PROFILE/s/t");
  EXPECT_THAT(transport_.requests, IsEmpty());
  EXPECT_EQ(get(EndpointKind::Amazon), "CONTAINER/s/t");
}

TEST_F(ChainTest, ProfileByFlagNeverFallsBackToTheEnvironment) {
  environment_ = {{"AWS_ACCESS_KEY_ID", "ENV"}, {"AWS_SECRET_ACCESS_KEY", "s"}, {"AWS_EC2_METADATA_DISABLED", "true"}};
  EXPECT_EQ(get(EndpointKind::Amazon, profile({{"region", "r"}}, ProfileOrigin::Flag)),
            "error: there are no AWS credentials; looked at: profile p, container endpoint, instance metadata (disabled)");
  EXPECT_EQ(get(EndpointKind::Other, profile({{"region", "r"}}, ProfileOrigin::Flag)), "anonymous");
}

TEST_F(ChainTest, NothingFound) {
  environment_ = {{"AWS_EC2_METADATA_DISABLED", "TRUE"}};
  EXPECT_EQ(get(EndpointKind::Other), "anonymous");
  EXPECT_EQ(get(EndpointKind::Loopback), "anonymous");
  EXPECT_EQ(
      get(EndpointKind::Amazon),
      "error: there are no AWS credentials; looked at: environment, web identity, profile default, container endpoint, instance "
      "metadata (disabled)");
  EXPECT_THAT(transport_.requests, IsEmpty());
}

TEST_F(ChainTest, HalfOfAKeyIsAnError) {
  environment_ = {{"AWS_ACCESS_KEY_ID", "ENV"}, {"AWS_SECRET_ACCESS_KEY", ""}};
  EXPECT_EQ(get(EndpointKind::Other),
            "error: credentials from environment: AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not");
  environment_ = {{"AWS_SECRET_ACCESS_KEY", "s"}};
  EXPECT_EQ(get(EndpointKind::Other),
            "error: credentials from environment: AWS_SECRET_ACCESS_KEY is set, but AWS_ACCESS_KEY_ID is not");
  environment_.clear();
  EXPECT_EQ(get(EndpointKind::Other, profile({{"aws_access_key_id", "A"}})),
            "error: credentials from profile p: it has one of aws_access_key_id and aws_secret_access_key without the other");
}

TEST_F(ChainTest, UnsupportedOriginsAreSaid) {
  for (const Settings& settings :
       {Settings{{"role_arn", "arn:aws:iam::1:role/r"}, {"source_profile", "x"}}, Settings{{"sso_session", "s"}},
        Settings{{"sso_start_url", "https://x"}}, Settings{{"login_session", "s"}},
        Settings{{"role_arn", "a"}, {"aws_access_key_id", "A"}, {"aws_secret_access_key", "s"}}}) {
    EXPECT_THAT(get(EndpointKind::Amazon, profile(settings)),
                HasSubstr("which is not supported; a profile with \"credential_process = "));
    EXPECT_THAT(get(EndpointKind::Loopback, profile(settings, ProfileOrigin::Flag)), HasSubstr("which is not supported"));
    EXPECT_THAT(get(EndpointKind::Loopback, profile(settings, ProfileOrigin::Variable)), HasSubstr("which is not supported"));
    EXPECT_EQ(get(EndpointKind::Loopback, profile(settings)), "anonymous");
  }
  EXPECT_EQ(
      get(EndpointKind::Amazon, profile({{"sso_session", "s"}, {"aws_access_key_id", "A"}, {"aws_secret_access_key", "s"}})),
      "A/s/");
  environment_ = {{"AWS_WEB_IDENTITY_TOKEN_FILE", "/token"}};
  EXPECT_THAT(get(EndpointKind::Amazon), HasSubstr("web identities are not supported"));
  EXPECT_EQ(get(EndpointKind::Loopback), "anonymous");
}

TEST_F(ChainTest, CredentialProcess) {
  const Profile chosen = profile({{"credential_process", "/opt/tool --name \"two words\" 'it''s' back\\ slash"}});
  command_output_ =
      R"({"Version":1,"AccessKeyId":"A","SecretAccessKey":"S","SessionToken":"T","Expiration":"2026-11-23T09:00:00+01:00"})";
  EXPECT_EQ(get(EndpointKind::Amazon, chosen), "error: credentials from profile p: they have expired already");
  command_output_ = R"({"Version":1,"AccessKeyId":"A","SecretAccessKey":"S","SessionToken":"T"})";
  EXPECT_EQ(get(EndpointKind::Amazon, chosen), "A/S/T");
  EXPECT_THAT(commands_.back(), ElementsAre("/opt/tool", "--name", "two words", "its", "back slash"));
  for (const char* bad :
       {"", "{}", R"({"Version":2,"AccessKeyId":"A","SecretAccessKey":"S"})", R"({"Version":"1","AccessKeyId":"A"})"}) {
    command_output_ = bad;
    EXPECT_THAT(get(EndpointKind::Amazon, chosen), HasSubstr("did not print JSON with \"Version\": 1")) << bad;
  }
  command_output_ = R"({"Version":1,"AccessKeyId":"A","SecretAccessKey":""})";
  EXPECT_THAT(get(EndpointKind::Amazon, chosen), HasSubstr("no AccessKeyId or no SecretAccessKey"));
  command_output_ = R"({"Version":1,"AccessKeyId":"A","SecretAccessKey":"S","Expiration":"tomorrow"})";
  EXPECT_THAT(get(EndpointKind::Amazon, chosen), HasSubstr("is no time"));
  EXPECT_THAT(get(EndpointKind::Amazon, profile({{"credential_process", "a 'b"}})),
              HasSubstr("a quote in credential_process is not closed"));
}

TEST(SplitCommand, WordsAndQuotes) {
  EXPECT_THAT(*split_command("a  b\tc"), ElementsAre("a", "b", "c"));
  EXPECT_THAT(*split_command("a '' \"\""), ElementsAre("a", "", ""));
  EXPECT_THAT(*split_command(R"("a\"b\\c\d" 'e\f' $X;y)"), ElementsAre("a\"b\\c\\d", "e\\f", "$X;y"));
  EXPECT_FALSE(split_command(""));
  EXPECT_FALSE(split_command("  "));
  EXPECT_FALSE(split_command("\"a"));
}

TEST(RunCommand, RealPrograms) {
  const SystemClock clock;
  const CommandRunner run = make_command_runner(clock);
  const Environment environment = {{"PATH", "/usr/bin:/bin"}, {"FERRY_VALUE", "passed on"}};
  EXPECT_EQ(*run({"sh", "-c", "echo \"$FERRY_VALUE\""}, environment), "passed on\n");
  EXPECT_EQ(*run({"/bin/echo", "a b", "$X"}, environment), "a b $X\n");
  EXPECT_EQ(run({"sh", "-c", "echo secret; exit 3"}, environment).error().message, "credential_process ended with exit code 3");
  EXPECT_FALSE(run({"ferry-no-such-program"}, environment));
  EXPECT_EQ(run({"sh", "-c", "head -c 70000 /dev/zero; exec sleep 100"}, environment).error().message,
            "credential_process printed more than 64 KiB");
}

// ---------------------------------------------------------------------------------------------------------------- container

TEST_F(ChainTest, ContainerAddressesAndTokens) {
  transport_.always([](const Transport::Request&) -> Result<Transport::Response> {
    return answer(200, role_json("C", "2026-11-23T14:00:00Z"));
  });
  for (const char* good :
       {"https://anything.example/x", "http://127.0.0.1:8080/x", "http://localhost/x", "http://[::1]/x", "http://169.254.170.2/x",
        "http://169.254.170.23/v1/credentials", "http://[fd00:ec2::23]/v1/credentials"}) {
    environment_ = {{"AWS_CONTAINER_CREDENTIALS_FULL_URI", good}};
    EXPECT_EQ(get(EndpointKind::Amazon), "C/s/t") << good;
    EXPECT_EQ(transport_.requests.back().url, good);
    EXPECT_EQ(transport_.header(transport_.requests.size() - 1, "Authorization"), "(none)");
  }
  const std::size_t asked = transport_.requests.size();
  for (const char* bad : {"http://example.com/x", "http://169.254.169.254/x", "http://169.254.170.3/x", "http://10.0.0.1/x",
                          "http://127.0.0.1.example/x", "http://localhost.example/x", "file:///x", "nonsense"}) {
    environment_ = {{"AWS_CONTAINER_CREDENTIALS_FULL_URI", bad}};
    EXPECT_TRUE(get(EndpointKind::Amazon).starts_with("error: credentials from container endpoint: ")) << bad;
  }
  environment_ = {{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "@example.com/x"}};
  EXPECT_THAT(get(EndpointKind::Amazon), HasSubstr("does not begin with '/'"));
  EXPECT_EQ(transport_.requests.size(), asked);

  environment_ = {{"AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1/x"},
                  {"AWS_CONTAINER_AUTHORIZATION_TOKEN", "Basic abc"}};
  EXPECT_EQ(get(EndpointKind::Amazon), "C/s/t");
  EXPECT_EQ(transport_.header(asked, "Authorization"), "Basic abc");
  environment_["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = "a\r\nX: y";
  EXPECT_THAT(get(EndpointKind::Amazon), HasSubstr("holds a line break"));
}

TEST_F(ChainTest, ContainerTokenFileIsReadEachTime) {
  char name[] = "/tmp/ferry-token-XXXXXX";
  ::close(::mkstemp(name));
  std::ofstream(name) << "first\n";
  environment_ = {{"AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials"},
                  {"AWS_CONTAINER_AUTHORIZATION_TOKEN", "ignored"},
                  {"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", name}};
  transport_.then(answer(200, role_json("C1", "2026-11-23T09:00:00Z")));
  transport_.then(answer(200, role_json("C2", "2026-11-23T10:00:00Z")));
  const auto source = chain(EndpointKind::Amazon);
  EXPECT_EQ(found(*source), "C1/s/t");
  std::ofstream(name) << "second\n";
  clock_.advance(minutes(56));
  EXPECT_EQ(found(*source), "C2/s/t");
  EXPECT_EQ(transport_.header(0, "Authorization"), "first");
  EXPECT_EQ(transport_.header(1, "Authorization"), "second");
  std::filesystem::remove(name);
  EXPECT_THAT(get(EndpointKind::Amazon), HasSubstr("cannot read a token from"));
}

TEST_F(ChainTest, ContainerFaultsAreTriedAgainThenErrors) {
  environment_ = {{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/role"}};
  transport_.then_fails(ErrorKind::Unavailable);
  transport_.then(answer(500, ""));
  transport_.then(answer(200, role_json("C", "2026-11-23T14:00:00Z")));
  EXPECT_EQ(get(EndpointKind::Amazon), "C/s/t");
  EXPECT_EQ(sleeper_.slept.size(), 2U);
  transport_.then(answer(403, "{\"code\":\"AccessDenied\",\"message\":\"no\"}"));
  EXPECT_EQ(get(EndpointKind::Other), "error: credentials from container endpoint: it answered HTTP 403");
  transport_.then(answer(200, "<html>"));
  EXPECT_EQ(get(EndpointKind::Other), "error: credentials from container endpoint: the answer is no JSON object");
  for (int i = 0; i < 3; ++i) transport_.then_fails(ErrorKind::Timeout);
  EXPECT_EQ(get(EndpointKind::Other), "error: credentials from container endpoint: scripted");
}

// ---------------------------------------------------------------------------------------------------------------- metadata

// An instance's metadata service over real HTTP.
class FakeInstance {
 public:
  std::string role = "ferry-role";
  std::string credentials = role_json("I1", "2026-11-23T14:00:00Z");
  int token_status = 200;
  int role_status = 200;
  std::vector<std::string> seen;  // first lines

  test::TinyServer::Reply operator()(const std::string& request) {
    const std::string line = request.substr(0, request.find(" HTTP/"));
    seen.push_back(line);
    if (line == "PUT /latest/api/token") {
      const bool has_ttl = request.find("\r\nX-aws-ec2-metadata-token-ttl-seconds: 21600\r\n") != std::string::npos;
      return {test::http_answer(has_ttl ? token_status : 400, "TOKEN==")};
    }
    if (request.find("\r\nX-aws-ec2-metadata-token: TOKEN==\r\n") == std::string::npos) return {test::http_answer(401, "")};
    if (line == "GET /latest/meta-data/iam/security-credentials/") return {test::http_answer(role_status, role)};
    if (line == "GET /latest/meta-data/iam/security-credentials/" + role) return {test::http_answer(200, credentials)};
    return {test::http_answer(404, "")};
  }
};

class MetadataTest : public ChainTest {
 protected:
  MetadataTest() {
    environment_ = {{"AWS_EC2_METADATA_SERVICE_ENDPOINT", server_.url() + "/"}};
    real_ = make_curl_transport(metadata_transport_options());
    transport_.always([this](const Transport::Request& request) { return real_->perform(request, nullptr); });
  }
  FakeInstance instance_;
  test::TinyServer server_{[this](const std::string& request, int) { return instance_(request); }};
  std::unique_ptr<Transport> real_;
};

TEST_F(MetadataTest, TokenRoleCredentials) {
  const auto source = chain(EndpointKind::Loopback);
  EXPECT_EQ(found(*source), "I1/s/t");
  EXPECT_EQ(found(*source), "I1/s/t");
  EXPECT_THAT(instance_.seen, ElementsAre("PUT /latest/api/token", "GET /latest/meta-data/iam/security-credentials/",
                                          "GET /latest/meta-data/iam/security-credentials/ferry-role"));
}

TEST_F(MetadataTest, RefreshedBeforeTheyExpireAndKeptWhileThatFails) {
  instance_.credentials = role_json("I1", "2026-11-23T14:00:00Z");
  const auto source = chain(EndpointKind::Amazon);
  EXPECT_EQ(found(*source), "I1/s/t");
  instance_.credentials = role_json("I2", "2026-11-23T20:00:00Z");
  clock_.advance(minutes(6 * 60 - 5) - milliseconds(1));  // 13:54:59.999
  EXPECT_EQ(found(*source), "I1/s/t");
  EXPECT_EQ(instance_.seen.size(), 3U);
  clock_.advance(milliseconds(1));
  EXPECT_EQ(found(*source), "I2/s/t");
  EXPECT_EQ(instance_.seen.size(), 6U);

  clock_.advance(minutes(6 * 60));  // 19:55
  instance_.token_status = 500;
  EXPECT_EQ(found(*source), "I2/s/t");
  EXPECT_EQ(instance_.seen.size(), 9U);  // three attempts
  EXPECT_EQ(found(*source), "I2/s/t");
  EXPECT_EQ(instance_.seen.size(), 9U);  // and then a pause
  clock_.advance(seconds(30));
  EXPECT_EQ(found(*source), "I2/s/t");
  EXPECT_EQ(instance_.seen.size(), 12U);
  clock_.advance(minutes(4) + seconds(30));  // 20:00, expired
  EXPECT_EQ(found(*source), "error: credentials from instance metadata: the request for a token answered HTTP 500");
  instance_.token_status = 200;
  instance_.credentials = role_json("I3", "2026-11-24T02:00:00Z");
  EXPECT_EQ(found(*source), "I3/s/t");
}

TEST_F(MetadataTest, NeverTheFirstVersion) {
  // Even when tokens are refused, nothing is asked without one.
  for (const int status : {403, 404, 405}) {
    instance_.token_status = status;
    EXPECT_EQ(get(EndpointKind::Other), "anonymous");
  }
  instance_.token_status = 400;
  EXPECT_EQ(get(EndpointKind::Other), "error: credentials from instance metadata: the request for a token answered HTTP 400");
  instance_.token_status = 500;
  EXPECT_EQ(get(EndpointKind::Other), "error: credentials from instance metadata: the request for a token answered HTTP 500");
  for (const std::string& line : instance_.seen) EXPECT_EQ(line, "PUT /latest/api/token");
  EXPECT_EQ(instance_.seen.size(), 5U);  // one attempt each
}

TEST_F(MetadataTest, InstancesWithoutARole) {
  instance_.role_status = 404;
  EXPECT_EQ(get(EndpointKind::Other), "anonymous");
  EXPECT_THAT(get(EndpointKind::Amazon), HasSubstr("there are no AWS credentials"));
  instance_.role_status = 200;
  instance_.role = "";
  EXPECT_EQ(get(EndpointKind::Other), "anonymous");
  instance_.role_status = 503;
  EXPECT_EQ(get(EndpointKind::Other), "error: credentials from instance metadata: the list of roles answered HTTP 503");
}

TEST_F(MetadataTest, AnswersThatAreNone) {
  instance_.credentials = "{\"Code\":\"AssumeRoleUnauthorizedAccess\",\"Message\":\"no\"}";
  EXPECT_EQ(get(EndpointKind::Other),
            "error: credentials from instance metadata: the answer says \"AssumeRoleUnauthorizedAccess\" instead of credentials");
  instance_.credentials = role_json("I", "2026-11-23T08:00:00Z");
  EXPECT_EQ(get(EndpointKind::Other), "error: credentials from instance metadata: they have expired already");
}

TEST_F(MetadataTest, SwitchesAndPlaces) {
  environment_["AWS_EC2_METADATA_DISABLED"] = "true";
  EXPECT_EQ(get(EndpointKind::Other), "anonymous");
  EXPECT_THAT(instance_.seen, IsEmpty());
  transport_.always(
      [](const Transport::Request&) -> Result<Transport::Response> { return fail(ErrorKind::Unavailable, "no route"); });
  environment_ = {};
  EXPECT_EQ(get(EndpointKind::Other), "anonymous");
  EXPECT_EQ(transport_.requests.at(0).url, "http://169.254.169.254/latest/api/token");
  EXPECT_EQ(transport_.requests.size(), 1U);  // a probe is one attempt
  EXPECT_EQ(get(EndpointKind::Loopback), "anonymous");
  EXPECT_EQ(transport_.requests.size(), 1U);  // for this machine nobody needs a role
  environment_ = {{"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "IPv6"}};
  EXPECT_EQ(get(EndpointKind::Other), "anonymous");
  EXPECT_EQ(transport_.requests.at(1).url, "http://[fd00:ec2::254]/latest/api/token");
  environment_ = {{"AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1"}};  // named, so it has to be there
  EXPECT_EQ(get(EndpointKind::Other), "error: credentials from instance metadata: no route");
  environment_ = {{"AWS_EC2_METADATA_SERVICE_ENDPOINT", "nonsense"}};
  EXPECT_THAT(get(EndpointKind::Other), HasSubstr("is no http or https URL"));
}

// ---------------------------------------------------------------------------------------------------------------- refreshing

class ScriptedProvider final : public CredentialProvider {
 public:
  using Step = std::function<Result<std::optional<FetchedCredentials>>(FetchMode)>;
  explicit ScriptedProvider(Step step) : step_(std::move(step)) {}
  std::string name() const override { return "script"; }
  Result<std::optional<FetchedCredentials>> fetch(FetchMode mode) override { return step_(mode); }

 private:
  Step step_;
};

class RefreshTest : public ::testing::Test {
 protected:
  std::unique_ptr<CredentialSource> source(ScriptedProvider::Step step, Random& random, WhenNone when_none = WhenNone::Error) {
    std::vector<std::unique_ptr<CredentialProvider>> chain;
    chain.push_back(std::make_unique<ScriptedProvider>(std::move(step)));
    return make_refreshing_source(std::move(chain), when_none, clock_, random, log_);
  }
  std::optional<FetchedCredentials> lasting(milliseconds time) {
    ++fetches_;
    return FetchedCredentials{{"K" + std::to_string(fetches_.load()), "s", ""}, clock_.wall() + time};
  }
  ManualClock clock_{from_epoch_millis(kStartMs)};
  Logger log_{clock_, LogLevel::Off, LogFormat::Text};
  test::FixedRandom least_{0};
  test::FixedRandom greatest_{60'000};
  std::atomic<int> fetches_{0};
};

TEST_F(RefreshTest, JitterIsUpToAMinute) {
  const auto hourly = [&](FetchMode) { return lasting(minutes(60)); };
  const auto early = source(hourly, greatest_);
  EXPECT_EQ(found(*early), "K1/s/");
  clock_.advance(minutes(54) - milliseconds(1));
  EXPECT_EQ(found(*early), "K1/s/");
  clock_.advance(milliseconds(1));
  EXPECT_EQ(found(*early), "K2/s/");
}

TEST_F(RefreshTest, ShortLivedOnesAreUsedForHalfTheirTime) {
  const auto short_lived = source([&](FetchMode) { return lasting(minutes(4)); }, least_);
  EXPECT_EQ(found(*short_lived), "K1/s/");
  clock_.advance(minutes(2) - milliseconds(1));
  EXPECT_EQ(found(*short_lived), "K1/s/");
  clock_.advance(milliseconds(1));
  EXPECT_EQ(found(*short_lived), "K2/s/");
}

TEST_F(RefreshTest, ThoseWithoutAnEndAreKept) {
  const auto fixed = source(
      [&](FetchMode) -> Result<std::optional<FetchedCredentials>> {
        ++fetches_;
        return std::optional(FetchedCredentials{{"K", "s", ""}, {}});
      },
      least_);
  EXPECT_EQ(found(*fixed), "K/s/");
  clock_.advance(std::chrono::hours(100'000));
  EXPECT_EQ(found(*fixed), "K/s/");
  EXPECT_EQ(fetches_, 1);
}

TEST_F(RefreshTest, ModesAndDisappearance) {
  std::vector<FetchMode> modes;
  const auto vanishing = source(
      [&](FetchMode mode) -> Result<std::optional<FetchedCredentials>> {
        modes.push_back(mode);
        if (modes.size() > 1) return std::optional<FetchedCredentials>();
        return lasting(minutes(60));
      },
      least_, WhenNone::Anonymous);
  EXPECT_EQ(found(*vanishing), "K1/s/");
  clock_.advance(minutes(56));
  EXPECT_EQ(found(*vanishing), "K1/s/");
  clock_.advance(minutes(5));
  // Requests that were signed do not become unsigned ones.
  EXPECT_EQ(found(*vanishing), "error: credentials from script: there are none any more");
  EXPECT_THAT(modes, ElementsAre(FetchMode::Probe, FetchMode::Fetch, FetchMode::Fetch));
}

TEST_F(RefreshTest, AnonymityIsSettledOnce) {
  const auto none = source(
      [&](FetchMode) -> Result<std::optional<FetchedCredentials>> {
        ++fetches_;
        return std::optional<FetchedCredentials>();
      },
      least_, WhenNone::Anonymous);
  EXPECT_EQ(found(*none), "anonymous");
  EXPECT_EQ(found(*none), "anonymous");
  EXPECT_EQ(fetches_, 1);
}

TEST_F(RefreshTest, OneThreadFetchesTheOthersAreServedTheOld) {
  std::mutex mutex;
  std::condition_variable changed;
  bool inside = false, go_on = true;
  const auto slow = source(
      [&](FetchMode) -> Result<std::optional<FetchedCredentials>> {
        std::unique_lock lock(mutex);
        inside = true;
        changed.notify_all();
        changed.wait(lock, [&] { return go_on; });
        return lasting(minutes(60));
      },
      least_);
  EXPECT_EQ(found(*slow), "K1/s/");
  clock_.advance(minutes(56));
  inside = false, go_on = false;
  std::thread refresher([&] { EXPECT_EQ(found(*slow), "K2/s/"); });
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return inside; });
  }
  EXPECT_EQ(found(*slow), "K1/s/");  // while the other one waits
  {
    const std::lock_guard lock(mutex);
    go_on = true;
  }
  changed.notify_all();
  refresher.join();
  EXPECT_EQ(found(*slow), "K2/s/");
  EXPECT_EQ(fetches_, 2);
}

TEST_F(RefreshTest, ThreadsAtTheStartShareOneFetch) {
  for (const bool works : {true, false}) {
    fetches_ = 0;
    std::atomic<int> started{0};
    const auto shared = source(
        [&](FetchMode) -> Result<std::optional<FetchedCredentials>> {
          while (started < 8) std::this_thread::yield();
          for (int i = 0; i < 1000; ++i) std::this_thread::yield();
          if (works) return lasting(minutes(60));
          ++fetches_;
          return fail(ErrorKind::Unavailable, "no");
        },
        least_);
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t) {
      threads.emplace_back([&] {
        ++started;
        EXPECT_EQ(found(*shared), works ? "K1/s/" : "error: credentials from script: no");
      });
    }
    for (std::thread& thread : threads) thread.join();
    if (works) {
      EXPECT_EQ(fetches_, 1);
    } else {
      EXPECT_GE(fetches_, 1);  // who comes after a failure may try
    }
  }
}

TEST(CredentialsJson, Times) {
  EXPECT_EQ(parse_rfc3339("2026-11-23T08:00:00Z"), from_epoch_millis(kStartMs));
  EXPECT_EQ(parse_rfc3339("2026-11-23T08:00:00.123456Z"), from_epoch_millis(kStartMs));
  EXPECT_EQ(parse_rfc3339("2026-11-23T09:30:00+01:30"), from_epoch_millis(kStartMs));
  EXPECT_EQ(parse_rfc3339("2026-11-23T03:00:00-05:00"), from_epoch_millis(kStartMs));
  EXPECT_EQ(parse_rfc3339("2026-11-23 08:00:00+00:00"), from_epoch_millis(kStartMs));
  for (const char* bad : {"", "2026-11-23", "2026-11-23T08:00:00", "2026-11-23T08:00Z", "2026-13-01T08:00:00Z",
                          "2026-02-29T08:00:00Z", "2026-11-23T24:00:00Z", "2026-11-23T08:60:00Z", "2026-11-23T08:00:00.Z",
                          "2026-11-23T08:00:00+0100", "2026-11-23T08:00:00ZZ", "1795420800"}) {
    EXPECT_FALSE(parse_rfc3339(bad)) << bad;
  }
}
}  // namespace
}  // namespace ferry::client
